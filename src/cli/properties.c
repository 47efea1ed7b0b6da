#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Setting and showing by key. Which keys there are, what they take and what they mean, the library says: nothing here knows one. */

#define VALUE_MAX (1 << 20) /* bytes of a value out of a file: more than the service takes of any */

/* ---- one property of the table ---- */

struct search {
        const char *object;
        const char *key;
        bool found;
        bool is_secret;
        bool has_headers;
};

static int compare_property(const dosvc_property_info *property, const char *value, void *userdata) {
        struct search *search = userdata;

        (void) value;
        if (strcmp(property->object, search->object) != 0 || strcmp(property->key, search->key) != 0)
                return 0;
        search->found = true;
        search->is_secret = property->secret;
        search->has_headers = strcmp(property->form, "headers") == 0;
        return 1;
}

/* ---- reading values ---- */

/* KEY=VALUE, or KEY@FILE ("-" is stdin). "no-progress-timeout" is as good as "no_progress_timeout". */
struct assignment {
        char *key;
        char *value;
        bool from_file;
};

static void assignment_done(struct assignment *assignment) {
        free(assignment->key);
        free(assignment->value);
}

/* Without the line break at its end; NULL: reported. */
static char *read_value(const char *path) {
        bool is_stdin = strcmp(path, "-") == 0;
        FILE *f = is_stdin ? stdin : fopen(path, "re");
        _cleanup_(freep) char *value = must(malloc(VALUE_MAX + 1));
        bool failed;
        size_t size;

        if (!f) {
                report("set: cannot read %s: %m", path);
                return NULL;
        }
        size = fread(value, 1, VALUE_MAX + 1, f);
        failed = ferror(f);
        if (!is_stdin)
                (void) fclose(f);
        if (failed) {
                report("set: cannot read %s: %m", path);
                return NULL;
        }
        if (size > VALUE_MAX || memchr(value, 0, size)) {
                report("set: %s is no text of at most %d bytes", path, VALUE_MAX);
                return NULL;
        }
        if (size > 0 && value[size - 1] == '\n')
                size--;
        value[size] = 0;
        return TAKE_PTR(value);
}

static int parse_assignment(const char *word, struct assignment *ret) {
        size_t n = strcspn(word, "=@");

        if (n == 0 || !word[n]) {
                report("set: \"%s\" is not KEY=VALUE or KEY@FILE", word);
                return EXIT_USAGE;
        }
        ret->key = must_printf("%.*s", (int) n, word);
        for (char *p = ret->key; *p; p++)
                if (*p == '-')
                        *p = '_';
        ret->from_file = word[n] == '@';
        ret->value = ret->from_file ? read_value(word + n + 1) : must_printf("%s", word + n + 1);
        return ret->value ? EXIT_DONE : EXIT_LOCAL_FILE;
}

/* Headers that say who somebody is; case does not count. */
static bool has_secret_header(const char *headers) {
        static const char *const names[] = { "authorization:", "proxy-authorization:", "cookie:" };

        for (const char *line = headers; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                for (size_t i = 0; i < ELEMENTSOF(names); i++)
                        if (strncasecmp(line, names[i], strlen(names[i])) == 0)
                                return true;
        }
        return false;
}

/* "file.3.url" is of the file with that number. False: of the job. */
static bool is_of_file(const char *key, uint32_t *ret_index, const char **ret_key) {
        _cleanup_(freep) char *digits = NULL;
        const char *dot;
        uint64_t index;

        if (strncmp(key, "file.", 5) != 0)
                return false;
        dot = strchr(key + 5, '.');
        if (!dot)
                return false;
        digits = must_printf("%.*s", (int) (dot - key - 5), key + 5);
        if (parse_number(digits, &index) < 0 || index > UINT32_MAX)
                return false;
        *ret_index = (uint32_t) index;
        *ret_key = dot + 1;
        return true;
}

/* A command line can be read by everybody on the machine. */
static int check_secret(const struct assignment *assignment) {
        struct search search = { .object = "job", .key = assignment->key };
        uint32_t index;

        if (is_of_file(assignment->key, &index, &search.key))
                search.object = "file";
        if (assignment->from_file || dosvc_list_properties(compare_property, &search) < 0)
                return EXIT_DONE;
        if (!search.is_secret && !(search.has_headers && has_secret_header(assignment->value)) &&
            !(strcmp(search.key, "url") == 0 && url_has_password(assignment->value)))
                return EXIT_DONE;
        report("set: a secret does not belong on the command line: write it to a file and say %s@FILE, or %s@- for stdin", assignment->key,
               assignment->key);
        return EXIT_USAGE;
}

