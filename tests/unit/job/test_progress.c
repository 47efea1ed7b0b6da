#include "jobs.h"

static int make_durable(struct job_file *file, uint64_t start, uint64_t end) {
        struct intervals synced = {};
        int r;

        assert_int_equal(intervals_add(&synced, start, end), 0);
        r = job_file_durable(file, &synced);
        intervals_done(&synced);
        return r;
}

static void bytes_are_counted_once(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *a = add_file(job, "a", NULL, 0), *b = add_file(job, "b", NULL, 0);

        assert_int_equal(job_file_received(a, 0, 100), 0);
        assert_int_equal(job_file_received(a, 50, 150), 0);
        assert_int_equal(job_file_received(b, 10, 20), 0);
        assert_int_equal(job->bytes_received, 160);
        assert_int_equal(job->bytes_durable, 0);
        assert_int_equal(make_durable(a, 0, 120), 0);
        assert_int_equal(job->bytes_durable, 120);
        assert_int_equal(job->bytes_received, 160);
        assert_int_equal(make_durable(b, 0, 30), 0); /* durable is received, said or not */
        assert_int_equal(job->bytes_received, 180);
        assert_int_equal(job->bytes_durable, 150);
        assert_int_equal(job_file_received(a, 7, 7), 0);
        assert_int_equal(job->bytes_received, 180);
}

static void what_was_not_durable_can_be_forgotten(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *file = add_file(job, "a", NULL, 0);

        assert_int_equal(job_file_received(file, 0, 100), 0);
        assert_int_equal(make_durable(file, 0, 40), 0);
        assert_int_equal(job_file_forget_received(file), 0);
        assert_int_equal(job->bytes_received, 40);
        assert_int_equal(job->bytes_durable, 40);
        assert_true(intervals_equal(&file->received, &file->durable));
}

static void bytes_that_are_wrong_are_missing_again(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *file = add_file(job, "a", NULL, 0);
        struct file_piece missing[2];

        assert_int_equal(job_file_set_remote_size(file, 100), 0);
        assert_int_equal(job_file_received(file, 0, 100), 0);
        assert_int_equal(make_durable(file, 0, 40), 0);
        assert_int_equal(job_file_forget_range(file, 30, 50), 0);
        assert_int_equal(job->bytes_received, 80);
        assert_int_equal(job->bytes_durable, 30);
        assert_int_equal(job_file_missing(file, missing, 2), 1);
        assert_int_equal(missing[0].remote_offset, 30);
        assert_int_equal(missing[0].length, 20);
}

static void positions_outside_the_file_are_refused(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *file = add_file(job, "a", NULL, 0);

        assert_int_equal(job_file_received(file, 5, 4), -EINVAL);
        assert_int_equal(job_file_received(file, 0, LIMIT_FILE_SIZE + 1), ERROR_TOO_LARGE);
        assert_int_equal(job_file_received(file, UINT64_MAX - 1, UINT64_MAX), ERROR_TOO_LARGE);
        assert_int_equal(job_file_set_remote_size(file, 100), 0);
        assert_int_equal(job_file_received(file, 0, 101), ERROR_INVALID_RESPONSE);
        assert_int_equal(make_durable(file, 99, 101), ERROR_INVALID_RESPONSE);
        assert_int_equal(job->bytes_received, 0);
        assert_int_equal(job_file_received(file, 0, 100), 0);
        assert_true(job_file_is_filled(file));
}

