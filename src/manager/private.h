/* What the files of this folder share. Nobody else includes it.
 *
 * Three kinds of running state hang off the model: struct job_run (one per job, always), struct file_run (one per file that is being
 * moved right now) and struct job_op (a Complete or Cancel that is being carried out). The model itself stays plain data. */
#pragma once

#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "base/log.h"
#include "manager/manager.h"
#include "schedule/bandwidth.h"
#include "schedule/lessons.h"
#include "schedule/shares.h"
#include "schedule/sources.h"

/* Many small files: what waits for a sync together is synced together, and meanwhile as many others are being opened and fetched. With one
 * number for both they went in step, and the transfer process had nothing to do while the disk had. New ones are taken by the batch: one
 * at a time, each would wake a thread, the transfer process, and the loop by itself. */
#define FILES_FETCHING_PER_JOB 256
#define FILES_TAKEN_AT_ONCE 64
#define FILES_IN_FLIGHT_PER_JOB (2 * FILES_FETCHING_PER_JOB)
#define FILES_IN_FLIGHT_MIN 4
#define RESTARTS_MAX 3            /* times that a file may begin anew before the job fails */
#define BAD_TRIES_MAX 3           /* times that one piece may have the wrong hash before the job fails */
#define VERIFY_PIECES_MAX 256     /* judged in one go */
#define CHUNKS_PER_CHECKPOINT_MAX 64 /* hashed; a checkpoint is due after 16 MiB */
#define DISK_ERRORS_MAX 2         /* reliability.md 5.3: two failed syncs on one file are a disk error */
#define RESERVE_FROM_BYTES (UINT64_C(1) << 20) /* smaller files are not preallocated */
#define SEGMENT_RUNS_MAX 64 /* files at once: with more, each has one connection, and nobody looks whether it could have two */
#define SOURCE_STALL_USEC (10 * USEC_PER_SEC) /* silence of a source while another could be asked */
#define SOURCE_FLOOR_RATE 4096 /* bytes per second: a source that brings less is left while another may bring more */
#define PROGRESS_FLOOR_BYTES 1024 /* less is no progress of a job, unless that is all there was */
#define BLOCKED_POLL_USEC (15 * USEC_PER_SEC)
#define NEIGHBOURS_POLL_USEC USEC_PER_MINUTE
#define CHANGE_COALESCE_USEC (100 * USEC_PER_MSEC)
#define DIRTY_POLL_USEC (10 * USEC_PER_MSEC) /* a notice waits for a commit */
#define NOTIFY_RETRY_FIRST_USEC (1 * USEC_PER_SEC)
#define NOTIFY_RETRY_MAX_USEC (10 * USEC_PER_MINUTE)
#define NOTIFY_COMMAND_GRACE_USEC (3 * USEC_PER_SEC) /* after a start: clients come back, and their callbacks are first */
#define CHECKPOINT_MIN_GAP_USEC (200 * USEC_PER_MSEC)
#define STORE_RETRY_USEC (5 * USEC_PER_SEC)
#define FINISHED_JOBS_KEPT 256    /* for getters on pointers that programs still hold */
#define FINISHED_FILES_KEPT 20000

_Static_assert(sizeof(struct file_identity) == sizeof(struct files_identity), "one shape in two rooms");

static inline struct files_identity manager_files_identity(const struct file_identity *identity) {
        struct files_identity ret;

        memcpy(&ret, identity, sizeof(ret));
        return ret;
}

struct reply {
        manager_reply_fn fn;
        void *userdata;
};

/* What waits for one transaction. */
struct after {
        void (*fn)(int error, void *userdata);
        void *userdata;
        struct after *prev, *next;
};

struct commit_group {
        struct manager *manager;
        uint64_t seq;
        struct after *after;
};

enum op_phase {
        OP_WAIT_RUNS, /* transfers wind down */
        OP_CHECK,     /* dry run */
        OP_INTENT,    /* the intent is being committed */
        OP_PUBLISH,
        OP_REMOVE,
        OP_RESULT,    /* the end is being committed */
};

