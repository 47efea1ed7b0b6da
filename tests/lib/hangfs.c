/* hangfs [--flush | --flush-by NAME] MOUNTPOINT: a file system that does not answer, until this process gets SIGUSR1 (from then on it answers everything) or is
 * ended by SIGTERM, SIGINT or an unmount.
 *
 * Without an option it is empty, and every look-up of a name waits; then the answer is "no such file". Attributes of the mount point itself are
 * answered, as by a server that died after the mount. With --flush it is a folder for anybody's files, in memory, in which everything works but
 * each close(2): that waits in FUSE_FLUSH. With --flush-by so do those of processes of that name only.
 *
 * Prints "ready" when it is mounted, and "waits" when the first one waits. A process that waits here cannot be killed: send SIGUSR1 first. */
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
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define WAITING_MAX 4096
#define FILES_MAX 64
#define FILE_BYTES_MAX (16u << 20)
#define NAME_BYTES_MAX 256
#define TIMEOUT 1.0

struct file {
        char name[NAME_BYTES_MAX]; /* "": it has none */
        struct stat st;            /* st_nlink 0: no such inode */
        char *bytes;
};

static struct {
        fuse_req_t request;
        int answer;
} waiting[WAITING_MAX];
static size_t n_waiting;
static bool released;
static const char *flush_by; /* NULL: whoever */
static struct file files[FILES_MAX];

static void answer_later(fuse_req_t request, int answer) {
        if (released || n_waiting == WAITING_MAX) {
                fuse_reply_err(request, answer);
                return;
        }
        if (n_waiting == 0) {
                printf("waits\n");
                fflush(stdout);
        }
        waiting[n_waiting].request = request;
        waiting[n_waiting++].answer = answer;
}

static struct stat root_stat(void) {
        return (struct stat) { .st_ino = FUSE_ROOT_ID, .st_mode = S_IFDIR | 0777, .st_nlink = 2 };
}

/* ---- the empty one ---- */

static void hang_lookup(fuse_req_t request, fuse_ino_t parent, const char *name) {
        answer_later(request, ENOENT);
}

static void hang_getattr(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *info) {
        struct stat st = root_stat();

        st.st_ino = ino;
        fuse_reply_attr(request, &st, 0);
}

static const struct fuse_lowlevel_ops empty_operations = {
        .lookup = hang_lookup,
        .getattr = hang_getattr,
};

/* ---- the one with files; one that is removed stays until the end, as it may be open ---- */

static struct file *file_of(fuse_ino_t ino) {
        return &files[ino - FUSE_ROOT_ID - 1];
}

static struct file *find(const char *name) {
        for (size_t i = 0; i < FILES_MAX; i++)
                if (files[i].st.st_nlink > 0 && strcmp(files[i].name, name) == 0)
                        return &files[i];
        return NULL;
}

static struct timespec now(void) {
        struct timespec time;

        clock_gettime(CLOCK_REALTIME, &time);
        return time;
}

static struct fuse_entry_param entry_of(const struct file *file) {
        return (struct fuse_entry_param) { .ino = file->st.st_ino, .attr = file->st, .attr_timeout = TIMEOUT, .entry_timeout = 0 };
}

static void file_lookup(fuse_req_t request, fuse_ino_t parent, const char *name) {
        const struct file *file = find(name);
        struct fuse_entry_param entry;

        if (!file) {
                fuse_reply_err(request, ENOENT);
                return;
        }
        entry = entry_of(file);
        fuse_reply_entry(request, &entry);
}

static void file_getattr(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *info) {
        struct stat st = ino == FUSE_ROOT_ID ? root_stat() : file_of(ino)->st;

        fuse_reply_attr(request, &st, TIMEOUT);
}

static bool resize(struct file *file, off_t size) {
        char *bytes;

        if (size > FILE_BYTES_MAX)
                return false;
        bytes = realloc(file->bytes, (size_t) size + 1);
        if (!bytes)
                return false;
        if (size > file->st.st_size)
                memset(bytes + file->st.st_size, 0, (size_t)(size - file->st.st_size));
        file->bytes = bytes;
        file->st.st_size = size;
        file->st.st_blocks = (size + 511) / 512;
        file->st.st_mtim = now();
        return true;
}