static void sums_do_not_overflow(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        char name[16];

        for (unsigned i = 0; i < 5; i++) {
                struct job_file *file;

                snprintf(name, sizeof(name), "%u", i);
                file = add_file(job, name, NULL, 0);
                assert_int_equal(job_file_set_remote_size(file, LIMIT_FILE_SIZE), 0);
                if (i < 3)
                        assert_int_equal(job_file_received(file, 0, LIMIT_FILE_SIZE), 0);
        }
        assert_int_equal(job->bytes_received, 3 * LIMIT_FILE_SIZE);
        assert_int_equal(job_file_received(job->files[3], 0, LIMIT_FILE_SIZE), -EOVERFLOW);
        assert_int_equal(job->bytes_received, 3 * LIMIT_FILE_SIZE);
        assert_int_equal(job->files[3]->received.n_items, 0);
        assert_true(job_bytes_total(job) == SIZE_UNKNOWN); /* it sticks, it does not wrap */
}

static void the_total_is_unknown_while_one_size_is(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_BITS);
        struct job_file *a = add_file(job, "a", NULL, 0), *b = add_file(job, "b", NULL, 0);

        assert_true(job_bytes_total(job) == SIZE_UNKNOWN);
        assert_int_equal(job_file_set_remote_size(a, 10), 0);
        assert_true(job_bytes_total(job) == SIZE_UNKNOWN);
        assert_int_equal(job_file_set_remote_size(b, 0), 0);
        assert_int_equal(job_bytes_total(job), 10);
        assert_true(job_file_is_filled(b)); /* an empty file is full */
        assert_false(job_file_is_filled(a));
}

