/* Whose turn it is among the places (addresses that background connections go to) whose windows others have pressed to the floor. Each
 * floor is small, the sum of many is not: where they have one bottleneck in common, one of them at a time is to be awake. Where they have
 * not, each loses next to nothing by it. Pure decisions over what each place saw: knows no sockets, no clock.
 *
 * 1. turns_join() when a place has its first background connection, turns_leave() after its last one.
 * 2. turns_note() after each tick of a place; then place->waits of all of them says who must be silent.
 *
 * The one that is awake stands for those that wait: when it has room, all of them are crowded no more, and find out for themselves. */
#pragma once

#include "base/clock.h"

#define TURN_USEC (2 * USEC_PER_SEC)
#define TURN_WAIT_USEC (20 * USEC_PER_SEC) /* and no longer than this: servers give up those who don't read, many after a minute */

enum turn_news {
        TURN_CROWDED_OUT, /* others fill the line: the window is at its floor */
        TURN_NOTHING_NEW,
        TURN_HAS_ROOM, /* the window has grown beyond it */
};

struct turn {
        struct turn *prev, *next;
        bool crowded;
        bool waits; /* somebody else is awake */
};

struct turns {
        struct turn *members; /* in the order of their turns */
        struct turn *awake;   /* of those who are crowded; NULL: none */
        uint64_t until_usec;
};

void turns_join(struct turns *turns, struct turn *turn);
void turns_leave(struct turns *turns, struct turn *turn, uint64_t now_usec);
/* @now_usec: CLOCK_MONOTONIC, as in all calls. */
void turns_note(struct turns *turns, struct turn *turn, enum turn_news news, uint64_t now_usec);
/* How long one of @n has it. */
uint64_t turn_length(unsigned n);