struct job_op {
        struct manager *manager;
        struct job *job; /* NULL: the job's memory was dropped (store failure) */
        enum job_intent intent;
        enum op_phase phase;
        bool waits;   /* a files request or commit is out */
        bool partial;
        bool recovered; /* the intent came from the store: nobody waits for the answer */
        bool expired;
        bool broke_off; /* a request that must not be sent twice */
        unsigned n_removals; /* that ended with the owner's process */
        int first_error;
        uint32_t first_error_file;
        struct reply reply;
        enum waiting_reason waited_for; /* before */
        uint32_t *indices; /* of the items of the request that is out */
        size_t n_indices;
        /* take.c */
        uid_t new_owner, old_owner;
        unsigned n_checks;
        struct files_item *items;
        size_t n_items;
};

/* When what was refused may go out again. */
struct notify_retry {
        unsigned failures;
        uint64_t at; /* CLOCK_BOOTTIME; 0: now */
};

/* notify.c; there is one while somebody is registered */
struct notify_state {
        const struct manager_notifier *notifier;
        void *userdata;
        uint32_t in_flight;       /* event that was handed over and not answered */
        uint32_t in_flight_file;  /* the file that it is about */
        uint32_t in_flight_round; /* which time that was: an answer is about no later one */
        struct intervals told;    /* the ranges that went with it */
        struct notify_retry job_retry, file_retry; /* a program that refuses the one kind still gets the other */
        uint32_t next_file;       /* where the search for the next file begins */
        bool modified;            /* a JobModification is due */
        uint64_t modified_at;     /* when it may go out, CLOCK_BOOTTIME */
};

/* judge.c; made with the first judge of a job */
struct judging {
        const struct manager_judge *judge; /* NULL: it is gone */
        void *userdata;
        bool asked;             /* nothing is started before the answer */
        uint8_t question[32];   /* the certificate's SHA-256 */
        uint32_t file;          /* that it was shown for */
        uint8_t accepted[LIMIT_ACCEPTED_CERTIFICATES][32];
        size_t n_accepted;
        size_t oldest;          /* of them, once all places are taken */
};

/* notify_command.c; made when the first one is due, outlives registrations of callbacks */
struct notify_command {
        uint64_t id;               /* of the one that runs, 0: none */
        uint32_t event;            /* that it was told */
        uint64_t event_since_usec; /* which entering of the state that was, and what @retry counts for */
        struct notify_retry retry;
        char result[64];           /* how the last one ended */
};

/* A share of a rate and what is made of it (pace.c). */
struct paced {
        struct share share;
        uint64_t counted; /* bytes when it was last looked at */
};

/* There is one for each job, a queue of 100,000 has as many: what few jobs need at a time hangs off it, and is made when it is needed. */
struct job_run {
        struct manager *manager;
        struct job *job;
        UT_hash_handle hh;     /* by job->id */
        struct job_run *prev, *next; /* manager->jobs, in order of sequence */
        uint64_t sequence;
        uint64_t saved_in;     /* newest group that holds a change of it */
        struct job_run *unsaved_prev, *unsaved_next;
        struct job_run *changed_prev, *changed_next;
        struct job_run *starved_prev, *starved_next;
        bool unsaved;          /* on manager->unsaved */
        bool scheduled;        /* known to the scheduler */
        bool finished;         /* final, kept for getters */
        bool changed;          /* on manager->changed */
        bool state_changed;
        bool told_transferring; /* was the last that was told of its state */
        bool starved;          /* on manager->starved: it may move, but all places for files are taken */
        bool is_paced;         /* already on the list of a division of rates that is being made */
        bool pumping;
        bool pump_again;       /* something became startable while the pump ran */
        bool complete_failed;  /* complete_when_transferred was tried; Resume tries again */
        uint32_t next_file;    /* where the pump looks next */
        size_t n_file_runs;
        size_t n_fetched_runs; /* of them: nothing more comes from the engine */
        uint64_t bytes_since_progress;
        struct job_op *op;
        struct paced *pace;             /* NULL: it never had requests at the engine */
        struct notify_state *notify;    /* NULL: nobody is called back */
        struct notify_command *command; /* NULL: none was due yet */
        struct judging *judging;        /* NULL: nobody ever was its judge */
        const void *client;    /* whose volatile job it is, NULL: nobody's (any more) */
        struct job_run *client_prev, *client_next; /* manager->bound */
        struct source_host *source_hosts; /* sources.c: what was learned of servers, by host; never stored */
};

