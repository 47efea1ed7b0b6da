#include "daemon/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "config.h"
#include "protocol/limits.h"

#define FRESH_USEC (100 * USEC_PER_MSEC) /* a text is looked at all jobs for at most this often */

struct metrics {
        struct metrics_sources sources;
        char *path;
        bool for_group;
        dev_t dev;
        ino_t ino;
        int fd;
        sd_event_source *source;
        char *text;
        uint64_t made_usec;
};

/* ---- the text ---- */

static void family(FILE *f, const char *name, const char *type, const char *help) {
        (void) fprintf(f, "# HELP dosvc_%s %s\n# TYPE dosvc_%s %s\n", name, help, name, type);
}

static void single(FILE *f, const char *name, const char *type, const char *help, uint64_t value) {
        family(f, name, type, help);
        (void) fprintf(f, "dosvc_%s %" PRIu64 "\n", name, value);
}

static void labelled(FILE *f, const char *name, const char *label, const char *value_of_label, uint64_t value) {
        (void) fprintf(f, "dosvc_%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value_of_label, value);
}

static void write_jobs(FILE *f, const struct manager_statistics *now, const struct observer_counts *counts) {
        family(f, "jobs", "gauge", "Jobs that are there, by state.");
        for (int state = 0; state < _JOB_STATE_MAX; state++)
                if (!job_state_is_final((enum job_state) state))
                        labelled(f, "jobs", "state", job_state_name((enum job_state) state), now->jobs[state]);
        family(f, "jobs_waiting", "gauge", "Jobs that do not move, by what they wait for.");
        for (int reason = WAITING_NONE + 1; reason < _WAITING_REASON_MAX; reason++)
                labelled(f, "jobs_waiting", "reason", waiting_reason_name((enum waiting_reason) reason), now->jobs_waiting[reason]);
        single(f, "jobs_added_total", "counter", "Jobs that were made.", counts->jobs_added);
        family(f, "jobs_ended_total", "counter", "Jobs that ended, by final state.");
        for (int state = 0; state < _JOB_STATE_MAX; state++)
                if (job_state_is_final((enum job_state) state))
                        labelled(f, "jobs_ended_total", "state", job_state_name((enum job_state) state), counts->jobs_ended[state]);
        family(f, "job_errors_total", "counter", "Times that a job came into an error, by its cause.");
        for (int code = 1; code < _ERROR_CODE_MAX; code++)
                if (counts->errors[code] > 0)
                        labelled(f, "job_errors_total", "error", error_code_name((enum error_code) code), counts->errors[code]);
}

static void write_bytes(FILE *f, const struct manager_statistics *now) {
        single(f, "transfers", "gauge", "Files on their way.", now->n_transfers);
        single(f, "fetched_bytes_total", "counter", "Bytes of files that came over the network, kept or not.", now->bytes_fetched);
        family(f, "rate_limit_bytes_per_second", "gauge", "What all jobs of a class together may download now, 0: no limit, 1: nothing.");
        labelled(f, "rate_limit_bytes_per_second", "class", "foreground", now->foreground_rate_limit);
        labelled(f, "rate_limit_bytes_per_second", "class", "background", now->background_rate_limit);
        single(f, "line_capacity_bytes_per_second", "gauge", "What the line can carry, which percentages are of, 0: not measured.",
               now->line_capacity);
}

int metrics_format(const struct metrics_sources *sources, char **ret) {
        _cleanup_free_ char *text = NULL;
        struct manager_statistics now;
        size_t size;
        FILE *f;

        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        manager_get_statistics(sources->manager, &now);
        family(f, "build_info", "gauge", "The version that runs.");
        labelled(f, "build_info", "version", DOSVC_VERSION, 1);
        write_jobs(f, &now, sources->counts);
        write_bytes(f, &now);
        single(f, "store_commits_total", "counter", "Transactions that are on disk.", now.n_commits);
        single(f, "transfer_process_deaths_total", "counter", "Times that a transfer process died and was started again.",
               sources->counts->transfer_deaths);
        single(f, "clients", "gauge", "Clients that are connected.", sources->count_clients ? sources->count_clients(sources->userdata) : 0);
        if (fclose(f) != 0)
                return -ENOMEM;
        *ret = TAKE_PTR(text);
        return 0;
}

/* ---- the socket ---- */

static bool is_allowed(const struct metrics *metrics, int fd) {
        struct ucred credentials;
        socklen_t size = sizeof(credentials);

        return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 && size == sizeof(credentials) &&
               (credentials.uid == geteuid() || credentials.uid == 0 || (metrics->for_group && credentials.gid == getegid()));
}

static int refresh(struct metrics *metrics) {
        uint64_t now = clock_now(&clock_system, CLOCK_ID_MONOTONIC);
        char *text;
        int r;

        if (metrics->text && now - metrics->made_usec < FRESH_USEC)
                return 0;
        r = metrics_format(&metrics->sources, &text);
        if (r < 0)
                return r;
        free(metrics->text);
        metrics->text = text;
        metrics->made_usec = now;
        return 0;
}

static int on_connect(sd_event_source *source, int fd, uint32_t events _unused_, void *userdata) {
        struct metrics *metrics = ASSERT_PTR(userdata);
        _cleanup_close_ int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (client < 0) {
                if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)
                        return 0;
                log_warning("the metrics are served no longer: %s", strerror(errno)); /* else the backlog wakes us without end */
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        }
        if (is_allowed(metrics, client) && refresh(metrics) >= 0)
                (void) !send(client, metrics->text, strlen(metrics->text), MSG_NOSIGNAL);
        return 0;
}

int metrics_new(sd_event *event, const char *path, bool for_group, const struct metrics_sources *sources, struct metrics **ret) {
        _cleanup_(metrics_freep) struct metrics *metrics = malloc(sizeof(*metrics));
        struct stat st;
        int r;

        if (!metrics)
                return -ENOMEM;
        *metrics = (struct metrics) { .sources = *sources, .for_group = for_group, .fd = -EBADF };
        r = unix_socket_listen(path, for_group ? 0660 : 0600, LIMIT_METRICS_BACKLOG, &metrics->fd, &st);
        if (r >= 0)
                r = strdup_to(&metrics->path, path);
        if (r >= 0) {
                metrics->dev = st.st_dev;
                metrics->ino = st.st_ino;
                r = sd_event_add_io(event, &metrics->source, metrics->fd, EPOLLIN, on_connect, metrics);
        }
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(metrics->source, "metrics");
        *ret = TAKE_PTR(metrics);
        return 0;
}

struct metrics *metrics_free(struct metrics *metrics) {
        struct stat st;

        if (!metrics)
                return NULL;
        /* It may be somebody else's by now. */
        if (metrics->path && lstat(metrics->path, &st) == 0 && st.st_dev == metrics->dev && st.st_ino == metrics->ino)
                (void) unlink(metrics->path);
        sd_event_source_disable_unref(metrics->source);
        fd_close(metrics->fd);
        free(metrics->path);
        free(metrics->text);
        free(metrics);
        return NULL;
}
