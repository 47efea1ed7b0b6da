#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/strings.h"
#include "files/remote.h"
#include "files/serve.h"

/* A process of its own and not our child, as the broker starts one. */
static int spawn_server(void *userdata _unused_, int fd) {
        int status;
        pid_t pid = fork();

        if (pid < 0)
                return -errno;
        if (pid == 0) {
                (void) close_range(3, (unsigned) fd - 1, 0);
                (void) close_range((unsigned) fd + 1, UINT32_MAX, 0);
                if (fork() == 0)
                        _exit(files_serve(fd, &(struct files_config) {}) < 0);
                _exit(0);
        }
        (void) fd_close(fd);
        return waitpid(pid, &status, 0) == pid ? 0 : -errno;
}

bool fixture_is_remote(void) {
        return getenv("DOSVC_TEST_REMOTE") != NULL;
}

int fixture_new_files(const struct files_config *config, struct files **ret) {
        const struct files_remote_config remote = {
                .spawn = spawn_server,
                .minimum_free_bytes = config->minimum_free_bytes,
                .idle_usec = USEC_INFINITY,
        };

        if (!fixture_is_remote())
                return files_new(config, ret);
        return files_new_remote(&remote, &clock_system, ret);
}

int fixture_setup(void **state) {
        const struct files_config config = { .max_threads = 16, .minimum_free_bytes = 1024 * 1024 };
        struct fixture *f = calloc(1, sizeof(*f));
        const char *tmp = getenv("TMPDIR");

        assert_non_null(f);
        signal(SIGXFSZ, SIG_IGN); /* as the service does */
        umask(0077);              /* the result must not depend on the service's own */
        (void) snprintf(f->root, sizeof(f->root), "%.100s/dosvc-files-XXXXXX", tmp ? tmp : "/tmp");
        assert_non_null(mkdtemp(f->root));
        assert_int_equal(fixture_new_files(&config, &f->files), 0);
        *state = f;
        return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        if (type == FTW_DP)
                (void) umount2(path, MNT_DETACH);
        return remove(path);
}

