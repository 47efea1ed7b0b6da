#include "client/discover.h"

#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fds.h"
#include "base/strings.h"
#include "base/uids.h"
#include "client/address.h"
#include "client/launch.h"

#define CONNECT_USEC (5 * USEC_PER_SEC) /* for a service that listens to take the connection */
#define START_USEC (10 * USEC_PER_SEC)  /* for a started service to listen */
#define ENDED_USEC (3 * USEC_PER_SEC) /* the same after the started process ended: another one may be about to listen */
#define RETRY_MIN_MSEC 5
#define RETRY_MAX_MSEC 100
#define USER_ADDRESSES 3

struct search {
        const atomic_int *cancel;
        struct discovered *ret;
};

static uint64_t now_usec(void) {
        return clock_now(&clock_system, CLOCK_ID_MONOTONIC);
}

/* Whoever answers at a user's own address must be that user (or root): folders may have been shared by mistake. */
static int check_peer(sd_bus *bus) {
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (getsockopt(sd_bus_get_fd(bus), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return -errno;
        return peer.uid == geteuid() || peer.uid == 0 ? 0 : -EPERM;
}

static int wait_until_ready(sd_bus *bus) {
        uint64_t deadline = now_usec() + CONNECT_USEC;
        int r;

        for (;;) {
                uint64_t now = now_usec();

                r = sd_bus_process(bus, NULL);
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                r = sd_bus_is_ready(bus);
                if (r != 0)
                        return r < 0 ? r : 0;
                if (sd_bus_is_open(bus) <= 0)
                        return -ECONNRESET;
                if (now >= deadline)
                        return -ETIMEDOUT;
                r = sd_bus_wait(bus, deadline - now);
                if (r < 0 && r != -EINTR)
                        return r;
        }
}

static int try_address(const struct search *search, const char *address, unsigned place) {
        _cleanup_(sd_bus_close_unrefp)
        sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_negotiate_fds(bus, 1);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r >= 0)
                r = wait_until_ready(bus);
        if (r >= 0 && place == DISCOVER_USER)
                r = check_peer(bus);
        if (r < 0)
                return r;
        *search->ret = (struct discovered){ .address = strdup(address), .place = place };
        if (!search->ret->address)
                return -ENOMEM;
        search->ret->bus = TAKE_PTR(bus);
        return 0;
}

/* Users of the system are served where the configuration names them. -EACCES: not here. */
static int ask_whether_welcome(sd_bus *bus) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *key;
        int r, yes = 1;

        r = sd_bus_call_method(bus, "org.dosvc", "/org/dosvc", "org.dosvc.Manager1", "GetServiceInfo", NULL, &reply, NULL);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                r = sd_bus_message_read_basic(reply, 's', &key);
                if (r >= 0)
                        r = streq(key, "MayOwnJobs") ? sd_bus_message_read(reply, "v", "b", &yes) : sd_bus_message_skip(reply, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        return r < 0 ? r : yes ? 0 : -EACCES;
}

/* @choosing: there is another instance that would do. */
static int try_system(const struct search *search, bool choosing) {
        int r;

        if (access(ADDRESS_SYSTEM_SOCKET, F_OK) < 0)
                return -errno;
        r = try_address(search, "unix:path=" ADDRESS_SYSTEM_SOCKET, DISCOVER_SYSTEM);
        if (r < 0 || !choosing || uid_is_person(geteuid()))
                return r;
        r = ask_whether_welcome(search->ret->bus);
        if (r < 0) {
                sd_bus_close_unref(search->ret->bus);
                free(search->ret->address);
                *search->ret = (struct discovered) {};
        }
        return r;
}

static int try_user(const struct search *search, const char *state_directory) {
        char *addresses[USER_ADDRESSES];
        int n, r = -ENOENT;

        n = address_list_user(state_directory, addresses, USER_ADDRESSES);
        if (n < 0)
                return n;
        for (int i = 0; i < n; i++) {
                if (r < 0)
                        r = try_address(search, addresses[i], DISCOVER_USER);
                free(addresses[i]);
        }
        return r;
}

/* Waits a little; shortens *deadline when the process that was started is gone. */
static void wait_a_little(int *watch, int msec, uint64_t *deadline) {
        struct pollfd pollfd = { .fd = *watch, .events = POLLIN };

        if (poll(&pollfd, *watch >= 0 ? 1 : 0, msec) > 0) {
                *watch = fd_close(*watch);
                *deadline = MIN(*deadline, now_usec() + ENDED_USEC);
        }
}

static int start_user(const struct search *search, const char *state_directory) {
        uint64_t deadline = now_usec() + START_USEC;
        _cleanup_close_ int watch = -EBADF;
        int msec = RETRY_MIN_MSEC, r;

        r = launch_service(&watch);
        if (r < 0)
                return r;
        for (;;) {
                r = try_user(search, state_directory);
                if (r >= 0 || r == -ENOMEM || r == -EPERM)
                        return r;
                if (now_usec() >= deadline)
                        return -ETIMEDOUT;
                if (search->cancel && atomic_load(search->cancel))
                        return -ECANCELED;
                wait_a_little(&watch, msec, &deadline);
                msec = MIN(msec * 2, RETRY_MAX_MSEC);
        }
}

int discover(unsigned places, const atomic_int *cancel, struct discovered *ret) {
        const struct search search = { .cancel = cancel, .ret = ret };
        const char *given = places & DISCOVER_ENVIRONMENT ? address_getenv("DOSVC_ADDRESS") : NULL;
        _cleanup_free_ char *state_directory = NULL;
        int r = -ENOENT;

        *ret = (struct discovered){};
        if (given)
                return try_address(&search, given, DISCOVER_ENVIRONMENT);
        if (places & DISCOVER_SYSTEM) {
                r = try_system(&search, places & DISCOVER_USER);
                if (r >= 0 || !(places & DISCOVER_USER))
                        return r;
        }
        if (!(places & DISCOVER_USER))
                return r;
        r = address_state_directory(&state_directory);
        if (r < 0)
                return r;
        r = try_user(&search, state_directory);
        if (r < 0 && r != -ENOMEM && r != -EPERM && places & DISCOVER_START)
                r = start_user(&search, state_directory);
        return r;
}
