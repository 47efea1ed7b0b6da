/* What file systems do seldom: a sync that fails, a quota, a kernel or mount without a call. The calls are wrapped
 * by the linker (meson.build: --wrap); each fails where a test asked for it. */
#include "fixture.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/strings.h"

static int fail_fdatasync, fail_fsync, fail_fallocate, fail_renameat2, fail_linkat; /* errno, 0: work */
static bool fail_fsync_of_directories;
static bool fail_openat2;
static unsigned n_fsync_directory, n_fdatasync, n_syncfs;
static int fail_syncfs;
static int fail_range_fd = -1; /* write-back of this one failed */
static _Atomic(sem_t *) gate;  /* the next fdatasync(2) waits for it */

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd) {
        sem_t *opened = atomic_exchange(&gate, NULL);

        n_fdatasync++;
        if (opened)
                sem_wait(opened);
        if (fail_fdatasync) {
                errno = fail_fdatasync;
                fail_fdatasync = 0; /* once: as the kernel tells it */
                return -1;
        }
        return __real_fdatasync(fd);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd) {
        struct stat st;
        bool directory = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);

        n_fsync_directory += directory;
        if (fail_fsync && directory == fail_fsync_of_directories) {
                errno = fail_fsync;
                fail_fsync = 0;
                return -1;
        }
        return __real_fsync(fd);
}

static long pretended_type; /* of the file system; 0: what it is */

int __real_fstatfs64(int fd, struct statfs *ret);
int __wrap_fstatfs64(int fd, struct statfs *ret);
int __wrap_fstatfs64(int fd, struct statfs *ret) {
        int r = __real_fstatfs64(fd, ret);

        if (pretended_type)
                ret->f_type = pretended_type;
        return r;
}

int __real_syncfs(int fd);
int __wrap_syncfs(int fd);
int __wrap_syncfs(int fd) {
        n_syncfs++;
        if (fail_syncfs) {
                errno = fail_syncfs;
                return -1;
        }
        return __real_syncfs(fd);
}

int __real_sync_file_range(int fd, off_t offset, off_t size, unsigned flags);
int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags);
int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags) {
        if (fd == fail_range_fd && (flags & SYNC_FILE_RANGE_WAIT_AFTER)) {
                errno = EIO;
                return -1;
        }
        return __real_sync_file_range(fd, offset, size, flags);
}

int __real_fallocate64(int fd, int mode, off_t offset, off_t size);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t size);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t size) {
        if (fail_fallocate) {
                errno = fail_fallocate;
                return -1;
        }
        return __real_fallocate64(fd, mode, offset, size);
}

int __real_renameat2(int from, const char *a, int to, const char *b, unsigned flags);
int __wrap_renameat2(int from, const char *a, int to, const char *b, unsigned flags);
int __wrap_renameat2(int from, const char *a, int to, const char *b, unsigned flags) {
        if (fail_renameat2) {
                errno = fail_renameat2;
                return -1;
        }
        return __real_renameat2(from, a, to, b, flags);
}

int __real_linkat(int from, const char *a, int to, const char *b, int flags);
int __wrap_linkat(int from, const char *a, int to, const char *b, int flags);
int __wrap_linkat(int from, const char *a, int to, const char *b, int flags) {
        if (fail_linkat) {
                errno = fail_linkat;
                return -1;
        }
        return __real_linkat(from, a, to, b, flags);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...) {
        long a, b, c, d;
        va_list args;

        va_start(args, number);
        a = va_arg(args, long);
        b = va_arg(args, long);
        c = va_arg(args, long);
        d = va_arg(args, long);
        va_end(args);
        if (number == SYS_openat2 && fail_openat2) {
                errno = ENOSYS;
                return -1;
        }
        return __real_syscall(number, a, b, c, d);
}

/* Somebody else is quick: when the service has looked at the name, the file at @from has the path @to. */
static struct {
        const char *seen; /* NULL: nobody is */
        const char *from, *to;
} swap;

int __real_statx(int dirfd, const char *path, int flags, unsigned mask, struct statx *ret);
int __wrap_statx(int dirfd, const char *path, int flags, unsigned mask, struct statx *ret);
int __wrap_statx(int dirfd, const char *path, int flags, unsigned mask, struct statx *ret) {
        int r = __real_statx(dirfd, path, flags, mask, ret), error = errno;

        if (swap.seen && streq(path, swap.seen)) {
                swap.seen = NULL;
                (void) rename(swap.from, swap.to);
        }
        errno = error;
        return r;
}

