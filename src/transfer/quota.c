#include "transfer/quota.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

struct claims_host {
        UT_hash_handle hh;
        struct claim *claims;
        unsigned n_held, n_recalled;
        unsigned n_short; /* while settling */
        char key[];
};

/* Of one process at one host. */
struct claim {
        UT_hash_handle hh;                     /* of the holder, by host */
        struct claim *prev, *next;             /* of the owner; who was given something last is at the end */
        struct claim *host_prev, *host_next;
        struct quota_holder *holder;
        struct claims_host *host;
        unsigned held, recalled, wanted;
        unsigned give_now, recall_now; /* to be told */
        bool asks; /* it wants more than it has: to be answered, even if it gets none now */
};

struct quota_holder {
        struct quota_holder *prev, *next;
        struct quota_owner *owner;
        struct claim *claims;
        void *userdata;
};

struct quota_owner {
        struct quota_owner *prev, *next;
        struct quota *quota;
        uint64_t id;
        struct claims_host *hosts;
        struct claim *claims;
        struct quota_holder *holders;
        unsigned n_held, n_recalled;
};

struct quota {
        struct engine_limits limits;
        quota_tell tell;
        struct quota_owner *owners;
};

/* ---- claims ---- */

static const struct engine_limits *limits_of(const struct claim *claim) {
        return &claim->holder->owner->quota->limits;
}

/* What it keeps, when what was recalled has come back. */
static unsigned claim_kept(const struct claim *claim) {
        return claim->held - claim->recalled;
}

static bool claim_is_short(const struct claim *claim) {
        return claim_kept(claim) < MIN(claim->wanted, limits_of(claim)->max_connections_per_host);
}

static void claim_give(struct claim *claim) {
        struct quota_owner *owner = claim->holder->owner;

        claim->held++;
        claim->host->n_held++;
        owner->n_held++;
        claim->give_now++;
        DL_DELETE(owner->claims, claim);
        DL_APPEND(owner->claims, claim);
}

static void claim_recall(struct claim *claim) {
        claim->recalled++;
        claim->host->n_recalled++;
        claim->holder->owner->n_recalled++;
        claim->recall_now++;
}

static void claim_take_back(struct claim *claim, unsigned n) {
        struct quota_owner *owner = claim->holder->owner;
        unsigned n_recalled = MIN(n, claim->recalled);

        claim->held -= n;
        claim->host->n_held -= n;
        owner->n_held -= n;
        claim->recalled -= n_recalled;
        claim->host->n_recalled -= n_recalled;
        owner->n_recalled -= n_recalled;
}

static struct claims_host *owner_get_host(struct quota_owner *owner, const char *key) {
        struct claims_host *host;
        size_t n = strlen(key);

        HASH_FIND(hh, owner->hosts, key, n, host);
        if (host)
                return host;
        host = calloc(1, sizeof(*host) + n + 1);
        if (!host)
                return NULL;
        memcpy(host->key, key, n + 1);
        HASH_ADD_KEYPTR(hh, owner->hosts, host->key, n, host);
        return host;
}

static int holder_get_claim(struct quota_holder *holder, const char *key, struct claim **ret) {
        struct quota_owner *owner = holder->owner;
        struct claims_host *host;

        HASH_FIND(hh, holder->claims, key, strlen(key), *ret);
        if (*ret)
                return 0;
        if (HASH_COUNT(holder->claims) >= QUOTA_HOSTS_MAX)
                return -EPROTO;
        host = owner_get_host(owner, key);
        *ret = host ? calloc(1, sizeof(**ret)) : NULL;
        if (!*ret) {
                if (host && !host->claims) {
                        HASH_DEL(owner->hosts, host);
                        free(host);
                }
                return -ENOMEM;
        }
        (*ret)->holder = holder;
        (*ret)->host = host;
        HASH_ADD_KEYPTR(hh, holder->claims, host->key, strlen(host->key), *ret);
        DL_APPEND(owner->claims, *ret);
        DL_APPEND2(host->claims, *ret, host_prev, host_next);
        return 0;
}

static void claim_free(struct claim *claim) {
        struct quota_holder *holder = claim->holder;
        struct claims_host *host = claim->host;

        claim_take_back(claim, claim->held);
        HASH_DEL(holder->claims, claim);
        DL_DELETE(holder->owner->claims, claim);
        DL_DELETE2(host->claims, claim, host_prev, host_next);
        free(claim);
        if (host->claims)
                return;
        HASH_DEL(holder->owner->hosts, host);
        free(host);
}

/* ---- who gets them ---- */

/* Who is to give one up for @needy (NULL: for nobody, there are too many): idle ones first, then of who keeps most. */
static struct claim *find_donor(struct claim *claims, bool of_host, const struct claim *needy) {
        struct claim *donor = NULL;

        for (struct claim *claim = claims; claim; claim = of_host ? claim->host_next : claim->next) {
                if (claim == needy || claim_kept(claim) == 0)
                        continue;
                if (claim_kept(claim) > claim->wanted)
                        return claim;
                if (!donor || claim_kept(claim) > claim_kept(donor))
                        donor = claim;
        }
        if (donor && needy && claim_kept(needy) > 0 && claim_kept(donor) <= claim_kept(needy) + 1)
                return NULL;
        return donor;
}

