/* Numbers for whoever watches many machines, in Prometheus' text format: who connects to the socket gets them and is hung up on. No
 * HTTP (a collector's text-file or exec input reads it: `nc -U`), no labels but states, classes and names of errors. Only our own
 * uid and root are answered, and nobody is waited for: what does not fit into the socket's buffer is cut. */
#pragma once

#include <systemd/sd-event.h>

#include "daemon/observer.h"
#include "manager/manager.h"

struct metrics_sources { /* all borrowed */
        const struct manager *manager;
        const struct observer_counts *counts;
        size_t (*count_clients)(void *userdata);
        void *userdata;
};

/* The whole text. The caller frees it. */
int metrics_format(const struct metrics_sources *sources, char **ret);

struct metrics;
/* @for_group: who has our group as his own is answered, too, not only our uid and root: so the system instance's is shown by a program
 * that is not the core's user (dosvc-metrics). */
int metrics_new(sd_event *event, const char *path, bool for_group, const struct metrics_sources *sources, struct metrics **ret);
struct metrics *metrics_free(struct metrics *metrics);
DEFINE_CLEANUP_FUNC(struct metrics, metrics_free)
