#include "client/connection.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/fds.h"
#include "base/strings.h"
#include "client/connection_private.h"
#include "client/discover.h"
#include "client/failure.h"
#include "client/public.h"

#define CONNECTION_CALL_USEC (60 * USEC_PER_SEC)
#define CALL_ATTEMPTS 3      /* how often a repeatable call meets a service that goes away */
#define MESSAGES_PER_TURN 64 /* that are worked off before the lock is offered to the callers */

struct pending {
        struct pending *prev, *next;
        pthread_cond_t answered;
        sd_bus_slot *slot;
        sd_bus_message *reply;
        bool done;
        bool lost; /* the connection ended first */
};

/* ---- making and forgetting; fork ---- */

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct dosvc *all_connections;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static atomic_uint_fast64_t last_serial = 1;

static void init_locks(struct dosvc *c) {
        pthread_condattr_t attr;

        (void) pthread_mutex_init(&c->lock, NULL);
        (void) pthread_condattr_init(&attr);
        (void) pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        (void) pthread_cond_init(&c->changed, &attr);
        (void) pthread_condattr_destroy(&attr);
}

static void before_fork(void) {
        pthread_mutex_lock(&all_lock);
}

static void after_fork_in_parent(void) {
        pthread_mutex_unlock(&all_lock);
}

/* The child shares nothing with the parent's conversation: it forgets it and starts its own with its first call.
 * What the other threads were doing is lost; the bus object may be in the middle of anything and is never touched
 * again. */
static void after_fork_in_child(void) {
        struct dosvc *c;

        (void) pthread_mutex_init(&all_lock, NULL);
        DL_FOREACH(all_connections, c) {
                init_locks(c);
                c->abandoned_bus = c->bus;
                c->bus = NULL;
                c->bus_fd = fd_close(c->bus_fd);
                (void) fd_close(c->wake_fd);
                c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                c->pending = NULL;
                c->watchers = NULL;
                c->connecting = false;
                c->reading = false;
        }
}

