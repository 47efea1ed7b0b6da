#include "transfer/flow.h"

void flow_begin(struct flow *flow, uint64_t now_usec) {
        *flow = (struct flow) {};
        flow_renew(flow, now_usec);
}

void flow_renew(struct flow *flow, uint64_t now_usec) {
        flow->last_byte_usec = flow->window_began_usec = now_usec;
        flow->window_bytes = 0;
}

static uint64_t since(uint64_t then, uint64_t now) {
        return now - MIN(then, now);
}

static bool is_slow(const struct flow *flow, const struct flow_rule *rule, uint64_t rate) {
        uint64_t least = MAX(rule->floor_rate, flow->best_rate / FLOW_FALL);

        return rate < MIN(least, rule->allowed_rate / FLOW_ALLOWED);
}

enum flow_judgement flow_judge(struct flow *flow, const struct flow_rule *rule, uint64_t now_usec) {
        uint64_t elapsed = since(flow->window_began_usec, now_usec), rate;
        bool slow;

        if (since(flow->last_byte_usec, now_usec) >= rule->window_usec)
                return FLOW_SILENT;
        if (elapsed < rule->window_usec)
                return FLOW_FINE;
        rate = (uint64_t) ((double) flow->window_bytes * (double) USEC_PER_SEC / (double) elapsed);
        slow = is_slow(flow, rule, rate);
        flow->slow_rate = rate;
        flow->best_rate = MAX(flow->best_rate, rate);
        flow->window_began_usec = now_usec;
        flow->window_bytes = 0;
        return slow ? FLOW_SLOW : FLOW_FINE;
}

uint64_t flow_next_look(const struct flow *flow, const struct flow_rule *rule) {
        return u64_add_saturated(MIN(flow->last_byte_usec, flow->window_began_usec), rule->window_usec);
}
