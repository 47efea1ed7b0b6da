/* A runner for many owners: each program is run by a dosvc-runner of its own, which the broker starts as the program's owner. What is to be
 * run goes to that process over a socket, so it passes by no root. The time a program has is kept there, where its session is; here is
 * only a second look, for a process that its owner has stopped. */
#pragma once

#include "program/runner.h"

struct sd_event;

struct runner_owners_config {
        /* Gives @fd (consumed on success) to a new dosvc-runner of @owner. It may come later or never: then the other end is closed. */
        int (*spawn)(void *userdata, uid_t owner, int fd);
        /* It is of another version than we are, and what it should run is lost. The answer is nothing to us; NULL: nobody wants to know. */
        bool (*other_version)(void *userdata, const char *program);
        void *userdata;
        uint64_t patience_usec; /* behind a request's own time */
};
#define RUNNER_OWNERS_PATIENCE_USEC (30 * USEC_PER_SEC)
int runner_owners_new(struct sd_event *event, const struct runner_owners_config *config, struct runner **ret);
