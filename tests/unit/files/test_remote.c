/* The owner role in another process: what happens when it dies, lies, or never comes. Here the test itself is the process. */
#include "fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "files/parcel.h"
#include "files/remote.h"
#include "files/wire.h"

#define TEMP_NAME ".dosvc-AAAAAAAAAAAAAAAAAAAAAA.part"
#define PROCESSES_MAX 16

struct world {
        struct files *files;
        struct clock_fake clock;
        int fds[PROCESSES_MAX]; /* of each process that was asked for; -1: was closed */
        size_t n_spawned;
        bool refuse;            /* closes them at once */
        struct ipc_channel *process; /* the newest one, as we play it */
        unsigned n_told;
        int error;
        struct files_handle *handle;
};

static int spawn(void *userdata, int fd) {
        struct world *w = userdata;

        assert_true(w->n_spawned < PROCESSES_MAX);
        w->fds[w->n_spawned++] = fd;
        if (w->refuse)
                fd_close(fd);
        return 0;
}

static int setup(void **state) {
        struct world *w = calloc(1, sizeof(*w));
        const struct files_remote_config config = { .spawn = spawn, .userdata = w, .idle_usec = USEC_INFINITY };

        assert_non_null(w);
        clock_fake_init(&w->clock, USEC_PER_DAY);
        assert_int_equal(files_new_remote(&config, &w->clock.clock, &w->files), 0);
        *state = w;
        return 0;
}

static int teardown(void **state) {
        struct world *w = *state;

        if (w->handle)
                files_close(w->files, w->handle);
        files_free(w->files, USEC_INFINITY);
        ipc_channel_free(w->process);
        free(w);
        return 0;
}

/* ---- playing the process ---- */

/* The newest process says hello. */
static void process_comes(struct world *w) {
        files_dispatch(w->files);
        w->process = ipc_channel_free(w->process);
        assert_true(w->n_spawned > 0);
        assert_int_equal(ipc_channel_new(w->fds[w->n_spawned - 1], IPC_ROLE_OWNER, IPC_ROLE_CORE, &w->process), 0);
        assert_int_equal(ipc_channel_flush(w->process), 0);
        files_dispatch(w->files);
}

static void process_dies(struct world *w) {
        w->process = ipc_channel_free(w->process);
        files_dispatch(w->files);
}

/* The next call, which must be of this kind. */
static uint64_t process_hears(struct world *w, enum wire_kind kind) {
        struct ipc_message message;
        struct wire_call call;
        struct parcel parcel;
        uint64_t id;
        int fd;

        files_dispatch(w->files);
        do
                assert_int_equal(ipc_channel_receive(w->process, &message, &fd), 1);
        while (message.type == IPC_HELLO || message.type == IPC_SETUP);
        assert_int_equal(parcel_open(&message, &fd, &parcel), 0);
        assert_int_equal(wire_call_decode(parcel.bytes, parcel.size, &call), 0);
        assert_int_equal(call.kind, kind);
        id = parcel.id;
        wire_call_done(&call);
        parcel_done(&parcel);
        return id;
}

static void process_says(struct world *w, uint64_t id, const struct wire_answer *answer, int fd) {
        uint8_t *bytes;
        size_t size;

        assert_int_equal(wire_answer_encode(answer, &bytes, &size), 0);
        assert_int_equal(parcel_send(w->process, PARCEL_ANSWER, id, bytes, size, fd, false), 0);
        assert_int_equal(ipc_channel_flush(w->process), 0);
        free(bytes);
        files_dispatch(w->files);
}

static bool process_was_left(struct world *w) {
        struct ipc_message message;
        int fd, r;

        do
                r = ipc_channel_receive(w->process, &message, &fd);
        while (r > 0);
        return r == -ECONNRESET;
}

/* ---- asking ---- */

static void on_check(const struct files_check_result *result, void *userdata) {
        struct world *w = userdata;

        w->n_told++;
        w->error = result->error;
}

static void on_done(int error, void *userdata) {
        struct world *w = userdata;

        w->n_told++;
        w->error = error;
}

static void on_open(const struct files_open_result *result, void *userdata) {
        struct world *w = userdata;

        w->n_told++;
        w->error = result->error;
        w->handle = result->handle;
}

static void on_verify(int error, const bool *bad, size_t n, void *userdata) {
        struct world *w = userdata;

        w->n_told++;
        w->error = error;
        assert_non_null(bad);
        for (size_t i = 0; i < n; i++)
                assert_false(bad[i]);
}

static void ask_check(struct world *w) {
        const struct files_check_request request = { .path = "/somewhere/file", .size = FILES_SIZE_UNKNOWN };

        assert_int_equal(files_check(w->files, &request, on_check, w), 0);
}

static void ask_open(struct world *w) {
        const struct files_open_request request = { .path = "/somewhere/file", .temp_name = TEMP_NAME, .create = true,
                                                    .reserve_bytes = FILES_SIZE_UNKNOWN };

        assert_int_equal(files_open(w->files, &request, on_open, w), 0);
}

