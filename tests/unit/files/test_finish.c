/* Checkpoint, ledger, finish: what is claimed is on disk, and what is finished looks as open(2) would have made it. */
#include "fixture.h"

#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "files/digest.h"

/* SHA-256 of "content". */
static const uint8_t content_sha256[32] = {
        0xed, 0x70, 0x02, 0xb4, 0x39, 0xe9, 0xac, 0x84, 0x5f, 0x22, 0x35, 0x7d, 0x82, 0x2b, 0xac, 0x14,
        0x44, 0x73, 0x0f, 0xbd, 0xb6, 0x01, 0x6d, 0x3e, 0xc9, 0x43, 0x22, 0x97, 0xb9, 0xec, 0x9f, 0x73,
};

/* A handle on a fresh temp file that holds "content", noted. */
static struct files_handle *content_handle(struct fixture *f, const char *name, char temp[static FILES_TEMP_NAME_MAX]) {
        struct files_open_result open = create_now(f, name, temp);

        assert_int_equal(open.error, 0);
        assert_int_equal(fd_pwrite_all(open.fd, "content", 7, 0), 0);
        assert_int_equal(files_note_written(open.handle, 0, 7), 0);
        return open.handle;
}

static int finish_size(struct fixture *f, struct files_handle *handle, uint64_t size) {
        return finish_now(f, handle, &(struct files_finish_request) { .size = size, .mode = 0644 }).error;
}

/* ---- the ledger ---- */

struct claim {
        const struct files_handle *handle;
        struct intervals bytes;
};

static int make_claim(void *userdata) {
        const struct claim *claim = userdata;

        files_ledger_assert_durable(claim->handle, &claim->bytes);
        return 0;
}

/* Does the order checker abort? */
static bool claim_aborts(const struct files_handle *handle, uint64_t start, uint64_t end) {
        struct claim claim = { .handle = handle };
        int r;

        assert_int_equal(intervals_add(&claim.bytes, start, end), 0);
        r = in_child(make_claim, &claim);
        intervals_done(&claim.bytes);
        return r == CHILD_ABORTED;
}

static void a_claim_before_its_checkpoint_aborts(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_handle *handle = content_handle(f, "file", temp);

        if (!DOSVC_DEBUG) {
                print_message("skipped: the order checker is in debug builds only\n");
                files_close(f->files, handle);
                skip();
        }
        assert_true(claim_aborts(handle, 0, 7));
        assert_true(claim_aborts(handle, 0, 1));
        assert_int_equal(checkpoint_now(f, handle), 0);
        assert_false(claim_aborts(handle, 0, 7));
        assert_true(claim_aborts(handle, 0, 8));
        files_close(f->files, handle);
}

static bool flag;
static int flag_error;

static void set_flag(int error, void *userdata) {
        if (error < 0)
                flag_error = error;
        flag = true;
}

static void set_finish_flag(const struct files_finish_result *result, void *userdata) {
        if (result->error < 0)
                flag_error = result->error;
}

static void what_is_written_after_the_call_is_not_covered_by_it(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_handle *handle = content_handle(f, "file", temp);

        flag = false;
        flag_error = 0;
        assert_int_equal(files_checkpoint(f->files, handle, NULL, 0, set_flag, NULL), 0);
        assert_int_equal(files_note_written(handle, 100, 200), 0);
        wait_for(f, &flag);
        assert_int_equal(flag_error, 0);
        assert_false(claim_aborts(handle, 0, 7));
        if (DOSVC_DEBUG)
                assert_true(claim_aborts(handle, 100, 200));
        assert_int_equal(checkpoint_now(f, handle), 0);
        assert_false(claim_aborts(handle, 100, 200));
        files_close(f->files, handle);
}

static void what_was_durable_at_opening_may_be_claimed(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_handle *handle = content_handle(f, "file", temp);
        struct intervals durable = {};

        assert_int_equal(intervals_add(&durable, 0, 5), 0);
        files_ledger_seed(handle, &durable);
        assert_false(claim_aborts(handle, 0, 5));
        if (DOSVC_DEBUG)
                assert_true(claim_aborts(handle, 0, 6));
        intervals_done(&durable);
        files_close(f->files, handle);
}

