#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

const struct option_row option_rows[_OPTION_MAX] = {
        [OPTION_INPUT] = { "input", 'i', "LIST", "read more URLs from a file, \"-\" is stdin; lines are URL [sha256=HEX] [mirror=URL]... [out=NAME]" },
        [OPTION_OUTPUT] = { "output", 'o', "FILE", "the destination of the one URL" },
        [OPTION_DIRECTORY] = { "directory", 'd', "DIR", "put the files there; the default is the working directory" },
        [OPTION_SHA256] = { "sha256", 0, "HEX", "the file appears only if its SHA-256 is this; for one URL" },
        [OPTION_MIRROR] = { "mirror", 0, "URLS", "other URLs of the same file, separated by spaces; for one URL" },
        [OPTION_SIZE] = { "size", 0, "BYTES", "the file must have this size; for one URL" },
        [OPTION_INTEGRITY] = { "integrity", 0, "INFO", "the file appears only if each piece has its hash; IntegrityCheckInfo or a file with it" },
        [OPTION_INTEGRITY_OPTIONAL] = { "integrity-optional", 0, NULL, "fetch the file unchecked where its hashes cannot be had" },
        [OPTION_KEY_FILE] = { "key-file", 0, "FILE", "the key of what travels encrypted: a file with a DecryptionInfo, \"-\" is stdin" },
        [OPTION_NEW_KEY] = { "new-key", 0, NULL, "make the key file first" },
        [OPTION_MODE] = { "mode", 0, "WORD", "of a new key: gcm (default) or cbc" },
        [OPTION_PIECE_SIZE] = { "piece-size", 0, "BYTES", "of each piece; the default is 1048576" },
        [OPTION_URL] = { "url", 0, "URL", "where the piece hash file will be served; for one file" },
        [OPTION_REPLACE] = { "replace", 0, NULL, "replace regular files that exist" },
        [OPTION_BACKGROUND] = { "background", 0, NULL, "let foreground jobs go first" },
        [OPTION_DETACH] = { "detach", 0, NULL, "print the job's id and leave; the service finishes alone" },
        [OPTION_QUIET] = { "quiet", 'q', NULL, "show no progress" },
        [OPTION_REMOTE_TIME] = { "remote-time", 0, NULL, "give the files the time that the server states" },
        [OPTION_COMPLETE] = { "complete-when-transferred", 0, NULL, "the service completes the job by itself" },
        [OPTION_PRIORITY] = { "priority", 0, "WORD", "foreground, high, normal (default) or low" },
        [OPTION_FAMILY] = { "family", 0, "WORD", "do or bits; for a list also download" },
        [OPTION_DESCRIPTION] = { "description", 0, "TEXT", "a text that is kept with the job" },
        [OPTION_NO_PROGRESS_TIMEOUT] = { "no-progress-timeout", 0, "SECONDS", "give up after so long without a byte" },
        [OPTION_MINIMUM_RETRY_DELAY] = { "minimum-retry-delay", 0, "SECONDS", "the first wait after a failure that may pass" },
        [OPTION_LIMIT_RATE] = { "limit-rate", 0, "BYTES", "at most so many bytes per second; K, M and G (of 1024) may stand behind it" },
        [OPTION_LINES] = { "lines", 'n', "NUMBER", "show at most so many entries; the default is 100" },
        [OPTION_ALL] = { "all", 'a', NULL, "show every property" },
        [OPTION_ALL_USERS] = { "all-users", 0, NULL, "the jobs of all users; for administrators" },
        [OPTION_RELOAD] = { "reload", 0, NULL, "have the service read its configuration again; for administrators" },
        [OPTION_ONCE] = { "once", 0, NULL, "draw one picture and leave" },
        [OPTION_JSON] = { "json", 0, NULL, "write JSON to stdout" },
        [OPTION_SYSTEM] = { "system", 0, NULL, "talk to the system instance" },
        [OPTION_USER] = { "user", 0, NULL, "talk to the user instance" },
        [OPTION_HELP] = { "help", 'h', NULL, "show help" },
};

int parse_number(const char *s, uint64_t *ret) {
        uint64_t value = 0;

        if (!*s)
                return -EINVAL;
        for (; *s; s++) {
                if (*s < '0' || *s > '9')
                        return -EINVAL;
                if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
                    __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value))
                        return -EINVAL;
        }
        *ret = value;
        return 0;
}

int option_number(const struct arguments *arguments, enum option_id id, uint64_t *ret) {
        if (parse_number(arguments->values[id], ret) == 0)
                return 0;
        report("--%s wants a number, not \"%s\"", option_rows[id].name, arguments->values[id]);
        return -EINVAL;
}

int option_seconds(const struct arguments *arguments, enum option_id id, int64_t *ret) {
        uint64_t value;

        if (!option_given(arguments, id))
                return 0;
        if (option_number(arguments, id, &value) < 0)
                return -EINVAL;
        if (value > UINT32_MAX) {
                report("--%s: %s is too many seconds", option_rows[id].name, arguments->values[id]);
                return -EINVAL;
        }
        *ret = (int64_t) value;
        return 0;
}

