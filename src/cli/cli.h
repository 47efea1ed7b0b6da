/* dosvc, the command: what its files share. It is a user of the installed headers like any other program; must never include
 * anything private of the service. One table of verbs and one of options (commands.c, options.c) drive parsing, --help,
 * completion and the test of the man page. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <dosvc.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))
#define TAKE_PTR(p)                         \
        ({                                  \
                __typeof__(p) *_pp_ = &(p); \
                __typeof__(p) _p_ = *_pp_;  \
                *_pp_ = NULL;               \
                _p_;                        \
        })
static inline void freep(void *p) {
        free(*(void **) p);
}
static inline void dosvc_closep(dosvc **p) {
        dosvc_close(*p);
}

/* The contract with scripts; see dosvc(1). */
enum exit_code {
        EXIT_DONE = 0,
        EXIT_OTHER = 1,
        EXIT_USAGE = 2,
        EXIT_NO_SUCH_JOB = 3,
        EXIT_DENIED = 4,
        EXIT_NO_SERVICE = 5,
        EXIT_REMOTE = 6,
        EXIT_LOCAL_FILE = 7,
        EXIT_MISMATCH = 8,
        EXIT_SUSPENDED = 130,
};

enum option_id {
        OPTION_INPUT,
        OPTION_OUTPUT,
        OPTION_DIRECTORY,
        OPTION_SHA256,
        OPTION_MIRROR,
        OPTION_SIZE,
        OPTION_INTEGRITY,
        OPTION_INTEGRITY_OPTIONAL,
        OPTION_KEY_FILE,
        OPTION_NEW_KEY,
        OPTION_MODE,
        OPTION_PIECE_SIZE,
        OPTION_URL,
        OPTION_REPLACE,
        OPTION_BACKGROUND,
        OPTION_DETACH,
        OPTION_QUIET,
        OPTION_REMOTE_TIME,
        OPTION_COMPLETE,
        OPTION_PRIORITY,
        OPTION_FAMILY,
        OPTION_DESCRIPTION,
        OPTION_NO_PROGRESS_TIMEOUT,
        OPTION_MINIMUM_RETRY_DELAY,
        OPTION_LIMIT_RATE,
        OPTION_LINES,
        OPTION_ALL,
        OPTION_ALL_USERS,
        OPTION_RELOAD,
        OPTION_ONCE,
        OPTION_JSON,
        OPTION_SYSTEM,
        OPTION_USER,
        OPTION_HELP,
        _OPTION_MAX,
};
#define OPTION_BIT(id) (UINT64_C(1) << (id))

struct option_row {
        const char *name;
        char letter;          /* 0: none */
        const char *argument; /* NULL: takes none */
        const char *text;
};
extern const struct option_row option_rows[_OPTION_MAX];

struct command;

struct arguments {
        const struct command *command;
        uint64_t given; /* OPTION_BIT()s */
        const char *values[_OPTION_MAX];
        char **operands;
        int n_operands;
};
static inline bool option_given(const struct arguments *arguments, enum option_id id) {
        return arguments->given & OPTION_BIT(id);
}

struct command {
        const char *name;
        const char *operands; /* as the help shows them */
        const char *text;     /* one line */
        const char *details;  /* more lines for --help of the verb, or NULL */
        uint64_t options;     /* OPTION_BIT()s; those of every verb are added */
        int min_operands;
        int max_operands; /* -1: any number */
        int (*run)(const struct arguments *arguments);
};
extern const struct command commands[];
extern const size_t n_commands;

/* Everything but main(): an exit code. */
int cli_main(int argc, char *argv[]);

/* ---- options.c ---- */

/* Options that every verb takes. */
#define OPTIONS_COMMON \
        (OPTION_BIT(OPTION_JSON) | OPTION_BIT(OPTION_SYSTEM) | OPTION_BIT(OPTION_USER) | OPTION_BIT(OPTION_HELP))
/* argv[0] is the verb. 0, or -EINVAL with a sentence in *reterr_problem (to be freed). Operands point into @argv. */
int options_parse(const struct command *command, int argc, char *argv[], struct arguments *ret, char **reterr_problem);
/* What options say. 0, or -EINVAL, which is reported. */
int option_number(const struct arguments *arguments, enum option_id id, uint64_t *ret);
/* *ret stays as it is if the option is not given. */
int option_seconds(const struct arguments *arguments, enum option_id id, int64_t *ret);
/* --limit-rate; 0 if it is not given. */
int option_rate(const struct arguments *arguments, uint64_t *ret);
int parse_number(const char *s, uint64_t *ret);
int parse_sha256(const char *hex, unsigned char ret[static 32]);

