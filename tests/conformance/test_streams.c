/* Streams where it is difficult: programs that are killed, that take their time, and content that is guarded by hashes of its pieces. */
#include <errno.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "taker.h"

#define SIZE 500000
#define PIECE 65536

/* ---- a client that is killed ---- */

/* How many windows the service and its helpers have open. */
static size_t count_windows(pid_t pid) {
        char path[64], link[1024];
        struct dirent *entry;
        size_t n = 0;
        DIR *dir;

        (void) snprintf(path, sizeof(path), "/proc/%d/fd", (int) pid);
        dir = opendir(path);
        assert_non_null(dir);
        while ((entry = readdir(dir))) {
                ssize_t length = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

                link[length > 0 ? length : 0] = 0;
                n += strstr(link, "memfd:dosvc-window") != NULL;
        }
        (void) closedir(dir);
        return n;
}

static int32_t count_one(const dosvc_job_info *info, void *userdata) {
        ++*(unsigned *) userdata;
        return 0;
}

static unsigned count_jobs(void) {
        dosvc *connection;
        unsigned n = 0;

        assert_int_equal(dosvc_open(DOSVC_CONNECT_NO_START, &connection), 0);
        assert_int_equal(dosvc_list_jobs(connection, NULL, count_one, &n), 0);
        dosvc_close(connection);
        return n;
}

/* In a process of its own. Says so when its stream has as many bytes, and then goes on, or stays in Write(). */
static void be_client(size_t at, bool blocks, int pipe) {
        struct taker *t = taker_new();
        IDODownload *d;

        t->block_at = blocks ? at : SIZE_MAX;
        d = taker_new_download("/kill?size=9000000&rate=4000000", t);
        assert_hr(download_start_all(d), S_OK);
        pthread_mutex_lock(&t->lock);
        while (blocks ? !t->blocks : t->n < at)
                pthread_cond_wait(&t->changed, &t->lock);
        pthread_mutex_unlock(&t->lock);
        assert_int_equal(write(pipe, "x", 1), 1);
        pause();
}

/* A job of the other interface: one file to a stream, one to its place. */
static void be_client_of_a_job(int pipe) {
        struct job job = job_new(&families[0]);
        struct taker *t = taker_new();
        IDeliveryOptimizationJob2 *job2;
        IDeliveryOptimizationFile2 *file2;
        IDeliveryOptimizationFile *file;
        VARIANT v = { .vt = VT_UNKNOWN, .punkVal = (IUnknown *) t };

        t->block_at = 100000;
        assert_hr(IBackgroundCopyJob_QueryInterface(job.com, &IID_IDeliveryOptimizationJob2, (void **) &job2), S_OK);
        assert_hr(IDeliveryOptimizationJob2_AddFile(job2, L"an id", origin_url("/kill?size=9000000"), 0, NULL,
                                                    &IID_IDeliveryOptimizationFile, (void **) &file),
                  S_OK);
        assert_hr(IDeliveryOptimizationFile_QueryInterface(file, &IID_IDeliveryOptimizationFile2, (void **) &file2), S_OK);
        assert_hr(IDeliveryOptimizationFile2_SetProperty(file2, DOFilePropertyId_DownloadSinkInterface, &v), S_OK);
        job_add(&job, origin_url("/beside?size=9000000&rate=1000000"), destination("beside"));
        assert_hr(IBackgroundCopyJob_SetPriority(job.com, BG_JOB_PRIORITY_FOREGROUND), S_OK);
        job_resume(&job);
        taker_wait_blocked(t);
        assert_int_equal(write(pipe, "x", 1), 1);
        pause();
}

static void run_and_kill(unsigned which) {
        int fds[2], status;
        char said;
        pid_t pid;

        assert_return_code(pipe(fds), errno);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                close(fds[0]);
                switch (which) {
                case 0:
                        be_client(0, true, fds[1]);
                        break;
                case 1:
                        be_client(300000, true, fds[1]);
                        break;
                case 2:
                        be_client(300000, false, fds[1]);
                        break;
                default:
                        be_client_of_a_job(fds[1]);
                }
                _exit(1);
        }
        close(fds[1]);
        assert_int_equal(read(fds[0], &said, 1), 1);
        close(fds[0]);
        assert_return_code(kill(pid, SIGKILL), errno);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
}

/* CONFORMS: design decision 18: a stream lives as long as its client's connection; nothing else is harmed. Not with the fake: which windows
 * the service has open is told by the kernel, and the fake's engine has them open in the same process. */
