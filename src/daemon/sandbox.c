#include "daemon/sandbox.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/log.h"
#include "protocol/limits.h"

/* <linux/landlock.h> of Debian 12 ends at ABI 2; the kernel's numbers are for ever. */
#define LL_CREATE_RULESET_VERSION (1u << 0)
#define LL_FS_EXECUTE (UINT64_C(1) << 0)
#define LL_FS_WRITE_FILE (UINT64_C(1) << 1)
#define LL_FS_READ_FILE (UINT64_C(1) << 2)
#define LL_FS_READ_DIR (UINT64_C(1) << 3)
#define LL_FS_ABI_1 ((UINT64_C(1) << 13) - 1) /* the four above, remove (2) and make (7) */
#define LL_FS_REFER (UINT64_C(1) << 13)       /* ABI 2 */
#define LL_FS_TRUNCATE (UINT64_C(1) << 14)    /* ABI 3 */
#define LL_FS_IOCTL_DEV (UINT64_C(1) << 15)   /* ABI 5 */
#define LL_SCOPE_ABSTRACT_UNIX_SOCKET (UINT64_C(1) << 0) /* ABI 6 */
#define LL_SCOPE_SIGNAL (UINT64_C(1) << 1)

struct ll_ruleset_attr {
        uint64_t handled_access_fs;
        uint64_t handled_access_net; /* ABI 4 */
        uint64_t scoped;             /* ABI 6 */
};

static size_t ruleset_size(int abi) {
        if (abi >= 6)
                return sizeof(struct ll_ruleset_attr);
        return abi >= 4 ? offsetof(struct ll_ruleset_attr, scoped) : offsetof(struct ll_ruleset_attr, handled_access_net);
}

/* Denies what is in @denied and known to this kernel, without exceptions. Return: the ABI, 0 if there is no Landlock, -errno. */
static int enter_landlock(uint64_t denied, uint64_t scoped) {
        struct ll_ruleset_attr attr = {};
        _cleanup_close_ int fd = -EBADF;
        uint64_t known = LL_FS_ABI_1;
        int abi;

        abi = (int) syscall(SYS_landlock_create_ruleset, NULL, 0, LL_CREATE_RULESET_VERSION);
        if (abi < 1)
                return 0;
        if (abi >= 2)
                known |= LL_FS_REFER;
        if (abi >= 3)
                known |= LL_FS_TRUNCATE;
        if (abi >= 5)
                known |= LL_FS_IOCTL_DEV;
        attr.handled_access_fs = denied & known;
        attr.scoped = abi >= 6 ? scoped : 0;
        fd = (int) syscall(SYS_landlock_create_ruleset, &attr, ruleset_size(abi), 0);
        if (fd < 0)
                return -errno;
        if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
                return -errno;
        return abi;
}

static int limit(int resource, rlim_t value) {
        const struct rlimit rlimit = { value, value };

        return setrlimit(resource, &rlimit) < 0 ? -errno : 0;
}

/* The limit of the user is the limit here: more descriptors than the default are wanted for many files at once. */
static void raise_open_files(void) {
        struct rlimit rlimit;

        if (getrlimit(RLIMIT_NOFILE, &rlimit) == 0) {
                rlimit.rlim_cur = rlimit.rlim_max;
                (void) setrlimit(RLIMIT_NOFILE, &rlimit);
        }
}

static int enter_common(void) {
        int r;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return -errno;
        r = limit(RLIMIT_CORE, 0); /* a core file would hold credentials */
        if (r < 0)
                return r;
        raise_open_files();
        return 0;
}

static int add_rules(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n) {
        int r;

        for (size_t i = 0; i < n; i++) {
                r = seccomp_rule_add(filter, action, calls[i], 0);
                if (r < 0 && r != -EDOM && r != -EFAULT) /* not a call of this architecture */
                        return r;
        }
        return 0;
}

static int filter_new(uint32_t default_action, scmp_filter_ctx *ret) {
        scmp_filter_ctx filter = seccomp_init(default_action);
        int r;

        if (!filter)
                return -ENOMEM;
        r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));
        if (r == 0)
                r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 1);
        if (r < 0) {
                seccomp_release(filter);
                return r;
        }
        (void) seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree instead of a list, where there is one */
        *ret = filter;
        return 0;
}

