/* Which of a file's sources is asked next: cache servers of the network, the file's own URL, mirrors. Pure decisions over values and a
 * clock that is handed in; knows nothing of URLs, connections or what a job is.
 *
 * 1. Fill an array of struct source in the order of preference within each kind; zero is a source that nothing is known of.
 * 2. sources_choose() says which one to use now.
 * 3. When it failed, sources_failed() says so; then choose again. When it delivered, sources_delivered().
 *
 * Rules (of Delivery Optimization: the policies DOCacheHost and DODelayCacheServerFallback…):
 * - One source at a time. A cache server is preferred, then the file's own URL, then mirrors.
 * - Without a fallback delay the first trouble with a cache server leads to the file's own URL at once; with one, the cache servers
 *   are tried in turn until the delay is over, counted from when the file was first tried.
 * - A source that brings next to nothing goes behind all that did not, whatever their kind; it does not rest, and when all are slow,
 *   nobody is.
 * - Trouble (unreachable, stalled, busy) rests a source for a while that grows; a refusal (no such file, forbidden, only the whole
 *   file where a part is missing) rests it for good, as far as this array goes.
 * - So does a lie (bytes that a digest or the hash of a piece proves wrong, another size, another digest), and that for the whole job,
 *   however often the service starts anew: a source that lies is not used again. The file's own URL is the exception, and whoever holds
 *   the array makes it: it is asked once more before the job ends with an error, since its owner's Resume would mean nothing else. */
#pragma once

#include "base/clock.h"
#include "base/macros.h"

#define SOURCE_REST_FIRST_USEC (10 * USEC_PER_SEC)
#define SOURCE_REST_MAX_USEC (30 * USEC_PER_MINUTE)

enum source_kind {
        SOURCE_CACHE,
        SOURCE_OWN, /* the file's own URL: asked after the cache servers, before mirrors */
        SOURCE_MIRROR,
        _SOURCE_KIND_MAX,
};

enum source_fault {
        SOURCE_FAULT_NONE,
        SOURCE_FAULT_TROUBLE, /* may pass by itself */
        SOURCE_FAULT_SLOW,    /* brings next to nothing */
        SOURCE_FAULT_REFUSED, /* answered for good that it has no such file, or no parts of it */
        SOURCE_FAULT_LIED,    /* sent what is not the file */
        _SOURCE_FAULT_MAX,
};

struct source {
        enum source_kind kind;
        enum source_fault fault; /* the last one */
        unsigned n_troubles;     /* in a row */
        bool slow;
        uint64_t rests_until;    /* CLOCK_BOOTTIME, USEC_INFINITY: for good */
};

struct sources_policy {
        uint64_t cache_fallback_usec; /* 0: the file's own URL at the first trouble */
};

#define SOURCE_NONE SIZE_MAX

/* The index of the source to ask at @now, or SOURCE_NONE: all rest. Then *ret_until is when the first one may be asked again
 * (USEC_INFINITY: none ever). @began: when the file was first tried. All times CLOCK_BOOTTIME. */
size_t sources_choose(const struct source *sources, size_t n_sources, const struct sources_policy *policy, uint64_t began,
                      uint64_t now, uint64_t *ret_until);
void sources_failed(struct source *source, enum source_fault fault, uint64_t now);
void sources_delivered(struct source *source);
/* Is there another one than @index that could be asked at @now? */
bool sources_has_other(const struct source *sources, size_t n_sources, size_t index, uint64_t now);
/* Is there one among these that was not slow? Then @index need not be put up with when it is. */
bool sources_has_faster(const struct source *sources, size_t n_sources, size_t index, uint64_t now);
const char *source_kind_name(enum source_kind kind);   /* "cache" "origin" "mirror" */
const char *source_fault_name(enum source_fault fault); /* "" "trouble" "slow" "refused" "lied" */