static int fault_teardown(void **state) {
        fail_fdatasync = fail_fsync = fail_fallocate = fail_renameat2 = fail_linkat = 0;
        fail_syncfs = 0;
        pretended_type = 0;
        fail_range_fd = -1;
        fail_openat2 = fail_fsync_of_directories = false;
        swap.seen = NULL;
        return fixture_teardown(state);
}

static void a_failed_sync_is_final_for_its_handle(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_result open = create_now(f, "file", temp);
        const struct files_finish_request finish = { .size = 7, .mode = 0644 };

        assert_int_equal(fd_pwrite_all(open.fd, "content", 7, 0), 0);
        fail_fdatasync = EIO;
        assert_int_equal(checkpoint_now(f, open.handle), -EIO);
        /* The next call of the kernel says 0, and means nothing. */
        assert_int_equal(checkpoint_now(f, open.handle), -EIO);
        assert_int_equal(finish_now(f, open.handle, &finish).error, -EIO);
        files_close(f->files, open.handle);
}

/* What FUSE tells only to the descriptor that wrote is asked for before that is closed. */
static void a_write_that_failed_is_heard_of_before_its_descriptor_goes(void **state) {
        static const long types[] = { FUSE_SUPER_MAGIC, TMPFS_MAGIC, EXT4_SUPER_MAGIC };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                const struct files_finish_request finish = { .size = 7, .mode = 0644 };
                char temp[FILES_TEMP_NAME_MAX];
                struct files_open_result open = create_now(f, "file", temp);

                assert_int_equal(fd_pwrite_all(open.fd, "content", 7, 0), 0);
                pretended_type = types[i];
                n_fdatasync = 0;
                fail_fdatasync = EIO;
                assert_int_equal(finish_now(f, open.handle, &finish).error, i == 0 ? -EIO : 0);
                assert_int_equal(n_fdatasync, i == 0);
                fail_fdatasync = 0;
                files_close(f->files, open.handle);
        }
}

static void a_fresh_handle_starts_with_a_clean_slate(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_result open = create_now(f, "file", temp);
        struct files_open_request again = { .path = fixture_path2(f, "file"), .temp_name = temp, .temp = open.temp,
                                            .reserve_bytes = FILES_SIZE_UNKNOWN };

        fail_fdatasync = EIO;
        assert_int_equal(checkpoint_now(f, open.handle), -EIO);
        files_close(f->files, open.handle);
        open = open_now(f, &again);
        assert_int_equal(open.error, 0);
        assert_int_equal(checkpoint_now(f, open.handle), 0);
        files_close(f->files, open.handle);
}

static void a_name_that_did_not_reach_the_disk_is_no_checkpoint(void **state) {
        struct fixture *f = *state;
        char temps[2][FILES_TEMP_NAME_MAX];
        struct files_open_result first = create_now(f, "one", temps[0]), second;

        fail_fsync = EIO;
        fail_fsync_of_directories = true;
        assert_int_equal(checkpoint_now(f, first.handle), -EIO);
        assert_int_equal(checkpoint_now(f, first.handle), -EIO);
        /* A name that came later has its own chance. */
        second = create_now(f, "two", temps[1]);
        assert_int_equal(checkpoint_now(f, second.handle), 0);
        files_close(f->files, first.handle);
        files_close(f->files, second.handle);
}

static void a_directory_is_synced_once_for_many_new_names(void **state) {
        enum { N = 20 };
        struct fixture *f = *state;
        char temps[N][FILES_TEMP_NAME_MAX];
        struct files_open_result open[N];
        char name[16];

        for (size_t i = 0; i < N; i++) {
                (void) snprintf(name, sizeof(name), "%zu", i);
                open[i] = create_now(f, name, temps[i]);
        }
        n_fsync_directory = 0;
        for (size_t i = 0; i < N; i++)
                assert_int_equal(checkpoint_now(f, open[i].handle), 0);
        assert_int_equal(n_fsync_directory, 1);
        assert_int_equal(checkpoint_now(f, open[0].handle), 0);
        assert_int_equal(n_fsync_directory, 1);
        for (size_t i = 0; i < N; i++)
                files_close(f->files, open[i].handle);
        open[0] = create_now(f, "later", temps[0]);
        assert_int_equal(checkpoint_now(f, open[0].handle), 0);
        assert_int_equal(n_fsync_directory, 2);
        files_close(f->files, open[0].handle);
}

enum { BATCH = 64 };

struct batch {
        struct files_open_result open[BATCH];
        char temps[BATCH][FILES_TEMP_NAME_MAX];
        int errors[BATCH];
};

