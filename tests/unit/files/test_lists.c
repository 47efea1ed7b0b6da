/* Publish, its dry run, remove and sweep: by identity, idempotent, nothing foreign is touched. */
#include "fixture.h"

#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- publish ---- */

static void a_finished_file_gets_its_name(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0640, temp);
        struct stat st;

        assert_int_equal(item_now(f, files_publish_check, &item), 0);
        assert_false(fixture_exists(f, "file"));
        assert_int_equal(item_now(f, files_publish, &item), 0);
        assert_content(f, "file", "content");
        assert_int_equal(fixture_count(f, ""), 1);
        assert_int_equal(stat(fixture_path(f, "file"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(st.st_ino, item.temp.ino);
}

static void publishing_twice_is_publishing_once(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0644, temp);

        assert_int_equal(item_now(f, files_publish, &item), 0);
        assert_int_equal(item_now(f, files_publish, &item), 0);
        assert_int_equal(item_now(f, files_publish_check, &item), 0);
        assert_content(f, "file", "content");
}

static void a_publish_that_was_cut_half_way_is_finished(void **state) {
        enum { N = 10 };
        struct fixture *f = *state;
        char temps[N][FILES_TEMP_NAME_MAX], paths[N][TEST_PATH_MAX], name[32];
        struct files_item items[N];
        int errors[N];

        fixture_mkdir(f, "a");
        fixture_mkdir(f, "b");
        for (size_t i = 0; i < N; i++) {
                (void) snprintf(name, sizeof(name), "%s/%zu", i % 2 ? "a" : "b", i);
                items[i] = finished_item(f, name, name, 0644, temps[i]);
                (void) snprintf(paths[i], sizeof(paths[i]), "%s", items[i].path);
                items[i].path = paths[i];
        }
        assert_int_equal(list_now(f, files_publish, items, N / 2, errors), 0);
        assert_int_equal(list_now(f, files_publish, items, N, errors), 0);
        for (size_t i = 0; i < N; i++) {
                assert_int_equal(errors[i], 0);
                (void) snprintf(name, sizeof(name), "%s/%zu", i % 2 ? "a" : "b", i);
                assert_content(f, name, name);
        }
        assert_int_equal(fixture_count(f, "a") + fixture_count(f, "b"), N);
}

static void a_crash_between_link_and_unlink_is_mended(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0644, temp);

        assert_int_equal(link(fixture_path2(f, temp), fixture_path2(f, "file")), 0);
        assert_int_equal(item_now(f, files_publish, &item), 0);
        assert_content(f, "file", "content");
        assert_false(fixture_exists(f, temp));
}

/* So many that the directory is read instead of asked for each. */
static void the_dry_run_of_many_finds_what_that_of_one_finds(void **state) {
        enum { N = 100, TAKEN = 3, GONE = 40, SWAPPED = 41, TWICE = 98, AGAIN = 99 };
        struct fixture *f = *state;
        char temps[N][FILES_TEMP_NAME_MAX], paths[N][TEST_PATH_MAX], name[32];
        struct files_item items[N];
        int errors[N];

        for (size_t i = 0; i < N; i++) {
                (void) snprintf(name, sizeof(name), "%zu", i);
                items[i] = finished_item(f, name, name, 0644, temps[i]);
                (void) snprintf(paths[i], sizeof(paths[i]), "%s", items[i].path);
                items[i].path = paths[i];
        }
        assert_int_equal(list_now(f, files_publish_check, items, N, errors), 0);
        for (size_t i = 0; i < N; i++)
                assert_int_equal(errors[i], 0);

        fixture_write(f, "3", "foreign");
        assert_int_equal(unlink(fixture_path(f, temps[GONE])), 0);
        assert_int_equal(rename(fixture_path(f, temps[SWAPPED + 1]), fixture_path2(f, temps[SWAPPED])), 0);
        items[AGAIN].path = items[TWICE].path;
        fixture_write(f, "98", "foreign");
        assert_int_equal(list_now(f, files_publish_check, items, N, errors), 0);
        for (size_t i = 0; i < N; i++) {
                int alone = item_now(f, files_publish_check, &items[i]);

                assert_int_equal(errors[i], alone);
                assert_int_equal(alone, i == TAKEN || i == TWICE || i == AGAIN ? -EEXIST : i == GONE || i == SWAPPED || i == SWAPPED + 1 ? -ESTALE : 0);
        }

        /* Far more foreign names than ours: each of ours is asked for. */
        for (size_t i = 0; i < 20 * N; i++) {
                (void) snprintf(name, sizeof(name), "foreign-%zu", i);
                fixture_write(f, name, "");
        }
        assert_int_equal(list_now(f, files_publish_check, items, N, errors), 0);
        assert_int_equal(errors[TAKEN], -EEXIST);
        assert_int_equal(errors[GONE], -ESTALE);
        assert_int_equal(errors[0], 0);
}