static void the_size_of_ranges_comes_from_the_remote_size(void **state _unused_) {
        static const struct {
                struct byte_range ranges[2];
                uint64_t remote_size;
                int result;
                uint64_t size;
        } rows[] = {
                { { { 12, 5 }, { 2, 4 } }, 17, 0, 9 },
                { { { 12, 5 }, { 2, 4 } }, 16, ERROR_INVALID_RANGE, 9 },
                { { { 12, TO_EOF }, { 2, 4 } }, 20, 0, 12 },
                { { { 12, TO_EOF }, { 2, 4 } }, 13, 0, 5 },
                { { { 12, TO_EOF }, { 2, 4 } }, 12, ERROR_INVALID_RANGE, SIZE_UNKNOWN }, /* nothing of it is there */
                { { { 0, TO_EOF } }, LIMIT_FILE_SIZE, 0, LIMIT_FILE_SIZE },
                { { { 0, TO_EOF } }, LIMIT_FILE_SIZE + 1, ERROR_TOO_LARGE, SIZE_UNKNOWN },
                { { { 0, 1 } }, 0, ERROR_INVALID_RANGE, 1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
                struct job_file *file = add_file(job, "a", rows[i].ranges, rows[i].ranges[1].length > 0 ? 2 : 1);

                assert_int_equal(job_file_set_remote_size(file, rows[i].remote_size), rows[i].result);
                assert_true(file->size == rows[i].size);
                assert_true(file->remote_size == (rows[i].result ? SIZE_UNKNOWN : rows[i].remote_size));
        }
}

static void a_remote_file_that_shrank_below_what_was_received_has_changed(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *file = add_file(job, "a", NULL, 0);

        assert_int_equal(job_file_received(file, 0, 50), 0);
        assert_int_equal(job_file_set_remote_size(file, 49), ERROR_REMOTE_FILE_CHANGED);
        assert_true(file->size == SIZE_UNKNOWN);
        assert_int_equal(job_file_set_remote_size(file, 50), 0);
        assert_true(job_file_is_filled(file));
}

static void a_reset_file_starts_from_nothing(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        static const struct byte_range ranges[] = { { 5, 10 } };
        struct job_file *file = add_file(job, "a", ranges, 1), *other = add_file(job, "b", NULL, 0);

        assert_int_equal(job_file_received(other, 0, 3), 0);
        assert_int_equal(job_file_set_remote_size(file, 100), 0);
        assert_int_equal(make_durable(file, 0, 10), 0);
        strcpy(file->temp_name, ".dosvc-x.part");
        file->temp.ino = 7;
        file->directory.ino = 8;
        file->remote_time_usec = T0;
        file->length_unverified = true;
        assert_int_equal(strdup_to(&file->validators.etag, "\"1\""), 0);
        job_file_set_state(file, FILE_TRANSFERRED);
        assert_int_equal(job->n_files_transferred, 1);

        job_file_reset(file);
        assert_int_equal(job->bytes_received, 3);
        assert_int_equal(job->bytes_durable, 0);
        assert_int_equal(job->n_files_transferred, 0);
        assert_int_equal(file->state, FILE_PENDING);
        assert_string_equal(file->temp_name, "");
        assert_int_equal(file->temp.ino, 0);
        assert_int_equal(file->directory.ino, 8); /* the directory is still the same */
        assert_null(file->validators.etag);
        assert_true(file->remote_size == SIZE_UNKNOWN);
        assert_int_equal(file->size, 10); /* the ranges were not thrown away */
        assert_int_equal(file->remote_time_usec, 0);
        assert_false(file->length_unverified);
        file->n_restarts = 1;
        job_file_set_state(file, FILE_TRANSFERRED);
        assert_int_equal(file->n_restarts, 0);
}

static void a_job_is_complete_when_all_its_files_are(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *a = add_file(job, "a", NULL, 0), *b = add_file(job, "b", NULL, 0);

        assert_false(job_is_complete(job));
        job_file_set_state(a, FILE_TRANSFERRED);
        assert_false(job_is_complete(job));
        job_file_set_state(b, FILE_TRANSFERRED);
        assert_true(job_is_complete(job));
        job_file_set_state(a, FILE_PUBLISHED);
        assert_int_equal(job->n_files_transferred, 2);
        job_file_set_state(b, FILE_DISCARDED);
        assert_int_equal(job->n_files_transferred, 1);
        add_file(job, "c", NULL, 0);
        assert_false(job_is_complete(job));
}

/* ---- missing ---- */

static void assert_pieces(const struct job_file *file, const struct file_piece *expected, size_t n) {
        struct file_piece pieces[8];

        assert_int_equal(job_file_missing(file, pieces, ELEMENTSOF(pieces)), n);
        for (size_t i = 0; i < n; i++) {
                assert_true(pieces[i].remote_offset == expected[i].remote_offset);
                assert_true(pieces[i].length == expected[i].length);
                assert_true(pieces[i].local_offset == expected[i].local_offset);
        }
}
#define PIECES(file, ...)                                                                     \
        do {                                                                                  \
                struct file_piece list[] = { __VA_ARGS__ };                                   \
                assert_pieces(file, list, ELEMENTSOF(list));                                  \
        } while (0)

static void a_whole_file_misses_its_gaps(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *file = add_file(job, "a", NULL, 0);

        PIECES(file, { 0, TO_EOF, 0 });
        assert_int_equal(job_file_received(file, 0, 10), 0);
        assert_int_equal(job_file_received(file, 20, 30), 0);
        PIECES(file, { 10, 10, 10 }, { 30, TO_EOF, 30 });
        assert_int_equal(job_file_set_remote_size(file, 100), 0);
        PIECES(file, { 10, 10, 10 }, { 30, 70, 30 });
        assert_int_equal(job_file_received(file, 10, 100), 0);
        assert_pieces(file, NULL, 0);
}

static void ranges_are_mapped_in_the_callers_order(void **state _unused_) {
        static const struct byte_range ranges[] = { { 12, 5 }, { 2, 4 } };
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *file = add_file(job, "a", ranges, 2);

        PIECES(file, { 12, 5, 0 }, { 2, 4, 5 });
        assert_int_equal(job_file_received(file, 3, 7), 0); /* across the seam */
        PIECES(file, { 12, 3, 0 }, { 4, 2, 7 });
        assert_int_equal(job_file_received(file, 0, 9), 0);
        assert_pieces(file, NULL, 0);
        assert_true(job_file_is_filled(file));
}

static void behind_an_open_range_nothing_is_known_before_the_size_is(void **state _unused_) {
        static const struct byte_range ranges[] = { { 0, 4 }, { 12, TO_EOF }, { 5, 2 } };
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *file = add_file(job, "a", ranges, 3);

        PIECES(file, { 0, 4, 0 }, { 12, TO_EOF, 4 });
        assert_int_equal(job_file_received(file, 0, 6), 0);
        PIECES(file, { 14, TO_EOF, 6 });
        assert_int_equal(job_file_set_remote_size(file, 20), 0);
        assert_int_equal(file->size, 14);
        PIECES(file, { 14, 6, 6 }, { 5, 2, 12 });
}

static void all_are_counted_even_where_there_is_no_room(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *file = add_file(job, "a", NULL, 0);
        struct file_piece piece = {};

        for (uint64_t i = 0; i < 10; i++)
                assert_int_equal(job_file_received(file, 10 * i, 10 * i + 5), 0);
        assert_int_equal(job_file_missing(file, &piece, 1), 10);
        assert_int_equal(piece.remote_offset, 5);
        assert_int_equal(job_file_missing(file, NULL, 0), 10);
}

static void a_finished_file_misses_nothing(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *file = add_file(job, "a", NULL, 0);

        job_file_set_state(file, FILE_DISCARDED);
        assert_pieces(file, NULL, 0);
        job_file_set_state(file, FILE_TRANSFERRED);
        assert_pieces(file, NULL, 0);
        job_file_set_state(file, FILE_PENDING);
        PIECES(file, { 0, TO_EOF, 0 });
}

/* Fetches every missing piece in random bites from a remote file and compares with the plain concatenation. */
static void fetching_what_is_missing_makes_the_right_file(void **state _unused_) {
        enum { REMOTE = 200 };
        unsigned seed = 3;

        for (unsigned round = 0; round < 300; round++) {
                _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
                struct byte_range ranges[8], swap;
                uint8_t expected[REMOTE], local[REMOTE] = {};
                size_t n = 0, size = 0;
                struct job_file *file;
                struct file_piece piece;

                for (uint64_t at = (uint64_t)(rand_r(&seed) % 20); n < ELEMENTSOF(ranges);) {
                        uint64_t length = 1 + (uint64_t)(rand_r(&seed) % 30);

                        if (at + length > REMOTE)
                                break;
                        ranges[n++] = (struct byte_range) { at, length };
                        at += length + (uint64_t)(rand_r(&seed) % 10);
                }
                if (rand_r(&seed) % 2) /* the one furthest behind may be open */
                        ranges[n - 1].length = TO_EOF;
                for (size_t i = 0; i < n; i++) {
                        size_t other = (size_t) rand_r(&seed) % n;

                        swap = ranges[i];
                        ranges[i] = ranges[other];
                        ranges[other] = swap;
                }
                for (size_t i = 0; i < n; i++)
                        for (uint64_t p = 0; p < MIN(ranges[i].length, REMOTE - ranges[i].offset); p++)
                                expected[size++] = (uint8_t)(ranges[i].offset + p);

                file = add_file(job, "a", ranges, n);
                for (unsigned bites = 0; job_file_missing(file, &piece, 1) > 0; bites++) {
                        uint64_t bite = MIN(piece.length, REMOTE - piece.remote_offset);

                        assert_true(bite > 0 && bites < REMOTE + 2);
                        bite = 1 + (uint64_t) rand_r(&seed) % bite;
                        if (bites == 1) /* as learnt from the first answer */
                                assert_int_equal(job_file_set_remote_size(file, REMOTE), 0);
                        for (uint64_t p = 0; p < bite; p++)
                                local[piece.local_offset + p] = (uint8_t)(piece.remote_offset + p);
                        assert_int_equal(job_file_received(file, piece.local_offset, piece.local_offset + bite), 0);
                        if (bites == 0)
                                assert_int_equal(job_file_set_remote_size(file, REMOTE), 0);
                }
                assert_true(job_file_is_filled(file));
                assert_int_equal(file->size, size);
                assert_int_equal(job->bytes_received, size);
                assert_memory_equal(local, expected, size);
        }
}

/* ---- loading ---- */

static void a_loaded_job_is_summed_up(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *a, *b;

        bring_to(job, JOB_TRANSFERRING, T0 + 3);
        job->waiting_since_usec = T0 + 3;
        assert_int_equal(job_new_file(job, &a), 0);
        assert_int_equal(job_new_file(job, &b), 0);
        a->state = FILE_TRANSFERRED;
        a->size = 100;
        assert_int_equal(intervals_add(&a->durable, 0, 100), 0);
        b->size = 50;
        assert_int_equal(intervals_add(&b->durable, 10, 20), 0);
        assert_int_equal(job_loaded(job), 0);
        assert_int_equal(job->state, JOB_QUEUED);
        assert_int_equal(job->waiting, WAITING_SLOT);
        assert_int_equal(job->bytes_durable, 110);
        assert_int_equal(job->bytes_received, 110);
        assert_int_equal(job->n_files_transferred, 1);
        assert_int_equal(job_bytes_total(job), 150);
        assert_int_equal(intervals_total(&b->received), 10);
        assert_int_equal(job->modified_usec, T0 + 3); /* loading is no modification: Resume was the last */
}

static void loading_keeps_every_other_state(void **state _unused_) {
        FOREACH_STATE(s) {
                _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_BITS);
                uint32_t due;

                bring_to(job, s, T0);
                due = job->notify_due;
                job->waiting = WAITING_NONE; /* a store need not keep it */
                assert_int_equal(job_loaded(job), 0);
                assert_int_equal(job->state, s == JOB_TRANSFERRING ? JOB_QUEUED : s);
                assert_int_equal(job->notify_due, due);
                assert_int_equal(job->waiting == WAITING_NONE, job_state_is_final(s));
        }
}

