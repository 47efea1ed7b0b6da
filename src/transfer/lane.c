#include "transfer/lane.h"

#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <uthash.h>
#include <utlist.h>

#include "base/fds.h"
#include "base/intervals.h"
#include "base/log.h"
#include "ipc/message.h"
#include "transfer/engine_message.h"
#include "transfer/equipment.h"
#include "transfer/line_use.h"
#include "transfer/link.h"
#include "transfer/quota.h"
#include "transfer/restarts.h"

#define QUEUED_BYTES_WANTED (1024u * 1024) /* more is not given to a link: stop() of what still waits here costs nothing */

static_assert(IPC_OUTCOMES == ENGINE_LOST, "LOST is said by us, never by the process");

struct process_request {
        UT_hash_handle hh;
        struct process_request *prev, *next; /* of the lane: waiting or running */
        struct lane *lane;
        uint64_t id;
        uint8_t *frame; /* START; NULL once it is sent */
        size_t frame_size;
        int fd; /* borrowed */
        bool sent;
        uint64_t sent_as; /* the number of its START at the link */
        bool stopping;
        bool abandoned;
        struct engine_pace pace;
        bool pace_changed; /* since its START was written */
        struct intervals wanted;   /* local ranges of the pieces: nothing else may be reported */
        struct intervals reported;
        uint64_t open_start;       /* a piece TO_EOF: everything from here may be reported, too */
};

struct lane {
        struct lane_engine *engine;
        uint64_t owner;
        dev_t dev;
        struct children *children;
        struct link *link;
        struct process_request *waiting, *running;
        size_t n_requests;
        bool retired;           /* on its way out, takes nothing any more */
        bool other_version;     /* it is, of those processes */
        sd_event_source *pump;  /* defer: what was asked for since the last turn */
        sd_event_source *timer; /* next start, or idle exit */
        struct restarts restarts;
        struct quota_holder *holder; /* of places for its connections; NULL: it has not asked for any */
        struct line_user *line_user; /* NULL: it has not said what it has of the line */
        int transfer_pid;       /* of the process that was started last; 0: it is not known yet */
        struct stat ca_stat, crl_stat; /* of the files that the process read */
};

static void lane_arm_pump(struct lane *lane) {
        (void) sd_event_source_set_enabled(lane->pump, SD_EVENT_ONESHOT);
}

static void lane_arm_timer(struct lane *lane, uint64_t delay_usec) {
        if (delay_usec == USEC_INFINITY) {
                (void) sd_event_source_set_enabled(lane->timer, SD_EVENT_OFF);
                return;
        }
        if (sd_event_source_set_time_relative(lane->timer, delay_usec) >= 0)
                (void) sd_event_source_set_enabled(lane->timer, SD_EVENT_ONESHOT);
}

/* Credentials and keys are in it. */
static void request_drop_frame(struct process_request *request) {
        if (request->frame)
                explicit_bzero(request->frame, request->frame_size);
        free(TAKE_PTR(request->frame));
}

struct process_request *process_request_free(struct process_request *request) {
        if (!request)
                return NULL;
        request_drop_frame(request);
        intervals_done(&request->wanted);
        intervals_done(&request->reported);
        free(request);
        return NULL;
}

/* Takes it out of every list, tells, and frees it. */
static void request_finish(struct process_request *request, const struct engine_result *result) {
        struct lane_engine *engine = request->lane->engine;
        struct lane *lane = request->lane;

        if (request->sent)
                DL_DELETE(lane->running, request);
        else
                DL_DELETE(lane->waiting, request);
        HASH_DEL(engine->requests, request);
        lane->n_requests--;
        if (lane->n_requests == 0 && lane->link)
                lane_arm_timer(lane, engine->idle_exit_usec);
        if (!request->abandoned && engine->events && engine->events->finished)
                engine->events->finished(engine->userdata, request->id, result);
        process_request_free(request);
}

static void request_finish_failed(struct process_request *request, const char *text) {
        request_finish(request, &(struct engine_result) {
                .outcome = ENGINE_FAILED,
                .code = ERROR_ENGINE_FAILED,
                .context = ERROR_CONTEXT_GENERAL_TRANSPORT,
                .transient = true,
                .text = text,
        });
}

