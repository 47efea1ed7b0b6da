#include "job/internal.h"

#define OK JOB_VERDICT_OK
#define NOTHING JOB_VERDICT_NOTHING_TO_DO
#define INVALID JOB_VERDICT_INVALID_STATE
#define NO_INFO JOB_VERDICT_NO_INFORMATION

/* api.md 2.1, design decision 4. */
static const struct {
        const char *name;
        bool changes; /* answers INVALID_STATE while a Complete or Cancel is carried out */
        enum job_verdict in_state[_JOB_STATE_MAX];
} matrix[_JOB_COMMAND_MAX] = {
        /* In the order of enum job_state: queued, connecting, transferring, suspended, error, transient_error,
         * transferred, acknowledged, cancelled. */
        [JOB_COMMAND_ADD_FILE] = { "add_file", true, { OK, OK, OK, OK, OK, OK, OK, INVALID, INVALID } },
        [JOB_COMMAND_ENUM_FILES] = { "enum_files", false, { OK, OK, OK, OK, OK, OK, OK, OK, OK } },
        [JOB_COMMAND_SUSPEND] = { "suspend", true, { OK, OK, OK, NOTHING, OK, OK, OK, INVALID, INVALID } },
        [JOB_COMMAND_RESUME] = { "resume", true, { NOTHING, NOTHING, NOTHING, OK, OK, OK, OK, INVALID, INVALID } },
        [JOB_COMMAND_CANCEL] = { "cancel", true, { OK, OK, OK, OK, OK, OK, OK, INVALID, INVALID } },
        [JOB_COMMAND_COMPLETE] = { "complete", true, { OK, OK, OK, OK, OK, OK, OK, INVALID, INVALID } },
        [JOB_COMMAND_GET] = { "get", false, { OK, OK, OK, OK, OK, OK, OK, OK, OK } },
        [JOB_COMMAND_GET_ERROR] = { "get_error", false,
                                    { NO_INFO, NO_INFO, NO_INFO, NO_INFO, OK, OK, NO_INFO, NO_INFO, NO_INFO } },
        [JOB_COMMAND_SET] = { "set", true, { OK, OK, OK, OK, OK, OK, OK, INVALID, INVALID } },
        [JOB_COMMAND_SET_NOTIFY] = { "set_notify", true, { OK, OK, OK, OK, OK, OK, OK, INVALID, INVALID } },
        [JOB_COMMAND_TAKE_OWNERSHIP] = { "take_ownership", true, { OK, OK, OK, OK, OK, OK, OK, INVALID, INVALID } },
};

enum job_verdict job_command_verdict_in_state(enum job_command command, enum job_state state) {
        assert(command < _JOB_COMMAND_MAX);
        assert(state < _JOB_STATE_MAX);
        return matrix[command].in_state[state];
}

enum job_verdict job_command_verdict(const struct job *job, enum job_command command) {
        enum job_verdict verdict = job_command_verdict_in_state(command, job->state);

        if (job->intent != JOB_INTENT_NONE && matrix[command].changes)
                return JOB_VERDICT_INVALID_STATE;
        /* The object outlives the error state: in the queue until TRANSFERRING, and after a Complete that failed. */
        if (command == JOB_COMMAND_GET_ERROR && job->error.code != ERROR_NONE &&
            (job->state == JOB_QUEUED || job->state == JOB_TRANSFERRED))
                return JOB_VERDICT_OK;
        return verdict;
}

const char *job_command_name(enum job_command command) {
        return (size_t) command < ELEMENTSOF(matrix) ? matrix[command].name : NULL;
}
