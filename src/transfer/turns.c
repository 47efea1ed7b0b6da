#include "transfer/turns.h"

#include <utlist.h>

uint64_t turn_length(unsigned n) {
        return MIN((uint64_t) TURN_USEC, TURN_WAIT_USEC / n);
}

static unsigned count_crowded(const struct turns *turns) {
        const struct turn *turn;
        unsigned n = 0;

        DL_FOREACH(turns->members, turn)
                n += turn->crowded;
        return n;
}

/* The first in the order of turns; who has had one is at its end. */
static struct turn *find_crowded(const struct turns *turns) {
        struct turn *turn;

        DL_FOREACH(turns->members, turn)
                if (turn->crowded)
                        return turn;
        return NULL;
}

static void give(struct turns *turns, struct turn *turn, uint64_t until_usec) {
        turns->awake = turn;
        turns->until_usec = until_usec;
        DL_DELETE(turns->members, turn);
        DL_APPEND(turns->members, turn);
}

static void decide(struct turns *turns, uint64_t now_usec) {
        unsigned n = count_crowded(turns);
        struct turn *turn;

        if (n == 0)
                turns->awake = NULL;
        else if (!turns->awake || !turns->awake->crowded || (n > 1 && now_usec >= turns->until_usec))
                give(turns, find_crowded(turns), now_usec + turn_length(n));
        DL_FOREACH(turns->members, turn)
                turn->waits = turn->crowded && turn != turns->awake;
}

void turns_join(struct turns *turns, struct turn *turn) {
        *turn = (struct turn) {};
        DL_APPEND(turns->members, turn);
}

void turns_leave(struct turns *turns, struct turn *turn, uint64_t now_usec) {
        DL_DELETE(turns->members, turn);
        if (turns->awake == turn)
                turns->awake = NULL;
        *turn = (struct turn) {};
        decide(turns, now_usec);
}

void turns_note(struct turns *turns, struct turn *turn, enum turn_news news, uint64_t now_usec) {
        struct turn *other;

        if (news == TURN_CROWDED_OUT)
                turn->crowded = true;
        else if (news == TURN_HAS_ROOM && turn == turns->awake)
                DL_FOREACH(turns->members, other)
                        other->crowded = false;
        decide(turns, now_usec);
}
