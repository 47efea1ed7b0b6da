/* A lane: one pair of processes (transfer/children.h) and the requests that it is given. The processes are started when there is something
 * for them, again with growing delay when they die, and leave when there has been nothing for a while. What dosvc-transfer says is checked:
 * one that breaks the rules is killed. A lane never knows of another; whose requests it is given is decided by transfer/engine_process.c,
 * which alone includes this.
 *
 * 1. lane_new(): nothing is started.
 * 2. process_request_new() copies a request, lane_add() gives it to the lane, which owns it from then on. Nothing is told from within.
 * 3. process_request_stop(), _abandon() and _set_pace() until finished() was told (transfer/engine.h): the request is gone then.
 * 4. lane_free(): the processes are killed, requests that are left go without a word. Quota and line uses outlive the lane. */
#pragma once

#include <sys/types.h>

#include "base/clock.h"
#include "transfer/children.h"
#include "transfer/engine.h"

struct lane;
struct line_use;
struct line_uses;
struct process_request;
struct quota;

/* What the lanes of one engine have in common. The engine owns it, and frees it after the last lane. */
struct lane_engine {
        struct sd_event *event;
        const struct clock *clock;
        struct children_config config;
        char *ca_file, *crl_file; /* crl_file may be NULL */
        uint64_t idle_exit_usec;
        struct engine_limits limits;
        struct quota *quota; /* tells by lane_tell_places() */
        struct line_uses *line_uses; /* tells by lane_tell_line_use() */
        void (*died)(void *userdata, int pid);
        bool (*met_other_version)(void *userdata, const char *program);
        void *owner_userdata; /* theirs */
        const struct engine_events *events;
        void *userdata;
        struct process_request *requests; /* hash by id: those of all lanes, kept by them */
};

/* The copy waits for a lane: the frame is made now, the descriptor is borrowed. 0, or as engine_message_new(). */
int process_request_new(const struct engine_request *from, struct process_request **ret);
/* Only of one that was given to no lane. */
struct process_request *process_request_free(struct process_request *request);
DEFINE_CLEANUP_FUNC(struct process_request, process_request_free)
/* NULL: no lane has it. */
struct process_request *process_request_find(const struct lane_engine *engine, uint64_t id);
void process_request_stop(struct process_request *request);
/* The same, and nothing more is told of it. The descriptor is not needed any more. */
void process_request_abandon(struct process_request *request);
void process_request_set_pace(struct process_request *request, const struct engine_pace *pace);

int lane_new(struct lane_engine *engine, uint64_t owner, dev_t dev, struct lane **ret);
struct lane *lane_free(struct lane *lane);
DEFINE_CLEANUP_FUNC(struct lane, lane_free)
/* @request is consumed. Its id must be new. */
void lane_add(struct lane *lane, struct process_request *request);
/* The limits of its engine, which have changed. Only while it has processes. */
int lane_send_limits(struct lane *lane);
/* quota_tell and line_uses_tell; @userdata: the lane. */
void lane_tell_places(void *userdata, const char *host, unsigned given, unsigned recalled);
void lane_tell_line_use(void *userdata, const struct line_use *elsewhere);

uint64_t lane_owner(const struct lane *lane);
dev_t lane_dev(const struct lane *lane); /* for who assigns it: the lane itself does not look at it */
/* Only without a request, to another owner only without processes, too. */
void lane_assign(struct lane *lane, uint64_t owner, dev_t dev);
bool lane_is_idle(const struct lane *lane); /* it has no request; its processes may still be there */
bool lane_has_processes(const struct lane *lane);
/* 0: it is not known yet. Only while it has processes. */
pid_t lane_transfer_pid(const struct lane *lane);
