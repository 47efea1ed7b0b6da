/* What test_compromised.py puts in the place of dosvc-transfer or dosvc-owner: a process that was taken over, in its real sandbox, with
 * the identity and the descriptors that the real one has. It tries to do harm to what compromised.conf beside it names, and writes one
 * line for each attempt: its name and the errno, 0 where it worked.
 *
 *     compromised --target FILE      somebody else's process: writes its pid and where its secret is to FILE, and stays
 *     compromised --outside          the same attempts without a sandbox, each in a process of its own
 *     anything else                  started as dosvc-transfer or dosvc-owner, by its own name */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/sandbox.h"

/* Of the victim: a directory with the file "secret" and the listening socket "socket", and its process. */
static char victim[256], output[256], state[256];
static int target_pid;
static void *target_address;

static const char *in(const char *folder, const char *name) {
        static char path[512];

        (void) snprintf(path, sizeof(path), "%s/%s", folder, name);
        return path;
}

static long read_secret(void) { return open(in(victim, "secret"), O_RDONLY | O_CLOEXEC); }
static long write_secret(void) { return open(in(victim, "secret"), O_WRONLY | O_CLOEXEC); }
static long make_file(void) { return open(in(victim, "made"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600); }
static long remove_file(void) { return unlink(in(victim, "removable")); }
static long rename_file(void) {
        char to[512];

        (void) snprintf(to, sizeof(to), "%s/renamed", victim);
        return rename(in(victim, "movable"), to);
}
static long list_folder(void) { return open(victim, O_RDONLY | O_DIRECTORY | O_CLOEXEC); }
static long link_secret(void) {
        char from[512];

        (void) snprintf(from, sizeof(from), "%s/secret", victim);
        return link(from, in(output, "link"));
}
static long make_symlink(void) { return symlink("/etc/shadow", in(output, "symlink")); }
static long give_away(void) { return fchownat(AT_FDCWD, in(victim, "secret"), 0, 0, 0); }
static long set_uid_bit(void) { return fchmodat(AT_FDCWD, in(victim, "secret"), 04755, 0); }
static long make_device(void) { return mknod(in(output, "device"), S_IFCHR | 0600, makedev(1, 3)); }
static long read_state(void) { return open(in(state, "jobs.sqlite"), O_RDONLY | O_CLOEXEC); }
static long read_shadow(void) { return open("/etc/shadow", O_RDONLY | O_CLOEXEC); }
static long connect_socket(void) {
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -1;
        (void) snprintf(name.sun_path, sizeof(name.sun_path), "%.100s/socket", victim);
        return connect(fd, (struct sockaddr *) &name, sizeof(name));
}
static long open_netlink(void) { return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0); }
static long open_raw(void) { return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 1); }
static long attach(void) { return ptrace(PTRACE_SEIZE, target_pid, NULL, NULL); }
static long read_memory(void) {
        char bytes[6];
        struct iovec local = { bytes, sizeof(bytes) }, remote = { target_address, sizeof(bytes) };

        return process_vm_readv(target_pid, &local, 1, &remote, 1, 0);
}
static long open_memory(void) {
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/%d/mem", target_pid);
        return open(path, O_RDWR | O_CLOEXEC);
}
static long take_descriptor(void) {
        int fd = (int) syscall(SYS_pidfd_open, target_pid, 0);

        return fd < 0 ? -1 : syscall(SYS_pidfd_getfd, fd, 0, 0);
}
static long send_signal(void) { return kill(target_pid, SIGCONT); }
static long run_program(void) { char *argv[] = { (char *) "/bin/true", NULL }; return execve(argv[0], argv, NULL); }
static long new_process(void) {
        long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

        if (pid == 0)
                _exit(0);
        return pid;
}
static long mount_something(void) { return mount("none", output, "tmpfs", 0, NULL); }
static long new_namespace(void) { return unshare(CLONE_NEWNS); }
static long change_root(void) { return chroot("/"); }
static long become_root(void) { return syscall(SYS_setresuid, 0, 0, 0); }
static long become_victim(void) { return syscall(SYS_setresuid, 2002, 2002, 2002); }
static long set_clock(void) {
        struct timespec now;

        return clock_gettime(CLOCK_REALTIME, &now) < 0 ? -1 : clock_settime(CLOCK_REALTIME, &now);
}
static long use_io_uring(void) {
        _Alignas(8) char parameters[120] = {};

        return syscall(SYS_io_uring_setup, 1, parameters);
}

