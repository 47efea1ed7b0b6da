/* Requests over whole lists: publish, its dry run, remove. The list is sorted by mount and directory; each mount
 * gets a part that runs in its own lane, opens each directory once and syncs it once; the last part to end tells
 * the caller. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strings.h"
#include "files/access.h"
#include "files/listing.h"
#include "files/paths.h"
#include "files/request.h"

/* From so many files in one directory on it is read instead of asked for each. */
#define LISTING_MIN 32

struct list_item {
        struct files_item item;
        char *path;
        char *directory;
        const char *name; /* within path */
        char temp_name[FILES_TEMP_NAME_MAX];
        struct mount *mount;
        size_t index; /* in the caller's order */
        bool is_plain; /* a listing showed its inode under the temp name, and nothing under the final one */
};

/* The directory of the items that are being worked on. */
struct open_directory {
        const char *path; /* NULL: none */
        int fd;
        int error;
        struct file_facts facts;
        uid_t uid; /* ours */
        bool changed;
        bool perhaps_changed; /* by a run that a crash cut off before its sync */
        bool readable_asked; /* of remember_file(): once for all items */
        bool writable_asked;
        int writable_error;
        int any_fd; /* a file in it, for path_sync_directory(); opened only where that is needed */
};

/* @directory->error was judged already where it matters. */
typedef int (*list_step_fn)(const struct list_item *item, struct open_directory *directory);

struct list_request {
        unsigned n_refs; /* one per part */
        unsigned n_running;
        list_step_fn step;
        bool syncs;
        bool lists;
        files_list_fn done;
        void *userdata;
        struct list_item *items;
        int *errors;
        size_t n;
        int error;
};

struct list_part {
        struct request request;
        struct list_request *list;
        size_t first, last; /* items [first, last) */
        int error;
};

/* ---- steps ---- */

static int open_directory_close(struct open_directory *directory, bool sync) {
        int r = 0;

        if (directory->path && directory->fd >= 0 && (directory->changed || directory->perhaps_changed) && sync)
                r = path_sync_directory(directory->fd, directory->any_fd);
        /* It cannot be read, and none of our files was there to sync it by: nothing was changed now. */
        if (r == -EACCES && !directory->changed)
                r = 0;
        directory->fd = fd_close(directory->fd);
        directory->any_fd = fd_close(directory->any_fd);
        *directory = (struct open_directory) { .fd = -EBADF, .any_fd = -EBADF };
        return r;
}

static void open_directory_open(struct open_directory *directory, const char *path) {
        *directory = (struct open_directory) { .path = path, .fd = path_open_directory(path), .uid = geteuid(), .any_fd = -EBADF };
        if (directory->fd < 0)
                directory->error = directory->fd;
        else
                directory->error = path_facts(directory->fd, "", &directory->facts);
}

static int judge_directory(const struct list_item *item, const struct open_directory *directory) {
        if (directory->error < 0)
                return directory->error;
        if (item->item.directory.ino != 0 &&
            !files_identity_equal(&item->item.directory, &directory->facts.identity))
                return -ESTALE;
        return 0;
}

enum place {
        PLACE_TEMP,      /* our inode is at the temp name: to be renamed */
        PLACE_FINAL,     /* it is at the final name already */
        PLACE_BOTH,      /* between link(2) and unlink(2) */
};

static bool temp_is_known(const struct list_item *item, const struct open_directory *directory, const struct file_facts *facts) {
        return facts_are_ours(facts, directory->uid) && files_identity_equal(&facts->identity, &item->item.temp);
}

/* Where is our inode, and is the final name free for it? @ret_replaced is filled in when there is a file to be replaced
 * (identity.ino != 0). */