enum file_step {
        STEP_COMMIT,    /* its temp name is being recorded */
        STEP_CLEAR,     /* a temp file of unknown content is being removed */
        STEP_OPEN,
        STEP_ADOPT,     /* the temp file is another inode: hashes decide what of it counts */
        STEP_CERTIFICATE, /* the job's client certificate is being read */
        STEP_HASHES,    /* its piece hash file is being fetched and parsed */
        STEP_TRANSFER,
        STEP_DRAIN,     /* a stream: the program has not taken enough yet */
        STEP_SYNC,      /* last checkpoint */
        STEP_FINISH,
        STEP_DECRYPT,   /* its content is being made from what was fetched */
        STEP_DISCARD,   /* the second temp file is being removed; nobody can stop that */
};

/* What is out at the engine for a file. */
struct file_request {
        uint64_t id;           /* the hash key */
        UT_hash_handle hh;
        struct file_run *run;
        uint64_t fetched;      /* already added to the job */
        struct paced pace;
        struct engine_pace told_pace;
        struct interval part;  /* local bytes that it is to bring */
        bool answered;         /* they are its own from then on */
        bool joined;           /* others were under way when it was made */
        bool dismissed;        /* one too many: asked to end */
        struct file_request *prev, *next; /* run->requests, in the order of their starts */
};

struct file_run {
        struct manager *manager; /* may be gone when the run is an orphan */
        struct files *files;
        struct job_file *file; /* NULL: orphaned; it only waits for its requests to come back */
        enum file_step step;
        struct files_handle *handle;
        int fd;                /* belongs to the handle */
        bool stop;             /* somebody wants it to end */
        bool fetched;          /* all bytes are there; counted in its job's n_fetched_runs */
        bool awaits_judge;     /* it ended so that somebody can look at the server's certificate */
        bool cleared;          /* STEP_CLEAR was done once */
        unsigned n_pending;    /* requests to files and store that are out */

        struct secret certificate, certificate_key; /* PEM; as long as the run needs them */
        struct file_sources *sources; /* sources.c; NULL: there is no choice */
        bool digest_offered;   /* by the file's own server, since it was asked last */
        bool leave_source;     /* it lied: run->result says how */
        bool asked;            /* the engine was asked for content before */
        struct file_request *requests; /* NULL: none is at the engine */
        bool recalled;         /* those that are were asked to end */
        struct segments segments; /* how many there should be */
        uint64_t segments_at;  /* when to think about that again, CLOCK_BOOTTIME */
        uint64_t bytes_fetched;
        uint64_t received_at_start;

        bool checkpoint_running;
        struct intervals snapshot; /* what the running checkpoint covers */
        struct files_piece *chunks; /* adopt.c: CHUNKS_PER_CHECKPOINT_MAX, of which the checkpoint hashes the first n */
        size_t n_chunks;
        struct adoption *adoption; /* adopt.c; NULL: its inode is the one that we know, so far */
        uint64_t since_checkpoint_bytes;
        uint64_t last_checkpoint_monotonic;
        unsigned disk_errors;

        /* digest.c: how far the digest has come that is computed beside the transfer, and is being taken. */
        bool ahead_running;
        uint64_t ahead, ahead_end;
        uint64_t ahead_since_monotonic, ahead_from; /* when it was first thought of, and how much was there; 0: not yet */

        /* integrity.c: what the hashes of its pieces say. Where there are none, all that was received counts. */
        bool judging;               /* only what they vouch for is ever durable */
        bool verify_running;
        bool refetch;               /* this request brought bad pieces: what is missing is asked for again */
        bool pieces_leave_edges;    /* of ranges; nobody can judge these bytes */
        int hashes_fd;              /* where the piece hash file is written to, or -EBADF; the handle closes it */
        uint64_t content_length;    /* of the whole remote file, as the piece hash file says */
        struct files_piece *pieces; /* by position in the local file */
        uint8_t *bad_tries;         /* of each */
        size_t n_pieces;
        size_t first_verified;      /* of the pieces that are being judged */
        struct intervals vouched;   /* local bytes that are right, or that nobody can judge */
        struct intervals inherited; /* others were there when the source changed: it is not to blame for the pieces that they are of */

        /* decrypt.c */
        struct files_handle *plain;    /* what is decrypted into */
        struct files_identity spare;   /* who stands under the file's spare_name; ino 0: its name alone says so */
        uint64_t content_max;

        struct engine_result result;
        char result_text[256];
        struct file_run *prev, *next; /* manager->file_runs */
};

