/* dosvc-broker: the only part of the system instance that is root. It starts an owner's processes when the core asks for them, with that
 * owner's full identity, and does nothing else: no network, no file of anybody's, nothing of what clients say.
 *
 * The core hands over the socket that the new process is to have, so what they say to each other never comes by here. There is at most
 * one dosvc-owner for each owner: an older one is killed and reaped before the next one starts, so that two never work on the same files.
 * Of dosvc-runner, which runs one program and ends, each owner may have some. When the broker dies they die with it. */
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>
#include <utlist.h>

#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"
#include "config.h"
#include "daemon/owner_fd.h"
#include "daemon/programs.h"
#include "daemon/successor.h"
#include "daemon/uid_policy.h"
#include "transfer/link.h"

#define WORKERS_MAX 512
#define RUNNERS_MAX (2 * LIMIT_NOTIFY_COMMANDS) /* of one owner; more are left over from those that would not end when they should */
/* How a child ends that never became its program; above what that itself returns. */
#define EXIT_NO_USER 240
#define EXIT_NO_IDENTITY 241
#define EXIT_NO_PROGRAM 242

struct worker {
        struct worker *prev, *next;
        struct broker *broker;
        uid_t uid;
        enum ipc_program program;
        pid_t pid; /* 0: not started yet, it waits for its predecessor's end */
        uint64_t id;
        int fd;
        sd_event_source *source;
};

static const char *const program_names[] = { [IPC_PROGRAM_OWNER] = "dosvc-owner", [IPC_PROGRAM_RUNNER] = "dosvc-runner" };

struct broker {
        sd_event *event;
        char *programs[_IPC_PROGRAM_MAX]; /* paths */
        uid_t core_uid;
        struct uid_policy policy;
        const char *config; /* NULL: the default */
        struct successor *successor;
        int listen_fd;
        struct link *core;
        struct worker *workers;
        size_t n_workers;
        bool verbose;
};

static void tell(struct broker *broker, uint64_t id, int error, const char *text) {
        if (broker->core)
                (void) link_send(broker->core, &(struct ipc_message) {
                        .type = IPC_SPAWNED, .spawned = { .id = id, .error = (uint32_t) -error, .text = text },
                }, -EBADF);
}

static struct worker *worker_free(struct worker *worker) {
        if (!worker)
                return NULL;
        sd_event_source_disable_unref(worker->source);
        (void) fd_close(worker->fd);
        free(worker);
        return NULL;
}

static void worker_remove(struct worker *worker) {
        DL_DELETE(worker->broker->workers, worker);
        worker->broker->n_workers--;
        worker_free(worker);
}

/* ---- in the child ---- */

static bool root_can_be_regained(uid_t uid) {
        return uid != 0 && (setuid(0) == 0 || seteuid(0) == 0 || geteuid() != uid || getuid() != uid);
}

static int drop_capabilities(void) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

        return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* The full identity of a user: groups as at a log-on. Root without capabilities is an owner like any other; no_new_privs keeps it so. */
static int become(const struct passwd *user) {
        if (initgroups(user->pw_name, user->pw_gid) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
            setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
                return -errno;
        if (root_can_be_regained(user->pw_uid))
                return -EPERM;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return drop_capabilities();
}

/* One variable, or none where its value is longer than anybody's. */
static char *variable(char *ret, size_t size, const char *name, const char *value) {
        int n = snprintf(ret, size, "%s=%s", name, value);

        if (n < 0 || (size_t) n >= size)
                (void) snprintf(ret, size, "%s=", name);
        return ret;
}

_Noreturn static void run_program(const struct broker *broker, const struct worker *worker) {
        char *program = broker->programs[worker->program];
        char home[PATH_MAX + 8], shell[PATH_MAX + 8], name[256], login[256];
        char *argv[] = { program, broker->verbose ? (char *) "--verbose" : NULL, NULL };
        char *environment[] = { home, name, login, shell, (char *) "PATH=/usr/bin:/bin", NULL };
        const struct passwd *user;
        sigset_t none;

        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) setsid();
        (void) umask(077);
        user = getpwuid(worker->uid);
        if (!user)
                _exit(EXIT_NO_USER);
        (void) variable(home, sizeof(home), "HOME", user->pw_dir);
        (void) variable(name, sizeof(name), "USER", user->pw_name);
        (void) variable(login, sizeof(login), "LOGNAME", user->pw_name);
        (void) variable(shell, sizeof(shell), "SHELL", *user->pw_shell ? user->pw_shell : "/bin/sh");
        if (chdir("/") < 0 || become(user) < 0)
                _exit(EXIT_NO_IDENTITY);
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* forgotten when an identity changes, so only now */
        if (dup2(worker->fd, OWNER_CORE_FD) < 0 || close_range(OWNER_CORE_FD + 1, UINT32_MAX, 0) < 0)
                _exit(EXIT_NO_PROGRAM);
        (void) execve(program, argv, environment);
        _exit(EXIT_NO_PROGRAM);
}

