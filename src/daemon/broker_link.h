/* The core's connection to dosvc-broker: asks for processes that are to be an owner's. Connected when it is needed, again when it broke. */
#pragma once

#include <sys/types.h>

#include "ipc/message.h"

struct sd_event;
struct broker_link;

struct broker_link_callbacks {
        /* There will be no dosvc-owner for this owner: @error (< 0) says why. */
        void (*refused)(void *userdata, uid_t owner, int error);
        /* dosvc-broker is of another version than we are. True: we are about to leave; owners are refused with -EOWNERDEAD then, else
         * with -EPROTONOSUPPORT. */
        bool (*other_version)(void *userdata, const char *program);
};

int broker_link_new(struct sd_event *event, const char *path, const struct broker_link_callbacks *callbacks, void *userdata,
                    struct broker_link **ret);
struct broker_link *broker_link_free(struct broker_link *link);
DEFINE_CLEANUP_FUNC(struct broker_link, broker_link_free)

/* Has @fd (consumed on success) given to a new process of @owner. Where that fails later the other end is closed. */
int broker_link_spawn(struct broker_link *link, uid_t owner, enum ipc_program program, int fd);
