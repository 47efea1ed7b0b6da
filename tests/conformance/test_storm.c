/* A storm of callbacks: a hundred jobs end at once. One client's callbacks call whatever there is, another's first one does not
 * return, a third's dies. Who blocks is not given a time but held until all the others are done: if they had to wait for it, the
 * test would never end. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform.h"

#define N_JOBS 100
#define N_EACH 33 /* that block, and that die; the others call */
#define FETCHED "/file?size=1000"
#define PATIENCE_SECONDS 60

enum role {
        ROLE_BLOCKS,
        ROLE_DIES,
        ROLE_CALLS,
};

static struct {
        IBackgroundCopyCallback com; /* first: the object's address */
        pthread_mutex_t lock;
        pthread_cond_t changed;
        enum role role;
        unsigned n_completed;
        int block_fd; /* the first callback reads it */
        bool blocked;
} listener = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static struct job jobs[N_JOBS];
static const wchar_t *paths[N_JOBS];

/* ---- the callback ---- */

static HRESULT listener_query(IBackgroundCopyCallback *This, REFIID riid, void **ret) {
        *ret = NULL;
        if (!IsEqualIID(riid, &IID_IUnknown) && !IsEqualIID(riid, &IID_IBackgroundCopyCallback))
                return E_NOINTERFACE;
        *ret = This;
        return S_OK;
}
static ULONG listener_add_ref(IBackgroundCopyCallback *This) {
        return 2; /* as long as the program */
}
static ULONG listener_release(IBackgroundCopyCallback *This) {
        return 1;
}

static void read_all_of(IBackgroundCopyJob *job) {
        IEnumBackgroundCopyFiles *files;
        IBackgroundCopyError *error;
        IBackgroundCopyFile *file;
        BG_JOB_PROGRESS progress;
        BG_FILE_PROGRESS of_file;
        BG_JOB_PRIORITY priority;
        BG_JOB_TIMES times;
        ULONG number;
        LPWSTR text;

        (void) IBackgroundCopyJob_GetProgress(job, &progress);
        (void) IBackgroundCopyJob_GetTimes(job, &times);
        (void) IBackgroundCopyJob_GetPriority(job, &priority);
        (void) IBackgroundCopyJob_GetErrorCount(job, &number);
        if (SUCCEEDED(IBackgroundCopyJob_GetDisplayName(job, &text)))
                CoTaskMemFree(text);
        if (SUCCEEDED(IBackgroundCopyJob_GetOwner(job, &text)))
                CoTaskMemFree(text);
        if (SUCCEEDED(IBackgroundCopyJob_GetError(job, &error)))
                (void) IBackgroundCopyError_Release(error);
        if (FAILED(IBackgroundCopyJob_EnumFiles(job, &files)))
                return;
        while (IEnumBackgroundCopyFiles_Next(files, 1, &file, NULL) == S_OK) {
                (void) IBackgroundCopyFile_GetProgress(file, &of_file);
                (void) IBackgroundCopyFile_Release(file);
        }
        (void) IEnumBackgroundCopyFiles_Release(files);
}

static void change_and_list(IBackgroundCopyJob *job) {
        IEnumBackgroundCopyJobs *all;
        IBackgroundCopyJob *other;
        GUID id;

        (void) IBackgroundCopyJob_SetDescription(job, L"told");
        (void) IBackgroundCopyJob_SetDisplayName(job, L"told");
        (void) IBackgroundCopyJob_SetNoProgressTimeout(job, 1000);
        (void) IBackgroundCopyJob_Suspend(job);
        (void) IBackgroundCopyJob_Resume(job);
        if (SUCCEEDED(IBackgroundCopyManager_EnumJobs(manager_of(&families[1]), 0, &all)))
                (void) IEnumBackgroundCopyJobs_Release(all);
        if (SUCCEEDED(IBackgroundCopyManager_CreateJob(manager_of(&families[1]), L"another", BG_JOB_TYPE_DOWNLOAD, &id, &other))) {
                (void) IBackgroundCopyJob_Cancel(other);
                (void) IBackgroundCopyJob_Release(other);
        }
}

static HRESULT listener_transferred(IBackgroundCopyCallback *This, IBackgroundCopyJob *job) {
        HRESULT hr;
        char byte;

        if (listener.role == ROLE_DIES)
                _exit(7);
        if (listener.role == ROLE_BLOCKS && !listener.blocked) {
                listener.blocked = true;
                (void) !read(listener.block_fd, &byte, 1);
        }
        if (listener.role == ROLE_CALLS) {
                read_all_of(job);
                change_and_list(job);
        }
        hr = IBackgroundCopyJob_Complete(job);
        (void) pthread_mutex_lock(&listener.lock);
        listener.n_completed += hr == S_OK;
        (void) pthread_cond_broadcast(&listener.changed);
        (void) pthread_mutex_unlock(&listener.lock);
        return S_OK;
}
static HRESULT listener_error(IBackgroundCopyCallback *This, IBackgroundCopyJob *job, IBackgroundCopyError *error) {
        return S_OK;
}
static HRESULT listener_modification(IBackgroundCopyCallback *This, IBackgroundCopyJob *job, DWORD reserved) {
        return S_OK;
}
static IBackgroundCopyCallbackVtbl listener_vtbl = {
        listener_query,       listener_add_ref, listener_release,
        listener_transferred, listener_error,   listener_modification,
};

