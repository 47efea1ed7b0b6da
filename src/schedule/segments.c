#include "schedule/segments.h"

#define GROWTH 4u
#define FAIR_SHARE 0.5                      /* of what as many brought before */
#define HELD_PART 0.8                       /* of what a limit allows: so much that the rest is noise */
#define TELLING_RATE (UINT64_C(128) * 1024) /* of less, too few reads fall into a window to tell why they are few */

/* ---- how many ---- */

static void open_window(struct segments *segments, uint64_t now, uint64_t bytes) {
        segments->since = now;
        segments->bytes_at_start = bytes;
        segments->middle = 0;
        segments->joining = false;
}

void segments_begin(struct segments *segments, uint64_t now, uint64_t bytes) {
        *segments = (struct segments) { .wanted = 1 };
        open_window(segments, now, bytes);
}

static void settle_for_now(struct segments *segments, uint64_t now) {
        segments->settled = true;
        segments->patience_usec = segments->patience_usec ? u64_add_saturated(segments->patience_usec, segments->patience_usec) : SEGMENTS_PATIENCE_USEC;
        segments->again_at = u64_add_saturated(now, segments->patience_usec);
}

void segments_recall(struct segments *segments, const struct segments_policy *policy, const struct segments_lesson *lesson, uint64_t remaining,
                     uint64_t allowed_rate) {
        double each = MAX((double) lesson->rate / lesson->n, 1.0);
        double enough = each * (double) policy->worth_usec / (double) USEC_PER_SEC;
        double n = MIN((double) remaining / MAX(enough, 1.0), (double) lesson->n);

        n = MIN(n, (double) allowed_rate / each + 1);
        segments->wanted = MAX((unsigned) n, 1u);
        segments->joining = segments->wanted > 1;
        if (lesson->settled)
                settle_for_now(segments, segments->since);
}

bool segments_learned(const struct segments *segments, struct segments_lesson *ret) {
        bool trying = segments->base > 0 && !segments->settled;

        *ret = (struct segments_lesson) {
                .n = trying ? segments->base : segments->wanted,
                .settled = segments->settled,
                .rate = trying ? segments->base_rate : segments->rate,
        };
        return ret->rate > 0;
}

void segments_refused(struct segments *segments, unsigned n_left) {
        if (segments->wanted == 0)
                return;
        segments->wanted = MAX(MIN(segments->wanted, n_left), 1u);
        segments->settled = true;
        segments->again_at = 0;
}

static uint64_t rate_of(uint64_t bytes, uint64_t usec) {
        return (uint64_t) ((double) bytes * (double) USEC_PER_SEC / (double) MAX(usec, UINT64_C(1)));
}

/* It has not reached its speed yet: what is measured now would be taken for the merit of the next ones. */
static bool still_grows(const struct segments *segments, const struct segments_facts *facts) {
        uint64_t first = rate_of(segments->bytes_at_middle - segments->bytes_at_start, segments->middle - segments->since);
        uint64_t second = rate_of(facts->bytes - segments->bytes_at_middle, facts->now - segments->middle);

        return second > first + first / 4;
}

/* What was added last has been measured: stays it? Return: all of it does. As many are added at once, the total alone says how
 * many of them paid off: so many stay as would each have brought a fair share of it. */
static bool judge_added(struct segments *segments, uint64_t rate, uint64_t now) {
        unsigned added = segments->wanted - segments->base;
        double expected = (double) segments->base_rate * added / segments->base;
        double gained = expected > 0 ? MAX((double) rate - (double) segments->base_rate, 0.0) / expected : 1;

        if (gained >= FAIR_SHARE)
                return true;
        segments->wanted = segments->base + (unsigned) (gained / FAIR_SHARE * added);
        settle_for_now(segments, now);
        return false;
}

/* More connections would bring nothing. */
static bool is_held_down(uint64_t rate, uint64_t allowed_rate) {
        return allowed_rate <= TELLING_RATE || (double) rate >= HELD_PART * (double) allowed_rate;
}

/* The window is over. */
static void judge_window(struct segments *segments, const struct segments_policy *policy, const struct segments_facts *facts) {
        uint64_t rate = rate_of(facts->bytes - segments->bytes_at_start, facts->now - segments->since);
        /* The second one says most of whether any is worth it, and takes least from others that share the line. */
        unsigned growth = segments->wanted == 1 ? 2 : GROWTH;
        unsigned more = MIN(segments->wanted * (growth - 1), facts->max - segments->wanted);

        segments->rate = rate;
        if (segments->base > 0 && !judge_added(segments, rate, facts->now))
                return;
        segments->base = 0;
        open_window(segments, facts->now, facts->bytes);
        if (more == 0 || is_held_down(rate, facts->allowed_rate) || facts->remaining < 2 * policy->min_bytes ||
            (double) facts->remaining < (double) rate * (double) policy->worth_usec / (double) USEC_PER_SEC)
                return;
        segments->base = segments->wanted;
        segments->base_rate = rate;
        segments->wanted += more;
        segments->joining = true;
}