/* ---- set ---- */

struct changes {
        struct assignment *assignments;
        size_t n;
};

static void changes_done(struct changes *changes) {
        for (size_t i = 0; i < changes->n; i++)
                assignment_done(&changes->assignments[i]);
        free(changes->assignments);
}

static int read_changes(const struct arguments *arguments, struct changes *ret) {
        int code = EXIT_DONE;

        ret->assignments = must(calloc((size_t) arguments->n_operands, sizeof(*ret->assignments)));
        for (int i = 1; i < arguments->n_operands && code == EXIT_DONE; i++) {
                code = parse_assignment(arguments->operands[i], &ret->assignments[ret->n++]);
                if (code == EXIT_DONE)
                        code = check_secret(&ret->assignments[ret->n - 1]);
        }
        return code;
}

/* @key: which one was refused; NULL: one of several. */
static int report_refusal(dosvc *connection, const char *id, int32_t hresult, const char *key) {
        _cleanup_(freep) char *what = must_printf("set%s%s", key ? " " : "", key ? key : "");
        const dosvc_error *error = dosvc_last_error(connection);
        const char *key_of_file;
        uint32_t index;

        if (key && is_of_file(key, &index, &key_of_file) && error && error->name && strcmp(error->name, "NotFound") == 0) {
                report("%s: the job has no file %" PRIu32 "; \"dosvc show %.8s\" numbers those that it has", what, index, id);
                return EXIT_USAGE;
        }
        return report_job_failure(connection, id, hresult, what);
}

/* Those of the job in one step, all or none; then the files'. */
static int apply_changes(dosvc *connection, const char *id, const struct changes *changes) {
        _cleanup_(freep) dosvc_property *properties = must(calloc(changes->n, sizeof(*properties)));
        const char *key;
        uint32_t index;
        size_t n = 0;
        int32_t r = 0;

        for (size_t i = 0; i < changes->n; i++)
                if (!is_of_file(changes->assignments[i].key, &index, &key))
                        properties[n++] = (dosvc_property) { changes->assignments[i].key, changes->assignments[i].value };
        if (n > 0)
                r = dosvc_set_properties(connection, id, properties, n);
        if (r < 0)
                return report_refusal(connection, id, r, n == 1 ? properties[0].key : NULL);
        for (size_t i = 0; i < changes->n; i++) {
                if (!is_of_file(changes->assignments[i].key, &index, &key))
                        continue;
                r = dosvc_set_of_file(connection, id, index, key, changes->assignments[i].value);
                if (r < 0)
                        return report_refusal(connection, id, r, changes->assignments[i].key);
        }
        return EXIT_DONE;
}

int command_set(const struct arguments *arguments) {
        _cleanup_(changes_done) struct changes changes = { 0 };
        _cleanup_(dosvc_closep) dosvc *connection = NULL;
        char id[DOSVC_ID_SIZE];
        int code;

        code = read_changes(arguments, &changes);
        if (code == EXIT_DONE)
                code = connect_job(arguments, arguments->operands[0], "set", &connection, id);
        if (code == EXIT_DONE)
                code = apply_changes(connection, id, &changes);
        return code ? code : show_result(arguments, connection, id, NULL);
}

int command_rebase(const struct arguments *arguments) {
        _cleanup_(dosvc_closep) dosvc *connection = NULL;
        _cleanup_(freep) char *line = NULL;
        char id[DOSVC_ID_SIZE];
        uint32_t changed;
        int32_t r;
        int code;

        if (url_has_password(arguments->operands[2])) {
                report("rebase: a password in the command line can be read by everybody on this machine; \"dosvc set\" takes one from a file: file.N.url@FILE");
                return EXIT_USAGE;
        }
        code = connect_job(arguments, arguments->operands[0], "rebase", &connection, id);
        if (code)
                return code;
        r = dosvc_replace_url_prefix(connection, id, arguments->operands[1], arguments->operands[2], &changed);
        if (r < 0)
                return report_job_failure(connection, id, r, "rebase");
        if (changed == 0) {
                report("rebase: no file that is still to be fetched has a URL that begins with %s", arguments->operands[1]);
                return EXIT_OTHER;
        }
        line = must_printf("%" PRIu32, changed);
        return show_result(arguments, connection, id, line);
}

