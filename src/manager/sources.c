/* Where a file's bytes come from when there is a choice: cache servers that the policy names, the file's own URL, mirrors.
 *
 * Which one is asked next is decided in schedule/sources.h; here are the URLs, what a result says of a source, and what the job remembers
 * of a host. A file without a choice has none of this: file_run_source() then answers with its own URL.
 *
 * Bytes of two sources go together only where a digest decides in the end (reliability.md 5.4). Without one, a source is left only when
 * nothing would be lost by it, or when it failed again and again; the engine then asks for a fresh start.
 * What belongs to the file's own server (headers of the job, credentials) goes to no other source.
 *
 * Hosts that lied are a part of the job and stored with it (job_host_lied()). Only the file's own URL is asked in spite of that, when there is
 * nobody else: or a job whose own server lied once could never be resumed. Hosts whose bytes a file has that no digest has judged yet are
 * stored with it, too (job_file_remember_giver()): it may be another service that finds out. What else is known of hosts ends with the service. */
#include "base/log.h"
#include "base/strings.h"
#include "manager/private.h"
#include "schedule/sources.h"

#define PATIENCE 3            /* troubles in a row before bytes that no digest guards are given up for another source */
#define HOSTS_REMEMBERED 1024 /* of one job, beside those that lied */

struct candidate {
        char *url;
        char *host; /* authority of the URL: what the job remembers is by host */
        bool offered;   /* by the file's own server */
        bool preferred; /* and it has the same entity tags */
};

struct file_sources {
        uint64_t began;
        size_t current;
        size_t n;
        struct source *states; /* n of each */
        struct candidate *candidates;
        bool own_failed;
        struct engine_result own_result; /* what to say when nobody else could help */
        char own_text[256];
};

/* What a job knows of a host, for all its files, beside that it lied. */
struct source_host {
        struct source state;
        UT_hash_handle hh;
        char name[];
};

/* ---- URLs ---- */

static const char *after_scheme(const char *url) {
        const char *colon = strstr(url, "://");

        return colon ? colon + strlen("://") : url;
}

static char *host_of(const char *url) {
        const char *authority = after_scheme(url);
        size_t n = strcspn(authority, "/?#");
        const char *at = memrchr(authority, '@', n);

        if (at) {
                n -= (size_t) (at + 1 - authority);
                authority = at + 1;
        }
        return strndup(authority, n);
}

/* The same path at the cache server, with the host that it stands for as a query (Connected Cache: cacheHostOrigin). 0: not for this URL.
 * Never for https, which promises that nobody stands between, nor for a URL with a password. */
static int cache_url(const char *url, const char *cache, size_t n_cache, char **ret) {
        const char *authority = after_scheme(url), *path, *fragment;
        size_t n_authority = strcspn(authority, "/?#");
        size_t n_path;

        if (strncasecmp(url, "http://", strlen("http://")) != 0 || memchr(authority, '@', n_authority))
                return 0;
        path = authority + n_authority;
        fragment = strchr(path, '#');
        n_path = fragment ? (size_t) (fragment - path) : strlen(path);
        if (asprintf(ret, "http://%.*s%s%.*s%ccacheHostOrigin=%.*s", (int) n_cache, cache, *path == '/' ? "" : "/", (int) n_path, path,
                     memchr(path, '?', n_path) ? '&' : '?', (int) n_authority, authority) < 0)
                return -ENOMEM;
        return 1;
}

/* ---- what the job remembers ---- */

static struct source_host *find_host(struct job_run *job, const char *name) {
        struct source_host *host;

        HASH_FIND_STR(job->source_hosts, name, host);
        return host;
}

static struct source known_of(struct job_run *job, const char *name) {
        const struct source_host *host = find_host(job, name);
        struct source state = host ? host->state : (struct source) {};

        if (job_host_lied(job->job, name))
                sources_failed(&state, SOURCE_FAULT_LIED, 0);
        return state;
}

static void remember_host(struct job_run *job, const char *name, const struct source *state) {
        struct source_host *host = find_host(job, name);

        if (!host) {
                if (HASH_COUNT(job->source_hosts) >= HOSTS_REMEMBERED)
                        return;
                host = calloc(1, sizeof(*host) + strlen(name) + 1);
                if (!host)
                        return;
                strcpy(host->name, name);
                HASH_ADD_STR(job->source_hosts, name, host);
        }
        host->state = *state;
}