static void batch_done(int error, void *userdata) {
        *(int *) userdata = error;
}

/* Checkpoints that all wait behind one whose sync takes its time. */
static void batch_checkpoint(struct fixture *f, struct batch *batch) {
        char name[16];
        sem_t opened;

        for (size_t i = 0; i < BATCH; i++) {
                (void) snprintf(name, sizeof(name), "%zu", i);
                batch->open[i] = create_now(f, name, batch->temps[i]);
                assert_int_equal(fd_pwrite_all(batch->open[i].fd, "content", 7, 0), 0);
                batch->errors[i] = 1;
        }
        sem_init(&opened, 0, 0);
        gate = &opened;
        n_fdatasync = n_syncfs = 0;
        for (size_t i = 0; i < BATCH; i++) {
                assert_int_equal(files_checkpoint(f->files, batch->open[i].handle, NULL, 0, batch_done, &batch->errors[i]), 0);
                /* The first is on its way alone before there are others. */
                while (i == 0 && atomic_load(&gate))
                        sched_yield();
        }
        fail_range_fd = batch->open[7].fd;
        sem_post(&opened);
        wait_for_all(f);
        sem_destroy(&opened);
}

static void batch_close(struct fixture *f, struct batch *batch) {
        for (size_t i = 0; i < BATCH; i++)
                files_close(f->files, batch->open[i].handle);
}

static void many_small_files_share_one_sync(void **state) {
        struct fixture *f = *state;
        struct batch batch;
        struct statfs sfs;

        assert_int_equal(statfs(f->root, &sfs), 0);
        batch_checkpoint(f, &batch);
        if (sfs.f_type == EXT4_SUPER_MAGIC || sfs.f_type == XFS_SUPER_MAGIC || sfs.f_type == BTRFS_SUPER_MAGIC) {
                assert_int_equal(n_syncfs, 1);
                assert_int_equal(n_fdatasync, 1);
                /* The one whose write-back failed is told, and stays so. */
                assert_int_equal(batch.errors[7], -EIO);
                fail_range_fd = -1;
                assert_int_equal(checkpoint_now(f, batch.open[7].handle), -EIO);
        } else
                assert_int_equal(n_fdatasync, BATCH);
        for (size_t i = 0; i < BATCH; i++)
                if (i != 7)
                        assert_int_equal(batch.errors[i], 0);
        batch_close(f, &batch);
}

static void a_file_system_that_fails_as_a_whole_is_asked_file_by_file(void **state) {
        struct fixture *f = *state;
        struct batch batch;

        fail_syncfs = EIO;
        batch_checkpoint(f, &batch);
        assert_int_equal(n_fdatasync, BATCH);
        for (size_t i = 0; i < BATCH; i++)
                assert_int_equal(batch.errors[i], 0);
        batch_close(f, &batch);
}

static void a_list_syncs_each_directory_once(void **state) {
        struct fixture *f = *state;
        char temps[6][FILES_TEMP_NAME_MAX], name[16];
        struct files_item items[6];
        int errors[6];

        fixture_mkdir(f, "a");
        fixture_mkdir(f, "b");
        for (size_t i = 0; i < 6; i++) {
                (void) snprintf(name, sizeof(name), "%s/%zu", i % 2 ? "a" : "b", i);
                items[i] = finished_item(f, name, "content", 0644, temps[i]);
        }
        n_fsync_directory = 0;
        assert_int_equal(list_now(f, files_publish, items, 6, errors), 0);
        assert_int_equal(n_fsync_directory, 2);
        /* After a crash nobody knows whether it came so far: again. */
        assert_int_equal(list_now(f, files_publish, items, 6, errors), 0);
        assert_int_equal(n_fsync_directory, 4);
        fail_fsync = EIO;
        fail_fsync_of_directories = true;
        assert_int_equal(list_now(f, files_publish, items, 6, errors), -EIO);
}

static void what_was_gone_already_is_synced_too(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0644, temp);

        n_fsync_directory = 0;
        assert_int_equal(item_now(f, files_remove, &item), 0);
        assert_int_equal(n_fsync_directory, 1);
        /* Whoever unlinked it may have died before its sync. */
        assert_int_equal(item_now(f, files_remove, &item), 0);
        assert_int_equal(n_fsync_directory, 2);
}

static int remove_where_no_sync_succeeds(struct fixture *f) {
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "box/file", "content", 0644, temp);
        int r;

        fail_syncfs = EIO;
        r = item_now(f, files_remove, &item);
        wait_for_all(f);
        return r;
}

