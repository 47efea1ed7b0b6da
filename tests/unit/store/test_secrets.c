/* Secrets in the SQLite backend, with a toy for a sealer: what the store owes to any sealer. */
#include "fixture.h"

#include <string.h>

#include "base/strings.h"
#include "store/sealer.h"

static char *folder;

static int set_up(void **state _unused_) {
        folder = folder_new();
        return 0;
}

static int tear_down(void **state _unused_) {
        folder_remove(folder);
        return 0;
}

/* ---- the toy: each byte changed by the key, and in front a sum over key, place and text ---- */

struct toy {
        struct sealer sealer;
        uint8_t key;
};

static uint32_t toy_sum(uint8_t key, const void *place, size_t n_place, const uint8_t *text, size_t n) {
        const uint8_t *p = place;
        uint32_t sum = key;

        for (size_t i = 0; i < n_place; i++)
                sum = sum * 31 + p[i];
        for (size_t i = 0; i < n; i++)
                sum = sum * 31 + text[i];
        return sum;
}

static int toy_seal(const struct sealer *sealer, const void *place, size_t n_place, const void *text, size_t n, uint8_t **ret,
                    size_t *ret_size) {
        uint8_t key = ((const struct toy *) sealer)->key;
        uint32_t sum = toy_sum(key, place, n_place, text, n);
        uint8_t *blob = malloc(n + sizeof(sum));

        assert_non_null(blob);
        memcpy(blob, &sum, sizeof(sum));
        for (size_t i = 0; i < n; i++)
                blob[sizeof(sum) + i] = ((const uint8_t *) text)[i] ^ key;
        *ret = blob;
        *ret_size = n + sizeof(sum);
        return 0;
}

static int toy_open(const struct sealer *sealer, const void *place, size_t n_place, const void *blob, size_t n, char **ret,
                    size_t *ret_size) {
        uint8_t key = ((const struct toy *) sealer)->key;
        uint32_t sum;
        char *text;

        if (n < sizeof(sum))
                return -EBADMSG;
        memcpy(&sum, blob, sizeof(sum));
        n -= sizeof(sum);
        text = calloc(1, n + 1);
        assert_non_null(text);
        for (size_t i = 0; i < n; i++)
                text[i] = (char) (((const uint8_t *) blob)[sizeof(sum) + i] ^ key);
        if (sum != toy_sum(key, place, n_place, (const uint8_t *) text, n)) {
                free(text);
                return -EBADMSG;
        }
        *ret = text;
        *ret_size = n;
        return 0;
}

static const struct toy right_key = { { toy_seal, toy_open }, 0x55 };
static const struct toy other_key = { { toy_seal, toy_open }, 0x66 };

/* ---- */

static struct store *open_with(const struct toy *toy) {
        struct store_options options = { .state_dir = folder, .sealer = toy ? &toy->sealer : NULL };
        struct store *store;

        assert_int_equal(store_open_sqlite(&options, &store), 0);
        return store;
}

static struct job *secret_job(unsigned number, const char *headers) {
        struct job *job = sample_job(number, SAMPLE_NEW, 1);

        assert_int_equal(job_set_custom_headers(job, headers, 5), 0);
        assert_int_equal(job_set_proxy(job, JOB_PROXY_OVERRIDE, "http://me:hush@proxy:8080", "", 5), 0);
        job_file_set_state(job->files[0], FILE_PENDING);
        assert_int_equal(job_file_set_decryption_info(job->files[0], "{\"KeyData\":\"hush\"}", 5), 0);
        return job;
}

static void save(unsigned number, const char *headers) {
        struct store *store = open_with(&right_key);
        struct job *job = secret_job(number, headers);

        assert_int_equal(save_now(store, job), 0);
        job_free(job);
        store_free(store);
}

/* The job as a service with that key finds it; with @save_again it also writes it. */
static struct job *load(const struct toy *toy, unsigned number, bool save_again) {
        struct store *store = open_with(toy);
        struct guid id = sample_id(number);
        struct content content;
        struct job *job;

        assert_int_equal(content_load(store, &content), 0);
        for (size_t i = 0; i < content.n_jobs; i++)
                if (guid_equal(&content.jobs[i]->id, &id)) {
                        job = content.jobs[i];
                        content.jobs[i] = content.jobs[--content.n_jobs];
                        content_done(&content);
                        if (save_again)
                                assert_int_equal(save_now(store, job), 0);
                        store_free(store);
                        return job;
                }
        fail_msg("the job is gone");
        return NULL;
}

