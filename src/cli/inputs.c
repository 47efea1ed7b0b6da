#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define INTEGRITY_INFO_MAX 16384 /* bytes; as the service takes it */
#define DECRYPTION_INFO_MAX 4096 /* likewise */

void inputs_done(struct inputs *inputs) {
        for (size_t i = 0; i < inputs->n_entries; i++)
                list_entry_done(&inputs->entries[i]);
        for (size_t i = 0; inputs->paths && i < inputs->n_specs; i++)
                free(inputs->paths[i]);
        free_secret(inputs->decryption_info);
        free(inputs->entries);
        free(inputs->paths);
        free(inputs->specs);
        *inputs = (struct inputs) { 0 };
}

/* In a URL of the command line, or in one of the mirrors. */
static bool is_password_given(const struct arguments *arguments, int first) {
        _cleanup_(freep) char *mirrors = text(arguments->values[OPTION_MIRROR]);
        char *rest = mirrors;

        for (int i = first; i < arguments->n_operands; i++)
                if (url_has_password(arguments->operands[i]))
                        return true;
        for (const char *mirror; (mirror = strsep(&rest, " "));)
                if (url_has_password(mirror))
                        return true;
        return false;
}

/* URLs of the command line first, then those of the list, as entries. */
static int collect_entries(const struct arguments *arguments, int first, struct inputs *inputs) {
        _cleanup_(freep) char *problem = NULL;
        size_t n = (size_t)(arguments->n_operands - first);
        struct list_entry *listed = NULL;
        size_t n_listed = 0;
        int r;

        if (is_password_given(arguments, first)) {
                report("a password in the command line can be read by everybody on this machine; put the URL into a list: -i LIST, or -i - for stdin");
                return EXIT_USAGE;
        }
        if (option_given(arguments, OPTION_INPUT)) {
                r = list_read(arguments->values[OPTION_INPUT], &listed, &n_listed, &problem);
                if (r < 0) {
                        for (size_t i = 0; i < n_listed; i++)
                                list_entry_done(&listed[i]);
                        free(listed);
                        report("%s", problem);
                        return r == -EINVAL ? EXIT_USAGE : EXIT_LOCAL_FILE;
                }
        }
        inputs->entries = must(calloc(n + n_listed + 1, sizeof(*inputs->entries)));
        inputs->n_entries = n + n_listed;
        for (size_t i = 0; i < n; i++)
                inputs->entries[i].url = must_printf("%s", arguments->operands[first + (int) i]);
        if (n_listed)
                memcpy(inputs->entries + n, listed, n_listed * sizeof(*listed));
        free(listed);
        if (inputs->n_entries > 0)
                return EXIT_DONE;
        report("there is no URL; give one or more, or a list with -i");
        return EXIT_USAGE;
}

/* The text itself, or the name of a file that holds it. NULL: reported. */
static char *read_integrity(const char *given) {
        _cleanup_(freep) char *text = must(calloc(1, INTEGRITY_INFO_MAX + 1));
        FILE *f;

        if (*given == '{')
                return must_printf("%s", given);
        f = fopen(given, "re");
        if (!f) {
                report("cannot read --integrity %s: %m", given);
                return NULL;
        }
        if (fread(text, 1, INTEGRITY_INFO_MAX + 1, f) > INTEGRITY_INFO_MAX) {
                report("--integrity %s is no IntegrityCheckInfo: it is longer than %d bytes", given, INTEGRITY_INFO_MAX);
                freep(&text);
                text = NULL;
        }
        (void) fclose(f);
        return TAKE_PTR(text);
}

void free_secret(char *text) {
        if (text)
                explicit_bzero(text, strlen(text));
        free(text);
}

int read_key_file(const char *path, char **ret) {
        FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
        char text[DECRYPTION_INFO_MAX + 1];
        int code = EXIT_LOCAL_FILE;
        size_t size;

        if (!f) {
                report("cannot read --key-file %s: %m", path);
                return code;
        }
        (void) setvbuf(f, NULL, _IONBF, 0); /* no copy of it in a buffer that nobody wipes */
        size = fread(text, 1, sizeof(text), f);
        if (ferror(f))
                report("cannot read --key-file %s: %m", path);
        else if (size == 0 || size == sizeof(text) || memchr(text, 0, size))
                report("--key-file %s is no DecryptionInfo: it is no text of 1 to %d bytes", path, DECRYPTION_INFO_MAX);
        else {
                *ret = must_printf("%.*s", (int) size, text);
                code = EXIT_DONE;
        }
        explicit_bzero(text, sizeof(text));
        if (f != stdin)
                (void) fclose(f);
        return code;
}