static int find_item(const struct list_item *item, const struct open_directory *directory, enum place *ret,
                     struct file_facts *ret_temp, struct file_facts *ret_replaced) {
        bool temp_ours = false, final_ours, final_there;
        struct file_facts final;
        int r;

        *ret_replaced = (struct file_facts) {};
        if (*item->temp_name) {
                r = path_facts(directory->fd, item->temp_name, ret_temp);
                if (r < 0 && r != -ENOENT)
                        return r;
                temp_ours = r == 0 && temp_is_known(item, directory, ret_temp);
        }
        r = path_facts(directory->fd, item->name, &final);
        if (r < 0 && r != -ENOENT)
                return r;
        final_there = r == 0;
        final_ours = final_there && (final.mode & S_IFMT) == S_IFREG &&
                files_identity_equal(&final.identity, &item->item.temp);
        if (final_ours) {
                *ret = temp_ours ? PLACE_BOTH : PLACE_FINAL;
                return 0;
        }
        if (!temp_ours || ret_temp->n_links != 1)
                return -ESTALE;
        *ret = PLACE_TEMP;
        if (!final_there)
                return 0;
        r = facts_in_the_way(&final);
        if (r != -EEXIST || !item->item.replace)
                return r;
        *ret_replaced = final;
        return 0;
}

static int rename_no_replace(int dirfd, const char *from, const char *to) {
        struct file_facts facts;

        if (renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE) == 0)
                return 0;
        if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
                return -errno;
        if (linkat(dirfd, from, dirfd, to, 0) == 0)
                return unlinkat(dirfd, from, 0) < 0 ? -errno : 0;
        if (errno == EEXIST)
                return -EEXIST;
        /* Neither (some FUSE file systems without hard links): a look before it is the best that is left. */
        if (path_facts(dirfd, to, &facts) == 0)
                return facts_in_the_way(&facts);
        return renameat(dirfd, from, dirfd, to) < 0 ? -errno : 0;
}

/* Where others may write to the directory they choose, between any two calls, what stands under the temp name: who changes more than the
 * name must have the file open, and only then judge it. An O_PATH descriptor, as opening a device does things. */