/* SENTENCES: download.stream.volatile */
static void a_client_that_is_killed_in_mid_stream_leaves_nothing_and_harms_nobody(void **state) {
        struct job job = job_in_state(&families[0], "/stays?size=600000&rate=300000", BG_JOB_STATE_TRANSFERRING, NULL);
        struct taker *t = taker_new();
        IDODownload *d = taker_new_download("/mine?size=900000", t);
        pid_t service = world_service_pid();

        t->block_at = 0;
        assert_hr(download_start_all(d), S_OK);
        taker_wait_blocked(t);
        assert_int_equal(count_windows(service), 1);
        for (unsigned which = 0; which < 4; which++) {
                run_and_kill(which);
                /* The service learns of the end and removes it; each answer is a later state. */
                for (unsigned tries = 0; tries < 10000 && count_jobs() > 2; tries++)
                        ;
                assert_int_equal(count_jobs(), 2);
                for (unsigned tries = 0; tries < 10000 && count_windows(service) > 1; tries++)
                        (void) count_jobs();
                assert_int_equal(count_windows(service), 1);
                assert_int_equal(count_parts(), 1); /* of the job that stays */
        }
        taker_allow(t);
        (void) download_wait(d, DODownloadState_Transferred);
        taker_assert_has(t, "/mine?size=900000", 900000);
        job_wait(&job, BG_JOB_STATE_TRANSFERRED);
        assert_int_equal(world_service_pid(), service);
        assert_hr(IDODownload_Finalize(d), S_OK);
        assert_int_equal(IDODownload_Release(d), 0);
        taker_done(t);
        job_done(&job);
}

/* ---- a program that takes its time ---- */

/* Longer than servers may stall here, in the middle, again and again: that is not the server's fault, and nothing is fetched twice. */
/* SENTENCES: download.stream.blocks */
static void a_stream_that_takes_seconds_is_no_error(void **state) {
        struct taker *t = taker_new();
        IDODownload *d = taker_new_download("/slow?size=30000000", t);
        uint64_t before = origin_bytes_sent();
        struct timespec pause = { .tv_sec = 2, .tv_nsec = 500000000 }; /* StallTimeout is one second: this is what is tested */
        DO_DOWNLOAD_STATUS status;

        t->block_at = 1000000;
        assert_hr(download_start_all(d), S_OK);
        for (unsigned i = 0; i < 2; i++) {
                taker_wait_blocked(t);
                (void) nanosleep(&pause, NULL);
                assert_hr(IDODownload_GetStatus(d, &status), S_OK);
                assert_int_equal(status.State, DODownloadState_Transferring);
                assert_hr(status.Error, S_OK);
                assert_hr(status.ExtendedError, S_OK);
                pthread_mutex_lock(&t->lock);
                t->block_at += 20000000;
                t->blocks = false;
                pthread_cond_broadcast(&t->changed);
                pthread_mutex_unlock(&t->lock);
        }
        taker_allow(t);
        (void) download_wait(d, DODownloadState_Transferred);
        assert_int_equal(t->n, 30000000);
        assert_int_equal(origin_bytes_sent() - before, 30000000);
        assert_hr(IDODownload_Finalize(d), S_OK);
        assert_int_equal(IDODownload_Release(d), 0);
        taker_done(t);
}

/* ---- hashes of pieces ---- */

struct guarded {
        char content[SIZE];
        char *file;  /* where they lie */
        wchar_t *info;
};

static int take_hashes(const dosvc_piece_hash_file_info *info, void *userdata) {
        struct guarded *guarded = userdata;
        const wchar_t *hashes = destination("hashes");
        char json[512];

        file_write(hashes, info->text, info->text_size);
        (void) snprintf(json, sizeof(json), "{\"file\": \"%s\"}", narrow(hashes));
        origin_case("hashes", json);
        guarded->info = (wchar_t *) widen(info->integrity_info);
        return 0;
}

/* The origin has its bytes at /c/ID/f, with those @answers (JSON). */
static struct guarded *guarded_new(const char *id, const char *answers) {
        struct guarded *guarded = calloc(1, sizeof(*guarded));
        const wchar_t *file = destination("content");
        char json[1024];

        assert_non_null(guarded);
        for (size_t i = 0; i < SIZE; i++)
                guarded->content[i] = (char) (i * 7 + (i >> 9));
        file_write(file, guarded->content, SIZE);
        guarded->file = narrow(file);
        assert_int_equal(dosvc_make_piece_hash_file(guarded->file, PIECE, origin_url_bytes("/c/hashes/f.phf"), take_hashes, guarded), 0);
        (void) snprintf(json, sizeof(json), "{\"file\": \"%s\", \"answers\": %s}", guarded->file, answers);
        origin_case(id, json);
        return guarded;
}

