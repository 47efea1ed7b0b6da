/* When a transfer process that died is started again: at once after it has died for the first time, then ever later, up to half a minute,
 * until one has lived for a while or done something. Pure: times come from outside. */
#pragma once

#include "base/macros.h"

#define RESTART_FAILURES_BEFORE_GIVING_UP 3 /* starts without a HELLO, before requests end with ENGINE_FAILED */

struct restarts {
        unsigned n_failures;
        uint64_t started_usec;
};

static inline void restarts_note_start(struct restarts *restarts, uint64_t now_usec) {
        restarts->started_usec = now_usec;
}
/* It brought a whole file. */
static inline void restarts_note_success(struct restarts *restarts) {
        restarts->n_failures = 0;
}
/* @was_met: it had said hello; @unasked: nobody had told it to leave. */
void restarts_note_end(struct restarts *restarts, uint64_t now_usec, bool was_met, bool unasked);
/* Until the next start. */
uint64_t restarts_delay(const struct restarts *restarts);
