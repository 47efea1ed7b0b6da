#include "transfer/engine_process.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <systemd/sd-event.h>

#include "base/strings.h"
#include "transfer/authorities.h"
#include "transfer/lane.h"
#include "transfer/line_use.h"
#include "transfer/quota.h"

#define LANES_MAX 8 /* processes of one owner at a time; further mounts share them */

struct engine_process {
        struct engine engine; /* first member */
        struct lane_engine common;
        char *sockets, *transfer_program, *resolve_program;
        struct lane **lanes;
        size_t n_lanes;
};

/* The @number-th lane of this owner. */
static struct lane *lane_of_owner(struct engine_process *engine, uint64_t owner, uint64_t number) {
        for (size_t i = 0; i < engine->n_lanes; i++)
                if (lane_owner(engine->lanes[i]) == owner && number-- == 0)
                        return engine->lanes[i];
        return NULL;
}

static int engine_new_lane(struct engine_process *engine, uint64_t owner, dev_t dev, struct lane **ret) {
        struct lane **lanes = reallocarray(engine->lanes, engine->n_lanes + 1, sizeof(*lanes));
        int r;

        if (!lanes)
                return -ENOMEM;
        engine->lanes = lanes;
        r = lane_new(&engine->common, owner, dev, &lanes[engine->n_lanes]);
        if (r < 0)
                return r;
        *ret = lanes[engine->n_lanes++];
        return 0;
}

/* One lane for each owner, so that connections, cookies and credentials of two owners never meet, and each mounted file system:
 * dosvc-transfer has one thread, so a write that hangs in the kernel holds up its whole process. It must hold up nobody who writes
 * elsewhere. Which file system @fd is on is asked for without a word to that itself, which may hang. */
static int engine_find_lane(struct engine_process *engine, uint64_t owner, int fd, struct lane **ret) {
        struct lane *lane, *idle = NULL, *free_lane = NULL;
        unsigned n_lanes = 0;
        struct statx stx;
        dev_t dev;

        if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &stx) < 0)
                return -errno;
        dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
        for (size_t i = 0; i < engine->n_lanes; i++) {
                lane = engine->lanes[i];
                if (lane_is_idle(lane) && !lane_has_processes(lane))
                        free_lane = lane; /* no process that could remember another owner */
                if (lane_owner(lane) != owner)
                        continue;
                if (lane_dev(lane) == dev) {
                        *ret = lane;
                        return 0;
                }
                n_lanes++;
                if (lane_is_idle(lane))
                        idle = lane;
        }
        if (n_lanes < LANES_MAX && !free_lane)
                return engine_new_lane(engine, owner, dev, ret);
        if (n_lanes < LANES_MAX)
                lane = free_lane;
        else
                lane = idle ?: lane_of_owner(engine, owner, dev % n_lanes);
        if (lane_is_idle(lane))
                lane_assign(lane, owner, dev);
        *ret = lane;
        return 0;
}

static int process_start(struct engine *base, const struct engine_request *from) {
        struct engine_process *engine = (struct engine_process *) base;
        _cleanup_(process_request_freep) struct process_request *request = NULL;
        struct lane *lane;
        int r;

        if (process_request_find(&engine->common, from->id))
                return -EEXIST;
        r = process_request_new(from, &request);
        if (r < 0)
                return r;
        r = engine_find_lane(engine, from->owner, from->fd, &lane);
        if (r < 0)
                return r;
        lane_add(lane, TAKE_PTR(request));
        return 0;
}

static void process_stop(struct engine *base, uint64_t id) {
        struct engine_process *engine = (struct engine_process *) base;
        struct process_request *request = process_request_find(&engine->common, id);

        if (request)
                process_request_stop(request);
}

static void process_abandon(struct engine *base, uint64_t id) {
        struct engine_process *engine = (struct engine_process *) base;
        struct process_request *request = process_request_find(&engine->common, id);

        if (request)
                process_request_abandon(request);
}