static IDODownload *download_of(const struct guarded *guarded, const char *query, struct taker *t) {
        IDODownload *d = taker_new_download(query, t);
        VARIANT v = { .vt = VT_BOOL, .boolVal = VARIANT_TRUE };

        assert_hr(download_set_text(d, DODownloadProperty_IntegrityCheckInfo, guarded->info), S_OK);
        assert_hr(IDODownload_SetProperty(d, DODownloadProperty_IntegrityCheckMandatory, &v), S_OK);
        return d;
}

/* CONFORMS: api.md 1.4 IntegrityCheckInfo together with StreamInterface */
/* SENTENCES: download.stream */
static void what_its_hashes_vouch_for_is_handed_on_if_need_be_the_second_time(void **state) {
        static const char *const answers[] = { "[{}]", "[{\"spoil\": 200000}, {}]" };

        for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
                struct guarded *guarded = guarded_new("good", answers[i]);
                struct taker *t = taker_new();
                IDODownload *d = download_of(guarded, "/c/good/f", t);

                assert_hr(download_start_all(d), S_OK);
                (void) download_wait(d, DODownloadState_Transferred);
                assert_int_equal(t->n, SIZE);
                assert_memory_equal(t->bytes, guarded->content, SIZE);
                assert_hr(IDODownload_Finalize(d), S_OK);
                assert_int_equal(IDODownload_Release(d), 0);
                taker_done(t);
                free(guarded);
        }
}

static void nothing_of_a_piece_that_stays_bad_is_handed_on(void **state) {
        const size_t good = 200000 / PIECE * PIECE;
        struct guarded *guarded = guarded_new("bad", "[{\"spoil\": 200000}]");
        struct taker *t = taker_new();
        IDODownload *d = download_of(guarded, "/c/bad/f", t);
        DO_DOWNLOAD_STATUS status;
        char json[1024];

        assert_hr(download_start_all(d), S_OK);
        status = download_wait(d, DODownloadState_Paused);
        assert_hr(status.Error, DO_E_BAD_PIECE_HASH);
        assert_in_range(t->n, 0, good);
        assert_memory_equal(t->bytes, guarded->content, t->n);
        /* The origin is mended: Start goes on behind what was taken. */
        (void) snprintf(json, sizeof(json), "{\"file\": \"%s\"}", guarded->file);
        origin_case("bad", json);
        assert_hr(IDODownload_Start(d, NULL), S_OK);
        (void) download_wait(d, DODownloadState_Transferred);
        assert_int_equal(t->n, SIZE);
        assert_memory_equal(t->bytes, guarded->content, SIZE);
        assert_hr(IDODownload_Finalize(d), S_OK);
        assert_int_equal(IDODownload_Release(d), 0);
        taker_done(t);
        free(guarded);
}

/* Ranges that begin and end where pieces do can be vouched for; others are refused before a byte is shown. */
static void ranges_of_pieces_are_judged_too(void **state) {
        struct guarded *guarded = guarded_new("ranges", "[{}]");
        DO_DOWNLOAD_RANGES_INFO whole = { 1, { { 2 * PIECE, 3 * PIECE } } }, cut = { 1, { { 10, 2 * PIECE } } };

        for (int cuts = 0; cuts < 2; cuts++) {
                struct taker *t = taker_new();
                IDODownload *d = download_of(guarded, "/c/ranges/f", t);

                assert_hr(IDODownload_Start(d, cuts ? &cut : &whole), S_OK);
                if (cuts) {
                        assert_hr(download_wait(d, DODownloadState_Paused).Error, DO_E_INTEGRITYCHECKINFO_UNAVAILABLE);
                        assert_int_equal(t->n, 0);
                } else {
                        (void) download_wait(d, DODownloadState_Transferred);
                        assert_int_equal(t->n, 3 * PIECE);
                        assert_memory_equal(t->bytes, guarded->content + 2 * PIECE, 3 * PIECE);
                }
                assert_hr(IDODownload_Abort(d), S_OK);
                assert_int_equal(IDODownload_Release(d), 0);
                taker_done(t);
        }
        free(guarded);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                needs_the_real_one(a_client_that_is_killed_in_mid_stream_leaves_nothing_and_harms_nobody, "windows that can be counted"),
                cmocka_unit_test(a_stream_that_takes_seconds_is_no_error),
                cmocka_unit_test(what_its_hashes_vouch_for_is_handed_on_if_need_be_the_second_time),
                cmocka_unit_test(nothing_of_a_piece_that_stays_bad_is_handed_on),
                cmocka_unit_test(ranges_of_pieces_are_judged_too),
        };

        return world_run(argc, argv, "streams", "StallTimeout=1\n", tests, ELEMENTSOF(tests));
}
