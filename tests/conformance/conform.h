/* What the conformance programs share: a dosvcd of the program's own in a private folder, an origin that lies on
 * request, and the words for asking and waiting. Like every client, these programs see the installed headers and
 * libdosvc only.
 *
 * Usage of each program: PROGRAM DOSVCD PYTHON LYING_SERVER (the paths of what it starts). */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#define COBJMACROS
#include <bits.h>
#include <deliveryoptimization.h>
#include <dosvc.h>

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))

/* A family as api.md 1.1 and 1.9 have it. */
struct family {
        const char *name;
        const CLSID *clsid;
        bool is_do;
        HRESULT not_found;
        HRESULT invalid_state;
        HRESULT empty;
        HRESULT unavailable; /* GetError without an error */
        HRESULT file_not_available;
        HRESULT invalid_range;
        HRESULT overlapping;
        HRESULT string_too_long;
};
extern const struct family families[2]; /* DO, BITS */
#define FOR_EACH_FAMILY(f) for (const struct family *f = families; f < families + ELEMENTSOF(families); f++)

/* ---- the program's world ---- */

/* For main(): remembers the paths. */
void world_arguments(int argc, char **argv);
/* For main(), before that: the world has a second origin, with TLS. */
void world_with_tls(void);
/* The same, and it serves only who shows a certificate that the origin's own has signed: world_path("tls.pem") and "tls.key". */
void world_with_client_certificates(void);
/* All of these with a world that is @config, as world_start() has it; in front of the fake without those that cannot be there. Return:
 * what main() returns. */
int world_run(int argc, char **argv, const char *name, const char *config, const struct CMUnitTest *tests, size_t n_tests);
/* Starts origin and service with @config (lines of [Service]; NULL: defaults). 0, or -1 with a message. */
int world_start(const char *config);
int world_stop(void);
/* kill -9 of the service, and the same folder served again. */
void world_kill_service(void);
void world_start_service(void);
/* In the world's own folder, in which the service has "config" for what XDG_CONFIG_HOME means. Lives until the end of the program. */
const char *world_path(const char *name);
/* Its status, as of waitpid(2). It says nothing on stderr. */
int world_run_program(char *const arguments[]);
/* True: the service is fake_dosvcd, whose origins are make-believe and whose state ends with it. */
bool world_is_fake(void);
/* For the table of tests: the fake has no such thing as @what, and the test says in front of it why that is so. */
#define needs_the_real_one(test, what) { #test, test, NULL, NULL, (void *) (what) }
pid_t world_service_pid(void); /* as the running service says */
pid_t world_started_pid(void); /* as fork() said */

/* The strings live until the end of the test program. Both are in the caller's encoding of choice: wide for COM,
 * bytes for files. */
const wchar_t *origin_url(const char *path_and_query);
const char *origin_url_bytes(const char *path_and_query);
/* The same, of the origin with TLS. */
const wchar_t *secure_url(const char *path_and_query);
/* DER, its own authority. The caller frees it; the fake shows something else. */
char *secure_certificate(size_t *ret_n);
/* A name in the folder for downloads that was never given before, with @stem in it. */
const wchar_t *destination(const char *stem);
char *narrow(const wchar_t *s); /* ASCII only; lives until the end of the program */
const wchar_t *widen(const char *s);

/* What the n-th request gets: see lying_server.py. @json: {"size": …, "answers": […]}. The URL is
 * origin_url("/c/ID/name"). */
void origin_case(const char *id, const char *json);
uint64_t origin_bytes_sent(void); /* of bodies, to whomever */
/* The head of the fake's last request to that port has @text in it. */
bool fake_was_asked(unsigned port, const char *text);

/* ---- files ---- */

bool file_exists(const wchar_t *path);
void file_write(const wchar_t *path, const void *data, size_t n);
/* The caller frees it; NULL if there is no such file. */
char *file_read(const wchar_t *path, size_t *ret_n);
/* [offset, offset + n) of what the origin has behind @url, fetched by this program itself. The caller frees it. */
char *origin_fetch(const char *path_and_query, size_t n);
/* Asserts that @path holds the first @n bytes of @path_and_query. */
void assert_file_is(const wchar_t *path, const char *path_and_query, size_t n);
size_t count_parts(void); /* temporary files in the folder for downloads */

/* ---- jobs ---- */

struct job {
        const struct family *family;
        IBackgroundCopyJob *com;
        GUID id;
        char text[DOSVC_ID_SIZE];
};

IBackgroundCopyManager *manager_of(const struct family *family); /* one for the whole program; not to be released */
struct job job_new(const struct family *family);
/* Cancels it if it still can be, and releases it. */
void job_done(struct job *job);
void job_add(struct job *job, const wchar_t *url, const wchar_t *path); /* asserts S_OK */
void job_resume(struct job *job);
BG_JOB_STATE job_state(const struct job *job);
const char *state_name(BG_JOB_STATE state);
/* Until the job is in @state: no polling, the service tells. Asserts that it comes within 20 s. */
void job_wait(const struct job *job, BG_JOB_STATE state);
/* A job with one file of @query (as in origin_url) that is resumed in the foreground and has come to @state. */
struct job job_in_state(const struct family *family, const char *query, BG_JOB_STATE state, const wchar_t **ret_path);
IBackgroundCopyFile *job_first_file(struct job *job);
HRESULT job_add_ranges(struct job *job, const wchar_t *id, const wchar_t *url, const wchar_t *path, DWORD n,
                       BG_FILE_RANGE *ranges, UINT64 size);
const wchar_t *long_text(const wchar_t *start, size_t n_chars); /* @start, then as many 'a' as it takes */

#define assert_hr(actual, expected) assert_hr_at((actual), (expected), #actual, __FILE__, __LINE__)
void assert_hr_at(HRESULT actual, HRESULT expected, const char *what, const char *file, int line);
