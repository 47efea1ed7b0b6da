/* Calls on what is another's. Root may; whoever else asks waits until the authority has said yes to this one call.
 *
 * What was asked for cannot change meanwhile: it is the message itself, which is sealed, kept as it came, and looked at again from its
 * beginning when the answer is there (everything about the job, too: it may have ended, or be the caller's by then). The yes counts while
 * that very message is handled and for nothing else. One question at a time for each client: a second call that would need one is refused.
 * A client that goes, or whose process ends, is a no. What is absent is asked about as what is another's, and answered alike. */
#include <poll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"
#include "bus/private.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

struct bus_question {
        struct peer *peer;
        sd_bus_message *message;
        enum error_code refusal;
        void *asked;
};

/* ---- who asks ---- */

static bool process_is_alive(int pidfd) {
        struct pollfd p = { .fd = pidfd, .events = POLLIN };

        return pidfd >= 0 && poll(&p, 1, 0) == 0; /* it becomes readable when the process ends */
}

static int open_peer(int fd, pid_t pid) {
        int pidfd = -EBADF;
        socklen_t size = sizeof(pidfd);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0 && size == sizeof(pidfd))
                return pidfd;
        pidfd = pidfd_open(pid, 0); /* as good, if the process has not ended since it connected */
        return pidfd < 0 ? -errno : pidfd;
}

/* On a bus a client's name goes with its connection, and what it asked for with the name (bus_name.c). */
static bool peer_is_there(const struct peer *peer) {
        return peer->name || process_is_alive(peer->pidfd);
}

void peer_note_process(struct peer *peer, int fd) {
        _cleanup_close_ int pidfd = open_peer(fd, peer->pid);

        if (process_is_alive(pidfd))
                peer->pidfd = TAKE_FD(pidfd);
}

/* ---- one question ---- */

static struct bus_question *question_free(struct bus_question *question) {
        if (!question)
                return NULL;
        if (question->peer)
                question->peer->question = NULL;
        sd_bus_message_unref(question->message);
        free(question);
        return NULL;
}
DEFINE_CLEANUP_FUNC(struct bus_question, question_free)

/* Whoever may not know that something exists is told nothing else. */
static const char *why_of(enum error_code refusal) {
        return refusal == ERROR_ACCESS_DENIED ? "That is for administrators." : "";
}

static void refuse(struct peer *peer, const struct bus_question *question) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;

        (void) bus_set_error(&error, (int) question->refusal, why_of(question->refusal));
        if (sd_bus_message_new_method_error(question->message, &reply, &error) < 0 || peer_send(peer, reply) < 0)
                peer_drop(peer);
}

static void on_decision(bool granted, void *userdata) {
        _cleanup_(question_freep) struct bus_question *question = ASSERT_PTR(userdata);
        struct peer *peer = question->peer;
        int r;

        peer->question = NULL;
        question->peer = NULL;
        /* Alive behind the answer: the number was its own all the time, and what was judged was this very process. */
        if (!granted || !peer_is_there(peer)) {
                refuse(peer, question);
                return;
        }
        r = sd_bus_message_rewind(question->message, true);
        if (r >= 0)
                r = sd_bus_enqueue_for_read(peer->bus, question->message);
        peer_touch(peer);
        if (r < 0) {
                refuse(peer, question);
                return;
        }
        peer->granted = sd_bus_message_unref(peer->granted);
        peer->granted = TAKE_PTR(question->message);
        log_notice("uid %u (pid %d) acts as an administrator: %s on %s", peer->uid, (int) peer->pid,
                   sd_bus_message_get_member(peer->granted), sd_bus_message_get_path(peer->granted));
}

void bus_authority_forget(struct peer *peer) {
        struct bus_question *question = peer->question;

        if (question && question->asked)
                peer->server->config.authority->cancel(peer->server->config.authority_userdata, question->asked);
        peer->question = question_free(question);
        peer->granted = sd_bus_message_unref(peer->granted);
}

void bus_authority_saw(struct peer *peer, const sd_bus_message *m) {
        if (peer->granted != m)
                peer->granted = sd_bus_message_unref(peer->granted);
}

