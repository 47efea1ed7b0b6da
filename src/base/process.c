#include "base/process.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fds.h"

#define FDS_MAX 8                          /* for one child that is made apart */
#define SPAWNER_STACK_BYTES (256 * 1024)

/* The thread that makes children apart; -EBADF: there is none. */
static int spawner_fd = -EBADF;
static pthread_t spawner;

/* What it is to do. Its descriptors come beside it: a number means another file there. */
struct order {
        struct process_spawn spawn;
        pid_t pid;
        int error;
};

/* Standard streams to /dev/null, @fds to 3…, everything above closed. */
static int prepare_files(posix_spawn_file_actions_t *actions, const struct process_spawn *spawn) {
        int r;

        r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (r == 0)
                r = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        if (r == 0 && spawn->silent)
                r = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        for (int i = 0; r == 0 && i < spawn->n_fds; i++)
                r = posix_spawn_file_actions_adddup2(actions, spawn->fds[i], 3 + i);
        if (r == 0)
                r = posix_spawn_file_actions_addclosefrom_np(actions, 3 + spawn->n_fds);
        return -r;
}

/* No signal of ours is blocked or ignored there. */
static int prepare_attributes(posix_spawnattr_t *attributes, bool new_session) {
        sigset_t none, all;
        int r;

        sigemptyset(&none);
        sigfillset(&all);
        r = posix_spawnattr_setsigmask(attributes, &none);
        if (r == 0)
                r = posix_spawnattr_setsigdefault(attributes, &all);
        if (r == 0)
                r = posix_spawnattr_setpgroup(attributes, 0);
        if (r == 0)
                r = posix_spawnattr_setflags(attributes,
                                             (short) (POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                      (new_session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP)));
        return -r;
}

static int spawn_here(const struct process_spawn *spawn, pid_t *ret_pid) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        int r;

        r = -posix_spawn_file_actions_init(&actions);
        if (r < 0)
                return r;
        r = -posix_spawnattr_init(&attributes);
        if (r < 0) {
                (void) posix_spawn_file_actions_destroy(&actions);
                return r;
        }
        r = prepare_files(&actions, spawn);
        if (r == 0)
                r = prepare_attributes(&attributes, spawn->new_session);
        if (r == 0)
                r = -posix_spawn(ret_pid, spawn->program, &actions, &attributes, spawn->arguments, spawn->environment);
        (void) posix_spawnattr_destroy(&attributes);
        (void) posix_spawn_file_actions_destroy(&actions);
        return r;
}

/* ---- a thread with a descriptor table of its own ---- */

/* Of orders and answers only the address travels: both threads have the same memory. */
static int send_order(int socket, struct order *order, const int *fds, int n_fds) {
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * FDS_MAX)] = {};
        struct iovec iov = { &order, sizeof(order) };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
        struct cmsghdr *c = (struct cmsghdr *) control;
        ssize_t n;

        if (n_fds > 0) {
                *c = (struct cmsghdr) { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * (size_t) n_fds) };
                memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t) n_fds);
                message.msg_control = control;
                message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t) n_fds);
        }
        do
                n = sendmsg(socket, &message, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : 0;
}

/* NULL: the other end is gone. @fds are the caller's then. */
static struct order *receive_order(int socket, int fds[static FDS_MAX], int *ret_n_fds) {
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * FDS_MAX)];
        struct order *order = NULL;
        struct iovec iov = { &order, sizeof(order) };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
        struct cmsghdr *c;
        ssize_t n;

        do
                n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n != sizeof(order))
                return NULL;
        c = CMSG_FIRSTHDR(&message);
        *ret_n_fds = c ? (int) ((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
        if (c)
                memcpy(fds, CMSG_DATA(c), sizeof(int) * (size_t) *ret_n_fds);
        return order;
}

/* Above those that they become in the child. */
static int raise_all(int *fds, int n_fds) {
        for (int i = 0; i < n_fds; i++) {
                int raised = fcntl(fds[i], F_DUPFD_CLOEXEC, 3 + n_fds);

                if (raised < 0)
                        return -errno;
                (void) fd_close(fds[i]);
                fds[i] = raised;
        }
        return 0;
}

static void carry_out(struct order *order, int *fds, int n_fds) {
        order->error = n_fds == order->spawn.n_fds ? raise_all(fds, n_fds) : -EMFILE;
        order->spawn.fds = fds;
        if (order->error == 0)
                order->error = spawn_here(&order->spawn, &order->pid);
        for (int i = 0; i < n_fds; i++)
                (void) fd_close(fds[i]);
}

static void *spawner_main(void *arg) {
        int *pair = arg, fds[FDS_MAX], socket = pair[1], n_fds = 0;
        struct order *order;

        if (unshare(CLONE_FILES) < 0) {
                struct order refused = { .error = -errno };

                (void) send_order(socket, &refused, NULL, 0);
                (void) receive_order(socket, fds, &n_fds); /* it has read that */
                return NULL;
        }
        /* Else what we close would stay open here. */
        if (socket > 3)
                (void) close_range(3, (unsigned) socket - 1, 0);
        (void) close_range((unsigned) socket + 1, ~0u, 0);
        for (order = &(struct order) {}; order; order = receive_order(socket, fds, &n_fds)) {
                if (order->spawn.program)
                        carry_out(order, fds, n_fds);
                if (send_order(socket, order, NULL, 0) < 0)
                        break;
        }
        return NULL;
}

int process_spawn_apart(void) {
        int pair[2], fds[FDS_MAX], n_fds, r;
        pthread_attr_t attributes;
        struct order *answer;
        sigset_t all, old;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        r = -pthread_attr_init(&attributes);
        if (r == 0) {
                (void) pthread_attr_setstacksize(&attributes, SPAWNER_STACK_BYTES);
                sigfillset(&all); /* signals belong to the loop's thread */
                (void) pthread_sigmask(SIG_SETMASK, &all, &old);
                r = -pthread_create(&spawner, &attributes, spawner_main, pair);
                (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
                (void) pthread_attr_destroy(&attributes);
        }
        if (r < 0) {
                (void) fd_close(pair[0]);
                (void) fd_close(pair[1]);
                return r;
        }
        spawner_fd = pair[0];
        answer = receive_order(pair[0], fds, &n_fds);
        r = answer ? answer->error : -ECONNRESET;
        (void) fd_close(pair[1]);
        if (r < 0)
                process_spawn_together();
        return r;
}

void process_spawn_together(void) {
        if (spawner_fd < 0)
                return;
        spawner_fd = fd_close(spawner_fd); /* it hears that, and ends */
        (void) pthread_join(spawner, NULL);
}

int process_spawn(const struct process_spawn *spawn, pid_t *ret_pid) {
        struct order order = { .spawn = *spawn }, *answer;
        int fds[FDS_MAX], n_fds, r;

        if (spawner_fd < 0 || spawn->n_fds > FDS_MAX)
                return spawn_here(spawn, ret_pid);
        r = send_order(spawner_fd, &order, spawn->fds, spawn->n_fds);
        if (r < 0)
                return r;
        answer = receive_order(spawner_fd, fds, &n_fds);
        if (!answer)
                return -ECONNRESET;
        if (answer->error == 0)
                *ret_pid = answer->pid;
        return answer->error;
}