static void a_request_keeps_a_closed_handle_alive(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_handle *handle = content_handle(f, "file", temp);

        flag = false;
        flag_error = 0;
        assert_int_equal(files_checkpoint(f->files, handle, NULL, 0, set_flag, NULL), 0);
        assert_null(files_close(f->files, handle));
        wait_for(f, &flag);
        assert_int_equal(flag_error, 0);
        wait_for_all(f);
        assert_null(files_close(f->files, NULL));
}

/* ---- finish: size and digest ---- */

static void a_finished_file_has_the_stated_size(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_handle *handle = content_handle(f, "file", temp);

        assert_int_equal(finish_size(f, handle, 6), -EMSGSIZE);
        assert_int_equal(finish_size(f, handle, 8), -EMSGSIZE);
        assert_int_equal(finish_size(f, handle, 7), 0);
        assert_false(claim_aborts(handle, 0, 7));
        files_close(f->files, handle);
}

static void a_file_that_somebody_can_still_write_is_not_finished(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_result open = create_now(f, "file", temp);
        int kept;

        assert_int_equal(open.error, 0);
        assert_int_equal(fd_pwrite_all(open.fd, "content", 7, 0), 0);
        assert_int_equal(files_note_written(open.handle, 0, 7), 0);
        kept = fd_dup(open.fd); /* as a transfer process that was taken over would */
        assert_int_equal(finish_size(f, open.handle, 7), -ETXTBSY);
        fd_close(kept);
        assert_int_equal(finish_size(f, open.handle, 7), 0);
        /* and after that not even the handle can */
        assert_int_equal(fd_pwrite_all(open.fd, "x", 1, 0), -EBADF);
        files_close(f->files, open.handle);
}

static void a_digest_is_computed_and_compared(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_handle *handle = content_handle(f, "file", temp);
        struct files_finish_request request = { .size = 7, .mode = 0644, .sha256 = content_sha256 };
        struct files_finish_result result = finish_now(f, handle, &request);
        uint8_t other[32] = { 1 };

        assert_int_equal(result.error, 0);
        assert_memory_equal(result.sha256, content_sha256, 32);
        request.sha256 = other;
        result = finish_now(f, handle, &request);
        assert_int_equal(result.error, -EBADMSG);
        assert_memory_equal(result.sha256, content_sha256, 32);
        files_close(f->files, handle);
}

static void a_large_file_is_digested_in_pieces(void **state) {
        /* python3 -c 'import hashlib; print(hashlib.sha256(bytes(3 * 1024 * 1024 + 1)).hexdigest())' */
        static const uint8_t zeros_sha256[32] = {
                0x59, 0x83, 0x28, 0x1b, 0x51, 0xc7, 0x67, 0xc8, 0x31, 0x10, 0x4f, 0x52, 0xc9, 0x5e, 0x40, 0x75,
                0xf2, 0x7e, 0x6f, 0x4f, 0xa8, 0xdd, 0x05, 0x26, 0xe3, 0x92, 0x9f, 0x79, 0x17, 0x6a, 0x12, 0x17,
        };
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_result open = create_now(f, "file", temp);
        struct files_finish_request request = { .size = 3 * 1024 * 1024 + 1, .mode = 0644, .sha256 = zeros_sha256 };

        assert_int_equal(ftruncate(open.fd, (off_t) request.size), 0); /* sparse */
        assert_int_equal(finish_now(f, open.handle, &request).error, 0);
        files_close(f->files, open.handle);
}

static void a_digest_stops_when_nobody_wants_it_any_more(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_result open = create_now(f, "file", temp);
        atomic_bool stop = true;
        uint8_t digest[32];

        assert_int_equal(ftruncate(open.fd, 8 * 1024 * 1024), 0);
        assert_int_equal(digest_descriptor(open.fd, 0, 8 * 1024 * 1024, &stop, NULL, digest), -ECANCELED);
        assert_int_equal(digest_descriptor(open.fd, 0, 8 * 1024 * 1024, NULL, &stop, digest), -ECANCELED);
        assert_int_equal(digest_descriptor(open.fd, 0, 8 * 1024 * 1024 + 1, NULL, NULL, digest), -EMSGSIZE);
        files_close(f->files, open.handle);
}

