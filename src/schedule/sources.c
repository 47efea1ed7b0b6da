#include "schedule/sources.h"

static bool may_ask(const struct source *source, uint64_t now) {
        return source->rests_until <= now;
}

/* The first of @kind, slow or not, that had the least trouble: in turn, while trouble lasts. SOURCE_NONE: all of them rest. */
static size_t best_of(const struct source *sources, size_t n, enum source_kind kind, bool slow, uint64_t now, bool tired_too) {
        size_t best = SOURCE_NONE;

        for (size_t i = 0; i < n; i++) {
                const struct source *s = &sources[i];

                if (s->kind != kind || s->slow != slow || s->rests_until == USEC_INFINITY || (!tired_too && !may_ask(s, now)))
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
        size_t i = SOURCE_NONE;

        *ret_until = 0;
        for (unsigned slow = 0; slow <= 1 && i == SOURCE_NONE; slow++)
                for (enum source_kind kind = 0; kind < _SOURCE_KIND_MAX && i == SOURCE_NONE; kind++)
                        i = best_of(sources, n_sources, kind, slow, now, kind == SOURCE_CACHE && only_cache);
        if (i == SOURCE_NONE)
                *ret_until = first_awake(sources, n_sources);
        return i;
}

void sources_failed(struct source *source, enum source_fault fault, uint64_t now) {
        uint64_t rest = SOURCE_REST_FIRST_USEC << MIN(source->n_troubles, 16u);

        source->fault = fault;
        if (fault == SOURCE_FAULT_SLOW) {
                source->slow = true;
                return;
        }
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
        source->slow = false;
        source->rests_until = 0;
}

bool sources_has_other(const struct source *sources, size_t n_sources, size_t index, uint64_t now) {
        for (size_t i = 0; i < n_sources; i++)
                if (i != index && may_ask(&sources[i], now))
                        return true;
        return false;
}

bool sources_has_faster(const struct source *sources, size_t n_sources, size_t index, uint64_t now) {
        for (size_t i = 0; i < n_sources; i++)
                if (i != index && may_ask(&sources[i], now) && !sources[i].slow)
                        return true;
        return false;
}

const char *source_kind_name(enum source_kind kind) {
        static const char *const names[_SOURCE_KIND_MAX] = { "cache", "origin", "mirror" };

        return names[kind];
}

const char *source_fault_name(enum source_fault fault) {
        static const char *const names[_SOURCE_FAULT_MAX] = { "", "trouble", "slow", "refused", "lied" };

        return names[fault];
}