static void file_setattr(fuse_req_t request, fuse_ino_t ino, struct stat *st, int what, struct fuse_file_info *info) {
        struct file *file = file_of(ino);

        if (ino == FUSE_ROOT_ID) {
                fuse_reply_err(request, EPERM);
                return;
        }
        if (what & FUSE_SET_ATTR_SIZE && !resize(file, st->st_size)) {
                fuse_reply_err(request, EFBIG);
                return;
        }
        if (what & FUSE_SET_ATTR_MODE)
                file->st.st_mode = S_IFREG | (st->st_mode & 07777);
        if (what & FUSE_SET_ATTR_MTIME)
                file->st.st_mtim = what & FUSE_SET_ATTR_MTIME_NOW ? now() : st->st_mtim;
        fuse_reply_attr(request, &file->st, TIMEOUT);
}

static void file_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *info) {
        const struct fuse_ctx *caller = fuse_req_ctx(request);
        struct fuse_entry_param entry;
        struct file *file = files;

        while (file < files + FILES_MAX && file->st.st_ino != 0)
                file++;
        if (file == files + FILES_MAX || strlen(name) >= sizeof(file->name)) {
                fuse_reply_err(request, ENOSPC);
                return;
        }
        (void) snprintf(file->name, sizeof(file->name), "%s", name);
        file->st = (struct stat) {
                .st_ino = (ino_t)(file - files) + FUSE_ROOT_ID + 1,
                .st_mode = S_IFREG | (mode & 07777),
                .st_nlink = 1,
                .st_uid = caller->uid,
                .st_gid = caller->gid,
                .st_blksize = 4096,
                .st_mtim = now(),
                .st_ctim = now(),
        };
        entry = entry_of(file);
        fuse_reply_create(request, &entry, info);
}

static void file_open(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *info) {
        fuse_reply_open(request, info);
}

static void file_read(fuse_req_t request, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info) {
        const struct file *file = file_of(ino);

        if (offset >= file->st.st_size)
                size = 0;
        else if (size > (size_t)(file->st.st_size - offset))
                size = (size_t)(file->st.st_size - offset);
        fuse_reply_buf(request, size > 0 ? file->bytes + offset : NULL, size);
}

static void file_write(fuse_req_t request, fuse_ino_t ino, const char *bytes, size_t size, off_t offset, struct fuse_file_info *info) {
        struct file *file = file_of(ino);

        if (offset + (off_t) size > file->st.st_size && !resize(file, offset + (off_t) size)) {
                fuse_reply_err(request, EFBIG);
                return;
        }
        memcpy(file->bytes + offset, bytes, size);
        fuse_reply_write(request, size);
}

static bool is_called(pid_t thread, const char *name) {
        char path[64], line[64] = {};
        FILE *file;

        (void) snprintf(path, sizeof(path), "/proc/%d/comm", (int) thread);
        file = fopen(path, "re");
        if (!file)
                return false;
        if (fgets(line, sizeof(line), file))
                line[strcspn(line, "\n")] = 0;
        fclose(file);
        return strcmp(line, name) == 0;
}

static void file_flush(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *info) {
        if (!flush_by || is_called(fuse_req_ctx(request)->pid, flush_by))
                answer_later(request, 0);
        else
                fuse_reply_err(request, 0);
}

static void file_done(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *info) {
        fuse_reply_err(request, 0);
}

static void file_sync(fuse_req_t request, fuse_ino_t ino, int only_data, struct fuse_file_info *info) {
        fuse_reply_err(request, 0);
}

static void file_unlink(fuse_req_t request, fuse_ino_t parent, const char *name) {
        struct file *file = find(name);

        if (file)
                file->st.st_nlink = 0;
        fuse_reply_err(request, file ? 0 : ENOENT);
}

