/* What needs no file system: paths, temp names, identities, the mount table. */
#include "../unit.h"

#include <string.h>

#include "files/files.h"
#include "files/mounts.h"
#include "files/paths.h"

static void a_path_must_be_absolute_and_name_a_file(void **state) {
        assert_int_equal(files_path_check("/tmp/file"), 0);
        assert_int_equal(files_path_check("/file"), 0);
        assert_int_equal(files_path_check("/a//b/./c"), 0);
        assert_int_equal(files_path_check("/a/.hidden"), 0);
        assert_int_equal(files_path_check("/a/..."), 0);
        assert_int_equal(files_path_check(""), -EINVAL);
        assert_int_equal(files_path_check("file"), -EINVAL);
        assert_int_equal(files_path_check("./file"), -EINVAL);
        assert_int_equal(files_path_check("/"), -EINVAL);
        assert_int_equal(files_path_check("/tmp/"), -EINVAL);
        assert_int_equal(files_path_check("/tmp/."), -EINVAL);
        assert_int_equal(files_path_check("/tmp/.."), -EINVAL);
}

static void a_path_or_a_component_that_is_too_long_is_refused(void **state) {
        char path[LIMIT_PATH + 3];

        memset(path, 'x', sizeof(path));
        path[0] = '/';
        path[1 + LIMIT_NAME] = 0;
        assert_int_equal(files_path_check(path), 0);
        path[1 + LIMIT_NAME] = 'x';
        path[2 + LIMIT_NAME] = 0;
        assert_int_equal(files_path_check(path), -ENAMETOOLONG);
        path[2 + LIMIT_NAME] = '/';
        path[3 + LIMIT_NAME] = 'a';
        path[4 + LIMIT_NAME] = 0;
        assert_int_equal(files_path_check(path), -ENAMETOOLONG);

        for (size_t i = 0; i < sizeof(path) - 1; i++)
                path[i] = i % 2 ? 'a' : '/';
        path[LIMIT_PATH] = 0; /* ends in a slash */
        assert_int_equal(files_path_check(path), -EINVAL);
        path[LIMIT_PATH - 1] = 'a';
        assert_int_equal(files_path_check(path), 0);
        path[LIMIT_PATH] = 'a';
        path[LIMIT_PATH + 1] = 0;
        assert_int_equal(files_path_check(path), -ENAMETOOLONG);
}

static void nobody_downloads_to_a_name_that_the_janitor_takes_for_ours(void **state) {
        assert_int_equal(files_path_check("/tmp/.dosvc-ABCDEFGHIJKLMNOPQRSTUV.part"), -EINVAL);
        assert_int_equal(files_path_check("/tmp/.dosvc-ABCDEFGHIJKLMNOPQRSTU.part"), 0);
        assert_int_equal(files_path_check("/tmp/.dosvc-ABCDEFGHIJKLMNOPQRSTUVW.part"), 0);
        assert_int_equal(files_path_check("/tmp/.dosvc-ABCDEFGHIJKLMNOPQRSTUV.par"), 0);
}

static void temp_names_are_well_formed_and_never_alike(void **state) {
        char names[64][FILES_TEMP_NAME_MAX];

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                assert_int_equal(files_temp_name_new(names[i]), 0);
                assert_int_equal(strlen(names[i]), FILES_TEMP_NAME_MAX - 1);
                assert_true(temp_name_is_valid(names[i]));
                for (size_t j = 0; j < i; j++)
                        assert_string_not_equal(names[i], names[j]);
        }
        assert_false(temp_name_is_valid(".dosvc-../../../etc/passwd/xx.part"));
        assert_false(temp_name_is_valid(""));
        assert_true(temp_name_is_valid(".dosvc-azAZ09-_Aaaaaaaaaaaaaa.part"));
        assert_false(temp_name_is_valid(".dosvc-azAZ09-_Aaaaaaaaaaaaa.part"));   /* one too short */
        assert_false(temp_name_is_valid(".dosvc-azAZ09-_Aaaaaaaaaaaaaaa.part")); /* one too long */
        assert_false(temp_name_is_valid(".dosvc-azAZ09-_Aaaaaaaaaaaaa/.part"));
        assert_false(temp_name_is_valid(".dosvc-"));
}

