/* check, open, reserve: may we, is there room, is it still ours. */
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* SHA-256 of "content". */
static const uint8_t content_sha256[32] = {
        0xed, 0x70, 0x02, 0xb4, 0x39, 0xe9, 0xac, 0x84, 0x5f, 0x22, 0x35, 0x7d, 0x82, 0x2b, 0xac, 0x14,
        0x44, 0x73, 0x0f, 0xbd, 0xb6, 0x01, 0x6d, 0x3e, 0xc9, 0x43, 0x22, 0x97, 0xb9, 0xec, 0x9f, 0x73,
};

static int check_path(struct fixture *f, const char *name, bool replace) {
        const struct files_check_request request = {
                .path = fixture_path(f, name),
                .replace = replace,
                .size = FILES_SIZE_UNKNOWN,
        };

        return check_now(f, &request).error;
}

static void a_free_name_in_a_writable_directory_is_fine(void **state) {
        struct fixture *f = *state;

        assert_int_equal(check_path(f, "file", false), 0);
        assert_int_equal(fixture_count(f, ""), 0);
}

static void a_missing_directory_is_said(void **state) {
        struct fixture *f = *state;

        fixture_write(f, "plain", "x");
        assert_int_equal(check_path(f, "missing/file", false), -ENOENT);
        assert_int_equal(check_path(f, "plain/file", false), -ENOTDIR);
}

static void only_a_regular_file_can_be_replaced(void **state) {
        struct fixture *f = *state;

        fixture_mkdir(f, "directory");
        fixture_write(f, "plain", "x");
        assert_int_equal(symlink("plain", fixture_path(f, "link")), 0);
        assert_int_equal(symlink("nowhere", fixture_path(f, "dangling")), 0);
        assert_int_equal(mkfifo(fixture_path(f, "fifo"), 0666), 0);
        for (unsigned replace = 0; replace < 2; replace++) {
                assert_int_equal(check_path(f, "directory", replace), -EISDIR);
                assert_int_equal(check_path(f, "link", replace), -ELOOP);
                assert_int_equal(check_path(f, "dangling", replace), -ELOOP);
                assert_int_equal(check_path(f, "fifo", replace), -ELOOP);
        }
        assert_int_equal(check_path(f, "plain", false), -EEXIST);
        assert_int_equal(check_path(f, "plain", true), 0);
}

static void a_destination_with_the_right_digest_is_already_there(void **state) {
        struct fixture *f = *state;
        struct files_check_request request = { .size = FILES_SIZE_UNKNOWN,
                                               .sha256 = content_sha256 };
        struct files_check_result result;

        fixture_write(f, "right", "content");
        fixture_write(f, "wrong", "c0ntent");
        request.path = fixture_path2(f, "right");
        result = check_now(f, &request);
        assert_int_equal(result.error, 0);
        assert_true(result.already_there);

        request.size = 8; /* not what was stated */
        assert_int_equal(check_now(f, &request).error, -EEXIST);
        request.size = FILES_SIZE_UNKNOWN;
        request.path = fixture_path2(f, "wrong");
        result = check_now(f, &request);
        assert_int_equal(result.error, -EEXIST);
        assert_false(result.already_there);
}

static void the_clients_directory_must_be_ours_too(void **state) {
        struct fixture *f = *state;
        struct files_check_request request = { .size = FILES_SIZE_UNKNOWN };
        struct files_check_result result;
        struct stat here;
        size_t n_fds;

        fixture_mkdir(f, "here");
        fixture_mkdir(f, "there");
        assert_int_equal(symlink("here", fixture_path(f, "link")), 0);
        assert_int_equal(stat(fixture_path(f, "here"), &here), 0);
        request.client_directory = (struct files_identity) { .dev = here.st_dev, .ino = here.st_ino };
        n_fds = count_open_fds();

        request.path = fixture_path2(f, "here/file");
        result = check_now(f, &request);
        assert_int_equal(result.error, 0);
        assert_true(result.directory.ino > 0);
        request.path = fixture_path2(f, "link/file");
        assert_int_equal(check_now(f, &request).error, 0);
        request.path = fixture_path2(f, "there/file");
        assert_int_equal(check_now(f, &request).error, -EXDEV);
        assert_int_equal(count_open_fds() <= n_fds + 2, true); /* eventfd and mountinfo are there before */
}