/* ---- workers ---- */

static void worker_start(struct worker *worker);

static const char *why_it_never_ran(int code) {
        return code == EXIT_NO_USER       ? "there is no such user" :
                code == EXIT_NO_IDENTITY  ? "its identity could not be taken on" :
                code == EXIT_NO_PROGRAM   ? "its program could not be run" :
                                            NULL;
}

static int on_child(sd_event_source *source _unused_, const siginfo_t *info, void *userdata) {
        struct worker *worker = ASSERT_PTR(userdata), *other;
        struct broker *broker = worker->broker;
        const char *name = program_names[worker->program];
        uid_t uid = worker->uid;
        const char *why = info->si_code == CLD_EXITED ? why_it_never_ran(info->si_status) : NULL;

        if (why) {
                log_error("no %s for uid %u: %s", name, uid, why);
                tell(broker, worker->id, info->si_status == EXIT_NO_USER ? -ESRCH : -EPERM, why);
        } else if (info->si_code != CLD_EXITED || info->si_status != 0)
                log_notice("%s of uid %u ended (%s %d)", name, uid, info->si_code == CLD_EXITED ? "code" : "signal", info->si_status);
        worker_remove(worker);
        DL_FOREACH(broker->workers, other)
                if (other->uid == uid && other->pid == 0) {
                        worker_start(other);
                        break;
                }
        return 0;
}

static void worker_start(struct worker *worker) {
        struct broker *broker = worker->broker;
        pid_t pid = fork();
        int r;

        if (pid == 0)
                run_program(broker, worker);
        if (pid < 0) {
                tell(broker, worker->id, -errno, "no new process");
                worker_remove(worker);
                return;
        }
        worker->pid = pid;
        worker->fd = fd_close(worker->fd);
        r = sd_event_add_child(broker->event, &worker->source, pid, WEXITED, on_child, worker);
        if (r < 0) {
                log_error("cannot watch a process: %s", strerror(-r));
                (void) kill(pid, SIGKILL);
                (void) sd_event_exit(broker->event, EXIT_FAILURE); /* all die, and all is begun anew */
                return;
        }
        log_debug("%s of uid %u is process %d", program_names[worker->program], worker->uid, (int) pid);
        tell(broker, worker->id, 0, "");
}

/* Is there an older dosvc-owner? It is killed; who waited for its end waits no longer. */
static bool displace(struct broker *broker, uid_t uid) {
        struct worker *worker, *next;
        bool alive = false;

        DL_FOREACH_SAFE(broker->workers, worker, next) {
                if (worker->uid != uid || worker->program != IPC_PROGRAM_OWNER)
                        continue;
                if (worker->pid == 0)
                        worker_remove(worker);
                else {
                        (void) kill(worker->pid, SIGKILL);
                        alive = true;
                }
        }
        return alive;
}

/* The core lets go of a runner after its time; one that was stopped does not see that, and may not keep its place for ever. */
static void end_oldest_runner(struct broker *broker, uid_t uid) {
        struct worker *worker, *oldest = NULL;
        unsigned n = 0;

        DL_FOREACH(broker->workers, worker) {
                if (worker->uid != uid || worker->program != IPC_PROGRAM_RUNNER)
                        continue;
                oldest = oldest ?: worker;
                n++;
        }
        if (n >= RUNNERS_MAX)
                (void) kill(oldest->pid, SIGKILL);
}