static void handle_forks(void) {
        (void) pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

int connection_new(unsigned flags, const struct connection_hooks *hooks, struct dosvc **ret) {
        struct dosvc *c;

        pthread_once(&fork_once, handle_forks);
        c = malloc(sizeof(*c));
        if (!c)
                return -ENOMEM;
        *c = (struct dosvc){
                .n_references = 1,
                .serial = atomic_fetch_add(&last_serial, 1) + 1,
                .hooks = hooks,
                .start = !(flags & DOSVC_CONNECT_NO_START),
                .bus_fd = -EBADF,
        };
        if (flags & DOSVC_CONNECT_SYSTEM)
                c->places |= DISCOVER_SYSTEM;
        if (flags & DOSVC_CONNECT_USER)
                c->places |= DISCOVER_USER;
        if (c->places == 0)
                c->places = DISCOVER_ENVIRONMENT | DISCOVER_SYSTEM | DISCOVER_USER;
        c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (c->wake_fd < 0) {
                free(c);
                return -errno;
        }
        init_locks(c);
        pthread_mutex_lock(&all_lock);
        DL_APPEND(all_connections, c);
        pthread_mutex_unlock(&all_lock);
        *ret = c;
        return 0;
}

static void wake_reader(struct dosvc *c) {
        uint64_t one = 1;

        (void) !write(c->wake_fd, &one, sizeof(one));
}

/* Under the lock. Whoever waits for an answer learns that none will come. */
static void drop_bus(struct dosvc *c) {
        sd_bus *bus = TAKE_PTR(c->bus);
        struct pending *pending;

        c->bus_fd = -EBADF;
        DL_FOREACH(c->pending, pending) {
                if (pending->done)
                        continue;
                pending->done = pending->lost = true;
                pthread_cond_signal(&pending->answered);
        }
        sd_bus_close_unref(bus);
        if (c->hooks && c->hooks->lost)
                c->hooks->lost(c);
        pthread_cond_broadcast(&c->changed);
}

static struct dosvc *connection_free(struct dosvc *c) {
        pthread_mutex_lock(&all_lock);
        DL_DELETE(all_connections, c);
        pthread_mutex_unlock(&all_lock);

        pthread_mutex_lock(&c->lock);
        c->stop = true;
        wake_reader(c);
        pthread_mutex_unlock(&c->lock);
        if (c->reading)
                (void) pthread_join(c->reader, NULL);
        sd_bus_flush_close_unref(c->bus);
        (void) fd_close(c->wake_fd);
        free(c->address);
        (void) pthread_cond_destroy(&c->changed);
        (void) pthread_mutex_destroy(&c->lock);
        free(c);
        return NULL;
}

struct dosvc *connection_ref(struct dosvc *c) {
        atomic_fetch_add(&c->n_references, 1);
        return c;
}

struct dosvc *connection_unref(struct dosvc *c) {
        if (c && atomic_fetch_sub(&c->n_references, 1) == 1)
                return connection_free(c);
        return NULL;
}

/* ---- small questions ---- */

uint64_t connection_serial(const struct dosvc *c) {
        return c->serial;
}

void connection_lock(struct dosvc *c) {
        pthread_mutex_lock(&c->lock);
}

void connection_unlock(struct dosvc *c) {
        pthread_mutex_unlock(&c->lock);
}

static bool is_open(const struct dosvc *c) {
        return c->bus && sd_bus_is_open(c->bus) > 0;
}

uint64_t connection_generation(struct dosvc *c) {
        uint64_t generation;

        pthread_mutex_lock(&c->lock);
        generation = is_open(c) ? c->generation : 0;
        pthread_mutex_unlock(&c->lock);
        return generation;
}

bool connection_is_system(const struct dosvc *c) {
        return atomic_load(&c->is_system);
}

char *connection_dup_address(struct dosvc *c) {
        char *copy;

        pthread_mutex_lock(&c->lock);
        copy = c->address ? strdup(c->address) : NULL;
        pthread_mutex_unlock(&c->lock);
        return copy;
}

void connection_interrupt(struct dosvc *c) {
        int saved = errno;

        atomic_store(&c->interrupted, 1);
        wake_reader(c);
        errno = saved;
}

bool connection_take_interrupt(struct dosvc *c) {
        return atomic_exchange(&c->interrupted, 0);
}

/* ---- the reading thread ---- */

static int process(struct dosvc *c, bool *ret_more) {
        *ret_more = true;
        for (unsigned i = 0; i < MESSAGES_PER_TURN; i++) {
                int r = sd_bus_process(c->bus, NULL);

                if (r < 0)
                        return r;
                if (r == 0) {
                        *ret_more = false;
                        return 0;
                }
        }
        return 0;
}

static int poll_timeout(uint64_t until) {
        uint64_t now, msec;

        if (until == UINT64_MAX)
                return -1;
        now = clock_now(&clock_system, CLOCK_ID_MONOTONIC);
        msec = until <= now ? 0 : (until - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC;
        return (int) MIN(msec, (uint64_t) INT32_MAX);
}

/* One turn, under the lock, which is given back while it waits. */
static void read_once(struct dosvc *c) {
        struct pollfd fds[2] = { { .fd = c->wake_fd, .events = POLLIN } };
        uint64_t until = UINT64_MAX, count;
        nfds_t n_fds = 1;
        bool more = false;

        if (c->bus) {
                int events;

                if (process(c, &more) < 0 || (events = sd_bus_get_events(c->bus)) < 0 ||
                    sd_bus_get_timeout(c->bus, &until) < 0) {
                        drop_bus(c);
                        return;
                }
                fds[1] = (struct pollfd){ .fd = c->bus_fd, .events = (short) events };
                n_fds = 2;
        }
        pthread_mutex_unlock(&c->lock);
        (void) poll(fds, n_fds, more ? 0 : poll_timeout(until));
        pthread_mutex_lock(&c->lock);
        if (fds[0].revents != 0) {
                (void) !read(c->wake_fd, &count, sizeof(count));
                if (atomic_load(&c->interrupted))
                        pthread_cond_broadcast(&c->changed);
        }
}

static void *reader_main(void *arg) {
        struct dosvc *c = arg;

        pthread_mutex_lock(&c->lock);
        while (!c->stop)
                read_once(c);
        pthread_mutex_unlock(&c->lock);
        return NULL;
}

int connection_start_thread(pthread_t *ret, const char *name, void *(*main)(void *), void *arg) {
        sigset_t all, old;
        int r;

        /* The program's signals are for the program's threads. */
        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &old);
        r = pthread_create(ret, NULL, main, arg);
        (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (r != 0)
                return -r;
        (void) pthread_setname_np(*ret, name);
        return 0;
}

/* ---- connecting ---- */

/* Only its units start that one, and "dosvcd --user" by hand would show another. */
static int failure_to_connect_system(const struct dosvc *c, int r) {
        const char *what = r == -ENOENT || r == -ECONNREFUSED ? "is not there"
                           : r == -ETIMEDOUT                  ? "did not answer in time"
                           : r == -ECONNRESET || r == -EPIPE  ? "ended the connection: it has as many clients as it takes, or does not start"
                                                              : "cannot be reached";

        return failure_setf(c, ERROR_NO_SERVICE,
                            "The system instance %s. `systemctl status dosvc.socket dosvc.service` says more.", what);
}

static int failure_to_connect(const struct dosvc *c, int r) {
        char buffer[128];

        if (c->places == DISCOVER_SYSTEM && r != -ENOMEM)
                return failure_to_connect_system(c, r);
        switch (-r) {
        case ENOMEM:
                return failure_set_errno(c, r);
        case ENOENT:
                return failure_set(
                        c, ERROR_NO_SERVICE,
                        "No service is running and none could be started. Start dosvcd, or set DOSVC_ADDRESS.");
        case ECONNREFUSED:
                return failure_set(c, ERROR_NO_SERVICE, "No service is running. Start dosvcd.");
        case EPERM:
        case EACCES:
        case ECONNRESET:
        case EPIPE:
                return failure_set(c, ERROR_NO_SERVICE,
                                   "The service refused the connection: another user runs it, or it has as many clients as it takes.");
        case ETIMEDOUT:
                return failure_set(c, ERROR_NO_SERVICE,
                                   "The service did not answer in time. Try `dosvcd --user` by hand to see why.");
        default:
                return failure_setf(c, ERROR_NO_SERVICE, "The service cannot be reached: %s.",
                                    strerror_r(-r, buffer, sizeof(buffer)));
        }
}

/* Under the lock: makes a fresh connection the current one. */
static int install(struct dosvc *c, struct discovered *found) {
        int r;

        free(c->address);
        c->address = TAKE_PTR(found->address);
        /* From now on this connection stays with the instance that it found: its jobs are there. */
        if (!(c->places & DISCOVER_ENVIRONMENT) || found->place != DISCOVER_ENVIRONMENT)
                c->places = found->place;
        else
                c->places = DISCOVER_ENVIRONMENT;
        atomic_store(&c->is_system,
                     found->place == DISCOVER_SYSTEM || strstr(c->address, "path=/run/dosvc/bus") != NULL);

        c->bus = TAKE_PTR(found->bus);
        c->bus_fd = sd_bus_get_fd(c->bus);
        c->generation++;
        r = sd_bus_add_filter(c->bus, NULL, connection_on_message, c);
        if (r >= 0 && c->hooks && c->hooks->connected)
                r = c->hooks->connected(c, c->bus);
        if (r >= 0 && !c->reading) {
                r = connection_start_thread(&c->reader, "dosvc-reader", reader_main, c);
                c->reading = r >= 0;
        }
        if (r < 0)
                drop_bus(c);
        return r;
}

/* Under the lock: somebody else is connecting; how that ends. */
static int await_attempt(struct dosvc *c) {
        uint64_t attempt = c->n_attempts;

        while (c->connecting && c->n_attempts == attempt)
                pthread_cond_wait(&c->changed, &c->lock);
        if (is_open(c))
                return 0;
        return c->last_attempt < 0 ? c->last_attempt : -ECONNRESET;
}

static int ensure_locked(struct dosvc *c, unsigned flags) {
        unsigned places;
        struct discovered found;
        int r;

        if (is_open(c))
                return 0;
        /* What failed before we came says nothing: the service may be there since. What begins from now on is as good as our own. */
        for (unsigned i = 0; c->connecting; i++) {
                r = await_attempt(c);
                if (r == 0)
                        return 0;
                if (i > 0 || r == -ETIMEDOUT)
                        return failure_to_connect(c, r);
        }
        if (c->bus)
                drop_bus(c);
        places = c->places | (c->start && !(flags & CALL_NO_START) ? DISCOVER_START : 0);
        c->connecting = true;
        pthread_mutex_unlock(&c->lock);
        r = discover(places, flags & CALL_CANCELLABLE ? &c->interrupted : NULL, &found);
        pthread_mutex_lock(&c->lock);
        c->connecting = false;
        c->n_attempts++;
        if (r >= 0)
                r = install(c, &found);
        c->last_attempt = r;
        pthread_cond_broadcast(&c->changed);
        wake_reader(c);
        return r < 0 ? failure_to_connect(c, r) : 0;
}

int connection_ensure(struct dosvc *c, unsigned flags) {
        int code;

        pthread_mutex_lock(&c->lock);
        code = ensure_locked(c, flags);
        pthread_mutex_unlock(&c->lock);
        return code;
}

/* ---- calling ---- */

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        struct pending *pending = userdata;

        if (sd_bus_is_open(sd_bus_message_get_bus(m)) > 0)
                pending->reply = sd_bus_message_ref(m);
        else
                pending->lost = true;
        pending->done = true;
        pthread_cond_signal(&pending->answered);
        return 1;
}

/* 0 or -errno: it was not sent. @pending must stay until await() had it. Under the lock, as all that follow. */
static int send_call(struct dosvc *c, const struct call *call, struct pending *pending) {
        sd_bus_message *m = NULL;
        int r;

        *pending = (struct pending){ .answered = PTHREAD_COND_INITIALIZER };
        r = sd_bus_message_new_method_call(c->bus, &m, NULL, call->path, call->interface, call->member);
        if (r >= 0 && call->build)
                r = call->build(m, call->args);
        if (r >= 0 && call->flags & CALL_INTERACTIVE)
                r = sd_bus_message_set_allow_interactive_authorization(m, 1);
        if (r >= 0)
                r = sd_bus_call_async(c->bus, &pending->slot, m, on_reply, pending,
                                      call->flags & (CALL_UNLIMITED | CALL_INTERACTIVE) ? UINT64_MAX : CONNECTION_CALL_USEC);
        sd_bus_message_unref(m);
        if (r < 0) {
                (void) pthread_cond_destroy(&pending->answered);
                return r;
        }
        DL_APPEND(c->pending, pending);
        wake_reader(c);
        return 0;
}

/* 0 with an answer in *ret_reply, or 1: the connection ended while we waited. */
static int await(struct dosvc *c, struct pending *pending, sd_bus_message **ret_reply) {
        while (!pending->done)
                pthread_cond_wait(&pending->answered, &c->lock);
        DL_DELETE(c->pending, pending);
        sd_bus_slot_unref(pending->slot);
        (void) pthread_cond_destroy(&pending->answered);
        *ret_reply = pending->reply;
        return pending->lost;
}

static int read_reply(const struct dosvc *c, const struct call *call, sd_bus_message *reply) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        int r;

        if (error)
                return failure_set(c, failure_code_from_bus(error), error->message);
        r = call->decode ? call->decode(reply, call->ret) : 0;
        if (r == -ENOMEM)
                return failure_set_errno(c, r);
        if (r < 0)
                return failure_setf(c, ERROR_UNEXPECTED, "The service's answer to %s could not be read.", call->member);
        return 0;
}

