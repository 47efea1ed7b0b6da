/* What a process that was taken over can still do: each test enters the real sandbox in a child and tries. */
#include "daemon/sandbox.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fds.h"
#include "protocol/limits.h"

struct attempt {
        const char *what;
        long (*try)(void);
        int expected; /* errno; 0: must work */
};

static int given_fd; /* as a request's descriptor */
static int given_socket;
static int kept_fd;  /* as the lifeline */
static char canary[64]; /* a file that must not come into being */

static long try_openat(void) { return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY); }
static long try_open(void) { return syscall(SYS_open, "/etc/passwd", O_RDONLY); }
static long try_openat2(void) { return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", NULL, 0); }
static long try_creat(void) { return syscall(SYS_openat, AT_FDCWD, canary, O_WRONLY | O_CREAT, 0600); }
static long try_stat(void) { struct stat st; return syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &st, 0); }
static long try_unlink(void) { return unlink(canary); }
static long try_readlink(void) { char b[8]; return readlink("/proc/self/exe", b, sizeof(b)); }
static long try_unix(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }
static long try_unix_pair(void) { int fds[2]; return socketpair(AF_UNIX, SOCK_STREAM, 0, fds); }
static long try_netlink(void) { return socket(AF_NETLINK, SOCK_RAW, 0); }
static long try_packet(void) { return socket(AF_PACKET, SOCK_RAW, 0); }
static long try_udp(void) { return socket(AF_INET, SOCK_DGRAM, 0); }
static long try_udp6(void) { return socket(AF_INET6, SOCK_DGRAM, 0); }
static long try_raw(void) { return socket(AF_INET, SOCK_RAW, 1); }
static long try_tcp(void) { return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }
static long try_tcp6(void) { return socket(AF_INET6, SOCK_STREAM, 0); }
static long try_tcp_by_name(void) { return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP); } /* so libcurl does */
static long try_tcp6_by_name(void) { return socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP); }
static long try_sctp(void) { return socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP); }
static long try_sctp6(void) { return socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP); }
static long try_mptcp(void) { return socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP); }
static long try_mptcp6(void) { return socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_MPTCP); }
static long try_unknown_stream(void) { return socket(AF_INET, SOCK_STREAM, 253); }
static long try_bind(void) { return bind(given_fd, NULL, 0); }
static long try_listen(void) { return listen(given_fd, 1); }
static long try_accept(void) { return accept(given_fd, NULL, NULL); }
static long try_execve(void) { char *argv[] = { (char *) "/bin/true", NULL }; return execve(argv[0], argv, NULL); }
static long try_fork(void) { return syscall(SYS_fork); }
static long try_vfork(void) { return syscall(SYS_clone, CLONE_VM | SIGCHLD, NULL, NULL, NULL, NULL); }
static long try_clone3(void) { return syscall(SYS_clone3, NULL, 0); }
static long try_ptrace(void) { return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL); }
static long try_read_memory(void) {
        char byte;
        struct iovec local = { &byte, 1 }, remote = { &given_fd, 1 };

        return process_vm_readv(getppid(), &local, 1, &remote, 1, 0);
}
static long try_kill(void) { return kill(getppid(), 0); }
static long try_tgkill(void) { return syscall(SYS_tgkill, getppid(), getppid(), 0); }
static long try_tgkill_in_disguise(void) { return syscall(SYS_tgkill, (UINT64_C(1) << 40) | (unsigned) getppid(), getppid(), 0); }
static long try_own_tgkill(void) { return syscall(SYS_tgkill, getpid(), gettid(), 0); }
static long try_pidfd(void) { return syscall(SYS_pidfd_open, getppid(), 0); }
static long try_mount(void) { return mount("none", "/tmp", "tmpfs", 0, NULL); }
static long try_unshare(void) { return unshare(CLONE_NEWUSER); }
static long try_keyctl(void) { return syscall(SYS_keyctl, 0, -3, 0); }
static long try_io_uring(void) { return syscall(SYS_io_uring_setup, 1, NULL); }
static long try_bpf(void) { return syscall(SYS_bpf, 0, NULL, 0); }
static long try_perf(void) { return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0); }
static long try_userfaultfd(void) { return syscall(SYS_userfaultfd, 0); }
static long try_executable_memory(void) {
        return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}
