/* On demand: the client says which bytes it wants, as it goes; each lies at its own place in the file. file->ranges keeps them sorted and
 * merged, so that wanting the same bytes a thousand times costs nothing. */
#include "job/internal.h"

static int check_parts(const struct job *job, bool on, bool has_other) {
        if (job->resumed)
                return ERROR_READ_ONLY_AFTER_RESUME;
        if (on && job->http_method)
                return ERROR_NOT_SUPPORTED_WITH_METHOD;
        if (on && has_other)
                return ERROR_RANDOM_ACCESS_NOT_SUPPORTED;
        for (size_t i = 0; on && i < job->n_files; i++)
                if (job->files[i]->n_ranges > 0)
                        return ERROR_RANDOM_ACCESS_NOT_SUPPORTED;
        return 0;
}

int job_set_on_demand(struct job *job, bool on, uint64_t now_usec) {
        int r = check_parts(job, on, job->dynamic_content);

        if (r != 0)
                return r;
        job->on_demand = on;
        job->modified_usec = now_usec;
        return 0;
}

int job_set_dynamic_content(struct job *job, bool on, uint64_t now_usec) {
        int r = check_parts(job, on, job->on_demand);

        if (r == 0 && on)
                r = job_set_priority(job, JOB_PRIORITY_FOREGROUND, now_usec);
        if (r != 0)
                return r;
        job->dynamic_content = on;
        job->modified_usec = now_usec;
        return 0;
}

static uint64_t range_end(const struct byte_range *range) {
        return range->length == TO_EOF ? UINT64_MAX : range->offset + range->length;
}

/* Everything that is wanted, old and new. */
static int collect_wanted(const struct job_file *file, const struct byte_range *ranges, size_t n_ranges, struct intervals *ret) {
        for (size_t i = 0; i < file->n_ranges; i++) {
                int r = intervals_add(ret, file->ranges[i].offset, range_end(&file->ranges[i]));

                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < n_ranges; i++) {
                int r;

                if (!job_range_is_valid(&ranges[i]) || ranges[i].offset >= file->size)
                        return ERROR_INVALID_RANGE;
                r = intervals_add(ret, ranges[i].offset, MIN(range_end(&ranges[i]), file->size));
                if (r < 0)
                        return r;
        }
        return 0;
}

int job_file_demand(struct job_file *file, const struct byte_range *ranges, size_t n_ranges, size_t max_ranges, uint64_t now_usec) {
        _cleanup_(intervals_done) struct intervals wanted = {};
        struct byte_range *merged;
        int r;

        if (!file->job->on_demand)
                return ERROR_RANDOM_ACCESS_NOT_SUPPORTED;
        if (n_ranges == 0 || !ranges)
                return ERROR_INVALID_ARGUMENT;
        r = collect_wanted(file, ranges, n_ranges, &wanted);
        if (r != 0)
                return r;
        if (wanted.n_items > max_ranges)
                return ERROR_TOO_MANY_RANGES;
        merged = calloc(wanted.n_items, sizeof(*merged));
        if (!merged)
                return -ENOMEM;
        for (size_t i = 0; i < wanted.n_items; i++)
                merged[i] = (struct byte_range) {
                        .offset = wanted.items[i].start,
                        .length = wanted.items[i].end == UINT64_MAX ? TO_EOF : wanted.items[i].end - wanted.items[i].start,
                };
        free(file->ranges);
        file->ranges = merged;
        file->n_ranges = wanted.n_items;
        file->job->modified_usec = now_usec;
        return 0;
}

int job_file_set_position(struct job_file *file, uint64_t position) {
        if (!file->job->on_demand)
                return ERROR_RANDOM_ACCESS_NOT_SUPPORTED;
        if (position >= LIMIT_FILE_SIZE || position >= file->size)
                return ERROR_INVALID_RANGE;
        file->position = position;
        return 0;
}

bool job_file_has_work(const struct job_file *file) {
        if (file->state != FILE_PENDING)
                return false;
        return !file->job->on_demand || job_file_is_filled(file) || job_file_missing(file, NULL, 0) > 0;
}
