#include "daemon/settings.h"

#include <ctype.h>
#include <dirent.h>
#include <ini.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/strings.h"
#include "schedule/hours.h"

#define SECTION "Service"
#define SOURCE_DEFAULT "default"

enum setting_type {
        CONFIG_UINT,
        CONFIG_SECONDS,
        CONFIG_BYTES,
        CONFIG_BOOL,
        CONFIG_PATH,
        CONFIG_HOSTS,
        CONFIG_USERS,
        CONFIG_HOURS,
        CONFIG_WORDS,
        _CONFIG_TYPE_MAX,
};

static const char *const type_names[_CONFIG_TYPE_MAX] = {
        [CONFIG_UINT] = "uint", [CONFIG_SECONDS] = "seconds", [CONFIG_BYTES] = "bytes",
        [CONFIG_BOOL] = "bool", [CONFIG_PATH] = "path", [CONFIG_HOSTS] = "hosts",
        [CONFIG_USERS] = "users", [CONFIG_HOURS] = "hours", [CONFIG_WORDS] = "words",
};

/* What a value looks like, for whoever wrote another one. */
static const char *const type_forms[_CONFIG_TYPE_MAX] = {
        [CONFIG_UINT] = "a number",
        [CONFIG_SECONDS] = "a number of seconds",
        [CONFIG_BYTES] = "a number, K, M, G or T may follow",
        [CONFIG_BOOL] = "yes or no",
        [CONFIG_PATH] = "an absolute path",
        [CONFIG_HOSTS] = "HOST or HOST:PORT, with commas between",
        [CONFIG_USERS] = "names, with commas between",
        [CONFIG_HOURS] = "FROM-TO INSIDE% OUTSIDE%, as 8-18 25% 100%: two hours of the day, two percentages",
        [CONFIG_WORDS] = "words, with commas between",
};

static bool type_is_text(enum setting_type type) {
        return type == CONFIG_PATH || type == CONFIG_HOSTS || type == CONFIG_USERS || type == CONFIG_HOURS ||
               type == CONFIG_WORDS;
}

struct setting_row {
        const char *key;
        enum setting_type type;
        const char *initial;
        uint64_t min;
        uint64_t max;
        const char *unit;
        bool restart;
        const char *text;
};

static const struct setting_row rows[] = {
#define CONFIG_ROW(key, type, initial, min, max, unit, restart, text) { #key, type, initial, min, max, unit, restart, text },
#include "daemon/config-table.inc"
#undef CONFIG_ROW
};

struct settings {
        uint64_t numbers[_SETTING_MAX];
        char *values[_SETTING_MAX];
        char *sources[_SETTING_MAX];
        struct bus_config_entry entries[_SETTING_MAX];
        char *wrong; /* the first value or line that could not be taken, as it was logged, or the file that could not be read; NULL: none */
};

/* ---- one value ---- */

static int parse_bool(const char *s, uint64_t *ret) {
        if (strcasecmp(s, "yes") == 0)
                *ret = 1;
        else if (strcasecmp(s, "no") == 0)
                *ret = 0;
        else
                return -EINVAL;
        return 0;
}

/* Decimal, with K, M, G or T (of 1024) behind it if one likes. */
static int parse_bytes(const char *s, uint64_t *ret) {
        static const char suffixes[] = "KMGT";
        _cleanup_free_ char *digits = strdup(s);
        size_t n = strlen(s);
        const char *suffix;
        unsigned shift = 0;
        uint64_t value;
        int r;

        if (!digits)
                return -ENOMEM;
        suffix = n > 0 ? strchr(suffixes, toupper((unsigned char) s[n - 1])) : NULL;
        if (suffix && *suffix) {
                digits[n - 1] = 0;
                shift = 10 * (unsigned) (suffix - suffixes + 1);
        }
        r = parse_u64(digits, &value);
        if (r < 0)
                return r;
        if (value > UINT64_MAX >> shift)
                return -ERANGE;
        *ret = value << shift;
        return 0;
}

/* Absolute or empty. Its number, which min and max are for, is its length. */
static int parse_path(const char *s, uint64_t *ret) {
        *ret = strlen(s);
        return *s && *s != '/' ? -EINVAL : 0;
}

/* HOST or HOST:PORT with commas between. Its number is its length. */
static int parse_hosts(const char *s, uint64_t *ret) {
        *ret = strlen(s);
        return string_is_host_list(s) ? 0 : -EINVAL;
}

