#include "schedule/sources.h"

static bool may_ask(const struct source *source, uint64_t now) {
        return source->rests_until <= now;
}

/* The first of @kind that had the least trouble: in turn, while trouble lasts. SOURCE_NONE: all of them rest. */
static size_t best_of(const struct source *sources, size_t n, enum source_kind kind, uint64_t now, bool tired_too) {
        size_t best = SOURCE_NONE;

        for (size_t i = 0; i < n; i++) {
                const struct source *s = &sources[i];

                if (s->kind != kind || s->rests_until == USEC_INFINITY || (!tired_too && !may_ask(s, now)))
                        continue;
                if (best == SOURCE_NONE || s->n_troubles < sources[best].n_troubles)
                        best = i;
        }
        return best;
}

static uint64_t first_awake(const struct source *sources, size_t n) {
        uint64_t until = USEC_INFINITY;

        for (size_t i = 0; i < n; i++)
                until = MIN(until, sources[i].rests_until);
        return until;
}

size_t sources_choose(const struct source *sources, size_t n_sources, const struct sources_policy *policy, uint64_t began,
                      uint64_t now, uint64_t *ret_until) {
        bool only_cache = now < began + policy->cache_fallback_usec;
        size_t i;

        *ret_until = 0;
        i = best_of(sources, n_sources, SOURCE_CACHE, now, only_cache);
        if (i == SOURCE_NONE)
                i = best_of(sources, n_sources, SOURCE_OWN, now, false);
        if (i == SOURCE_NONE)
                i = best_of(sources, n_sources, SOURCE_MIRROR, now, false);
        if (i == SOURCE_NONE)
                *ret_until = first_awake(sources, n_sources);
        return i;
}

void sources_failed(struct source *source, enum source_fault fault, uint64_t now) {
        uint64_t rest = SOURCE_REST_FIRST_USEC << MIN(source->n_troubles, 16u);

        source->fault = fault;
        if (fault != SOURCE_FAULT_TROUBLE) {
                source->rests_until = USEC_INFINITY;
                return;
        }
        source->rests_until = now + MIN(rest, SOURCE_REST_MAX_USEC);
        source->n_troubles++;
}

void sources_delivered(struct source *source) {
        source->fault = SOURCE_FAULT_NONE;
        source->n_troubles = 0;
        source->rests_until = 0;
}

bool sources_has_other(const struct source *sources, size_t n_sources, size_t index, uint64_t now) {
        for (size_t i = 0; i < n_sources; i++)
                if (i != index && may_ask(&sources[i], now))
                        return true;
        return false;
}

const char *source_kind_name(enum source_kind kind) {
        static const char *const names[_SOURCE_KIND_MAX] = { "cache", "origin", "mirror" };

        return names[kind];
}

const char *source_fault_name(enum source_fault fault) {
        static const char *const names[_SOURCE_FAULT_MAX] = { "", "trouble", "refused", "lied" };

        return names[fault];
}
