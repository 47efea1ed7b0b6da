/* The rows of transitions.def, for the machine that obeys them and the page that prints them. */
#pragma once

#include "job/job.h"

enum {
        TRANSITION_TOUCH = 1,
        TRANSITION_COUNT = 2,
        TRANSITION_FORGET_ERROR = 4,
};

struct transition {
        enum job_state next;
        unsigned actions;
        const char *sentence;
};

/* NULL: this event cannot happen in this state. */
const struct transition *transition_find(enum job_state state, enum job_event event);