struct manager {
        struct store *store;
        struct files *files;
        struct engine *engine;
        struct runner *runner;
        const struct clock *clock;
        struct schedule *schedule;
        struct manager_limits limits;
        bool few_cores;
        struct conditions conditions;
        uid_t *present;            /* conditions.present */
        const struct manager_events *events;
        void *events_userdata;
        bool (*may_own)(void *userdata, uid_t uid);
        void *may_own_userdata;

        struct job_run *by_id;
        struct job_run *jobs;      /* live, by sequence */
        struct owner_jobs *owners; /* owners.c */
        struct job_run *bound;     /* those with a client */
        struct job_run *finished;  /* kept for getters, oldest first */
        size_t n_jobs;
        size_t n_finished;
        size_t n_finished_files;
        uint64_t next_sequence;

        struct file_run *file_runs;
        size_t n_file_runs;
        size_t max_file_runs;           /* limits.files_in_flight; less after descriptors ran out */
        struct job_run *starved;        /* first come, first served */
        bool feeding;                   /* they are being given places */
        struct file_request *by_request;
        uint64_t next_request;

        struct history_entry **history; /* oldest first */
        size_t n_history;
        uint64_t history_first;   /* sequence number of history[0] */

        struct store_batch *batch;      /* what this turn changed */
        struct job_run *unsaved;        /* jobs whose own rows are not in it yet */
        struct commit_group *group;     /* what waits for it */
        uint64_t n_durable_commits;     /* for statistics, as is the next one */
        uint64_t bytes_fetched;
        uint64_t group_seq;             /* of the open group */
        uint64_t durable_seq;
        unsigned n_commits;             /* submitted, not back */
        int commit_error;               /* of the first of them that failed */
        uint64_t held_until_boottime;   /* after a store failure: nothing is started before */
        struct log_limit told_failures; /* of the store */
        bool held;                      /* what manager_go_on() has to do waits for that, too */

        struct lessons lessons;         /* segments.c: how many connections paid off at which server */
        uint64_t segments_at;           /* numbers of connections are looked at, CLOCK_BOOTTIME */
        uint64_t paced_at;              /* rates were measured, CLOCK_BOOTTIME */
        uint64_t pace_due;              /* and are to be divided again; USEC_INFINITY: nothing is limited */
        struct line line;
        struct class_pace {
                uint64_t bytes;         /* of all its files, since the start */
                uint64_t counted;       /* of them, when rates were measured */
                uint64_t recent;        /* those that the last measurement found new */
                uint64_t recent_usec;   /* how long they took */
                uint64_t first_at;      /* when the first of them was reported, CLOCK_BOOTTIME */
                struct bandwidth_debt debt;
        } foreground_pace, background_pace;
        uint64_t hours_due;             /* the time of the day is to be looked at, CLOCK_BOOTTIME; USEC_INFINITY: it concerns nobody */
        bool has_blocked;               /* jobs may be waiting until a policy allows them something */

        struct job_run *changed;
        uint64_t changed_at;            /* when the coalesced ones go out, CLOCK_BOOTTIME */
        uint64_t checkpoint_at_monotonic; /* no checkpoint is due before: most turns need not look at every file */
        uint64_t notify_at;             /* earliest retry or modification */
        struct running_command {
                uint64_t id;            /* 0: this place is free */
                struct guid job;
                uid_t owner;            /* when it was started */
        } commands[LIMIT_NOTIFY_COMMANDS_ALL];
        uint64_t next_command;
        uint64_t commands_at;           /* none is started before, CLOCK_BOOTTIME */
        bool schedule_dirty;
        bool stopping;
        bool backup_running;
        uint64_t backup_after_boottime; /* and not before */
        unsigned n_checks;              /* creates and adds that wait for files_check */
        struct check *checks;
        struct job_run *page_hint;      /* where the last page of a list ended; never freed while it points here */
};

static inline struct job_run *job_run(const struct job *job) {
        return ASSERT_PTR(job->attachment);
}
static inline uint64_t manager_realtime(const struct manager *m) {
        return clock_now(m->clock, CLOCK_ID_REALTIME);
}
static inline uint64_t manager_boottime(const struct manager *m) {
        return clock_now(m->clock, CLOCK_ID_BOOTTIME);
}

