#include "conditions/routes.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"
#include "conditions/vpn.h"

#define SETTLE_USEC (50 * USEC_PER_MSEC) /* one event comes seldom alone */
#define LOSS_USEC (1 * USEC_PER_SEC)
#define TEXT_MAX 256                     /* names and aliases of interfaces */
#define BUFFER_BYTES 32768               /* netlink(7): what a part of a dump needs at most */

/* Public addresses that will stay so: a.root-servers.net. Only the kernel is asked about them. */
static const char *const everywhere[] = { "198.41.0.4", "2001:503:ba3e::2:30" };

/* Which way a packet would go. All zero: none. */
struct way {
        int oif;
        struct in6_addr source, gateway;
};

struct routes {
        int events_fd;
        int ask_fd;
        uint32_t sequence;
        char *vpn_keywords;
        struct way ways[ELEMENTSOF(everywhere)];
        struct routes_facts facts;
        bool is_late; /* a loss was seen and is not told yet */
        void (*changed)(void *userdata);
        void *userdata;
        sd_event_source *io_source;
        sd_event_source *timer;
};

/* ---- asking the kernel ---- */

struct question {
        struct nlmsghdr header;
        union {
                struct rtmsg route;
                struct ifinfomsg link;
        };
        uint8_t attributes[RTA_SPACE(sizeof(struct in6_addr))];
};

typedef void (*answer_fn)(const struct nlmsghdr *message, void *userdata);

/* The kernel has answered when send() returns, so there is nothing to wait for. 0, or -errno: the socket's, or what the kernel says. */
static int ask(struct routes *routes, struct question *question, answer_fn answer, void *userdata) {
        _Alignas(struct nlmsghdr) char buffer[BUFFER_BYTES];
        bool is_dump = question->header.nlmsg_flags & NLM_F_DUMP;

        question->header.nlmsg_seq = ++routes->sequence;
        if (send(routes->ask_fd, question, question->header.nlmsg_len, 0) < 0)
                return -errno;
        for (;;) {
                ssize_t n = recv(routes->ask_fd, buffer, sizeof(buffer), MSG_DONTWAIT);
                size_t left = (size_t) n;

                if (n < 0)
                        return -errno;
                for (const struct nlmsghdr *m = (const struct nlmsghdr *) buffer; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
                        if (m->nlmsg_seq != routes->sequence)
                                continue; /* of a question that was given up */
                        if (m->nlmsg_type == NLMSG_ERROR)
                                return ((const struct nlmsgerr *) NLMSG_DATA(m))->error;
                        if (m->nlmsg_type == NLMSG_DONE)
                                return 0;
                        answer(m, userdata);
                        if (!is_dump)
                                return 0;
                }
        }
}

static void read_way(const struct nlmsghdr *message, void *userdata) {
        const struct rtmsg *route = NLMSG_DATA(message);
        struct way *way = userdata;
        size_t left = RTM_PAYLOAD(message);

        if (message->nlmsg_type != RTM_NEWROUTE || route->rtm_type != RTN_UNICAST)
                return;
        for (const struct rtattr *a = RTM_RTA(route); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
                size_t n = MIN((size_t) RTA_PAYLOAD(a), sizeof(way->source));

                if (a->rta_type == RTA_OIF && n >= sizeof(uint32_t))
                        memcpy(&way->oif, RTA_DATA(a), sizeof(uint32_t));
                else if (a->rta_type == RTA_PREFSRC)
                        memcpy(&way->source, RTA_DATA(a), n);
                else if (a->rta_type == RTA_GATEWAY)
                        memcpy(&way->gateway, RTA_DATA(a), n);
        }
}

