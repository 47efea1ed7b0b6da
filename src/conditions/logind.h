/* What logind says: who of the users is there, and when the machine goes to sleep. Without logind everybody counts as present, and the machine
 * never sleeps. Must never know what follows from that. */
#pragma once

#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "base/macros.h"

struct logind_facts {
        bool goes_to_sleep;
        bool knows_presence;
        const uid_t *present; /* sorted */
        size_t n_present;
};

struct logind;
int logind_new(void (*changed)(void *userdata), void *userdata, struct logind **ret);
struct logind *logind_free(struct logind *logind);
DEFINE_CLEANUP_FUNC(struct logind, logind_free)
/* Who is present is asked for only if somebody wants to know: on some machines people come and go all the time. */
int logind_want_presence(struct logind *logind, bool wanted);
int logind_begin(struct logind *logind, sd_bus *bus);
void logind_end(struct logind *logind); /* the bus is lost; @changed is not called */
/* The machine does not sleep before this is called, for a few seconds (InhibitDelayMaxSec= of logind.conf). */
void logind_may_sleep(struct logind *logind);
const struct logind_facts *logind_now(const struct logind *logind);
