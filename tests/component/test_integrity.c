/* What guards content beyond a digest of the whole: hashes of its pieces. */
#include "harness.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"
#include "content/integrity.h"

#define PIECE 1024
#define SIZE (4 * PIECE + 100)
#define N_PIECES 5

/* The piece hash file for the harness's content, and the text that says where it is. */
struct metainfo {
        char *text;
        size_t size;
        char *info;
};

static struct metainfo make_metainfo(uint64_t content_length) {
        uint8_t hashes[N_PIECES][PIECE_HASH_BYTES], bytes[PIECE];
        struct piece_hashes pieces = {
                .content_length = content_length,
                .piece_bytes = PIECE,
                .n_pieces = (size_t) piece_hashes_count(content_length, PIECE),
                .hashes = hashes,
        };
        struct integrity_info info = { .url = (char *) "http://origin/f.hashes", .has_digest = true };
        struct metainfo ret;

        assert_in_range(pieces.n_pieces, 0, N_PIECES);
        for (size_t i = 0; i < pieces.n_pieces; i++) {
                uint64_t start = i * PIECE, end = piece_hashes_end(&pieces, i);

                for (uint64_t p = start; p < end; p++)
                        bytes[p - start] = harness_content(p);
                assert_int_equal(EVP_Digest(bytes, end - start, hashes[i], NULL, EVP_sha256(), NULL), 1);
        }
        assert_int_equal(piece_hashes_write(&pieces, &ret.text, &ret.size), 0);
        assert_int_equal(EVP_Digest(ret.text, ret.size, info.digest, NULL, EVP_sha256(), NULL), 1);
        assert_int_equal(integrity_info_write(&info, &ret.info), 0);
        return ret;
}

static void metainfo_done(struct metainfo *metainfo) {
        free(metainfo->text);
        free(metainfo->info);
}

static const char *mirrors; /* of the next file */

static void create_with(struct harness *h, const char *info, bool mandatory, const struct byte_range *ranges, size_t n_ranges) {
        _cleanup_free_ char *path = strdup(harness_path(h, "f"));
        struct manager_file_spec file = {
                .file = {
                        .url = "http://origin/f",
                        .path = path,
                        .stated_size = SIZE_UNKNOWN,
                        .mode = 0644,
                        .integrity_info = info,
                        .integrity_mandatory = mandatory,
                        .mirrors = mirrors,
                        .ranges = ranges,
                        .n_ranges = n_ranges,
                },
        };

        assert_int_equal(harness_create_with(h, &(struct manager_create_request) {
                        .family = JOB_FAMILY_DO,
                        .name = "f",
                        .priority = JOB_PRIORITY_FOREGROUND,
                        .replace = -1,
                        .remote_time = -1,
                        .resume = true,
                        .no_progress_timeout_s = -1,
                        .minimum_retry_delay_s = -1,
                        .notify_flags = -1,
                        .files = &file,
                        .n_files = 1,
                }), 0);
        harness_forget(h);
}

/* A job whose piece hash file was served; the request for the file itself is out. */
static void begin(struct harness *h, bool mandatory) {
        struct metainfo metainfo = make_metainfo(SIZE);

        create_with(h, metainfo.info, mandatory, NULL, 0);
        assert_string_equal(harness_request(h, 0)->url, "http://origin/f.hashes");
        harness_serve_bytes(h, harness_request(h, 0), metainfo.text, metainfo.size);
        assert_string_equal(harness_request(h, 0)->url, "http://origin/f");
        metainfo_done(&metainfo);
}

static struct job_file *the_file(struct harness *h) {
        return harness_job(h)->files[0];
}

static void the_hashes_come_first_and_the_pieces_are_judged_by_them(void **state) {
        struct harness *h = *state;

        begin(h, true);
        assert_int_equal(the_file(h)->integrity, FILE_INTEGRITY_CHECKING);
        harness_serve(h, harness_request(h, 0), SIZE);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(the_file(h)->integrity, FILE_INTEGRITY_VERIFIED);
        assert_int_equal(harness_call(h, manager_complete_job), 0);
        harness_assert_content(h, "f", SIZE);
        assert_int_equal(harness_count_temp(h), 0);
}

