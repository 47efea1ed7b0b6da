/* The D-Bus face: unix sockets, one sd-bus peer per client, the objects of idl/org.dosvc.xml. It translates and
 * decides nothing: what may happen to a job is the manager's business, who may connect is the kernel's word
 * (SO_PEERCRED).
 *
 * 1. bus_server_new() with a manager; manager_set_events(manager, &bus_manager_events, server).
 * 2. bus_server_listen() for each path (and bus_server_adopt_listener() for a socket that was handed to us).
 * 3. At the end: bus_server_close() (clients go, callbacks are taken back), manager_free(), bus_server_free(): the
 *    manager may still answer calls in between.
 *
 * Order: every changing call is parked until the manager answers, and a reading one about a job whose newest change
 * is not on disk is built at once and sent when it is. Signals leave from the manager's events only. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "bus/authority.h"
#include "manager/manager.h"

struct bus_server;

struct bus_service_info {
        const char *version;
        const char *state_directory;
        const char *sandbox; /* "landlock+seccomp", "seccomp" */
        uint32_t pid;
        uint32_t transfer_pid; /* 0: not running */
        uint64_t started_usec; /* CLOCK_REALTIME */
        uint64_t memory_bytes;
        uint64_t backup_usec;   /* the newest copy of the state; 0: there is none */
        uint64_t restored_usec; /* the state was damaged and is such a copy, of then; 0: it was not */
};

/* One row of ListConfiguration. */
struct bus_config_entry {
        const char *key;
        const char *value;
        const char *source;
        const char *unit;
        const char *text;
        const char *type;
        uint64_t min;
        uint64_t max;
        const char *initial;
        bool needs_restart; /* a reload leaves it as it is */
};

/* What the process around it is told and asked. All members may be NULL. */
struct bus_host {
        void (*info)(void *userdata, struct bus_service_info *ret);
        /* A client came or went, or a job's state changed: somebody may want to judge idleness anew. */
        void (*activity)(void *userdata);
        void (*failed)(void *userdata, int error); /* manager_events.failed */
        /* Reads the configuration again. The number of settings that changed, all in force; or -errno, *reterr_why says what is wrong
         * (NULL: nobody knows more; the caller frees it), and nothing changed. */
        int (*reload)(void *userdata, char **reterr_why);
};

struct bus_server_config {
        struct manager *manager; /* borrowed */
        uid_t uid;               /* the only one that is let in, unless */
        bool everybody;          /* each with jobs of their own */
        const struct authority *authority; /* NULL: root is the only administrator; borrowed */
        void *authority_userdata;
        size_t max_clients;
        size_t max_clients_per_user;
        size_t max_calls_per_client;
        uint64_t max_calls_per_second; /* of one user; 0: no limit */
        const struct clock *clock;     /* with it; borrowed */
        const struct bus_config_entry *entries; /* borrowed */
        size_t n_entries;
        const struct bus_host *host;
        void *host_userdata;
};

extern const struct manager_events bus_manager_events;

int bus_server_new(sd_event *event, const struct bus_server_config *config, struct bus_server **ret);
/* Everything that the manager may touch is given back; what it still answers is swallowed. */
void bus_server_close(struct bus_server *server);
struct bus_server *bus_server_free(struct bus_server *server);
DEFINE_CLEANUP_FUNC(struct bus_server, bus_server_free)

/* Listens at @path (mode 0600; 0666 where everybody is let in). The last directory of the path is made if it is missing, a socket that nobody
 * serves is replaced; if the socket vanishes it is made again. -EADDRINUSE: somebody else serves it. -ENAMETOOLONG:
 * longer than a socket's path may be. */
int bus_server_listen(struct bus_server *server, const char *path);
/* @fd is OWNED by the server if 0. */
int bus_server_adopt_listener(struct bus_server *server, int fd);
/* The same objects under org.dosvc on @bus, which the caller attaches to the loop, and closes behind bus_server_leave(). It may be still
 * connecting. */
int bus_server_join(struct bus_server *server, sd_bus *bus);
void bus_server_leave(struct bus_server *server);
/* One connected client. @fd is OWNED by the server in any case. */
int bus_server_add_client(struct bus_server *server, int fd);

/* The values behind config->entries were read again. Clients that are there stay. */
void bus_server_set_limits(struct bus_server *server, size_t max_clients, size_t max_calls_per_client, uint64_t max_calls_per_second);
size_t bus_server_count_clients(const struct bus_server *server);
/* From now on changing calls are answered with ShuttingDown. */
void bus_server_set_stopping(struct bus_server *server);