/* ---- names.c ---- */

/* The default name of a file: the last segment of the URL's path as typed, percent-decoded. 0, or -EINVAL with a reason. */
int name_from_url(const char *url, char **ret, const char **reterr_why);
/* Joined to @directory (NULL: none) and made absolute; "." components and doubled slashes go, ".." stays as it is. NULL: the
 * working directory is gone, see errno. */
char *path_make_absolute(const char *directory, const char *path);
bool url_has_password(const char *url);
bool text_is_utf8(const char *s, size_t size);

/* ---- list_file.c: the lines of -i ---- */

struct list_entry {
        char *url;
        char *out; /* NULL: the default name */
        char *mirrors; /* one a line, NULL: none */
        char *integrity_info; /* NULL: none; not in lists */
        unsigned char sha256[32];
        bool has_sha256;
};
void list_entry_done(struct list_entry *entry);
/* 1: an entry, 0: a blank line or comment, -EINVAL with a reason. */
int list_parse_line(const char *line, size_t size, struct list_entry *ret, const char **reterr_why);
/* The whole file, "-" is stdin. 0, -EINVAL or another negative errno with a sentence in *reterr_problem. */
int list_read(const char *path, struct list_entry **ret, size_t *ret_n, char **reterr_problem);

/* ---- format.c ---- */

#define FORMAT_SHORT 32
char *format_size(uint64_t bytes, char buffer[static FORMAT_SHORT]);
char *format_duration(uint64_t seconds, char buffer[static FORMAT_SHORT]);
char *format_percent(uint64_t done, uint64_t total, char buffer[static FORMAT_SHORT]);
char *format_rfc3339(uint64_t usec, char buffer[static FORMAT_SHORT]);     /* UTC */
char *format_local_time(uint64_t usec, char buffer[static FORMAT_SHORT]);  /* for people; "-" for 0 */
/* What may go to a terminal: control and undecodable characters become "?". Never NULL. */
char *format_printable(const char *s);
/* Columns on a terminal, and the printable copy cut to @width columns with "…" at its end. */
size_t format_width(const char *s);
char *format_cut(const char *s, size_t width);
uint64_t now_realtime_usec(void);

/* ---- table.c: columns for people ---- */

#define SHORT_ID 8 /* digits of an id that are shown at least */
#define TABLE_COLUMNS 11

/* Cells are kept until the end, so that each column gets the width that it needs; the last one is cut at the terminal's edge. */
struct table {
        size_t n_columns;
        char *(*rows)[TABLE_COLUMNS];
        size_t n_rows, room;
        uint64_t right_aligned; /* bit n: column n */
        size_t name_column;     /* is cut where a terminal is too narrow; 0: none */
        bool one_line_a_row;    /* on a terminal rows are cut at its edge, too, rather than broken */
};
void table_done(struct table *table);
/* Takes the strings. */
void table_add(struct table *table, char *const cells[]);
void table_print(const struct table *table);
/* So many digits of the ids in the first column that all are different. */
void table_shorten_ids(struct table *table);
/* Columns of the terminal, 0: none. */
size_t output_columns(void);
/* A copy; "" for NULL. */
char *text(const char *s);
/* EXIT_OTHER and a line on stderr if stdout could not be written. */
int finish_output(void);

/* ---- failure.c ---- */

void report(const char *format, ...) _printf_(1, 2); /* one line on stderr, "dosvc: " in front */
int exit_code_of(const dosvc_failure *failure);
/* What, why, which file or URL, in one sentence without line breaks. To be freed. */
char *failure_sentence(const dosvc_failure *failure);
/* Reports the last failure of the connection in one line; its exit code. */
int report_failure(const dosvc *connection, int32_t hresult, const char *what);
/* The same of a call about a job: if its state forbids that, it says which state that is. */
int report_job_failure(dosvc *connection, const char *id, int32_t hresult, const char *what);
void *must(void *p); /* memory, or the end */
char *must_printf(const char *format, ...) _printf_(1, 2);

/* ---- connect.c ---- */

int connect_service(const struct arguments *arguments, dosvc **ret);
/* The service that has this job: what the options say, else the default one, else the other one if it runs. The whole id is in
 * @ret_id. Reports what goes wrong. */