static void a_bad_piece_is_fetched_again_and_nothing_else(void **state) {
        struct harness *h = *state;
        struct fake_request *again;

        begin(h, true);
        h->spoiled = 2 * PIECE + 7;
        harness_serve(h, harness_request(h, 0), SIZE);
        h->spoiled = UINT64_MAX;
        again = harness_request(h, 0);
        assert_int_equal(again->n_pieces, 1);
        assert_int_equal(again->pieces[0].remote_offset, 2 * PIECE);
        assert_int_equal(again->pieces[0].length, PIECE);
        harness_write(h, again, 2 * PIECE, 3 * PIECE);
        harness_finish(h, again, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(harness_call(h, manager_complete_job), 0);
        harness_assert_content(h, "f", SIZE);
}

/* Its own server has no such file. */
static struct fake_request *begin_at_a_mirror(struct harness *h) {
        struct fake_request *r;

        mirrors = "http://m1/f\nhttp://m2/f";
        begin(h, true);
        mirrors = NULL;
        harness_finish(h, harness_request(h, 0), ENGINE_FAILED, ERROR_HTTP_STATUS, false);
        harness_pump(h);
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://m1/f");
        return r;
}

static void a_mirror_that_sends_a_bad_piece_is_left_for_the_next(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        r = begin_at_a_mirror(h);
        h->spoiled = PIECE + 7;
        harness_serve(h, r, SIZE);
        h->spoiled = UINT64_MAX;
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://m2/f");
        assert_int_equal(r->pieces[0].remote_offset, PIECE); /* what the hashes vouch for stays */
        harness_write(h, r, PIECE, 2 * PIECE);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_non_null(strstr(the_file(h)->source_trouble, "lied"));
}

/* Nobody knows which half was wrong: the piece is fetched again, from one source. Only then somebody has lied. */
static void a_bad_piece_of_two_sources_is_no_lie_of_the_one_that_ended_it(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        r = begin_at_a_mirror(h);
        harness_metadata(h, r, SIZE, NULL);
        h->spoiled = PIECE + 7;
        harness_write(h, r, 0, PIECE + 500);
        h->spoiled = UINT64_MAX;
        harness_finish(h, r, ENGINE_FAILED, ERROR_CONNECTION_CLOSED, true);
        harness_pump(h);
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://m2/f");
        harness_serve(h, r, SIZE);
        assert_false(job_host_lied(harness_job(h), "m2"));
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://m2/f");
        assert_int_equal(r->pieces[0].remote_offset, PIECE);
        assert_int_equal(r->pieces[0].length, PIECE);
        h->spoiled = PIECE + 8;
        harness_write(h, r, PIECE, 2 * PIECE);
        h->spoiled = UINT64_MAX;
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_true(job_host_lied(harness_job(h), "m2")); /* all of it was its own */
        assert_false(job_host_lied(harness_job(h), "m1"));
}

static void a_piece_that_stays_bad_ends_in_an_error(void **state) {
        struct harness *h = *state;

        begin(h, false);
        h->spoiled = SIZE - 1; /* in the short last piece */
        harness_serve(h, harness_request(h, 0), SIZE);
        for (unsigned i = 0; i < 2; i++) {
                struct fake_request *again = harness_request(h, 0);

                assert_int_equal(again->pieces[0].remote_offset, 4 * PIECE);
                harness_write(h, again, 4 * PIECE, SIZE);
                harness_finish(h, again, ENGINE_DONE, ERROR_NONE, false);
                harness_pump(h);
        }
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_BAD_PIECE_HASH);
        assert_int_equal(harness_running(h), 0);
        assert_int_equal(the_file(h)->durable.n_items, 1); /* the good ones are kept */
        assert_true(intervals_contain(&the_file(h)->durable, 0, 4 * PIECE));
}

static void what_is_not_judged_is_never_durable(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        begin(h, true);
        r = harness_request(h, 0);
        harness_metadata(h, r, SIZE, "\"v1\"");
        h->spoiled = 3;
        harness_write(h, r, 0, 2 * PIECE + 500); /* one bad, one good, one half */
        harness_pump(h);
        harness_advance(h, 10 * USEC_PER_SEC);
        assert_false(intervals_contain(&the_file(h)->durable, 0, 1));
        assert_true(intervals_contain(&the_file(h)->durable, PIECE, 2 * PIECE));
        assert_int_equal(intervals_total(&the_file(h)->durable), PIECE);
        harness_crash(h);
        assert_int_equal(intervals_total(&the_file(h)->durable), PIECE);
}