/* Until @n jobs were completed by callbacks of this process. */
static bool wait_for_completed(unsigned n) {
        struct timespec until;
        bool there;
        int r = 0;

        (void) clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_SECONDS;
        (void) pthread_mutex_lock(&listener.lock);
        while (listener.n_completed < n && r == 0)
                r = pthread_cond_timedwait(&listener.changed, &listener.lock, &until);
        there = listener.n_completed >= n;
        (void) pthread_mutex_unlock(&listener.lock);
        return there;
}

static bool listen_to(size_t first, size_t n) {
        for (size_t i = first; i < first + n; i++)
                if (FAILED(IBackgroundCopyJob_SetNotifyInterface(jobs[i].com, (IUnknown *) &listener.com)))
                        return false;
        return true;
}

/* ---- clients ---- */

/* A process that listens to N_EACH jobs: 0 when all of them were completed. @ready_fd is told when it listens. */
static pid_t start_client(enum role role, size_t first, int block_fd, int ready_fd) {
        pid_t pid = fork();

        if (pid != 0)
                return pid;
        (void) alarm(4 * PATIENCE_SECONDS);
        listener.role = role;
        listener.block_fd = block_fd;
        if (!listen_to(first, N_EACH) || write(ready_fd, "", 1) != 1)
                _exit(3);
        _exit(wait_for_completed(N_EACH) ? 0 : 4);
}

static int end_of(pid_t pid) {
        int status = -1;

        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void wait_until_ready(int fd, size_t n) {
        char byte;

        while (n-- > 0)
                assert_int_equal(read(fd, &byte, 1), 1);
}

/* CONFORMS: design.md decision 16; api.md 2.2: the dead client's events are told to who registers next */
/* SENTENCES: callback.calls callback.dead */
static void a_hundred_jobs_end_at_once_and_nobody_waits_for_another(void **state) {
        int block[2], ready[2];
        pid_t blocks, dies;

        assert_return_code(pipe(block), 0);
        assert_return_code(pipe(ready), 0);
        for (size_t i = 0; i < N_JOBS; i++) {
                jobs[i] = job_new(&families[1]);
                paths[i] = destination("storm");
                job_add(&jobs[i], origin_url(FETCHED), paths[i]);
                assert_hr(IBackgroundCopyJob_SetPriority(jobs[i].com, BG_JOB_PRIORITY_FOREGROUND), S_OK);
        }
        blocks = start_client(ROLE_BLOCKS, 0, block[0], ready[1]);
        dies = start_client(ROLE_DIES, N_EACH, -1, ready[1]);
        wait_until_ready(ready[0], 2);
        listener.role = ROLE_CALLS;
        assert_true(listen_to((size_t) 2 * N_EACH, N_JOBS - 2 * N_EACH));
        for (size_t i = 0; i < N_JOBS; i++)
                assert_hr(IBackgroundCopyJob_Resume(jobs[i].com), S_OK);

        /* The callbacks that call do their work while the others block and die. */
        assert_true(wait_for_completed(N_JOBS - 2 * N_EACH));
        assert_int_equal(end_of(dies), 7);
        /* What the dead one did not take comes to the next. */
        for (size_t i = N_EACH; i < (size_t) 2 * N_EACH; i++)
                job_wait(&jobs[i], BG_JOB_STATE_TRANSFERRED);
        assert_true(listen_to(N_EACH, N_EACH));
        assert_true(wait_for_completed(N_JOBS - N_EACH));
        /* The one that blocked was still at its first event, and misses none of the others. */
        assert_int_equal(waitpid(blocks, NULL, WNOHANG), 0);
        assert_int_equal(write(block[1], "", 1), 1);
        assert_int_equal(end_of(blocks), 0);

        assert_int_equal(listener.n_completed, N_JOBS - N_EACH);
        for (size_t i = 0; i < N_JOBS; i++) {
                assert_int_equal(job_state(&jobs[i]), BG_JOB_STATE_ACKNOWLEDGED);
                assert_file_is(paths[i], FETCHED, 1000);
                job_done(&jobs[i]);
        }
        assert_int_equal(world_service_pid(), world_started_pid());
        for (int i = 0; i < 2; i++) {
                (void) close(block[i]);
                (void) close(ready[i]);
        }
}

static int set_up(void **state) {
        listener.com.lpVtbl = &listener_vtbl;
        return world_start(NULL);
}

static int tear_down(void **state) {
        return world_stop();
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_hundred_jobs_end_at_once_and_nobody_waits_for_another),
        };

        world_arguments(argc, argv);
        return cmocka_run_group_tests_name("a storm of callbacks", tests, set_up, tear_down);
}
