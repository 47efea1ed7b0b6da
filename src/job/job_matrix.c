#include "job/internal.h"

#define OK JOB_VERDICT_OK
#define NOTHING JOB_VERDICT_NOTHING_TO_DO
#define INVALID JOB_VERDICT_INVALID_STATE
#define NO_INFO JOB_VERDICT_NO_INFORMATION

#define EVERYWHERE(verdict) \
        { verdict, verdict, verdict, verdict, verdict, verdict, verdict, verdict, verdict }
#define UNTIL_ITS_END(verdict) \
        { verdict, verdict, verdict, verdict, verdict, verdict, verdict, INVALID, INVALID }

/* api.md 2.1 and 2.3, design decision 4. */
static const struct {
        const char *name;
        bool changes; /* answers INVALID_STATE while a Complete or Cancel is carried out */
        enum job_verdict in_state[_JOB_KIND_MAX][_JOB_STATE_MAX];
} matrix[_JOB_COMMAND_MAX] = {
        /* In the order of enum job_state: queued, connecting, transferring, suspended, error, transient_error,
         * transferred, acknowledged, cancelled. First what holds for a job, then for a download. */
        [JOB_COMMAND_ADD_FILE] = { "add_file", true, { UNTIL_ITS_END(OK), EVERYWHERE(INVALID) } },
        [JOB_COMMAND_ENUM_FILES] = { "enum_files", false, { EVERYWHERE(OK), EVERYWHERE(OK) } },
        [JOB_COMMAND_SUSPEND] = { "suspend", true,
                                  { { OK, OK, OK, NOTHING, OK, OK, OK, INVALID, INVALID },
                                    { OK, OK, OK, NOTHING, NOTHING, OK, NOTHING, INVALID, INVALID } } },
        [JOB_COMMAND_RESUME] = { "resume", true,
                                 { { NOTHING, NOTHING, NOTHING, OK, OK, OK, OK, INVALID, INVALID },
                                   { NOTHING, NOTHING, NOTHING, OK, OK, OK, OK, INVALID, INVALID } } },
        [JOB_COMMAND_CANCEL] = { "cancel", true, { UNTIL_ITS_END(OK), UNTIL_ITS_END(OK) } },
        [JOB_COMMAND_COMPLETE] = { "complete", true,
                                   { UNTIL_ITS_END(OK),
                                     { INVALID, INVALID, INVALID, INVALID, INVALID, INVALID, OK, INVALID, INVALID } } },
        [JOB_COMMAND_GET] = { "get", false, { EVERYWHERE(OK), EVERYWHERE(OK) } },
        [JOB_COMMAND_GET_ERROR] = { "get_error", false,
                                    { { NO_INFO, NO_INFO, NO_INFO, NO_INFO, OK, OK, NO_INFO, NO_INFO, NO_INFO },
                                      { NO_INFO, NO_INFO, NO_INFO, NO_INFO, OK, OK, NO_INFO, NO_INFO, NO_INFO } } },
        [JOB_COMMAND_START] = { "start", true,
                                { EVERYWHERE(INVALID),
                                  { NOTHING, NOTHING, NOTHING, OK, OK, OK, OK, INVALID, INVALID } } },
        [JOB_COMMAND_SET_URL] = { "set_url", true,
                                  { UNTIL_ITS_END(OK),
                                    { INVALID, INVALID, INVALID, OK, OK, OK, INVALID, INVALID, INVALID } } },
        /* A download's only until its first Start: see job_command_verdict(). */
        [JOB_COMMAND_SET_SINK] = { "set_sink", true,
                                   { { INVALID, INVALID, INVALID, OK, OK, INVALID, OK, INVALID, INVALID },
                                     { INVALID, INVALID, INVALID, OK, INVALID, INVALID, INVALID, INVALID, INVALID } } },
        [JOB_COMMAND_SET] = { "set", true, { UNTIL_ITS_END(OK), UNTIL_ITS_END(OK) } },
        [JOB_COMMAND_SET_NOTIFY] = { "set_notify", true, { UNTIL_ITS_END(OK), UNTIL_ITS_END(OK) } },
        [JOB_COMMAND_TAKE_OWNERSHIP] = { "take_ownership", true, { UNTIL_ITS_END(OK), UNTIL_ITS_END(OK) } },
};

enum job_verdict job_command_verdict_in_state(enum job_kind kind, enum job_command command, enum job_state state) {
        assert(kind < _JOB_KIND_MAX);
        assert(command < _JOB_COMMAND_MAX);
        assert(state < _JOB_STATE_MAX);
        return matrix[command].in_state[kind][state];
}

enum job_verdict job_command_verdict(const struct job *job, enum job_command command) {
        enum job_verdict verdict = job_command_verdict_in_state(job->kind, command, job->state);

        if (job->intent != JOB_INTENT_NONE && matrix[command].changes)
                return JOB_VERDICT_INVALID_STATE;
        if (command == JOB_COMMAND_SET_SINK && job->kind == JOB_KIND_DOWNLOAD && job->resumed)
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