/* Without a route there is no way, which is no error. */
static int ask_way(struct routes *routes, const char *to, struct way *ret) {
        bool is_ip6 = strchr(to, ':');
        size_t n = is_ip6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
        struct question question = {
                .header = { .nlmsg_len = (uint32_t) (NLMSG_LENGTH(sizeof(struct rtmsg)) + RTA_SPACE(n)), .nlmsg_type = RTM_GETROUTE,
                            .nlmsg_flags = NLM_F_REQUEST },
                .route = { .rtm_family = is_ip6 ? AF_INET6 : AF_INET, .rtm_dst_len = (uint8_t) (n * 8) },
        };
        struct rtattr *destination = (struct rtattr *) ((char *) &question + NLMSG_LENGTH(sizeof(struct rtmsg)));
        int r;

        *ret = (struct way) {};
        destination->rta_type = RTA_DST;
        destination->rta_len = (unsigned short) RTA_LENGTH(n);
        if (inet_pton(is_ip6 ? AF_INET6 : AF_INET, to, RTA_DATA(destination)) != 1)
                return -EINVAL;
        r = ask(routes, &question, read_way, ret);
        /* A kernel without IPv6 does not know the family. */
        return r == -ENETUNREACH || r == -EHOSTUNREACH || r == -EAFNOSUPPORT || r == -EOPNOTSUPP || r == -EACCES || r == -EINVAL ? 0 : r;
}

/* ---- links ---- */

struct links {
        const struct routes *routes;
        const struct way *ways;
        bool has_link;      /* beside loopback, and up */
        bool is_loopback[ELEMENTSOF(everywhere)];
        bool is_vpn;
};

static bool info_is_of_tunnel(const struct rtattr *info) {
        size_t left = RTA_PAYLOAD(info);

        for (const struct rtattr *a = RTA_DATA(info); RTA_OK(a, left); a = RTA_NEXT(a, left))
                if (a->rta_type == IFLA_INFO_KIND && vpn_kind_is_tunnel(RTA_DATA(a), RTA_PAYLOAD(a)))
                        return true;
        return false;
}

static bool link_is_vpn(const struct links *links, const struct nlmsghdr *message) {
        const struct ifinfomsg *link = NLMSG_DATA(message);
        size_t left = IFLA_PAYLOAD(message);

        for (const struct rtattr *a = IFLA_RTA(link); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
                char text[TEXT_MAX];

                if (a->rta_type == IFLA_LINKINFO && info_is_of_tunnel(a))
                        return true;
                if (a->rta_type != IFLA_IFNAME && a->rta_type != IFLA_IFALIAS)
                        continue;
                (void) snprintf(text, sizeof(text), "%.*s", (int) RTA_PAYLOAD(a), (const char *) RTA_DATA(a));
                if (vpn_has_keyword(links->routes->vpn_keywords, text))
                        return true;
        }
        return false;
}

static void read_link(const struct nlmsghdr *message, void *userdata) {
        const struct ifinfomsg *link = NLMSG_DATA(message);
        struct links *links = userdata;

        if (message->nlmsg_type != RTM_NEWLINK)
                return;
        links->has_link = links->has_link || (!(link->ifi_flags & IFF_LOOPBACK) && (link->ifi_flags & IFF_UP) && (link->ifi_flags & IFF_RUNNING));
        for (size_t i = 0; i < ELEMENTSOF(everywhere); i++) {
                if (links->ways[i].oif != link->ifi_index)
                        continue;
                links->is_loopback[i] = link->ifi_flags & IFF_LOOPBACK;
                links->is_vpn = links->is_vpn || link_is_vpn(links, message);
        }
}

/* ---- what they mean ---- */

static int look(struct routes *routes, struct way ways[static ELEMENTSOF(everywhere)], struct routes_facts *ret) {
        struct question question = {
                .header = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)), .nlmsg_type = RTM_GETLINK,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
                .link = { .ifi_family = AF_UNSPEC },
        };
        struct links links = { .routes = routes, .ways = ways };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(everywhere) && r == 0; i++)
                r = ask_way(routes, everywhere[i], &ways[i]);
        if (r == 0)
                r = ask(routes, &question, read_link, &links);
        if (r < 0)
                return r;
        *ret = (struct routes_facts) {
                .reach = links.has_link ? NETWORK_LOCAL : NETWORK_NONE,
                .serial = routes->facts.serial,
                .is_vpn = links.is_vpn,
        };
        for (size_t i = 0; i < ELEMENTSOF(everywhere); i++)
                if (ways[i].oif > 0 && !links.is_loopback[i])
                        ret->reach = NETWORK_FULL;
        return 0;
}

