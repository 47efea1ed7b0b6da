/* What dosvcd's command line says. */
#pragma once

#include "base/clock.h"

struct arguments {
        bool user;
        bool system;
        bool verbose;
        const char *socket;      /* NULL: the defaults */
        const char *state_dir;   /* NULL */
        const char *config;      /* NULL */
        const char *broker;      /* --system: where dosvc-broker listens */
        const char *transfer_sockets; /* NULL: dosvc-transfer and dosvc-resolve are children of ours */
        uint64_t idle_exit_usec; /* USEC_INFINITY: stay */
};

#define ARGUMENTS_DONE 1 /* --help or --version: printed, leave with 0 */

/* 0, ARGUMENTS_DONE, or -EINVAL (said on stderr). */
int arguments_parse(int argc, char **argv, struct arguments *ret);