/* Names with commas between; who of them exists is asked when it matters. Its number is its length. */
static int parse_users(const char *s, uint64_t *ret) {
        static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-$, ";

        *ret = strlen(s);
        return s[strspn(s, allowed)] ? -EINVAL : 0;
}

/* FROM-TO INSIDE% OUTSIDE%, or empty. Its number is its length. */
static int parse_hours(const char *s, uint64_t *ret) {
        struct hours hours;

        *ret = strlen(s);
        return hours_parse(s, &hours) < 0 ? -EINVAL : 0; /* the range of the setting is another one: that of its length */
}

/* Anything that can be read, with commas between. Its number is its length. */
static int parse_words(const char *s, uint64_t *ret) {
        *ret = strlen(s);
        return utf8_is_valid(s, SIZE_MAX) && !string_has_control(s) ? 0 : -EINVAL;
}

static int parse_value(const struct setting_row *row, const char *s, uint64_t *ret) {
        int r;

        switch (row->type) {
        case CONFIG_PATH:
                r = parse_path(s, ret);
                break;
        case CONFIG_HOSTS:
                r = parse_hosts(s, ret);
                break;
        case CONFIG_USERS:
                r = parse_users(s, ret);
                break;
        case CONFIG_HOURS:
                r = parse_hours(s, ret);
                break;
        case CONFIG_WORDS:
                r = parse_words(s, ret);
                break;
        case CONFIG_BOOL:
                return parse_bool(s, ret);
        case CONFIG_BYTES:
                r = parse_bytes(s, ret);
                break;
        default:
                r = parse_u64(s, ret);
        }
        if (r < 0)
                return r;
        return *ret < row->min || *ret > row->max ? -ERANGE : 0;
}

/* @text: as it was written; numbers are shown without their suffixes. */
static int settings_put(struct settings *settings, size_t i, uint64_t number, const char *text, const char *source) {
        char value[24];
        int r;

        if (rows[i].type == CONFIG_BOOL)
                text = number ? "yes" : "no";
        else if (!type_is_text(rows[i].type)) {
                (void) snprintf(value, sizeof(value), "%" PRIu64, number);
                text = value;
        }
        r = strdup_to(&settings->values[i], text);
        if (r >= 0)
                r = strdup_to(&settings->sources[i], source);
        if (r < 0)
                return r;
        settings->numbers[i] = number;
        settings->entries[i] = (struct bus_config_entry) {
                .key = rows[i].key,
                .value = settings->values[i],
                .source = settings->sources[i],
                .unit = rows[i].unit,
                .text = rows[i].text,
                .type = type_names[rows[i].type],
                .min = rows[i].min,
                .max = rows[i].max,
                .initial = rows[i].initial,
                .needs_restart = rows[i].restart,
        };
        return 0;
}

int settings_new(struct settings **ret) {
        _cleanup_(settings_freep) struct settings *settings = calloc(1, sizeof(*settings));
        int r;

        if (!settings)
                return -ENOMEM;
        for (size_t i = 0; i < _SETTING_MAX; i++) {
                uint64_t number;

                r = parse_value(&rows[i], rows[i].initial, &number);
                assert(r >= 0); /* idl/config.txt contradicts itself */
                r = settings_put(settings, i, number, rows[i].initial, SOURCE_DEFAULT);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(settings);
        return 0;
}

struct settings *settings_free(struct settings *settings) {
        if (!settings)
                return NULL;
        for (size_t i = 0; i < _SETTING_MAX; i++) {
                free(settings->values[i]);
                free(settings->sources[i]);
        }
        free(settings->wrong);
        free(settings);
        return NULL;
}

uint64_t settings_get(const struct settings *settings, enum setting setting) {
        return settings->numbers[setting];
}

bool settings_is_set(const struct settings *settings, enum setting setting) {
        return !streq(settings->sources[setting], SOURCE_DEFAULT);
}

const char *settings_get_text(const struct settings *settings, enum setting setting) {
        assert(type_is_text(rows[setting].type));
        return settings->values[setting];
}

const char *settings_wrong(const struct settings *settings) {
        return settings->wrong;
}

const struct bus_config_entry *settings_entries(const struct settings *settings) {
        return settings->entries;
}

/* ---- files ---- */

struct reader {
        struct settings *settings;
        FILE *stream;
        const char *path;
        unsigned line;
        bool has_key;  /* since the section began */
        bool goes_on;  /* the line begins with a blank: it belongs to the key before it */
        bool is_taken; /* what was said of that key so far */
        int error;
};

static void _printf_(3, 4) complain(struct reader *reader, unsigned line, const char *format, ...) {
        _cleanup_free_ char *what = NULL, *text = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&what, format, ap);
        va_end(ap);
        if (n < 0 || asprintf(&text, "%s:%u: %s", reader->path, line, what) < 0) {
                reader->error = -ENOMEM;
                return;
        }
        log_warning("%s; ignored", text);
        if (!reader->settings->wrong)
                reader->settings->wrong = TAKE_PTR(text);
}

