/* What test_compromised.py puts in the place of dosvc-transfer, dosvc-resolve or dosvc-owner: a process that was taken over, in its real
 * sandbox, with the identity and the descriptors that the real one has. It tries to do harm to what compromised.conf beside it names, and
 * writes one line for each attempt: its name and the errno, 0 where it worked.
 *
 *     compromised --target FILE      somebody else's process: writes its pid and where its secrets are to FILE, and stays
 *     compromised --outside          the same attempts without a sandbox, each in a process of its own
 *     anything else                  started as one of those programs, by its own name
 *
 * As an instance of a unit (tests/machine/test_system_compromised.py) it sees no folder of the test: it finds the file in /usr/lib and
 * writes to the journal, first what it can do with the unit around it alone, then what is left in the sandbox. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
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

#define ABSTRACT_NAME "dosvc-compromised" /* a listening socket of the victim's */
#define CONFIGURATION "compromised.conf"
#define CONFIGURATION_OF_UNITS "/usr/lib/" CONFIGURATION

/* Of the victim: a directory with the file "secret" and the listening socket "socket", its process, a key and a segment of memory that
 * everybody may read. */
static char victim[256], output[256], state[256];
static int target_pid;
static void *target_address;
static int target_key, target_segment;
static int own_socket; /* from before the sandbox */

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
static int use_socket(int (*use)(int fd, const struct sockaddr *name, socklen_t size), const char *path) {
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        size_t n = path ? strlen(path) : sizeof(ABSTRACT_NAME);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || n >= sizeof(name.sun_path))
                return -1;
        memcpy(name.sun_path, path ? path : "\0" ABSTRACT_NAME, n);
        return use(fd, (struct sockaddr *) &name, (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n + (path ? 1 : 0))) < 0 ? -1 : fd;
}
static long connect_socket(void) { return use_socket(connect, in(victim, "socket")); }
static long connect_abstract(void) { return use_socket(connect, NULL); }
static long open_packets(void) { return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); }
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
static long list_descriptors(void) {
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/%d/fd", target_pid);
        return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}
static long measure(void) {
        struct perf_event_attr attributes = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attributes) };

        return syscall(SYS_perf_event_open, &attributes, target_pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}
static long read_key(void) {
        char bytes[6];

        return syscall(SYS_keyctl, KEYCTL_READ, target_key, bytes, sizeof(bytes));
}
static long add_key(void) { return syscall(SYS_add_key, "user", "dosvc-compromised", "key", 3, KEY_SPEC_USER_KEYRING); }
static long share_memory(void) { return shmat(target_segment, NULL, SHM_RDONLY) == (void *) -1 ? -1 : 0; }
static long send_signal(void) { return kill(target_pid, SIGCONT); }
static long send_signal_by_descriptor(void) {
        int fd = (int) syscall(SYS_pidfd_open, target_pid, 0);

        return fd < 0 ? -1 : syscall(SYS_pidfd_send_signal, fd, SIGCONT, NULL, 0);
}
static long send_signal_to_thread(void) { return syscall(SYS_tgkill, target_pid, target_pid, SIGCONT); }
/* From the kernel, once the socket is ready. Whether it may come is judged only then: that it is asked for is what is looked at. */
static long send_signal_by_socket(void) { return fcntl(own_socket, F_SETOWN, target_pid); }
static long send_signal_by_socket_to_thread(void) {
        struct f_owner_ex owner = { F_OWNER_TID, target_pid };

        return fcntl(own_socket, F_SETOWN_EX, &owner);
}
static long send_signal_by_ioctl(void) { return ioctl(own_socket, FIOSETOWN, &target_pid); }
static long choose_signal(void) { return fcntl(own_socket, F_SETSIG, SIGKILL); }
static long run_program(void) { char *argv[] = { (char *) "/bin/true", NULL }; return execve(argv[0], argv, NULL); }
static long new_process(void) {
        long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

        if (pid == 0)
                _exit(0);
        return pid;
}
static long mount_something(void) { return mount("none", output, "tmpfs", 0, NULL); }
static long new_namespace(void) { return unshare(CLONE_NEWNS); }
static long new_user_namespace(void) { return unshare(CLONE_NEWUSER); }
static long load_bpf(void) {
        union bpf_attr attributes = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };

        return syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes));
}
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
        { "connect_abstract", connect_abstract }, { "open_packets", open_packets }, { "list_descriptors", list_descriptors },
        { "measure", measure }, { "read_key", read_key }, { "add_key", add_key }, { "share_memory", share_memory },
        { "send_signal_by_descriptor", send_signal_by_descriptor }, { "send_signal_to_thread", send_signal_to_thread },
        { "send_signal_by_socket", send_signal_by_socket }, { "send_signal_by_socket_to_thread", send_signal_by_socket_to_thread },
        { "send_signal_by_ioctl", send_signal_by_ioctl }, { "choose_signal", choose_signal },
        { "new_user_namespace", new_user_namespace }, { "load_bpf", load_bpf },
        { "become_root", become_root }, { "become_victim", become_victim }, { "set_clock", set_clock }, { "use_io_uring", use_io_uring },
};

