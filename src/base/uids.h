/* Which users are people, and which belong to the system: Debian policy 9.2.2 and systemd's UIDS-GIDS.md. */
#pragma once

#include <sys/types.h>

#include "base/macros.h"

#define UID_FIRST_PERSON 1000
#define UID_DYNAMIC_FIRST 61184
#define UID_DYNAMIC_LAST 65519
#define UID_NOBODY 65534
#define UID_16_BIT_NONE 65535

/* No user at all, or the one that stands for those whom the kernel cannot name. */
static inline bool uid_is_nobody(uid_t uid) {
        return uid == (uid_t) -1 || uid == UID_NOBODY || uid == UID_16_BIT_NONE;
}

static inline bool uid_is_person(uid_t uid) {
        return !uid_is_nobody(uid) && uid >= UID_FIRST_PERSON && (uid < UID_DYNAMIC_FIRST || uid > UID_DYNAMIC_LAST);
}