static void on_spawn(struct broker *broker, const struct ipc_spawn *spawn, int fd) {
        struct worker *worker;
        bool waits = false;

        if (!uid_policy_allows(&broker->policy, spawn->uid)) {
                log_notice("no process for uid %u: users of the system are served only where the configuration names them", spawn->uid);
                return tell(broker, spawn->id, -EPERM, "this user is not served");
        }
        if (spawn->program == IPC_PROGRAM_OWNER)
                waits = displace(broker, spawn->uid);
        else
                end_oldest_runner(broker, spawn->uid);
        if (broker->n_workers >= WORKERS_MAX)
                return tell(broker, spawn->id, -EAGAIN, "too many owners at once");
        worker = malloc(sizeof(*worker));
        if (!worker)
                return tell(broker, spawn->id, -ENOMEM, "no memory");
        *worker = (struct worker) { .broker = broker, .uid = spawn->uid, .program = spawn->program, .id = spawn->id, .fd = fd_dup(fd) };
        DL_APPEND(broker->workers, worker);
        broker->n_workers++;
        if (worker->fd < 0) {
                tell(broker, spawn->id, worker->fd, "too many open files");
                worker_remove(worker);
        } else if (!waits)
                worker_start(worker);
}

/* ---- the core ---- */

static void on_message(void *userdata, const struct ipc_message *message, int fd) {
        struct broker *broker = ASSERT_PTR(userdata);

        if (message->type == IPC_SPAWN && fd >= 0)
                on_spawn(broker, &message->spawn, fd);
        (void) fd_close(fd);
}

/* The one that is installed now is started by the socket unit, when the core asks again; our children end with us. */
static void give_way(struct broker *broker) {
        if (!successor_is_installed(broker->successor)) {
                log_error("dosvcd is of another version than dosvc-broker (%s), and no other dosvc-broker is installed", DOSVC_VERSION);
                return;
        }
        log_notice("dosvcd is of another version: dosvc-broker was upgraded; this one leaves");
        (void) sd_event_exit(broker->event, EXIT_SUCCESS);
}

/* Its owner processes see the end of their own connections. */
static void on_closed(void *userdata, int error) {
        struct broker *broker = ASSERT_PTR(userdata);

        if (error == -EPROTONOSUPPORT)
                give_way(broker);
        else if (error != -ECONNRESET)
                log_warning("the core broke the rules: %s", strerror(-error));
        broker->core = link_free(broker->core);
}

static int on_connection(sd_event_source *source _unused_, int listen_fd, uint32_t events _unused_, void *userdata) {
        static const struct link_callbacks callbacks = { .message = on_message, .closed = on_closed };
        struct broker *broker = ASSERT_PTR(userdata);
        _cleanup_close_ int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct ucred credentials = { .uid = (uid_t) -1 };
        socklen_t size = sizeof(credentials);
        int r;

        if (fd < 0)
                return 0;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0 || size != sizeof(credentials) ||
            credentials.uid != broker->core_uid) {
                log_warning("a connection of uid %u was refused: only the core may ask", credentials.uid);
                return 0;
        }
        /* A core begins with what the configuration says when it starts, and is not contradicted by what it said when we did. */
        if (uid_policy_read(&broker->policy, broker->config) < 0)
                log_warning("who of the users of the system is served stays as it was");
        /* There is one core; the older connection is that of one that died. */
        broker->core = link_free(broker->core);
        r = link_new(broker->event, fd, IPC_ROLE_BROKER, IPC_ROLE_CORE, &callbacks, broker, &broker->core);
        if (r < 0)
                return r;
        (void) TAKE_FD(fd);
        return 0;
}

/* ---- start ---- */

struct options {
        const char *listen;
        const char *core_user;
        const char *config;
        bool verbose;
};