static int check_way(struct fixture *f, const char *name) {
        return check_now(f, &(struct files_check_request) { .path = fixture_path2(f, name), .size = FILES_SIZE_UNKNOWN }).error;
}

static void links_on_the_way_are_followed_if_they_are_our_own(void **state) {
        struct fixture *f = *state;
        char target[TEST_PATH_MAX];

        fixture_mkdir(f, "here");
        fixture_mkdir(f, "here/below");
        assert_int_equal(symlink("here", fixture_path(f, "relative")), 0);
        assert_int_equal(symlink("relative/../here//./below/", fixture_path(f, "winding")), 0);
        (void) snprintf(target, sizeof(target), "%s/winding", f->root);
        assert_int_equal(symlink(target, fixture_path(f, "absolute")), 0);
        assert_int_equal(symlink("loop", fixture_path(f, "loop")), 0);
        assert_int_equal(symlink("nowhere", fixture_path(f, "dangling")), 0);
        fixture_write(f, "plain", "x");
        assert_int_equal(symlink("plain", fixture_path(f, "no-directory")), 0);
        assert_int_equal(check_way(f, "relative/file"), 0);
        assert_int_equal(check_way(f, "relative/below/file"), 0);
        assert_int_equal(check_way(f, "absolute/file"), 0);
        assert_int_equal(check_way(f, "absolute/../below/file"), 0);
        assert_int_equal(check_way(f, "loop/file"), -ELOOP);
        assert_int_equal(check_way(f, "dangling/file"), -ENOENT);
        assert_int_equal(check_way(f, "relative/nothing/file"), -ENOENT);
        assert_int_equal(check_way(f, "no-directory/file"), -ENOTDIR);
}

/* Whoever may write to a folder on the way could lead us to wherever we may write. */
static void links_of_others_on_the_way_are_not_followed(void **state) {
        struct fixture *f = *state;

        if (geteuid() != 0)
                skip();
        fixture_mkdir(f, "here");
        assert_int_equal(symlink("here", fixture_path(f, "theirs")), 0);
        assert_int_equal(symlink("theirs", fixture_path(f, "ours")), 0);
        assert_int_equal(lchown(fixture_path(f, "theirs"), 12345, 12345), 0);
        assert_int_equal(check_way(f, "theirs/file"), -EACCES);
        assert_int_equal(check_way(f, "ours/file"), -EACCES);
        assert_int_equal(check_way(f, "here/file"), 0);
}

static void magic_links_lead_nowhere(void **state) {
        struct fixture *f = *state;
        struct files_check_request request = { .size = FILES_SIZE_UNKNOWN };
        char path[64];
        int fd = open(f->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (syscall(SYS_openat2, -1, "", NULL, 0) < 0 && errno == ENOSYS) {
                close(fd);
                print_message("skipped: no openat2(2) here (old kernel, or valgrind)\n");
                skip();
        }
        (void) snprintf(path, sizeof(path), "/proc/%d/fd/%d/file", (int) getpid(), fd);
        request.path = path;
        assert_int_equal(check_now(f, &request).error, -ELOOP);
        close(fd);
}

static void a_read_only_mount_is_said(void **state) {
        struct fixture *f = *state;
        struct files_open_result open;
        char temp[FILES_TEMP_NAME_MAX];

        fixture_mount(f, "ro", "dosvc-test", "tmpfs", 0, "size=1m,mode=0755");
        assert_int_equal(mount("dosvc-test", fixture_path(f, "ro"), "tmpfs", MS_REMOUNT | MS_RDONLY, ""), 0);
        assert_int_equal(check_path(f, "ro/file", false), -EROFS);
        open = create_now(f, "ro/file", temp);
        assert_int_equal(open.error, -EROFS);
        assert_null(open.handle);
}

static int check_file(struct fixture *f) {
        return check_path(f, "dir/file", true);
}

static void a_directory_without_write_permission_is_refused_at_once(void **state) {
        struct fixture *f = *state;

        fixture_mkdir(f, "dir");
        fixture_write(f, "dir/file", "x");
        assert_int_equal(chown(fixture_path(f, "dir/file"), 65534, 65534), 0);
        assert_int_equal(as_nobody(f, check_file), -EACCES);
}

static void another_ones_file_in_a_sticky_directory_cannot_be_replaced(void **state) {
        struct fixture *f = *state;

        fixture_mkdir(f, "dir");
        assert_int_equal(chmod(fixture_path(f, "dir"), 01777), 0);
        fixture_write(f, "dir/file", "x");
        assert_int_equal(as_nobody(f, check_file), -EPERM);
}

/* All of a file's life in a directory that may be written and searched, but not read. */
static int live_in_drop_box(struct fixture *f) {
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "box/file", "content", 0644, temp);
        int r = item_now(f, files_publish, &item);

        wait_for_all(f);
        return r;
}

