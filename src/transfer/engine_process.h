/* The engine that lives in a process of its own: has dosvc-transfer and dosvc-resolve started on demand (transfer/lane.h), speaks the frames of src/ipc to it, starts it again with growing delay when it dies (every
 * running request then ends with ENGINE_LOST). */
#pragma once

#include "transfer/engine.h"

struct sd_event;

struct engine_process_config {
        const char *sockets;          /* a folder with sockets where who connects gets a process; NULL: children of ours */
        const char *transfer_program; /* path of dosvc-transfer */
        const char *resolve_program;  /* path of dosvc-resolve */
        const char *crl_file;         /* revocation lists, PEM; NULL: none */
        const char *ca_file;          /* certificates of the authorities that are trusted, PEM; NULL: the system's bundle */
        uint64_t idle_exit_usec;      /* the children leave after this long without a request; USEC_INFINITY: stay */
        bool verbose;
        void (*died)(void *userdata, int pid); /* a transfer process ended unasked, or (0) did not come; NULL: nobody wants to know */
        /* What would be started is of another version than we are. True: we are about to leave, requests wait for who comes after us.
         * False, or NULL: they fail. */
        bool (*other_version)(void *userdata, const char *program);
        void *userdata;
};
/* @event is referenced. */
int engine_process_new(struct sd_event *event, const struct engine_process_config *config, const struct clock *clock,
                       struct engine **ret);
/* Pid of the running transfer process, 0 if there is none (for `dosvc` service information and tests). */
int engine_process_pid(const struct engine *engine);
