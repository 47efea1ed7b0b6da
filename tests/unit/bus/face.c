#include "face.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"

void note(struct client *c, const char *format, ...) {
        size_t n = strlen(c->log);
        va_list ap;

        va_start(ap, format);
        vsnprintf(c->log + n, sizeof(c->log) - n, format, ap);
        va_end(ap);
}

bool talk(struct fixture *f) {
        bool moved = false;

        while (sd_event_run(f->event, 0) > 0)
                moved = true;
        return moved;
}

void settle(struct fixture *f) {
        (void) talk(f);
        do
                harness_pump(f->h);
        while (talk(f));
}

void expect(struct client *c, const char *log) {
        assert_string_equal(c->log, log);
        c->log[0] = 0;
}

/* ---- a client ---- */

static int on_callback(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct client *c = userdata;

        note(c, "%s ", sd_bus_message_get_member(m));
        return c->takes_callbacks ? sd_bus_reply_method_return(m, NULL)
                                  : sd_bus_error_set(error, "org.example.Later", "not now");
}

static int on_question(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct client *c = userdata;
        size_t n_bytes, n_all;
        const void *bytes, *all;
        const char *id;
        uint32_t file;

        assert_true(sd_bus_message_read(m, "su", &id, &file) > 0);
        assert_true(sd_bus_message_read_array(m, 'y', &bytes, &n_bytes) > 0);
        assert_true(sd_bus_message_read_array(m, 'y', &all, &n_all) > 0);
        note(c, "JudgeCertificate(%u, %.*s, %.*s) ", file, (int) n_bytes, (const char *) bytes, (int) n_all, (const char *) all);
        return c->takes_callbacks ? sd_bus_reply_method_return(m, "u", c->verdict)
                                  : sd_bus_error_set(error, "org.example.Later", "not now");
}

static const sd_bus_vtable callback_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("JobTransferred", "s", "", on_callback, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("JobError", "s", "", on_callback, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("JobModification", "s", "", on_callback, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("JudgeCertificate", "suayay", "u", on_question, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct client *c = userdata;

        note(c, "<%s> ", sd_bus_message_get_member(m));
        return 0;
}

int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct client *c = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        const char *word = "";

        if (!e && sd_bus_message_is_empty(m) == 0) {
                char type;
                const char *contents;

                (void) sd_bus_message_peek_type(m, &type, &contents);
                if (type == 'v' && streq(contents, "s"))
                        (void) sd_bus_message_read(m, "v", "s", &word);
        }
        note(c, "%s%s ", e ? e->name + strlen("org.dosvc.Error.") : "ok", *word ? word : "");
        return 0;
}

struct client *client_new_of(struct fixture *f, const int fds[static 2]) {
        struct client *c = calloc(1, sizeof(*c));

        assert_non_null(c);
        c->f = f;
        c->takes_callbacks = true;
        assert_int_equal(bus_server_add_client(f->server, fds[0]), 0);
        assert_true(sd_bus_new(&c->bus) >= 0);
        assert_true(sd_bus_set_fd(c->bus, fds[1], fds[1]) >= 0);
        assert_true(sd_bus_add_object_vtable(c->bus, NULL, "/org/dosvc/callback", "org.dosvc.Callback1",
                                             callback_vtable, c) >= 0);
        assert_true(sd_bus_match_signal_async(c->bus, NULL, NULL, NULL, "org.dosvc.Manager1", NULL, on_signal, NULL,
                                              c) >= 0);
        assert_true(sd_bus_match_signal_async(c->bus, NULL, NULL, NULL, "org.freedesktop.DBus.Properties", NULL,
                                              on_signal, NULL, c) >= 0);
        assert_true(sd_bus_start(c->bus) >= 0);
        assert_true(sd_bus_attach_event(c->bus, f->event, 0) >= 0);
        talk(f);
        return c;
}

static void connect_as(uid_t uid, int ret_fds[static 2]) {
        assert_return_code(seteuid(uid), errno);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds), 0);
        assert_return_code(seteuid(getuid()), errno);
}

struct client *client_new_as(struct fixture *f, uid_t uid) {
        int fds[2];

        connect_as(uid, fds);
        return client_new_of(f, fds);
}

int client_try_as(struct fixture *f, uid_t uid) {
        int fds[2], r;

        connect_as(uid, fds);
        r = bus_server_add_client(f->server, fds[0]);
        close(fds[1]);
        return r;
}

struct client *client_new(struct fixture *f) {
        return client_new_as(f, getuid());
}