int connect_job(const struct arguments *arguments, const char *id, const char *what, dosvc **ret, char ret_id[static DOSVC_ID_SIZE]);
/* Calls @fn for each service that is to be shown: one if it was chosen, else all that are there. Ends at the first failure. */
int connect_each(const struct arguments *arguments, int (*fn)(dosvc *connection, void *userdata), void *userdata);

/* ---- json.c ---- */

struct json_t;
struct json_t *json_of_failure(const dosvc_failure *failure);
struct json_t *json_of_job(const dosvc_job_info *job);
struct json_t *json_of_file(const dosvc_file_info *file);
struct json_t *json_of_history(const dosvc_history_info *entry);
struct json_t *json_of_service(const dosvc_service_info *info);
struct json_t *json_of_config(const dosvc_config_info *entry);
struct json_t *json_of_text(const char *s); /* null for NULL; what is not UTF-8 is replaced */
/* Adds the job's object to an array; a job that is gone adds {"id": ...}. */
void json_append_job(struct json_t *array, dosvc *connection, const char *id);
/* Takes the reference; EXIT_DONE, or EXIT_OTHER when stdout cannot be written. */
int json_print(struct json_t *value, bool compact);

/* ---- meter.c: progress for people ---- */

struct meter;
struct meter *meter_new(const char *label);
struct meter *meter_free(struct meter *meter); /* ends the line */
/* @now_usec: monotonic. Draws when it is time. */
void meter_show(struct meter *meter, const dosvc_job_info *job, uint64_t now_usec);
void meter_clear(struct meter *meter);
/* The line without its end, at most @width columns (0: no limit). To be freed. */
char *meter_line(const char *label, const dosvc_job_info *job, uint64_t bytes_per_second, size_t width);
/* dosvc_watch() of one job without a time-out. On a terminal (@meter may be NULL: quiet) @fn is called each second when nothing changes, too.
 * A service that goes away is waited for, after the job was seen. */
int32_t meter_watch(struct meter *meter, dosvc *connection, const char *id, dosvc_job_fn fn, void *userdata);
uint64_t meter_rate(const struct meter *meter);
uint64_t now_monotonic_usec(void);
void meter_sample(struct meter *meter, uint64_t bytes, uint64_t now_usec);

/* ---- inputs.c: URLs, lists and names become files of a job ---- */

struct inputs {
        dosvc_file_spec *specs;
        size_t n_specs;
        struct list_entry *entries; /* what the specs point into */
        size_t n_entries;
        char **paths;
        char *decryption_info; /* of all of them, or NULL */
};
void inputs_done(struct inputs *inputs);
/* From operands[@first...] and the options -i -o -d --sha256 --size. Reports; an exit code. */
int inputs_collect(const struct arguments *arguments, int first, struct inputs *ret);
/* The DecryptionInfo in a file, "-" is stdin. Reports; an exit code. *ret goes with free_secret(). */
int read_key_file(const char *path, char **ret);
void free_secret(char *text); /* wiped; NULL is fine */

/* ---- jobs.c ---- */

/* After a change: the job as JSON if that was asked for, else @line on stdout (NULL: nothing). An exit code. */
int show_result(const struct arguments *arguments, dosvc *connection, const char *id, const char *line);

/* ---- properties.c ---- */

/* Everything that can be told of a live job and its files: lines of key=value, or members "properties" of @object and its files. */
int show_properties(dosvc *connection, const char *id, const char *what, struct json_t *object);

/* ---- show.c ---- */

/* Why a job does not move and since when, or what is wrong with it; "" if nothing. To be freed. */
char *note_of(const dosvc_job_info *job);

/* ---- the verbs ---- */

int command_hash(const struct arguments *arguments);
int command_encrypt(const struct arguments *arguments);
int command_decrypt(const struct arguments *arguments);
int command_get(const struct arguments *arguments);
int command_create(const struct arguments *arguments);
int command_add(const struct arguments *arguments);
int command_resume(const struct arguments *arguments);
int command_take(const struct arguments *arguments);
int command_suspend(const struct arguments *arguments);
int command_complete(const struct arguments *arguments);
int command_cancel(const struct arguments *arguments);
int command_set(const struct arguments *arguments);
int command_list(const struct arguments *arguments);
int command_show(const struct arguments *arguments);
int command_watch(const struct arguments *arguments);
int command_history(const struct arguments *arguments);
int command_rebase(const struct arguments *arguments);
int command_stats(const struct arguments *arguments);
int command_top(const struct arguments *arguments);
int command_config(const struct arguments *arguments);
int command_service(const struct arguments *arguments);
int command_completion(const struct arguments *arguments);