static const struct {
        const char *name;
        long (*try)(void);
} attempts[] = {
        { "read_secret", read_secret }, { "write_secret", write_secret }, { "make_file", make_file }, { "remove_file", remove_file },
        { "rename_file", rename_file }, { "list_folder", list_folder }, { "link_secret", link_secret }, { "make_symlink", make_symlink },
        { "give_away", give_away }, { "set_uid_bit", set_uid_bit }, { "make_device", make_device }, { "read_state", read_state },
        { "read_shadow", read_shadow }, { "connect_socket", connect_socket }, { "open_netlink", open_netlink }, { "open_raw", open_raw },
        { "attach", attach }, { "read_memory", read_memory }, { "open_memory", open_memory }, { "take_descriptor", take_descriptor },
        { "send_signal", send_signal }, { "run_program", run_program }, { "new_process", new_process },
        { "mount_something", mount_something }, { "new_namespace", new_namespace }, { "change_root", change_root },
        { "become_root", become_root }, { "become_victim", become_victim }, { "set_clock", set_clock }, { "use_io_uring", use_io_uring },
};

static int outcome(long (*try)(void)) {
        errno = 0;
        return try() < 0 ? errno : 0;
}

/* A program that was run ends with 0. */
static int outcome_in_child(long (*try)(void)) {
        int status;
        pid_t pid = fork();

        if (pid == 0)
                _exit(unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? 255 : outcome(try));
        return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 254;
}

static int be_target(const char *path) {
        static char secret[] = "secret";
        FILE *f = fopen(path, "we");

        if (!f || fprintf(f, "%d %p\n", (int) getpid(), (void *) secret) < 0 || fclose(f) != 0)
                return 1;
        for (;;)
                (void) pause();
}

static int read_configuration(const char *beside) {
        char path[512];
        FILE *f;
        int n;

        (void) snprintf(path, sizeof(path), "%.*s/compromised.conf", (int) (strrchr(beside, '/') - beside), beside);
        f = fopen(path, "re");
        if (!f)
                return -errno;
        n = fscanf(f, "%255s %255s %255s %d %p", victim, output, state, &target_pid, &target_address);
        (void) fclose(f);
        return n == 5 ? 0 : -EINVAL;
}

int main(int argc, char **argv) {
        struct sandbox_facts facts;
        char self[512] = {};
        const char *name;
        FILE *results;
        bool outside = argc == 2 && strcmp(argv[1], "--outside") == 0;
        int r;

        if (argc == 3 && strcmp(argv[1], "--target") == 0)
                return be_target(argv[2]);
        if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 || read_configuration(self) < 0)
                return 1;
        name = outside ? "outside" : strrchr(self, '/') + 1;
        results = fopen(in(output, name), "wxe");
        if (!results)
                return 1; /* it was done already */
        r = outside ? 0 : strcmp(name, "dosvc-transfer") == 0 ? sandbox_enter_transfer(STDERR_FILENO, &facts) : sandbox_enter_owner(&facts);
        if (r < 0)
                return 1;
        for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
                (void) fprintf(results, "%s %d\n", attempts[i].name, outside ? outcome_in_child(attempts[i].try) : outcome(attempts[i].try));
        (void) fprintf(results, "end 0\n");
        return fflush(results) == 0 ? 0 : 1;
}