static void have_handle(struct world *w) {
        int fd = memfd_create("test", MFD_CLOEXEC);

        ask_open(w);
        process_comes(w);
        process_says(w, process_hears(w, WIRE_OPEN), &(struct wire_answer) { .kind = WIRE_OPEN, .temp.ino = 7 }, fd);
        fd_close(fd);
        assert_int_equal(w->error, 0);
        assert_non_null(w->handle);
        w->n_told = 0;
}

/* ---- tests ---- */

static void nothing_is_told_before_the_loop_comes_by(void **state) {
        struct world *w = *state;

        ask_check(w);
        assert_int_equal(w->n_told, 0);
        assert_int_equal(files_outstanding(w->files), 1);
        assert_int_equal(w->n_spawned, 0);
        process_comes(w);
        process_says(w, process_hears(w, WIRE_CHECK), &(struct wire_answer) { .kind = WIRE_CHECK, .error = -EACCES }, -1);
        assert_int_equal(w->n_told, 1);
        assert_int_equal(w->error, -EACCES);
        assert_int_equal(files_outstanding(w->files), 0);
}

static void what_may_be_repeated_goes_to_the_next_process(void **state) {
        struct world *w = *state;

        ask_check(w);
        process_comes(w);
        (void) process_hears(w, WIRE_CHECK);
        process_dies(w);
        assert_int_equal(w->n_told, 0);
        process_comes(w);
        assert_int_equal(w->n_spawned, 2);
        process_says(w, process_hears(w, WIRE_CHECK), &(struct wire_answer) { .kind = WIRE_CHECK }, -1);
        assert_int_equal(w->n_told, 1);
        assert_int_equal(w->error, 0);
}

static void the_third_death_under_a_request_ends_it(void **state) {
        struct world *w = *state;

        ask_check(w);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(w->n_told, 0);
                clock_fake_advance(&w->clock, USEC_PER_MINUTE);
                process_comes(w);
                (void) process_hears(w, WIRE_CHECK);
                process_dies(w);
        }
        assert_int_equal(w->n_told, 1);
        assert_int_equal(w->error, -EOWNERDEAD);
}

static void a_process_that_never_comes_is_given_up_after_growing_delays(void **state) {
        struct world *w = *state;

        w->refuse = true;
        ask_open(w);
        for (unsigned i = 0; i < 100 && w->n_told == 0; i++) {
                files_dispatch(w->files);
                clock_fake_advance(&w->clock, 50 * USEC_PER_MSEC);
        }
        assert_int_equal(w->n_told, 1);
        assert_int_equal(w->error, -EOWNERDEAD);
        assert_int_equal(w->n_spawned, 3);
}

static void a_refusal_is_told_as_it_is(void **state) {
        struct world *w = *state;

        ask_check(w);
        files_dispatch(w->files);
        files_remote_refuse(w->files, -EPERM);
        files_dispatch(w->files);
        assert_int_equal(w->n_told, 1);
        assert_int_equal(w->error, -EPERM);
        fd_close(w->fds[0]);
}

static void the_death_of_its_process_ends_a_handle(void **state) {
        struct world *w = *state;
        struct files_piece piece = { .bytes = 1 };

        have_handle(w);
        assert_int_equal(files_checkpoint(w->files, w->handle, NULL, 0, on_done, w), 0);
        (void) process_hears(w, WIRE_CHECKPOINT);
        process_dies(w);
        assert_int_equal(w->n_told, 1);
        assert_int_equal(w->error, -EOWNERDEAD);
        /* And for ever: a new process knows nothing of it. */
        assert_int_equal(files_verify(w->files, w->handle, &piece, 1, on_verify, w), 0);
        files_dispatch(w->files);
        assert_int_equal(w->n_told, 2);
        assert_int_equal(w->error, -EOWNERDEAD);
        assert_int_equal(w->n_spawned, 1);
}

static void what_was_not_sent_does_not_die_with_a_process(void **state) {
        struct world *w = *state;

        ask_open(w);
        files_dispatch(w->files); /* asks for a process, which has not said hello */
        fd_close(w->fds[0]);
        files_dispatch(w->files);
        assert_int_equal(w->n_told, 0);
        process_comes(w);
        (void) process_hears(w, WIRE_OPEN);
}

static void an_answer_that_does_not_fit_ends_the_process(void **state) {
        struct world *w = *state;
        struct files_piece piece = { .bytes = 1 };
        bool bad[2] = {};
        uint64_t id;

        have_handle(w);
        assert_int_equal(files_verify(w->files, w->handle, &piece, 1, on_verify, w), 0);
        id = process_hears(w, WIRE_VERIFY);
        process_says(w, id, &(struct wire_answer) { .kind = WIRE_VERIFY, .bad = bad, .n_bad = 2 }, -1); /* of two pieces, not one */
        assert_true(process_was_left(w));
        assert_int_equal(w->error, -EOWNERDEAD);
}

static void an_answer_to_nothing_ends_the_process(void **state) {
        struct world *w = *state;

        have_handle(w);
        process_says(w, 4711, &(struct wire_answer) { .kind = WIRE_CHECK }, -1);
        assert_true(process_was_left(w));
}

