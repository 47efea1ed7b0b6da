#include "conditions/logind.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"
#include "conditions/system_bus.h"

#define SERVICE "org.freedesktop.login1"
#define PATH "/org/freedesktop/login1"
#define MANAGER "org.freedesktop.login1.Manager"
#define USER "org.freedesktop.login1.User"
#define PRESENT_MAX 65536 /* people at once; beyond that it counts as unknown who they are */

/* A user whose state was asked for. */
struct user {
        struct logind *logind;
        sd_bus_slot *slot;
        uid_t uid;
        bool present;
};

struct logind {
        struct logind_facts facts;
        uid_t *present; /* facts.present */
        void (*changed)(void *userdata);
        void *userdata;
        sd_bus *bus; /* NULL: there is none */
        sd_bus_slot *owner_slot, *sleep_slot, *sleeping_slot, *inhibit_slot;
        sd_bus_slot *sessions_slot, *users_slot, *list_slot; /* while presence is wanted */
        int inhibitor;
        bool wants_presence;
        /* A look at all users, of which some answers are out. */
        struct user *users;
        size_t n_users, n_asked;
        bool again; /* something happened meanwhile */
};

static int list_users(struct logind *logind);

/* ---- sleep ---- */

static int on_inhibited(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct logind *logind = ASSERT_PTR(userdata);
        int fd;

        logind->inhibit_slot = sd_bus_slot_unref(logind->inhibit_slot);
        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read_basic(m, 'h', &fd) < 0) {
                log_debug("logind does not let us delay sleep"); /* then the last seconds before it are fetched again */
                return 0;
        }
        fd_close(logind->inhibitor);
        logind->inhibitor = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return 0;
}

static int inhibit(struct logind *logind) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        if (logind->inhibitor >= 0 || logind->inhibit_slot)
                return 0;
        r = system_bus_new_call(logind->bus, &call, SERVICE, PATH, MANAGER, "Inhibit");
        if (r >= 0)
                r = sd_bus_message_append(call, "ssss", "sleep", "dosvc", "Downloads are made safe first.", "delay");
        return r < 0 ? r : sd_bus_call_async(logind->bus, &logind->inhibit_slot, call, on_inhibited, logind, 0);
}

void logind_may_sleep(struct logind *logind) {
        if (logind->facts.goes_to_sleep)
                logind->inhibitor = fd_close(logind->inhibitor);
}

static void set_sleep(struct logind *logind, bool goes_to_sleep) {
        if (goes_to_sleep == logind->facts.goes_to_sleep)
                return;
        logind->facts.goes_to_sleep = goes_to_sleep;
        log_info(goes_to_sleep ? "the machine goes to sleep" : "the machine is awake");
        if (!goes_to_sleep)
                (void) inhibit(logind);
        logind->changed(logind->userdata);
}

static int on_prepare_for_sleep(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        int begins;

        if (sd_bus_message_read_basic(m, 'b', &begins) >= 0)
                set_sleep(userdata, begins);
        return 0;
}

static int on_sleeping(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct logind *logind = ASSERT_PTR(userdata);
        int sleeping;

        logind->sleeping_slot = sd_bus_slot_unref(logind->sleeping_slot);
        if (!sd_bus_message_is_method_error(m, NULL) && sd_bus_message_read(m, "v", "b", &sleeping) >= 0)
                set_sleep(logind, sleeping);
        return 0;
}

/* ---- presence ---- */

static void drop_users(struct logind *logind) {
        logind->list_slot = sd_bus_slot_unref(logind->list_slot);
        for (size_t i = 0; i < logind->n_users; i++)
                sd_bus_slot_unref(logind->users[i].slot);
        free(logind->users);
        logind->users = NULL;
        logind->n_users = logind->n_asked = 0;
        logind->again = false;
}

static int compare_uids(const void *a, const void *b) {
        uid_t x = *(const uid_t *) a, y = *(const uid_t *) b;

        return x < y ? -1 : x > y;
}

