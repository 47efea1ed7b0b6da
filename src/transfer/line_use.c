#include "transfer/line_use.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

struct line_user {
        struct line_user *prev, *next;
        struct line_uses *uses;
        void *userdata;
        struct line_use own;
        bool knows_others; /* it was told last that there are some */
};

struct line_uses {
        line_uses_tell tell;
        struct line_user *users;
        struct line_use all;
        uint64_t slowdown_usec; /* when the last one was passed on */
};

static void add(struct line_uses *uses, const struct line_use *use) {
        uses->all.low += use->low;
        uses->all.high += use->high;
        uses->all.n += use->n;
}

static void subtract(struct line_uses *uses, const struct line_use *use) {
        uses->all.low -= use->low;
        uses->all.high -= use->high;
        uses->all.n -= use->n;
}

static void tell_user(struct line_user *user, bool slowdown) {
        const struct line_use *all = &user->uses->all;
        const struct line_use elsewhere = {
                .low = MIN(all->low - user->own.low, LINE_USE_RATE_MAX),
                .high = MIN(all->high - user->own.high, LINE_USE_RATE_MAX),
                .n = MIN(all->n - user->own.n, LINE_USE_N_MAX),
                .slowdown = slowdown,
        };

        if (elsewhere.n == 0 && !user->knows_others)
                return;
        user->knows_others = elsewhere.n > 0;
        user->uses->tell(user->userdata, &elsewhere);
}

static void pass_slowdown_on(struct line_user *from, uint64_t now_usec) {
        struct line_uses *uses = from->uses;
        struct line_user *user;

        if (uses->slowdown_usec > 0 && now_usec - uses->slowdown_usec < LINE_USE_SLOWDOWN_USEC)
                return;
        uses->slowdown_usec = now_usec;
        DL_FOREACH(uses->users, user)
                if (user != from && user->own.n > 0)
                        tell_user(user, true);
}

void line_uses_note(struct line_user *user, const struct line_use *use, uint64_t now_usec) {
        subtract(user->uses, &user->own);
        user->own = *use;
        add(user->uses, &user->own);
        if (use->slowdown)
                pass_slowdown_on(user, now_usec);
        if (use->n > 0)
                tell_user(user, false);
}

int line_uses_join(struct line_uses *uses, void *userdata, struct line_user **ret) {
        struct line_user *user = calloc(1, sizeof(*user));

        if (!user)
                return -ENOMEM;
        user->uses = uses;
        user->userdata = userdata;
        DL_APPEND(uses->users, user);
        *ret = user;
        return 0;
}

struct line_user *line_uses_leave(struct line_user *user) {
        if (!user)
                return NULL;
        subtract(user->uses, &user->own);
        DL_DELETE(user->uses->users, user);
        free(user);
        return NULL;
}

int line_uses_new(line_uses_tell tell, struct line_uses **ret) {
        struct line_uses *uses = calloc(1, sizeof(*uses));

        if (!uses)
                return -ENOMEM;
        uses->tell = tell;
        *ret = uses;
        return 0;
}

struct line_uses *line_uses_free(struct line_uses *uses) {
        free(uses);
        return NULL;
}