static void one_conflict_does_not_stop_the_others(void **state) {
        struct fixture *f = *state;
        char temps[2][FILES_TEMP_NAME_MAX];
        struct files_item items[2] = {
                finished_item(f, "taken", "content", 0644, temps[0]),
                finished_item(f, "free", "content", 0644, temps[1]),
        };
        int errors[2];

        fixture_write(f, "taken", "foreign");
        assert_int_equal(list_now(f, files_publish_check, items, 2, errors), 0);
        assert_int_equal(errors[0], -EEXIST);
        assert_int_equal(errors[1], 0);
        assert_int_equal(list_now(f, files_publish, items, 2, errors), 0);
        assert_int_equal(errors[0], -EEXIST);
        assert_int_equal(errors[1], 0);
        assert_content(f, "taken", "foreign");
        assert_content(f, "free", "content");
        assert_content(f, temps[0], "content");
        /* The cause is mended. */
        assert_int_equal(unlink(fixture_path(f, "taken")), 0);
        assert_int_equal(list_now(f, files_publish, items, 2, errors), 0);
        assert_int_equal(errors[0] | errors[1], 0);
        assert_content(f, "taken", "content");
}

static void what_is_no_regular_file_is_never_replaced(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0644, temp);

        fixture_write(f, "target", "foreign");
        for (unsigned replace = 0; replace < 2; replace++) {
                item.replace = replace;
                assert_int_equal(symlink("target", fixture_path(f, "file")), 0);
                assert_int_equal(item_now(f, files_publish_check, &item), -ELOOP);
                assert_int_equal(item_now(f, files_publish, &item), -ELOOP);
                assert_int_equal(unlink(fixture_path(f, "file")), 0);
                assert_int_equal(mkfifo(fixture_path(f, "file"), 0600), 0);
                assert_int_equal(item_now(f, files_publish, &item), -ELOOP);
                assert_int_equal(unlink(fixture_path(f, "file")), 0);
                fixture_mkdir(f, "file");
                assert_int_equal(item_now(f, files_publish, &item), -EISDIR);
                assert_int_equal(rmdir(fixture_path(f, "file")), 0);
        }
        assert_content(f, "target", "foreign");
        assert_int_equal(item_now(f, files_publish, &item), 0);
}

