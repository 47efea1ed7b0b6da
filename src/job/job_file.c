/* What a file is to be, said after it was added: where from, where to, and how much of it. */
#include "base/strings.h"
#include "job/internal.h"

int job_file_set_url(struct job_file *file, const char *url, uint64_t now_usec) {
        int r = job_url_check(url);

        if (r)
                return r;
        r = strdup_to(&file->url, url);
        if (r)
                return r;
        file->job->modified_usec = now_usec;
        return 0;
}

int job_file_set_path(struct job_file *file, const char *path, mode_t mode, uint64_t now_usec) {
        _cleanup_free_ char *copy = NULL;
        char *old = file->path;
        int r;

        if (file->stream)
                return ERROR_SINK_ALREADY_SET;
        if (file->temp.ino != 0 || file->state != FILE_PENDING)
                return ERROR_INVALID_STATE; /* its bytes are in the old place's directory */
        r = job_path_check(path);
        if (r)
                return r;
        r = strdup_to(&copy, path);
        if (r)
                return r;
        job_paths_remove(file->job, file);
        file->path = copy;
        r = job_paths_add(file->job, file);
        if (r) {
                file->path = old;
                (void) job_paths_add(file->job, file); /* where it was a moment ago */
                return r;
        }
        (void) TAKE_PTR(copy);
        free(old);
        file->mode = mode & 0666;
        file->job->modified_usec = now_usec;
        return 0;
}

int job_file_set_id(struct job_file *file, const char *file_id, uint64_t now_usec) {
        int r;

        if (file->state != FILE_PENDING)
                return ERROR_INVALID_STATE;
        r = job_file_id_check(file_id);
        if (r)
                return r;
        r = strdup_to(&file->file_id, *file_id ? file_id : NULL);
        if (r == 0)
                file->job->modified_usec = now_usec;
        return r;
}

int job_file_set_stated_size(struct job_file *file, uint64_t size, uint64_t now_usec) {
        if (file->state != FILE_PENDING)
                return ERROR_INVALID_STATE;
        if (size != SIZE_UNKNOWN && size > LIMIT_FILE_SIZE)
                return ERROR_TOO_LARGE;
        file->stated_size = size;
        file->job->modified_usec = now_usec;
        return 0;
}

/* ---- how much of it ---- */

static bool wants_exactly(const struct job_file *file, const struct byte_range *ranges, size_t n_ranges) {
        return n_ranges == file->n_ranges &&
               (n_ranges == 0 || memcmp(ranges, file->ranges, n_ranges * sizeof(*ranges)) == 0);
}

/* Takes over @ranges if 0. */
static int exchange_ranges(struct job_file *file, struct byte_range *ranges, size_t n_ranges) {
        struct byte_range *old = file->ranges;
        size_t n_old = file->n_ranges;
        int r = 0;

        file->ranges = ranges;
        file->n_ranges = n_ranges;
        if (file->remote_size != SIZE_UNKNOWN)
                r = job_file_set_remote_size(file, file->remote_size);
        else
                file->size = job_file_size_from_ranges(file);
        if (r) {
                file->ranges = old;
                file->n_ranges = n_old;
                return r;
        }
        free(old);
        return 0;
}

/* The ranges of @file that it keeps (all or none), and behind them @ranges. */
static int set_ranges(struct job_file *file, bool keep, const struct byte_range *ranges, size_t n_ranges,
                      size_t max_ranges) {
        size_t n_kept = keep ? file->n_ranges : 0;
        _cleanup_free_ struct byte_range *all = NULL;
        int r;

        if (n_kept + n_ranges > 0) {
                all = reallocarray(NULL, n_kept + n_ranges, sizeof(*all));
                if (!all)
                        return -ENOMEM;
        }
        if (n_kept > 0)
                memcpy(all, file->ranges, n_kept * sizeof(*all));
        if (n_ranges > 0)
                memcpy(all + n_kept, ranges, n_ranges * sizeof(*all));
        r = job_ranges_check(all, n_kept + n_ranges, max_ranges);
        if (r == 0)
                r = exchange_ranges(file, all, n_kept + n_ranges);
        if (r == 0)
                (void) TAKE_PTR(all);
        return r;
}

static int want_more(struct job_file *file, const struct byte_range *ranges, size_t n_ranges, size_t max_ranges) {
        int r;

        if (file->n_ranges == 0)
                return n_ranges == 0 ? 0 : ERROR_RANGES_UNEXPECTED; /* it has them all */
        if (n_ranges > 0) {
                r = set_ranges(file, true, ranges, n_ranges, max_ranges);
                if (r == 0)
                        job_file_set_state(file, FILE_PENDING);
                return r;
        }
        job_file_forget_content(file);
        return set_ranges(file, false, NULL, 0, max_ranges);
}

int job_file_want(struct job_file *file, const struct byte_range *ranges, size_t n_ranges, size_t max_ranges) {
        int r = job_ranges_check(ranges, n_ranges, max_ranges);

        if (r)
                return r;
        if (n_ranges > 0 && file->job->http_method)
                return ERROR_NOT_SUPPORTED_WITH_METHOD;
        if (n_ranges > 0 && file->job->dynamic_content)
                return ERROR_RANDOM_ACCESS_NOT_SUPPORTED;
        if (file->job->resumed && wants_exactly(file, ranges, n_ranges))
                return 0;
        if (file->state == FILE_TRANSFERRED)
                return want_more(file, ranges, n_ranges, max_ranges);
        if (file->job->resumed && n_ranges == 0)
                return 0; /* go on */
        if (file->received.n_items > 0)
                return ERROR_RANGES_UNEXPECTED;
        return set_ranges(file, false, ranges, n_ranges, max_ranges);
}

int job_is_unready(const struct job *job) {
        if (job->n_files == 0)
                return ERROR_JOB_EMPTY;
        for (size_t i = 0; i < job->n_files; i++) {
                if (!*job->files[i]->url)
                        return ERROR_NO_URI;
                if (!*job->files[i]->path && !job->files[i]->stream)
                        return job->kind == JOB_KIND_DOWNLOAD ? ERROR_NO_LOCAL_PATH : ERROR_SINK_UNSPECIFIED;
        }
        return 0;
}
