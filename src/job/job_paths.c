#include "job/internal.h"

#include <search.h>

#include "base/strings.h"

/* A balanced tree of libc rather than a hash: its worst case is O(log n) whatever names a client picks. */

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

static int compare_files(const void *a, const void *b) {
        return compare_paths(((const struct job_file *) a)->path, ((const struct job_file *) b)->path);
}

int job_paths_add(struct job *job, struct job_file *file) {
        struct job_file **found;

        /* A job from the store has files and no tree yet. Should two be equal, the first stands for
         * both. */
        if (!job->paths)
                for (size_t i = 0; i < job->n_files; i++)
                        if (job->files[i] != file && job->files[i]->path && *job->files[i]->path &&
                            !tsearch(job->files[i], &job->paths, compare_files)) {
                                job_paths_done(job);
                                return -ENOMEM;
                        }
        if (!*file->path)
                return 0; /* its destination comes later */
        found = tsearch(file, &job->paths, compare_files);
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