/* Those that were not answered in all that time will not be waited for. */
static void judge_joining(struct segments *segments, const struct segments_policy *policy, const struct segments_facts *facts) {
        bool late = facts->now - segments->since >= policy->window_usec;

        if (facts->n_open < segments->wanted && !late)
                return;
        if (facts->n_open < segments->wanted)
                segments->wanted = MAX(facts->n_open, 1u);
        if (segments->wanted <= segments->base) {
                segments->settled = true;
                return;
        }
        open_window(segments, facts->now, facts->bytes);
}

unsigned segments_decide(struct segments *segments, const struct segments_policy *policy, const struct segments_facts *facts,
                         uint64_t *ret_next) {
        uint64_t half = policy->window_usec / 2;

        *ret_next = USEC_INFINITY;
        if (segments->wanted == 0)
                return 1;
        if (facts->max < segments->wanted) {
                /* Somebody else needs them. When there is room again, it begins to measure from here. */
                segments->wanted = MAX(facts->max, 1u);
                segments->base = 0;
                segments->settled = false;
                open_window(segments, facts->now, facts->bytes);
        }
        if (policy->window_usec == 0) {
                *ret_next = facts->now + SEGMENTS_WINDOW_USEC;
                segments->wanted = segments->settled ? segments->wanted : MAX(facts->max, 1u);
                return segments->wanted;
        }
        if (segments->settled && segments->again_at > 0 && facts->now >= segments->again_at) {
                segments->settled = false;
                segments->base = 0;
                segments->again_at = 0;
                open_window(segments, facts->now, facts->bytes);
        } else if (!segments->settled && segments->joining)
                judge_joining(segments, policy, facts);
        else if (!segments->settled && segments->middle == 0 && facts->now - segments->since >= half) {
                segments->middle = facts->now;
                segments->bytes_at_middle = facts->bytes;
        } else if (!segments->settled && facts->now - segments->since >= policy->window_usec) {
                if (still_grows(segments, facts)) {
                        segments->since = segments->middle;
                        segments->bytes_at_start = segments->bytes_at_middle;
                        segments->middle = facts->now;
                        segments->bytes_at_middle = facts->bytes;
                } else
                        judge_window(segments, policy, facts);
        }
        *ret_next = facts->now + (segments->settled ? policy->window_usec : MAX(half, UINT64_C(1)));
        if (!segments->settled && segments->middle > 0)
                *ret_next = MAX(segments->since + policy->window_usec, facts->now + 1);
        return segments->wanted;
}

/* ---- where ---- */

/* A part ends where another one begins. */
static uint64_t end_of(const struct interval *parts, size_t n_parts, size_t index) {
        uint64_t end = parts[index].end;

        for (size_t i = 0; i < n_parts; i++)
                if (parts[i].start > parts[index].start)
                        end = MIN(end, parts[i].start);
        return end;
}

/* The first position at or behind @from that no part has. */
static uint64_t skip_parts(const struct interval *parts, size_t n_parts, uint64_t from) {
        for (size_t i = 0; i < n_parts;) {
                if (from < parts[i].start || from >= parts[i].end) {
                        i++;
                        continue;
                }
                from = parts[i].end;
                i = 0;
        }
        return from;
}

bool segments_next_unclaimed(const struct intervals *received, uint64_t size, const struct interval *parts, size_t n_parts,
                             struct interval *ret) {
        struct interval gap;

        for (uint64_t from = 0; intervals_next_gap(received, from, size, &gap); from = gap.end) {
                uint64_t start = skip_parts(parts, n_parts, gap.start);

                if (start >= gap.end)
                        continue;
                *ret = (struct interval) { start, size };
                for (size_t i = 0; i < n_parts; i++)
                        if (parts[i].start > start)
                                ret->end = MIN(ret->end, parts[i].start);
                return true;
        }
        return false;
}

static uint64_t missing_in(const struct intervals *received, uint64_t start, uint64_t end) {
        struct interval gap;
        uint64_t missing = 0;

        for (uint64_t from = start; intervals_next_gap(received, from, end, &gap); from = gap.end)
                missing += gap.end - gap.start;
        return missing;
}

/* Behind it lies half of @missing. */
static uint64_t middle_of(const struct intervals *received, uint64_t start, uint64_t end, uint64_t missing) {
        struct interval gap = { start, end };
        uint64_t left = missing / 2;

        for (uint64_t from = start; intervals_next_gap(received, from, end, &gap) && gap.end - gap.start <= left; from = gap.end)
                left -= gap.end - gap.start;
        return gap.start + left;
}

bool segments_next(const struct intervals *received, uint64_t size, const struct interval *parts, size_t n_parts, uint64_t min_bytes,
                   struct interval *ret) {
        uint64_t most = 0;

        if (segments_next_unclaimed(received, size, parts, n_parts, ret))
                return true;
        for (size_t i = 0; i < n_parts; i++) {
                uint64_t end = end_of(parts, n_parts, i), missing = missing_in(received, parts[i].start, end);

                if (missing <= most)
                        continue;
                most = missing;
                *ret = (struct interval) { parts[i].start, end };
        }
        if (most < 2 * MAX(min_bytes, UINT64_C(1)))
                return false;
        ret->start = middle_of(received, ret->start, ret->end, most);
        return true;
}