/* Everything that moving bytes between sockets and given descriptors takes. Nothing here names a file or a process. */
static const int transfer_calls[] = {
        SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64),
        SCMP_SYS(close), SCMP_SYS(dup), SCMP_SYS(lseek), SCMP_SYS(fstat),
        SCMP_SYS(connect), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(recv), SCMP_SYS(send),
        SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(shutdown),
        SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6),
        SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
        SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime),
        SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(nanosleep),
        SCMP_SYS(clock_nanosleep), SCMP_SYS(restart_syscall),
        SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(sched_yield),
        SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(membarrier), SCMP_SYS(getrandom),
        SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigreturn), SCMP_SYS(sigaltstack),
        SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
        SCMP_SYS(getegid), SCMP_SYS(getrusage), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* TCP, by its name (libcurl) or as what a stream is by itself. There are other streams: SCTP is a module that the kernel loads for whoever asks,
 * and MPTCP may go on to addresses that the other end names, past the address policy. */
static int allow_sockets(scmp_filter_ctx filter) {
        static const struct {
                scmp_datum_t family, protocol;
        } streams[] = { { AF_INET, 0 }, { AF_INET, IPPROTO_TCP }, { AF_INET6, 0 }, { AF_INET6, IPPROTO_TCP } };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(streams); i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3,
                                     SCMP_A0(SCMP_CMP_EQ, streams[i].family),
                                     /* the type's low bits; SOCK_CLOEXEC and SOCK_NONBLOCK are above them */
                                     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_STREAM),
                                     SCMP_A2(SCMP_CMP_EQ, streams[i].protocol));
        return r;
}

static int allow_memory(scmp_filter_ctx filter) {
        static const int calls[] = { SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect) };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
                if (r < 0 && r != -EDOM && r != -EFAULT)
                        return r;
        }
        return 0;
}

static int allow_values(scmp_filter_ctx filter, int call, const unsigned long *values, size_t n) {
        int r;

        for (size_t i = 0; i < n; i++) {
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_A1(SCMP_CMP_EQ, values[i]));
                if (r < 0 && r != -EDOM && r != -EFAULT)
                        return r;
        }
        return 0;
}

static int allow_transfer(scmp_filter_ctx filter) {
        static const unsigned long fcntls[] = { F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC };
        static const unsigned long ioctls[] = { FIONBIO, FIONREAD, TIOCOUTQ };
        int r;

        r = add_rules(filter, SCMP_ACT_ALLOW, transfer_calls, ELEMENTSOF(transfer_calls));
        if (r == 0)
                r = allow_sockets(filter);
        if (r == 0)
                r = allow_memory(filter);
        if (r == 0)
                r = allow_values(filter, SCMP_SYS(fcntl), fcntls, ELEMENTSOF(fcntls));
        if (r == 0)
                r = allow_values(filter, SCMP_SYS(fcntl64), fcntls, ELEMENTSOF(fcntls));
        if (r == 0)
                r = allow_values(filter, SCMP_SYS(ioctl), ioctls, ELEMENTSOF(ioctls));
        /* abort() and assert(): signals to itself */
        if (r == 0)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                                     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t) getpid()));
        return r;
}

/* Of an argument that is an int the kernel looks at the lower half of the register only, so there are 2^32 ways to write each: what denies
 * one has to mean all of them. */
static struct scmp_arg_cmp int_is(unsigned argument, unsigned value) {
        return SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, value);
}

/* @argument: the number of the one that is @fd. */
static int deny_with_descriptor(scmp_filter_ctx filter, const int *calls, size_t n, unsigned argument, int fd) {
        for (size_t i = 0; i < n; i++) {
                int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), calls[i], 1, int_is(argument, (unsigned) fd));

                if (r < 0 && r != -EDOM && r != -EFAULT)
                        return r;
        }
        return 0;
}

/* A filter of its own, as an allowlist cannot name what is excepted. A copy of it would do to change it: there is none, by dup() or fcntl(),
 * nor by a socket to oneself. */