static void a_path_is_split_at_its_last_slash(void **state) {
        static const char *const rows[][3] = {
                { "/a/b/c", "/a/b", "c" }, { "/c", "/", "c" }, { "/a//c", "/a/", "c" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char *directory = path_directory(rows[i][0]);

                assert_string_equal(directory, rows[i][1]);
                assert_string_equal(path_name(rows[i][0]), rows[i][2]);
                free(directory);
        }
}

static void an_identity_counts_its_device_only_within_one_boot(void **state) {
        const struct files_identity a = { .ino = 7, .dev = 1, .btime_usec = 5, .boot_id = { 1 } };
        struct files_identity b = a;

        assert_true(files_identity_equal(&a, &b));
        b.dev = 2;
        assert_false(files_identity_equal(&a, &b));
        b.boot_id[0] = 2;
        assert_true(files_identity_equal(&a, &b));
        b.btime_usec = 6;
        assert_false(files_identity_equal(&a, &b));
        b.btime_usec = 0; /* a file system without */
        assert_true(files_identity_equal(&a, &b));
        b.ino = 8;
        assert_false(files_identity_equal(&a, &b));
}

static void an_unknown_identity_equals_nothing(void **state) {
        const struct files_identity nobody = {}, somebody = { .ino = 1 };

        assert_false(files_identity_equal(&nobody, &nobody));
        assert_false(files_identity_equal(&nobody, &somebody));
        assert_false(files_identity_equal(&somebody, &nobody));
}

static void the_longest_mount_point_before_a_path_gives_its_lane(void **state) {
        static const char table[] =
                "20 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
                "21 20 0:20 / /home rw - nfs4 server:/home rw\n"
                "22 21 0:21 / /home/user/mnt rw shared:1 master:2 - fuse x rw\n"
                "23 20 0:22 / /mnt/with\\040space\\134and\\011tab rw - tmpfs t rw\n"
                "24 20 0:23 / /over rw - tmpfs below rw\n"
                "25 24 0:24 / /over rw - tmpfs above rw\n"
                "a line that is none\n";
        static const struct {
                const char *path;
                uint64_t id;
        } rows[] = {
                { "/etc/passwd", 20 },      { "/", 20 },
                { "/home/user/file", 21 },  { "/home", 21 },
                { "/homes/file", 20 },      { "/home/user/mnt/a/b", 22 },
                { "/home/user/mntx", 21 },  { "/home//user/./mnt/a", 22 },
                { "/home/../etc/x", 20 },   { "/../../home/x", 21 },
                { "/over/x", 25 },          { "/mnt/with space\\and\ttab/x", 23 },
                { "/mnt/with space/x", 20 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                assert_int_equal(mounts_parse_and_find(table, rows[i].path), rows[i].id);
        assert_int_equal(mounts_parse_and_find("", "/etc"), 0);
}

static void a_mount_keeps_its_lanes_for_ever(void **state) {
        struct mount *proc, *again, *root;
        struct mounts *mounts;

        assert_int_equal(mounts_new(&mounts), 0);
        assert_int_equal(mounts_find(mounts, "/proc/self/x", &proc), 0);
        assert_int_equal(mounts_find(mounts, "/x", &root), 0);
        assert_int_equal(mounts_find(mounts, "/proc/1/x", &again), 0);
        assert_ptr_equal(proc, again);
        assert_ptr_not_equal(proc, root);
        assert_ptr_not_equal(mount_lane(proc, LANE_NAMES), mount_lane(proc, LANE_SYNC));
        mounts_free(mounts);
}

static void a_directory_behind_a_link_moves_to_its_real_lane_once_that_is_known(void **state) {
        struct mount *before, *after, *proc, *deeper;
        struct mounts *mounts;

        assert_int_equal(mounts_new(&mounts), 0);
        assert_int_equal(mounts_find(mounts, "/proc/x", &proc), 0);
        assert_int_equal(mounts_find(mounts, "/link/dir/file", &before), 0);
        assert_ptr_not_equal(before, proc);
        mounts_learn(mounts, "/link/dir", proc->id);
        assert_int_equal(mounts_find(mounts, "/link/dir/other", &after), 0);
        assert_ptr_equal(after, proc);
        assert_int_equal(mounts_find(mounts, "/link/dir/sub/file", &deeper), 0);
        assert_ptr_equal(deeper, before);
        mounts_free(mounts);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_path_must_be_absolute_and_name_a_file),
                cmocka_unit_test(a_path_or_a_component_that_is_too_long_is_refused),
                cmocka_unit_test(nobody_downloads_to_a_name_that_the_janitor_takes_for_ours),
                cmocka_unit_test(temp_names_are_well_formed_and_never_alike),
                cmocka_unit_test(a_path_is_split_at_its_last_slash),
                cmocka_unit_test(an_identity_counts_its_device_only_within_one_boot),
                cmocka_unit_test(an_unknown_identity_equals_nothing),
                cmocka_unit_test(the_longest_mount_point_before_a_path_gives_its_lane),
                cmocka_unit_test(a_mount_keeps_its_lanes_for_ever),
                cmocka_unit_test(a_directory_behind_a_link_moves_to_its_real_lane_once_that_is_known),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