/* Everything in @list ends. New requests that are made meanwhile come to the end of the waiting list and stay. */
static void lane_finish_all(struct lane *lane, bool running, enum engine_outcome outcome, const char *text) {
        size_t n = 0;
        struct process_request *request;

        DL_COUNT(running ? lane->running : lane->waiting, request, n);
        while (n-- > 0 && (request = running ? lane->running : lane->waiting)) {
                if (request->stopping)
                        request_finish(request, &(struct engine_result) { .outcome = ENGINE_STOPPED, .text = "" });
                else if (outcome == ENGINE_LOST)
                        request_finish(request, &(struct engine_result) { .outcome = ENGINE_LOST, .text = text });
                else
                        request_finish_failed(request, text);
        }
}

/* A process that says what cannot be true is not to be believed any further. */
static void lane_distrust(struct lane *lane, const char *what) {
        log_debug("dosvc-transfer broke the rules: %s", what);
        children_kill(lane->children);
}

static void on_metadata(struct process_request *request, const struct ipc_metadata *m) {
        const struct engine_metadata metadata = {
                .http_status = m->http_status,
                .remote_size = m->remote_size,
                .etag = m->etag,
                .last_modified = m->last_modified,
                .encoding = m->encoding,
                .origin = m->origin,
                .redirected_url = m->redirected_url,
                .remote_time_usec = m->remote_time_usec,
                .address = m->address,
                .headers = m->headers,
                .refused = m->refused,
        };
        const struct lane_engine *engine = request->lane->engine;

        if (engine->events && engine->events->metadata)
                engine->events->metadata(engine->userdata, request->id, &metadata);
}

static void on_certificate(struct process_request *request, const struct ipc_certificate *m) {
        const struct lane_engine *engine = request->lane->engine;
        struct engine_certificate certificate = { .bytes = m->bytes, .n_bytes = m->n_bytes, .all = m->all, .n_all = m->n_all };

        memcpy(certificate.sha256, m->sha256, sizeof(certificate.sha256));
        if (engine->events && engine->events->certificate)
                engine->events->certificate(engine->userdata, request->id, &certificate);
}

static void on_progress(struct process_request *request, const struct ipc_progress *m) {
        const struct lane_engine *engine = request->lane->engine;

        if (!intervals_contain(&request->wanted, m->local_start, m->local_end) &&
            (m->local_start < request->open_start || m->local_end > LIMIT_FILE_SIZE))
                return lane_distrust(request->lane, "progress outside of the pieces");
        if (intervals_add(&request->reported, m->local_start, m->local_end) < 0)
                return lane_distrust(request->lane, "no memory for its progress");
        if (engine->events && engine->events->progress)
                engine->events->progress(engine->userdata, request->id, m->local_start, m->local_end, m->bytes_fetched);
}

static void on_offers(struct process_request *request, const struct ipc_offers *m) {
        const struct lane_engine *engine = request->lane->engine;
        struct engine_offers offers = {
                .mirrors = m->mirrors,
                .n_preferred = m->n_preferred,
                .from_public = m->from_public,
                .has_sha256 = m->has_sha256,
                .secure = m->secure,
        };

        memcpy(offers.sha256, m->sha256, sizeof(offers.sha256));
        if (engine->events && engine->events->offers)
                engine->events->offers(engine->userdata, request->id, &offers);
}

static void on_replaced(struct process_request *request, const struct ipc_replaced *m) {
        const struct lane_engine *engine = request->lane->engine;

        if (engine->events && engine->events->replaced)
                engine->events->replaced(engine->userdata, request->id, m->text);
}

/* DONE is believed only when each byte of each piece was reported before, as far as it is still wanted. */
static bool request_is_covered(const struct process_request *request) {
        uint64_t end_at = request->pace.end_at > 0 ? request->pace.end_at : UINT64_MAX;

        for (size_t i = 0; i < request->wanted.n_items && request->wanted.items[i].start < end_at; i++) {
                const struct interval *item = &request->wanted.items[i];

                if (!intervals_contain(&request->reported, item->start, MIN(item->end, end_at)))
                        return false;
        }
        /* A piece without an end has one now. */
        return end_at == UINT64_MAX || request->open_start >= end_at || intervals_contain(&request->reported, request->open_start, end_at);
}