static long try_setuid(void) { return setuid(0); }
static long try_prlimit(void) { struct rlimit l = { 1, 1 }; return prlimit(0, RLIMIT_NOFILE, &l, NULL); }
static long try_owner(void) { return fcntl(given_fd, F_SETOWN, getppid()); }
static long try_owner_in_disguise(void) { return syscall(SYS_fcntl, given_fd, (UINT64_C(1) << 40) | F_SETOWN, getppid()); }
static long try_owner_ex(void) {
        struct f_owner_ex owner = { F_OWNER_PID, getppid() };

        return fcntl(given_fd, F_SETOWN_EX, &owner);
}
static long try_signal_of_owner(void) { return fcntl(given_fd, F_SETSIG, SIGKILL); }
static long try_owner_of_socket(void) { pid_t pid = getppid(); return ioctl(given_socket, FIOSETOWN, &pid); }
static long try_group_of_socket(void) { pid_t pid = getppid(); return ioctl(given_socket, SIOCSPGRP, &pid); }
static long try_owner_of_socket_in_disguise(void) {
        pid_t pid = getppid();

        return syscall(SYS_ioctl, given_socket, (UINT64_C(1) << 40) | FIOSETOWN, &pid);
}
static long try_close_kept(void) { return close(kept_fd); }
static long try_close_kept_in_disguise(void) { return syscall(SYS_close, (UINT64_C(1) << 40) | (unsigned) kept_fd); }
static long try_change_kept(void) { return fcntl(kept_fd, F_SETFL, O_NONBLOCK); }
static long try_cover_kept(void) { return dup2(given_fd, kept_fd); }
static long try_copy_kept(void) { return dup(kept_fd); }
static long try_cover_kept_in_disguise(void) { return syscall(SYS_dup3, given_fd, (UINT64_C(1) << 40) | (unsigned) kept_fd, 0); }
static long try_close_range(void) { return close_range((unsigned) kept_fd, (unsigned) kept_fd, 0); }
static long try_silence_kept(void) { int off = 0; return ioctl(kept_fd, FIOASYNC, &off); }
static long try_unix_datagram(void) { return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); }
static long try_unix_datagram_in_disguise(void) { return syscall(SYS_socket, (UINT64_C(1) << 40) | AF_UNIX, SOCK_DGRAM, 0); }
static long try_unix_packets(void) { return socket(AF_UNIX, SOCK_SEQPACKET, 0); }
static long try_type(void) { return ioctl(given_fd, TIOCSTI, "x"); }
static long try_paste(void) { char paste = 3; return ioctl(given_fd, TIOCLINUX, &paste); }
static long try_truncate(void) { return ftruncate(given_fd, 0); }
static long try_chmod(void) { return fchmod(given_fd, 0777); }
static long try_memory(void) {
        return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}
static long try_pwrite(void) { return pwrite(given_fd, "x", 1, 5); }
static long try_x32(void) { return syscall(0x40000000 + SYS_getpid); }

/* The parent has the same user: but for the sandbox all of them would work. */
#define SIGNALS_TO_OTHERS \
        { "kill", try_kill, EPERM }, { "tgkill", try_tgkill, EPERM }, { "tgkill in disguise", try_tgkill_in_disguise, EPERM }, \
        { "F_SETOWN", try_owner, EPERM }, { "F_SETOWN in disguise", try_owner_in_disguise, EPERM }, { "F_SETOWN_EX", try_owner_ex, EPERM }, \
        { "F_SETSIG", try_signal_of_owner, EPERM }, { "FIOSETOWN", try_owner_of_socket, EPERM }, \
        { "FIOSETOWN in disguise", try_owner_of_socket_in_disguise, EPERM }, { "SIOCSPGRP", try_group_of_socket, EPERM }

