/* Who says whether a caller may act as an administrator, beside root, who always may. The face asks through these two functions and knows
 * no more of it; what answers them (polkit) is the process's around it.
 *
 * A question is about one call of one process and is never remembered: whoever asks twice is judged twice. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define AUTHORITY_MANAGE_ALL "org.dosvc.manage-all"
#define AUTHORITY_TAKE_OWNERSHIP "org.dosvc.take-ownership"
#define AUTHORITY_CHANGE_POLICY "org.dosvc.change-policy"

struct authority_question {
        const char *action;
        const char *bus_name; /* on a bus: who asks; which process that is, the bus knows. NULL: the one below */
        uid_t uid;
        pid_t pid;        /* not another's before the answer is there: who asks makes sure of that */
        bool interactive;    /* the caller can wait for a person to say a password */
};

/* Everything but a clear yes is a no. */
typedef void (*authority_answer_fn)(bool granted, void *userdata);

struct authority {
        /* @answer is called once, later, never from inside of this; not after cancel(). -errno: it will not be. *ret_asked: for cancel(). */
        int (*ask)(void *userdata, const struct authority_question *question, authority_answer_fn answer, void *answer_userdata,
                   void **ret_asked);
        void (*cancel)(void *userdata, void *asked);
};