static bool is_about_the_connection(int r) {
        return r == -ENOTCONN || r == -ECONNRESET || r == -EPIPE || r == -ESHUTDOWN || r == -ECONNREFUSED;
}

static int failure_went_away(const struct dosvc *c, const struct call *call) {
        return failure_setf(c, ERROR_NO_SERVICE,
                            "The service went away during %s. Look whether it was done before calling again.", call->member);
}

/* *ret_again: worth another attempt. */
static int call_once(struct dosvc *c, const struct call *call, bool *ret_again) {
        struct pending pending;
        sd_bus_message *reply = NULL;
        int r, code;

        *ret_again = false;
        code = ensure_locked(c, call->flags);
        if (code)
                return code;
        r = send_call(c, call, &pending);
        if (r < 0 && !is_about_the_connection(r))
                return failure_set_errno(c, r);
        if (r == 0)
                r = await(c, &pending, &reply);
        if (r != 0) {
                *ret_again = r < 0 || call->flags & CALL_REPEATABLE;
                return failure_went_away(c, call);
        }
        if (call->ret_generation)
                *call->ret_generation = c->generation;
        code = read_reply(c, call, reply);
        sd_bus_message_unref(reply);
        return code;
}

int connection_call(struct dosvc *c, const struct call *call) {
        bool again = true;
        int code = 0;

        pthread_mutex_lock(&c->lock);
        for (unsigned i = 0; again && i < CALL_ATTEMPTS; i++)
                code = call_once(c, call, &again);
        pthread_mutex_unlock(&c->lock);
        return code;
}

