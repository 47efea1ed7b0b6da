/* Stands between a program (and its children) and chosen system calls, and kills or fails at the n-th of them.
 *
 *   gate --calls fdatasync,pwrite64,... --count FILE [--from N] [--kill | --error ENOSPC [--ever FLAG]] [--in main|children|all] -- PROGRAM ARG...
 *
 * --kill: the process that is about to make the N-th call dies of SIGKILL, the call is not made. --error: the N-th call fails with that,
 * with --ever also all that follow, as long as the file FLAG is not there. In FILE: a line "index call process" for each call.
 *
 * This is what "strace -e inject=...:when=N" does, but N counts over all threads together: strace counts in each thread by itself, so
 * that most calls of a program with worker threads would never be hit. It works by seccomp's user notifications: a supervisor in a
 * process of its own answers each of the calls; the program keeps the pid that its parent knows. openat means openat with O_CREAT. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIPPED 77
#define CHANNEL 900 /* the listener goes to the supervisor over this descriptor: its sendmsg is the only one that is not asked about */

struct options {
        char *calls;
        const char *count, *flag;
        unsigned long from;
        bool kill, main, children;
        int error;
        char **command;
};

static _Noreturn void fail(const char *what) {
        fprintf(stderr, "gate: %s: %s\n", what, strerror(errno));
        exit(SKIPPED);
}

static int error_number(const char *name) {
        static const struct {
                const char *name;
                int number;
        } known[] = { { "EIO", EIO }, { "ENOSPC", ENOSPC }, { "EDQUOT", EDQUOT }, { "EMFILE", EMFILE }, { "EROFS", EROFS } };

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                if (strcmp(known[i].name, name) == 0)
                        return known[i].number;
        errno = EINVAL;
        fail(name);
}

static struct options options_read(char **argv) {
        struct options o = { .from = ULONG_MAX, .main = true, .children = true };

        while (*++argv && strcmp(*argv, "--") != 0) {
                const char *key = *argv;

                if (strcmp(key, "--kill") == 0) {
                        o.kill = true;
                        continue;
                }
                if (!*++argv)
                        break;
                if (strcmp(key, "--calls") == 0)
                        o.calls = *argv;
                else if (strcmp(key, "--count") == 0)
                        o.count = *argv;
                else if (strcmp(key, "--from") == 0)
                        o.from = strtoul(*argv, NULL, 10);
                else if (strcmp(key, "--error") == 0)
                        o.error = error_number(*argv);
                else if (strcmp(key, "--ever") == 0)
                        o.flag = *argv;
                else if (strcmp(key, "--in") == 0) {
                        o.main = strcmp(*argv, "children") != 0;
                        o.children = strcmp(*argv, "main") != 0;
                }
        }
        if (!*argv || !argv[1] || !o.calls || !o.count) {
                errno = EINVAL;
                fail("usage");
        }
        o.command = argv + 1;
        return o;
}

/* Returns the listener. */
static int filter_load(char *calls) {
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        char *rest = NULL;
        int r = 0, listener;

        if (!filter)
                fail("seccomp_init");
        for (char *name = strtok_r(calls, ",", &rest); name && r == 0; name = strtok_r(NULL, ",", &rest)) {
                int number = seccomp_syscall_resolve_name(name);

                if (number < 0)
                        continue; /* rename is no call on every machine */
                if (strcmp(name, "openat") == 0)
                        r = seccomp_rule_add(filter, SCMP_ACT_NOTIFY, number, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, O_CREAT, O_CREAT));
                else if (strcmp(name, "sendmsg") == 0)
                        r = seccomp_rule_add(filter, SCMP_ACT_NOTIFY, number, 1, SCMP_A0(SCMP_CMP_NE, CHANNEL));
                else
                        r = seccomp_rule_add(filter, SCMP_ACT_NOTIFY, number, 0);
        }
        if (r == 0)
                r = seccomp_load(filter);
        if (r < 0) {
                errno = -r;
                fail("seccomp_load");
        }
        listener = seccomp_notify_fd(filter);
        if (listener < 0)
                fail("seccomp_notify_fd");
        return listener;
}

static void listener_send(int listener) {
        char byte = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
        struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);

        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &listener, sizeof(int));
        if (sendmsg(CHANNEL, &message, 0) < 0)
                fail("sendmsg");
}

static int listener_receive(int channel) {
        char byte, control[CMSG_SPACE(sizeof(int))];
        struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
        int listener;

        if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&message))
                exit(SKIPPED); /* the other end has said why */
        memcpy(&listener, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
        return listener;
}

/* The process of a thread; 0: it is gone. */
static pid_t process_of(pid_t thread) {
        char path[64], line[256];
        pid_t process = 0;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/status", (int) thread);
        f = fopen(path, "re");
        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "Tgid: %d", &process) == 1)
                        break;
        if (f)
                fclose(f);
        return process;
}

static void answer(const struct options *o, FILE *log, int listener, pid_t program, const struct seccomp_notif *request,
                struct seccomp_notif_resp *response) {
        static unsigned long index;
        pid_t process = process_of(request->pid);
        bool counted = process == program ? o->main : o->children, hit;
        char *name;

        response->id = request->id;
        response->val = 0;
        response->error = 0;
        response->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        if (!process || seccomp_notify_id_valid(listener, request->id) < 0)
                return;
        if (counted) {
                name = seccomp_syscall_resolve_num_arch(request->data.arch, request->data.nr);
                fprintf(log, "%lu %s %s\n", ++index, name, process == program ? "service" : "child");
                free(name);
        }
        hit = counted && (index == o->from || (o->flag && index > o->from));
        if (hit && o->kill) {
                fflush(log);
                kill(process, SIGKILL);
        } else if (hit && o->error && !(o->flag && access(o->flag, F_OK) == 0)) {
                response->flags = 0;
                response->error = -o->error;
        }
}

static int supervise(const struct options *o, int listener, pid_t program) {
        struct seccomp_notif *request;
        struct seccomp_notif_resp *response;
        struct pollfd p = { .fd = listener, .events = POLLIN };
        FILE *log = fopen(o->count, "we");

        if (!log || seccomp_notify_alloc(&request, &response) < 0)
                fail(o->count);
        setvbuf(log, NULL, _IOLBF, 0);
        for (;;) {
                if (poll(&p, 1, -1) < 0 && errno != EINTR)
                        fail("poll");
                if (!(p.revents & POLLIN)) {
                        if (p.revents & (POLLHUP | POLLERR))
                                return 0; /* nobody is left behind the gate */
                        continue;
                }
                memset(request, 0, sizeof(*request));
                if (seccomp_notify_receive(listener, request) < 0)
                        continue; /* killed before we looked */
                answer(o, log, listener, program, request, response);
                (void) seccomp_notify_respond(listener, response); /* whoever was killed needs no answer */
        }
}

int main(int argc, char **argv) {
        struct options o = options_read(argv);
        pid_t program = getpid(), child;
        int pair[2];

        (void) argc;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                fail("socketpair");
        child = fork();
        if (child < 0)
                fail("fork");
        if (child == 0) {
                close(pair[0]);
                if (fork() != 0)
                        _exit(0); /* the program has no children that it did not make */
                setsid();
                return supervise(&o, listener_receive(pair[1]), program);
        }
        waitpid(child, NULL, 0);
        close(pair[1]);
        if (dup3(pair[0], CHANNEL, O_CLOEXEC) < 0)
                fail("dup3");
        close(pair[0]);
        listener_send(filter_load(o.calls));
        execv(o.command[0], o.command);
        fail(o.command[0]);
}
