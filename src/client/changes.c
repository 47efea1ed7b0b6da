/* The part of a connection that knows which jobs changed, for whoever watches. */
#include <stdio.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/strings.h"
#include "client/connection_private.h"

static bool has_seen(struct watcher *watcher, const char *hex, const char *state) {
        struct seen_job *seen;

        HASH_FIND_STR(watcher->seen, hex, seen);
        return seen && state && streq(seen->state, state);
}

static void note(struct watcher *watcher, const char *hex, const char *state) {
        struct changed_job *job;

        watcher->urgent |= !has_seen(watcher, hex, state);
        HASH_FIND_STR(watcher->changed, hex, job);
        if (job)
                return;
        job = malloc(sizeof(*job));
        if (!job) {
                watcher->overflow = true;
                return;
        }
        strcpy(job->hex, hex);
        HASH_ADD_STR(watcher->changed, hex, job);
        if (!job->hh.tbl) {
                free(job);
                watcher->overflow = true;
        }
}

/* @state NULL: something else than progress happened. */
static void note_all(struct dosvc *c, const char *path, const char *state) {
        const char *hex = startswith(path, WIRE_JOB_PREFIX);
        char id[WIRE_ID_HEX + 1];
        struct watcher *watcher;

        /* A file's path goes on behind the job's id. */
        if (!hex || strcspn(hex, "/") != WIRE_ID_HEX)
                return;
        memcpy(id, hex, WIRE_ID_HEX);
        id[WIRE_ID_HEX] = 0;
        DL_FOREACH(c->watchers, watcher)
                if (!*watcher->hex || streq(watcher->hex, id))
                        note(watcher, id, state);
        pthread_cond_broadcast(&c->changed);
}

/* The state in a PropertiesChanged, or NULL. It lives as long as the message. */
static const char *find_state(sd_bus_message *m) {
        const char *name, *state;

        if (sd_bus_message_skip(m, "s") < 0 || sd_bus_message_enter_container(m, 'a', "{sv}") < 0)
                return NULL;
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                if (sd_bus_message_read(m, "s", &name) < 0)
                        return NULL;
                if (streq(name, "State"))
                        return sd_bus_message_read(m, "v", "s", &state) < 0 ? NULL : state;
                if (sd_bus_message_skip(m, "v") < 0 || sd_bus_message_exit_container(m) < 0)
                        return NULL;
        }
        return NULL;
}

int connection_on_message(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        struct dosvc *c = userdata;
        const char *id, *path;

        if (!c->watchers)
                return 0;
        if (sd_bus_message_is_signal(m, WIRE_PROPERTIES, "PropertiesChanged"))
                note_all(c, sd_bus_message_get_path(m), find_state(m));
        else if ((sd_bus_message_is_signal(m, WIRE_MANAGER, "JobAdded") ||
                  sd_bus_message_is_signal(m, WIRE_MANAGER, "JobRemoved")) &&
                 sd_bus_message_read(m, "so", &id, &path) >= 0)
                note_all(c, path, NULL);
        return 0;
}

void connection_add_watcher(struct dosvc *c, struct watcher *watcher) {
        pthread_mutex_lock(&c->lock);
        DL_APPEND(c->watchers, watcher);
        pthread_mutex_unlock(&c->lock);
}

bool connection_remove_watcher(struct dosvc *c, struct watcher *watcher) {
        struct seen_job *seen, *next_seen;
        struct changed_job *job, *next;
        struct watcher *other;
        bool last = true;

        pthread_mutex_lock(&c->lock);
        DL_DELETE(c->watchers, watcher);
        DL_FOREACH(c->watchers, other)
                if (streq(other->hex, watcher->hex))
                        last = false;
        pthread_mutex_unlock(&c->lock);
        HASH_ITER(hh, watcher->changed, job, next) {
                HASH_DEL(watcher->changed, job);
                free(job);
        }
        HASH_ITER(hh, watcher->seen, seen, next_seen) {
                HASH_DEL(watcher->seen, seen);
                free(seen);
        }
        return last;
}