/* One that there is no room for is asked again by the next service. */
static void remember_liar(struct file_run *run, const char *name, const struct source *state) {
        struct job *job = run->file->job;
        char id[GUID_STRING_MAX];
        int r = job_remember_liar(job, name);

        if (r == 0) {
                manager_save_job(run->manager, job);
                return;
        }
        remember_host(job_run(job), name, state);
        guid_to_string(&job->id, id);
        log_notice("job %s cannot keep in mind that %s lied: %s", id, name, r < 0 ? strerror(-r) : error_code_text(r));
}

void job_run_forget_sources(struct job_run *job) {
        struct source_host *host, *tmp;

        HASH_ITER(hh, job->source_hosts, host, tmp) {
                HASH_DEL(job->source_hosts, host);
                free(host);
        }
}

/* ---- the table of one file ---- */

struct file_sources *file_sources_free(struct file_sources *sources) {
        if (!sources)
                return NULL;
        for (size_t i = 0; i < sources->n; i++) {
                free(sources->candidates[i].url);
                free(sources->candidates[i].host);
        }
        free(sources->candidates);
        free(sources->states);
        free(sources);
        return NULL;
}
DEFINE_CLEANUP_FUNC(struct file_sources, file_sources_free)

/* @url is CONSUMED. */
static int add_candidate(struct file_sources *sources, struct job_run *job, enum source_kind kind, char *url) {
        _cleanup_free_ char *owned = url, *host = url ? host_of(url) : NULL;
        struct candidate *candidates;
        struct source *states;

        if (!host)
                return -ENOMEM;
        candidates = reallocarray(sources->candidates, sources->n + 1, sizeof(*candidates));
        if (candidates)
                sources->candidates = candidates;
        states = reallocarray(sources->states, sources->n + 1, sizeof(*states));
        if (states)
                sources->states = states;
        if (!candidates || !states)
                return -ENOMEM;
        states[sources->n] = known_of(job, host);
        states[sources->n].kind = kind;
        candidates[sources->n++] = (struct candidate) { .url = TAKE_PTR(owned), .host = TAKE_PTR(host) };
        return 0;
}

static int add_caches(struct file_sources *sources, struct job_run *job, const struct job_file *file, const char *hosts) {
        int r = 0;

        for (const char *p = hosts ? hosts : ""; *p && r >= 0;) {
                size_t n = strcspn(p, ", ");
                char *url;

                r = n > 0 ? cache_url(file->url, p, n, &url) : 0;
                if (r > 0)
                        r = add_candidate(sources, job, SOURCE_CACHE, url);
                p += n;
                p += strspn(p, ", ");
        }
        return MIN(r, 0);
}

static int add_mirrors(struct file_sources *sources, struct job_run *job, const struct job_file *file) {
        int r = 0;

        for (const char *p = file->mirrors ? file->mirrors : ""; *p && r >= 0;) {
                size_t n = strcspn(p, "\n");

                r = add_candidate(sources, job, SOURCE_MIRROR, strndup(p, n));
                p += n;
                p += *p == '\n';
        }
        return r;
}

static bool is_known(const struct file_sources *sources, const char *url) {
        _cleanup_free_ char *host = host_of(url);
        size_t n_mirrors = 0;

        for (size_t i = 0; host && i < sources->n; i++) {
                const struct candidate *candidate = &sources->candidates[i];

                /* Who is in trouble at one path is so at another. */
                if (streq(candidate->url, url) || (sources->states[i].kind == SOURCE_OWN && streq(candidate->host, host)))
                        return true;
                n_mirrors += sources->states[i].kind == SOURCE_MIRROR;
        }
        return !host || n_mirrors >= LIMIT_MIRRORS;
}

/* Those that may be asked, behind the ones that are there. */
static int add_offered(struct file_sources *sources, struct job_run *job, const struct job_file *file) {
        const char *p = file->offers.mirrors ? file->offers.mirrors : "";
        int r = 0;

        for (uint32_t i = 0; *p && r >= 0; i++) {
                size_t n = strcspn(p, "\n");
                _cleanup_free_ char *url = strndup(p, n);

                if (!url)
                        return -ENOMEM;
                p += n;
                p += *p == '\n';
                if (!file_may_use_offer(file, url) || is_known(sources, url))
                        continue;
                r = add_candidate(sources, job, SOURCE_MIRROR, TAKE_PTR(url));
                if (r < 0)
                        break;
                sources->candidates[sources->n - 1].offered = true;
                sources->candidates[sources->n - 1].preferred = i < file->offers.n_preferred;
        }
        return r;
}

