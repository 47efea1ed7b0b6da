/* The real sealer: its key file, and that what was changed or moved does not open. */
#include "../unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/key_sealer.h"

static char folder[64], credentials[80];

static int set_up(void **state _unused_) {
        strcpy(folder, "/tmp/dosvc-sealer-XXXXXX");
        assert_non_null(mkdtemp(folder));
        snprintf(credentials, sizeof(credentials), "%s/credentials", folder);
        assert_int_equal(mkdir(credentials, 0700), 0);
        return 0;
}

static int remove_entry(const char *path, const struct stat *st _unused_, int flag _unused_, struct FTW *ftw _unused_) {
        return remove(path);
}

static int tear_down(void **state _unused_) {
        assert_int_equal(nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
        return 0;
}

static void write_key(const char *directory, const char *content, size_t size) {
        char path[128];
        int fd;

        snprintf(path, sizeof(path), "%s/" KEY_FILE_NAME, directory);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, content, size), size);
        assert_int_equal(close(fd), 0);
}

static struct sealer *open_sealer(const char *credentials_dir, bool expect_made) {
        struct sealer *sealer;
        bool made;

        assert_int_equal(key_sealer_new(folder, credentials_dir, &made, &sealer), 0);
        assert_int_equal(made, expect_made);
        return sealer;
}

static void assert_opens(const struct sealer *sealer, const char *place, const uint8_t *blob, size_t size, const char *text) {
        char *opened;
        size_t n;

        assert_int_equal(sealer->open(sealer, place, strlen(place), blob, size, &opened, &n), 0);
        assert_int_equal(n, strlen(text));
        assert_string_equal(opened, text);
        free(opened);
}

static void assert_closed(const struct sealer *sealer, const char *place, const uint8_t *blob, size_t size) {
        char *opened;
        size_t n;

        assert_int_equal(sealer->open(sealer, place, strlen(place), blob, size, &opened, &n), -EBADMSG);
}

static uint8_t *seal(const struct sealer *sealer, const char *place, const char *text, size_t *ret_size) {
        uint8_t *blob;

        assert_int_equal(sealer->seal(sealer, place, strlen(place), text, strlen(text), &blob, ret_size), 0);
        return blob;
}

static void what_was_sealed_opens_in_the_next_run(void **state _unused_) {
        struct sealer *sealer = open_sealer(NULL, true);
        size_t size;
        uint8_t *blob = seal(sealer, "here", "a secret", &size);

        assert_null(memmem(blob, size, "secret", 6));
        key_sealer_free(sealer);
        sealer = open_sealer(NULL, false);
        assert_opens(sealer, "here", blob, size, "a secret");
        key_sealer_free(sealer);
        free(blob);
}

static void any_changed_byte_any_cut_and_any_other_place_keep_it_closed(void **state _unused_) {
        struct sealer *sealer = open_sealer(NULL, true);
        size_t size;
        uint8_t *blob = seal(sealer, "here", "a secret", &size);

        for (size_t i = 0; i < size; i++) {
                blob[i] ^= 1;
                assert_closed(sealer, "here", blob, size);
                blob[i] ^= 1;
                assert_closed(sealer, "here", blob, i);
        }
        assert_closed(sealer, "there", blob, size);
        assert_opens(sealer, "here", blob, size, "a secret");
        free(blob);
        key_sealer_free(sealer);
}

static void the_same_text_is_never_sealed_alike(void **state _unused_) {
        struct sealer *sealer = open_sealer(NULL, true);
        size_t n, m;
        uint8_t *a = seal(sealer, "p", "text", &n), *b = seal(sealer, "p", "text", &m);

        assert_int_equal(n, m);
        assert_memory_not_equal(a, b, n);
        free(a);
        free(b);
        key_sealer_free(sealer);
}

static void the_key_file_is_private_also_when_it_was_not(void **state _unused_) {
        char path[128];
        struct stat st;

        key_sealer_free(open_sealer(NULL, true));
        snprintf(path, sizeof(path), "%s/" KEY_FILE_NAME, folder);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(chmod(path, 0644), 0);
        key_sealer_free(open_sealer(NULL, false));
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_credential_goes_before_the_key_file(void **state _unused_) {
        char content[KEY_BYTES_MIN + 1] = "0123456789abcdef0123456789abcdef";
        struct sealer *sealer;
        size_t size;
        uint8_t *blob;

        write_key(credentials, content, KEY_BYTES_MIN);
        sealer = open_sealer(credentials, false);
        blob = seal(sealer, "p", "text", &size);
        key_sealer_free(sealer);
        sealer = open_sealer(NULL, true); /* another key */
        assert_closed(sealer, "p", blob, size);
        key_sealer_free(sealer);
        sealer = open_sealer(credentials, false);
        assert_opens(sealer, "p", blob, size, "text");
        key_sealer_free(sealer);
        free(blob);
}

static void a_key_that_is_too_short_too_long_or_no_file_is_refused(void **state _unused_) {
        char content[KEY_BYTES_MAX + 1] = {}, path[128];
        struct sealer *sealer;
        bool made;

        write_key(folder, content, KEY_BYTES_MIN - 1);
        assert_int_equal(key_sealer_new(folder, NULL, &made, &sealer), -EBADMSG);
        write_key(folder, content, KEY_BYTES_MAX + 1);
        assert_int_equal(key_sealer_new(folder, NULL, &made, &sealer), -EBADMSG);
        write_key(folder, content, KEY_BYTES_MAX);
        key_sealer_free(open_sealer(NULL, false));
        snprintf(path, sizeof(path), "%s/" KEY_FILE_NAME, folder);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(key_sealer_new(folder, NULL, &made, &sealer), -EPERM);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_was_sealed_opens_in_the_next_run, set_up, tear_down),
                cmocka_unit_test_setup_teardown(any_changed_byte_any_cut_and_any_other_place_keep_it_closed, set_up, tear_down),
                cmocka_unit_test_setup_teardown(the_same_text_is_never_sealed_alike, set_up, tear_down),
                cmocka_unit_test_setup_teardown(the_key_file_is_private_also_when_it_was_not, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_credential_goes_before_the_key_file, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_key_that_is_too_short_too_long_or_no_file_is_refused, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