/* A comment begins behind a blank; libinih knows ";" only. */
static size_t length_without_comment(const char *line, size_t n) {
        for (size_t i = 1; i < n; i++)
                if ((line[i] == '#' || line[i] == ';') && (line[i - 1] == ' ' || line[i - 1] == '\t'))
                        return i;
        return n;
}

/* libinih does not tell the line, and cuts long ones in two: so lines are handed to it one by one. It takes 199 bytes; what a list has more
 * can stand in further lines, and a comment may have any length. */
static char *read_line(char *ret, int size, void *userdata) {
        struct reader *reader = userdata;
        _cleanup_free_ char *line = NULL;
        size_t n_allocated = 0;
        ssize_t n_read = getline(&line, &n_allocated, reader->stream);
        size_t n;
        char first;

        if (n_read < 0) {
                if (!feof(reader->stream))
                        reader->error = -errno;
                return NULL;
        }
        reader->line++;
        n = length_without_comment(line, (size_t) n_read);
        if (n < (size_t) n_read)
                line[n++] = '\n';
        first = line[strspn(line, " \t")];
        if (first != '#' && first != ';' && (n >= (size_t) size || memchr(line, 0, n))) {
                complain(reader, reader->line, "the line is too long (%d bytes at most) or has a zero byte", size - 1);
                reader->is_taken = false;
                first = '#';
        }
        if (first == '#' || first == ';') {
                line[0] = '\n';
                n = 1;
        }
        reader->goes_on = reader->has_key && (line[0] == ' ' || line[0] == '\t');
        if (first == '[' && !reader->goes_on)
                reader->has_key = false;
        memcpy(ret, line, n);
        ret[n] = 0;
        return ret;
}

static int put_from_file(struct reader *reader, size_t i, uint64_t number, const char *value) {
        _cleanup_free_ char *source = NULL;

        if (asprintf(&source, "%s:%u", reader->path, reader->line) < 0)
                return -ENOMEM;
        return settings_put(reader->settings, i, number, value, source);
}

static bool type_is_list(enum setting_type type) {
        return type == CONFIG_HOSTS || type == CONFIG_USERS || type == CONFIG_WORDS;
}

static void take_value(struct reader *reader, size_t i, const char *value) {
        const struct setting_row *row = &rows[i];
        _cleanup_free_ char *whole = NULL;
        uint64_t number;
        int r;

        if (reader->goes_on && !reader->is_taken)
                return; /* what it belongs to was complained of */
        if (reader->goes_on && !type_is_list(row->type)) {
                complain(reader, reader->line, "%s is no list that goes on in the next line", row->key);
                return;
        }
        if (reader->goes_on && asprintf(&whole, "%s,%s", reader->settings->values[i], value) < 0) {
                reader->error = -ENOMEM;
                return;
        }
        value = whole ?: value;
        r = parse_value(row, value, &number);
        if (r == -ERANGE)
                complain(reader, reader->line, "%s must be from %" PRIu64 " to %" PRIu64 ", not \"%s\"", row->key, row->min, row->max, value);
        else if (r < 0)
                complain(reader, reader->line, "\"%s\" is no value for %s (%s)", value, row->key, type_forms[row->type]);
        else
                r = put_from_file(reader, i, number, value);
        if (r == -ENOMEM)
                reader->error = r;
        reader->is_taken = r >= 0;
}

static int take_pair(void *userdata, const char *section, const char *key, const char *value) {
        struct reader *reader = userdata;

        reader->has_key = true;
        reader->is_taken = reader->is_taken && reader->goes_on;
        if (!streq(section, SECTION)) {
                log_warning("%s:%u: there is no section [%s]; %s is ignored", reader->path, reader->line, section, key);
                return 1;
        }
        for (size_t i = 0; i < _SETTING_MAX; i++) {
                if (!streq(rows[i].key, key))
                        continue;
                take_value(reader, i, value);
                return 1;
        }
        log_warning("%s:%u: there is no setting %s; ignored", reader->path, reader->line, key);
        return 1;
}