bool file_run_is_guarded(const struct file_run *run) {
        return run->file->has_sha256 || (run->file->offers.has_sha256 && file_takes_offers(run->file)) || (run->judging && !run->pieces_leave_edges);
}

static struct sources_policy policy_of(const struct file_run *run) {
        const struct manager_limits *limits = &run->manager->limits;

        return (struct sources_policy) {
                .cache_fallback_usec = run->file->job->priority == JOB_PRIORITY_FOREGROUND ? limits->cache_fallback_foreground_usec :
                                                                                             limits->cache_fallback_background_usec,
        };
}

static size_t own_index(const struct file_sources *sources) {
        for (size_t i = 0; i < sources->n; i++)
                if (sources->states[i].kind == SOURCE_OWN)
                        return i;
        return 0;
}

static const char *state_name(const struct file_sources *sources, size_t i, uint64_t now) {
        const struct source *state = &sources->states[i];

        if (state->rests_until > now)
                return source_fault_name(state->fault);
        if (i == sources->current)
                return "asked";
        return state->slow ? source_fault_name(SOURCE_FAULT_SLOW) : "ready";
}

/* Everybody may see it who may see the job: without user info and query, as in logs. */
static char *shown_url(const char *url) {
        char *shown = job_url_redact(url);

        if (shown)
                shown[strcspn(shown, "?#")] = 0;
        return shown;
}

/* Nothing depends on it: without memory the older text stays. */
static void show_all(struct file_run *run) {
        const struct file_sources *sources = run->sources;
        uint64_t now = manager_boottime(run->manager);
        _cleanup_free_ char *text = strdup("");

        for (size_t i = 0; text && i < sources->n; i++) {
                _cleanup_free_ char *url = shown_url(sources->candidates[i].url), *before = text;

                if (!url || asprintf(&text, "%s%s%s %s %s", before, i > 0 ? "\n" : "", source_kind_name(sources->states[i].kind),
                                     state_name(sources, i, now), url) < 0)
                        text = NULL;
        }
        if (!text)
                return;
        free(run->file->sources);
        run->file->sources = TAKE_PTR(text);
}

static void show_source(struct file_run *run) {
        struct file_sources *sources = run->sources;
        char *shown;

        show_all(run);
        shown = shown_url(sources->candidates[sources->current].url);
        if (!shown)
                return;
        free(run->file->source);
        run->file->source = shown;
        manager_job_changed(run->manager, run->file->job, false);
}

/* NULL: none are to be asked. */
static const char *cache_hosts_now(const struct manager *m) {
        const struct manager_limits *limits = &m->limits;
        const char *of_network = *m->conditions.cache_hosts ? m->conditions.cache_hosts : NULL;

        if (m->conditions.is_vpn && limits->no_cache_on_vpn)
                return NULL;
        if (of_network && (limits->cache_hosts_of_network_first || (limits->cache_hosts_of_network && !limits->cache_hosts_are_set)))
                return of_network;
        return limits->cache_hosts;
}

/* Is there a choice for @file? A file of which ranges are asked has none, and other requests than GET are for whom they were
 * meant. */
static int gather(struct file_run *run) {
        _cleanup_(file_sources_freep) struct file_sources *sources = NULL;
        struct job_file *file = run->file;
        struct job_run *job = job_run(file->job);
        uint64_t now = manager_boottime(run->manager), until;
        struct sources_policy policy = policy_of(run);
        const char *cache_hosts = cache_hosts_now(run->manager);
        int r;

        if (file->n_ranges > 0 || file->job->http_method || file->job->dynamic_content ||
            (!file->mirrors && !file->offers.mirrors && !cache_hosts))
                return 0;
        sources = calloc(1, sizeof(*sources));
        if (!sources)
                return -ENOMEM;
        sources->began = now;
        r = add_caches(sources, job, file, cache_hosts);
        if (r >= 0)
                r = add_candidate(sources, job, SOURCE_OWN, strdup(file->url));
        if (r >= 0)
                r = add_mirrors(sources, job, file);
        if (r >= 0)
                r = add_offered(sources, job, file);
        if (r < 0 || sources->n == 1)
                return r;
        sources->current = sources_choose(sources->states, sources->n, &policy, now, now, &until);
        if (sources->current == SOURCE_NONE)
                sources->current = own_index(sources); /* the job's turn has come: its own URL may always be asked */
        run->sources = TAKE_PTR(sources);
        show_source(run);
        return 0;
}