static int keep_descriptor(int fd) {
        static const int on_it[] = { SCMP_SYS(close), SCMP_SYS(fcntl), SCMP_SYS(fcntl64), SCMP_SYS(ioctl),
                                     SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3) };
        static const int over_it[] = { SCMP_SYS(dup2), SCMP_SYS(dup3) };
        scmp_filter_ctx filter;
        int r;

        r = filter_new(SCMP_ACT_ALLOW, &filter);
        if (r < 0)
                return r;
        r = deny_with_descriptor(filter, on_it, ELEMENTSOF(on_it), 0, fd);
        if (r == 0)
                r = deny_with_descriptor(filter, over_it, ELEMENTSOF(over_it), 1, fd);
        if (r == 0)
                r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(close_range), 0);
        if (r == 0)
                r = seccomp_load(filter);
        seccomp_release(filter);
        return r;
}

int sandbox_enter_transfer(int lifeline_fd, struct sandbox_facts *ret) {
        scmp_filter_ctx filter = NULL;
        int r, abi;

        r = enter_common();
        if (r == 0 && !BUILT_WITH_ASAN) /* whose shadow would count */
                r = limit(RLIMIT_DATA, LIMIT_TRANSFER_MEMORY);
        if (r < 0)
                return r;
        abi = enter_landlock(~UINT64_C(0), LL_SCOPE_ABSTRACT_UNIX_SOCKET | LL_SCOPE_SIGNAL);
        if (abi < 0)
                return abi;
        r = keep_descriptor(lifeline_fd);
        if (r == 0)
                r = filter_new(SCMP_ACT_ERRNO(EPERM), &filter);
        if (r < 0)
                return r;
        r = allow_transfer(filter);
        if (r == 0)
                r = seccomp_load(filter);
        seccomp_release(filter);
        if (r < 0)
                return r;
        *ret = (struct sandbox_facts) { .landlock_abi = abi, .seccomp = true };
        return 0;
}

/* No program, no other process, no server, nothing that changes the machine. */
static const int helper_denied[] = {
        SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork),
        SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4),
        SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(pidfd_open),
        SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
        SCMP_SYS(process_vm_writev), SCMP_SYS(process_madvise), SCMP_SYS(kcmp),
        SCMP_SYS(mount), SCMP_SYS(umount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(unshare), SCMP_SYS(setns),
        SCMP_SYS(fsopen), SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(fsconfig), SCMP_SYS(open_tree), SCMP_SYS(move_mount),
        SCMP_SYS(mount_setattr), SCMP_SYS(open_by_handle_at), SCMP_SYS(name_to_handle_at),
        SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl),
        SCMP_SYS(shmget), SCMP_SYS(shmat), SCMP_SYS(shmctl), SCMP_SYS(semget), SCMP_SYS(semop), SCMP_SYS(semtimedop), SCMP_SYS(semctl),
        SCMP_SYS(msgget), SCMP_SYS(msgsnd), SCMP_SYS(msgrcv), SCMP_SYS(msgctl), SCMP_SYS(mq_open), SCMP_SYS(mq_unlink),
        SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
        SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(personality),
        SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load),
        SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(acct), SCMP_SYS(quotactl), SCMP_SYS(sethostname),
        SCMP_SYS(setdomainname), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime),
        SCMP_SYS(setuid), SCMP_SYS(setreuid), SCMP_SYS(setresuid), SCMP_SYS(setgid), SCMP_SYS(setregid), SCMP_SYS(setresgid),
        SCMP_SYS(setgroups), SCMP_SYS(setfsuid), SCMP_SYS(setfsgid), SCMP_SYS(capset),
        SCMP_SYS(mknod), SCMP_SYS(mknodat), SCMP_SYS(symlink), SCMP_SYS(symlinkat), SCMP_SYS(chown), SCMP_SYS(lchown), SCMP_SYS(fchownat),
        SCMP_SYS(rmdir), SCMP_SYS(mkdir), SCMP_SYS(mkdirat),
};

/* Name services read files and change none. */
static const int resolve_denied[] = {
        SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat),
        SCMP_SYS(truncate), SCMP_SYS(creat), SCMP_SYS(chmod), SCMP_SYS(fchmodat), SCMP_SYS(setxattr), SCMP_SYS(lsetxattr),
        SCMP_SYS(removexattr), SCMP_SYS(memfd_create),
        SCMP_SYS(socketpair),
};

/* An owner's files are reached by the file system alone. */
static const int owner_denied[] = {
        SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect), SCMP_SYS(bind),
};