static void on_finished(struct process_request *request, const struct ipc_finished *m) {
        const struct engine_result result = {
                .outcome = (enum engine_outcome) m->outcome,
                .code = m->code,
                .context = m->context,
                .transient = m->transient,
                .slow = m->slow,
                .detail = m->detail,
                .retry_after_usec = m->retry_after_usec,
                .length_unverified = m->length_unverified,
                .local_end = m->local_end,
                .bytes_fetched = m->bytes_fetched,
                .text = m->text,
        };

        if (result.outcome == ENGINE_DONE && !request->abandoned && !request_is_covered(request))
                return lane_distrust(request->lane, "done without all bytes");
        if (result.outcome == ENGINE_DONE)
                restarts_note_success(&request->lane->restarts);
        request_finish(request, &result);
}

static void on_hello(struct lane *lane) {
        int r = children_met(lane->children, link_peer_pid(lane->link), link_fd(lane->link));

        if (r < 0)
                return lane_distrust(lane, "its end would not be seen");
        lane->transfer_pid = children_transfer_pid(lane->children);
        lane_arm_pump(lane);
}

static void on_want_places(struct lane *lane, const struct ipc_want_places *m) {
        int r = lane->holder ? 0 : quota_join(lane->engine->quota, lane->owner, lane, &lane->holder);

        if (r >= 0)
                r = quota_want(lane->holder, m->host, m->returned, m->wanted);
        if (r < 0)
                lane_distrust(lane, "it wants what it cannot have");
}

/* To a process that is dying nothing is said, and it returns nothing: what it held is free when it is gone. */
void lane_tell_places(void *userdata, const char *host, unsigned given, unsigned recalled) {
        struct lane *lane = ASSERT_PTR(userdata);

        if (link_send(lane->link, &(struct ipc_message) { .type = IPC_PLACES, .places = { host, given, recalled } }, -EBADF) < 0)
                lane_distrust(lane, "does not read");
}

static void on_line_use(struct lane *lane, const struct ipc_line_use *m) {
        if (!lane->line_user && line_uses_join(lane->engine->line_uses, lane, &lane->line_user) < 0)
                return; /* the others hear of it when there is memory again */
        line_uses_note(lane->line_user, &(struct line_use) { m->low, m->high, m->n, m->slowdown },
                       clock_now(lane->engine->clock, CLOCK_ID_MONOTONIC));
}

void lane_tell_line_use(void *userdata, const struct line_use *elsewhere) {
        struct lane *lane = ASSERT_PTR(userdata);

        if (link_send(lane->link, &(struct ipc_message) {
                    .type = IPC_LINE_USE_ELSEWHERE,
                    .line_use = { elsewhere->low, elsewhere->high, elsewhere->n, elsewhere->slowdown },
            }, -EBADF) < 0)
                lane_distrust(lane, "does not read");
}

static void on_message(void *userdata, const struct ipc_message *message, int fd) {
        struct lane *lane = ASSERT_PTR(userdata);
        struct process_request *request;
        uint64_t id;

        (void) fd_close(fd); /* no frame of theirs has one */
        if (message->type == IPC_HELLO)
                return on_hello(lane);
        if (message->type == IPC_WANT_PLACES)
                return on_want_places(lane, &message->want_places);
        if (message->type == IPC_LINE_USE)
                return on_line_use(lane, &message->line_use);
        if (message->type == IPC_RESOLVER_UNFIT) {
                lane->other_version = true;
                return children_kill(lane->children);
        }
        id = message->type == IPC_METADATA ? message->metadata.id :
             message->type == IPC_CERTIFICATE ? message->certificate.id :
             message->type == IPC_PROGRESS ? message->progress.id :
             message->type == IPC_OFFERS ? message->offers.id :
             message->type == IPC_REPLACED ? message->replaced.id : message->finished.id;
        request = process_request_find(lane->engine, id);
        /* Its descriptor may not be let go of before START is written: under its number could be another owner's by then. */
        if (!request || request->lane != lane || !request->sent || !link_is_written(lane->link, request->sent_as))
                return lane_distrust(lane, "a frame for a request that it does not have");
        if (request->abandoned && message->type != IPC_FINISHED)
                return;
        if (message->type == IPC_METADATA)
                on_metadata(request, &message->metadata);
        else if (message->type == IPC_CERTIFICATE)
                on_certificate(request, &message->certificate);
        else if (message->type == IPC_PROGRESS)
                on_progress(request, &message->progress);
        else if (message->type == IPC_OFFERS)
                on_offers(request, &message->offers);
        else if (message->type == IPC_REPLACED)
                on_replaced(request, &message->replaced);
        else
                on_finished(request, &message->finished);
}