int connection_send(struct dosvc *c, const struct call *call, struct pending **ret) {
        _cleanup_free_ struct pending *pending = malloc(sizeof(*pending));
        int r, code;

        if (!pending)
                return failure_set_errno(c, -ENOMEM);
        pthread_mutex_lock(&c->lock);
        code = ensure_locked(c, call->flags);
        if (!code) {
                r = send_call(c, call, pending);
                if (r < 0)
                        code = is_about_the_connection(r) ? failure_went_away(c, call) : failure_set_errno(c, r);
        }
        pthread_mutex_unlock(&c->lock);
        if (!code)
                *ret = TAKE_PTR(pending);
        return code;
}

int connection_receive(struct dosvc *c, const struct call *call, struct pending *sent) {
        _cleanup_free_ struct pending *pending = sent;
        sd_bus_message *reply = NULL;
        int code;

        pthread_mutex_lock(&c->lock);
        if (await(c, pending, &reply) == 0)
                code = read_reply(c, call, reply);
        else
                code = failure_went_away(c, call);
        sd_bus_message_unref(reply);
        pthread_mutex_unlock(&c->lock);
        return code;
}

void connection_answer(struct dosvc *c, sd_bus_message *call, const char *error_name, const char *text) {
        /* A connection that is gone needs no answer: the service delivers again. */
        if (error_name)
                (void) sd_bus_reply_method_errorf(call, error_name, "%s", text);
        else
                (void) sd_bus_reply_method_return(call, NULL);
        sd_bus_message_unref(call);
        wake_reader(c);
}

void connection_answer_number(struct dosvc *c, sd_bus_message *call, uint32_t number) {
        (void) sd_bus_reply_method_return(call, "u", number);
        sd_bus_message_unref(call);
        wake_reader(c);
}
