/* The inside of a connection, for connection.c and changes.c only. */
#pragma once

#include "client/connection.h"

struct dosvc {
        struct dosvc *prev, *next; /* all connections of the process */
        atomic_uint n_references;
        uint64_t serial;
        const struct connection_hooks *hooks;
        bool start; /* a user instance, if there is none */
        int wake_fd;
        atomic_int interrupted;
        atomic_bool is_system;

        pthread_mutex_t lock;   /* guards all below and every use of the bus and its messages */
        pthread_cond_t changed; /* connected, lost, changes, interrupted */
        sd_bus *bus;
        int bus_fd;            /* the bus's own */
        sd_bus *abandoned_bus; /* of the parent process; keeps leak checkers calm */
        char *address;
        unsigned places; /* DISCOVER_* */
        uint64_t generation;
        bool connecting; /* one thread is at it, without the lock */
        uint64_t n_attempts;
        int last_attempt;
        pthread_t reader;
        bool reading;
        bool stop;
        struct pending *pending;
        struct watcher *watchers;
};

/* Sees every message that comes in; under the lock. */
int connection_on_message(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
