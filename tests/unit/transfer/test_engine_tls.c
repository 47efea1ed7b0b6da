/* https: who is trusted, how a body ends, HTTP/2, and where redirects between the two schemes lead. */
#include "fixture.h"

#include <openssl/x509_vfy.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

static struct server web, plain;
static pid_t nginx_pid;

static void stop_nginx(void);

static int setup(void **state) {
        fixture_setup(state);
        fixture_make_tls(*state);
        server_start_tls(*state, &web, NULL);
        server_start(&plain, NULL);
        return 0;
}

static int teardown(void **state) {
        stop_nginx();
        server_stop(&web);
        server_stop(&plain);
        return fixture_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const char *https_url(const struct server *server, const char *host, const char *path) {
        static char urls[8][1024];
        static unsigned next;
        char *url = urls[next++ % 8];

        snprintf(url, sizeof(urls[0]), "https://%s:%u%s", host, server->port, path);
        return url;
}

static void a_file_arrives_over_tls(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, https_url(&web, "localhost", "/data/3000000"), &piece);
        struct record *record = fetch(f, &request);
        char origin[128];

        assert_done(record);
        assert_content(f, 0, 0, 3000000);
        snprintf(origin, sizeof(origin), "https://localhost:%u/data/3000000", web.port);
        assert_string_equal(record->origin, origin);
}

static void an_unknown_authority_is_fatal(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, https_url(&web, "localhost", "/data/1000"), &piece);
        struct record *record;

        f->has_tls = false; /* the system's authorities, or none */
        fixture_restart_engine(f);
        record = fetch(f, &request);
        assert_failed(record, ERROR_CERTIFICATE);
        assert_false(record->result.transient);
        assert_int_equal(record->n_metadata, 0);
}

static void a_certificate_for_another_host_is_fatal(void **state) {
        static const char *const arguments[] = { "--address", "127.0.0.2", NULL };
        struct fixture *f = *state;
        struct server other;
        struct engine_piece piece;
        struct engine_request request;

        server_start_tls(f, &other, arguments);
        request = request_for(f, 1, https_url(&other, "127.0.0.2", "/data/1000"), &piece);
        assert_failed(fetch(f, &request), ERROR_CERTIFICATE);
        server_stop(&other);
}

static void tls_to_a_server_without_it_fails(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, https_url(&plain, "localhost", "/data/1000"), &piece);
        struct record *record;

        request.connect_timeout_usec = request.stall_timeout_usec = 2 * USEC_PER_SEC;
        record = fetch(f, &request);
        assert_int_equal(record->outcome, ENGINE_FAILED);
        assert_true(record->result.code == ERROR_TLS_HANDSHAKE || record->result.code == ERROR_TIMED_OUT);
        assert_true(record->result.transient);
}

static void a_body_that_ends_with_close_notify_is_complete(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, https_url(&web, "localhost", "/close/300000"), &piece);
        struct record *record = fetch(f, &request);

        assert_done(record);
        assert_true(record->result.length_unverified);
        assert_content(f, 0, 0, 300000);
}

static void a_body_that_ends_without_close_notify_is_not(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, https_url(&web, "localhost", "/abrupt/300000"), &piece);
        struct record *record = fetch(f, &request);

        assert_failed(record, ERROR_CONNECTION_CLOSED);
        assert_true(record->result.transient);
}

static void https_never_becomes_http_unless_the_job_says_so(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request;
        char path[256];

        snprintf(path, sizeof(path), "/redirect/302?to=http://127.0.0.1:%u/data/1000", plain.port);
        request = request_for(f, 1, https_url(&web, "localhost", path), &piece);
        assert_failed(fetch(f, &request), ERROR_INSECURE_REDIRECT);
        request.id = 2;
        request.allow_insecure_redirect = true;
        assert_done(fetch(f, &request));
        snprintf(path, sizeof(path), "/redirect/302?to=https://localhost:%u/data/1000", web.port);
        request = request_for(f, 3, url_of(&plain, path), &piece);
        assert_done(fetch(f, &request));
}