static void a_directory_that_cannot_be_read_is_synced_by_what_was_removed(void **state) {
        struct fixture *f = *state;

        fixture_mkdir(f, "box");
        assert_int_equal(chmod(fixture_path(f, "box"), 0733), 0);
        assert_int_equal(as_nobody(f, remove_where_no_sync_succeeds), -EIO);
}

static int remove_from_disk(struct fixture *f) {
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "disk/box/file", "content", 0644, temp);
        int r = item_now(f, files_remove, &item);

        wait_for_all(f);
        f->files = files_free(f->files, USEC_INFINITY);
        return r;
}

/* A descriptor of a file without a name is as good as any for syncfs(2). */
static void what_is_removed_from_a_directory_that_cannot_be_read_stays_so(void **state) {
        static const char *const types[] = { "ext4", "xfs" };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                fixture_mount_image(f, "disk", types[i]);
                fixture_mkdir(f, "disk/box");
                assert_int_equal(chmod(fixture_path(f, "disk/box"), 0733), 0);
                assert_int_equal(as_nobody(f, remove_from_disk), 0);
                fixture_cut_power(f, "disk");
                assert_int_equal(fixture_count(f, "disk/box"), 0);
                assert_int_equal(umount(fixture_path(f, "disk")), 0);
                assert_int_equal(rmdir(fixture_path(f, "disk")), 0);
                assert_int_equal(unlink(fixture_path(f, "disk.image")), 0);
        }
}

/* Injected: kernels of containers and build machines have no quotas (CONFIG_QUOTA) that a test could set. */
static void a_quota_is_said_and_nothing_is_left_behind(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_request request = { .path = fixture_path2(f, "file"), .temp_name = temp, .create = true,
                                              .reserve_bytes = 1024 * 1024 };

        assert_int_equal(files_temp_name_new(temp), 0);
        fail_fallocate = EDQUOT;
        assert_int_equal(open_now(f, &request).error, -EDQUOT);
        assert_int_equal(fixture_count(f, ""), 0);
}

static void a_file_system_that_cannot_reserve_is_asked_for_its_space(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_request request = { .path = fixture_path2(f, "file"), .temp_name = temp, .create = true,
                                              .reserve_bytes = 1024 * 1024 };
        struct files_open_result open;

        assert_int_equal(files_temp_name_new(temp), 0);
        fail_fallocate = EOPNOTSUPP;
        open = open_now(f, &request);
        assert_int_equal(open.error, 0);
        assert_int_equal(reserve_now(f, open.handle, UINT64_C(1) << 60, false), -ENOSPC);
        files_close(f->files, open.handle);
}

static void publish_links_where_rename_cannot_refuse_to_replace(void **state) {
        static const int errors[] = { EINVAL, ENOSYS, EOPNOTSUPP };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                char temp[FILES_TEMP_NAME_MAX];
                struct files_item item = finished_item(f, "file", "content", 0644, temp);

                fail_renameat2 = errors[i];
                fixture_write(f, "file", "foreign");
                assert_int_equal(item_now(f, files_publish, &item), -EEXIST);
                assert_content(f, "file", "foreign");
                assert_int_equal(unlink(fixture_path(f, "file")), 0);
                assert_int_equal(item_now(f, files_publish, &item), 0);
                assert_content(f, "file", "content");
                assert_false(fixture_exists(f, temp));
                assert_int_equal(item_now(f, files_publish, &item), 0);
                assert_int_equal(unlink(fixture_path(f, "file")), 0);
        }
}

static void publish_renames_plainly_where_there_are_no_links_either(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0644, temp);

        fail_renameat2 = EINVAL;
        fail_linkat = EPERM;
        fixture_write(f, "file", "foreign");
        assert_int_equal(item_now(f, files_publish, &item), -EEXIST);
        assert_content(f, "file", "foreign");
        assert_int_equal(unlink(fixture_path(f, "file")), 0);
        assert_int_equal(item_now(f, files_publish, &item), 0);
        assert_content(f, "file", "content");
}

static void a_kernel_without_openat2_still_follows_no_link(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item;
        struct files_open_request request = { .temp_name = temp, .reserve_bytes = FILES_SIZE_UNKNOWN };

        fail_openat2 = true;
        item = finished_item(f, "file", "content", 0644, temp);
        assert_int_equal(rename(fixture_path2(f, temp), fixture_path2(f, "aside")), 0);
        assert_int_equal(symlink("aside", fixture_path(f, temp)), 0);
        request.path = fixture_path2(f, "file");
        request.temp = item.temp;
        assert_int_equal(open_now(f, &request).error, -ESTALE);
        assert_int_equal(rename(fixture_path2(f, "aside"), fixture_path2(f, temp)), 0);
        assert_int_equal(item_now(f, files_publish, &item), 0);
        assert_content(f, "file", "content");
}