static void recall_what_is_too_much(struct quota_owner *owner) {
        const struct engine_limits *limits = &owner->quota->limits;
        struct claims_host *host, *tmp;

        HASH_ITER(hh, owner->hosts, host, tmp) {
                host->n_short = 0;
                while (host->n_held - host->n_recalled > limits->max_connections_per_host)
                        claim_recall(find_donor(host->claims, true, NULL));
        }
        while (owner->n_held - owner->n_recalled > limits->max_connections_per_owner)
                claim_recall(find_donor(owner->claims, false, NULL));
}

static struct claim *find_next_to_get(const struct quota_owner *owner) {
        const struct engine_limits *limits = &owner->quota->limits;
        struct claim *claim, *next = NULL;

        if (owner->n_held >= limits->max_connections_per_owner)
                return NULL;
        DL_FOREACH(owner->claims, claim)
                if (claim_is_short(claim) && claim->host->n_held < limits->max_connections_per_host &&
                    (!next || claim->held < next->held))
                        next = claim;
        return next;
}

/* One for each who is short, unless it is on its way already. */
static void recall_for_others(struct quota_owner *owner) {
        const struct engine_limits *limits = &owner->quota->limits;
        struct claim *claim, *donor;
        unsigned n_short = 0, hopeless = UINT_MAX; /* who keeps so many finds no donor */

        DL_FOREACH(owner->claims, claim) {
                if (!claim_is_short(claim))
                        continue;
                if (claim->host->n_held >= limits->max_connections_per_host) {
                        donor = ++claim->host->n_short > claim->host->n_recalled ? find_donor(claim->host->claims, true, claim) : NULL;
                        if (donor)
                                claim_recall(donor);
                        continue;
                }
                if (++n_short <= owner->n_recalled || claim_kept(claim) >= hopeless)
                        continue;
                donor = find_donor(owner->claims, false, claim);
                if (donor)
                        claim_recall(donor);
                else
                        hopeless = claim_kept(claim);
        }
}

static void owner_settle(struct quota_owner *owner) {
        struct claim *claim;

        recall_what_is_too_much(owner);
        while ((claim = find_next_to_get(owner)))
                claim_give(claim);
        recall_for_others(owner);
        DL_FOREACH(owner->claims, claim) {
                if (claim->give_now > 0 || claim->recall_now > 0 || claim->asks)
                        owner->quota->tell(claim->holder->userdata, claim->host->key, claim->give_now, claim->recall_now);
                claim->give_now = claim->recall_now = 0;
                claim->asks = false;
        }
}

/* ---- processes ---- */

int quota_want(struct quota_holder *holder, const char *host, unsigned returned, unsigned wanted) {
        struct claim *claim;
        int r;

        r = holder_get_claim(holder, host, &claim);
        if (r < 0)
                return r;
        if (returned > claim->held)
                return -EPROTO;
        claim_take_back(claim, returned);
        claim->wanted = wanted;
        claim->asks = wanted > claim->held;
        if (claim->held == 0 && claim->wanted == 0)
                claim_free(claim);
        owner_settle(holder->owner);
        return 0;
}

int quota_join(struct quota *quota, uint64_t id, void *userdata, struct quota_holder **ret) {
        struct quota_holder *holder = calloc(1, sizeof(*holder));
        struct quota_owner *owner;

        DL_SEARCH_SCALAR(quota->owners, owner, id, id);
        if (holder && !owner) {
                owner = calloc(1, sizeof(*owner));
                if (owner) {
                        *owner = (struct quota_owner) { .quota = quota, .id = id };
                        DL_APPEND(quota->owners, owner);
                }
        }
        if (!holder || !owner) {
                free(holder);
                return -ENOMEM;
        }
        holder->owner = owner;
        holder->userdata = userdata;
        DL_APPEND(owner->holders, holder);
        *ret = holder;
        return 0;
}

struct quota_holder *quota_leave(struct quota_holder *holder) {
        struct quota_owner *owner;
        struct claim *claim, *tmp;

        if (!holder)
                return NULL;
        owner = holder->owner;
        HASH_ITER(hh, holder->claims, claim, tmp)
                claim_free(claim);
        DL_DELETE(owner->holders, holder);
        free(holder);
        if (owner->holders) {
                owner_settle(owner);
                return NULL;
        }
        DL_DELETE(owner->quota->owners, owner);
        free(owner);
        return NULL;
}

void quota_set_limits(struct quota *quota, const struct engine_limits *limits) {
        struct quota_owner *owner;

        quota->limits = *limits;
        DL_FOREACH(quota->owners, owner)
                owner_settle(owner);
}

int quota_new(const struct engine_limits *limits, quota_tell tell, struct quota **ret) {
        struct quota *quota = calloc(1, sizeof(*quota));

        if (!quota)
                return -ENOMEM;
        *quota = (struct quota) { .limits = *limits, .tell = tell };
        *ret = quota;
        return 0;
}

struct quota *quota_free(struct quota *quota) {
        assert(!quota || !quota->owners);
        free(quota);
        return NULL;
}
