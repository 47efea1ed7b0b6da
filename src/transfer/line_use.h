/* What the background connections of each transfer process have of the line. There is one process for each owner and file system, and none
 * can see the others' connections: so each says what its own have, and hears what those of all others have together. They give way as one
 * then (scavenger.h); each for itself would take the others for somebody else, and the last to come would have all. Pure bookkeeping,
 * for who starts these processes: knows neither them nor frames.
 *
 * 1. line_uses_join() for each process that has something to say.
 * 2. line_uses_note() whenever it does, about ten times a second while it has background connections; tell() says what it is to hear, if that is
 *    anything, from within the call. That a slowdown begins is told to all others at once: they are to look for the empty line at the same time.
 * 3. line_uses_leave() when it is gone.
 *
 * Nothing that is said is believed to be true: it moves what others take of the line in the background, and each of them stays within its
 * own limits of queue delay, whatever it heard. */
#pragma once

#include "base/clock.h"
#include "ipc/message.h"

#define LINE_USE_INTERVAL_USEC (USEC_PER_SEC / 10)
#define LINE_USE_SLOWDOWN_USEC USEC_PER_SEC /* so often one is passed on */
#define LINE_USE_RATE_MAX IPC_LINE_RATE_MAX
#define LINE_USE_N_MAX ((uint32_t) IPC_LINE_PLACES_MAX)

struct line_use {
        uint64_t low, high; /* bytes per second: as little and as much as they had in the last moments; low <= high <= LINE_USE_RATE_MAX */
        uint32_t n;         /* places (addresses) that they are to; at most LINE_USE_N_MAX */
        bool slowdown;      /* one of them begins to look for the empty line */
};

struct line_uses;
struct line_user;

typedef void (*line_uses_tell)(void *userdata, const struct line_use *elsewhere);

int line_uses_new(line_uses_tell tell, struct line_uses **ret);
/* All must have left. */
struct line_uses *line_uses_free(struct line_uses *uses);
int line_uses_join(struct line_uses *uses, void *userdata, struct line_user **ret);
/* NULL is fine. The others hear of it when they next say something. */
struct line_user *line_uses_leave(struct line_user *user);
/* @now_usec: CLOCK_MONOTONIC. */
void line_uses_note(struct line_user *user, const struct line_use *use, uint64_t now_usec);