static int open_temp(const struct list_item *item, const struct open_directory *directory) {
        _cleanup_close_ int fd = openat(directory->fd, item->temp_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct file_facts facts;
        int r;

        if (fd < 0)
                return errno == ENOENT ? -ESTALE : -errno;
        r = path_facts(fd, "", &facts);
        if (r < 0)
                return r;
        return temp_is_known(item, directory, &facts) && facts.n_links == 1 ? TAKE_FD(fd) : -ESTALE;
}

static int set_time(const struct list_item *item, int temp) {
        const struct timespec times[2] = {
                { .tv_nsec = UTIME_OMIT },
                { .tv_sec = (time_t) (item->item.mtime_usec / USEC_PER_SEC),
                  .tv_nsec = (long) (item->item.mtime_usec % USEC_PER_SEC) * 1000 },
        };
        char path[FD_PATH_MAX];

        if (item->item.mtime_usec == 0)
                return 0;
        fd_path(temp, path);
        return utimensat(AT_FDCWD, path, times, 0) < 0 ? -errno : 0;
}

/* Whoever asked for a mode that locks himself out gets the file opened nevertheless. */
static int open_for_reading(int temp) {
        char path[FD_PATH_MAX];
        int fd;

        fd_path(temp, path);
        fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0 && errno == EACCES && chmod(path, 0600) == 0)
                fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int hand_on_access(int temp, const struct list_item *item, const struct open_directory *directory,
                          const struct file_facts *replaced) {
        _cleanup_close_ int fd = open_for_reading(temp);
        int r;

        if (fd < 0)
                return fd;
        r = access_copy(fd, directory->fd, item->name, replaced);
        if (r < 0)
                return r;
        return fsync(fd) < 0 ? -errno : 0;
}

/* What the file is to have of its own before it has its name. */
static int prepare_temp(const struct list_item *item, const struct open_directory *directory, const struct file_facts *replaced) {
        /* In the family that replaces, mode and ACL of the old file stay if it is the same owner's (decision 13). */
        bool inherits = replaced->identity.ino != 0 && replaced->uid == directory->uid;
        _cleanup_close_ int temp = -EBADF;
        int r;

        if (item->item.mtime_usec == 0 && !inherits)
                return 0;
        temp = open_temp(item, directory);
        if (temp < 0)
                return temp;
        r = set_time(item, temp);
        return r == 0 && inherits ? hand_on_access(temp, item, directory, replaced) : r;
}

/* For directories that cannot be read: see path_sync_directory(). */
static void remember_file(struct open_directory *directory, const char *name) {
        if (directory->readable_asked && directory->any_fd == -EBADF)
                return;
        directory->readable_asked = true;
        if (directory->any_fd < 0 && faccessat(directory->fd, ".", R_OK, AT_EACCESS) < 0)
                directory->any_fd = path_open_beneath(directory->fd, name, O_RDONLY | O_NONBLOCK, 0);
}

static int judge_writable(struct open_directory *directory) {
        if (!directory->writable_asked)
                directory->writable_error = faccessat(directory->fd, ".", W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
        directory->writable_asked = true;
        return directory->writable_error;
}

static int publish_item(const struct list_item *item, struct open_directory *directory, enum place place,
                        const struct file_facts *replaced) {
        int r;

        if (place == PLACE_FINAL)
                return 0;
        if (place == PLACE_BOTH)
                return unlinkat(directory->fd, item->temp_name, 0) < 0 ? -errno : 0;
        r = prepare_temp(item, directory, replaced);
        if (r < 0)
                return r;
        /* By its name, as there is no other way: who puts another file under it could have given that the final name himself. */
        if (replaced->identity.ino != 0)
                return renameat(directory->fd, item->temp_name, directory->fd, item->name) < 0 ? -errno : 0;
        return rename_no_replace(directory->fd, item->temp_name, item->name);
}

/* As nearly always: the file is under its temp name, and nothing in its way. 1: that was so, and it is done; 0: look closer. */
static int publish_at_once(const struct list_item *item, const struct open_directory *directory) {
        struct file_facts temp;

        if (!*item->temp_name || item->item.mtime_usec > 0 || path_facts(directory->fd, item->temp_name, &temp) < 0 ||
            !temp_is_known(item, directory, &temp) || temp.n_links != 1)
                return 0;
        return renameat2(directory->fd, item->temp_name, directory->fd, item->name, RENAME_NOREPLACE) == 0;
}

static int publish_with_care(const struct list_item *item, struct open_directory *directory) {
        struct file_facts temp, replaced;
        enum place place;
        int r;

        r = find_item(item, directory, &place, &temp, &replaced);
        return r < 0 ? r : publish_item(item, directory, place, &replaced);
}

static int step_publish(const struct list_item *item, struct open_directory *directory) {
        int r;

        r = judge_directory(item, directory);
        if (r < 0)
                return r;
        r = publish_at_once(item, directory) > 0 ? 0 : publish_with_care(item, directory);
        if (r < 0)
                return r;
        /* Also for what was there: the crash may have come between rename and sync. */
        directory->changed = true;
        remember_file(directory, item->name);
        return 0;
}

static int step_publish_check(const struct list_item *item, struct open_directory *directory) {
        struct file_facts temp, replaced;
        enum place place;
        int r;

        r = judge_directory(item, directory);
        if (r < 0)
                return r;
        if (item->is_plain) /* the rest of who it is, publish asks */
                return judge_writable(directory);
        r = find_item(item, directory, &place, &temp, &replaced);
        if (r < 0 || place == PLACE_FINAL)
                return r;
        return judge_writable(directory);
}

/* A crash right after it was made: the file is known by its random name alone. As path_unlink_if(). */
static int remove_unrecorded(int dirfd, const char *name) {
        struct file_facts facts;
        int r;

        r = path_facts(dirfd, name, &facts);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        if (!facts_are_ours(&facts, geteuid()) || facts.n_links != 1)
                return -ESTALE;
        return path_unlink_if(dirfd, name, &facts.identity);
}

static int step_remove(const struct list_item *item, struct open_directory *directory) {
        int r;

        if (!*item->temp_name)
                return 0;
        if (directory->error == -ENOENT || directory->error == -ENOTDIR)
                return 0; /* gone with its directory */
        if (directory->error < 0)
                return directory->error;
        /* Open, it stands for its file system also when it has no name any more. */
        remember_file(directory, item->temp_name);
        /* The directory's identity does not matter here, only the file's. */
        if (item->item.temp.ino == 0 || item->item.temp.ino == FILES_INO_UNKNOWN)
                r = remove_unrecorded(directory->fd, item->temp_name);
        else
                r = path_unlink_if(directory->fd, item->temp_name, &item->item.temp);
        if (r < 0)
                return r;
        directory->changed |= r > 0;
        directory->perhaps_changed |= r == 0;
        return 0;
}

/* ---- parts ---- */

static struct list_part *to_part(struct request *request) {
        return CONTAINER_OF(request, struct list_part, request);
}

/* Items [first, ...) of the part that are in the directory of the first. */
static size_t count_neighbours(const struct list_part *part, size_t first) {
        const struct list_item *items = part->list->items;
        size_t last = first + 1;

        while (last < part->last && streq(items[last].directory, items[first].directory))
                last++;
        return last - first;
}

/* Best effort: an item that is not found to be plain is looked at by itself. */
static void find_plain(struct list_item *items, size_t n, const struct open_directory *directory) {
        _cleanup_free_ struct listing_name *names = n >= LISTING_MIN && directory->error == 0 ? calloc(n, 2 * sizeof(*names)) : NULL;

        if (!names)
                return;
        for (size_t i = 0; i < n; i++) {
                names[2 * i] = (struct listing_name) { .name = items[i].temp_name, .index = i };
                names[2 * i + 1] = (struct listing_name) { .name = items[i].name, .index = i };
        }
        if (!listing_find(directory->fd, names, 2 * n))
                return;
        for (size_t i = 0; i < 2 * n; i++) {
                struct list_item *item = &items[names[i].index];

                if (names[i].name == item->temp_name)
                        item->is_plain = names[i].ino != 0 && names[i].ino == item->item.temp.ino;
        }
        for (size_t i = 0; i < 2 * n; i++)
                if (names[i].name == items[names[i].index].name && names[i].ino != 0)
                        items[names[i].index].is_plain = false;
}

static void part_run(struct request *request) {
        struct open_directory directory = { .fd = -EBADF, .any_fd = -EBADF };
        struct list_part *self = to_part(request);
        struct list_request *list = self->list;
        int r;

        for (size_t i = self->first; i < self->last; i++) {
                const struct list_item *item = &list->items[i];

                if (!directory.path || !streq(directory.path, item->directory)) {
                        r = open_directory_close(&directory, list->syncs);
                        if (r < 0)
                                self->error = r;
                        open_directory_open(&directory, item->directory);
                        if (list->lists)
                                find_plain(&list->items[i], count_neighbours(self, i), &directory);
                }
                list->errors[item->index] = list->step(item, &directory);
        }
        r = open_directory_close(&directory, list->syncs);
        if (r < 0)
                self->error = r;
}

static void part_complete(struct request *request) {
        struct list_part *self = to_part(request);
        struct list_request *list = self->list;

        if (list->error == 0)
                list->error = self->error;
        if (--list->n_running == 0)
                list->done(list->error, list->errors, list->n, list->userdata);
}

static struct list_request *list_unref(struct list_request *list) {
        if (!list || --list->n_refs > 0)
                return NULL;
        for (size_t i = 0; list->items && i < list->n; i++) {
                free(list->items[i].path);
                free(list->items[i].directory);
        }
        free(list->items);
        free(list->errors);
        free(list);
        return NULL;
}
DEFINE_CLEANUP_FUNC(struct list_request, list_unref)

static void part_destroy(struct request *request) {
        struct list_part *self = to_part(request);

        list_unref(self->list);
        free(self);
}

static int compare_items(const void *a, const void *b) {
        const struct list_item *x = a, *y = b;
        int r;

        if (x->mount != y->mount)
                return (uintptr_t) x->mount < (uintptr_t) y->mount ? -1 : 1;
        r = strcmp(x->directory, y->directory);
        if (r != 0)
                return r;
        return x->index < y->index ? -1 : x->index > y->index;
}

/* Most lists are: the files of a job stand in one directory. */
static bool items_are_sorted(const struct list_item *items, size_t n) {
        for (size_t i = 1; i < n; i++)
                if (compare_items(&items[i - 1], &items[i]) > 0)
                        return false;
        return true;
}

/* @to: an element of an array whose earlier ones are filled in. */
static int item_copy(struct local_files *files, struct list_item *to, const struct files_item *from, size_t index) {
        int r = files_path_check(from->path);

        if (r < 0)
                return r;
        if (*from->temp_name && !temp_name_is_valid(from->temp_name))
                return -EINVAL;
        to->item = *from;
        to->item.path = to->item.temp_name = NULL; /* the caller's */
        to->index = index;
        (void) stpcpy(to->temp_name, from->temp_name);
        to->path = strdup(from->path);
        to->directory = path_directory(from->path);
        if (!to->path || !to->directory)
                return -ENOMEM;
        to->name = path_name(to->path);
        return mounts_find(files->mounts, to->path, &to->mount);
}

static int list_new(struct local_files *files, const struct files_item *items, size_t n, struct list_request **ret) {
        _cleanup_(list_unrefp) struct list_request *list = calloc(1, sizeof(*list));
        int r;

        if (!list)
                return -ENOMEM;
        list->n_refs = 1;
        list->n = n;
        list->items = calloc(MAX(n, (size_t) 1), sizeof(*list->items));
        list->errors = calloc(MAX(n, (size_t) 1), sizeof(*list->errors));
        if (!list->items || !list->errors)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                r = item_copy(files, &list->items[i], &items[i], i);
                if (r < 0)
                        return r;
        }
        if (!items_are_sorted(list->items, n))
                qsort(list->items, n, sizeof(*list->items), compare_items);
        *ret = TAKE_PTR(list);
        return 0;
}

static int part_new(struct list_request *list, size_t first, size_t last, struct list_part **ret) {
        struct list_part *part = calloc(1, sizeof(*part));

        if (!part)
                return -ENOMEM;
        *part = (struct list_part) {
                .request = { .run = part_run, .complete = part_complete, .destroy = part_destroy },
                .list = list,
                .first = first,
                .last = last,
        };
        list->n_refs++;
        *ret = part;
        return 0;
}

static int list_submit(struct local_files *files, struct list_request *list) {
        _cleanup_free_ struct list_part **parts = calloc(list->n + 1, sizeof(*parts));
        size_t n_parts = 0, first = 0;
        int r = parts ? 0 : -ENOMEM;

        do {
                size_t last = first;

                while (last < list->n && list->items[last].mount == list->items[first].mount)
                        last++;
                if (r == 0)
                        r = part_new(list, first, last, &parts[n_parts]);
                if (r == 0)
                        n_parts++;
                first = last;
        } while (r == 0 && first < list->n);
        if (r < 0) {
                for (size_t i = 0; i < n_parts; i++)
                        part_destroy(&parts[i]->request);
                return r;
        }
        list->n_running = (unsigned) n_parts;
        for (size_t i = 0; i < n_parts; i++) {
                const struct mount *mount = list->n > 0 ? list->items[parts[i]->first].mount : NULL;

                request_submit(files, &parts[i]->request, mount ? mount_lane(mount, LANE_NAMES) : NULL);
        }
        return 0;
}

int local_list(struct local_files *files, enum files_list_kind kind, const struct files_item *items, size_t n, files_list_fn done,
               void *userdata) {
        static const struct {
                list_step_fn step;
                bool syncs, lists;
        } kinds[_FILES_LIST_MAX] = {
                [FILES_LIST_PUBLISH] = { step_publish, .syncs = true },
                [FILES_LIST_PUBLISH_CHECK] = { step_publish_check, .lists = true },
                [FILES_LIST_REMOVE] = { step_remove, .syncs = true },
        };
        _cleanup_(list_unrefp) struct list_request *list = NULL;
        int r;

        r = list_new(files, items, n, &list);
        if (r < 0)
                return r;
        list->step = kinds[kind].step;
        list->syncs = kinds[kind].syncs;
        list->lists = kinds[kind].lists;
        list->done = done;
        list->userdata = userdata;
        return list_submit(files, list); /* the parts keep the list */
}
