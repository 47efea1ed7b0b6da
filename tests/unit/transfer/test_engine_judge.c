/* https servers whose certificate somebody is to accept before anything is sent to them. */
#include "fixture.h"

#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

static struct server web, plain;
static char log_file[128];

static int setup(void **state) {
        const char *arguments[] = { "--log", log_file, NULL };
        struct fixture *f;

        fixture_setup(state);
        f = *state;
        fixture_make_tls(f);
        snprintf(log_file, sizeof(log_file), "%s/log", f->folder);
        server_start_tls(f, &web, arguments);
        server_start(&plain, NULL);
        return 0;
}

static int teardown(void **state) {
        server_stop(&web);
        server_stop(&plain);
        return fixture_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static unsigned requests_seen(void) {
        FILE *log = fopen(log_file, "re");
        unsigned n = 0;
        int c;

        if (!log)
                return 0;
        while ((c = fgetc(log)) != EOF)
                n += c == '\n';
        (void) fclose(log);
        return n;
}

static const char *secure_url(const char *host, const char *path) {
        static char url[160];

        snprintf(url, sizeof(url), "https://%s:%u%s", host, web.port, path);
        return url;
}

static struct engine_request judged_request(struct fixture *f, uint64_t id, const char *url, struct engine_piece *piece) {
        struct engine_request request = request_for(f, id, url, piece);

        request.judge_certificate = true;
        return request;
}

static void assert_not_judged(const struct record *record) {
        assert_failed(record, ERROR_CERTIFICATE_NOT_JUDGED);
        assert_int_equal(record->result.context, ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK);
        assert_int_equal(record->n_certificates, 1);
        assert_int_equal(record->n_metadata, 0);
}

static void assert_is_the_server_s(struct fixture *f, const struct record *record) {
        const unsigned char *at = record->certificates;
        uint8_t sha256[32];
        unsigned char *own = NULL;
        char path[128];
        PKCS7 *all;
        X509 *x509;
        FILE *pem;
        int n;

        snprintf(path, sizeof(path), "%s/cert.pem", f->folder);
        pem = fopen(path, "re");
        assert_non_null(pem);
        x509 = PEM_read_X509(pem, NULL, NULL, NULL);
        (void) fclose(pem);
        n = i2d_X509(x509, &own);
        assert_int_equal(record->n_certificate, n);
        assert_memory_equal(record->certificate, own, record->n_certificate);
        assert_int_equal(X509_digest(x509, EVP_sha256(), sha256, NULL), 1);
        assert_memory_equal(record->sha256, sha256, sizeof(sha256));
        all = d2i_PKCS7(NULL, &at, (long) record->n_certificates_bytes);
        assert_non_null(all);
        assert_ptr_equal(at, record->certificates + record->n_certificates_bytes);
        assert_int_equal(sk_X509_num(all->d.sign->cert), 1);
        assert_int_equal(X509_cmp(sk_X509_value(all->d.sign->cert, 0), x509), 0);
        PKCS7_free(all);
        OPENSSL_free(own);
        X509_free(x509);
}

static void nothing_is_sent_to_a_server_before_its_certificate_is_accepted(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = judged_request(f, 1, secure_url("localhost", "/data/100000"), &piece);
        const struct record *record = fetch(f, &request);
        uint8_t accepted[2][32];

        assert_not_judged(record);
        assert_is_the_server_s(f, record);
        assert_int_equal(requests_seen(), 0);

        memset(accepted, 1, sizeof(accepted)); /* others do not do */
        request.id = 2;
        request.accepted = (const uint8_t (*)[32]) accepted;
        request.n_accepted = 2;
        assert_not_judged(fetch(f, &request));
        assert_int_equal(requests_seen(), 0);

        memcpy(accepted[1], record->sha256, sizeof(accepted[1]));
        request.id = 3;
        record = fetch(f, &request);
        assert_done(record);
        assert_int_equal(record->n_certificates, 0);
        assert_content(f, 0, 0, 100000);
        assert_int_equal(requests_seen(), 1);
}

static void a_connection_that_another_made_is_no_way_around(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, secure_url("localhost", "/data/1000"), &piece);

        assert_done(fetch(f, &request)); /* its connection stays in the pool */
        request = judged_request(f, 2, secure_url("localhost", "/data/1000"), &piece);
        assert_not_judged(fetch(f, &request));
        assert_int_equal(requests_seen(), 1);
        request = request_for(f, 3, secure_url("localhost", "/data/1000"), &piece);
        assert_done(fetch(f, &request));
}

static void what_fails_verification_nobody_is_asked_about(void **state) {
        static const char *const arguments[] = { "--address", "127.0.0.2", NULL };
        struct fixture *f = *state;
        struct server other;
        struct engine_piece piece;
        struct engine_request request;
        char url[64];

        server_start_tls(f, &other, arguments); /* its certificate has not this name */
        snprintf(url, sizeof(url), "https://127.0.0.2:%u/data/1000", other.port);
        request = judged_request(f, 1, url, &piece);
        assert_failed(fetch(f, &request), ERROR_CERTIFICATE);
        assert_int_equal(f->records[1].n_certificates, 0);
        request.id = 2; /* whoever does not mind the name is asked */
        request.ignore_certificate = ENGINE_IGNORE_NAME;
        assert_not_judged(fetch(f, &request));
        server_stop(&other);

        f->has_tls = false; /* an unknown authority */
        fixture_restart_engine(f);
        request = judged_request(f, 3, secure_url("localhost", "/data/1000"), &piece);
        assert_failed(fetch(f, &request), ERROR_CERTIFICATE);
        assert_int_equal(f->records[3].n_certificates, 0);
}

static void only_the_https_servers_on_the_way_are_asked_about(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request;
        char path[256];

        request = judged_request(f, 1, url_of(&plain, "/data/1000"), &piece);
        assert_done(fetch(f, &request));
        snprintf(path, sizeof(path), "/redirect/302?to=%s", secure_url("localhost", "/data/1000"));
        request = judged_request(f, 2, url_of(&plain, path), &piece);
        assert_not_judged(fetch(f, &request));
        assert_int_equal(requests_seen(), 0);
        request.id = 3;
        request.accepted = (const uint8_t (*)[32]) f->records[2].sha256;
        request.n_accepted = 1;
        assert_done(fetch(f, &request));
}

static void more_than_may_be_remembered_is_refused(void **state) {
        static uint8_t accepted[LIMIT_ACCEPTED_CERTIFICATES + 1][32];
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = judged_request(f, 1, secure_url("localhost", "/data/1000"), &piece);

        request.accepted = (const uint8_t (*)[32]) accepted;
        request.n_accepted = LIMIT_ACCEPTED_CERTIFICATES + 1;
        assert_int_equal(engine_start(f->engine, &request), -EINVAL);
        request.n_accepted = LIMIT_ACCEPTED_CERTIFICATES;
        assert_not_judged(fetch(f, &request));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(nothing_is_sent_to_a_server_before_its_certificate_is_accepted),
                TEST(a_connection_that_another_made_is_no_way_around),
                TEST(what_fails_verification_nobody_is_asked_about),
                TEST(only_the_https_servers_on_the_way_are_asked_about),
                TEST(more_than_may_be_remembered_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