static void file_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name, unsigned flags) {
        struct file *file = find(name), *there = find(new_name);
        int r = !file ? ENOENT : there && flags & RENAME_NOREPLACE ? EEXIST : strlen(new_name) >= sizeof(file->name) ? ENAMETOOLONG : 0;

        if (r == 0) {
                if (there)
                        there->st.st_nlink = 0;
                (void) snprintf(file->name, sizeof(file->name), "%s", new_name);
        }
        fuse_reply_err(request, r);
}

static void file_readdir(fuse_req_t request, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info) {
        char buffer[FILES_MAX * (NAME_BYTES_MAX + 32)];
        size_t n = 0;

        if (size > sizeof(buffer))
                size = sizeof(buffer);
        for (size_t i = (size_t) offset; i < FILES_MAX; i++) {
                size_t more;

                if (files[i].st.st_nlink == 0)
                        continue;
                more = fuse_add_direntry(request, buffer + n, size - n, files[i].name, &files[i].st, (off_t) i + 1);
                if (more > size - n)
                        break;
                n += more;
        }
        fuse_reply_buf(request, buffer, n);
}

static void file_statfs(fuse_req_t request, fuse_ino_t ino) {
        const struct statvfs st = { .f_bsize = 4096, .f_frsize = 4096, .f_blocks = 1 << 20, .f_bfree = 1 << 20, .f_bavail = 1 << 20,
                                    .f_files = FILES_MAX, .f_ffree = FILES_MAX, .f_namemax = NAME_BYTES_MAX - 1 };

        fuse_reply_statfs(request, &st);
}

static const struct fuse_lowlevel_ops file_operations = {
        .lookup = file_lookup,
        .getattr = file_getattr,
        .setattr = file_setattr,
        .create = file_create,
        .open = file_open,
        .read = file_read,
        .write = file_write,
        .flush = file_flush,
        .release = file_done,
        .fsync = file_sync,
        .opendir = file_open,
        .readdir = file_readdir,
        .releasedir = file_done,
        .fsyncdir = file_sync,
        .unlink = file_unlink,
        .rename = file_rename,
        .statfs = file_statfs,
};

/* ---- both ---- */

static void release_all(void) {
        released = true;
        while (n_waiting > 0) {
                n_waiting--;
                fuse_reply_err(waiting[n_waiting].request, waiting[n_waiting].answer);
        }
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
        /* Anybody's: the owner of a job need not be the one who mounted it. */
        char *options[] = { argv[0], (char *) "-oallow_other", (char *) "-odefault_permissions", NULL };
        struct fuse_args args = FUSE_ARGS_INIT(3, options);
        bool by = argc == 4 && strcmp(argv[1], "--flush-by") == 0;
        bool flush = by || (argc == 3 && strcmp(argv[1], "--flush") == 0);
        struct fuse_session *session;
        sigset_t signals;
        int signal_fd;

        if (argc != 2 && !flush) {
                fprintf(stderr, "usage: hangfs [--flush | --flush-by NAME] MOUNTPOINT\n");
                return 2;
        }
        flush_by = by ? argv[2] : NULL;
        signal(SIGPIPE, SIG_IGN); /* who read "ready" may have heard enough */
        sigemptyset(&signals);
        sigaddset(&signals, SIGUSR1);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
        session = fuse_session_new(&args, flush ? &file_operations : &empty_operations, sizeof(file_operations), NULL);
        if (signal_fd < 0 || !session || fuse_session_mount(session, argv[argc - 1]) < 0) {
                fprintf(stderr, "hangfs: cannot mount on %s\n", argv[argc - 1]);
                return 1;
        }
        printf("ready\n");
        fflush(stdout);
        serve(session, signal_fd);
        fuse_session_unmount(session);
        fuse_session_destroy(session);
        for (size_t i = 0; i < FILES_MAX; i++)
                free(files[i].bytes);
        close(signal_fd);
        fuse_opt_free_args(&args);
        return 0;
}