void client_free(struct client *c) {
        (void) sd_bus_detach_event(c->bus);
        sd_bus_close(c->bus);
        sd_bus_unref(c->bus);
        free(c);
}

/* ---- clients of other processes ---- */

static void send_pair(int to, int pair[static 2]) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(2 * sizeof(int))];
        } control = { .header = { .cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
        struct iovec byte = { .iov_base = (char[]) { 0 }, .iov_len = 1 };
        struct msghdr message = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };

        memcpy(CMSG_DATA(&control.header), pair, 2 * sizeof(int));
        if (sendmsg(to, &message, 0) != 1)
                _exit(1);
}

static void receive_pair(int from, int ret[static 2]) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(2 * sizeof(int))];
        } control;
        char byte;
        struct iovec data = { .iov_base = &byte, .iov_len = 1 };
        struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };

        assert_int_equal(recvmsg(from, &message, MSG_CMSG_CLOEXEC), 1);
        assert_int_equal(control.header.cmsg_type, SCM_RIGHTS);
        memcpy(ret, CMSG_DATA(&control.header), 2 * sizeof(int));
}

pid_t process_with_connections(uid_t uid, size_t n, int ret_pairs[][2]) {
        int channel[2];
        pid_t pid;

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel), 0);
        pid = fork();
        assert_return_code(pid, errno);
        if (pid == 0) {
                /* Nothing of ours may stay open in it: others' connections would not end when they are closed here. */
                if (dup2(channel[0], 3) < 0 || close_range(4, ~0U, 0) < 0 || setresuid(uid, uid, uid) < 0)
                        _exit(1);
                channel[0] = 3;
                for (size_t i = 0; i < n; i++) {
                        int pair[2];

                        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                                _exit(1);
                        send_pair(channel[0], pair);
                        close(pair[0]);
                        close(pair[1]);
                }
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        pause();
        }
        close(channel[0]);
        for (size_t i = 0; i < n; i++)
                receive_pair(channel[1], ret_pairs[i]);
        close(channel[1]);
        return pid;
}

void process_end(pid_t pid) {
        assert_return_code(kill(pid, SIGKILL), errno);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

const char *job_path(struct fixture *f) {
        static char path[64];
        char compact[33];

        guid_to_compact(&f->h->id, compact);
        snprintf(path, sizeof(path), "/org/dosvc/job/%s", compact);
        return path;
}

void call(struct client *c, const char *method, const char *types, ...) {
        va_list ap;

        va_start(ap, types);
        assert_true(sd_bus_call_method_asyncv(c->bus, NULL, NULL, job_path(c->f), "org.dosvc.Job1", method, on_answer,
                                              c, types, ap) >= 0);
        va_end(ap);
}

/* ---- the service ---- */

static void on_failed(void *userdata, int error) {
        struct fixture *f = userdata;

        f->n_failed++;
}

static int on_reload(void *userdata, char **reterr_why) {
        struct fixture *f = userdata;

        f->n_reloads++;
        if (f->broken)
                *reterr_why = strdup(f->broken);
        return f->broken ? -EBADMSG : 3;
}

static const struct bus_host host = { .failed = on_failed, .reload = on_reload };

static int make_service_for(void **state, const struct authority *authority, bool everybody, size_t max_clients) {
        struct fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        f->h = harness_new();
        assert_true(sd_event_new(&f->event) >= 0);
        assert_int_equal(bus_server_new(f->event,
                                        &(struct bus_server_config) { .manager = f->h->manager,
                                                                     .uid = getuid(),
                                                                     .everybody = everybody,
                                                                     .authority = authority,
                                                                     .max_clients = max_clients,
                                                                     .max_clients_per_user = max_clients,
                                                                     .max_calls_per_client = CALLS_MAX,
                                                                     .clock = &f->h->clock.clock,
                                                                     .host = &host,
                                                                     .host_userdata = f },
                                        &f->server),
                         0);
        manager_set_events(f->h->manager, &bus_manager_events, f->server);
        *state = f;
        return 0;
}

int make_service(void **state) {
        return make_service_for(state, NULL, false, CLIENTS_MAX);
}

int make_service_for_all(void **state, const struct authority *authority, size_t max_clients) {
        return make_service_for(state, authority, true, max_clients);
}

int free_service(void **state) {
        struct fixture *f = *state;

        bus_server_close(f->server);
        harness_pump(f->h); /* answers what waits, into the void */
        harness_free(f->h);
        bus_server_free(f->server);
        sd_event_unref(f->event);
        free(f);
        return 0;
}