bool peer_is_administrator(const struct peer *peer) {
        return peer->uid == 0 || (peer->granted && sd_bus_get_current_message(peer->bus) == peer->granted);
}

int bus_authorize(struct peer *peer, sd_bus_message *m, const char *action, enum error_code refusal, sd_bus_error *error) {
        const struct bus_server_config *config = &peer->server->config;
        _cleanup_(question_freep) struct bus_question *question = NULL;
        struct authority_question asks = { .action = action, .bus_name = peer->name, .uid = peer->uid, .pid = peer->pid };
        int r;

        if (peer_is_administrator(peer))
                return 1;
        if (!config->authority || (!peer->name && peer->pidfd < 0))
                return bus_set_error(error, (int) refusal, why_of(refusal));
        if (peer->server->stopping)
                return bus_set_error(error, ERROR_SHUTTING_DOWN, "");
        if (peer->question)
                return bus_set_error(error, ERROR_TOO_MANY_REQUESTS, "Another call of this client waits for a decision.");
        question = malloc(sizeof(*question));
        if (!question)
                return bus_set_error(error, -ENOMEM, "");
        *question = (struct bus_question) { .message = sd_bus_message_ref(m), .refusal = refusal };
        asks.interactive = sd_bus_message_get_allow_interactive_authorization(m) > 0;
        r = config->authority->ask(config->authority_userdata, &asks, on_decision, question, &question->asked);
        if (r < 0) {
                log_debug("nobody can be asked: %s", strerror(-r));
                return bus_set_error(error, (int) refusal, why_of(refusal));
        }
        question->peer = peer;
        peer->question = TAKE_PTR(question);
        return 0;
}

/* ---- what an administrator may do with what is another's ----
 * See it, hold it up, let it go on, and end it. What is fetched, where it goes and what is run stays the owner's word: whoever wants
 * to change that takes the job over first. */

static bool is_in(const char *word, const char *const *list) {
        for (; *list; list++)
                if (streq(word, *list))
                        return true;
        return false;
}

/* Of SetProperties: how it is done, not what. */
static bool sets_only_how(sd_bus_message *m) {
        static const char *const how[] = { "Priority", "MaxRate", "MinimumRetryDelay", "NoProgressTimeout", "MaximumDownloadTime", "LifeTime",
                                           "CostFlags", NULL };
        bool good = true;
        const char *name;
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        while (r > 0 && good && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read_basic(m, 's', &name);
                good = r > 0 && is_in(name, how);
                if (good)
                        r = sd_bus_message_skip(m, "v");
                if (r >= 0 && good)
                        r = sd_bus_message_exit_container(m);
        }
        (void) sd_bus_message_rewind(m, true);
        return r >= 0 && good;
}

static bool administrator_may(sd_bus_message *m, bool is_file) {
        static const char *const methods[] = { "Suspend", "Resume", "Cancel", "Complete", "TakeOwnership", "ListFiles", NULL };
        const char *interface = sd_bus_message_get_interface(m), *member = sd_bus_message_get_member(m);

        if (interface && streq(interface, BUS_PROPERTIES_INTERFACE))
                return is_in(member, (const char *const[]) { "Get", "GetAll", NULL });
        if (is_file)
                return false;
        return is_in(member, methods) || (streq(member, "SetProperties") && sets_only_how(m));
}

int bus_authorize_object(struct peer *peer, sd_bus_message *m, sd_bus_error *error) {
        const char *member = sd_bus_message_get_member(m), *path = sd_bus_message_get_path(m);
        struct job_file *file;
        struct job *job;
        int r;

        r = bus_authorize(peer, m, streq(member, "TakeOwnership") ? AUTHORITY_TAKE_OWNERSHIP : AUTHORITY_MANAGE_ALL, ERROR_NOT_FOUND, error);
        if (r <= 0)
                return r;
        job = bus_find_job(peer, path, &file);
        if (!job)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        if (!administrator_may(m, file != NULL))
                return bus_set_error(error, ERROR_ACCESS_DENIED, "Only the job's owner may do that; an administrator may take it over first.");
        return 1;
}