/* nginx, because Python has no HTTP/2. */
static void start_nginx(struct fixture *f, unsigned port) {
        char path[128], command[256];
        FILE *conf;

        snprintf(path, sizeof(path), "%s/nginx.conf", f->folder);
        conf = fopen(path, "we");
        assert_non_null(conf);
        fprintf(conf,
                "daemon off; master_process off; pid %s/pid; error_log %s/error.log;\n"
                "events { worker_connections 256; }\n"
                "http { access_log %s/access.log; client_body_temp_path %s/t1; proxy_temp_path %s/t2; fastcgi_temp_path %s/t3;\n"
                "uwsgi_temp_path %s/t4; scgi_temp_path %s/t5; log_format p '$connection $server_protocol'; access_log %s/access.log p;\n"
                "server { listen 127.0.0.1:%u ssl http2; ssl_certificate %s/cert.pem; ssl_certificate_key %s/key.pem; root %s/www; } }\n",
                f->folder, f->folder, f->folder, f->folder, f->folder, f->folder, f->folder, f->folder, f->folder, port, f->folder,
                f->folder, f->folder);
        fclose(conf);
        nginx_pid = fork();
        if (nginx_pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
                execl("/usr/sbin/nginx", "nginx", "-c", path, "-p", f->folder, NULL);
                _exit(127);
        }
        snprintf(command, sizeof(command), "for i in $(seq 200); do [ -s %s/pid ] && exit 0; sleep 0.05; done; exit 1", f->folder);
        assert_int_equal(system(command), 0);
}

static void stop_nginx(void) {
        if (nginx_pid <= 0)
                return;
        (void) kill(nginx_pid, SIGKILL);
        (void) waitpid(nginx_pid, NULL, 0);
        nginx_pid = 0;
}

static unsigned free_port(void) {
        struct server probe;

        server_start(&probe, NULL); /* the kernel chose it; nobody else asks for it by number */
        server_stop(&probe);
        return probe.port;
}

static void http2_requests_share_one_connection(void **state) {
        struct fixture *f = *state;
        struct server nginx = { .port = free_port() };
        static struct engine_piece pieces[100];
        char command[1024], line[128], first[32] = "";
        unsigned n_lines = 0;
        FILE *log;

        if (access("/usr/sbin/nginx", X_OK) < 0)
                skip();
        snprintf(command, sizeof(command), "mkdir %s/www && head -c 100000 /dev/urandom >%s/www/a", f->folder, f->folder);
        assert_int_equal(system(command), 0);
        start_nginx(f, nginx.port);
        for (uint64_t id = 1; id <= ELEMENTSOF(pieces); id++) {
                struct engine_request request = request_for(f, id, https_url(&nginx, "localhost", "/a"), &pieces[id - 1]);

                assert_int_equal(engine_start(f->engine, &request), 0);
        }
        wait_finished(f, ELEMENTSOF(pieces));
        for (uint64_t id = 1; id <= ELEMENTSOF(pieces); id++)
                assert_done(&f->records[id]);
        stop_nginx();
        snprintf(command, sizeof(command), "cmp -n 100000 %s/www/a %s/file", f->folder, f->folder);
        assert_int_equal(system(command), 0);

        snprintf(command, sizeof(command), "grep HTTP/2.0$ %s/access.log", f->folder);
        log = popen(command, "re");
        assert_non_null(log);
        while (fgets(line, sizeof(line), log)) {
                line[strcspn(line, " ")] = 0;
                if (n_lines++ == 0)
                        snprintf(first, sizeof(first), "%.31s", line);
                assert_string_equal(line, first);
        }
        pclose(log);
        assert_int_equal(n_lines, ELEMENTSOF(pieces));
}

/* --- through a proxy that is spoken to over TLS -------------------------------------------------------------------------- */

/* NAME.pem and NAME.key for localhost, by the fixture's authority or by nobody's. */
static void make_certificate(struct fixture *f, const char *name, bool known) {
        char command[512];

        snprintf(command, sizeof(command),
                 "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout %s.key -out %s.pem -days 2 "
                 "-subj /CN=localhost -addext subjectAltName=DNS:localhost %s 2>/dev/null >&2",
                 f->folder, name, name, known ? "-CA ca.pem -CAkey ca.key" : "");
        assert_int_equal(system(command), 0);
}

/* With such a certificate; it builds tunnels, asks who is there, and notes what it is asked in a file of its name. */
static void start_with_certificate(struct fixture *f, struct server *server, const char *name) {
        char cert[128], key[128], log[128];
        const char *arguments[] = { "--tls", cert, key, "--log", log, "--ask-client", f->ca_file, "--tunnel", NULL };

        snprintf(cert, sizeof(cert), "%s/%s.pem", f->folder, name);
        snprintf(key, sizeof(key), "%s/%s.key", f->folder, name);
        snprintf(log, sizeof(log), "%s/%s.log", f->folder, name);
        server_start(server, arguments);
}

static bool was_asked(struct fixture *f, const char *name) {
        struct stat st;
        char log[128];

        snprintf(log, sizeof(log), "%s/%s.log", f->folder, name);
        assert_int_equal(stat(log, &st), 0);
        return st.st_size > 0;
}

static const char *const *through(const struct server *proxy) {
        static char value[64];
        static const char *const variables[] = { value, NULL };

        snprintf(value, sizeof(value), "all_proxy=https://localhost:%u", proxy->port);
        return variables;
}