static void an_empty_file_can_be_finished(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_result open = create_now(f, "file", temp);

        assert_int_equal(finish_now(f, open.handle, &(struct files_finish_request) { .mode = 0644 }).error, 0);
        files_close(f->files, open.handle);
}

static void a_temp_file_that_was_removed_cannot_be_finished(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_handle *handle = content_handle(f, "file", temp);

        assert_int_equal(unlink(fixture_path(f, temp)), 0);
        assert_int_equal(finish_size(f, handle, 7), -ESTALE);
        files_close(f->files, handle);
}

static void reserved_space_behind_the_end_is_given_back_in(struct fixture *f, const char *name) {
        char temp[FILES_TEMP_NAME_MAX];
        struct files_handle *handle = content_handle(f, name, temp);
        char temp_path[TEST_PATH_MAX];
        struct stat st;
        int length;

        length = (int) (strrchr(fixture_path(f, name), '/') + 1 - f->path);
        (void) snprintf(temp_path, sizeof(temp_path), "%.*s%s", length, f->path, temp);
        assert_int_equal(reserve_now(f, handle, 4 * 1024 * 1024, false), 0);
        assert_int_equal(stat(temp_path, &st), 0);
        assert_true(st.st_blocks * 512 >= 4 * 1024 * 1024);
        assert_int_equal(finish_size(f, handle, 7), 0);
        assert_int_equal(stat(temp_path, &st), 0);
        assert_int_equal(st.st_size, 7);
        assert_true(st.st_blocks * 512 <= 64 * 1024);
        files_close(f->files, handle);
}

static void reserved_space_behind_the_end_is_given_back(void **state) {
        if (fixture_is_in_memory(*state))
                skip();
        reserved_space_behind_the_end_is_given_back_in(*state, "file");
}

static void reserved_space_is_given_back_on_ext4_and_xfs(void **state) {
        fixture_mount_image(*state, "ext4", "ext4");
        reserved_space_behind_the_end_is_given_back_in(*state, "ext4/file");
        fixture_mount_image(*state, "xfs", "xfs");
        reserved_space_behind_the_end_is_given_back_in(*state, "xfs/file");
}

/* ---- finish: mode, time, group, ACL ---- */

static struct stat finished_stat(struct fixture *f, const char *directory, mode_t mode, uint64_t mtime_usec) {
        struct files_finish_request request = { .size = 7, .mode = mode, .mtime_usec = mtime_usec };
        char temp[FILES_TEMP_NAME_MAX], name[64], temp_name[128];
        struct files_handle *handle;
        struct stat st;

        (void) snprintf(name, sizeof(name), "%s/file", directory);
        handle = content_handle(f, name, temp);
        assert_int_equal(finish_now(f, handle, &request).error, 0);
        files_close(f->files, handle);
        (void) snprintf(temp_name, sizeof(temp_name), "%s/%s", directory, temp);
        assert_int_equal(stat(fixture_path(f, temp_name), &st), 0);
        assert_int_equal(rename(fixture_path2(f, temp_name), fixture_path2(f, name)), 0);
        return st;
}

static void the_mode_is_the_clients_and_never_set_id(void **state) {
        struct fixture *f = *state;

        fixture_mkdir(f, "dir");
        assert_int_equal(finished_stat(f, "dir", 0644, 0).st_mode & 07777, 0644);
        assert_int_equal(finished_stat(f, "dir", 0600, 0).st_mode & 07777, 0600);
        assert_int_equal(finished_stat(f, "dir", 07666, 0).st_mode & 07777, 0666);
        assert_int_equal(finished_stat(f, "dir", 0, 0).st_mode & 07777, 0);
}

static void the_time_is_now_or_the_given_one(void **state) {
        const uint64_t given = UINT64_C(1000000000123456);
        struct fixture *f = *state;
        time_t before = time(NULL);
        struct stat st;

        fixture_mkdir(f, "dir");
        st = finished_stat(f, "dir", 0644, 0);
        assert_true(st.st_mtim.tv_sec >= before - 1 && st.st_mtim.tv_sec <= time(NULL) + 1);
        st = finished_stat(f, "dir", 0644, given);
        assert_int_equal(st.st_mtim.tv_sec, 1000000000);
        assert_int_equal(st.st_mtim.tv_nsec, 123456000);
}

