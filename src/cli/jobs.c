#include "cli/cli.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* The verbs that change jobs. */

#define PARTIAL_COMPLETE 0x00200017        /* BG_S_PARTIAL_COMPLETE */
#define UNABLE_TO_DELETE_FILES 0x0020001A  /* BG_S_UNABLE_TO_DELETE_FILES */

int show_result(const struct arguments *arguments, dosvc *connection, const char *id, const char *line) {
        json_t *array, *object;

        if (option_given(arguments, OPTION_JSON)) {
                array = must(json_array());
                json_append_job(array, connection, id);
                object = json_incref(json_array_get(array, 0));
                json_decref(array);
                return json_print(object, false);
        }
        if (line)
                puts(line);
        return finish_output();
}

int command_create(const struct arguments *arguments) {
        _cleanup_(dosvc_closep) dosvc *connection = NULL;
        dosvc_job_options options = {
                .size = sizeof(options),
                .name = arguments->operands[0],
                .description = arguments->values[OPTION_DESCRIPTION],
                .family = arguments->values[OPTION_FAMILY],
                .priority = arguments->values[OPTION_PRIORITY],
                .complete_when_transferred = option_given(arguments, OPTION_COMPLETE),
                .replace = option_given(arguments, OPTION_REPLACE),
                .remote_time = option_given(arguments, OPTION_REMOTE_TIME),
                .no_progress_timeout = -1,
                .minimum_retry_delay = -1,
        };
        char id[DOSVC_ID_SIZE];
        int32_t r;
        int code;

        if (option_seconds(arguments, OPTION_NO_PROGRESS_TIMEOUT, &options.no_progress_timeout) < 0 ||
            option_seconds(arguments, OPTION_MINIMUM_RETRY_DELAY, &options.minimum_retry_delay) < 0 || option_rate(arguments, &options.max_rate) < 0)
                return EXIT_USAGE;
        code = connect_service(arguments, &connection);
        if (code)
                return code;
        r = dosvc_create_job(connection, &options, NULL, 0, id, NULL);
        if (r < 0)
                return report_failure(connection, r, "create");
        return show_result(arguments, connection, id, id);
}

int command_add(const struct arguments *arguments) {
        _cleanup_(inputs_done) struct inputs inputs = { 0 };
        _cleanup_(dosvc_closep) dosvc *connection = NULL;
        char id[DOSVC_ID_SIZE];
        int32_t r;
        int code;

        code = inputs_collect(arguments, 1, &inputs);
        if (code == EXIT_DONE)
                code = connect_job(arguments, arguments->operands[0], "add", &connection, id);
        if (code)
                return code;
        r = dosvc_add_files(connection, id, inputs.specs, inputs.n_specs);
        if (r < 0)
                return report_job_failure(connection, id, r, "add");
        return show_result(arguments, connection, id, NULL);
}

/* What a verb does to one job, and what a positive result means. */
struct action {
        const char *verb;
        int32_t (*call)(dosvc *connection, const char *id);
        int32_t remark_code;
        const char *remark;
};

static int act_on_one(const struct arguments *arguments, const struct action *action, const char *given, json_t *results) {
        _cleanup_(dosvc_closep) dosvc *connection = NULL;
        _cleanup_(freep) char *what = must_printf("%s %s", action->verb, given);
        char id[DOSVC_ID_SIZE];
        int32_t r;
        int code;

        code = connect_job(arguments, given, what, &connection, id);
        if (code)
                return code;
        r = action->call(connection, id);
        if (r < 0)
                return report_job_failure(connection, id, r, what);
        if (r > 0 && r == action->remark_code)
                report("%s: %s", what, action->remark);
        if (results)
                json_append_job(results, connection, id);
        return EXIT_DONE;
}

/* All of them are tried; the first failure is the exit code. */
static int act_on_each(const struct arguments *arguments, const struct action *action) {
        json_t *results = option_given(arguments, OPTION_JSON) ? must(json_array()) : NULL;
        int code, first = EXIT_DONE;

        for (int i = 0; i < arguments->n_operands; i++) {
                code = act_on_one(arguments, action, arguments->operands[i], results);
                if (first == EXIT_DONE)
                        first = code;
        }
        code = results ? json_print(results, false) : EXIT_DONE;
        return first ? first : code;
}

int command_resume(const struct arguments *arguments) {
        static const struct action action = { "resume", dosvc_resume, 0, NULL };

        return act_on_each(arguments, &action);
}

int command_suspend(const struct arguments *arguments) {
        static const struct action action = { "suspend", dosvc_suspend, 0, NULL };

        return act_on_each(arguments, &action);
}

int command_take(const struct arguments *arguments) {
        static const struct action action = { "take", dosvc_take_ownership, 0, NULL };

        return act_on_each(arguments, &action);
}

int command_complete(const struct arguments *arguments) {
        static const struct action action = { "complete", dosvc_complete, PARTIAL_COMPLETE,
                                              "only the files that were complete are in their places" };

        return act_on_each(arguments, &action);
}

int command_cancel(const struct arguments *arguments) {
        static const struct action action = { "cancel", dosvc_cancel, UNABLE_TO_DELETE_FILES,
                                              "some temporary file (.dosvc-*.part) could not be deleted" };

        return act_on_each(arguments, &action);
}