void connection_note_seen(struct dosvc *c, struct watcher *watcher, const char *hex, const char *state) {
        struct seen_job *seen;

        pthread_mutex_lock(&c->lock);
        HASH_FIND_STR(watcher->seen, hex, seen);
        if (!state && seen) {
                HASH_DEL(watcher->seen, seen);
                free(seen);
        } else if (state && !seen) {
                seen = malloc(sizeof(*seen));
                /* Without memory every change is urgent, and an end that falls into a restart of the service is
                 * not told. */
                if (seen) {
                        strcpy(seen->hex, hex);
                        HASH_ADD_STR(watcher->seen, hex, seen);
                        if (!seen->hh.tbl) {
                                free(seen);
                                seen = NULL;
                        }
                }
        }
        if (state && seen)
                (void) snprintf(seen->state, sizeof(seen->state), "%s", state);
        pthread_mutex_unlock(&c->lock);
}

struct seen_job *connection_take_seen(struct dosvc *c, struct watcher *watcher) {
        struct seen_job *seen;

        pthread_mutex_lock(&c->lock);
        seen = TAKE_PTR(watcher->seen);
        pthread_mutex_unlock(&c->lock);
        return seen;
}

static void send_subscription(struct dosvc *c, const char *method, const char *hex) {
        _cleanup_(sd_bus_message_unrefp)
        sd_bus_message *m = NULL;

        if (sd_bus_message_new_method_call(c->bus, &m, NULL, WIRE_MANAGER_PATH, WIRE_MANAGER, method) >= 0 &&
            sd_bus_message_append(m, "s", hex) >= 0 && sd_bus_message_set_expect_reply(m, 0) >= 0)
                (void) sd_bus_send(c->bus, m, NULL);
}

void connection_forget_subscription(struct dosvc *c, const char *hex) {
        struct watcher *watcher;

        pthread_mutex_lock(&c->lock);
        if (c->bus && sd_bus_is_open(c->bus) > 0) {
                send_subscription(c, "Unsubscribe", hex);
                /* Ending "all" ended the single ones too. */
                if (!*hex)
                        DL_FOREACH(c->watchers, watcher)
                                send_subscription(c, "Subscribe", watcher->hex);
        }
        pthread_mutex_unlock(&c->lock);
}

struct changed_job *connection_take_changes(struct dosvc *c, struct watcher *watcher, bool *ret_overflow) {
        struct changed_job *changed;

        pthread_mutex_lock(&c->lock);
        changed = TAKE_PTR(watcher->changed);
        *ret_overflow = watcher->overflow;
        watcher->overflow = watcher->urgent = false;
        pthread_mutex_unlock(&c->lock);
        return changed;
}

static void wait_until(struct dosvc *c, uint64_t until) {
        struct timespec ts = { .tv_sec = (time_t) (until / USEC_PER_SEC),
                               .tv_nsec = (long) (until % USEC_PER_SEC * 1000) };

        if (until == UINT64_MAX)
                (void) pthread_cond_wait(&c->changed, &c->lock);
        else
                (void) pthread_cond_timedwait(&c->changed, &c->lock, &ts);
}

enum wait_result connection_wait(struct dosvc *c, struct watcher *watcher, uint64_t generation, uint64_t patience_until,
                                 uint64_t deadline) {
        enum wait_result result;

        pthread_mutex_lock(&c->lock);
        for (;;) {
                uint64_t now = clock_now(&clock_system, CLOCK_ID_MONOTONIC);
                bool connected = c->bus && sd_bus_is_open(c->bus) > 0;

                if (connection_take_interrupt(c))
                        result = WAIT_INTERRUPTED;
                else if (watcher->urgent || watcher->overflow)
                        result = WAIT_CHANGED;
                else if (watcher->changed && now >= patience_until)
                        result = WAIT_PROGRESS;
                else if ((connected ? c->generation : 0) != generation)
                        result = WAIT_LOST;
                else if (now >= deadline)
                        result = WAIT_TIMEOUT;
                else {
                        wait_until(c, watcher->changed ? MIN(patience_until, deadline) : deadline);
                        continue;
                }
                break;
        }
        pthread_mutex_unlock(&c->lock);
        return result;
}
