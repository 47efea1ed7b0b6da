/* Binds a manager, its store and its owner role to an sd-event loop: descriptors, one timer, and a turn before each sleep. */
#pragma once

#include <systemd/sd-event.h>

#include "manager/manager.h"

struct manager_loop;
int manager_loop_new(sd_event *event, struct manager *manager, struct store *store, struct files *files, struct manager_loop **ret);
struct manager_loop *manager_loop_free(struct manager_loop *loop);
DEFINE_CLEANUP_FUNC(struct manager_loop, manager_loop_free)