static void a_set_group_id_directory_gives_its_group(void **state) {
        struct fixture *f = *state;
        struct stat st;

        fixture_mkdir(f, "dir");
        if (chown(fixture_path(f, "dir"), (uid_t) -1, 65534) < 0) {
                print_message("skipped: needs root to give a directory to a group\n");
                skip();
        }
        assert_int_equal(chmod(fixture_path(f, "dir"), 02775), 0);
        st = finished_stat(f, "dir", 0644, 0);
        assert_int_equal(st.st_gid, 65534);
        assert_int_equal(st.st_mode & 07777, 0644);
}

struct acl {
        struct posix_acl_xattr_header header;
        struct posix_acl_xattr_entry entries[6];
};

static size_t acl_size(size_t n) {
        return sizeof(struct posix_acl_xattr_header) + n * sizeof(struct posix_acl_xattr_entry);
}

/* The proof is open(2) itself: a file made by it beside ours must look the same. */
static void assert_like_open(struct fixture *f, const char *directory) {
        struct acl ours, theirs;
        char by_open[64], by_us[64];
        ssize_t n_ours, n_theirs;
        struct stat a, b;
        mode_t old;
        int fd;

        (void) snprintf(by_open, sizeof(by_open), "%s/by-open", directory);
        (void) snprintf(by_us, sizeof(by_us), "%s/file", directory);
        old = umask(022); /* the client's */
        fd = open(fixture_path(f, by_open), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        umask(old);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &b), 0);
        n_theirs = fgetxattr(fd, "system.posix_acl_access", &theirs, sizeof(theirs));
        close(fd);

        a = finished_stat(f, directory, 0666 & ~022, 0);
        n_ours = getxattr(fixture_path(f, by_us), "system.posix_acl_access", &ours, sizeof(ours));
        assert_int_equal(a.st_mode & 07777, b.st_mode & 07777);
        assert_int_equal(a.st_gid, b.st_gid);
        assert_int_equal(n_ours, n_theirs);
        if (n_ours > 0)
                assert_memory_equal(&ours, &theirs, (size_t) n_ours);
}

static void set_default_acl(struct fixture *f, const char *directory, const struct acl *acl, size_t n) {
        if (setxattr(fixture_path(f, directory), "system.posix_acl_default", acl, acl_size(n), 0) == 0)
                return;
        print_message("skipped: no ACLs here: %s\n", strerror(errno));
        skip();
}

static void a_default_acl_applies_in(struct fixture *f, const char *directory) {
        static const struct acl extended = {
                { POSIX_ACL_XATTR_VERSION },
                { { ACL_USER_OBJ, 7, (uint32_t) ACL_UNDEFINED_ID },
                  { ACL_USER, 6, 1234 },
                  { ACL_GROUP_OBJ, 5, (uint32_t) ACL_UNDEFINED_ID },
                  { ACL_GROUP, 7, 4321 },
                  { ACL_MASK, 7, (uint32_t) ACL_UNDEFINED_ID },
                  { ACL_OTHER, 0, (uint32_t) ACL_UNDEFINED_ID } },
        };

        set_default_acl(f, directory, &extended, 6);
        assert_like_open(f, directory);
}

static void a_default_acl_applies_as_open_would_have_it(void **state) {
        struct fixture *f = *state;

        fixture_mkdir(f, "dir");
        a_default_acl_applies_in(f, "dir");
}

static void a_default_acl_applies_on_tmpfs(void **state) {
        struct fixture *f = *state;

        fixture_mount(f, "tmpfs", "dosvc-test", "tmpfs", 0, "size=8m,mode=0755");
        a_default_acl_applies_in(f, "tmpfs");
}

static void a_default_acl_applies_on_ext4(void **state) {
        struct fixture *f = *state;

        fixture_mount_image(f, "ext4", "ext4");
        a_default_acl_applies_in(f, "ext4");
}