static void process_set_pace(struct engine *base, uint64_t id, const struct engine_pace *pace) {
        struct engine_process *engine = (struct engine_process *) base;
        struct process_request *request = process_request_find(&engine->common, id);

        if (request)
                process_request_set_pace(request, pace);
}

static void process_set_events(struct engine *base, const struct engine_events *events, void *userdata) {
        struct engine_process *engine = (struct engine_process *) base;

        engine->common.events = events;
        engine->common.userdata = userdata;
}

static int process_set_limits(struct engine *base, const struct engine_limits *limits) {
        struct engine_process *engine = (struct engine_process *) base;
        int r, first_error = 0;

        if (limits->max_connections_per_owner == 0 || limits->max_connections_per_host == 0)
                return -EINVAL;
        engine->common.limits = *limits;
        quota_set_limits(engine->common.quota, limits);
        for (size_t i = 0; i < engine->n_lanes; i++) {
                r = lane_has_processes(engine->lanes[i]) ? lane_send_limits(engine->lanes[i]) : 0;
                if (first_error == 0)
                        first_error = r; /* one that is dying keeps nobody else from knowing */
        }
        return first_error;
}

static struct engine *process_free(struct engine *base) {
        struct engine_process *engine = (struct engine_process *) base;

        for (size_t i = 0; i < engine->n_lanes; i++)
                lane_free(engine->lanes[i]);
        free(engine->lanes);
        engine->common.quota = quota_free(engine->common.quota);
        engine->common.line_uses = line_uses_free(engine->common.line_uses);
        engine->common.event = sd_event_unref(engine->common.event);
        free(engine->sockets);
        free(engine->transfer_program);
        free(engine->resolve_program);
        free(engine->common.ca_file);
        free(engine->common.crl_file);
        free(engine);
        return NULL;
}

static const struct engine_ops process_ops = {
        .name = "process",
        .free = process_free,
        .set_events = process_set_events,
        .set_limits = process_set_limits,
        .start = process_start,
        .stop = process_stop,
        .abandon = process_abandon,
        .set_pace = process_set_pace,
};

int engine_process_new(struct sd_event *event, const struct engine_process_config *config, const struct clock *clock,
                       struct engine **ret) {
        struct engine_process *engine;

        engine = calloc(1, sizeof(*engine));
        if (!engine)
                return -ENOMEM;
        *engine = (struct engine_process) {
                .engine.ops = &process_ops,
                .common = {
                        .event = sd_event_ref(event),
                        .clock = clock,
                        .idle_exit_usec = config->idle_exit_usec,
                        .died = config->died,
                        .met_other_version = config->other_version,
                        .owner_userdata = config->userdata,
                        .limits = { .max_connections_per_owner = 64, .max_connections_per_host = 6 }, /* design decision 9 */
                },
        };
        if ((config->sockets && strdup_to(&engine->sockets, config->sockets) < 0) ||
            strdup_to(&engine->transfer_program, config->transfer_program) < 0 ||
            strdup_to(&engine->resolve_program, config->resolve_program) < 0 ||
            strdup_to(&engine->common.ca_file, config->ca_file ? config->ca_file : authorities_system_file()) < 0 ||
            (config->crl_file && strdup_to(&engine->common.crl_file, config->crl_file) < 0) ||
            quota_new(&engine->common.limits, lane_tell_places, &engine->common.quota) < 0 ||
            line_uses_new(lane_tell_line_use, &engine->common.line_uses) < 0) {
                process_free(&engine->engine);
                return -ENOMEM;
        }
        engine->common.config = (struct children_config) {
                .transfer_program = engine->transfer_program,
                .resolve_program = engine->resolve_program,
                .sockets = engine->sockets,
                .verbose = config->verbose,
        };
        *ret = &engine->engine;
        return 0;
}

int engine_process_pid(const struct engine *base) {
        const struct engine_process *engine = (const struct engine_process *) base;

        for (size_t i = 0; i < engine->n_lanes; i++)
                if (lane_has_processes(engine->lanes[i]))
                        return lane_transfer_pid(engine->lanes[i]);
        return 0;
}