/* commit.c: every change of the model ends in one of these two; nothing else talks to the store. */
void manager_save_job(struct manager *m, struct job *job);
void manager_save_file(struct manager *m, struct job_file *file); /* and its job's row */
/* Beside the file's row, which this turn saves. 0 or -ENOMEM. */
int manager_save_chunks(struct manager *m, const struct job_file *file, const struct chunks *chunks);
/* That a callback took something: recorded with whatever comes next, and no answer has to wait for it. */
void manager_save_file_quietly(struct manager *m, struct job_file *file);
void manager_forget_job(struct manager *m, struct job *job, const struct history_entry *entry); /* rows away, history in */
/* Calls @fn when everything changed so far is durable (error 0) or was lost (< 0). -ENOMEM: it will not be called. */
int manager_after_commit(struct manager *m, void (*fn)(int error, void *userdata), void *userdata);
void manager_flush(struct manager *m);
/* Its own row, whatever its job's says: names and ranges, on which the opening of its temp file relies. */
bool manager_file_is_dirty(const struct manager *m, const struct job_file *file);
void manager_drop_group(struct manager *m); /* at the end: nothing of this turn is recorded, and whoever waits is told */
/* Answers after the commit; the text is for errors only and static. */
void manager_reply_durably(struct manager *m, const struct guid *id, struct reply reply, const struct manager_reply *answer);
void manager_refuse(struct reply reply, const struct guid *id, int outcome, const char *text);

/* restore.c: copies of the database, and what they do not know */
void manager_backups_begin(struct manager *m);                /* after loading */
void manager_backup_if_due(struct manager *m);               /* after something was recorded */
/* Every restored job that would move by itself, but has no temp file to prove that it did not end since, is stopped. */
void manager_judge_restored(struct manager *m);
void manager_refuse_restored(struct manager *m, struct job_file *file);
void manager_note_alive(struct manager *m, struct job *job); /* a temp file of it was seen, or its owner wants it */
bool manager_may_start_file(const struct job_file *file);

/* manager.c */
int manager_adopt_job(struct manager *m, struct job *job); /* @job is OWNED from now on if 0 */
void manager_retire_job(struct manager *m, struct job *job); /* final: off the lists, kept for getters for a while */
void manager_drop_all(struct manager *m);
int manager_load(struct manager *m);
/* What a start finds: promises to keep, jobs to stop, files to remove. Each of them is recorded. */
void manager_go_on(struct manager *m);
void manager_add_history(struct manager *m, struct history_entry *entry); /* @entry is CONSUMED */
/* Forgets the oldest above @keep, and all that are too old. Return: how many are left. */
size_t manager_trim_history(struct manager *m, size_t keep);
void manager_job_changed(struct manager *m, struct job *job, bool state);
void manager_reschedule(struct manager *m, struct job *job);
int manager_transition(struct manager *m, struct job *job, enum job_event event);

/* run.c: one file's way from its temp file to "complete, verified, synced" */
int file_run_new(struct manager *m, struct job_file *file, enum file_step step, struct file_run **ret);
int file_run_start(struct manager *m, struct job_file *file);
void file_run_opened_as(struct file_run *run, const struct files_identity *temp, const struct files_identity *directory);
void file_run_lost(struct file_run *run);                    /* what is under the temp name is not ours: the run ends, the file begins anew */
/* Every byte is there, judged and safe. 0 or -errno; the run's result is DONE then. */
int file_run_transferred(struct file_run *run);
void file_run_stop(struct file_run *run);                    /* @run may be gone afterwards */
void file_run_finish(struct file_run *run);
/* What the file is to look like at its final name, and its digest; without a size. */
struct files_finish_request file_run_finish_request(const struct file_run *run);
bool file_is_encrypted(const struct job_file *file);
void file_run_mark_transferred(struct file_run *run);        /* and run->result is "done" */
void file_run_end(struct file_run *run);                     /* @run may be gone afterwards */
/* Every completion begins with it: false if the run was orphaned meanwhile (and is gone now, if this was its last request). */
bool file_run_returned(struct file_run *run);
/* What runs at the engine is to end; the run goes on, or ends, when the last request has. */
void file_run_recall(struct file_run *run);
void file_run_set_text(struct file_run *run, const char *text); /* of its result; copied; NULL: none */
void file_run_result(struct file_run *run, enum engine_outcome outcome, enum error_code code, enum error_context context,
                     uint32_t detail, bool transient, const char *text);
/* A local file call failed: which of these may end by themselves is decided with the code (job_error_is_blocked_cause()). */
void file_run_local_error(struct file_run *run, int error, const char *what);
void manager_orphan_runs(struct manager *m);

