/* The janitor: temp files of ours that nobody remembers. One part per directory, each in its mount's lane. */

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strings.h"
#include "files/paths.h"
#include "files/request.h"

struct sweep {
        unsigned n_refs;
        unsigned n_running;
        char **known; /* sorted; they stand in @names */
        char *names;
        size_t n_known;
        uint64_t oldest_kept_usec;
        size_t n_removed;
        files_sweep_fn done;
        void *userdata;
};

struct sweep_part {
        struct request request;
        struct sweep *sweep;
        char *directory;
        size_t n_removed;
};

static DIR *dir_close(DIR *dir) {
        closedir(dir);
        return NULL;
}
DEFINE_CLEANUP_FUNC(DIR, dir_close)

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static bool is_debris(const struct sweep *sweep, int dirfd, const char *name) {
        struct file_facts facts;

        if (!temp_name_is_valid(name))
                return false;
        if (sweep->n_known > 0 && bsearch(&name, sweep->known, sweep->n_known, sizeof(*sweep->known), compare_names))
                return false;
        return path_facts(dirfd, name, &facts) == 0 && facts_are_ours(&facts, geteuid()) && facts.n_links == 1 &&
                facts.mtime_usec <= sweep->oldest_kept_usec;
}

static void sweep_run(struct request *request) {
        struct sweep_part *self = CONTAINER_OF(request, struct sweep_part, request);
        _cleanup_close_ int path_fd = path_open_directory(self->directory), fd = -EBADF;
        _cleanup_(dir_closep) DIR *dir = NULL;
        struct dirent *entry;

        if (path_fd < 0)
                return;
        fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return;
        dir = fdopendir(fd);
        if (!dir)
                return;
        fd = -EBADF; /* now the stream's */
        while ((entry = readdir(dir)))
                if (is_debris(self->sweep, path_fd, entry->d_name) && unlinkat(path_fd, entry->d_name, 0) == 0)
                        self->n_removed++;
        /* No sync: what comes back after a power cut is swept again. */
}

static struct sweep *sweep_unref(struct sweep *sweep) {
        if (!sweep || --sweep->n_refs > 0)
                return NULL;
        free(sweep->known);
        free(sweep->names);
        free(sweep);
        return NULL;
}
DEFINE_CLEANUP_FUNC(struct sweep, sweep_unref)

static void sweep_complete(struct request *request) {
        struct sweep_part *self = CONTAINER_OF(request, struct sweep_part, request);
        struct sweep *sweep = self->sweep;

        sweep->n_removed += self->n_removed;
        if (--sweep->n_running == 0)
                sweep->done(sweep->n_removed, sweep->userdata);
}

static void sweep_destroy(struct request *request) {
        struct sweep_part *self = CONTAINER_OF(request, struct sweep_part, request);

        sweep_unref(self->sweep);
        free(self->directory);
        free(self);
}

/* All names in one piece: there is one for each file of each job, and when they are freed nothing is left between what stays. */
static int copy_known(struct sweep *sweep, const struct files_sweep_request *request) {
        size_t size = 0;
        char *next;

        for (size_t i = 0; i < request->n_known_names; i++)
                size += strlen(request->known_names[i]) + 1;
        sweep->known = calloc(MAX(request->n_known_names, (size_t) 1), sizeof(*sweep->known));
        next = sweep->names = malloc(MAX(size, (size_t) 1));
        if (!sweep->known || !sweep->names)
                return -ENOMEM;
        for (size_t i = 0; i < request->n_known_names; i++) {
                sweep->known[i] = next;
                next = stpcpy(next, request->known_names[i]) + 1;
        }
        sweep->n_known = request->n_known_names;
        qsort(sweep->known, sweep->n_known, sizeof(*sweep->known), compare_names);
        return 0;
}

static struct sweep_part *part_new(struct sweep *sweep, const char *directory) {
        struct sweep_part *part = calloc(1, sizeof(*part));

        if (!part)
                return NULL;
        part->request = (struct request) { .run = sweep_run, .complete = sweep_complete, .destroy = sweep_destroy };
        part->directory = strdup(directory);
        if (!part->directory) {
                free(part);
                return NULL;
        }
        part->sweep = sweep;
        sweep->n_refs++;
        return part;
}

/* Which lane: the directory itself is what is read, so a name in it is asked for. */
static const void *sweep_lane(struct local_files *files, const char *directory) {
        _cleanup_free_ char *path = malloc(strlen(directory) + 3);
        struct mount *mount;

        if (!path)
                return NULL;
        stpcpy(stpcpy(path, directory), "/x");
        return mounts_find(files->mounts, path, &mount) < 0 ? NULL : mount_lane(mount, LANE_NAMES);
}

int local_sweep(struct local_files *files, const struct files_sweep_request *request, files_sweep_fn done, void *userdata) {
        _cleanup_(sweep_unrefp) struct sweep *sweep = calloc(1, sizeof(*sweep));
        _cleanup_free_ struct sweep_part **parts = NULL;
        size_t n = MAX(request->n_directories, (size_t) 1);
        int r;

        if (!sweep)
                return -ENOMEM;
        sweep->n_refs = 1;
        sweep->done = done;
        sweep->userdata = userdata;
        if (request->now_usec > request->min_age_usec)
                sweep->oldest_kept_usec = request->now_usec - request->min_age_usec;
        r = copy_known(sweep, request);
        if (r < 0)
                return r;
        parts = calloc(n, sizeof(*parts));
        if (!parts)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                /* No directory at all: one that cannot be opened, as the answer must come on the loop. */
                parts[i] = part_new(sweep, request->n_directories > 0 ? request->directories[i] : "");
                if (!parts[i]) {
                        while (i-- > 0)
                                sweep_destroy(&parts[i]->request);
                        return -ENOMEM;
                }
        }
        sweep->n_running = (unsigned) n;
        for (size_t i = 0; i < n; i++)
                request_submit(files, &parts[i]->request, sweep_lane(files, parts[i]->directory));
        return 0;
}