static void after_a_crash_it_goes_on_with_what_was_judged(void **state) {
        struct harness *h = *state;
        struct metainfo metainfo = make_metainfo(SIZE);
        struct fake_request *r;

        begin(h, true);
        r = harness_request(h, 0);
        harness_metadata(h, r, SIZE, "\"v1\"");
        harness_write(h, r, 0, 2 * PIECE);
        harness_pump(h);
        harness_advance(h, 10 * USEC_PER_SEC);
        harness_crash(h);
        harness_pump(h);
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://origin/f.hashes");
        harness_serve_bytes(h, r, metainfo.text, metainfo.size);
        r = harness_request(h, 0);
        assert_int_equal(r->pieces[0].remote_offset, 2 * PIECE);
        harness_write(h, r, 2 * PIECE, SIZE);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(the_file(h)->integrity, FILE_INTEGRITY_VERIFIED);
        metainfo_done(&metainfo);
}

/* Somebody changes a byte after it was judged: the last look finds it, and that piece alone is fetched again. */
static void what_goes_bad_later_is_found_at_the_end(void **state) {
        struct harness *h = *state;
        struct metainfo metainfo = make_metainfo(SIZE);
        struct fake_request *r;

        begin(h, true);
        r = harness_request(h, 0);
        harness_metadata(h, r, SIZE, "\"v1\"");
        harness_write(h, r, 0, SIZE);
        harness_pump(h);
        harness_advance(h, 10 * USEC_PER_SEC);
        assert_int_equal(intervals_total(&the_file(h)->durable), SIZE);
        assert_int_equal(fd_pwrite_all(r->fd, "\xff", 1, PIECE + 5), 0);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        harness_serve_bytes(h, harness_request(h, 0), metainfo.text, metainfo.size);
        r = harness_request(h, 0);
        assert_int_equal(r->pieces[0].remote_offset, PIECE);
        assert_int_equal(r->pieces[0].length, PIECE);
        harness_write(h, r, PIECE, 2 * PIECE);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        metainfo_done(&metainfo);
}

static void without_hashes_a_mandatory_check_is_an_error(void **state) {
        struct harness *h = *state;
        struct metainfo metainfo = make_metainfo(SIZE);

        create_with(h, metainfo.info, true, NULL, 0);
        harness_finish(h, harness_request(h, 0), ENGINE_FAILED, ERROR_HTTP_STATUS, false);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_INTEGRITY_UNAVAILABLE);
        assert_int_equal(harness_running(h), 0);
        metainfo_done(&metainfo);
}

static void what_may_pass_is_waited_for_when_the_check_is_mandatory(void **state) {
        struct harness *h = *state;
        struct metainfo metainfo = make_metainfo(SIZE);

        create_with(h, metainfo.info, true, NULL, 0);
        harness_finish(h, harness_request(h, 0), ENGINE_FAILED, ERROR_HTTP_STATUS, true);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSIENT_ERROR);
        metainfo_done(&metainfo);
}

static void without_hashes_an_optional_check_is_left_out_and_that_is_said(void **state) {
        struct harness *h = *state;
        struct metainfo metainfo = make_metainfo(SIZE);

        create_with(h, metainfo.info, false, NULL, 0);
        harness_finish(h, harness_request(h, 0), ENGINE_FAILED, ERROR_HTTP_STATUS, false);
        harness_pump(h);
        assert_string_equal(harness_request(h, 0)->url, "http://origin/f");
        harness_serve(h, harness_request(h, 0), SIZE);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(the_file(h)->integrity, FILE_INTEGRITY_UNAVAILABLE);
        metainfo_done(&metainfo);
}

static void a_mandatory_check_without_an_info_is_an_error(void **state) {
        struct harness *h = *state;

        create_with(h, NULL, true, NULL, 0);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_INTEGRITY_UNSPECIFIED);
}