static int read_one(struct settings *settings, const char *path) {
        struct reader reader = { .settings = settings, .path = path };
        int bad;

        reader.stream = fopen(path, "re");
        if (!reader.stream)
                return -errno;
        bad = ini_parse_stream(read_line, &reader, take_pair, &reader);
        if (bad > 0)
                complain(&reader, (unsigned) bad, "neither [section] nor Key=value");
        (void) fclose(reader.stream);
        return bad < 0 && reader.error == 0 ? -ENOMEM : reader.error;
}

/* Return: @r. */
static int cannot_read(struct settings *settings, const char *path, int r) {
        free(settings->wrong);
        if (asprintf(&settings->wrong, "%s: %s", path, strerror(-r)) < 0)
                settings->wrong = NULL;
        return r;
}

static int read_needed(struct settings *settings, const char *path) {
        int r = read_one(settings, path);

        return r < 0 ? cannot_read(settings, path, r) : 0;
}

static int is_conf(const struct dirent *entry) {
        size_t n = strlen(entry->d_name);

        return n > strlen(".conf") && entry->d_name[0] != '.' && streq(entry->d_name + n - strlen(".conf"), ".conf");
}

static int by_name(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name); /* not strcoll(): no locale decides what wins */
}

static int read_drop_ins(struct settings *settings, const char *path) {
        _cleanup_free_ char *directory = NULL;
        struct dirent **entries;
        int n, r = 0;

        if (asprintf(&directory, "%s.d", path) < 0)
                return -ENOMEM;
        n = scandir(directory, &entries, is_conf, by_name);
        if (n < 0)
                return errno == ENOENT || errno == ENOTDIR ? 0 : cannot_read(settings, directory, -errno);
        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *file = NULL;

                if (r == 0 && asprintf(&file, "%s/%s", directory, entries[i]->d_name) < 0)
                        r = -ENOMEM;
                else if (r == 0)
                        r = read_needed(settings, file);
                free(entries[i]);
        }
        free(entries);
        return r;
}

/* What BITS documents as defaults (group-policies.md), where nobody said otherwise. */
static int apply_bits_quotas(struct settings *settings) {
        static const struct {
                enum setting setting;
                uint64_t number;
                const char *value;
        } quotas[] = {
                { SETTING_MaxJobsPerUser, 60, "60" },
                { SETTING_MaxJobsPerMachine, 300, "300" },
                { SETTING_MaxFilesPerJob, 200, "200" },
                { SETTING_MaxRangesPerFile, 500, "500" },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && settings->numbers[SETTING_BITSQuotas] && i < ELEMENTSOF(quotas); i++)
                if (streq(settings->sources[quotas[i].setting], SOURCE_DEFAULT))
                        r = settings_put(settings, quotas[i].setting, quotas[i].number, quotas[i].value, settings->sources[SETTING_BITSQuotas]);
        return r;
}

int settings_read(struct settings *settings, const char *path, bool required) {
        int r = read_one(settings, path);

        if (r < 0 && (r != -ENOENT || required))
                return cannot_read(settings, path, r);
        r = read_drop_ins(settings, path);
        return r < 0 ? r : apply_bits_quotas(settings);
}

/* ---- again ---- */

static void settings_move(struct settings *to, struct settings *from, size_t i) {
        SWAP(to->numbers[i], from->numbers[i]);
        SWAP(to->values[i], from->values[i]);
        SWAP(to->sources[i], from->sources[i]);
        SWAP(to->entries[i], from->entries[i]);
}

int settings_reload(struct settings *settings, const char *path, bool required, char **reterr_why) {
        _cleanup_(settings_freep) struct settings *fresh = NULL;
        int r, n_changed = 0;

        r = settings_new(&fresh);
        if (r >= 0)
                r = settings_read(fresh, path, required);
        if (r >= 0 && fresh->wrong)
                r = -EBADMSG;
        if (r < 0) {
                *reterr_why = fresh ? TAKE_PTR(fresh->wrong) : NULL;
                return r;
        }
        for (size_t i = 0; i < _SETTING_MAX; i++) {
                bool same = streq(settings->values[i], fresh->values[i]);

                if (!same && rows[i].restart) {
                        log_warning("%s: %s takes effect when the service starts anew", fresh->sources[i], rows[i].key);
                        continue;
                }
                if (!same)
                        log_info("%s: %s is %s now, it was %s", fresh->sources[i], rows[i].key, fresh->values[i], settings->values[i]);
                n_changed += !same;
                settings_move(settings, fresh, i);
        }
        return n_changed;
}