/* @known false: everybody counts as present. Takes @present. */
static void set_presence(struct logind *logind, bool known, uid_t *present, size_t n) {
        struct logind_facts *facts = &logind->facts;
        bool same = known == facts->knows_presence && n == facts->n_present && (n == 0 || memcmp(present, facts->present, n * sizeof(*present)) == 0);

        free(logind->present);
        logind->present = present;
        facts->present = present;
        facts->n_present = n;
        facts->knows_presence = known;
        if (!same)
                logind->changed(logind->userdata);
}

static void conclude(struct logind *logind) {
        uid_t *present = calloc(MAX(logind->n_users, (size_t) 1), sizeof(*present));
        bool again = logind->again;
        size_t n = 0;

        for (size_t i = 0; present && i < logind->n_users; i++)
                if (logind->users[i].present)
                        present[n++] = logind->users[i].uid;
        drop_users(logind);
        if (present) {
                qsort(present, n, sizeof(*present), compare_uids);
                set_presence(logind, true, present, n);
        }
        if (again)
                (void) list_users(logind);
}

/* "online", "active", "opening", "lingering": somebody is there, or wants to be served without. "closing" is what is left after log-off. */
static int on_state(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct user *user = ASSERT_PTR(userdata);
        struct logind *logind = user->logind;
        const char *state;

        user->slot = sd_bus_slot_unref(user->slot);
        if (!sd_bus_message_is_method_error(m, NULL) && sd_bus_message_read(m, "v", "s", &state) >= 0)
                user->present = !streq(state, "closing") && !streq(state, "offline");
        if (--logind->n_asked == 0)
                conclude(logind);
        return 0;
}

static int ask_state(struct user *user, const char *path) {
        int r = sd_bus_call_method_async(user->logind->bus, &user->slot, SERVICE, path, "org.freedesktop.DBus.Properties", "Get", on_state, user, "ss",
                                         USER, "State");

        if (r >= 0)
                user->logind->n_asked++;
        return r;
}

/* a(uso) */
static int take_users(struct logind *logind, sd_bus_message *m) {
        const char *name, *path;
        size_t n = 0;
        uint32_t uid;
        int r;

        /* Once to count: callbacks keep pointers to the items. */
        r = sd_bus_message_enter_container(m, 'a', "(uso)");
        while (r >= 0 && (r = sd_bus_message_read(m, "(uso)", &uid, &name, &path)) > 0)
                n++;
        if (r >= 0 && n > PRESENT_MAX)
                r = -E2BIG;
        if (r >= 0)
                r = sd_bus_message_rewind(m, true);
        if (r < 0)
                return r;
        logind->users = calloc(MAX(n, (size_t) 1), sizeof(*logind->users));
        if (!logind->users)
                return -ENOMEM;
        r = sd_bus_message_enter_container(m, 'a', "(uso)");
        while (r >= 0 && (r = sd_bus_message_read(m, "(uso)", &uid, &name, &path)) > 0) {
                struct user *user = &logind->users[logind->n_users++];

                *user = (struct user) { .logind = logind, .uid = uid };
                r = ask_state(user, path);
        }
        return r;
}

static int on_users(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct logind *logind = ASSERT_PTR(userdata);
        bool is_error = sd_bus_message_is_method_error(m, NULL);
        int r = 0;

        logind->list_slot = sd_bus_slot_unref(logind->list_slot);
        if (!is_error)
                r = take_users(logind, m);
        if (r < 0)
                log_debug("logind does not say who is there: %s", strerror(-r));
        if (is_error || r < 0) {
                drop_users(logind);
                set_presence(logind, false, NULL, 0);
        } else if (logind->n_asked == 0)
                conclude(logind);
        return 0;
}

static int list_users(struct logind *logind) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        if (logind->list_slot || logind->n_asked > 0) {
                logind->again = true;
                return 0;
        }
        r = system_bus_new_call(logind->bus, &call, SERVICE, PATH, MANAGER, "ListUsers");
        return r < 0 ? r : sd_bus_call_async(logind->bus, &logind->list_slot, call, on_users, logind, 0);
}

/* SessionNew, SessionRemoved, UserNew, UserRemoved, …: all that it means is "look again". */
static int on_somebody(sd_bus_message *m _unused_, void *userdata, sd_bus_error *error _unused_) {
        (void) list_users(userdata);
        return 0;
}