const char *file_run_source(struct file_run *run, bool *ret_own) {
        *ret_own = true;
        if (!run->sources && gather(run) < 0)
                log_debug("no memory for other sources of a file");
        if (!run->sources)
                return run->file->url;
        *ret_own = run->sources->states[run->sources->current].kind == SOURCE_OWN;
        return run->sources->candidates[run->sources->current].url;
}

bool file_run_source_is_offered(const struct file_run *run, bool *ret_preferred) {
        const struct candidate *candidate = run->sources ? &run->sources->candidates[run->sources->current] : NULL;

        *ret_preferred = candidate && candidate->preferred;
        return candidate && candidate->offered;
}

/* The one that is asked now stays so. */
void file_run_offer_sources(struct file_run *run) {
        int r = 0;

        if (run->sources)
                r = add_offered(run->sources, job_run(run->file->job), run->file);
        else {
                r = gather(run);
                if (run->sources)
                        run->sources->current = own_index(run->sources);
        }
        if (r < 0)
                log_debug("no memory for other sources of a file");
        if (run->sources)
                show_source(run);
}

const char *file_run_current_url(const struct file_run *run) {
        return run->sources ? run->sources->candidates[run->sources->current].url : run->file->url;
}

bool file_run_has_other_source(const struct file_run *run) {
        const struct file_sources *sources = run->sources;

        return sources && sources_has_other(sources->states, sources->n, sources->current, manager_boottime(run->manager));
}

/* Without a digest, to leave it would mean to begin anew: then a connection that has become slow is only replaced. */
uint64_t file_run_floor_rate(const struct file_run *run) {
        const struct file_sources *sources = run->sources;
        bool leave = sources && file_run_is_guarded(run) &&
                     sources_has_faster(sources->states, sources->n, sources->current, manager_boottime(run->manager));

        if (!leave)
                return 0;
        if (sources->states[sources->current].kind == SOURCE_CACHE && run->file->job->priority != JOB_PRIORITY_FOREGROUND)
                return MAX((uint64_t) SOURCE_FLOOR_RATE, run->manager->limits.min_background_rate);
        return SOURCE_FLOOR_RATE;
}

enum source_kind file_run_source_kind(const struct file_run *run) {
        return run->sources ? run->sources->states[run->sources->current].kind : SOURCE_OWN;
}

/* On disk it stands in the same row that says that these bytes are there. Without memory it is told again with the next bytes. */
void file_run_source_gave(struct file_run *run) {
        const struct file_sources *sources = run->sources;

        if (sources && sources->states[sources->current].kind != SOURCE_OWN)
                (void) job_file_remember_giver(run->file, sources->candidates[sources->current].host);
}

void file_run_source_delivered(struct file_run *run) {
        struct file_sources *sources = run->sources;

        if (!sources)
                return;
        sources_delivered(&sources->states[sources->current]);
        remember_host(job_run(run->file->job), sources->candidates[sources->current].host, &sources->states[sources->current]);
}

/* ---- when one fails ---- */

static enum source_fault fault_of(const struct engine_result *result, bool own) {
        /* The file has changed, or is another one than elsewhere; or its parts cannot be had here, which is no fault of the file. */
        if (result->outcome == ENGINE_RESTART)
                return own ? SOURCE_FAULT_NONE : result->code == ERROR_NO_RANGE_SUPPORT ? SOURCE_FAULT_REFUSED : SOURCE_FAULT_LIED;
        if (result->outcome != ENGINE_FAILED || result->context == ERROR_CONTEXT_LOCAL_FILE ||
            result->context == ERROR_CONTEXT_GENERAL_QUEUE_MANAGER)
                return SOURCE_FAULT_NONE;
        if (result->transient)
                return result->slow ? SOURCE_FAULT_SLOW : SOURCE_FAULT_TROUBLE;
        return result->code == ERROR_SIZE_MISMATCH || result->code == ERROR_BAD_PIECE_HASH || result->code == ERROR_DIGEST_MISMATCH ? SOURCE_FAULT_LIED : SOURCE_FAULT_REFUSED;
}

static void note_trouble(struct file_run *run, const char *host, const char *why, const char *what_of_it) {
        char *text;

        if (asprintf(&text, "%s: %s (%s)", host, why, what_of_it) < 0)
                return;
        free(run->file->source_trouble);
        run->file->source_trouble = text;
        manager_job_changed(run->manager, run->file->job, false);
}

void file_run_source_replaced(struct file_run *run, const char *why) {
        _cleanup_free_ char *host = host_of(run->sources ? run->sources->candidates[run->sources->current].url : run->file->url);

        if (host)
                note_trouble(run, host, why, "a new connection goes on");
}

