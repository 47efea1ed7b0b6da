#include "cli/cli.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* "dosvc get": the job does everything, this program only makes it and looks on. So it may be killed at any time. */

#define NO_PROGRESS_TIMEOUT_SECONDS (14 * 24 * 3600) /* what people mean by "fetch it": design decision 10 */
#define WATCH_ENDED 1000

static dosvc *interrupted_connection;
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
        (void) number;
        interrupted = 1;
        dosvc_interrupt(interrupted_connection);
}

static void catch_interrupt(dosvc *connection) {
        /* A second Ctrl-C kills: nothing is lost by that. */
        struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int) SA_RESETHAND };

        interrupted_connection = connection;
        sigaction(SIGINT, &action, NULL);
}

struct get {
        const struct arguments *arguments;
        struct inputs inputs;
        int64_t no_progress_timeout; /* seconds */
        uint64_t max_rate;           /* bytes per second; 0: no limit */
        json_t *already_there;       /* paths */
        dosvc *connection;
        char id[DOSVC_ID_SIZE];
        int attached;
        struct meter *meter; /* NULL: quiet */
        char *label;
        uint64_t begun;        /* monotonic */
        uint64_t begun_bytes;  /* what was there when we came */
        bool seen;
        bool ended;
        int exit_code;
        char *outcome; /* a line for people, if any */
};

static void get_done(struct get *get) {
        inputs_done(&get->inputs);
        json_decref(get->already_there);
        get->meter = meter_free(get->meter);
        free(get->label);
        free(get->outcome);
        /* The handler must not meet a connection that is gone. */
        signal(SIGINT, SIG_DFL);
        dosvc_close(get->connection);
}

/* What no digest and no --replace makes a file of ours. An exit code. */
static int refuse_irregular(const char *path, mode_t mode) {
        if (S_ISDIR(mode))
                report("get: %s is a directory; -d DIR puts files into one, -o FILE gives another name", path);
        else
                report("get: %s exists already and is no regular file, so it is never replaced; choose another name with -o", path);
        return EXIT_LOCAL_FILE;
}

/* A destination that is there already is fine if it is what was asked for. 1: it is, 0: nothing is there, else -exit code. */
static int judge_destination(const struct get *get, const dosvc_file_spec *spec) {
        struct stat st;
        int32_t r;

        if (lstat(spec->path, &st) < 0)
                return 0; /* whatever is wrong, the service says it better */
        if (!S_ISREG(st.st_mode))
                return -refuse_irregular(spec->path, st.st_mode);
        r = spec->sha256 ? dosvc_file_has_sha256(spec->path, spec->sha256) : 0;
        if (r > 0)
                return 1;
        if (r < 0)
                return -report_failure(NULL, r, "get");
        if (option_given(get->arguments, OPTION_REPLACE))
                return 0;
        report("get: %s exists already%s; remove it, choose another name with -o, or ask for --replace", spec->path,
               spec->sha256 ? " and has another digest" : "");
        return -EXIT_LOCAL_FILE;
}

/* Takes what is there already out of the list of what to fetch; *ret_wanted of it remain. The paths stay with the inputs. */
static int drop_what_is_there(struct get *get, size_t *ret_wanted) {
        struct inputs *inputs = &get->inputs;
        size_t kept = 0;

        for (size_t i = 0; i < inputs->n_specs; i++) {
                int r = judge_destination(get, &inputs->specs[i]);

                if (r < 0)
                        return -r;
                if (r == 0) {
                        inputs->specs[kept++] = inputs->specs[i];
                        continue;
                }
                json_array_append_new(get->already_there, json_of_text(inputs->specs[i].path));
                if (!option_given(get->arguments, OPTION_QUIET) && !option_given(get->arguments, OPTION_JSON)) {
                        _cleanup_(freep) char *shown = format_printable(inputs->specs[i].path);

                        fprintf(stderr, "%s: already there\n", shown);
                }
        }
        *ret_wanted = kept;
        return EXIT_DONE;
}

