/* dosvc encrypt, decrypt: makes what a server has of a file that travels encrypted, and looks at it again. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE_DEFAULT (64 * 1024)
#define SUFFIX ".enc"

typedef int32_t (*convert_fn)(const char *path, const char *output, const char *decryption_info, int replace);

/* A key of its own, for nobody else to read. */
static int make_key(const struct arguments *arguments, const char *file) {
        char info[DOSVC_DECRYPTION_INFO_SIZE];
        const char *mode = option_given(arguments, OPTION_MODE) ? arguments->values[OPTION_MODE] : NULL;
        int32_t hr = dosvc_make_decryption_info(mode, BUFFER_SIZE_DEFAULT, info);
        bool written;
        int fd;

        if (hr < 0)
                return report_failure(NULL, hr, "make a key");
        fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0) {
                explicit_bzero(info, sizeof(info));
                report("encrypt: cannot write %s: %m%s", file, errno == EEXIST ? "; leave --new-key out to use the key in it" : "");
                return EXIT_LOCAL_FILE;
        }
        written = dprintf(fd, "%s\n", info) > 0 && fsync(fd) == 0;
        explicit_bzero(info, sizeof(info));
        if (close(fd) == 0 && written)
                return EXIT_DONE;
        report("encrypt: cannot write %s: %m", file);
        (void) unlink(file);
        return EXIT_LOCAL_FILE;
}

/* FILE becomes FILE.enc, and that FILE again. */
static char *make_output(const struct arguments *arguments, const char *file, bool encrypts) {
        size_t n = strlen(file), n_suffix = strlen(SUFFIX);

        if (option_given(arguments, OPTION_OUTPUT))
                return must_printf("%s", arguments->values[OPTION_OUTPUT]);
        if (encrypts)
                return must_printf("%s" SUFFIX, file);
        if (n > n_suffix && strcmp(file + n - n_suffix, SUFFIX) == 0)
                return must_printf("%.*s", (int) (n - n_suffix), file);
        return NULL;
}

static int show_file(const char *file, const char *output, json_t *results) {
        struct stat st;
        json_t *object;

        if (stat(output, &st) < 0) {
                report("cannot look at %s: %m", output);
                return EXIT_LOCAL_FILE;
        }
        if (!results) {
                printf("%s: %" PRIu64 " bytes\n", output, (uint64_t) st.st_size);
                return EXIT_DONE;
        }
        object = must(json_object());
        json_object_set_new(object, "file", json_of_text(file));
        json_object_set_new(object, "output", json_of_text(output));
        json_object_set_new(object, "size", json_integer((json_int_t) st.st_size));
        json_array_append_new(results, object);
        return EXIT_DONE;
}

static int convert_one(const struct arguments *arguments, const char *file, const char *info, bool encrypts, json_t *results) {
        const char *verb = arguments->command->name;
        convert_fn convert = encrypts ? dosvc_encrypt_file : dosvc_decrypt_file;
        _cleanup_(freep) char *output = make_output(arguments, file, encrypts), *what = NULL;
        int32_t hr;

        if (!output) {
                report("%s: %s does not end in " SUFFIX "; say with --output where the content goes", verb, file);
                return EXIT_USAGE;
        }
        hr = convert(file, output, info, option_given(arguments, OPTION_REPLACE));
        if (hr == 0)
                return show_file(file, output, results);
        what = must_printf("%s %s", verb, file);
        return report_failure(NULL, hr, what);
}

static int convert_all(const struct arguments *arguments, bool encrypts) {
        const char *verb = arguments->command->name;
        char *info = NULL;
        json_t *results;
        int code = EXIT_DONE;

        if (!option_given(arguments, OPTION_KEY_FILE)) {
                report("%s: which key? --key-file FILE%s", verb, encrypts ? ", with --new-key if it is to be made" : "");
                return EXIT_USAGE;
        }
        if (option_given(arguments, OPTION_OUTPUT) && arguments->n_operands > 1) {
                report("%s: --output wants exactly one file, there are %d", verb, arguments->n_operands);
                return EXIT_USAGE;
        }
        if (option_given(arguments, OPTION_MODE) && !option_given(arguments, OPTION_NEW_KEY)) {
                report("%s: the key says the mode; --mode goes with --new-key", verb);
                return EXIT_USAGE;
        }
        if (option_given(arguments, OPTION_NEW_KEY))
                code = make_key(arguments, arguments->values[OPTION_KEY_FILE]);
        if (code == EXIT_DONE)
                code = read_key_file(arguments->values[OPTION_KEY_FILE], &info);
        if (code)
                return code;
        results = option_given(arguments, OPTION_JSON) ? must(json_array()) : NULL;
        for (int i = 0; i < arguments->n_operands && code == EXIT_DONE; i++)
                code = convert_one(arguments, arguments->operands[i], info, encrypts, results);
        free_secret(info);
        if (results && code == EXIT_DONE)
                return json_print(results, false);
        json_decref(results);
        return code;
}

int command_encrypt(const struct arguments *arguments) {
        return convert_all(arguments, true);
}

int command_decrypt(const struct arguments *arguments) {
        return convert_all(arguments, false);
}