static void a_default_acl_without_names_sets_the_mode_alone(void **state) {
        static const struct acl minimal = {
                { POSIX_ACL_XATTR_VERSION },
                { { ACL_USER_OBJ, 6, (uint32_t) ACL_UNDEFINED_ID },
                  { ACL_GROUP_OBJ, 6, (uint32_t) ACL_UNDEFINED_ID },
                  { ACL_OTHER, 4, (uint32_t) ACL_UNDEFINED_ID } },
        };
        struct fixture *f = *state;

        fixture_mkdir(f, "dir");
        set_default_acl(f, "dir", &minimal, 3);
        assert_like_open(f, "dir");
}

static void without_a_default_acl_the_umask_counts(void **state) {
        struct fixture *f = *state;

        fixture_mkdir(f, "dir");
        assert_like_open(f, "dir");
}

static void many_files_can_be_under_way_at_once(void **state) {
        enum { N = 600 };
        struct fixture *f = *state;
        static struct files_handle *handles[N];
        static char temps[N][FILES_TEMP_NAME_MAX];
        char name[32];
        size_t fds;

        fixture_mkdir(f, "a");
        fixture_mkdir(f, "b");
        for (size_t i = 0; i < N; i++) {
                (void) snprintf(name, sizeof(name), "%s/%zu", i % 2 ? "a" : "b", i);
                handles[i] = content_handle(f, name, temps[i]);
        }
        fds = count_open_fds();
        assert_true(fds < N + 100); /* one descriptor a file; directories are shared */
        for (size_t i = 0; i < N; i++)
                assert_int_equal(files_checkpoint(f->files, handles[i], NULL, 0, set_flag, NULL), 0);
        flag_error = 0;
        wait_for_all(f);
        assert_int_equal(flag_error, 0);
        for (size_t i = 0; i < N; i++) {
                struct intervals all = {};

                assert_int_equal(intervals_add(&all, 0, 7), 0);
                files_ledger_assert_durable(handles[i], &all); /* aborts */
                intervals_done(&all);
                files_close(f->files, handles[i]);
        }
        wait_for_all(f);
}

/* With the control that proves the cut: what was never synced is gone. */
static void ignore_check(const struct files_check_result *result _unused_, void *userdata _unused_) {
}

/* Names of one mount have their turns in order: when a later request came back, what was closed before is closed. */
static void wait_for_closing(struct fixture *f, const char *type) {
        struct files_check_request request = { .size = FILES_SIZE_UNKNOWN };
        char name[64];

        (void) snprintf(name, sizeof(name), "%s/later", type);
        request.path = fixture_path2(f, name);
        assert_int_equal(files_check(f->files, &request, ignore_check, NULL), 0);
        wait_for_all(f);
}

static void what_a_batch_made_durable_survives_a_power_cut_on(struct fixture *f, const char *type) {
        enum { N = 100 };
        static struct files_handle *handles[N + 1];
        static char temps[N + 1][FILES_TEMP_NAME_MAX];
        char name[64];

        fixture_mount_image(f, type, type);
        for (size_t i = 0; i < N; i++) {
                (void) snprintf(name, sizeof(name), "%s/%zu", type, i);
                handles[i] = content_handle(f, name, temps[i]);
        }
        for (size_t i = 0; i < N; i++)
                if (i % 2)
                        assert_int_equal(files_checkpoint(f->files, handles[i], NULL, 0, set_flag, NULL), 0);
                else {
                        const struct files_finish_request request = { .size = 7, .mode = 0644 };

                        assert_int_equal(files_finish(f->files, handles[i], &request, set_finish_flag, NULL), 0);
                }
        flag_error = 0;
        wait_for_all(f);
        assert_int_equal(flag_error, 0);
        (void) snprintf(name, sizeof(name), "%s/%d", type, N);
        handles[N] = content_handle(f, name, temps[N]); /* the control */
        for (size_t i = 0; i <= N; i++)
                files_close(f->files, handles[i]);
        wait_for_closing(f, type);
        fixture_cut_power(f, type);
        for (size_t i = 0; i < N; i++) {
                (void) snprintf(name, sizeof(name), "%s/%.34s", type, temps[i]);
                assert_content(f, name, "content");
        }
        (void) snprintf(name, sizeof(name), "%s/%.34s", type, temps[N]);
        assert_false(fixture_exists(f, name));
}

