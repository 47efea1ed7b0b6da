/* A service that is not one: it speaks the wire of idl/org.dosvc.xml from a list of jobs that a test writes, on a
 * thread of the test. The test tells it to fail, to stay silent, to go away, and looks at what came in. All
 * functions are for the test's threads. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/errors.h"

#define FAKE_HEX 32
#define FAKE_FILES_MAX 4000

struct fake_service;

struct fake_job {
        char hex[FAKE_HEX + 1];
        char family[8];
        char name[256];
        char description[64];
        char state[24];
        char priority[16];
        uint32_t notify_flags;
        uint32_t minimum_retry_delay;
        uint32_t no_progress_timeout;
        uint32_t mask; /* Umask of the last CreateJob or AddFiles */
        bool replace, attach, resume, complete_when_transferred;
        uint64_t bytes_transferred;
        uint64_t n_files;       /* files 0 … n-1 */
        uint64_t n_directories; /* descriptors that came with them */
        uint64_t n_ranges;
        uint8_t sha256[32];
        char file_id[64];
        uint64_t stated_size;
        enum error_code error; /* what the job itself shows */
        bool hidden;           /* gone, but in the history */
        bool notified;         /* SetNotify(true) on the connection that is there */
        bool judged;           /* SetJudge(true), likewise */
        bool judge_certificate;
        char **urls, **paths;
};

/* Listens on a socket of its own; DOSVC_ADDRESS is set to it. */
struct fake_service *fake_service_new(void);
struct fake_service *fake_service_free(struct fake_service *fake);
const char *fake_service_address(const struct fake_service *fake);

/* Stops listening and cuts all connections; starts again with the same jobs. */
void fake_service_stop(struct fake_service *fake);
void fake_service_start(struct fake_service *fake);
/* Cuts the connections, goes on listening. */
void fake_service_cut(struct fake_service *fake);

/* Returns the job's id with dashes (valid until the fake is freed). */
const char *fake_service_add_job(struct fake_service *fake, const char *family, const char *state, uint64_t n_files);
/* A copy of a job as it is. false: there is none. */
bool fake_service_get_job(struct fake_service *fake, const char *hex, struct fake_job *ret);
void fake_service_set_state(struct fake_service *fake, const char *id, const char *state); /* with the signal */
void fake_service_set_progress(struct fake_service *fake, const char *id, uint64_t bytes); /* with the signal */
void fake_service_set_error(struct fake_service *fake, const char *id, enum error_code code);
void fake_service_hide_job(struct fake_service *fake, const char *id); /* only the history has it; no signal */

/* The next call of @member is answered with this error. */
void fake_service_fail_next(struct fake_service *fake, const char *member, const char *error, const char *text);
/* Calls of @member are not answered until fake_service_release(). */
void fake_service_hold(struct fake_service *fake, const char *member);
void fake_service_release(struct fake_service *fake);
/* The next call of @member cuts the connection instead of being answered. */
void fake_service_die_at(struct fake_service *fake, const char *member);
/* The next call of @member gets an answer of the wrong type. */
void fake_service_lie_at(struct fake_service *fake, const char *member);

unsigned fake_service_count(struct fake_service *fake, const char *member);
/* Waits until @member came in at least @n times (10 s, then the test fails). */
void fake_service_wait_for(struct fake_service *fake, const char *member, unsigned n);
unsigned fake_service_connections(struct fake_service *fake); /* ever made */
unsigned fake_service_live_connections(struct fake_service *fake);

/* Calls the client's callback object and waits for its answer (10 s). "" for an empty reply, else the error's
 * name. Never freed. */
const char *fake_service_call_back(struct fake_service *fake, const char *member, const char *id);

/* Asks the client about a certificate and waits for its answer (10 s). false: it was not answered with a verdict. */
bool fake_service_ask(struct fake_service *fake, const char *id, uint32_t file, const char *certificate, const char *all, uint32_t *ret);

/* fork(2) while the fake's thread is at rest: the allocators of sanitizers do not survive it otherwise. */
pid_t fake_service_fork(struct fake_service *fake);
/* Ends a child of fork(2) with 0 or 1, without a word from leak checkers about the stacks of the parent's threads. */
_Noreturn void fake_service_child_ends(bool ok);