/* fetch.c */
void file_run_transfer(struct file_run *run);
/* After it, nobody hears of the request any more. */
struct file_request *file_request_free(struct file_request *request);
/* Reads the job's client certificate, if it has one, and goes on with file_run_guard(). */
void file_run_certify(struct file_run *run);
/* Hands a request for one of the run's files to the engine, with what all of them have in common filled in. 0, an error code or -errno. */
int file_run_ask(struct file_run *run, struct engine_request *request);
void file_run_not_asked(struct file_run *run, int r);        /* ends the run after that failed */
void file_run_give_up(struct file_run *run, int code, const char *text); /* ends the running request with an error */
void file_run_wind_down(struct file_run *run);               /* the engine has let go: the run goes on or ends */
extern const struct engine_events manager_engine_events;

/* What is missing of @part is asked for, or as much of it as one request carries. 0, -ENODATA: nothing is missing, an error code or -errno. */
int file_run_ask_part(struct file_run *run, struct interval part);

/* segments.c: several requests for one file */
/* @request was answered, and its bytes will come. False: they are not to be taken. */
bool file_run_part_answered(struct file_run *run, struct file_request *request, uint64_t remote_size);
/* A request has ended (and is gone), others have not: does its end mean theirs? Starts what is to follow it. */
void file_run_part_ended(struct file_run *run, const struct file_request *request, const struct engine_result *result);
void manager_segments_turn(struct manager *m);
/* Its transfer is over: what it learned of the server is kept for the next file, or what was known is forgotten. */
void file_run_keep_lesson(const struct file_run *run);

/* sources.c: whom to ask, where there is a choice */
struct file_sources *file_sources_free(struct file_sources *sources);
const char *file_run_source(struct file_run *run, bool *ret_own); /* URL to ask; own: the file's, which gets the job's headers */
const char *file_run_current_url(const struct file_run *run);     /* that is asked now */
enum source_kind file_run_source_kind(const struct file_run *run);
bool file_run_has_other_source(const struct file_run *run);
uint64_t file_run_floor_rate(const struct file_run *run);           /* as engine_request.floor_rate */
void file_run_source_replaced(struct file_run *run, const char *why); /* the same source, a new connection */
bool file_run_is_guarded(const struct file_run *run);             /* a digest or piece hashes decide in the end */
void file_run_source_gave(struct file_run *run);                  /* bytes */
void file_run_source_delivered(struct file_run *run);             /* all that was asked */
/* run->result is a failure: true if another source is to be asked; else run->result is what the run ends with. */
bool file_run_next_source(struct file_run *run);
/* A digest proved the content wrong. True: sources other than the file's own gave bytes, and will not be asked again. */
bool file_run_blame_sources(struct file_run *run);
void job_run_forget_sources(struct job_run *job);

/* A mirror that the file's own server named. Preferred: it uses the same entity tags. */
bool file_run_source_is_offered(const struct file_run *run, bool *ret_preferred);
void file_run_offer_sources(struct file_run *run);                /* file->offers changed */

/* digest.c: that of the temp file; NULL: none is expected */
const uint8_t *file_run_digest(const struct file_run *run);
void file_run_digest_ahead(struct file_run *run);                 /* more was received */

/* offers.c: what a file's own server offers beside its bytes */
bool file_takes_offers(const struct job_file *file);
bool file_may_use_offer(const struct job_file *file, const char *url);
void file_run_take_offers(struct file_run *run, const struct engine_offers *offers);
void file_run_drop_old_digest(struct file_run *run);

/* stream.c: files whose bytes a program takes as they come; all of these are harmless for others */
struct file_stream *file_stream_free(struct file_stream *stream);
bool file_has_stream(const struct job_file *file);
void file_run_use_window(struct file_run *run);                   /* instead of a temp file */
void file_run_close(struct file_run *run);                        /* gives its handle back */
void file_run_widen_window(struct file_run *run);                 /* pieces must fit */
uint64_t file_run_hold_at(const struct file_run *run);            /* as engine_pace.hold_at */
bool file_run_keeps_received(struct file_run *run);               /* the run ends: what is there stays, and true */
bool file_stream_was_read(const struct job_file *file);           /* bytes were shown that cannot be taken back */
void file_stream_news(struct job_file *file);                     /* there may be more to read, or none is held back any more */
/* All bytes are there: ends the run when they were taken. */
void file_run_drain(struct file_run *run);
void job_drop_streams(struct job *job);