static const char *base_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* A job that is there already keeps what this command line does not say. The number of @ret. */
static size_t list_changes(const struct arguments *arguments, dosvc_property ret[static _OPTION_MAX]) {
        static const struct {
                enum option_id option;
                const char *key, *value; /* NULL: the option's */
        } rows[] = {
                { OPTION_REPLACE, "replace", "yes" },
                { OPTION_BACKGROUND, "priority", "normal" },
                { OPTION_REMOTE_TIME, "remote_time", "yes" },
                { OPTION_NO_PROGRESS_TIMEOUT, "no_progress_timeout", NULL },
                { OPTION_LIMIT_RATE, "max_rate", NULL },
        };
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (option_given(arguments, rows[i].option))
                        ret[n++] = (dosvc_property) { rows[i].key, rows[i].value ? rows[i].value : arguments->values[rows[i].option] };
        return n;
}

static int make_job(struct get *get, size_t n_wanted) {
        const struct arguments *arguments = get->arguments;
        dosvc_job_options options = {
                .size = sizeof(options),
                .name = get->label,
                .priority = option_given(arguments, OPTION_BACKGROUND) ? "normal" : "foreground",
                .complete_when_transferred = 1,
                .replace = option_given(arguments, OPTION_REPLACE),
                .remote_time = option_given(arguments, OPTION_REMOTE_TIME),
                .resume = 1,
                .attach = 1,
                .no_progress_timeout = get->no_progress_timeout,
                .minimum_retry_delay = -1,
                .max_rate = get->max_rate,
        };
        dosvc_property changes[_OPTION_MAX];
        size_t n_changes = list_changes(arguments, changes);
        int32_t r;

        /* One that failed for want of --replace would fail again before it is told. */
        options.resume = n_changes == 0;
        r = dosvc_create_job(get->connection, &options, get->inputs.specs, n_wanted, get->id, &get->attached);
        if (r >= 0 && n_changes > 0 && get->attached)
                r = dosvc_set_properties(get->connection, get->id, changes, n_changes);
        if (r >= 0 && n_changes > 0)
                r = dosvc_resume(get->connection, get->id);
        return r < 0 ? report_failure(get->connection, r, "get") : EXIT_DONE;
}

static void end_with(struct get *get, int exit_code, char *outcome) {
        get->ended = true;
        get->exit_code = exit_code;
        free(get->outcome);
        get->outcome = outcome;
}

static char *success_line(const struct get *get, const dosvc_job_info *job) {
        uint64_t usec = now_monotonic_usec() - get->begun;
        uint64_t bytes = job->bytes_transferred > get->begun_bytes ? job->bytes_transferred - get->begun_bytes : 0;
        char size[FORMAT_SHORT], time[FORMAT_SHORT], rate[FORMAT_SHORT];

        return must_printf("%s: done, %s in %s (%s/s)", get->label, format_size(job->bytes_transferred, size),
                           format_duration(usec / 1000000, time),
                           format_size((uint64_t) ((double) bytes * 1e6 / (double) (usec ? usec : 1)), rate));
}

static char *error_line(const dosvc_job_info *job) {
        _cleanup_(freep) char *sentence = failure_sentence(&job->error);

        return must_printf("%s; the job is kept: \"dosvc resume %.8s\" tries again, \"dosvc cancel %.8s\" removes it", sentence, job->id,
                           job->id);
}

/* Is it over for us? */
static void judge_state(struct get *get, const dosvc_job_info *job) {
        if (strcmp(job->state, "acknowledged") == 0)
                end_with(get, EXIT_DONE, success_line(get, job));
        else if (strcmp(job->state, "cancelled") == 0)
                end_with(get, EXIT_OTHER, must_printf("job %.8s was cancelled", job->id));
        else if (strcmp(job->state, "error") == 0)
                end_with(get, exit_code_of(&job->error), error_line(job));
        else if (strcmp(job->state, "transferred") == 0 && job->error.hresult)
                end_with(get, exit_code_of(&job->error), error_line(job));
        else if (strcmp(job->state, "transferred") == 0 && !job->complete_when_transferred)
                end_with(get, EXIT_DONE, must_printf("%s: transferred; \"dosvc complete %.8s\" puts it in its place", get->label, job->id));
}

static int on_change(const dosvc_job_info *job, void *userdata) {
        struct get *get = userdata;

        if (!get->seen)
                get->begun_bytes = job->bytes_transferred;
        get->seen = true;
        judge_state(get, job);
        if (get->meter && !get->ended)
                meter_show(get->meter, job, now_monotonic_usec());
        return get->ended ? WATCH_ENDED : 0;
}

static int judge_once(const dosvc_job_info *job, void *userdata) {
        judge_state(userdata, job);
        return 0;
}

