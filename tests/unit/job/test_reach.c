#include "jobs.h"

static enum host_kind kind(const char *authority) {
        return job_host_kind(authority, strlen(authority));
}

static void hosts_are_told_apart_by_their_letters(void **state _unused_) {
        static const struct {
                const char *authority;
                enum host_kind kind;
        } rows[] = {
                { "127.0.0.1", HOST_LOOPBACK },        { "127.0.0.1:8080", HOST_LOOPBACK },    { "[::1]:80", HOST_LOOPBACK },
                { "::1", HOST_LOOPBACK },              { "localhost", HOST_LOOPBACK },         { "LocalHost.:80", HOST_LOOPBACK },
                { "a.localhost", HOST_LOOPBACK },      { "user:pass@127.1", HOST_LOOPBACK },   { "0.0.0.0", HOST_LOOPBACK },
                { "2130706433", HOST_LOOPBACK },       { "10.1.2.3", HOST_LOCAL_ADDRESS },     { "192.168.0.1:3128", HOST_LOCAL_ADDRESS },
                { "169.254.1.1", HOST_LOCAL_ADDRESS }, { "[fe80::1]", HOST_LOCAL_ADDRESS },    { "fd00::1", HOST_LOCAL_ADDRESS },
                { "nas", HOST_LOCAL_NAME },            { "nas:80", HOST_LOCAL_NAME },          { "printer.local", HOST_LOCAL_NAME },
                { "files.home.arpa.", HOST_LOCAL_NAME }, { "x.internal", HOST_LOCAL_NAME },    { "deb.debian.org", HOST_NAME },
                { "notlocalhost.org", HOST_NAME },     { "local.example", HOST_NAME },         { "xlocal", HOST_LOCAL_NAME },
                { "localhost.example", HOST_NAME },    { "8.8.8.8", HOST_ADDRESS },            { "[2a00::1]:443", HOST_ADDRESS },
                { "2a00::1", HOST_ADDRESS },           { "127.0.0.1@8.8.8.8", HOST_ADDRESS },  { "", HOST_NAME },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (kind(rows[i].authority) != rows[i].kind)
                        fail_msg("%s is of kind %d", rows[i].authority, kind(rows[i].authority));
}

static void a_name_that_is_too_long_is_just_a_name(void **state _unused_) {
        char name[300];

        memset(name, 'a', sizeof(name));
        assert_int_equal(job_host_kind(name, 253), HOST_LOCAL_NAME);
        assert_int_equal(job_host_kind(name, 254), HOST_LOCAL_NAME);
        assert_int_equal(job_host_kind(name, 255), HOST_NAME);
        assert_int_equal(job_host_kind(name, sizeof(name)), HOST_NAME);
}

static const bool loopback[_HOST_KIND_MAX] = { [HOST_LOOPBACK] = true };

static struct job_file *add(struct job *job, const char *url, const char *path, const char *mirrors) {
        struct job_file_spec spec = { .url = url, .path = path, .mirrors = mirrors, .stated_size = SIZE_UNKNOWN, .mode = 0644 };
        struct job_file *file;

        assert_int_equal(job_add_file(job, &spec, 500, &file), 0);
        return file;
}

static void every_file_needs_a_source_of_its_own(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);

        add(job, "http://127.0.0.1/a", "/d/a", NULL);
        assert_true(job_sources_are(job, loopback));
        add(job, "http://example.org/b", "/d/b", "http://example.net/b\nhttp://localhost:81/b");
        assert_true(job_sources_are(job, loopback));
        add(job, "http://example.org/c", "/d/c", NULL);
        assert_false(job_sources_are(job, loopback));
        job_file_set_state(job->files[job->n_files - 1], FILE_TRANSFERRED); /* nothing to fetch */
        assert_true(job_sources_are(job, loopback));
}

static void the_address_that_answered_says_more_than_the_name(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *file = add(job, "http://intranet.example.org/a", "/d/a", NULL);

        assert_int_equal(job_file_host_kind(file), HOST_NAME);
        assert_int_equal(job_file_set_response(file, &(struct file_response){ .http_status = 200, .address = (char *) "10.0.0.5" }), 0);
        assert_int_equal(job_file_host_kind(file), HOST_LOCAL_ADDRESS);
        assert_int_equal(job_file_set_response(file, &(struct file_response){ .http_status = 200, .address = (char *) "2a00::5" }), 0);
        assert_int_equal(job_file_host_kind(file), HOST_ADDRESS);
}

static void a_proxy_counts_where_it_is(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);

        assert_false(job_proxy_is(job, loopback));
        assert_int_equal(job_set_proxy_environment(job, "http_proxy=http://me:secret@127.0.0.1:3128/\nno_proxy=localhost\n"), 0);
        assert_true(job_proxy_is(job, loopback));
        assert_int_equal(job_set_proxy_environment(job, "https_proxy=proxy.example.org:3128\nno_proxy=localhost\n"), 0);
        assert_false(job_proxy_is(job, loopback));
        assert_int_equal(job_set_proxy(job, JOB_PROXY_OVERRIDE, "http=8.8.8.8:1 https=localhost:2", "", T0), 0);
        assert_true(job_proxy_is(job, loopback));
        assert_int_equal(job_set_proxy(job, JOB_PROXY_OVERRIDE, "http=8.8.8.8:1", "localhost", T0), 0);
        assert_false(job_proxy_is(job, loopback)); /* what is reached without it is no proxy */
        assert_int_equal(job_set_proxy(job, JOB_PROXY_NONE, "", "", T0), 0);
        assert_false(job_proxy_is(job, loopback));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(hosts_are_told_apart_by_their_letters),
                cmocka_unit_test(a_name_that_is_too_long_is_just_a_name),
                cmocka_unit_test(every_file_needs_a_source_of_its_own),
                cmocka_unit_test(the_address_that_answered_says_more_than_the_name),
                cmocka_unit_test(a_proxy_counts_where_it_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