static int parse_options(int argc, char **argv, struct options *ret) {
        static const struct option options[] = {
                { "listen", required_argument, NULL, 'l' },
                { "core-user", required_argument, NULL, 'u' },
                { "config", required_argument, NULL, 'c' },
                { "verbose", no_argument, NULL, 'v' },
                {},
        };
        int c;

        *ret = (struct options) { .core_user = "dosvc" };
        while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
                switch (c) {
                case 'l':
                        ret->listen = optarg;
                        break;
                case 'u':
                        ret->core_user = optarg;
                        break;
                case 'c':
                        ret->config = optarg;
                        break;
                case 'v':
                        ret->verbose = true;
                        break;
                default:
                        return -EINVAL;
                }
        return optind == argc ? 0 : -EINVAL;
}

/* Root's, 0600; given to the core's user. */
static int listen_at(const char *path, uid_t core_uid) {
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return -errno;
        if (strlen(path) >= sizeof(name.sun_path))
                return -ENAMETOOLONG;
        (void) stpcpy(name.sun_path, path);
        (void) unlink(path);
        if (bind(fd, (const struct sockaddr *) &name, sizeof(name)) < 0 || chmod(path, 0600) < 0 ||
            chown(path, core_uid, (gid_t) -1) < 0 || listen(fd, 4) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int open_socket(const struct options *options, uid_t core_uid) {
        if (options->listen)
                return listen_at(options->listen, core_uid);
        if (sd_listen_fds(1) != 1 || sd_is_socket(SD_LISTEN_FDS_START, AF_UNIX, SOCK_SEQPACKET, 1) <= 0) {
                log_error("there is no socket; start it by its socket unit, or with --listen");
                return -ENOTSOCK;
        }
        return SD_LISTEN_FDS_START;
}

/* Processes that are left die with us. */
static void broker_done(struct broker *broker) {
        struct worker *worker, *next;

        DL_FOREACH_SAFE(broker->workers, worker, next)
                worker_remove(worker);
        broker->core = link_free(broker->core);
        for (unsigned i = 0; i < _IPC_PROGRAM_MAX; i++)
                free(broker->programs[i]);
        broker->listen_fd = fd_close(broker->listen_fd);
        broker->event = sd_event_unref(broker->event);
}

static int run(const struct options *options, struct successor *successor) {
        const struct passwd *core = getpwnam(options->core_user);
        _cleanup_(broker_done) struct broker broker = {
                .verbose = options->verbose, .config = options->config, .successor = successor, .listen_fd = -EBADF
        };
        int r = 0;

        if (!core) {
                log_error("there is no user %s for the core", options->core_user);
                return -ESRCH;
        }
        broker.core_uid = core->pw_uid;
        for (unsigned i = 0; r >= 0 && i < _IPC_PROGRAM_MAX; i++)
                r = programs_find(program_names[i], &broker.programs[i]);
        if (r >= 0)
                r = broker.listen_fd = open_socket(options, broker.core_uid);
        if (r >= 0)
                r = sd_event_default(&broker.event);
        if (r >= 0)
                r = sd_event_add_io(broker.event, NULL, broker.listen_fd, EPOLLIN, on_connection, &broker);
        if (r >= 0)
                r = sd_event_add_signal(broker.event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(broker.event, NULL, SIGINT, NULL, NULL);
        if (r < 0)
                return r;
        (void) sd_notify(0, "READY=1");
        return sd_event_loop(broker.event);
}

int main(int argc, char **argv) {
        _cleanup_(successor_freep) struct successor *successor = NULL;
        struct options options;
        sigset_t mask;
        int r;

        if (fd_occupy_standard() < 0 || successor_new(argv, &successor) < 0 || parse_options(argc, argv, &options) < 0)
                return 2;
        log_setup("dosvc-broker", options.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_NOTICE);
        (void) signal(SIGPIPE, SIG_IGN);
        (void) prctl(PR_SET_DUMPABLE, 0); /* no core file, whatever its unit says; those that it starts see to it themselves */
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGINT);
        (void) sigaddset(&mask, SIGCHLD);
        if (sigprocmask(SIG_SETMASK, &mask, NULL) < 0)
                return 1;
        r = run(&options, successor);
        if (r < 0)
                log_error("%s", strerror(-r));
        return r < 0 ? 1 : r;
}
