/* How often one user may call, over all of its connections: a bucket of calls that fills again evenly, and holds a second's worth. Answers
 * to our own calls (callbacks) are no calls. A call that an authority said yes to is handled twice, and counts once. */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "bus/private.h"

struct bus_rate {
        uid_t uid; /* the hash key */
        UT_hash_handle hh;
        uint64_t parts;      /* of calls that may come now, a millionth each */
        uint64_t since_usec; /* when that was so */
        bool told;           /* the log has it, since the bucket was full last */
};

#define PARTS_PER_CALL USEC_PER_SEC /* so a rate per second is one of parts per microsecond */

static void fill(struct bus_rate *rate, uint64_t per_second, uint64_t now) {
        uint64_t full = per_second * PARTS_PER_CALL, elapsed = MIN(now - rate->since_usec, USEC_PER_SEC);

        rate->parts = MIN(rate->parts + elapsed * per_second, full);
        rate->since_usec = now;
        if (rate->parts == full)
                rate->told = false;
}

static void forget_idle(struct bus_server *server, uint64_t now) {
        struct bus_rate *rate, *tmp;

        HASH_ITER(hh, server->rates, rate, tmp) {
                if (now - rate->since_usec < USEC_PER_SEC)
                        continue;
                HASH_DEL(server->rates, rate);
                free(rate);
        }
}

static struct bus_rate *rate_get(struct bus_server *server, uid_t uid, uint64_t now) {
        struct bus_rate *rate;

        HASH_FIND(hh, server->rates, &uid, sizeof(uid), rate);
        if (rate)
                return rate;
        forget_idle(server, now); /* whose bucket is full is as good as new */
        rate = malloc(sizeof(*rate));
        if (!rate)
                return NULL;
        *rate = (struct bus_rate) { .uid = uid, .parts = server->config.max_calls_per_second * PARTS_PER_CALL, .since_usec = now };
        HASH_ADD(hh, server->rates, uid, sizeof(rate->uid), rate);
        if (!rate->hh.tbl) {
                free(rate);
                return NULL;
        }
        return rate;
}

int bus_rate_take(struct peer *peer, uint64_t n_calls, sd_bus_error *error) {
        const struct bus_server_config *config = &peer->server->config;
        uint64_t wanted = MIN(n_calls, config->max_calls_per_second) * PARTS_PER_CALL;
        struct bus_rate *rate;
        char text[96];
        uint64_t now;

        if (config->max_calls_per_second == 0)
                return 0;
        now = clock_now(config->clock, CLOCK_ID_MONOTONIC);
        rate = rate_get(peer->server, peer->uid, now);
        if (!rate)
                return bus_set_error(error, -ENOMEM, "");
        fill(rate, config->max_calls_per_second, now);
        if (rate->parts >= wanted) {
                rate->parts -= wanted;
                return 0;
        }
        if (!rate->told && server_may_tell(peer->server))
                log_notice("uid %u makes more than %" PRIu64 " calls a second: what is more is refused (MaxCallsPerSecond)", peer->uid,
                           config->max_calls_per_second);
        rate->told = true;
        (void) snprintf(text, sizeof(text), "A user may make %" PRIu64 " in a second (MaxCallsPerSecond). Call again.", config->max_calls_per_second);
        return bus_set_error(error, ERROR_TOO_MANY_REQUESTS, text);
}

int bus_rate_judge(struct peer *peer, sd_bus_message *m, sd_bus_error *error) {
        uint8_t type;

        if (sd_bus_message_get_type(m, &type) < 0 || type != SD_BUS_MESSAGE_METHOD_CALL)
                return 0;
        return bus_rate_take(peer, 1, error);
}

void bus_rate_free_all(struct bus_server *server) {
        struct bus_rate *rate, *tmp;

        HASH_ITER(hh, server->rates, rate, tmp) {
                HASH_DEL(server->rates, rate);
                free(rate);
        }
}