/* As one of our own that nobody else may read, moved there by whoever may write to the folder. */
static struct stat write_private(struct fixture *f) {
        struct stat st;

        fixture_write(f, "private", "private");
        assert_int_equal(chmod(fixture_path(f, "private"), 0600), 0);
        assert_int_equal(stat(fixture_path(f, "private"), &st), 0);
        return st;
}

/* When somebody looks at the final name, the private file comes under @name. */
static void swap_late(struct fixture *f, const char *name) {
        swap.from = fixture_path2(f, "private");
        swap.to = fixture_path2(f, name);
        swap.seen = "file";
}

static void assert_untouched(struct fixture *f, const char *name, const struct stat *was) {
        struct stat st;

        assert_int_equal(stat(fixture_path(f, name), &st), 0);
        assert_int_equal(st.st_ino, was->st_ino);
        assert_int_equal(st.st_mode, was->st_mode);
        assert_int_equal(st.st_mtim.tv_sec, was->st_mtim.tv_sec);
        assert_content(f, name, "private");
}

static void what_comes_under_the_temp_name_late_gets_no_replaced_files_mode(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0644, temp);
        struct stat was = write_private(f);

        fixture_write(f, "file", "old");
        assert_int_equal(chmod(fixture_path(f, "file"), 0644), 0);
        item.replace = true;
        swap_late(f, temp);
        assert_int_equal(item_now(f, files_publish, &item), -ESTALE);
        assert_content(f, "file", "old");
        assert_untouched(f, temp, &was);
}

static void what_comes_under_the_temp_name_late_gets_no_time(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0644, temp);
        struct stat was = write_private(f);

        item.mtime_usec = UINT64_C(1000000000000000);
        swap_late(f, temp);
        assert_int_equal(item_now(f, files_publish, &item), -ESTALE);
        assert_false(fixture_exists(f, "file"));
        assert_untouched(f, temp, &was);
}

static void what_comes_under_the_final_name_late_hands_on_no_acl(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0644, temp);
        struct stat was = write_private(f);

        fixture_write(f, "file", "old");
        item.replace = true;
        swap_late(f, "file");
        assert_int_equal(item_now(f, files_publish, &item), -ESTALE);
        assert_untouched(f, "file", &was);
        assert_content(f, temp, "content");
        /* Looked at again, it is the one to be replaced. */
        assert_int_equal(item_now(f, files_publish, &item), 0);
        assert_content(f, "file", "content");
}

#define FAULT_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fault_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                FAULT_TEST(a_failed_sync_is_final_for_its_handle),
                FAULT_TEST(a_fresh_handle_starts_with_a_clean_slate),
                FAULT_TEST(a_name_that_did_not_reach_the_disk_is_no_checkpoint),
                FAULT_TEST(a_directory_is_synced_once_for_many_new_names),
                FAULT_TEST(a_write_that_failed_is_heard_of_before_its_descriptor_goes),
                FAULT_TEST(many_small_files_share_one_sync),
                FAULT_TEST(a_file_system_that_fails_as_a_whole_is_asked_file_by_file),
                FAULT_TEST(a_list_syncs_each_directory_once),
                FAULT_TEST(what_was_gone_already_is_synced_too),
                FAULT_TEST(a_directory_that_cannot_be_read_is_synced_by_what_was_removed),
                FAULT_TEST(what_is_removed_from_a_directory_that_cannot_be_read_stays_so),
                FAULT_TEST(a_quota_is_said_and_nothing_is_left_behind),
                FAULT_TEST(a_file_system_that_cannot_reserve_is_asked_for_its_space),
                FAULT_TEST(publish_links_where_rename_cannot_refuse_to_replace),
                FAULT_TEST(publish_renames_plainly_where_there_are_no_links_either),
                FAULT_TEST(a_kernel_without_openat2_still_follows_no_link),
                FAULT_TEST(what_comes_under_the_temp_name_late_gets_no_replaced_files_mode),
                FAULT_TEST(what_comes_under_the_temp_name_late_gets_no_time),
                FAULT_TEST(what_comes_under_the_final_name_late_hands_on_no_acl),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
