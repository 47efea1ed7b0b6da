/* What the files of this folder share. Nobody else includes it. */
#pragma once

#include <systemd/sd-bus.h>
/* uthash ends the process when memory is short, unless told not to. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

#include "base/log.h"
#include "bus/bus_server.h"
#include "bus/path.h"

#define BUS_NAME "org.dosvc"
#define BUS_MANAGER_INTERFACE "org.dosvc.Manager1"
#define BUS_JOB_INTERFACE "org.dosvc.Job1"
#define BUS_FILE_INTERFACE "org.dosvc.File1"
#define BUS_CALLBACK_INTERFACE "org.dosvc.Callback1"
#define BUS_CALLBACK_PATH "/org/dosvc/callback"
#define BUS_DRIVER_NAME "org.freedesktop.DBus"
#define BUS_DRIVER_PATH "/org/freedesktop/DBus"
#define BUS_PROPERTIES_INTERFACE "org.freedesktop.DBus.Properties"
#define BUS_OWN_UNIQUE_NAME ":1.0"
#define CALLBACK_TIMEOUT_USEC (30 * USEC_PER_SEC)
#define ACCEPT_RETRY_USEC (1 * USEC_PER_SEC) /* after we ran out of descriptors */
#define LISTEN_BACKLOG 128

struct peer;
struct listener;
struct intake;
struct bus_passed;
struct bus_question;
struct bus_rate;
struct closer;

/* A call that waits for its answer: a changing one for the manager's, a reading one (@reply is built) for the disk. */
struct bus_call {
        struct bus_server *server;
        struct peer *peer; /* NULL: gone; whoever answers then only frees the call */
        sd_bus_message *message; /* a stand-in for it */
        sd_bus_message *reply;
        int (*append)(sd_bus_message *reply, const struct manager_reply *answer); /* NULL: an empty answer */
        struct bus_call *prev, *next;                                             /* peer->calls, or server->orphans */
};

struct subscription {
        struct guid id; /* the hash key */
        UT_hash_handle hh;
        bool as_administrator; /* of another's job */
};

/* A client's registration for one job: to be told of its events, or to judge certificates, or both. Its address is the token that the
 * manager knows it by. */
struct bus_notifier {
        struct guid id; /* the hash key */
        UT_hash_handle hh;
        struct peer *peer;
        sd_bus_slot *pending;  /* the call that is out */
        uint32_t event;        /* that it told */
        sd_bus_slot *question; /* as @pending, to the judge */
};

struct peer {
        struct bus_server *server;
        sd_bus *bus;     /* its own, or the one that all peers with names share */
        int fd;          /* its own one's socket, which sd-bus closes */
        struct intake *intake; /* and what comes from there */
        char *name;      /* on a bus: where its messages go; NULL: the connection is its own */
        sd_bus_slot *leaving; /* and whoever is told that it is gone */
        bool is_gate;    /* not a client: what objects on the shared bus are registered with (bus_name.c) */
        struct peer *calling; /* of the gate: whose call is being handled */
        uid_t uid;
        pid_t pid;
        int pidfd;                     /* of a client that may ask to be an administrator; else -EBADF */
        struct bus_question *question; /* a call that waits for a decision */
        sd_bus_message *granted;       /* the one that the authority said yes to, while it is handled */
        uint64_t serial;
        uint64_t served; /* server->next_served when it had its turn last */
        bool handled; /* a message of its, since this was false */
        bool dead;
        bool wants_all; /* signals about all jobs of its uid */
        struct subscription *subscriptions;
        struct bus_notifier *notifiers;
        struct bus_call *calls;
        size_t n_calls;
        struct peer *prev, *next; /* server->peers or server->dead */
        sd_event_source *timer; /* sd-bus has a deadline; NULL: it never had one */
        sd_bus_message **outbox; /* bus_outbox.c: what it is to be told, from */
        size_t outbox_begin, outbox_end, outbox_allocated;
        bool is_watched;        /* in server->poll_fd, */
        int watched;            /* for these events */
        bool touched;           /* in server->touched */
        struct peer *next_touched;
};

struct bus_server {
        sd_event *event;
        struct manager *manager; /* NULL when closed */
        struct bus_server_config config;
        struct listener *listeners;
        struct peer *peers;
        struct peer *dead;
        struct peer *gate; /* NULL: on no bus */
        struct bus_call *orphans;
        struct bus_rate *rates; /* by uid */
        struct bus_passed *passed; /* by uid */
        struct closer *closer;
        sd_event_source *closer_source;
        size_t n_peers;
        uint64_t next_serial;
        uint64_t next_served;
        bool stopping;
        bool told_full; /* the log has it, since a client went last; */
        bool told_full_uid; /* also that one user has too many */
        struct log_limit told; /* of clients */
        sd_id128_t id;
        sd_event_source *reap_source;
        sd_event_source *accept_source;      /* timer: accept again */
        int poll_fd; /* bus_poll.c: the peers that have a connection of their own */
        sd_event_source *poll_source;
        struct peer *touched; /* what sd-bus waits for may have changed */
        unsigned sends_left; /* in this turn of the loop */
};

