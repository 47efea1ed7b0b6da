#include "job/internal.h"

#include "job/machine.h"

#define TOUCH TRANSITION_TOUCH
#define COUNT TRANSITION_COUNT
#define FORGET_ERROR TRANSITION_FORGET_ERROR
static const struct transition transitions[_JOB_STATE_MAX][_JOB_EVENT_MAX] = {
#define TRANSITION(state, event, next, actions, sentence) \
        [JOB_##state][JOB_EVENT_##event] = { JOB_##next, actions, sentence },
#include "job/transitions.def"
#undef TRANSITION
};
#undef TOUCH
#undef COUNT
#undef FORGET_ERROR

/* What holds for as long as a job is in a state. */
static const struct {
        bool is_final, is_active, has_error;
        uint32_t notify; /* owed to the client from the moment that the job enters */
        enum waiting_reason waiting;
} facts[_JOB_STATE_MAX] = {
        [JOB_QUEUED] = { .is_active = true, .waiting = WAITING_SLOT },
        [JOB_CONNECTING] = { .is_active = true },
        [JOB_TRANSFERRING] = { .is_active = true },
        [JOB_SUSPENDED] = { .waiting = WAITING_RESUME },
        [JOB_ERROR] = { .has_error = true, .notify = JOB_NOTIFY_ERROR, .waiting = WAITING_ATTENTION },
        [JOB_TRANSIENT_ERROR] = { .is_active = true, .has_error = true, .waiting = WAITING_RETRY },
        [JOB_TRANSFERRED] = { .notify = JOB_NOTIFY_TRANSFERRED, .waiting = WAITING_COMPLETE },
        [JOB_ACKNOWLEDGED] = { .is_final = true },
        [JOB_CANCELLED] = { .is_final = true },
};

/* Causes that end by themselves, and what the job waits for meanwhile (design decision 19). */
static const struct {
        enum error_code code;
        enum waiting_reason waiting;
} blocked_causes[] = {
        { ERROR_NO_NETWORK, WAITING_NETWORK },
        { ERROR_NO_SPACE, WAITING_SPACE },
        { ERROR_QUOTA, WAITING_SPACE },
        { ERROR_DESTINATION_LOCKED, WAITING_DESTINATION },
        { ERROR_READ_ONLY_FILE_SYSTEM, WAITING_DESTINATION },
        { ERROR_BLOCKED_BY_POLICY, WAITING_POLICY },
        { ERROR_BLOCKED_BY_COST, WAITING_COST },
        { ERROR_BLOCKED_BY_CELLULAR, WAITING_COST },
        { ERROR_BLOCKED_BY_BATTERY, WAITING_POWER },
        { ERROR_BLOCKED_BY_BATTERY_SAVER, WAITING_POWER },
        { ERROR_STANDBY, WAITING_SLEEP },
        { ERROR_TOO_MANY_OPEN_FILES, WAITING_RESOURCES },
        { ERROR_OUT_OF_MEMORY, WAITING_RESOURCES },
};

static const char *const event_names[_JOB_EVENT_MAX] = {
        [JOB_EVENT_RESUME] = "resume",
        [JOB_EVENT_SUSPEND] = "suspend",
        [JOB_EVENT_START] = "start",
        [JOB_EVENT_YIELD] = "yield",
        [JOB_EVENT_TRANSIENT_ERROR] = "transient_error",
        [JOB_EVENT_RETRY] = "retry",
        [JOB_EVENT_FATAL_ERROR] = "fatal_error",
        [JOB_EVENT_ALL_TRANSFERRED] = "all_transferred",
        [JOB_EVENT_COMPLETED] = "completed",
        [JOB_EVENT_CANCELLED] = "cancelled",
        [JOB_EVENT_RESTARTED] = "restarted",
};

const struct transition *transition_find(enum job_state state, enum job_event event) {
        const struct transition *row;

        assert(state < _JOB_STATE_MAX);
        assert(event < _JOB_EVENT_MAX);
        row = &transitions[state][event];
        return row->sentence ? row : NULL;
}

static enum waiting_reason blocked_cause_waiting(enum error_code code) {
        for (size_t i = 0; i < ELEMENTSOF(blocked_causes); i++)
                if (blocked_causes[i].code == code)
                        return blocked_causes[i].waiting;
        return WAITING_NONE;
}

bool job_error_is_blocked_cause(enum error_code code) {
        return blocked_cause_waiting(code) != WAITING_NONE;
}

enum waiting_reason job_default_waiting(const struct job *job) {
        if (job->state == JOB_TRANSIENT_ERROR && job_error_is_blocked_cause(job->error.code))
                return blocked_cause_waiting(job->error.code);
        return facts[job->state].waiting;
}

static void enter(struct job *job, enum job_state state, uint64_t now_usec) {
        job->notify_due &= ~facts[job->state].notify;
        job->state = state;
        job->state_since_usec = now_usec;
        job->notify_due |= facts[state].notify;
        if (facts[state].notify)
                job->notify_round++;
        if (state == JOB_TRANSFERRED)
                job->transferred_usec = now_usec;
}

int job_transition(struct job *job, enum job_event event, uint64_t now_usec) {
        const struct transition *row = transition_find(job->state, event);

        if (!row)
                return ERROR_INVALID_STATE;
        if ((row->actions & TRANSITION_COUNT) && !job_error_is_blocked_cause(job->error.code))
                job->error_count++;
        if (row->actions & TRANSITION_FORGET_ERROR)
                job_clear_error(job);
        if (row->actions & TRANSITION_TOUCH)
                job->modified_usec = now_usec;
        if (row->next != job->state)
                enter(job, row->next, now_usec);
        else if (event != JOB_EVENT_TRANSIENT_ERROR)
                return 0; /* nothing happened: what it waits for is still right */
        job_set_waiting(job, job_default_waiting(job), now_usec);
        return 0;
}

bool job_state_is_final(enum job_state state) {
        return state < _JOB_STATE_MAX && facts[state].is_final;
}

bool job_state_is_active(enum job_state state) {
        return state < _JOB_STATE_MAX && facts[state].is_active;
}

bool job_state_has_error(enum job_state state) {
        return state < _JOB_STATE_MAX && facts[state].has_error;
}

const char *job_event_name(enum job_event event) {
        return (size_t) event < ELEMENTSOF(event_names) ? event_names[event] : NULL;
}
