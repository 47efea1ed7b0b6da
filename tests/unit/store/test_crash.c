/* A process that is killed between two of its instructions: what it was told to be durable is there, whole. */
#include "fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fds.h"
#include "store/sqlite_store.h"

#define N_ROUNDS 12
#define N_FILES 5
#define N_IN_FLIGHT 16

static char *folder;

static int set_up(void **state _unused_) {
        folder = folder_new();
        return 0;
}

static int tear_down(void **state _unused_) {
        folder_remove(folder);
        return 0;
}

struct writer {
        struct store *store;
        int pipe_fd;
        unsigned next;
        struct job *counter[2]; /* both carry the same number: a batch is there whole or not at all */
};

struct writer_ticket {
        struct writer *writer;
        unsigned number;
};

static void submit_next(struct writer *writer);

static void acknowledge(int error, void *userdata) {
        struct writer_ticket *ticket = userdata;
        struct writer *writer = ticket->writer;

        if (error < 0 || fd_write_all(writer->pipe_fd, &ticket->number, sizeof(ticket->number)) < 0)
                _exit(3);
        free(ticket);
        submit_next(writer);
}

static void submit_next(struct writer *writer) {
        struct writer_ticket *ticket = malloc(sizeof(*ticket));
        struct job *job = sample_job(1000 + writer->next, SAMPLE_DISTINCT, N_FILES);
        struct store_batch *batch = batch_of(job);

        for (size_t i = 0; i < ELEMENTSOF(writer->counter); i++) {
                writer->counter[i]->error_count = writer->next;
                if (store_batch_save_job(batch, writer->counter[i]) < 0)
                        _exit(4);
        }
        *ticket = (struct writer_ticket) { writer, writer->next++ };
        if (store_commit(writer->store, batch, acknowledge, ticket) < 0)
                _exit(5);
        job_free(job);
}

static void write_until_killed(unsigned first, int pipe_fd) {
        struct writer writer = {
                .store = open_sqlite_unclean(folder),
                .pipe_fd = pipe_fd,
                .next = first,
                .counter = { sample_job(1, SAMPLE_NEW, 0), sample_job(2, SAMPLE_NEW, 0) },
        };

        for (unsigned i = 0; i < N_IN_FLIGHT; i++)
                submit_next(&writer);
        for (;;)
                store_wait(writer.store);
}

/* Return: the number after the last one that was acknowledged. */
static unsigned run_and_kill(unsigned first, unsigned n_wanted) {
        unsigned number, next = first;
        int fds[2], status;
        pid_t pid;

        assert_int_equal(pipe(fds), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                fd_close(fds[0]);
                write_until_killed(first, fds[1]);
                _exit(6);
        }
        fd_close(fds[1]);
        while (n_wanted > 0 && fd_read_all(fds[0], &number, sizeof(number)) == sizeof(number)) {
                assert_int_equal(number, next);
                next++;
                n_wanted--;
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        /* What it had told us before it died counts too. */
        while (fd_read_all(fds[0], &number, sizeof(number)) == sizeof(number)) {
                assert_int_equal(number, next);
                next++;
        }
        fd_close(fds[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        return next;
}

/* Return: one after the newest that is there. */
static unsigned check_everything(unsigned n_acknowledged) {
        struct store *store = open_sqlite_unclean(folder);
        struct job *counters[2];
        struct content content;
        unsigned n_numbered;

        assert_int_equal(content_load(store, &content), 0);
        for (size_t i = 0; i < 2; i++) {
                struct guid id = sample_id((unsigned) i + 1);

                counters[i] = content_find(&content, &id);
                assert_non_null(counters[i]);
        }
        assert_int_equal(counters[0]->error_count, counters[1]->error_count);
        n_numbered = (unsigned) content.n_jobs - 2;
        assert_true(n_numbered >= n_acknowledged);
        assert_int_equal(counters[0]->error_count, n_numbered - 1);
        for (size_t i = 0, number = 0; i < content.n_jobs; i++) {
                struct job *expected;

                if (content.jobs[i] == counters[0] || content.jobs[i] == counters[1])
                        continue;
                expected = sample_job(1000 + (unsigned) number++, SAMPLE_DISTINCT, N_FILES);
                assert_jobs_equal(content.jobs[i], expected);
                job_free(expected);
        }
        content_done(&content);
        store_free(store);
        return n_numbered;
}

static void what_was_acknowledged_survives_a_kill(void **state _unused_) {
        _cleanup_free_ char *integrity = NULL;
        unsigned next = 0;

        for (unsigned round = 0; round < N_ROUNDS; round++)
                next = check_everything(run_and_kill(next, 1 + round * 7));
        integrity = raw_query(folder, "PRAGMA integrity_check");
        assert_string_equal(integrity, "ok");
        assert_true(next > N_ROUNDS);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_was_acknowledged_survives_a_kill, set_up, tear_down),
        };

        return cmocka_run_group_tests_name("store crash", tests, NULL, NULL);
}