static void a_large_answer_must_be_a_sealed_memory_file(void **state) {
        struct world *w = *state;
        int fd = memfd_create("unsealed", MFD_CLOEXEC);
        uint64_t id;

        assert_int_equal(ftruncate(fd, 100000), 0);
        ask_check(w);
        process_comes(w);
        id = process_hears(w, WIRE_CHECK);
        assert_int_equal(ipc_channel_send(w->process, &(struct ipc_message) {
                .type = IPC_ANSWER_LARGE, .call = { .id = id, .n_bytes = 100000 } }, fd), 0);
        assert_int_equal(ipc_channel_flush(w->process), 0);
        files_dispatch(w->files);
        assert_true(process_was_left(w));
        fd_close(fd);
}

static void a_checkpoint_enters_the_ledger_only_when_it_came_back_well(void **state) {
        struct world *w = *state;
        struct intervals claimed = {};

        have_handle(w);
        assert_int_equal(intervals_add(&claimed, 0, 10), 0);
        assert_int_equal(files_note_written(w->handle, 0, 10), 0);
        assert_int_equal(files_checkpoint(w->files, w->handle, NULL, 0, on_done, w), 0);
        process_says(w, process_hears(w, WIRE_CHECKPOINT), &(struct wire_answer) { .kind = WIRE_CHECKPOINT }, -1);
        assert_int_equal(w->error, 0);
        files_ledger_assert_durable(w->handle, &claimed); /* would abort */
        intervals_done(&claimed);
}

static void hashes_of_chunks_come_back_in_their_place(void **state) {
        struct world *w = *state;
        struct files_piece chunk = { .start = 5, .bytes = 3 }, answer = { .start = 5, .bytes = 3, .hash = { 1, 2, 3 } };
        uint64_t id;

        have_handle(w);
        assert_int_equal(files_checkpoint(w->files, w->handle, &chunk, 1, on_done, w), 0);
        id = process_hears(w, WIRE_CHECKPOINT);
        process_says(w, id, &(struct wire_answer) { .kind = WIRE_CHECKPOINT, .pieces = &answer, .n_pieces = 1 }, -1);
        assert_int_equal(w->error, 0);
        assert_int_equal(chunk.hash[2], 3);
        /* Of another stretch than was asked for: nobody to be believed. */
        assert_int_equal(files_checkpoint(w->files, w->handle, &chunk, 1, on_done, w), 0);
        id = process_hears(w, WIRE_CHECKPOINT);
        answer.start = 6;
        process_says(w, id, &(struct wire_answer) { .kind = WIRE_CHECKPOINT, .pieces = &answer, .n_pieces = 1 }, -1);
        assert_true(process_was_left(w));
        assert_int_equal(w->error, -EOWNERDEAD);
}

/* Runs for @usec, or until its process was told to go. */
static bool process_is_let_go_within(struct world *w, uint64_t usec) {
        uint64_t end = clock_now(&clock_system, CLOCK_ID_MONOTONIC) + usec, now;

        while ((now = clock_now(&clock_system, CLOCK_ID_MONOTONIC)) < end) {
                struct pollfd pollfd = { .fd = files_fd(w->files), .events = POLLIN };

                assert_true(poll(&pollfd, 1, (int) ((end - now) / USEC_PER_MSEC) + 1) >= 0);
                files_dispatch(w->files);
                if (process_was_left(w))
                        return true;
        }
        return false;
}

static void an_idle_process_leaves_and_another_comes_when_it_is_needed(void **state) {
        struct world *w = *state;
        const struct files_remote_config config = { .spawn = spawn, .userdata = w, .idle_usec = 50 * USEC_PER_MSEC };

        files_free(w->files, USEC_INFINITY);
        assert_int_equal(files_new_remote(&config, &clock_system, &w->files), 0);
        ask_check(w);
        process_comes(w);
        process_says(w, process_hears(w, WIRE_CHECK), &(struct wire_answer) { .kind = WIRE_CHECK }, -1);
        assert_true(process_is_let_go_within(w, 10 * USEC_PER_SEC));
        assert_int_equal(w->n_spawned, 1);
        have_handle(w);
        assert_int_equal(w->n_spawned, 2);
        assert_false(process_is_let_go_within(w, 200 * USEC_PER_MSEC)); /* a file is open */
        assert_int_equal(w->n_spawned, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(nothing_is_told_before_the_loop_comes_by),
                TEST(what_may_be_repeated_goes_to_the_next_process),
                TEST(the_third_death_under_a_request_ends_it),
                TEST(a_process_that_never_comes_is_given_up_after_growing_delays),
                TEST(a_refusal_is_told_as_it_is),
                TEST(the_death_of_its_process_ends_a_handle),
                TEST(what_was_not_sent_does_not_die_with_a_process),
                TEST(an_answer_that_does_not_fit_ends_the_process),
                TEST(an_answer_to_nothing_ends_the_process),
                TEST(a_large_answer_must_be_a_sealed_memory_file),
                TEST(a_checkpoint_enters_the_ledger_only_when_it_came_back_well),
                TEST(hashes_of_chunks_come_back_in_their_place),
                TEST(an_idle_process_leaves_and_another_comes_when_it_is_needed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
