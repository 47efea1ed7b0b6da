#include "job/internal.h"

#include <search.h>

#include "base/strings.h"

/* A balanced tree of libc rather than a hash table: its worst case is O(log n) whatever names a client picks. In order of a hash all the
 * same: the files of a job stand in a few directories, and to compare such paths to their ends at each step took most of the time of adding
 * a thousand. */

static const char *next_step(const char *p) {
        if (*p++ == '/')
                while (*p == '/')
                        p++;
        return p;
}

static int compare_paths(const char *a, const char *b) {
        while (*a && *a == *b) {
                a = next_step(a);
                b = next_step(b);
        }
        return (int)(uint8_t) *a - (int)(uint8_t) *b;
}

/* FNV-1a; equal paths have equal ones. */
static uint64_t hash_path(const char *path) {
        uint64_t hash = UINT64_C(0xcbf29ce484222325);

        for (; *path; path = next_step(path))
                hash = (hash ^ (uint8_t) *path) * UINT64_C(0x100000001b3);
        return hash;
}

static int compare_files(const void *a, const void *b) {
        const struct job_file *x = a, *y = b;

        if (x->path_hash != y->path_hash)
                return x->path_hash < y->path_hash ? -1 : 1;
        return compare_paths(x->path, y->path);
}

static struct job_file **put(struct job *job, struct job_file *file) {
        file->path_hash = hash_path(file->path);
        return tsearch(file, &job->paths, compare_files);
}

int job_paths_add(struct job *job, struct job_file *file) {
        struct job_file **found;

        /* A job from the store has files and no tree yet. Should two be equal, the first stands for
         * both. */
        if (!job->paths)
                for (size_t i = 0; i < job->n_files; i++)
                        if (job->files[i] != file && job->files[i]->path && *job->files[i]->path &&
                            !put(job, job->files[i])) {
                                job_paths_done(job);
                                return -ENOMEM;
                        }
        if (!*file->path)
                return 0; /* its destination comes later */
        found = put(job, file);
        if (!found)
                return -ENOMEM;
        return *found == file ? 0 : ERROR_DUPLICATE_DESTINATION;
}

void job_paths_remove(struct job *job, struct job_file *file) {
        struct job_file **found = file->path && *file->path ? tfind(file, &job->paths, compare_files) : NULL;

        if (found && *found == file)
                tdelete(file, &job->paths, compare_files);
}

static void keep_file(void *file _unused_) {
}

void job_paths_done(struct job *job) {
        tdestroy(job->paths, keep_file);
        job->paths = NULL;
}