static void a_directory_that_cannot_be_read_still_gets_durable_names(void **state) {
        struct fixture *f = *state;
        struct stat st;

        fixture_mkdir(f, "box");
        assert_int_equal(chmod(fixture_path(f, "box"), 0733), 0);
        assert_int_equal(as_nobody(f, live_in_drop_box), 0);
        assert_content(f, "box/file", "content");
        assert_int_equal(stat(fixture_path(f, "box/file"), &st), 0);
        assert_int_equal(st.st_uid, 65534);
}

static void a_stated_size_must_fit_and_background_jobs_leave_room(void **state) {
        struct fixture *f = *state;
        struct files_check_request request = {};

        fixture_mount(f, "small", "dosvc-test", "tmpfs", 0, "size=4m,mode=0755");
        request.path = fixture_path2(f, "small/file");
        request.size = 4 * 1024 * 1024;
        assert_int_equal(check_now(f, &request).error, 0);
        request.background = true; /* the fixture keeps 1 MiB */
        assert_int_equal(check_now(f, &request).error, -ENOSPC);
        request.size = 3 * 1024 * 1024;
        assert_int_equal(check_now(f, &request).error, 0);
        request.background = false;
        request.size = 5 * 1024 * 1024;
        assert_int_equal(check_now(f, &request).error, -ENOSPC);
        request.size = LIMIT_FILE_SIZE + 1;
        assert_int_equal(check_now(f, &request).error, -EFBIG);
}