static void on_closed(void *userdata, int error) {
        struct lane *lane = ASSERT_PTR(userdata);

        lane->other_version |= error == -EPROTONOSUPPORT;
        if (error != -ECONNRESET)
                log_debug("connection to dosvc-transfer: %s", strerror(-error));
        children_kill(lane->children); /* and go on when it is provably gone */
}

static void on_drained(void *userdata) {
        lane_arm_pump(ASSERT_PTR(userdata));
}

/* Another start would meet the same version: nothing is tried again before somebody asks again, unless we are about to leave. What was
 * given to the process before it knew was not begun. */
static void lane_finish_other_version(struct lane *lane) {
        static const char programs[] = "dosvc-transfer or dosvc-resolve"; /* who leaves first need not be the odd one */
        static const char text[] = "dosvc-transfer or dosvc-resolve is of another version than dosvcd";
        struct lane_engine *engine = lane->engine;

        lane->other_version = false;
        if (engine->met_other_version && engine->met_other_version(engine->owner_userdata, programs))
                return lane_finish_all(lane, true, ENGINE_LOST, text);
        lane_finish_all(lane, true, ENGINE_FAILED, text);
        lane_finish_all(lane, false, ENGINE_FAILED, text);
}

/* Both processes are gone: everything that they said is heard, then what was running is lost. */
static void on_dead(void *userdata) {
        struct lane *lane = ASSERT_PTR(userdata);
        bool was_met;

        if (lane->link)
                link_drain(lane->link);
        was_met = lane->transfer_pid > 0 && lane->link && link_peer(lane->link);
        lane->link = link_free(lane->link);
        lane->children = children_free(lane->children);
        lane->holder = quota_leave(lane->holder);
        lane->line_user = line_uses_leave(lane->line_user);
        restarts_note_end(&lane->restarts, clock_now(lane->engine->clock, CLOCK_ID_MONOTONIC), was_met, !lane->retired);
        if (!lane->retired && !lane->other_version && lane->engine->died)
                lane->engine->died(lane->engine->owner_userdata, lane->transfer_pid);
        lane->retired = false;
        if (lane->other_version)
                lane_finish_other_version(lane);
        else {
                lane_finish_all(lane, true, ENGINE_LOST, "the transfer process died");
                if (!was_met && lane->restarts.n_failures >= RESTART_FAILURES_BEFORE_GIVING_UP)
                        lane_finish_all(lane, false, ENGINE_FAILED, "the transfer process does not start");
        }
        lane_arm_timer(lane, lane->waiting ? restarts_delay(&lane->restarts) : USEC_INFINITY);
}

static const struct link_callbacks link_callbacks = {
        .message = on_message,
        .closed = on_closed,
        .drained = on_drained,
};

int lane_send_limits(struct lane *lane) {
        const struct engine_limits *limits = &lane->engine->limits;

        return link_send(lane->link, &(struct ipc_message) {
                .type = IPC_LIMITS,
                .limits = { limits->max_connections_per_owner, limits->max_connections_per_host },
        }, -EBADF);
}

/* All zero: there is none. */
static struct stat stamp_of(const char *file) {
        struct stat st = {};

        if (file)
                (void) stat(file, &st);
        return st;
}

static int lane_start_processes(struct lane *lane) {
        struct lane_engine *engine = lane->engine;
        _cleanup_(equipment_done) struct equipment equipment = EQUIPMENT_NONE;
        _cleanup_close_ int fd = -EBADF;
        int r;

        lane->ca_stat = stamp_of(engine->ca_file);
        lane->crl_stat = stamp_of(engine->crl_file);
        restarts_note_start(&lane->restarts, clock_now(engine->clock, CLOCK_ID_MONOTONIC));
        r = children_new(engine->event, &engine->config, on_dead, lane, &fd, &equipment, &lane->children);
        if (r < 0)
                return r;
        lane->transfer_pid = children_transfer_pid(lane->children);
        r = link_new(engine->event, fd, IPC_ROLE_CORE, IPC_ROLE_TRANSFER, &link_callbacks, lane, &lane->link);
        if (r < 0)
                return r;
        (void) TAKE_FD(fd);
        equipment_open_files(&equipment, engine->ca_file, engine->crl_file);
        r = equipment_send(lane->link, &equipment);
        return r < 0 ? r : lane_send_limits(lane);
}

static int request_send_pace(struct process_request *request) {
        request->pace_changed = false;
        if (!request->lane->link) /* its process is gone: it is about to end */
                return 0;
        return link_send(request->lane->link, &(struct ipc_message) {
                .type = IPC_PACE,
                .set_pace = { request->id, engine_message_pace(&request->pace) },
        }, -EBADF);
}