static int look_again_in(struct routes *routes, uint64_t usec) {
        int r = sd_event_source_set_time_relative(routes->timer, usec);

        return r < 0 ? r : sd_event_source_set_enabled(routes->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        struct routes *routes = ASSERT_PTR(userdata);
        struct way ways[ELEMENTSOF(everywhere)] = {};
        struct routes_facts facts;
        int r = look(routes, ways, &facts);

        if (r < 0) {
                log_debug("the kernel does not tell its routes: %s", strerror(-r));
                facts = (struct routes_facts) { .reach = NETWORK_FULL, .serial = routes->facts.serial };
        }
        if (facts.reach < routes->facts.reach && !routes->is_late) {
                routes->is_late = true;
                return look_again_in(routes, LOSS_USEC);
        }
        routes->is_late = false;
        if (facts.reach > NETWORK_NONE && memcmp(ways, routes->ways, sizeof(ways)) != 0)
                facts.serial++;
        memcpy(routes->ways, ways, sizeof(ways));
        if (facts.reach == routes->facts.reach && facts.serial == routes->facts.serial && facts.is_vpn == routes->facts.is_vpn)
                return 0;
        log_info("the network reaches %s%s", facts.reach == NETWORK_FULL ? "everywhere" : facts.reach == NETWORK_LOCAL ? "neighbours" : "nobody",
                 facts.is_vpn ? ", through a tunnel" : "");
        routes->facts = facts;
        routes->changed(routes->userdata);
        return 0;
}

static int on_event(sd_event_source *source _unused_, int fd, uint32_t events _unused_, void *userdata) {
        struct routes *routes = ASSERT_PTR(userdata);
        char buffer[BUFFER_BYTES];
        int enabled, r;

        /* What happened does not matter, nor that some of it was dropped (ENOBUFS). */
        while (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0 || errno == ENOBUFS || errno == EINTR)
                ;
        r = sd_event_source_get_enabled(routes->timer, &enabled);
        if (r < 0 || enabled != SD_EVENT_OFF) /* it will be looked at, soon enough */
                return r;
        return look_again_in(routes, SETTLE_USEC);
}

/* ---- life ---- */

static int open_netlink(uint32_t groups) {
        struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
        _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

        if (fd < 0 || bind(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

int routes_set_vpn_keywords(struct routes *routes, const char *vpn_keywords) {
        int r = strdup_to(&routes->vpn_keywords, vpn_keywords);

        return r < 0 ? r : look_again_in(routes, 0);
}

const struct routes_facts *routes_now(const struct routes *routes) {
        return &routes->facts;
}

int routes_new(sd_event *event, const char *vpn_keywords, void (*changed)(void *userdata), void *userdata, struct routes **ret) {
        _cleanup_(routes_freep) struct routes *routes = malloc(sizeof(*routes));
        int r;

        if (!routes)
                return -ENOMEM;
        *routes = (struct routes) { .events_fd = -EBADF, .ask_fd = -EBADF, .changed = changed, .userdata = userdata };
        r = strdup_to(&routes->vpn_keywords, vpn_keywords);
        if (r < 0)
                return r;
        routes->ask_fd = open_netlink(0);
        if (routes->ask_fd < 0)
                return routes->ask_fd;
        routes->events_fd = open_netlink(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE);
        if (routes->events_fd < 0)
                return routes->events_fd;
        r = sd_event_add_io(event, &routes->io_source, routes->events_fd, EPOLLIN, on_event, routes);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &routes->timer, CLOCK_BOOTTIME, 0, 0, on_timer, routes);
        if (r >= 0)
                r = sd_event_source_set_enabled(routes->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = look(routes, routes->ways, &routes->facts);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(routes);
        return 0;
}

struct routes *routes_free(struct routes *routes) {
        if (!routes)
                return NULL;
        sd_event_source_disable_unref(routes->io_source);
        sd_event_source_disable_unref(routes->timer);
        fd_close(routes->events_fd);
        fd_close(routes->ask_fd);
        free(routes->vpn_keywords);
        free(routes);
        return NULL;
}