static int outcome(long (*try)(void)) {
        errno = 0;
        return try() < 0 ? errno : 0;
}

static int outcome_in_child(long (*try)(void)) {
        int status;
        pid_t pid = fork();

        if (pid == 0)
                _exit(outcome(try)); /* a program that was run ends with 0 */
        return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 254;
}

static bool leave_mounts_alone(void) {
        return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static int be_target(const char *path) {
        static char secret[] = "secret";
        const char *slash = strrchr(path, '/');
        long key = syscall(SYS_add_key, "user", "dosvc-victim", secret, 6, KEY_SPEC_PROCESS_KEYRING);
        int segment = shmget(IPC_PRIVATE, 4096, 0666), fd, abstract_fd;
        FILE *f;

        (void) snprintf(victim, sizeof(victim), "%.*s", (int) (slash - path), path);
        fd = use_socket(bind, in(victim, "socket"));
        abstract_fd = use_socket(bind, NULL);
        if (key < 0 || syscall(SYS_keyctl, KEYCTL_SETPERM, key, 0x3f3f3f3f) < 0 || segment < 0 || listen(fd, 8) < 0 || listen(abstract_fd, 8) < 0)
                return 1;
        (void) shmat(segment, NULL, SHM_RDONLY); /* goes with this process */
        (void) shmctl(segment, IPC_RMID, NULL);
        f = fopen(path, "we");
        if (!f || fprintf(f, "%d %p %ld %d\n", (int) getpid(), (void *) secret, key, segment) < 0 || fclose(f) != 0)
                return 1;
        for (;;)
                (void) pause();
}

/* Return: whether this is an instance of a unit, -errno. */
static int read_configuration(const char *beside) {
        char path[512];
        FILE *f;
        int n;

        (void) snprintf(path, sizeof(path), "%.*s/" CONFIGURATION, (int) (strrchr(beside, '/') - beside), beside);
        f = fopen(path, "re") ?: fopen(CONFIGURATION_OF_UNITS, "re");
        if (!f)
                return -errno;
        n = fscanf(f, "%255s %255s %255s %d %p %d %d", victim, output, state, &target_pid, &target_address, &target_key, &target_segment);
        (void) fclose(f);
        return n == 7 ? access(path, F_OK) < 0 : -EINVAL;
}

static int enter_sandbox(const char *name, int *ret_landlock_abi) {
        struct sandbox_facts facts = {};
        int r;

        if (strcmp(name, "dosvc-transfer") == 0)
                r = sandbox_enter_transfer(STDERR_FILENO, &facts);
        else if (strcmp(name, "dosvc-resolve") == 0)
                r = sandbox_enter_resolve(STDERR_FILENO, &facts);
        else
                r = sandbox_enter_owner(&facts);
        *ret_landlock_abi = facts.landlock_abi;
        return r;
}

static void try_all(FILE *results, const char *prefix, int (*outcome_of)(long (*try)(void))) {
        for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
                (void) fprintf(results, "%s%s %d\n", prefix, attempts[i].name, outcome_of(attempts[i].try));
}

static int be_taken_over(const char *name, bool is_instance) {
        FILE *results = is_instance ? stderr : fopen(in(output, name), "wxe");
        int landlock_abi;

        if (!results)
                return 1; /* it was done already */
        if (is_instance)
                try_all(results, "unit ", outcome_in_child);
        if (enter_sandbox(name, &landlock_abi) < 0)
                return 1;
        try_all(results, is_instance ? "sandbox " : "", outcome);
        (void) fprintf(results, "landlock %d\nend 0\n", landlock_abi);
        return fflush(results) == 0 ? 0 : 1;
}

static int be_outside(void) {
        FILE *results = fopen(in(output, "outside"), "wxe");

        if (!results || !leave_mounts_alone())
                return 1;
        try_all(results, "", outcome_in_child);
        return fclose(results) == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
        char self[512] = {};
        int r;

        if (argc == 3 && strcmp(argv[1], "--target") == 0)
                return be_target(argv[2]);
        if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
                return 1;
        r = read_configuration(self);
        own_socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (r < 0 || own_socket < 0)
                return 1;
        return argc == 2 && strcmp(argv[1], "--outside") == 0 ? be_outside() : be_taken_over(strrchr(self, '/') + 1, r == 1);
}