/* Return: false if the link takes no more now. */
static bool lane_send_one(struct lane *lane, struct process_request *request) {
        int r;

        if (link_queued(lane->link) > QUEUED_BYTES_WANTED)
                return false;
        r = link_send_frame(lane->link, request->frame, request->frame_size, request->fd, &request->sent_as);
        if (r == -ECONNRESET)
                return false; /* it is dying, on_dead() comes: the next one gets it */
        if (r < 0) {
                request_finish_failed(request, strerror(-r));
                return true;
        }
        request_drop_frame(request);
        DL_DELETE(lane->waiting, request);
        request->sent = true;
        DL_APPEND(lane->running, request);
        if (request->pace_changed && request_send_pace(request) < 0)
                lane_distrust(lane, "does not read");
        return true;
}

/* What was stopped before it was ever sent ends here, process or no process. */
static void lane_finish_stopped(struct lane *lane) {
        struct process_request *request, *next;

        DL_FOREACH_SAFE(lane->waiting, request, next)
                if (request->stopping)
                        request_finish(request, &(struct engine_result) { .outcome = ENGINE_STOPPED, .text = "" });
}

static void lane_start_or_fail(struct lane *lane) {
        char text[LIMIT_ERROR_TEXT];
        int r;

        r = lane_start_processes(lane);
        if (r >= 0)
                return;
        restarts_note_end(&lane->restarts, clock_now(lane->engine->clock, CLOCK_ID_MONOTONIC), false, true);
        lane->link = link_free(lane->link);
        lane->children = children_free(lane->children);
        snprintf(text, sizeof(text), "the transfer process cannot be started: %s", strerror(-r));
        lane_finish_all(lane, false, ENGINE_FAILED, text);
}

static int on_pump(sd_event_source *source, void *userdata) {
        struct lane *lane = ASSERT_PTR(userdata);
        int enabled = SD_EVENT_OFF;

        lane_finish_stopped(lane);
        if (!lane->children) {
                (void) sd_event_source_get_enabled(lane->timer, &enabled);
                if (lane->waiting && enabled == SD_EVENT_OFF)
                        lane_arm_timer(lane, restarts_delay(&lane->restarts));
                return 0;
        }
        /* Nothing is given to a process that has not said hello: one that cannot start must not lose requests. Nor to one whose end
         * would not be seen. */
        while (!lane->retired && link_peer(lane->link) && children_transfer_pid(lane->children) > 0 && lane->waiting && lane_send_one(lane, lane->waiting))
                ;
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct lane *lane = ASSERT_PTR(userdata);

        if (lane->children) {
                if (lane->n_requests == 0) { /* idle */
                        lane->retired = true;
                        children_kill(lane->children);
                }
                return 0;
        }
        if (lane->waiting)
                lane_start_or_fail(lane);
        lane_arm_pump(lane);
        return 0;
}

static void lane_drop_all(struct lane *lane, struct process_request *list) {
        struct process_request *request, *next;

        DL_FOREACH_SAFE(list, request, next) {
                HASH_DEL(lane->engine->requests, request);
                process_request_free(request);
        }
}

struct lane *lane_free(struct lane *lane) {
        if (!lane)
                return NULL;
        lane->holder = quota_leave(lane->holder);
        lane->line_user = line_uses_leave(lane->line_user);
        lane->children = children_free(lane->children);
        lane->link = link_free(lane->link);
        lane->pump = sd_event_source_disable_unref(lane->pump);
        lane->timer = sd_event_source_disable_unref(lane->timer);
        lane_drop_all(lane, lane->waiting);
        lane_drop_all(lane, lane->running);
        free(lane);
        return NULL;
}

