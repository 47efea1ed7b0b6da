/* The core put together: store, owner role, transfer engine, manager and D-Bus face on one loop; started, stopped,
 * left when idle. */
#pragma once

#include "daemon/arguments.h"
#include "daemon/settings.h"

#define SERVICE_EXIT_STORE_FAILED 75 /* EX_TEMPFAIL: start me again */
#define SERVICE_EXIT_STATE_IS_NEWER 78 /* EX_CONFIG: do not, before somebody installed what wrote the state */
#define SERVICE_UPGRADED 256           /* no exit code: successor_exec() */

struct service;
struct successor;

struct service_config {
        const struct arguments *arguments;
        struct settings *settings; /* borrowed; SIGHUP changes them */
        const char *config_path;   /* what SIGHUP reads; NULL: there is none */
        bool config_required;
        const char *state_dir;  /* real path, ours, locked */
        int lock_fd;            /* borrowed; the address is published there */
        const struct successor *successor; /* borrowed */
        bool default_state_dir; /* then it may have $XDG_RUNTIME_DIR/dosvc/bus, too */
};

int service_new(const struct service_config *config, struct service **ret);
/* Until a signal, idleness, an upgrade or a failure. Return: the exit code, SERVICE_UPGRADED, or -errno. */
int service_run(struct service *service);
struct service *service_free(struct service *service);
DEFINE_CLEANUP_FUNC(struct service, service_free)