static void forged_hashes_are_not_believed(void **state) {
        struct harness *h = *state;
        struct metainfo metainfo = make_metainfo(SIZE), other = make_metainfo(SIZE - 1);

        create_with(h, metainfo.info, true, NULL, 0);
        harness_serve_bytes(h, harness_request(h, 0), other.text, other.size);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_METAINFO_DIGEST);
        metainfo_done(&metainfo);
        metainfo_done(&other);
}

static void hashes_of_a_file_of_another_size_are_of_no_use(void **state) {
        for (unsigned mandatory = 0; mandatory < 2; mandatory++) {
                struct harness *h = *state;

                begin(h, mandatory);
                harness_metadata(h, harness_request(h, 0), SIZE - 1, "\"v1\"");
                harness_pump(h);
                if (mandatory) {
                        assert_int_equal(harness_job(h)->state, JOB_ERROR);
                        assert_int_equal(harness_job(h)->error.code, ERROR_METAINFO_FILE_SIZE);
                        continue;
                }
                harness_write(h, harness_request(h, 0), 0, SIZE - 1);
                harness_finish(h, harness_request(h, 0), ENGINE_DONE, ERROR_NONE, false);
                harness_pump(h);
                assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
                assert_int_equal(the_file(h)->integrity, FILE_INTEGRITY_UNAVAILABLE);
                assert_int_equal(harness_call(h, manager_cancel_job), 0);
        }
}

/* As the engine does: a file of another size than stated is refused before a byte of it comes. */
static void answer_with_size(struct harness *h, struct fake_request *r, uint64_t size) {
        if (r->stated_size != ENGINE_SIZE_UNKNOWN && r->stated_size != size)
                harness_finish(h, r, ENGINE_FAILED, ERROR_SIZE_MISMATCH, false);
        else
                harness_metadata(h, r, size, "\"old\"");
        harness_pump(h);
}

/* Mandatory or not: what an old copy says is no reason to give up the hashes, or the file. */
static void a_cache_server_with_a_file_of_another_size_lies_and_the_hashes_stay(void **state) {
        for (unsigned mandatory = 0; mandatory < 2; mandatory++) {
                struct metainfo metainfo = make_metainfo(SIZE);
                struct harness *h;

                harness_teardown(state);
                harness_setup(state);
                h = *state;
                h->limits.cache_hosts = "cache";
                harness_restart(h);
                create_with(h, metainfo.info, mandatory, NULL, 0);
                harness_serve_bytes(h, harness_request(h, 0), metainfo.text, metainfo.size);
                assert_string_equal(harness_request(h, 0)->url, "http://cache/f?cacheHostOrigin=origin");
                answer_with_size(h, harness_request(h, 0), SIZE - 1);
                assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
                assert_true(job_host_lied(harness_job(h), "cache"));
                assert_string_equal(harness_request(h, 0)->url, "http://origin/f");
                assert_int_equal(harness_request(h, 0)->stated_size, ENGINE_SIZE_UNKNOWN); /* it knows its own file */
                harness_serve(h, harness_request(h, 0), SIZE);
                assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
                assert_int_equal(the_file(h)->integrity, FILE_INTEGRITY_VERIFIED);
                metainfo_done(&metainfo);
        }
}

/* No byte of the other file was kept: it may be right by now. */
static void after_hashes_of_another_size_a_resume_asks_the_server_again(void **state) {
        struct harness *h = *state;
        struct metainfo metainfo = make_metainfo(SIZE);

        begin(h, true);
        harness_metadata(h, harness_request(h, 0), SIZE - 1, "\"v1\"");
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        harness_serve_bytes(h, harness_request(h, 0), metainfo.text, metainfo.size);
        assert_string_equal(harness_request(h, 0)->url, "http://origin/f");
        harness_serve(h, harness_request(h, 0), SIZE);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(the_file(h)->integrity, FILE_INTEGRITY_VERIFIED);
        metainfo_done(&metainfo);
}

