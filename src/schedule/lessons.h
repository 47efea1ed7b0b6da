/* What was learned of servers: how many connections paid off for one file (segments.h), so that the next file of the same server does not
 * have to find out again. For each owner; in memory; for ten minutes, and no longer than the network stays the same.
 *
 * 1. lessons_learn() when a file of the server is there.
 * 2. lessons_recall() when the next one begins.
 * 3. lessons_forget() when the server failed; lessons_done() when the network is another one, and at the end. */
#pragma once

#include <sys/types.h>

#include "schedule/segments.h"

#define LESSONS_MAX 64
#define LESSON_LIFE_USEC (10 * USEC_PER_MINUTE)

struct lesson;

/* Zero is empty. */
struct lessons {
        struct lesson *rows;
        size_t n;
};

/* Of a full table the oldest one goes. Without memory nothing is learned. */
void lessons_learn(struct lessons *lessons, uid_t owner, const char *url, const struct segments_lesson *lesson, uint64_t now);
bool lessons_recall(const struct lessons *lessons, uid_t owner, const char *url, uint64_t now, struct segments_lesson *ret);
void lessons_forget(struct lessons *lessons, uid_t owner, const char *url);
void lessons_done(struct lessons *lessons);
