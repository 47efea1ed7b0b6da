/* hangfs MOUNTPOINT: an empty file system in which every look-up of a name waits until this process gets SIGUSR1
 * (then, and from then on, the answer is "no such file") or is ended by SIGTERM, SIGINT or an unmount.
 *
 * Prints "ready" when it is mounted. Attributes of the mount point itself are answered, as by a server that died
 * after the mount. A process that waits in a look-up cannot be killed: send SIGUSR1 first. */
#define FUSE_USE_VERSION 35

#include <errno.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAITING_MAX 4096

static fuse_req_t waiting[WAITING_MAX];
static size_t n_waiting;
static bool released;

static void hang_lookup(fuse_req_t request, fuse_ino_t parent, const char *name) {
        if (released || n_waiting == WAITING_MAX)
                fuse_reply_err(request, ENOENT);
        else
                waiting[n_waiting++] = request;
}

static void hang_getattr(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *info) {
        struct stat st = { .st_ino = ino, .st_mode = S_IFDIR | 0777, .st_nlink = 2 };

        fuse_reply_attr(request, &st, 0);
}

static const struct fuse_lowlevel_ops operations = {
        .lookup = hang_lookup,
        .getattr = hang_getattr,
};

static void release_all(void) {
        released = true;
        while (n_waiting > 0)
                fuse_reply_err(waiting[--n_waiting], ENOENT);
}

/* fuse_session_loop() would sit in a read: signals come through the same poll(2) here. */
static void serve(struct fuse_session *session, int signal_fd) {
        struct pollfd fds[2] = {
                { .fd = fuse_session_fd(session), .events = POLLIN },
                { .fd = signal_fd, .events = POLLIN },
        };
        struct fuse_buf buf = {};

        while (!fuse_session_exited(session)) {
                struct signalfd_siginfo info;
                int r;

                if (poll(fds, 2, -1) < 0 && errno != EINTR)
                        break;
                if (fds[1].revents & POLLIN && read(signal_fd, &info, sizeof(info)) == sizeof(info)) {
                        if (info.ssi_signo != SIGUSR1)
                                break;
                        release_all();
                }
                if (!fds[0].revents)
                        continue;
                r = fuse_session_receive_buf(session, &buf);
                if (r == -EINTR || r == -EAGAIN)
                        continue;
                if (r <= 0)
                        break;
                fuse_session_process_buf(session, &buf);
        }
        release_all();
        free(buf.mem);
}

int main(int argc, char *argv[]) {
        struct fuse_args args = FUSE_ARGS_INIT(1, argv);
        struct fuse_session *session;
        sigset_t signals;
        int signal_fd;

        if (argc != 2) {
                fprintf(stderr, "usage: hangfs MOUNTPOINT\n");
                return 2;
        }
        sigemptyset(&signals);
        sigaddset(&signals, SIGUSR1);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
        session = fuse_session_new(&args, &operations, sizeof(operations), NULL);
        if (signal_fd < 0 || !session || fuse_session_mount(session, argv[1]) < 0) {
                fprintf(stderr, "hangfs: cannot mount on %s\n", argv[1]);
                return 1;
        }
        printf("ready\n");
        fflush(stdout);
        serve(session, signal_fd);
        fuse_session_unmount(session);
        fuse_session_destroy(session);
        close(signal_fd);
        fuse_opt_free_args(&args);
        return 0;
}