static int deny_values(scmp_filter_ctx filter, int call, const unsigned *values, size_t n) {
        int r;

        for (size_t i = 0; i < n; i++) {
                r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 1, int_is(1, values[i]));
                if (r < 0 && r != -EDOM && r != -EFAULT)
                        return r;
        }
        return 0;
}

/* The calls that send nothing but signals are in helper_denied. By tgkill() a process signals itself, too: abort() and pthread_kill(). And the
 * kernel sends any signal to any process when a descriptor with O_ASYNC is ready, as whoever named the process: the lifeline works so, and is
 * held before. */
static int deny_signals(scmp_filter_ctx filter) {
        static const unsigned fcntls[] = { F_SETOWN, F_SETOWN_EX, F_SETSIG };
        static const unsigned ioctls[] = { FIOSETOWN, SIOCSPGRP };
        int r;

        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_NE, (scmp_datum_t) getpid()));
        if (r == 0)
                r = deny_values(filter, SCMP_SYS(fcntl), fcntls, ELEMENTSOF(fcntls));
        if (r == 0)
                r = deny_values(filter, SCMP_SYS(fcntl64), fcntls, ELEMENTSOF(fcntls));
        if (r == 0)
                r = deny_values(filter, SCMP_SYS(ioctl), ioctls, ELEMENTSOF(ioctls));
        return r;
}

/* Who began the core by hand has a terminal, and its children have it, too: what they put into its input would be a command of the user's. */
static int deny_typing(scmp_filter_ctx filter) {
        static const unsigned ioctls[] = { TIOCSTI, TIOCLINUX };

        return deny_values(filter, SCMP_SYS(ioctl), ioctls, ELEMENTSOF(ioctls));
}

/* What both have: threads, but no processes, and no say over others. */
static int add_helper_rules(scmp_filter_ctx filter) {
        int r;

        r = add_rules(filter, SCMP_ACT_ERRNO(EPERM), helper_denied, ELEMENTSOF(helper_denied));
        if (r == 0)
                r = deny_signals(filter);
        if (r == 0)
                r = deny_typing(filter);
        /* clone3() hides its flags behind a pointer: glibc takes clone() when there is no other. */
        if (r == 0)
                r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
        if (r == 0)
                r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
        /* its own limits only */
        if (r == 0)
                r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 1, SCMP_A0(SCMP_CMP_NE, 0));
        return r;
}

/* Local daemons are spoken to by streams. By the others a process can send descriptors to itself, without anybody who accepts. */
static int deny_local_packets(scmp_filter_ctx filter) {
        static const int types[] = { SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(types); i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 2, int_is(0, AF_UNIX),
                                     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, (scmp_datum_t) types[i]));
        return r;
}

static int load_helper_filter(const int *denied, size_t n, int (*add_more)(scmp_filter_ctx filter)) {
        scmp_filter_ctx filter;
        int r;

        r = filter_new(SCMP_ACT_ALLOW, &filter);
        if (r < 0)
                return r;
        r = add_helper_rules(filter);
        if (r == 0)
                r = add_rules(filter, SCMP_ACT_ERRNO(EPERM), denied, n);
        if (r == 0 && add_more)
                r = add_more(filter);
        if (r == 0)
                r = seccomp_load(filter);
        seccomp_release(filter);
        return r;
}

int sandbox_enter_resolve(int lifeline_fd, struct sandbox_facts *ret) {
        int r, abi;

        r = enter_common();
        if (r < 0)
                return r;
        abi = enter_landlock(~(LL_FS_READ_FILE | LL_FS_READ_DIR | LL_FS_IOCTL_DEV), LL_SCOPE_ABSTRACT_UNIX_SOCKET | LL_SCOPE_SIGNAL);
        if (abi < 0)
                return abi;
        r = keep_descriptor(lifeline_fd);
        if (r == 0)
                r = load_helper_filter(resolve_denied, ELEMENTSOF(resolve_denied), deny_local_packets);
        if (r < 0)
                return r;
        *ret = (struct sandbox_facts) { .landlock_abi = abi, .seccomp = true };
        return 0;
}

int sandbox_enter_owner(struct sandbox_facts *ret) {
        int r;

        r = enter_common();
        if (r == 0)
                r = load_helper_filter(owner_denied, ELEMENTSOF(owner_denied), NULL);
        if (r < 0)
                return r;
        *ret = (struct sandbox_facts) { .seccomp = true };
        return 0;
}