static void fail_current(struct file_run *run, enum source_fault fault) {
        struct file_sources *sources = run->sources;
        struct candidate *candidate = &sources->candidates[sources->current];
        struct source *state = &sources->states[sources->current];

        sources_failed(state, fault, manager_boottime(run->manager));
        if (fault == SOURCE_FAULT_LIED)
                remember_liar(run, candidate->host, state);
        else if (fault != SOURCE_FAULT_REFUSED || (run->result.code == ERROR_NO_RANGE_SUPPORT && !file_run_is_guarded(run)))
                /* Another file of a host that refused may well be there; but to ask one for parts that has none, where nothing proves that the
                 * bytes of two are of one file, begins the file anew each time. */
                remember_host(job_run(run->file->job), candidate->host, state);
        note_trouble(run, candidate->host, run->result.text, source_fault_name(fault));
        if (state->kind != SOURCE_OWN)
                return;
        sources->own_failed = true;
        sources->own_result = run->result;
        snprintf(sources->own_text, sizeof(sources->own_text), "%s", run->result.text);
}

/* Without a digest, another source means to begin anew. */
static bool is_worth_leaving(const struct file_run *run) {
        const struct file_sources *sources = run->sources;
        const struct source *state = &sources->states[sources->current];

        return file_run_is_guarded(run) || run->file->received.n_items == 0 || state->fault != SOURCE_FAULT_TROUBLE ||
               state->n_troubles >= PATIENCE;
}

/* Which one now? What another file of the job has learned of a host meanwhile counts, too. */
static size_t choose_next(struct file_run *run) {
        struct file_sources *sources = run->sources;
        struct sources_policy policy = policy_of(run);
        uint64_t now = manager_boottime(run->manager), until;
        size_t next;

        for (size_t i = 0; i < sources->n; i++)
                if (job_host_lied(run->file->job, sources->candidates[i].host))
                        sources_failed(&sources->states[i], SOURCE_FAULT_LIED, now);
        next = sources_choose(sources->states, sources->n, &policy, sources->began, now, &until);
        if (next == SOURCE_NONE && !run->result.transient && !sources->own_failed)
                next = own_index(sources); /* as at the beginning: the job is not to end with what others said */
        return next;
}

bool file_run_next_source(struct file_run *run) {
        struct file_sources *sources = run->sources;
        enum source_fault fault;
        size_t next;

        if (!sources || run->stop)
                return false;
        fault = fault_of(&run->result, sources->states[sources->current].kind == SOURCE_OWN);
        if (fault == SOURCE_FAULT_NONE)
                return false;
        fail_current(run, fault);
        next = choose_next(run);
        if (next != SOURCE_NONE && is_worth_leaving(run)) {
                if (!file_run_is_guarded(run) && run->file->received.n_items > 0) {
                        /* Nothing proves that these bytes are the other one's too. */
                        run->result.outcome = ENGINE_RESTART;
                        return false;
                }
                if (next != sources->current)
                        file_run_inherit_pieces(run);
                sources->current = next;
                show_source(run);
                return true;
        }
        /* Nobody could help: what the file's own server said is what the job ends or waits with. */
        if (sources->own_failed) {
                run->result = sources->own_result;
                file_run_set_text(run, sources->own_text);
        }
        return false;
}

/* One of the sources of this run, or of one before: then it may be none of them any more. */
static void blame(struct file_run *run, const char *host) {
        struct file_sources *sources = run->sources;
        struct source liar = {};
        uint64_t now = manager_boottime(run->manager);

        sources_failed(&liar, SOURCE_FAULT_LIED, now);
        for (size_t i = 0; sources && i < sources->n; i++)
                if (sources->states[i].kind != SOURCE_OWN && streq(sources->candidates[i].host, host))
                        sources_failed(&sources->states[i], SOURCE_FAULT_LIED, now);
        remember_liar(run, host, &liar);
        note_trouble(run, host, run->result.text, source_fault_name(SOURCE_FAULT_LIED));
}

bool file_run_blame_sources(struct file_run *run) {
        const char *hosts = run->file->giving_hosts;

        for (const char *line = hosts; line; line = strchr(line, '\n')) {
                _cleanup_free_ char *host = NULL;

                line += *line == '\n';
                host = strndup(line, strcspn(line, "\n"));
                if (host)
                        blame(run, host);
        }
        if (hosts && run->sources)
                show_all(run);
        return hosts;
}