int option_rate(const struct arguments *arguments, uint64_t *ret) {
        static const char suffixes[] = "KMG";
        const char *text = arguments->values[OPTION_LIMIT_RATE];
        char digits[24];
        size_t n;
        const char *suffix;
        unsigned shift = 0;

        *ret = 0;
        if (!option_given(arguments, OPTION_LIMIT_RATE))
                return 0;
        n = strlen(text);
        suffix = n > 0 ? strchr(suffixes, toupper((unsigned char) text[n - 1])) : NULL;
        if (suffix && *suffix) {
                shift = 10 * (unsigned) (suffix - suffixes + 1);
                n--;
        }
        if (n < sizeof(digits)) {
                memcpy(digits, text, n);
                digits[n] = 0;
                if (parse_number(digits, ret) == 0 && *ret > 0 && *ret <= (uint64_t) INT64_MAX >> shift) {
                        *ret <<= shift;
                        return 0;
                }
        }
        report("--%s wants bytes per second, as in 500K or 2M, not \"%s\"", option_rows[OPTION_LIMIT_RATE].name, text);
        return -EINVAL;
}

static int hex_value(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

int parse_sha256(const char *hex, unsigned char ret[static 32]) {
        if (strlen(hex) != 64)
                return -EINVAL;
        for (size_t i = 0; i < 32; i++) {
                int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);

                if (high < 0 || low < 0)
                        return -EINVAL;
                ret[i] = (unsigned char)(high << 4 | low);
        }
        return 0;
}

/* What getopt_long() wants, made from the rows that this verb takes. */
static void make_getopt_tables(uint64_t taken, struct option longs[static _OPTION_MAX + 1], char shorts[static 2 * _OPTION_MAX + 2]) {
        *shorts++ = ':'; /* a missing argument is told apart from an unknown option */
        for (int id = 0; id < _OPTION_MAX; id++) {
                const struct option_row *row = &option_rows[id];

                if (!(taken & OPTION_BIT(id)))
                        continue;
                *longs++ = (struct option) { row->name, row->argument ? required_argument : no_argument, NULL, 256 + id };
                if (!row->letter)
                        continue;
                *shorts++ = row->letter;
                if (row->argument)
                        *shorts++ = ':';
        }
        *longs = (struct option) { 0 };
        *shorts = 0;
}

static int option_of_letter(int letter) {
        for (int id = 0; id < _OPTION_MAX; id++)
                if (option_rows[id].letter == letter)
                        return id;
        return -1;
}

static int take_option(struct arguments *arguments, int id, char *value, char **reterr_problem) {
        if (option_given(arguments, (enum option_id) id) && option_rows[id].argument) {
                *reterr_problem = must_printf("--%s is given twice", option_rows[id].name);
                return -EINVAL;
        }
        arguments->given |= OPTION_BIT(id);
        arguments->values[id] = value;
        return 0;
}

static int check_together(const struct arguments *arguments, char **reterr_problem) {
        static const enum option_id never_together[][2] = {
                { OPTION_SYSTEM, OPTION_USER },
                { OPTION_OUTPUT, OPTION_DIRECTORY },
        };

        for (size_t i = 0; i < ELEMENTSOF(never_together); i++)
                if (option_given(arguments, never_together[i][0]) && option_given(arguments, never_together[i][1])) {
                        *reterr_problem = must_printf("--%s and --%s exclude each other", option_rows[never_together[i][0]].name,
                                                      option_rows[never_together[i][1]].name);
                        return -EINVAL;
                }
        return 0;
}

int options_parse(const struct command *command, int argc, char *argv[], struct arguments *ret, char **reterr_problem) {
        struct option longs[_OPTION_MAX + 1];
        char shorts[2 * _OPTION_MAX + 2];
        int c, r;

        make_getopt_tables(command->options | OPTIONS_COMMON, longs, shorts);
        *ret = (struct arguments) { .command = command };
        opterr = 0;
        optind = 0;
        while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
                int id = c >= 256 ? c - 256 : option_of_letter(c);

                if (c == ':') {
                        *reterr_problem = must_printf("%s wants an argument", argv[optind - 1]);
                        return -EINVAL;
                }
                if (c == '?') {
                        *reterr_problem = optopt >= 256 ? must_printf("--%s takes no argument", option_rows[optopt - 256].name)
                                          : optopt      ? must_printf("there is no option -%c for this verb", optopt)
                                                        : must_printf("there is no option %s for this verb", argv[optind - 1]);
                        return -EINVAL;
                }
                r = take_option(ret, id, optarg, reterr_problem);
                if (r < 0)
                        return r;
        }
        ret->operands = argv + optind;
        ret->n_operands = argc - optind;
        if (option_given(ret, OPTION_HELP))
                return 0;
        if (ret->n_operands < command->min_operands) {
                *reterr_problem = must_printf("something is missing: %s", command->operands);
                return -EINVAL;
        }
        if (command->max_operands >= 0 && ret->n_operands > command->max_operands) {
                *reterr_problem = must_printf("\"%s\" is too much", ret->operands[command->max_operands]);
                return -EINVAL;
        }
        return check_together(ret, reterr_problem);
}