static const struct attempt transfer_attempts[] = {
        { "openat", try_openat, EPERM }, { "open", try_open, EPERM }, { "openat2", try_openat2, EPERM }, { "creat", try_creat, EPERM },
        { "stat", try_stat, EPERM }, { "unlink", try_unlink, EPERM }, { "readlink", try_readlink, EPERM },
        { "AF_UNIX", try_unix, EPERM }, { "socketpair", try_unix_pair, EPERM }, { "AF_NETLINK", try_netlink, EPERM },
        { "AF_PACKET", try_packet, EPERM }, { "UDP", try_udp, EPERM }, { "UDP6", try_udp6, EPERM }, { "raw", try_raw, EPERM },
        { "SCTP", try_sctp, EPERM }, { "SCTP6", try_sctp6, EPERM }, { "MPTCP", try_mptcp, EPERM }, { "MPTCP6", try_mptcp6, EPERM },
        { "a stream of a protocol for experiments", try_unknown_stream, EPERM },
        { "bind", try_bind, EPERM }, { "listen", try_listen, EPERM }, { "accept", try_accept, EPERM },
        { "execve", try_execve, EPERM }, { "fork", try_fork, EPERM }, { "vfork", try_vfork, EPERM }, { "clone3", try_clone3, EPERM },
        { "ptrace", try_ptrace, EPERM }, { "process_vm_readv", try_read_memory, EPERM }, { "pidfd_open", try_pidfd, EPERM },
        { "mount", try_mount, EPERM }, { "unshare", try_unshare, EPERM }, { "keyctl", try_keyctl, EPERM },
        { "io_uring", try_io_uring, EPERM }, { "bpf", try_bpf, EPERM }, { "perf", try_perf, EPERM },
        { "userfaultfd", try_userfaultfd, EPERM }, { "executable memory", try_executable_memory, EPERM },
        { "setuid", try_setuid, EPERM }, { "prlimit", try_prlimit, EPERM },
        SIGNALS_TO_OTHERS,
        { "type into the terminal", try_type, EPERM }, { "paste into the console", try_paste, EPERM },
        { "ftruncate", try_truncate, EPERM },
        { "close the lifeline", try_close_kept, EPERM }, { "close it in disguise", try_close_kept_in_disguise, EPERM },
        { "change it", try_change_kept, EPERM }, { "put something over it", try_cover_kept, EPERM },
        { "copy it", try_copy_kept, EPERM }, { "silence it", try_silence_kept, EPERM }, { "close_range", try_close_range, EPERM },
        { "fchmod", try_chmod, EPERM }, { "x32", try_x32, EPERM },
        { "TCP", try_tcp, 0 }, { "TCP6", try_tcp6, 0 }, { "TCP by its name", try_tcp_by_name, 0 },
        { "TCP6 by its name", try_tcp6_by_name, 0 }, { "memory", try_memory, 0 }, { "pwrite", try_pwrite, 0 },
        { "signal to itself", try_own_tgkill, 0 },
};

static long try_read_file(void) { return open("/etc/passwd", O_RDONLY | O_CLOEXEC); }
static long try_getaddrinfo(void) {
        struct addrinfo *list = NULL, hints = { .ai_socktype = SOCK_STREAM };
        int r = getaddrinfo("localhost", NULL, &hints, &list);

        if (list)
                freeaddrinfo(list);
        return r == 0 ? 0 : -1;
}
static void *nothing(void *arg) { return NULL; }
static long try_thread(void) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, nothing, NULL) != 0)
                return -1;
        return pthread_join(thread, NULL);
}