/* ---- show --all ---- */

static json_t *json_of_property(const dosvc_property_info *property, const char *value) {
        char buffer[FORMAT_SHORT];
        uint64_t number;

        if (!value)
                return json_null();
        if (strcmp(property->form, "switch") == 0)
                return json_boolean(strcmp(value, "yes") == 0);
        if (strcmp(property->form, "flags") == 0)
                return must(json_integer((json_int_t) strtoull(value, NULL, 16)));
        if (strcmp(property->form, "time") == 0)
                return parse_number(value, &number) < 0 ? json_null() : must(json_string(format_rfc3339(number, buffer)));
        if (strcmp(property->form, "number") == 0 || strcmp(property->form, "size") == 0)
                return parse_number(value, &number) < 0 || number > INT64_MAX ? json_null() : must(json_integer((json_int_t) number));
        return json_of_text(value);
}

struct shown {
        struct table table;
        json_t *object; /* of the job, or NULL */
        json_t *properties;
        bool is_first;
};

/* Without line breaks: those of headers become bars. */
static char *value_for_people(const dosvc_property_info *property, const char *value) {
        char buffer[FORMAT_SHORT], *line, *out;
        uint64_t number;

        if (!value)
                return text("");
        if (strcmp(property->form, "time") == 0 && parse_number(value, &number) == 0)
                return text(format_local_time(number, buffer));
        if (strcmp(property->form, "headers") != 0)
                return text(value);
        line = out = must(malloc(2 * strlen(value) + 1));
        for (const char *p = value; *p; p++)
                if (*p == '\n')
                        out = mempcpy(out, " | ", 3);
                else if (*p != '\r')
                        *out++ = *p;
        *out = 0;
        return line;
}

static void add_line(struct shown *shown, const dosvc_property_info *property, const char *value) {
        _cleanup_(freep) char *people = value_for_people(property, value);
        bool has_unit = strcmp(property->form, "number") == 0 || strcmp(property->form, "size") == 0;

        table_add(&shown->table, (char *[]) { must_printf("%s=%s", property->key, people), text(property->settable ? "*" : ""),
                                              text(has_unit ? property->unit : ""), text(property->text) });
}

static int show_property(const dosvc_property_info *property, const char *value, void *userdata) {
        struct shown *shown = userdata;

        if (shown->object)
                json_object_set_new(shown->properties, property->key, json_of_property(property, value));
        else
                add_line(shown, property, value);
        return 0;
}

static int show_file_property(const dosvc_property_info *property, const char *value, void *userdata) {
        struct shown *shown = userdata;
        json_t *files;
        uint64_t index;

        if (strcmp(property->key, "index") != 0)
                return show_property(property, value, userdata);
        if (!shown->object) {
                if (!shown->is_first)
                        table_add(&shown->table, (char *[]) { text(""), text(""), text(""), text("") });
                shown->is_first = false;
                return show_property(property, value, userdata);
        }
        files = json_object_get(shown->object, "files");
        if (!value || parse_number(value, &index) < 0 || index >= json_array_size(files))
                return 1; /* it was added meanwhile */
        shown->properties = must(json_object());
        json_object_set_new(json_array_get(files, index), "properties", shown->properties);
        return show_property(property, value, userdata);
}

int show_properties(dosvc *connection, const char *id, const char *what, json_t *object) {
        struct shown shown = { .table = { .n_columns = 4 }, .object = object };
        int32_t r;

        if (object) {
                shown.properties = must(json_object());
                json_object_set_new(object, "properties", shown.properties);
        }
        r = dosvc_get_properties(connection, id, show_property, &shown);
        if (r >= 0)
                r = dosvc_list_file_properties(connection, id, show_file_property, &shown);
        if (r >= 0 && !object) {
                putchar('\n');
                table_print(&shown.table);
        }
        table_done(&shown.table);
        return r < 0 ? report_failure(connection, r, what) : EXIT_DONE;
}