int fixture_teardown(void **state) {
        struct fixture *f = *state;
        DIR *dir = opendir(f->root);
        struct dirent *entry;

        f->files = files_free(f->files, USEC_INFINITY);
        while (dir && (entry = readdir(dir)))
                if (*entry->d_name != '.')
                        (void) umount2(fixture_path(f, entry->d_name), MNT_DETACH);
        if (dir)
                closedir(dir);
        (void) nftw(f->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        free(f);
        return 0;
}

const char *fixture_path(struct fixture *f, const char *name) {
        (void) snprintf(f->path, sizeof(f->path), "%s/%s", f->root, name);
        return f->path;
}

const char *fixture_path2(struct fixture *f, const char *name) {
        static char ring[8][TEST_PATH_MAX];
        static unsigned next;
        char *path = ring[next++ % ELEMENTSOF(ring)];

        (void) snprintf(path, TEST_PATH_MAX, "%s/%s", f->root, name);
        return path;
}

void fixture_mkdir(struct fixture *f, const char *name) {
        assert_int_equal(mkdir(fixture_path(f, name), 0755), 0);
}

void fixture_write(struct fixture *f, const char *name, const char *content) {
        int fd = open(fixture_path(f, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, content, strlen(content)), 0);
        fd_close(fd);
}

void assert_content(struct fixture *f, const char *name, const char *content) {
        _cleanup_free_ char *text = NULL;

        assert_int_equal(fd_read_file(fixture_path(f, name), 1024 * 1024, &text, NULL), 0);
        assert_string_equal(text, content);
}

bool fixture_exists(struct fixture *f, const char *name) {
        struct stat st;

        return lstat(fixture_path(f, name), &st) == 0;
}

static size_t count_entries(const char *path) {
        DIR *dir = opendir(path);
        size_t n = 0;

        assert_non_null(dir);
        for (struct dirent *entry; (entry = readdir(dir));)
                n += !streq(entry->d_name, ".") && !streq(entry->d_name, "..");
        closedir(dir);
        return n;
}

size_t fixture_count(struct fixture *f, const char *name) {
        return count_entries(fixture_path(f, name));
}

size_t count_open_fds(void) {
        return count_entries("/proc/self/fd");
}

int in_child(int (*what)(void *userdata), void *userdata) {
        int status, value = 0, pipe_fds[2];
        ssize_t n;
        pid_t pid;

        assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                signal(SIGABRT, SIG_DFL);
                (void) setrlimit(RLIMIT_CORE, &(const struct rlimit) {});
                value = what(userdata);
                if (write(pipe_fds[1], &value, sizeof(value)) == sizeof(value))
                        (void) raise(SIGKILL);
                _exit(1);
        }
        fd_close(pipe_fds[1]);
        n = fd_read_all(pipe_fds[0], &value, sizeof(value));
        fd_close(pipe_fds[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        if (WTERMSIG(status) == SIGABRT)
                return CHILD_ABORTED;
        assert_int_equal(WTERMSIG(status), SIGKILL);
        assert_int_equal(n, sizeof(value));
        return value;
}

struct other_user {
        struct fixture *f;
        int (*what)(struct fixture *f);
};

static int become_nobody(void *userdata) {
        const struct files_config config = { .max_threads = 2 };
        const struct other_user *other = userdata;

        if (setgroups(0, NULL) < 0 || setresgid(65534, 65533, 65533) < 0 || setresuid(65534, 65534, 65534) < 0 ||
            fixture_new_files(&config, &other->f->files) < 0)
                return 1;
        return other->what(other->f);
}

int as_nobody(struct fixture *f, int (*what)(struct fixture *f)) {
        struct other_user other = { .f = f, .what = what };

        if (geteuid() != 0) {
                print_message("skipped: needs root to become somebody else\n");
                skip();
        }
        assert_int_equal(chmod(f->root, 0755), 0);
        return in_child(become_nobody, &other);
}

bool fixture_is_in_memory(struct fixture *f) {
        struct statfs sfs;

        assert_int_equal(statfs(f->root, &sfs), 0);
        return sfs.f_type == TMPFS_MAGIC;
}

void fixture_mount(struct fixture *f, const char *name, const char *source, const char *type, unsigned long flags,
                   const char *options) {
        fixture_mkdir(f, name);
        if (mount(source, fixture_path(f, name), type, flags, options) == 0)
                return;
        print_message("skipped: cannot mount %s here: %s\n", type, strerror(errno));
        skip();
}

static bool run(const char *script, const char *root, const char *name, const char *type) {
        char command[2 * TEST_PATH_MAX] = "exec 2>&1; PATH=$PATH:/usr/sbin:/sbin; R='", *p = command + strlen(command);

        (void) snprintf(p, sizeof(command) - (size_t) (p - command), "%s'; N='%s'; T='%s'; %s", root, name, type,
                        script);
        return system(command) == 0;
}

void fixture_mount_image(struct fixture *f, const char *name, const char *type) {
        fixture_mkdir(f, name);
        if (geteuid() == 0 && run("truncate -s 320M $R/$N.image && mkfs.$T -q $R/$N.image >/dev/null && "
                                  "mount -o loop $R/$N.image $R/$N >/dev/null && chmod 755 $R/$N", f->root, name, type))
                return;
        print_message("skipped: no loop-mounted %s here\n", type);
        skip();
}

#define SHUTDOWN_WITHOUT_LOG_FLUSH 2

void fixture_cut_power(struct fixture *f, const char *name) {
        uint32_t how = SHUTDOWN_WITHOUT_LOG_FLUSH;
        int fd = open(fixture_path(f, name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(ioctl(fd, _IOR('X', 125, uint32_t), &how), 0); /* FS_IOC_SHUTDOWN */
        fd_close(fd);
        assert_true(run("umount $R/$N && mount -o loop $R/$N.image $R/$N", f->root, name, ""));
}

/* ---- requests ---- */

void wait_for(struct fixture *f, const bool *flag) {
        while (!*flag) {
                assert_true(files_outstanding(f->files) > 0);
                (void) files_wait(f->files);
        }
}

void wait_for_all(struct fixture *f) {
        while (files_outstanding(f->files) > 0)
                (void) files_wait(f->files);
}

#define RESULT_TYPE(name, type)                                             \
        struct name##_waiter {                                              \
                bool done;                                                  \
                struct type result;                                         \
        };                                                                  \
        static void name##_done(const struct type *result, void *userdata) { \
                struct name##_waiter *waiter = userdata;                    \
                waiter->result = *result;                                   \
                waiter->done = true;                                        \
        }

RESULT_TYPE(check, files_check_result)
RESULT_TYPE(open, files_open_result)
RESULT_TYPE(finish, files_finish_result)

struct files_check_result check_now(struct fixture *f, const struct files_check_request *request) {
        struct check_waiter waiter = {};
        int r = files_check(f->files, request, check_done, &waiter);

        if (r < 0)
                return (struct files_check_result) { .error = r };
        wait_for(f, &waiter.done);
        return waiter.result;
}

struct files_open_result open_now(struct fixture *f, const struct files_open_request *request) {
        struct open_waiter waiter = {};
        int r = files_open(f->files, request, open_done, &waiter);

        if (r < 0)
                return (struct files_open_result) { .error = r };
        wait_for(f, &waiter.done);
        return waiter.result;
}

struct files_open_result create_now(struct fixture *f, const char *name,
                                    char ret_temp_name[static FILES_TEMP_NAME_MAX]) {
        struct files_open_request request = {
                .path = fixture_path2(f, name),
                .temp_name = ret_temp_name,
                .create = true,
                .reserve_bytes = FILES_SIZE_UNKNOWN,
        };

        assert_int_equal(files_temp_name_new(ret_temp_name), 0);
        return open_now(f, &request);
}

struct error_waiter {
        bool done;
        int error;
};

static void error_done(int error, void *userdata) {
        struct error_waiter *waiter = userdata;

        waiter->error = error;
        waiter->done = true;
}

int checkpoint_now(struct fixture *f, struct files_handle *handle) {
        struct error_waiter waiter = {};

        assert_int_equal(files_checkpoint(f->files, handle, NULL, 0, error_done, &waiter), 0);
        wait_for(f, &waiter.done);
        return waiter.error;
}

int reserve_now(struct fixture *f, struct files_handle *handle, uint64_t size, bool background) {
        struct error_waiter waiter = {};

        assert_int_equal(files_reserve(f->files, handle, size, background, error_done, &waiter), 0);
        wait_for(f, &waiter.done);
        return waiter.error;
}

struct files_finish_result finish_now(struct fixture *f, struct files_handle *handle,
                                      const struct files_finish_request *request) {
        struct finish_waiter waiter = {};

        assert_int_equal(files_finish(f->files, handle, request, finish_done, &waiter), 0);
        wait_for(f, &waiter.done);
        return waiter.result;
}

struct list_waiter {
        bool done;
        int error;
        int *errors;
        size_t n;
};

static void list_done(int error, const int *errors, size_t n, void *userdata) {
        struct list_waiter *waiter = userdata;

        assert_int_equal(n, waiter->n);
        if (waiter->errors)
                memcpy(waiter->errors, errors, n * sizeof(*errors));
        waiter->error = error;
        waiter->done = true;
}

int list_now(struct fixture *f, list_call call, const struct files_item *items, size_t n, int *errors) {
        struct list_waiter waiter = { .errors = errors, .n = n };
        int r = call(f->files, items, n, list_done, &waiter);

        if (r < 0)
                return r;
        wait_for(f, &waiter.done);
        return waiter.error;
}

int item_now(struct fixture *f, list_call call, const struct files_item *item) {
        int error = 1, r = list_now(f, call, item, 1, &error);

        return r < 0 ? r : error;
}

struct sweep_waiter {
        bool done;
        size_t n;
};

static void sweep_done(size_t n_removed, void *userdata) {
        struct sweep_waiter *waiter = userdata;

        waiter->n = n_removed;
        waiter->done = true;
}

size_t sweep_now(struct fixture *f, const struct files_sweep_request *request) {
        struct sweep_waiter waiter = {};

        assert_int_equal(files_sweep(f->files, request, sweep_done, &waiter), 0);
        wait_for(f, &waiter.done);
        return waiter.n;
}

struct files_item finished_item(struct fixture *f, const char *name, const char *content, mode_t mode,
                                char ret_temp_name[static FILES_TEMP_NAME_MAX]) {
        struct files_finish_request request = { .size = strlen(content), .mode = mode };
        struct files_open_result open = create_now(f, name, ret_temp_name);
        struct files_item item = {
                .path = fixture_path2(f, name),
                .temp_name = ret_temp_name,
                .temp = open.temp,
                .directory = open.directory,
        };

        assert_int_equal(open.error, 0);
        assert_int_equal(fd_pwrite_all(open.fd, content, strlen(content), 0), 0);
        assert_int_equal(files_note_written(open.handle, 0, strlen(content)), 0);
        assert_int_equal(finish_now(f, open.handle, &request).error, 0);
        files_close(f->files, open.handle);
        return item;
}
