/* Who is an administrator beside root: what polkit says. It is asked over the system bus, which is connected to when there is a question
 * and again when it was lost. No bus, no polkit, an error, silence: a no.
 *
 * The actions are those of packaging/polkit/org.dosvc.policy. polkit takes questions about other users' processes from root and from the
 * owner of the action only; the core's user is that by an annotation of the policy file. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macros.h"
#include "bus/authority.h"

struct polkit;
int polkit_new(sd_event *event, struct polkit **ret);
/* What was asked is answered no more. */
struct polkit *polkit_free(struct polkit *polkit);
DEFINE_CLEANUP_FUNC(struct polkit, polkit_free)

extern const struct authority polkit_authority; /* userdata: a struct polkit */