static void what_a_batch_made_durable_survives_a_power_cut(void **state) {
        what_a_batch_made_durable_survives_a_power_cut_on(*state, "ext4");
        what_a_batch_made_durable_survives_a_power_cut_on(*state, "xfs");
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

/* ---- pieces ---- */

/* "content" in pieces of 4 bytes; @bad gets the wrong hash. */
static void make_pieces(struct files_piece pieces[static 2], size_t bad) {
        static const char content[] = "content";

        for (size_t i = 0; i < 2; i++) {
                pieces[i] = (struct files_piece) { .start = i * 4, .bytes = i == 0 ? 4 : 3 };
                assert_int_equal(EVP_Digest(&content[i * 4], pieces[i].bytes, pieces[i].hash, NULL, EVP_sha256(), NULL), 1);
        }
        if (bad < 2)
                pieces[bad].hash[0] ^= 1;
}

struct verdict {
        bool called;
        int error;
        bool bad[2];
};

static void take_verdict(int error, const bool *bad, size_t n, void *userdata) {
        struct verdict *verdict = userdata;

        assert_int_equal(n, 2);
        verdict->called = true;
        verdict->error = error;
        memcpy(verdict->bad, bad, sizeof(verdict->bad));
}

static void pieces_are_judged_while_the_file_is_open(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_handle *handle = content_handle(f, "f", temp);
        struct files_piece pieces[2];
        struct verdict verdict = {};

        make_pieces(pieces, 1);
        assert_int_equal(files_verify(f->files, handle, pieces, 2, take_verdict, &verdict), 0);
        wait_for(f, &verdict.called);
        assert_int_equal(verdict.error, 0);
        assert_false(verdict.bad[0]);
        assert_true(verdict.bad[1]);
        pieces[1].bytes = 4; /* behind the end */
        verdict.called = false;
        assert_int_equal(files_verify(f->files, handle, pieces, 2, take_verdict, &verdict), 0);
        wait_for(f, &verdict.called);
        assert_int_equal(verdict.error, 0);
        assert_false(verdict.bad[0]);
        assert_true(verdict.bad[1]);
        files_close(f->files, handle);
}

static void a_checkpoint_hashes_what_it_is_asked_to(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_handle *handle = content_handle(f, "f", temp);
        struct files_piece pieces[2], chunks[3];

        flag = false;
        flag_error = 0;
        make_pieces(pieces, 2);
        for (size_t i = 0; i < 2; i++)
                chunks[i] = (struct files_piece) { .start = pieces[i].start, .bytes = pieces[i].bytes };
        chunks[2] = (struct files_piece) { .start = 5, .bytes = 100 }; /* it is not that long */
        assert_int_equal(files_checkpoint(f->files, handle, chunks, 3, set_flag, NULL), 0);
        wait_for(f, &flag);
        assert_int_equal(flag_error, 0);
        for (size_t i = 0; i < 2; i++)
                assert_memory_equal(chunks[i].hash, pieces[i].hash, sizeof(pieces[i].hash));
        assert_int_equal(chunks[2].bytes, 0);
        files_close(f->files, handle);
}

static void a_file_with_a_bad_piece_is_not_finished(void **state) {
        struct fixture *f = *state;

        for (size_t bad = 0; bad < 3; bad++) {
                char temp[FILES_TEMP_NAME_MAX], name[8];
                struct files_piece pieces[2];
                struct files_handle *handle;

                snprintf(name, sizeof(name), "f%zu", bad);
                handle = content_handle(f, name, temp);
                make_pieces(pieces, bad);
                assert_int_equal(finish_now(f, handle, &(struct files_finish_request) {
                                .size = 7, .pieces = pieces, .n_pieces = 2, .mode = 0644 }).error, bad < 2 ? -EILSEQ : 0);
                files_close(f->files, handle);
        }
}

struct scratch {
        bool called;
        int fd;
};

static void take_scratch(int error, int fd, void *userdata) {
        struct scratch *scratch = userdata;

        assert_int_equal(error, 0);
        *scratch = (struct scratch) { true, fd };
}

/* The handle closes it. */
static int write_scratch(struct fixture *f, struct files_handle *handle, const char *text) {
        struct scratch scratch = {};

        assert_int_equal(files_scratch(f->files, handle, take_scratch, &scratch), 0);
        wait_for(f, &scratch.called);
        assert_int_equal(fd_pwrite_all(scratch.fd, text, strlen(text), 0), 0);
        return scratch.fd;
}

struct read_hashes {
        bool called;
        int error;
        struct piece_hashes *hashes;
};

static void take_hashes(int error, struct piece_hashes *hashes, void *userdata) {
        *(struct read_hashes *) userdata = (struct read_hashes) { true, error, hashes };
}

static void a_piece_hash_file_is_read_from_a_file_without_a_name(void **state) {
        static const char text[] = "{\"MajorVersion\":1,\"ContentLength\":0,\"PieceSize\":1024,\"Pieces\":[]}";
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_handle *handle = content_handle(f, "f", temp);
        struct integrity_info expected = {};
        struct read_hashes result = {};
        size_t before = count_open_fds();
        int fd = write_scratch(f, handle, text);

        assert_int_equal(fixture_count(f, ""), 1); /* the temp file, and nothing else */
        assert_int_equal(files_read_hashes(f->files, handle, fd, strlen(text), &expected, take_hashes, &result), 0);
        wait_for(f, &result.called);
        assert_int_equal(result.error, 0);
        assert_int_equal(result.hashes->piece_bytes, 1024);
        piece_hashes_free(result.hashes);
        result = (struct read_hashes) {};
        while (count_open_fds() > before) /* it goes once it is read; in a process of its own a little later */
                (void) files_dispatch(f->files);
        expected.has_digest = true;
        fd = write_scratch(f, handle, text);
        assert_int_equal(files_read_hashes(f->files, handle, fd, strlen(text), &expected, take_hashes, &result), 0);
        wait_for(f, &result.called);
        assert_int_equal(result.error, ERROR_METAINFO_DIGEST);
        assert_int_equal(files_read_hashes(f->files, handle, fd, LIMIT_PIECE_HASH_FILE + 1, &expected, take_hashes, &result), -EFBIG);
        (void) write_scratch(f, handle, text);
        files_close(f->files, handle);
        while (count_open_fds() >= before) /* and one that nobody reads with the handle */
                (void) files_dispatch(f->files);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                FIXTURE_TEST(a_claim_before_its_checkpoint_aborts),
                FIXTURE_TEST(what_is_written_after_the_call_is_not_covered_by_it),
                FIXTURE_TEST(what_was_durable_at_opening_may_be_claimed),
                FIXTURE_TEST(a_request_keeps_a_closed_handle_alive),
                FIXTURE_TEST(a_finished_file_has_the_stated_size),
                FIXTURE_TEST(a_file_that_somebody_can_still_write_is_not_finished),
                FIXTURE_TEST(a_digest_is_computed_and_compared),
                FIXTURE_TEST(a_large_file_is_digested_in_pieces),
                FIXTURE_TEST(a_digest_stops_when_nobody_wants_it_any_more),
                FIXTURE_TEST(pieces_are_judged_while_the_file_is_open),
                FIXTURE_TEST(a_checkpoint_hashes_what_it_is_asked_to),
                FIXTURE_TEST(a_file_with_a_bad_piece_is_not_finished),
                FIXTURE_TEST(a_piece_hash_file_is_read_from_a_file_without_a_name),
                FIXTURE_TEST(an_empty_file_can_be_finished),
                FIXTURE_TEST(a_temp_file_that_was_removed_cannot_be_finished),
                FIXTURE_TEST(reserved_space_behind_the_end_is_given_back),
                FIXTURE_TEST(reserved_space_is_given_back_on_ext4_and_xfs),
                FIXTURE_TEST(the_mode_is_the_clients_and_never_set_id),
                FIXTURE_TEST(the_time_is_now_or_the_given_one),
                FIXTURE_TEST(a_set_group_id_directory_gives_its_group),
                FIXTURE_TEST(a_default_acl_applies_as_open_would_have_it),
                FIXTURE_TEST(a_default_acl_applies_on_tmpfs),
                FIXTURE_TEST(a_default_acl_applies_on_ext4),
                FIXTURE_TEST(a_default_acl_without_names_sets_the_mode_alone),
                FIXTURE_TEST(without_a_default_acl_the_umask_counts),
                FIXTURE_TEST(many_files_can_be_under_way_at_once),
                FIXTURE_TEST(what_a_batch_made_durable_survives_a_power_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