/* Ctrl-C: the job stands still until somebody resumes it. It may have ended in this very moment: then that is the answer. */
static void suspend_job(struct get *get) {
        int32_t r = dosvc_suspend(get->connection, get->id);

        if (r >= 0) {
                end_with(get, EXIT_SUSPENDED,
                         must_printf("suspended; to go on give the same command again, or \"dosvc resume %.8s\"; \"dosvc cancel %.8s\" removes it",
                                     get->id, get->id));
                return;
        }
        if (dosvc_get_job(get->connection, get->id, judge_once, get) >= 0 && get->ended)
                return;
        end_with(get, report_failure(get->connection, r, "get: cannot suspend the job"), NULL);
}

static void follow_job(struct get *get) {
        while (!get->ended) {
                int32_t r = interrupted ? 0 : meter_watch(get->meter, get->connection, get->id, on_change, get);

                if (get->ended)
                        return;
                meter_clear(get->meter);
                if (interrupted)
                        suspend_job(get);
                else if (r < 0)
                        end_with(get, report_failure(get->connection, r, "get"), NULL);
        }
}

static int print_json(struct get *get) {
        json_t *jobs = must(json_array()), *object;

        if (get->id[0])
                json_append_job(jobs, get->connection, get->id);
        else
                json_array_append_new(jobs, must(json_pack("{s:n}", "id")));
        object = json_incref(json_array_get(jobs, 0));
        json_decref(jobs);
        json_object_set_new(object, "attached", json_boolean(get->attached));
        json_object_set(object, "already_there", get->already_there);
        return json_print(object, false);
}

static void say_outcome(const struct get *get) {
        _cleanup_(freep) char *shown = NULL;

        if (!get->outcome)
                return;
        if (get->exit_code != EXIT_DONE) {
                report("get: %s", get->outcome);
                return;
        }
        shown = format_printable(get->outcome);
        if (!option_given(get->arguments, OPTION_QUIET) && !option_given(get->arguments, OPTION_JSON))
                fprintf(stderr, "%s\n", shown);
}

/* What the job is called. Names of jobs are UTF-8, those of files need not be. */
static char *label_of(const struct get *get, size_t n_wanted) {
        char *label = n_wanted == 1 ? must_printf("%s", base_name(get->inputs.specs[0].path)) : must_printf("%zu files", n_wanted);

        if (!text_is_utf8(label, strlen(label)))
                for (char *p = label; *p; p++)
                        *p = *p & 0x80 ? '?' : *p;
        return label;
}

static int run_job(struct get *get, size_t n_wanted) {
        bool json = option_given(get->arguments, OPTION_JSON);
        int code;

        get->label = label_of(get, n_wanted);
        code = connect_service(get->arguments, &get->connection);
        if (code)
                return code;
        if (!option_given(get->arguments, OPTION_DETACH))
                catch_interrupt(get->connection);
        code = make_job(get, n_wanted);
        if (code)
                return code;
        if (option_given(get->arguments, OPTION_DETACH)) {
                if (json)
                        return print_json(get);
                puts(get->id);
                return finish_output();
        }
        if (!option_given(get->arguments, OPTION_QUIET) && !json) {
                if (get->attached)
                        fprintf(stderr, "going on with job %.8s\n", get->id);
                get->meter = meter_new(get->label);
        }
        get->begun = now_monotonic_usec();
        follow_job(get);
        meter_clear(get->meter);
        say_outcome(get);
        if (json) {
                code = print_json(get);
                return get->exit_code ? get->exit_code : code;
        }
        return get->exit_code;
}

int command_get(const struct arguments *arguments) {
        _cleanup_(get_done) struct get get = { .arguments = arguments, .no_progress_timeout = NO_PROGRESS_TIMEOUT_SECONDS,
                                               .already_there = must(json_array()) };
        size_t n_wanted = 0;
        int code;

        if (option_seconds(arguments, OPTION_NO_PROGRESS_TIMEOUT, &get.no_progress_timeout) < 0 || option_rate(arguments, &get.max_rate) < 0)
                return EXIT_USAGE;
        code = inputs_collect(arguments, 0, &get.inputs);
        if (code == EXIT_DONE)
                code = drop_what_is_there(&get, &n_wanted);
        if (code)
                return code;
        if (n_wanted > 0)
                return run_job(&get, n_wanted);
        return option_given(arguments, OPTION_JSON) ? print_json(&get) : EXIT_DONE;
}