/* bus_server.c */
void peer_drop(struct peer *peer); /* cuts it off; freed by the loop, so callers need not care */
struct peer *peer_free(struct peer *peer);
/* A call to the client, who has CALLBACK_TIMEOUT_USEC for it. */
int peer_call(struct peer *peer, sd_bus_message *message, sd_bus_message_handler_t answered, void *userdata, sd_bus_slot **ret_slot);
bool peer_wants(const struct peer *peer, const struct job *job);
void server_tell_activity(struct bus_server *server);
/* May the log have another line about a client? */
bool server_may_tell(struct bus_server *server);
/* -EUSERS: there are as many clients as there may be, of this user or at all. */
int server_judge_room(struct bus_server *server, uid_t uid);

/* bus_outbox.c */
/* Now, or in one of the next turns; behind all that it was sent before. Cuts it off when it does not read. */
int peer_send(struct peer *peer, sd_bus_message *message);
/* Some of what waits, as long as it is taken. Return: how many messages that were. */
unsigned peer_tell(struct peer *peer, unsigned at_most);
size_t peer_count_untold(const struct peer *peer);
bool peer_takes_its_answers(const struct peer *peer);
bool peer_reads_too_slowly(const struct peer *peer);
void outbox_begin_turn(struct bus_server *server);
void outbox_done(struct peer *peer);

/* bus_poll.c */
int bus_poll_start(struct bus_server *server);
void bus_poll_stop(struct bus_server *server);
int peer_poll_start(struct peer *peer); /* its connection has begun */
void peer_poll_stop(struct peer *peer);
void peer_touch(struct peer *peer); /* something was done with its connection outside of its own messages */

/* bus_intake.c: what a connection of its own lets through to sd-bus, which gets *ret_fd to read (OWNED) */
int bus_intake_new(struct intake **ret, int *ret_fd);
struct intake *bus_intake_free(struct intake *intake);
/* As sd_bus_process(), with what comes from the client. < 0: it is to be dropped. */
int bus_intake_process(struct peer *peer);
bool bus_intake_is_unread(const struct peer *peer); /* sd-bus has something to read, of which the client's socket says nothing */
bool bus_intake_is_greeting(const struct peer *peer); /* the handshake is not over */

/* bus_passed.c: descriptors that clients pass */
int bus_passed_start(struct bus_server *server);
void bus_passed_stop(struct bus_server *server);
/* Makes *fd (CONSUMED) one that may be closed on the loop. 0 or -errno: *fd is none then. */
int bus_passed_take(struct peer *peer, int *fd);
/* So many came with what was no message. */
void bus_passed_lost(struct peer *peer, size_t n);
/* NULL; or no more is let in of this user: why. */
const char *bus_passed_why_no_more(const struct bus_server *server, uid_t uid);

/* bus_name.c */
/* Whose call a handler looks at: @peer is what its object was registered with. */
struct peer *peer_of_call(struct peer *peer);
void bus_name_release(struct bus_server *server);

/* bus_listen.c */
void listener_free_all(struct bus_server *server);
void listener_set_enabled_all(struct bus_server *server, bool enabled);

/* bus_call.c: handlers return what these return. */
int bus_set_error(sd_bus_error *error, int outcome, const char *text);
/* Parks @m for the manager: give the call as userdata of bus_call_answer(). Refuses when stopping or when too many
 * wait. */
int bus_call_new(struct peer *peer, sd_bus_message *m,
                 int (*append)(sd_bus_message *reply, const struct manager_reply *answer), sd_bus_error *error,
                 struct bus_call **ret);
void bus_call_answer(const struct manager_reply *answer, void *userdata);
/* Sends @reply (CONSUMED) now, or when everything that it may tell of is durable. */
int bus_reply(struct peer *peer, sd_bus_message *m, sd_bus_message *reply, bool dirty, sd_bus_error *error);
/* A small message that can be answered in the place of another one with that number and sender (NULL: none). */
int bus_new_stand_in(sd_bus *bus, uint64_t cookie, const char *sender, bool expects_reply, sd_bus_message **ret);
void bus_call_orphan_all(struct peer *peer);
struct bus_call *bus_call_free(struct bus_call *call);
/* sd-bus wants one for each property that it describes. Those of jobs and files are answered before it looks (bus_job.c). */
int bus_no_getter(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata,
                  sd_bus_error *error);