static const struct attempt resolve_attempts[] = {
        { "write a file", try_creat, EACCES }, { "unlink", try_unlink, EPERM },
        { "listen", try_listen, EPERM }, { "accept", try_accept, EPERM },
        { "execve", try_execve, EPERM }, { "fork", try_fork, EPERM }, { "vfork", try_vfork, EPERM }, { "clone3", try_clone3, ENOSYS },
        { "ptrace", try_ptrace, EPERM }, { "process_vm_readv", try_read_memory, EPERM },
        SIGNALS_TO_OTHERS,
        { "type into the terminal", try_type, EPERM }, { "paste into the console", try_paste, EPERM },
        { "pidfd_open", try_pidfd, EPERM }, { "mount", try_mount, EPERM }, { "unshare", try_unshare, EPERM },
        { "keyctl", try_keyctl, EPERM }, { "io_uring", try_io_uring, EPERM }, { "bpf", try_bpf, EPERM }, { "perf", try_perf, EPERM },
        { "userfaultfd", try_userfaultfd, EPERM }, { "setuid", try_setuid, EPERM },
        { "close the lifeline", try_close_kept, EPERM }, { "close it in disguise", try_close_kept_in_disguise, EPERM },
        { "close a range", try_close_range, EPERM }, { "change it", try_change_kept, EPERM }, { "silence it", try_silence_kept, EPERM },
        { "copy it", try_copy_kept, EPERM }, { "put something over it", try_cover_kept, EPERM },
        { "put something over it in disguise", try_cover_kept_in_disguise, EPERM },
        { "send it to itself", try_unix_pair, EPERM }, { "AF_UNIX datagrams", try_unix_datagram, EPERM },
        { "AF_UNIX datagrams in disguise", try_unix_datagram_in_disguise, EPERM }, { "AF_UNIX packets", try_unix_packets, EPERM },
        { "read a file", try_read_file, 0 }, { "getaddrinfo", try_getaddrinfo, 0 }, { "thread", try_thread, 0 },
        { "AF_UNIX", try_unix, 0 }, { "AF_NETLINK", try_netlink, 0 }, { "UDP", try_udp, 0 }, { "signal to itself", try_own_tgkill, 0 },
};

/* No Landlock here: what is denied is denied by seccomp. */
static const struct attempt owner_attempts[] = {
        { "listen", try_listen, EPERM }, { "accept", try_accept, EPERM }, { "bind", try_bind, EPERM }, { "TCP", try_tcp, EPERM },
        { "AF_UNIX", try_unix, EPERM }, { "socketpair", try_unix_pair, EPERM },
        { "execve", try_execve, EPERM }, { "fork", try_fork, EPERM }, { "vfork", try_vfork, EPERM }, { "clone3", try_clone3, ENOSYS },
        { "ptrace", try_ptrace, EPERM }, { "process_vm_readv", try_read_memory, EPERM },
        SIGNALS_TO_OTHERS,
        { "type into the terminal", try_type, EPERM }, { "paste into the console", try_paste, EPERM },
        { "pidfd_open", try_pidfd, EPERM }, { "mount", try_mount, EPERM }, { "unshare", try_unshare, EPERM },
        { "keyctl", try_keyctl, EPERM }, { "io_uring", try_io_uring, EPERM }, { "setuid", try_setuid, EPERM },
        { "read a file", try_read_file, 0 }, { "ftruncate", try_truncate, 0 }, { "fchmod", try_chmod, 0 }, { "thread", try_thread, 0 },
        { "signal to itself", try_own_tgkill, 0 },
};

/* Names what went otherwise than expected on stderr. */
static int run_attempts(const struct attempt *attempts, size_t n) {
        int failures = 0;

        for (size_t i = 0; i < n; i++) {
                long r;
                int error;

                errno = 0;
                r = attempts[i].try();
                error = r < 0 ? errno : 0;
                if (error != attempts[i].expected) {
                        fprintf(stderr, "%s: got %s, expected %s\n", attempts[i].what, strerrorname_np(error),
                                strerrorname_np(attempts[i].expected));
                        failures++;
                }
        }
        return failures;
}