static void a_fresh_temp_file_is_private_and_ours(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_result open = create_now(f, "file", temp);
        struct stat st;

        assert_int_equal(open.error, 0);
        assert_int_equal(fstat(open.fd, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(st.st_ino, open.temp.ino);
        assert_int_equal(st.st_dev, open.temp.dev);
        assert_true(fixture_exists(f, temp));
        assert_int_equal(fcntl(open.fd, F_GETFL) & O_ACCMODE, O_RDWR);
        assert_int_equal(fcntl(open.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        files_close(f->files, open.handle);
}

static void a_handle_gives_all_its_descriptors_back(void **state) {
        struct fixture *f = *state;
        size_t before;

        wait_for_all(f);
        (void) check_path(f, "file", false); /* threads and the mount table are there */
        before = count_open_fds();
        for (unsigned i = 0; i < 8; i++) {
                char temp[FILES_TEMP_NAME_MAX];
                struct files_open_result open = create_now(f, i % 2 ? "file" : "missing/file", temp);

                assert_int_equal(open.error, i % 2 ? 0 : -ENOENT);
                files_close(f->files, open.handle);
        }
        wait_for_all(f);
        assert_int_equal(count_open_fds(), before);
}

static void a_temp_name_that_exists_is_never_taken_over(void **state) {
        struct fixture *f = *state;
        struct files_open_request request = { .temp_name = ".dosvc-ABCDEFGHIJKLMNOPQRSTUV.part", .create = true };

        fixture_write(f, request.temp_name, "foreign");
        request.path = fixture_path2(f, "file");
        assert_int_equal(open_now(f, &request).error, -EEXIST);
        assert_content(f, request.temp_name, "foreign");
        request.temp_name = "../x";
        assert_int_equal(open_now(f, &request).error, -EINVAL);
}

/* A temp file of 7 durable bytes that was closed; the request that goes on with it. */
static struct files_open_request left_over(struct fixture *f, const char *name, char temp[static FILES_TEMP_NAME_MAX]) {
        struct files_open_result open = create_now(f, name, temp);

        assert_int_equal(open.error, 0);
        assert_int_equal(fd_pwrite_all(open.fd, "content", 7, 0), 0);
        files_close(f->files, open.handle);
        wait_for_all(f);
        return (struct files_open_request) {
                .path = fixture_path2(f, name),
                .temp_name = temp,
                .temp = open.temp,
                .directory = open.directory,
                .durable_end = 7,
                .reserve_bytes = FILES_SIZE_UNKNOWN,
        };
}

static void a_temp_file_is_gone_on_with(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX], bytes[8] = {};
        struct files_open_request request = left_over(f, "file", temp);
        struct files_open_result open = open_now(f, &request);

        assert_int_equal(open.error, 0);
        assert_true(files_identity_equal(&open.temp, &request.temp));
        assert_int_equal(fd_pread_all(open.fd, bytes, 7, 0), 7);
        assert_string_equal(bytes, "content");
        files_close(f->files, open.handle);
}

static void content_that_does_not_count_is_cut_off(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_request request = left_over(f, "file", temp);
        struct files_open_result open;
        struct stat st;

        request.durable_end = 0;
        open = open_now(f, &request);
        assert_int_equal(open.error, 0);
        assert_int_equal(fstat(open.fd, &st), 0);
        assert_int_equal(st.st_size, 0);
        files_close(f->files, open.handle);
}

static void a_temp_file_that_is_shorter_than_recorded_is_lost(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_request request = left_over(f, "file", temp);

        request.durable_end = 8;
        assert_int_equal(open_now(f, &request).error, -ESTALE);
        assert_int_equal(unlink(fixture_path(f, temp)), 0);
        request.durable_end = 7;
        assert_int_equal(open_now(f, &request).error, -ESTALE);
}

static void another_inode_under_the_temp_name_is_not_ours(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_request request = left_over(f, "file", temp);

        assert_int_equal(rename(fixture_path2(f, temp), fixture_path2(f, "aside")), 0);
        fixture_write(f, temp, "content");
        assert_int_equal(open_now(f, &request).error, -ESTALE);
        assert_content(f, temp, "content");
        assert_int_equal(unlink(fixture_path(f, temp)), 0);
        assert_int_equal(symlink("aside", fixture_path(f, temp)), 0);
        assert_int_equal(open_now(f, &request).error, -ESTALE);
        assert_int_equal(unlink(fixture_path(f, temp)), 0);
        assert_int_equal(mkfifo(fixture_path(f, temp), 0600), 0);
        assert_int_equal(open_now(f, &request).error, -ESTALE);
}

static void a_temp_file_with_a_second_name_is_refused(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_request request = left_over(f, "file", temp);

        assert_int_equal(link(fixture_path2(f, temp), fixture_path2(f, "second")), 0);
        assert_int_equal(open_now(f, &request).error, -ESTALE);
}

static void a_temp_file_of_somebody_else_is_refused(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_request request = left_over(f, "file", temp);

        if (chown(fixture_path(f, temp), 65533, 65533) < 0) {
                print_message("skipped: needs root to give a file away\n");
                skip();
        }
        assert_int_equal(open_now(f, &request).error, -ESTALE);
}

static void a_replaced_directory_is_noticed(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_request request;

        fixture_mkdir(f, "dir");
        request = left_over(f, "dir/file", temp);
        assert_int_equal(rename(fixture_path2(f, "dir"), fixture_path2(f, "old")), 0);
        assert_int_equal(open_now(f, &request).error, -ENOENT);
        fixture_mkdir(f, "dir");
        assert_int_equal(open_now(f, &request).error, -ESTALE);
        request.create = true;
        assert_int_equal(open_now(f, &request).error, -ESTALE);
        assert_int_equal(fixture_count(f, "dir"), 0);
        assert_int_equal(remove(fixture_path(f, "dir")), 0);
        assert_int_equal(symlink("old", fixture_path(f, "dir")), 0); /* another way to the same directory */
        request.create = false;
        request.path = fixture_path2(f, "dir/file");
        {
                struct files_open_result open = open_now(f, &request);

                assert_int_equal(open.error, 0);
                files_close(f->files, open.handle);
        }
}

static void a_file_system_mounted_over_the_temp_name_is_not_entered(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_request request = left_over(f, "file", temp);

        fixture_write(f, "other", "content");
        if (mount(fixture_path2(f, "other"), fixture_path2(f, temp), "none", MS_BIND, "") < 0) {
                print_message("skipped: cannot bind mounts here\n");
                skip();
        }
        assert_int_equal(open_now(f, &request).error, -ESTALE);
        assert_int_equal(umount2(fixture_path(f, temp), MNT_DETACH), 0);
}

static void space_is_reserved_without_changing_the_length(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_request request = { .path = fixture_path2(f, "file"), .temp_name = temp, .create = true,
                                              .reserve_bytes = 8 * 1024 * 1024 };
        struct files_open_result open;
        struct stat st;

        if (fixture_is_in_memory(f))
                skip();
        assert_int_equal(files_temp_name_new(temp), 0);
        open = open_now(f, &request);
        assert_int_equal(open.error, 0);
        assert_int_equal(fstat(open.fd, &st), 0);
        assert_int_equal(st.st_size, 0);
        assert_true(st.st_blocks * 512 >= 8 * 1024 * 1024);
        assert_int_equal(reserve_now(f, open.handle, 16 * 1024 * 1024, true), 0);
        assert_int_equal(fstat(open.fd, &st), 0);
        assert_int_equal(st.st_size, 0);
        assert_true(st.st_blocks * 512 >= 16 * 1024 * 1024);
        files_close(f->files, open.handle);
}

static void a_full_file_system_is_said_and_nothing_is_left_behind(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_request request = { .temp_name = temp, .create = true, .reserve_bytes = 8 * 1024 * 1024 };
        struct files_open_result open;
        struct statvfs before, after;

        fixture_mount(f, "small", "dosvc-test", "tmpfs", 0, "size=4m,mode=0755");
        request.path = fixture_path2(f, "small/file");
        assert_int_equal(statvfs(fixture_path(f, "small"), &before), 0);
        assert_int_equal(files_temp_name_new(temp), 0);
        open = open_now(f, &request);
        assert_int_equal(open.error, -ENOSPC);
        assert_null(open.handle);
        assert_int_equal(fixture_count(f, "small"), 0);
        assert_int_equal(statvfs(fixture_path(f, "small"), &after), 0);
        assert_int_equal(after.f_bfree, before.f_bfree);

        request.reserve_bytes = 3 * 1024 * 1024 + 4096;
        request.background = true;
        assert_int_equal(open_now(f, &request).error, -ENOSPC);
        assert_int_equal(fixture_count(f, "small"), 0);
        request.background = false;
        open = open_now(f, &request);
        assert_int_equal(open.error, 0);
        assert_int_equal(reserve_now(f, open.handle, 5 * 1024 * 1024, false), -ENOSPC);
        files_close(f->files, open.handle);
}

static void memory_is_not_filled_to_reserve_it(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_request request = { .temp_name = temp, .create = true, .reserve_bytes = 8 * 1024 * 1024 };
        struct files_open_result open;
        struct stat st;

        fixture_mount(f, "memory", "dosvc-test", "tmpfs", 0, "size=32m,mode=0755");
        request.path = fixture_path2(f, "memory/file");
        assert_int_equal(files_temp_name_new(temp), 0);
        open = open_now(f, &request);
        assert_int_equal(open.error, 0);
        assert_int_equal(reserve_now(f, open.handle, 16 * 1024 * 1024, false), 0);
        assert_int_equal(fstat(open.fd, &st), 0);
        assert_int_equal(st.st_blocks, 0);
        assert_int_equal(reserve_now(f, open.handle, 40 * 1024 * 1024, false), -ENOSPC);
        files_close(f->files, open.handle);
}

static void no_inode_left_is_no_space(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_result open;

        fixture_mount(f, "tiny", "dosvc-test", "tmpfs", 0, "size=4m,nr_inodes=2,mode=0755");
        fixture_write(f, "tiny/one", "x");
        open = create_now(f, "tiny/file", temp);
        assert_int_equal(open.error, -ENOSPC);
        assert_int_equal(unlink(fixture_path(f, "tiny/one")), 0);
        open = create_now(f, "tiny/file", temp);
        assert_int_equal(open.error, 0);
        files_close(f->files, open.handle);
}

static int open_beyond_the_limit(struct fixture *f) {
        const struct rlimit limit = { 1024 * 1024, 1024 * 1024 };
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_request request = { .path = fixture_path2(f, "dir/file"), .temp_name = temp, .create = true,
                                              .reserve_bytes = 2 * 1024 * 1024 };
        struct files_check_request check = { .path = request.path, .size = 2 * 1024 * 1024 };

        if (setrlimit(RLIMIT_FSIZE, &limit) < 0 || files_temp_name_new(temp) < 0)
                return -255;
        if (check_now(f, &check).error != -EFBIG)
                return -254;
        return open_now(f, &request).error;
}

static void a_size_beyond_rlimit_fsize_is_said(void **state) {
        struct fixture *f = *state;

        fixture_mkdir(f, "dir");
        assert_int_equal(chmod(fixture_path(f, "dir"), 0777), 0);
        assert_int_equal(as_nobody(f, open_beyond_the_limit), -EFBIG);
        assert_int_equal(fixture_count(f, "dir"), 0);
}

static void running_out_of_descriptors_is_an_error_that_passes(void **state) {
        struct fixture *f = *state;
        struct rlimit limit, low;
        struct files_open_result open;
        char temp[FILES_TEMP_NAME_MAX];
        int fds[128];
        size_t n = 0;

        if (getenv("DOSVC_VALGRIND"))
                skip(); /* it keeps the limit of descriptors itself, and recvmsg() never meets it */
        assert_int_equal(check_path(f, "file", false), 0); /* a thread is there */
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        low = limit;
        low.rlim_cur = ELEMENTSOF(fds);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        while ((fds[n] = fd_dup(0)) >= 0)
                n++;
        assert_int_equal(fds[n], -EMFILE);
        open = create_now(f, "file", temp);
        while (n > 0)
                fd_close(fds[--n]);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(open.error, -EMFILE);
        /* The owner's process had descriptors enough: the recorded name finds it. */
        assert_int_equal(fixture_count(f, ""), fixture_is_remote() ? 1 : 0);
        open = create_now(f, "file", temp);
        assert_int_equal(open.error, 0);
        files_close(f->files, open.handle);
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                FIXTURE_TEST(a_free_name_in_a_writable_directory_is_fine),
                FIXTURE_TEST(a_missing_directory_is_said),
                FIXTURE_TEST(only_a_regular_file_can_be_replaced),
                FIXTURE_TEST(a_destination_with_the_right_digest_is_already_there),
                FIXTURE_TEST(the_clients_directory_must_be_ours_too),
                FIXTURE_TEST(links_on_the_way_are_followed_if_they_are_our_own),
                FIXTURE_TEST(links_of_others_on_the_way_are_not_followed),
                FIXTURE_TEST(magic_links_lead_nowhere),
                FIXTURE_TEST(a_read_only_mount_is_said),
                FIXTURE_TEST(a_directory_without_write_permission_is_refused_at_once),
                FIXTURE_TEST(another_ones_file_in_a_sticky_directory_cannot_be_replaced),
                FIXTURE_TEST(a_directory_that_cannot_be_read_still_gets_durable_names),
                FIXTURE_TEST(a_stated_size_must_fit_and_background_jobs_leave_room),
                FIXTURE_TEST(a_fresh_temp_file_is_private_and_ours),
                FIXTURE_TEST(a_handle_gives_all_its_descriptors_back),
                FIXTURE_TEST(a_temp_name_that_exists_is_never_taken_over),
                FIXTURE_TEST(a_temp_file_is_gone_on_with),
                FIXTURE_TEST(content_that_does_not_count_is_cut_off),
                FIXTURE_TEST(a_temp_file_that_is_shorter_than_recorded_is_lost),
                FIXTURE_TEST(another_inode_under_the_temp_name_is_not_ours),
                FIXTURE_TEST(a_temp_file_with_a_second_name_is_refused),
                FIXTURE_TEST(a_temp_file_of_somebody_else_is_refused),
                FIXTURE_TEST(a_replaced_directory_is_noticed),
                FIXTURE_TEST(a_file_system_mounted_over_the_temp_name_is_not_entered),
                FIXTURE_TEST(space_is_reserved_without_changing_the_length),
                FIXTURE_TEST(a_full_file_system_is_said_and_nothing_is_left_behind),
                FIXTURE_TEST(memory_is_not_filled_to_reserve_it),
                FIXTURE_TEST(no_inode_left_is_no_space),
                FIXTURE_TEST(a_size_beyond_rlimit_fsize_is_said),
                FIXTURE_TEST(running_out_of_descriptors_is_an_error_that_passes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
