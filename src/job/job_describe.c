#include "job/machine.h"

static const char *verdict_text(enum job_verdict verdict) {
        static const char *const texts[] = {
                [JOB_VERDICT_OK] = "yes",
                [JOB_VERDICT_NOTHING_TO_DO] = "nothing to do",
                [JOB_VERDICT_INVALID_STATE] = "INVALID_STATE",
                [JOB_VERDICT_NO_INFORMATION] = "NO_ERROR_INFORMATION",
        };

        return texts[verdict];
}

static void describe_transitions(FILE *out) {
        fprintf(out, "| state | event | next state | error | counted | modified | what happens |\n"
                     "| --- | --- | --- | --- | --- | --- | --- |\n");
        for (enum job_state state = 0; state < _JOB_STATE_MAX; state++)
                for (enum job_event event = 0; event < _JOB_EVENT_MAX; event++) {
                        const struct transition *row = transition_find(state, event);

                        if (!row)
                                continue;
                        fprintf(out, "| %s | %s | %s | %s | %s | %s | %s |\n", job_state_name(state),
                                job_event_name(event), job_state_name(row->next),
                                row->actions & TRANSITION_FORGET_ERROR ? "cleared" : "",
                                row->actions & TRANSITION_COUNT ? "yes" : "",
                                row->actions & TRANSITION_TOUCH ? "yes" : "", row->sentence);
                }
}

static void describe_matrix(FILE *out, enum job_kind kind) {
        fprintf(out, "| call |");
        for (enum job_state state = 0; state < _JOB_STATE_MAX; state++)
                fprintf(out, " %s |", job_state_name(state));
        fprintf(out, "\n| --- |");
        for (enum job_state state = 0; state < _JOB_STATE_MAX; state++)
                fprintf(out, " --- |");
        fprintf(out, "\n");
        for (enum job_command command = 0; command < _JOB_COMMAND_MAX; command++) {
                fprintf(out, "| %s |", job_command_name(command));
                for (enum job_state state = 0; state < _JOB_STATE_MAX; state++)
                        fprintf(out, " %s |", verdict_text(job_command_verdict_in_state(kind, command, state)));
                fprintf(out, "\n");
        }
}

void job_describe_machine(FILE *out) {
        fprintf(out,
                "# States of a job\n"
                "\n"
                "Made by `describe-states` from `src/job/transitions.def` and `src/job/job_matrix.c`; a test fails\n"
                "when this page differs. `ninja states-md` makes it anew.\n"
                "\n"
                "## What leads from state to state\n"
                "\n"
                "An event without a row cannot happen in that state. `counted` goes into the error count unless the\n"
                "cause is one that ends by itself (network, space, policy, a destination that is not there).\n"
                "The error object stays until a row clears it. A job in `acknowledged` or `cancelled` never changes\n"
                "again; `connecting` is never entered. `transferred` and `error` owe the client a notification from the\n"
                "moment that the job enters until it leaves or a callback took it.\n"
                "\n");
        describe_transitions(out);
        fprintf(out,
                "\n"
                "## Which call is allowed when\n"
                "\n"
                "While a Complete or Cancel is being carried out, every call that changes something answers\n"
                "INVALID_STATE. `resume` of a job without files answers JOB_EMPTY. `get_error` also finds the object\n"
                "in `queued` until the job is transferring again, and in `transferred` after a Complete that failed.\n"
                "\n");
        describe_matrix(out, JOB_KIND_JOB);
        fprintf(out,
                "\n"
                "## The same for a download\n"
                "\n"
                "A download (`IDOManager`) is a job with one file, and other rules: it is finished only when it is complete, and what it\n"
                "fetches is fixed while it does. `set_sink` is allowed until its first `start`, which is also how it goes on.\n"
                "`start` of a download without URL or destination answers NO_URI or NO_LOCAL_PATH.\n"
                "\n");
        describe_matrix(out, JOB_KIND_DOWNLOAD);
}
