/* A runner whose programs are started by dosvc-notify: a program of ours that is always there takes what it must not keep off itself
 * and then becomes the other one. So a program on a disk that hangs holds up nobody but itself. All are of this process's user. */
#pragma once

#include "program/runner.h"

struct sd_event;

/* @helper: path of dosvc-notify. PATH and LANG are shared from the beginning. */
int runner_process_new(struct sd_event *event, const char *helper, struct runner **ret);

/* Behind a deadline everything of a program's session gets SIGTERM, and this much later SIGKILL. */
#define RUNNER_GRACE_USEC (5 * USEC_PER_SEC)