/* checkpoint.c */
/* 1: one is under way, 0: there is nothing to record, -errno. */
int file_run_checkpoint(struct file_run *run);
void file_run_note_unsynced(struct file_run *run);           /* after any change that makes a checkpoint due sooner */
void manager_checkpoints(struct manager *m);                 /* starts those that are due */
uint64_t manager_next_checkpoint(const struct manager *m);   /* CLOCK_BOOTTIME */

/* adopt.c */
/* Fills run->chunks with what @snapshot completes and is to be hashed. Return: how many. */
size_t file_run_fresh_chunks(struct file_run *run);
void file_run_save_chunks(struct file_run *run);             /* after the file was saved with its ranges */
/* The temp file is not the one that we know: are there hashes that could decide? Then it is to be opened once more, to be adopted. */
bool file_run_may_adopt(struct file_run *run);
void file_run_adopt(struct file_run *run, const struct files_open_result *opened);
void file_run_adoption_done(struct file_run *run);

/* bandwidth.c: what the policies about bandwidth allow each class of jobs at this time of the day */
/* Bytes per second, or SHARE_UNLIMITED. 0: nothing may be downloaded. */
uint64_t manager_class_rate(const struct manager *m, bool foreground);
bool manager_percentage_holds(const struct manager *m, bool foreground);
/* Its class may download nothing now; @text says why. */
bool manager_hours_forbid(const struct manager *m, const struct job *job, char text[static BLOCKER_TEXT_MAX]);
/* It waits for that to end: in how many µs; USEC_INFINITY: never, if nobody changes something. */
uint64_t manager_hours_wait(struct manager *m, const struct job *job);
void manager_hours_concern(struct manager *m);                /* if somebody downloads: they count */
void manager_hours_turn(struct manager *m);                   /* has all jobs judged when that is due */

/* pace.c */
struct engine_pace manager_first_pace(struct manager *m, const struct job *job);
void manager_pace_changed(struct manager *m);                /* a limit, a priority */
void manager_pace_fetched(struct manager *m, const struct job *job, uint64_t bytes);
void manager_pace_turn(struct manager *m);

/* conditions.c */
/* It is to be started: false if it must not run now, and it says so from now on. */
bool manager_job_may_run(struct manager *m, struct job *job);
/* False: a request of it is out that must not be sent twice. It ends before anything that would make the job wait. */
bool manager_may_stop_job(const struct job *job);
void manager_judge_presence(struct manager *m, struct job *job); /* of its owner: may it have turns? */
void manager_judge_job(struct manager *m, struct job *job);  /* it, or its policy, changed: it stops or goes on if it must */
void manager_judge_jobs(struct manager *m);
void manager_forget_conditions(struct manager *m);

/* pump.c */
void manager_pump_job(struct manager *m, struct job *job);   /* starts files while it may */
void manager_leave_starved(struct job_run *run);
void manager_feed_starved(struct manager *m);                /* places became free: jobs get them in the order in which they wait */
void manager_stop_runs(struct manager *m, struct job *job);
void manager_run_schedule(struct manager *m);
void manager_job_all_transferred(struct manager *m, struct job *job);
void manager_fail_job(struct manager *m, struct job *job, enum error_code code, enum error_context context, uint32_t detail,
                      uint32_t file_index, bool transient, uint64_t retry_after_usec, const char *text);

/* publish.c */
/* The Complete that the job carries in itself is due. Not with files that were added since it was TRANSFERRED: they would be dropped. Nor
 * after it failed: Resume tries again. */
bool manager_completes_by_itself(const struct job *job);
void manager_start_op(struct manager *m, struct job *job, enum job_intent intent, bool expired, struct reply reply);
void manager_resume_op(struct manager *m, struct job *job);  /* found in the store */
void manager_op_continue(struct manager *m, struct job *job);
void manager_orphan_op(struct job_run *run);
struct job_op *manager_op_new(struct manager *m, struct job *job, enum job_intent intent);
struct job_op *manager_op_free(struct job_op *op);
void manager_op_begin(struct job_op *op);                     /* winds the job down; manager_op_continue() comes when it is still */
/* False: the job's memory is gone (store failure); the op is freed. */
bool manager_op_returned(struct job_op *op);
void manager_op_dismiss(struct job_op *op);                   /* the job goes on; @op is the caller's to free */

/* take.c */
void manager_take_continue(struct job_op *op);