static void of_a_proxys_certificate_no_check_is_left_out(void **state) {
        struct fixture *f = *state;
        const char *const urls[] = { "http://localhost/data/1000", https_url(&web, "localhost", "/data/1000") };
        struct server odd;

        make_certificate(f, "odd", false);
        start_with_certificate(f, &odd, "odd");
        for (size_t i = 0; i < ELEMENTSOF(urls); i++) {
                struct engine_piece piece;
                struct engine_request request = request_for(f, i + 1, urls[i], &piece);
                const struct record *record;

                request.proxy_environment = through(&odd);
                request.proxy_credentials = "name:secret";
                request.proxy_schemes = ENGINE_AUTH_BASIC;
                request.ignore_certificate = ENGINE_IGNORE_ALL;
                record = fetch(f, &request);
                assert_failed(record, ERROR_CERTIFICATE);
                assert_false(record->result.transient);
                assert_int_equal(record->result.detail, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
                assert_false(was_asked(f, "odd"));
        }
        server_stop(&odd);
}

static void behind_a_proxy_a_servers_check_is_left_out(void **state) {
        struct fixture *f = *state;
        struct server odd, proxy;
        struct engine_piece piece;
        struct engine_request request;

        make_certificate(f, "odd", false);
        make_certificate(f, "proxy", true);
        start_with_certificate(f, &odd, "odd");
        start_with_certificate(f, &proxy, "proxy");
        request = request_for(f, 1, https_url(&odd, "localhost", "/data/1000"), &piece);
        request.proxy_environment = through(&proxy);
        request.ignore_certificate = ENGINE_IGNORE_ALL & ~ENGINE_IGNORE_AUTHORITY;
        assert_failed(fetch(f, &request), ERROR_CERTIFICATE);
        assert_int_equal(f->records[1].result.detail, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
        assert_true(was_asked(f, "proxy"));
        assert_false(was_asked(f, "odd"));
        request.id = 2;
        request.ignore_certificate = ENGINE_IGNORE_AUTHORITY;
        assert_done(fetch(f, &request));
        assert_content(f, 0, 0, 1000);
        server_stop(&odd);
        server_stop(&proxy);
}

static void revocation_is_asked_about_servers_not_proxies(void **state) {
        struct fixture *f = *state;
        struct server proxy;
        struct engine_piece piece;
        struct engine_request request;

        make_certificate(f, "proxy", true);
        start_with_certificate(f, &proxy, "proxy");
        request = request_for(f, 1, "http://localhost/data/1000", &piece);
        request.proxy_environment = through(&proxy);
        request.check_revocation = true; /* there is no list */
        assert_done(fetch(f, &request));
        request.id = 2;
        request.url = https_url(&web, "localhost", "/data/1000");
        assert_failed(fetch(f, &request), ERROR_REVOCATION_UNKNOWN);
        assert_int_equal(f->records[2].result.detail, X509_V_ERR_UNABLE_TO_GET_CRL);
        server_stop(&proxy);
}

static void nobody_is_asked_about_a_proxys_certificate(void **state) {
        struct fixture *f = *state;
        struct server proxy;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, https_url(&web, "localhost", "/data/1000"), &piece);

        make_certificate(f, "proxy", true);
        start_with_certificate(f, &proxy, "proxy");
        request.judge_certificate = true;
        assert_failed(fetch(f, &request), ERROR_CERTIFICATE_NOT_JUDGED);
        request.id = 2;
        request.proxy_environment = through(&proxy);
        assert_failed(fetch(f, &request), ERROR_CERTIFICATE_NOT_JUDGED);
        assert_memory_equal(f->records[2].sha256, f->records[1].sha256, sizeof(f->records[1].sha256));
        request.id = 3;
        request.accepted = (const uint8_t (*)[32]) f->records[1].sha256;
        request.n_accepted = 1;
        assert_done(fetch(f, &request));
        server_stop(&proxy);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_file_arrives_over_tls),
                TEST(an_unknown_authority_is_fatal),
                TEST(a_certificate_for_another_host_is_fatal),
                TEST(tls_to_a_server_without_it_fails),
                TEST(a_body_that_ends_with_close_notify_is_complete),
                TEST(a_body_that_ends_without_close_notify_is_not),
                TEST(https_never_becomes_http_unless_the_job_says_so),
                TEST(http2_requests_share_one_connection),
                TEST(of_a_proxys_certificate_no_check_is_left_out),
                TEST(behind_a_proxy_a_servers_check_is_left_out),
                TEST(revocation_is_asked_about_servers_not_proxies),
                TEST(nobody_is_asked_about_a_proxys_certificate),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