static void a_replaced_file_hands_on_its_mode(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0644, temp);
        struct stat st;

        fixture_write(f, "file", "old");
        assert_int_equal(chmod(fixture_path(f, "file"), 0751), 0);
        item.replace = true;
        assert_int_equal(item_now(f, files_publish_check, &item), 0);
        assert_content(f, "file", "old");
        assert_int_equal(item_now(f, files_publish, &item), 0);
        assert_content(f, "file", "content");
        assert_int_equal(stat(fixture_path(f, "file"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0751);
        assert_int_equal(item_now(f, files_publish, &item), 0); /* again, after a crash */
}

/* With a mode under which its owner cannot open it. */
static int replace_with_closed_file(struct fixture *f) {
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item;
        int r;

        fixture_write(f, "box/file", "old");
        if (chmod(fixture_path(f, "box/file"), 0640) < 0)
                return -errno;
        item = finished_item(f, "box/file", "content", 0, temp);
        item.replace = true;
        r = item_now(f, files_publish, &item);
        wait_for_all(f);
        return r;
}

static void a_file_that_its_owner_cannot_open_is_opened_to_be_handed_a_mode(void **state) {
        struct fixture *f = *state;
        struct stat st;

        fixture_mkdir(f, "box");
        assert_int_equal(chmod(fixture_path(f, "box"), 0777), 0);
        assert_int_equal(as_nobody(f, replace_with_closed_file), 0);
        assert_content(f, "box/file", "content");
        assert_int_equal(stat(fixture_path(f, "box/file"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
}

static void a_replaced_file_of_another_owner_hands_on_nothing(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0640, temp);
        struct stat st;

        fixture_write(f, "file", "old");
        assert_int_equal(chmod(fixture_path(f, "file"), 0777), 0);
        if (chown(fixture_path(f, "file"), 65533, 65533) < 0) {
                print_message("skipped: needs root to give a file away\n");
                skip();
        }
        item.replace = true;
        assert_int_equal(item_now(f, files_publish, &item), 0);
        assert_int_equal(stat(fixture_path(f, "file"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(st.st_uid, geteuid());
}

#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

struct acl {
        struct posix_acl_xattr_header header;
        struct posix_acl_xattr_entry entries[5];
};

static const struct acl acl_with_a_name = {
        { POSIX_ACL_XATTR_VERSION },
        { { ACL_USER_OBJ, 6, (uint32_t) ACL_UNDEFINED_ID },
          { ACL_USER, 4, 1234 },
          { ACL_GROUP_OBJ, 0, (uint32_t) ACL_UNDEFINED_ID },
          { ACL_MASK, 4, (uint32_t) ACL_UNDEFINED_ID },
          { ACL_OTHER, 0, (uint32_t) ACL_UNDEFINED_ID } },
};

static void a_replaced_file_hands_on_its_acl(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0644, temp);
        struct stat st;
        struct acl acl;

        fixture_write(f, "file", "old");
        if (setxattr(fixture_path(f, "file"), ACL_ACCESS, &acl_with_a_name, sizeof(acl_with_a_name), 0) < 0) {
                print_message("skipped: no ACLs here\n");
                skip();
        }
        item.replace = true;
        assert_int_equal(item_now(f, files_publish, &item), 0);
        assert_content(f, "file", "content");
        assert_int_equal(getxattr(fixture_path(f, "file"), ACL_ACCESS, &acl, sizeof(acl)), sizeof(acl));
        assert_memory_equal(&acl, &acl_with_a_name, sizeof(acl));
        assert_int_equal(stat(fixture_path(f, "file"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
}

static void an_inherited_acl_yields_to_the_replaced_files_mode(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item;
        struct stat st;

        fixture_mkdir(f, "dir");
        fixture_write(f, "dir/file", "old"); /* before the default came */
        assert_int_equal(chmod(fixture_path(f, "dir/file"), 0600), 0);
        if (setxattr(fixture_path(f, "dir"), ACL_DEFAULT, &acl_with_a_name, sizeof(acl_with_a_name), 0) < 0) {
                print_message("skipped: no ACLs here\n");
                skip();
        }
        item = finished_item(f, "dir/file", "content", 0644, temp);
        item.replace = true;
        assert_int_equal(item_now(f, files_publish, &item), 0);
        assert_content(f, "dir/file", "content");
        assert_int_equal(getxattr(fixture_path(f, "dir/file"), ACL_ACCESS, NULL, 0), -1);
        assert_int_equal(errno, ENODATA);
        assert_int_equal(stat(fixture_path(f, "dir/file"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_replaced_file_hands_on_its_group(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0644, temp);
        struct stat st;

        fixture_write(f, "file", "old");
        if (chown(fixture_path(f, "file"), (uid_t) -1, 65534) < 0) {
                print_message("skipped: needs root to give a file to a group\n");
                skip();
        }
        assert_int_equal(chmod(fixture_path(f, "file"), 0660), 0);
        item.replace = true;
        assert_int_equal(item_now(f, files_publish, &item), 0);
        assert_int_equal(stat(fixture_path(f, "file"), &st), 0);
        assert_int_equal(st.st_gid, 65534);
        assert_int_equal(st.st_mode & 07777, 0660);
}

static void a_time_given_late_is_set(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0644, temp);
        struct stat st;

        item.mtime_usec = UINT64_C(1000000000000000);
        assert_int_equal(item_now(f, files_publish, &item), 0);
        assert_int_equal(stat(fixture_path(f, "file"), &st), 0);
        assert_int_equal(st.st_mtim.tv_sec, 1000000000);
}

static void another_inode_under_the_temp_name_is_never_published(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0644, temp);

        assert_int_equal(rename(fixture_path2(f, temp), fixture_path2(f, "aside")), 0);
        assert_int_equal(item_now(f, files_publish, &item), -ESTALE);
        fixture_write(f, temp, "content");
        assert_int_equal(item_now(f, files_publish_check, &item), -ESTALE);
        assert_int_equal(item_now(f, files_publish, &item), -ESTALE);
        assert_false(fixture_exists(f, "file"));
        assert_content(f, temp, "content");
}

static void a_replaced_directory_gets_nothing(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item;

        fixture_mkdir(f, "dir");
        item = finished_item(f, "dir/file", "content", 0644, temp);
        assert_int_equal(rename(fixture_path2(f, "dir"), fixture_path2(f, "old")), 0);
        assert_int_equal(item_now(f, files_publish, &item), -ENOENT);
        fixture_mkdir(f, "dir");
        assert_int_equal(item_now(f, files_publish_check, &item), -ESTALE);
        assert_int_equal(item_now(f, files_publish, &item), -ESTALE);
        assert_int_equal(fixture_count(f, "dir"), 0);
}

static void the_dry_run_sees_a_read_only_mount(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item;

        fixture_mount(f, "ro", "dosvc-test", "tmpfs", 0, "size=1m,mode=0755");
        item = finished_item(f, "ro/file", "content", 0644, temp);
        wait_for_all(f); /* an open file would keep it writable */
        assert_int_equal(mount("dosvc-test", fixture_path(f, "ro"), "tmpfs", MS_REMOUNT | MS_RDONLY, ""), 0);
        assert_int_equal(item_now(f, files_publish_check, &item), -EROFS);
        assert_int_equal(item_now(f, files_publish, &item), -EROFS);
        assert_int_equal(mount("dosvc-test", fixture_path(f, "ro"), "tmpfs", MS_REMOUNT, ""), 0);
        assert_int_equal(item_now(f, files_publish, &item), 0);
}

static void a_list_over_several_mounts_keeps_its_order(void **state) {
        struct fixture *f = *state;
        char temps[3][FILES_TEMP_NAME_MAX];
        struct files_item items[3];
        int errors[3];

        fixture_mount(f, "one", "dosvc-test", "tmpfs", 0, "size=1m,mode=0755");
        fixture_mount(f, "two", "dosvc-test", "tmpfs", 0, "size=1m,mode=0755");
        items[0] = finished_item(f, "two/file", "0", 0644, temps[0]);
        items[1] = finished_item(f, "one/file", "1", 0644, temps[1]);
        items[2] = finished_item(f, "file", "2", 0644, temps[2]);
        fixture_write(f, "one/file", "foreign");
        assert_int_equal(list_now(f, files_publish, items, 3, errors), 0);
        assert_int_equal(errors[0], 0);
        assert_int_equal(errors[1], -EEXIST);
        assert_int_equal(errors[2], 0);
        assert_content(f, "two/file", "0");
        assert_content(f, "file", "2");
}

static void an_empty_list_is_answered(void **state) {
        struct fixture *f = *state;

        assert_int_equal(list_now(f, files_publish, NULL, 0, NULL), 0);
        assert_int_equal(list_now(f, files_remove, NULL, 0, NULL), 0);
}

static void a_list_with_a_bad_name_is_refused_as_a_whole(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item items[2] = {
                finished_item(f, "file", "content", 0644, temp),
                { .path = "relative", .temp_name = "" },
        };

        assert_int_equal(list_now(f, files_publish, items, 2, NULL), -EINVAL);
        items[1] = items[0];
        items[1].temp_name = "file";
        assert_int_equal(list_now(f, files_remove, items, 2, NULL), -EINVAL);
        assert_content(f, temp, "content");
}

/* ---- remove ---- */

static void remove_unlinks_our_temp_file_once(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0644, temp);

        fixture_write(f, "file", "foreign");
        assert_int_equal(item_now(f, files_remove, &item), 0);
        assert_false(fixture_exists(f, temp));
        assert_content(f, "file", "foreign");
        assert_int_equal(item_now(f, files_remove, &item), 0);
        item.temp_name = "";
        assert_int_equal(item_now(f, files_remove, &item), 0);
}

static void remove_leaves_what_is_not_ours(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0644, temp);

        assert_int_equal(rename(fixture_path2(f, temp), fixture_path2(f, "aside")), 0);
        fixture_write(f, temp, "foreign");
        assert_int_equal(item_now(f, files_remove, &item), -ESTALE);
        assert_content(f, temp, "foreign");
        assert_int_equal(unlink(fixture_path(f, temp)), 0);
        assert_int_equal(symlink("aside", fixture_path(f, temp)), 0);
        assert_int_equal(item_now(f, files_remove, &item), -ESTALE);
        assert_true(fixture_exists(f, temp));
        assert_true(fixture_exists(f, "aside"));
}

static void a_temp_file_that_was_never_recorded_is_removed_by_its_name(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "file", "content", 0644, temp);

        item.temp = (struct files_identity) {};
        assert_int_equal(item_now(f, files_publish, &item), -ESTALE); /* but never published so */
        assert_int_equal(link(fixture_path2(f, temp), fixture_path2(f, "second")), 0);
        assert_int_equal(item_now(f, files_remove, &item), -ESTALE);
        assert_int_equal(unlink(fixture_path(f, "second")), 0);
        if (geteuid() == 0) {
                assert_int_equal(chown(fixture_path(f, temp), 65533, 65533), 0);
                assert_int_equal(item_now(f, files_remove, &item), -ESTALE);
                assert_int_equal(chown(fixture_path(f, temp), 0, 0), 0);
        }
        assert_int_equal(item_now(f, files_remove, &item), 0);
        assert_int_equal(item_now(f, files_remove, &item), 0);
        assert_int_equal(fixture_count(f, ""), 0);
        assert_int_equal(symlink("elsewhere", fixture_path(f, temp)), 0);
        assert_int_equal(item_now(f, files_remove, &item), -ESTALE);
        assert_true(fixture_exists(f, temp));
}

static void a_temp_file_that_went_with_its_directory_is_removed(void **state) {
        struct fixture *f = *state;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item;

        fixture_mkdir(f, "dir");
        item = finished_item(f, "dir/file", "content", 0644, temp);
        assert_int_equal(rename(fixture_path2(f, "dir"), fixture_path2(f, "old")), 0);
        assert_int_equal(item_now(f, files_remove, &item), 0);
        assert_int_equal(fixture_count(f, "old"), 1);
}

/* Where one may write and search, but not read; what is there, then what is not. */
static int remove_from_drop_box(struct fixture *f) {
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item = finished_item(f, "box/file", "content", 0644, temp);
        int r = item_now(f, files_remove, &item);

        if (r == 0)
                r = item_now(f, files_remove, &item);
        item.temp = (struct files_identity) {}; /* as before the file is made */
        if (r == 0)
                r = item_now(f, files_remove, &item);
        wait_for_all(f);
        return r;
}

static void a_directory_that_cannot_be_read_can_be_removed_from(void **state) {
        struct fixture *f = *state;

        fixture_mkdir(f, "box");
        assert_int_equal(chmod(fixture_path(f, "box"), 0733), 0);
        assert_int_equal(as_nobody(f, remove_from_drop_box), 0);
        assert_int_equal(fixture_count(f, "box"), 0);
}

/* ---- sweep ---- */

static void the_janitor_takes_only_old_forgotten_files_of_ours(void **state) {
        static const char old[] = ".dosvc-AAAAAAAAAAAAAAAAAAAAAA.part";
        static const char known[] = ".dosvc-BBBBBBBBBBBBBBBBBBBBBB.part";
        static const char young[] = ".dosvc-CCCCCCCCCCCCCCCCCCCCCC.part";
        static const char linked[] = ".dosvc-DDDDDDDDDDDDDDDDDDDDDD.part";
        static const char link_name[] = ".dosvc-EEEEEEEEEEEEEEEEEEEEEE.part";
        static const char foreign[] = ".dosvc-FFFFFFFFFFFFFFFFFFFFFF.part";
        static const char directory[] = ".dosvc-GGGGGGGGGGGGGGGGGGGGGG.part";
        static const char other[] = ".dosvc-short.part";
        static const char *const known_names[] = { "zzz", known, "aaa" };
        const struct timespec long_ago[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
        struct fixture *f = *state;
        const char *directories[3];
        struct files_sweep_request request = {
                .directories = directories,
                .n_directories = 3,
                .known_names = known_names,
                .n_known_names = ELEMENTSOF(known_names),
                .min_age_usec = 7 * USEC_PER_DAY,
                .now_usec = clock_now(&clock_system, CLOCK_ID_REALTIME),
        };
        const char *const made[] = { old, known, young, linked, foreign, other };
        bool can_give = geteuid() == 0;
        char name[64];

        fixture_mkdir(f, "dir");
        for (size_t i = 0; i < ELEMENTSOF(made); i++) {
                (void) snprintf(name, sizeof(name), "dir/%s", made[i]);
                fixture_write(f, name, "x");
                if (made[i] != young)
                        assert_int_equal(utimensat(AT_FDCWD, fixture_path(f, name), long_ago, 0), 0);
                if (made[i] == foreign && can_give)
                        assert_int_equal(chown(fixture_path(f, name), 65533, 65533), 0);
                if (made[i] == linked)
                        assert_int_equal(link(fixture_path2(f, name), fixture_path2(f, "dir/second")), 0);
        }
        (void) snprintf(name, sizeof(name), "dir/%s", link_name);
        assert_int_equal(symlink("second", fixture_path(f, name)), 0);
        (void) snprintf(name, sizeof(name), "dir/%s", directory);
        fixture_mkdir(f, name);

        directories[0] = fixture_path2(f, "missing");
        directories[1] = fixture_path2(f, "dir");
        directories[2] = f->root;
        assert_int_equal(sweep_now(f, &request), can_give ? 1 : 2);
        assert_false(fixture_exists(f, "dir/.dosvc-AAAAAAAAAAAAAAAAAAAAAA.part"));
        assert_int_equal(fixture_count(f, "dir"), can_give ? 8 : 7);
        assert_int_equal(sweep_now(f, &request), 0);
        request.n_directories = 0;
        assert_int_equal(sweep_now(f, &request), 0);
}

static void a_clock_that_jumped_back_sweeps_nothing(void **state) {
        struct fixture *f = *state;
        const char *directories[] = { f->root };
        struct files_sweep_request request = { .directories = directories, .n_directories = 1,
                                               .min_age_usec = 7 * USEC_PER_DAY, .now_usec = USEC_PER_DAY };

        fixture_write(f, ".dosvc-AAAAAAAAAAAAAAAAAAAAAA.part", "x");
        assert_int_equal(sweep_now(f, &request), 0);
        assert_int_equal(fixture_count(f, ""), 1);
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                FIXTURE_TEST(a_finished_file_gets_its_name),
                FIXTURE_TEST(publishing_twice_is_publishing_once),
                FIXTURE_TEST(a_publish_that_was_cut_half_way_is_finished),
                FIXTURE_TEST(a_crash_between_link_and_unlink_is_mended),
                FIXTURE_TEST(the_dry_run_of_many_finds_what_that_of_one_finds),
                FIXTURE_TEST(one_conflict_does_not_stop_the_others),
                FIXTURE_TEST(what_is_no_regular_file_is_never_replaced),
                FIXTURE_TEST(a_replaced_file_hands_on_its_mode),
                FIXTURE_TEST(a_file_that_its_owner_cannot_open_is_opened_to_be_handed_a_mode),
                FIXTURE_TEST(a_replaced_file_of_another_owner_hands_on_nothing),
                FIXTURE_TEST(a_replaced_file_hands_on_its_acl),
                FIXTURE_TEST(an_inherited_acl_yields_to_the_replaced_files_mode),
                FIXTURE_TEST(a_replaced_file_hands_on_its_group),
                FIXTURE_TEST(a_time_given_late_is_set),
                FIXTURE_TEST(another_inode_under_the_temp_name_is_never_published),
                FIXTURE_TEST(a_replaced_directory_gets_nothing),
                FIXTURE_TEST(the_dry_run_sees_a_read_only_mount),
                FIXTURE_TEST(a_list_over_several_mounts_keeps_its_order),
                FIXTURE_TEST(an_empty_list_is_answered),
                FIXTURE_TEST(a_list_with_a_bad_name_is_refused_as_a_whole),
                FIXTURE_TEST(remove_unlinks_our_temp_file_once),
                FIXTURE_TEST(remove_leaves_what_is_not_ours),
                FIXTURE_TEST(a_temp_file_that_was_never_recorded_is_removed_by_its_name),
                FIXTURE_TEST(a_temp_file_that_went_with_its_directory_is_removed),
                FIXTURE_TEST(a_directory_that_cannot_be_read_can_be_removed_from),
                FIXTURE_TEST(the_janitor_takes_only_old_forgotten_files_of_ours),
                FIXTURE_TEST(a_clock_that_jumped_back_sweeps_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