/* The job that a path names, if it is the caller's or this call was authorized; or NULL. *ret_file only for a file's path. */
struct job *bus_find_job(struct peer *peer, const char *path, struct job_file **ret_file);

/* bus_rate.c: how often one user may call. 0, or < 0 with @error: this one is too much. */
int bus_rate_judge(struct peer *peer, sd_bus_message *m, sd_bus_error *error);
/* The same for what counts as @n_calls. */
int bus_rate_take(struct peer *peer, uint64_t n_calls, sd_bus_error *error);
void bus_rate_free_all(struct bus_server *server);

/* bus_authority.c */
void peer_note_process(struct peer *peer, int fd);            /* whose connection @fd is */
void bus_authority_forget(struct peer *peer);                 /* it goes: what it asked for is refused */
void bus_authority_saw(struct peer *peer, const sd_bus_message *m); /* each message, before it is handled */
bool peer_is_administrator(const struct peer *peer);          /* for the call that is being handled */
/* May this call act as an administrator's? 1: yes. 0: the authority was asked; the call comes again if it says yes. < 0: no, @error says
 * @refusal. */
int bus_authorize(struct peer *peer, sd_bus_message *m, const char *action, enum error_code refusal, sd_bus_error *error);
/* The same for any call on a job or file that is not the caller's own, or does not exist. */
int bus_authorize_object(struct peer *peer, sd_bus_message *m, sd_bus_error *error);

/* bus_dict.c: the one place that knows what a job and a file look like on the wire. */
enum property_kind {
        PROPERTY_CONSTANT = 1,
        PROPERTY_SETTABLE = 2,
        PROPERTY_VOLATILE = 4,
        PROPERTY_ALL = 7,
};
/* @viewer: what may hold secrets is left out for whoever is not the owner. */
int bus_append_job(sd_bus_message *m, const struct peer *viewer, const struct job *job, unsigned kinds);
/* @with_large: also what is too much for a list. */
int bus_append_file(sd_bus_message *m, const struct peer *viewer, const struct job_file *file, bool with_large);
/* As offsets and lengths, "a(tt)". */
int bus_append_intervals(sd_bus_message *m, const struct intervals *set);
int bus_append_history(sd_bus_message *m, const struct history_entry *entry);
/* What still fits on a page of a list: so many rows, and so many values in them. */
struct bus_page_room {
        uint32_t n_rows;
        size_t n_values;
        bool begun;
};
int bus_page_room(uint32_t limit, struct bus_page_room *ret, sd_bus_error *error);
bool bus_page_takes(struct bus_page_room *room, size_t n_values);
/* How many values each of them has there. */
size_t bus_values_of_job(void);
size_t bus_values_of_file(const struct job_file *file);
size_t bus_values_of_history(void);
/* The bare value. -ENOENT: there is no such property. */
int bus_append_job_property(sd_bus_message *m, const struct peer *viewer, const struct job *job, const char *name);
int bus_append_file_property(sd_bus_message *m, const struct peer *viewer, const struct job_file *file, const char *name);
const char *bus_job_property_signature(const char *name); /* NULL */
const char *bus_file_property_signature(const char *name);
/* Table text and detail as one sentence or two. */
void bus_error_text(enum error_code code, const char *detail, char *ret, size_t size);

/* bus_manager.c, bus_job.c, bus_file.c, bus_driver.c */
int bus_manager_add(struct peer *peer);
int bus_job_add(struct peer *peer);
int bus_file_add(struct peer *peer);
int bus_driver_add(struct peer *peer);

/* bus_judge.c: the other half of such a registration */
/* @notifier's job if it is the judge there, else NULL. */
struct job *bus_judge_job(const struct bus_notifier *notifier);
int bus_judge_register(struct peer *peer, struct job *job);
void bus_judge_unregister(struct peer *peer, struct job *job);

/* bus_notify.c */
/* @peer's registration for @id, made if there is none. 0, ERROR_TOO_MANY_REQUESTS, -ENOMEM */
int bus_notifier_get(struct peer *peer, const struct guid *id, struct bus_notifier **ret);
struct bus_notifier *bus_notifier_find(struct peer *peer, const struct guid *id);
/* If it is neither half of anything any more. */
void bus_notifier_free_idle(struct bus_notifier *notifier);
int bus_notify_register(struct peer *peer, struct job *job);
void bus_notify_unregister(struct peer *peer, struct job *job);
void bus_notify_forget_job(struct peer *peer, const struct guid *id); /* the job is final */
void bus_notify_done(struct peer *peer);

/* bus_signals.c */
/* @job NULL: all of its own. 0, ERROR_TOO_MANY_REQUESTS, -ENOMEM */
int peer_subscribe(struct peer *peer, const struct job *job);
void peer_unsubscribe(struct peer *peer, const struct guid *id); /* NULL: everything */