static void rows_that_contradict_each_other_are_refused(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_BITS);
        struct job_file *file;

        assert_int_equal(job_new_file(job, &file), 0);
        file->size = 5;
        assert_int_equal(intervals_add(&file->durable, 0, 6), 0);
        assert_int_equal(job_loaded(job), -EBADMSG);
        file->size = SIZE_UNKNOWN;
        assert_int_equal(job_loaded(job), 0);
        job->state = JOB_CONNECTING;
        assert_int_equal(job_loaded(job), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bytes_are_counted_once),
                cmocka_unit_test(what_was_not_durable_can_be_forgotten),
                cmocka_unit_test(bytes_that_are_wrong_are_missing_again),
                cmocka_unit_test(positions_outside_the_file_are_refused),
                cmocka_unit_test(sums_do_not_overflow),
                cmocka_unit_test(the_total_is_unknown_while_one_size_is),
                cmocka_unit_test(the_size_of_ranges_comes_from_the_remote_size),
                cmocka_unit_test(a_remote_file_that_shrank_below_what_was_received_has_changed),
                cmocka_unit_test(a_reset_file_starts_from_nothing),
                cmocka_unit_test(a_job_is_complete_when_all_its_files_are),
                cmocka_unit_test(a_whole_file_misses_its_gaps),
                cmocka_unit_test(ranges_are_mapped_in_the_callers_order),
                cmocka_unit_test(behind_an_open_range_nothing_is_known_before_the_size_is),
                cmocka_unit_test(all_are_counted_even_where_there_is_no_room),
                cmocka_unit_test(a_finished_file_misses_nothing),
                cmocka_unit_test(fetching_what_is_missing_makes_the_right_file),
                cmocka_unit_test(a_loaded_job_is_summed_up),
                cmocka_unit_test(loading_keeps_every_other_state),
                cmocka_unit_test(rows_that_contradict_each_other_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