static int watch_presence(struct logind *logind) {
        int r;

        if (!logind->bus || !logind->wants_presence || logind->sessions_slot)
                return 0;
        r = sd_bus_add_match_async(logind->bus, &logind->sessions_slot,
                                   "type='signal',sender='" SERVICE "',path='" PATH "',interface='" MANAGER "'", on_somebody, NULL, logind);
        if (r >= 0)
                r = sd_bus_add_match_async(logind->bus, &logind->users_slot,
                                           "type='signal',sender='" SERVICE "',path_namespace='" PATH "/user',"
                                           "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'", on_somebody, NULL, logind);
        return r < 0 ? r : list_users(logind);
}

static void forget_presence(struct logind *logind) {
        logind->sessions_slot = sd_bus_slot_unref(logind->sessions_slot);
        logind->users_slot = sd_bus_slot_unref(logind->users_slot);
        drop_users(logind);
}

int logind_want_presence(struct logind *logind, bool wanted) {
        logind->wants_presence = wanted;
        if (wanted)
                return watch_presence(logind);
        forget_presence(logind);
        set_presence(logind, false, NULL, 0);
        return 0;
}

/* ---- life ---- */

static int ask_all(struct logind *logind) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = system_bus_new_call(logind->bus, &call, SERVICE, PATH, "org.freedesktop.DBus.Properties", "Get");
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", MANAGER, "PreparingForSleep");
        logind->sleeping_slot = sd_bus_slot_unref(logind->sleeping_slot);
        if (r >= 0)
                r = sd_bus_call_async(logind->bus, &logind->sleeping_slot, call, on_sleeping, logind, 0);
        return r < 0 ? r : inhibit(logind);
}

/* logind was started anew, or is gone: what it held for us is void. */
static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct logind *logind = ASSERT_PTR(userdata);
        bool is_back = system_bus_has_new_owner(m);

        logind->inhibitor = fd_close(logind->inhibitor);
        logind->inhibit_slot = sd_bus_slot_unref(logind->inhibit_slot);
        drop_users(logind);
        if (is_back) {
                if (logind->wants_presence)
                        (void) list_users(logind);
                return MIN(ask_all(logind), 0);
        }
        set_sleep(logind, false);
        set_presence(logind, false, NULL, 0);
        return 0;
}

int logind_begin(struct logind *logind, sd_bus *bus) {
        int r;

        logind->bus = bus;
        r = system_bus_watch_owner(bus, &logind->owner_slot, SERVICE, on_owner_changed, logind);
        if (r >= 0)
                r = sd_bus_add_match_async(bus, &logind->sleep_slot,
                                           "type='signal',sender='" SERVICE "',path='" PATH "',interface='" MANAGER "',member='PrepareForSleep'",
                                           on_prepare_for_sleep, NULL, logind);
        if (r >= 0)
                r = ask_all(logind);
        return r < 0 ? r : watch_presence(logind);
}

void logind_end(struct logind *logind) {
        forget_presence(logind);
        logind->owner_slot = sd_bus_slot_unref(logind->owner_slot);
        logind->sleep_slot = sd_bus_slot_unref(logind->sleep_slot);
        logind->sleeping_slot = sd_bus_slot_unref(logind->sleeping_slot);
        logind->inhibit_slot = sd_bus_slot_unref(logind->inhibit_slot);
        logind->inhibitor = fd_close(logind->inhibitor);
        logind->bus = NULL;
        free(logind->present);
        logind->present = NULL;
        logind->facts = (struct logind_facts) {};
}

const struct logind_facts *logind_now(const struct logind *logind) {
        return &logind->facts;
}

int logind_new(void (*changed)(void *userdata), void *userdata, struct logind **ret) {
        struct logind *logind = malloc(sizeof(*logind));

        if (!logind)
                return -ENOMEM;
        *logind = (struct logind) { .changed = changed, .userdata = userdata, .inhibitor = -EBADF };
        *ret = logind;
        return 0;
}

struct logind *logind_free(struct logind *logind) {
        if (!logind)
                return NULL;
        logind_end(logind);
        free(logind);
        return NULL;
}