static void only_whole_pieces_inside_a_range_are_judged(void **state) {
        static const struct byte_range ranges[] = { { 3 * PIECE - 10, PIECE + 20 }, { 0, PIECE } };
        struct harness *h = *state;
        struct metainfo metainfo = make_metainfo(SIZE);
        struct fake_request *r;

        create_with(h, metainfo.info, false, ranges, ELEMENTSOF(ranges));
        harness_serve_bytes(h, harness_request(h, 0), metainfo.text, metainfo.size);
        r = harness_request(h, 0);
        harness_metadata(h, r, SIZE, "\"v1\"");
        /* Local [10, 10 + PIECE) is piece 3, the last PIECE bytes are piece 0. The fake writes by local position: both are bad. */
        harness_write(h, r, 0, 2 * PIECE + 20);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        r = harness_request(h, 0);
        assert_int_equal(r->n_pieces, 2);
        assert_int_equal(r->pieces[0].remote_offset, 3 * PIECE);
        assert_int_equal(r->pieces[0].length, PIECE);
        assert_int_equal(r->pieces[0].local_offset, 10);
        assert_int_equal(r->pieces[1].remote_offset, 0);
        assert_int_equal(r->pieces[1].length, PIECE);
        metainfo_done(&metainfo);
}

static void a_mandatory_check_refuses_ranges_that_cut_pieces(void **state) {
        static const struct byte_range cut = { 1, PIECE }, whole = { PIECE, 2 * PIECE };
        struct harness *h = *state;
        struct metainfo metainfo = make_metainfo(SIZE);

        create_with(h, metainfo.info, true, &cut, 1);
        harness_serve_bytes(h, harness_request(h, 0), metainfo.text, metainfo.size);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_INTEGRITY_UNAVAILABLE);
        assert_int_equal(harness_call(h, manager_cancel_job), 0);
        create_with(h, metainfo.info, true, &whole, 1);
        harness_serve_bytes(h, harness_request(h, 0), metainfo.text, metainfo.size);
        assert_string_equal(harness_request(h, 0)->url, "http://origin/f");
        metainfo_done(&metainfo);
}

static void bad_texts_are_refused_before_anything_is_made(void **state) {
        _cleanup_free_ char *path = strdup(harness_path(*state, "f"));
        struct manager_file_spec file = {
                .file = { .url = "http://origin/f", .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0644, .integrity_info = "{}" },
        };
        struct manager_create_request request = {
                .family = JOB_FAMILY_DO, .name = "f", .priority = -1, .replace = -1, .remote_time = -1, .no_progress_timeout_s = -1,
                .minimum_retry_delay_s = -1, .notify_flags = -1, .files = &file, .n_files = 1,
        };

        assert_int_equal(harness_create_with(*state, &request), ERROR_INVALID_ARGUMENT);
        file.file.integrity_info = "{\"PiecesHashFileUrl\":\"file:///etc/passwd\","
                                   "\"HashOfHashes\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}";
        assert_int_equal(harness_create_with(*state, &request), ERROR_PROTOCOL_NOT_AVAILABLE);
        file.file.integrity_info = NULL;
        file.file.decryption_info = "{}";
        assert_int_equal(harness_create_with(*state, &request), ERROR_INVALID_ARGUMENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(the_hashes_come_first_and_the_pieces_are_judged_by_them),
                TEST(a_bad_piece_is_fetched_again_and_nothing_else),
                TEST(a_mirror_that_sends_a_bad_piece_is_left_for_the_next),
                TEST(a_bad_piece_of_two_sources_is_no_lie_of_the_one_that_ended_it),
                TEST(a_piece_that_stays_bad_ends_in_an_error),
                TEST(what_is_not_judged_is_never_durable),
                TEST(after_a_crash_it_goes_on_with_what_was_judged),
                TEST(what_goes_bad_later_is_found_at_the_end),
                TEST(without_hashes_a_mandatory_check_is_an_error),
                TEST(what_may_pass_is_waited_for_when_the_check_is_mandatory),
                TEST(without_hashes_an_optional_check_is_left_out_and_that_is_said),
                TEST(a_mandatory_check_without_an_info_is_an_error),
                TEST(forged_hashes_are_not_believed),
                TEST(hashes_of_a_file_of_another_size_are_of_no_use),
                TEST(a_cache_server_with_a_file_of_another_size_lies_and_the_hashes_stay),
                TEST(after_hashes_of_another_size_a_resume_asks_the_server_again),
                TEST(only_whole_pieces_inside_a_range_are_judged),
                TEST(a_mandatory_check_refuses_ranges_that_cut_pieces),
                TEST(bad_texts_are_refused_before_anything_is_made),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