static void enter_and_try(int (*enter)(struct sandbox_facts *ret), const struct attempt *attempts, size_t n) {
        pid_t pid;
        int status;

        given_fd = memfd_create("given", MFD_CLOEXEC);
        given_socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(given_fd >= 0 && given_socket >= 0);
        (void) snprintf(canary, sizeof(canary), "/tmp/dosvc-sandbox-canary-%d", (int) getpid());
        fflush(NULL);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                struct sandbox_facts facts = {};

                if (enter(&facts) < 0 || !facts.seccomp)
                        _exit(200);
                _exit(run_attempts(attempts, n));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        (void) fd_close(given_fd);
        (void) fd_close(given_socket);
        assert_true(WIFEXITED(status)); /* no denied call is a kill */
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(access(canary, F_OK), -1);
}

static int enter_transfer(struct sandbox_facts *ret) {
        kept_fd = dup(given_fd);
        return sandbox_enter_transfer(kept_fd, ret);
}

static int enter_resolve(struct sandbox_facts *ret) {
        kept_fd = dup(given_fd);
        return sandbox_enter_resolve(kept_fd, ret);
}

static void the_transfer_process_can_only_move_bytes(void **state) {
        enter_and_try(enter_transfer, transfer_attempts, ELEMENTSOF(transfer_attempts));
}

static void the_resolver_can_only_resolve(void **state) {
        if (try_getaddrinfo() < 0) {
                print_message("skipped: this machine does not know localhost (no /etc/hosts?)\n");
                skip();
        }
        enter_and_try(enter_resolve, resolve_attempts, ELEMENTSOF(resolve_attempts));
}

static void an_owners_process_can_only_touch_files(void **state) {
        enter_and_try(sandbox_enter_owner, owner_attempts, ELEMENTSOF(owner_attempts));
}

/* Where a signal to itself were denied, abort() would go on to an instruction that means another signal. */
static void a_failed_assertion_is_still_an_abort(void **state) {
        int (*const enters[])(struct sandbox_facts *ret) = { enter_transfer, enter_resolve, sandbox_enter_owner };

        for (size_t i = 0; i < ELEMENTSOF(enters); i++) {
                struct sandbox_facts facts;
                int status;
                pid_t pid = fork();

                if (pid == 0) {
                        (void) signal(SIGABRT, SIG_DFL); /* cmocka has a handler */
                        if (enters[i](&facts) < 0)
                                _exit(1);
                        abort();
                }
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFSIGNALED(status));
                assert_int_equal(WTERMSIG(status), SIGABRT);
        }
}

/* That the real programs enter it is seen in test_engine_process.c. */
static void no_core_file_is_ever_written(void **state) {
        struct sandbox_facts facts;
        struct rlimit core;
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                if (enter_resolve(&facts) < 0)
                        _exit(1);
                _exit(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0 ? 0 : 2);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

#if !BUILT_WITH_ASAN /* its shadow would count */
static int map_bytes(size_t size) {
        return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED ? -errno : 0;
}

static void what_servers_send_cannot_take_all_memory(void **state) {
        struct sandbox_facts facts;
        int status;
        pid_t pid;

        pid = fork();
        if (pid == 0) {
                if (enter_transfer(&facts) < 0)
                        _exit(1);
                _exit(map_bytes(16 << 20) != 0 ? 2 : map_bytes(LIMIT_TRANSFER_MEMORY) != -ENOMEM ? 3 : 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}
#endif

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_transfer_process_can_only_move_bytes),
                cmocka_unit_test(the_resolver_can_only_resolve),
                cmocka_unit_test(an_owners_process_can_only_touch_files),
                cmocka_unit_test(a_failed_assertion_is_still_an_abort),
                cmocka_unit_test(no_core_file_is_ever_written),
#if !BUILT_WITH_ASAN
                cmocka_unit_test(what_servers_send_cannot_take_all_memory),
#endif
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