/* notify.c */
void manager_notify(struct manager *m, struct job *job);     /* hands over what is due and may go now */
void manager_notify_modified(struct manager *m, struct job *job);
void manager_notify_turn(struct manager *m);
void manager_forget_notifier(struct job_run *run);
bool manager_notice_is_wanted(const struct job *job, uint32_t event);
void manager_notify_wake(struct manager *m, uint64_t at);    /* manager_notify_turn() looks at all jobs then */
bool manager_notify_may_go(struct manager *m, const struct notify_retry *retry); /* else it has the turn called in time */
void manager_notify_refused(struct manager *m, struct notify_retry *retry, uint64_t least_usec);

/* judge.c */
/* The server has shown what nobody accepted yet. True: the judge is being asked, and the files go on after its answer. */
bool manager_ask_judge(struct manager *m, struct job_file *file, const struct engine_certificate *certificate);
bool manager_awaits_judge(const struct job *job);
/* How many files may be under way beside @file: until a first certificate is accepted, one, or all would show the same. */
size_t manager_files_beside(const struct job_file *file);
void manager_request_judged(const struct job *job, struct engine_request *request);
void manager_judging_changed(struct manager *m, struct job *job); /* job->judge_certificate did */

/* notify_command.c */
bool manager_allows_commands(const struct manager *m);
void manager_notify_command(struct manager *m, struct job *job); /* starts it if it is due and may go now */
void manager_forget_command_tries(struct job *job);              /* it has all of them again */
extern const struct runner_events manager_runner_events;

/* integrity.c: what guards content beyond a digest */
/* The temp file is open: goes on to the transfer, by way of the piece hash file if there is one. */
void file_run_guard(struct file_run *run);
/* Events of the request for the piece hash file. */
void file_run_hashes_progress(struct file_run *run);
void file_run_hashes_finished(struct file_run *run, uint64_t size);
/* The remote file's size is known. 0, or an error code: the hashes are for another file, and they are mandatory. */
int file_run_judge_size(struct file_run *run);
/* Begins to judge the pieces that are complete. 1: some are being judged, 0: there are none, -errno. */
int file_run_judge(struct file_run *run);
/* What may become durable of what was received. */
int file_run_countable(const struct file_run *run, struct intervals *ret);
/* Another source goes on, in the middle of pieces maybe. */
void file_run_inherit_pieces(struct file_run *run);
/* The last look found bad pieces. */
void file_run_drop_bad(struct file_run *run, const bool *bad);
void file_run_guard_done(struct file_run *run);
/* Are the two texts what src/content understands? NULL and "": there is none. @is_whole: the file has no ranges of its own and comes not on
 * demand. 0, an error code with a sentence, or -ENOMEM. */
int manager_check_guards(const char *integrity_info, const char *decryption_info, bool is_whole, const char **reterr_why);

/* decrypt.c: what was fetched is encrypted, complete, verified and synced; ends in file_run_end() */
void file_run_decrypt(struct file_run *run);
/* A TRANSFERRED file whose encrypted temp file outlived a crash. 0 or -errno. */
int file_run_start_discard(struct manager *m, struct job_file *file);

/* commands.c */
bool manager_command_allowed(struct manager *m, struct job *job, enum job_command command, struct reply reply);
void manager_file_changed(struct manager *m, struct job_file *file);

/* clients.c */
void manager_bind_job(struct manager *m, struct job *job, const void *client); /* NULL: to nobody */
/* Volatile, and nobody's: it was another run's, or its client went. */
bool manager_job_is_abandoned(const struct job *job);
/* Whose volatile jobs they are, who is called back and who judges: kept while all jobs are dropped, and given back to those that are loaded
 * again. NULL: there are none. */
struct programs *manager_keep_programs(struct manager *m);
void manager_return_programs(struct manager *m, struct programs *programs); /* CONSUMED */

/* create.c */
void manager_forget_client_in_checks(struct manager *m, const void *client);
void manager_orphan_checks(struct manager *m);
/* May this user have one more job? 0 or an error code. */
int manager_judge_owner(const struct manager *m, uid_t owner);

/* owners.c */
size_t manager_count_jobs_of(const struct manager *m, uid_t owner); /* live ones */
int manager_owner_got_job(struct manager *m, uid_t owner);
void manager_owner_lost_job(struct manager *m, uid_t owner);
void manager_forget_owners(struct manager *m);