static int apply_single_options(const struct arguments *arguments, struct inputs *inputs) {
        static const enum option_id for_one_url[] = { OPTION_OUTPUT, OPTION_SHA256, OPTION_SIZE, OPTION_MIRROR, OPTION_INTEGRITY };
        struct list_entry *entry = inputs->entries;

        for (size_t i = 0; i < ELEMENTSOF(for_one_url); i++)
                if (option_given(arguments, for_one_url[i]) && inputs->n_entries != 1) {
                        report("--%s wants exactly one URL, there are %zu", option_rows[for_one_url[i]].name, inputs->n_entries);
                        return EXIT_USAGE;
                }
        if (option_given(arguments, OPTION_OUTPUT)) {
                const char *out = arguments->values[OPTION_OUTPUT];

                if (!*out || strcmp(out, "-") == 0) {
                        report(*out ? "the service cannot write to this program's stdout; give --output the name of a file"
                                    : "--output wants the name of a file");
                        return EXIT_USAGE;
                }
                free(entry->out);
                entry->out = must_printf("%s", out);
        }
        if (option_given(arguments, OPTION_SHA256)) {
                if (parse_sha256(arguments->values[OPTION_SHA256], entry->sha256) < 0) {
                        report("--sha256 wants 64 hexadecimal digits, not \"%s\"", arguments->values[OPTION_SHA256]);
                        return EXIT_USAGE;
                }
                entry->has_sha256 = true;
        }
        if (option_given(arguments, OPTION_MIRROR)) {
                free(entry->mirrors);
                entry->mirrors = must_printf("%s", arguments->values[OPTION_MIRROR]);
                for (char *p = entry->mirrors; *p; p++)
                        *p = *p == ' ' ? '\n' : *p;
        }
        if (option_given(arguments, OPTION_INTEGRITY)) {
                entry->integrity_info = read_integrity(arguments->values[OPTION_INTEGRITY]);
                if (!entry->integrity_info)
                        return EXIT_LOCAL_FILE;
        }
        return EXIT_DONE;
}

/* What is no URL at all; the service knows the rest. */
static int check_urls(const struct list_entry *entry) {
        if (!strstr(entry->url, "://")) {
                report("\"%s\" is no URL: it must begin with http:// or https://; the name of a list goes with -i", entry->url);
                return EXIT_USAGE;
        }
        for (const char *mirror = entry->mirrors; mirror && *mirror;) {
                _cleanup_(freep) char *url = must_printf("%.*s", (int) strcspn(mirror, "\n"), mirror);

                if (*url && !strstr(url, "://")) {
                        report("the mirror %s is no URL: it must begin with http:// or https://", url);
                        return EXIT_USAGE;
                }
                mirror += strlen(url);
                mirror += *mirror == '\n';
        }
        return EXIT_DONE;
}

static int make_path(const struct list_entry *entry, const char *directory, char **ret) {
        _cleanup_(freep) char *name = NULL;
        const char *why;
        int code;

        code = check_urls(entry);
        if (code)
                return code;
        if (entry->out && *entry->out && entry->out[strlen(entry->out) - 1] == '/') {
                report("%s is the name of a directory: -d DIR puts files into one; -o, and out= in a list, name a file", entry->out);
                return EXIT_USAGE;
        }
        if (!entry->out && name_from_url(entry->url, &name, &why) < 0) {
                report("cannot make a file name of %s: %s; say one with -o FILE (out=FILE in a list)", entry->url, why);
                return EXIT_USAGE;
        }
        *ret = path_make_absolute(directory, entry->out ? entry->out : name);
        if (*ret)
                return EXIT_DONE;
        report("cannot find the working directory: %m; give absolute names");
        return EXIT_LOCAL_FILE;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static int check_names_differ(const struct inputs *inputs) {
        _cleanup_(freep) char **sorted = must(calloc(inputs->n_specs, sizeof(*sorted)));

        memcpy(sorted, inputs->paths, inputs->n_specs * sizeof(*sorted));
        qsort(sorted, inputs->n_specs, sizeof(*sorted), compare_names);
        for (size_t i = 1; i < inputs->n_specs; i++)
                if (strcmp(sorted[i - 1], sorted[i]) == 0) {
                        report("two files would have the same name, %s; nothing was begun; name them with out= in a list", sorted[i]);
                        return EXIT_USAGE;
                }
        return EXIT_DONE;
}

int inputs_collect(const struct arguments *arguments, int first, struct inputs *ret) {
        uint64_t size = DOSVC_UNKNOWN;
        int code;

        *ret = (struct inputs) { 0 };
        if (option_given(arguments, OPTION_SIZE) && option_number(arguments, OPTION_SIZE, &size) < 0)
                return EXIT_USAGE;
        code = collect_entries(arguments, first, ret);
        if (code == EXIT_DONE)
                code = apply_single_options(arguments, ret);
        if (code == EXIT_DONE && option_given(arguments, OPTION_KEY_FILE))
                code = read_key_file(arguments->values[OPTION_KEY_FILE], &ret->decryption_info);
        if (code)
                return code;
        ret->n_specs = ret->n_entries;
        ret->paths = must(calloc(ret->n_specs, sizeof(*ret->paths)));
        ret->specs = must(calloc(ret->n_specs, sizeof(*ret->specs)));
        for (size_t i = 0; i < ret->n_specs; i++) {
                const struct list_entry *entry = &ret->entries[i];

                code = make_path(entry, arguments->values[OPTION_DIRECTORY], &ret->paths[i]);
                if (code)
                        return code;
                ret->specs[i] = (dosvc_file_spec) { .size = sizeof(dosvc_file_spec),
                                                    .url = entry->url,
                                                    .path = ret->paths[i],
                                                    .sha256 = entry->has_sha256 ? entry->sha256 : NULL,
                                                    .stated_size = size,
                                                    .mirrors = entry->mirrors,
                                                    .integrity_info = entry->integrity_info,
                                                    .decryption_info = ret->decryption_info,
                                                    .integrity_mandatory = entry->integrity_info &&
                                                                           !option_given(arguments, OPTION_INTEGRITY_OPTIONAL) };
        }
        return check_names_differ(ret);
}