int lane_new(struct lane_engine *engine, uint64_t owner, dev_t dev, struct lane **ret) {
        _cleanup_(lane_freep) struct lane *lane = NULL;
        int r;

        lane = calloc(1, sizeof(*lane));
        if (!lane)
                return -ENOMEM;
        lane->engine = engine;
        lane->owner = owner;
        lane->dev = dev;
        r = sd_event_add_defer(engine->event, &lane->pump, on_pump, lane);
        if (r >= 0)
                r = sd_event_source_set_enabled(lane->pump, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(engine->event, &lane->timer, CLOCK_MONOTONIC, 0, 1, on_timer, lane);
        if (r >= 0)
                r = sd_event_source_set_enabled(lane->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(lane);
        return 0;
}

static int request_set_wanted(struct process_request *request, const struct engine_request *from) {
        int r;

        request->open_start = UINT64_MAX;
        for (size_t i = 0; i < from->n_pieces; i++) {
                const struct engine_piece *piece = &from->pieces[i];

                if (piece->length == ENGINE_TO_EOF) {
                        request->open_start = piece->local_offset;
                        continue;
                }
                r = intervals_add(&request->wanted, piece->local_offset, piece->local_offset + piece->length);
                if (r < 0)
                        return r;
        }
        return 0;
}

int process_request_new(const struct engine_request *from, struct process_request **ret) {
        _cleanup_(process_request_freep) struct process_request *request = calloc(1, sizeof(*request));
        int r;

        if (!request)
                return -ENOMEM;
        request->id = from->id;
        request->pace = from->pace;
        request->fd = from->fd;
        r = engine_message_new(from, &request->frame, &request->frame_size);
        if (r < 0)
                return r;
        r = request_set_wanted(request, from);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(request);
        return 0;
}

static bool is_another_file(const struct stat *a, const struct stat *b) {
        return a->st_ino != b->st_ino || a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec ||
               a->st_size != b->st_size;
}

/* Authorities and revocation lists are read once by each process: with a changed file an idle one is replaced before it is used again. */
static void lane_refresh_authorities(struct lane *lane) {
        struct stat ca_stat, crl_stat;

        if (!lane->children || lane->n_requests > 0)
                return;
        ca_stat = stamp_of(lane->engine->ca_file);
        crl_stat = stamp_of(lane->engine->crl_file);
        if (is_another_file(&ca_stat, &lane->ca_stat) || is_another_file(&crl_stat, &lane->crl_stat)) {
                lane->retired = true;
                children_kill(lane->children);
        }
}

void lane_add(struct lane *lane, struct process_request *request) {
        lane_refresh_authorities(lane);
        if (lane->children)
                lane_arm_timer(lane, USEC_INFINITY);
        request->lane = lane;
        HASH_ADD(hh, lane->engine->requests, id, sizeof(request->id), request);
        DL_APPEND(lane->waiting, request);
        lane->n_requests++;
        lane_arm_pump(lane);
}

struct process_request *process_request_find(const struct lane_engine *engine, uint64_t id) {
        struct process_request *request;

        HASH_FIND(hh, engine->requests, &id, sizeof(id), request);
        return request;
}

void process_request_stop(struct process_request *request) {
        if (request->stopping)
                return;
        request->stopping = true;
        if (!request->sent)
                lane_arm_pump(request->lane);
        else if (!request->lane->link)
                return; /* its process is gone: it is about to end */
        else if (link_send(request->lane->link, &(struct ipc_message) {
                        .type = IPC_STOP, .stop.id = request->id }, -EBADF) < 0)
                lane_distrust(request->lane, "does not read");
}

void process_request_abandon(struct process_request *request) {
        struct lane *lane = request->lane;

        request->abandoned = true;
        if (!request->sent)
                request_finish(request, &(struct engine_result) { .outcome = ENGINE_STOPPED, .text = "" });
        else if (!lane->link || link_write_now(lane->link, request->sent_as))
                process_request_stop(request);
        else
                lane_distrust(lane, "does not read");
}

void process_request_set_pace(struct process_request *request, const struct engine_pace *pace) {
        if (request->stopping ||
            (request->pace.foreground == pace->foreground && request->pace.max_rate == pace->max_rate &&
             request->pace.hold_at == pace->hold_at && request->pace.end_at == pace->end_at))
                return;
        request->pace = *pace;
        request->pace_changed = true;
        if (request->sent && request_send_pace(request) < 0)
                lane_distrust(request->lane, "does not read");
}

uint64_t lane_owner(const struct lane *lane) {
        return lane->owner;
}

dev_t lane_dev(const struct lane *lane) {
        return lane->dev;
}

void lane_assign(struct lane *lane, uint64_t owner, dev_t dev) {
        lane->owner = owner;
        lane->dev = dev;
}

bool lane_is_idle(const struct lane *lane) {
        return lane->n_requests == 0;
}

bool lane_has_processes(const struct lane *lane) {
        return lane->children;
}

pid_t lane_transfer_pid(const struct lane *lane) {
        return children_transfer_pid(lane->children);
}