static void assert_whole(struct job *job, const char *headers) {
        assert_string_equal(secret_text(&job->custom_headers), headers);
        assert_string_equal(secret_text(&job->proxy_list), "http://me:hush@proxy:8080");
        assert_string_equal(secret_text(&job->files[0]->decryption_info), "{\"KeyData\":\"hush\"}");
        assert_false(job_has_lost_secret(job));
        job_free(job);
}

static void assert_lost(struct job *job) {
        assert_true(secret_is_lost(&job->custom_headers));
        assert_null(secret_text(&job->custom_headers));
        assert_true(job_has_lost_secret(job));
        assert_int_equal(job->n_files, 1);
        job_free(job);
}

static void secrets_come_back_and_are_not_in_the_file(void **state _unused_) {
        char *n;

        save(1, "Authorization: Bearer hush-hush");
        n = raw_query(folder, "SELECT count(*) FROM job WHERE instr(custom_headers, CAST('hush' AS BLOB)) > 0"
                              " OR instr(proxy_list, CAST('hush' AS BLOB)) > 0"
                              " OR EXISTS (SELECT 1 FROM file WHERE instr(decryption_info, CAST('hush' AS BLOB)) > 0)");
        assert_string_equal(n, "0");
        free(n);
        assert_whole(load(&right_key, 1, false), "Authorization: Bearer hush-hush");
}

static void another_key_loses_the_secrets_and_not_the_job(void **state _unused_) {
        save(1, "A: b");
        assert_lost(load(&other_key, 1, false));
        assert_lost(load(NULL, 1, false));
}

static void what_one_key_cannot_open_is_kept_for_the_one_that_can(void **state _unused_) {
        save(1, "A: b");
        assert_lost(load(&other_key, 1, true));
        assert_whole(load(&right_key, 1, false), "A: b");
}

static void a_changed_blob_is_lost(void **state _unused_) {
        save(1, "A: b");
        raw_sql(folder, "UPDATE job SET custom_headers = CAST(custom_headers || x'00' AS BLOB)");
        assert_lost(load(&right_key, 1, false));
}

static void a_blob_of_another_job_is_lost(void **state _unused_) {
        save(1, "A: one");
        save(2, "A: two");
        raw_sql(folder, "UPDATE job SET custom_headers = (SELECT custom_headers FROM job WHERE key = 2) WHERE key = 1");
        assert_lost(load(&right_key, 1, false));
        assert_whole(load(&right_key, 2, false), "A: two");
}

static void a_blob_of_another_column_is_lost(void **state _unused_) {
        save(1, "A: b");
        raw_sql(folder, "UPDATE job SET custom_headers = proxy_list");
        assert_lost(load(&right_key, 1, false));
}

static void what_is_set_anew_is_no_longer_lost(void **state _unused_) {
        struct job *job;
        struct store *store;

        save(1, "A: b");
        job = load(&other_key, 1, false);
        assert_int_equal(job_set_custom_headers(job, "A: c", 9), 0);
        assert_int_equal(job_file_set_decryption_info(job->files[0], "{\"KeyData\":\"hush\"}", 9), 0);
        assert_int_equal(job_set_proxy(job, JOB_PROXY_OVERRIDE, "http://me:hush@proxy:8080", "", 9), 0);
        store = open_with(&other_key);
        assert_int_equal(save_now(store, job), 0);
        store_free(store);
        job_free(job);
        assert_whole(load(&other_key, 1, false), "A: c");
}

static void without_a_sealer_nothing_secret_is_written(void **state _unused_) {
        struct store *store = open_with(NULL);
        struct job *job = secret_job(1, "A: b");
        char *n;

        assert_true(save_now(store, job) < 0);
        job_free(job);
        store_free(store);
        n = raw_query(folder, "SELECT count(*) FROM job");
        assert_string_equal(n, "0");
        free(n);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(secrets_come_back_and_are_not_in_the_file, set_up, tear_down),
                cmocka_unit_test_setup_teardown(another_key_loses_the_secrets_and_not_the_job, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_one_key_cannot_open_is_kept_for_the_one_that_can, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_changed_blob_is_lost, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_blob_of_another_job_is_lost, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_blob_of_another_column_is_lost, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_is_set_anew_is_no_longer_lost, set_up, tear_down),
                cmocka_unit_test_setup_teardown(without_a_sealer_nothing_secret_is_written, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
