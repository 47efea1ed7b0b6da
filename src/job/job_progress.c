#include "job/internal.h"

/* Adds to @set and keeps @sum, the job's total over all files, right. */
static int add_counted(struct intervals *set, uint64_t *sum, uint64_t start, uint64_t end) {
        uint64_t fresh = 0, total;
        struct interval gap;
        int r;

        for (uint64_t from = start; intervals_next_gap(set, from, end, &gap); from = gap.end)
                fresh += gap.end - gap.start;
        if (fresh == 0)
                return 0;
        if (u64_add_overflows(*sum, fresh, &total))
                return -EOVERFLOW;
        r = intervals_add(set, start, end);
        if (r < 0)
                return r;
        *sum = total;
        return 0;
}

static int check_positions(const struct job_file *file, uint64_t start, uint64_t end) {
        if (start > end)
                return -EINVAL;
        if (end > LIMIT_FILE_SIZE)
                return ERROR_TOO_LARGE;
        /* SIZE_UNKNOWN is larger than every position. */
        return end > file->size ? ERROR_INVALID_RESPONSE : 0;
}

int job_file_received(struct job_file *file, uint64_t start, uint64_t end) {
        int r = check_positions(file, start, end);

        if (r)
                return r;
        return add_counted(&file->received, &file->job->bytes_received, start, end);
}

static int add_untold(struct job_file *file, uint64_t start, uint64_t end) {
        struct interval gap;
        int r = 0;

        for (uint64_t from = start; r == 0 && intervals_next_gap(&file->durable, from, end, &gap); from = gap.end)
                r = intervals_add(&file->untold, gap.start, gap.end);
        return r;
}

int job_file_durable(struct job_file *file, const struct intervals *synced) {
        struct job *job = file->job;

        for (size_t i = 0; i < synced->n_items; i++) {
                uint64_t start = synced->items[i].start, end = synced->items[i].end;
                int r = check_positions(file, start, end);

                if (r)
                        return r;
                if (job->on_demand) {
                        r = add_untold(file, start, end);
                        if (r < 0)
                                return r;
                }
                /* In this order, or a lack of memory would leave durable bytes that were never received. */
                r = add_counted(&file->received, &job->bytes_received, start, end);
                if (r)
                        return r;
                r = add_counted(&file->durable, &job->bytes_durable, start, end);
                if (r)
                        return r;
        }
        return 0;
}

/* Which bytes were whose is not known: as long as some are there, they may be anybody's. */
static void forget_givers_of_nothing(struct job_file *file) {
        if (file->received.n_items == 0)
                job_file_forget_givers(file);
}

int job_file_forget_received(struct job_file *file) {
        uint64_t before = intervals_total(&file->received);
        int r = intervals_copy(&file->received, &file->durable);

        if (r < 0)
                return r;
        file->job->bytes_received -= before - intervals_total(&file->received);
        forget_givers_of_nothing(file);
        return 0;
}

/* Takes from @set and keeps @sum right. */
static int remove_counted(struct intervals *set, uint64_t *sum, uint64_t start, uint64_t end) {
        uint64_t before = intervals_total(set);
        int r = intervals_remove(set, start, end);

        *sum -= before - intervals_total(set);
        return r;
}

int job_file_forget_range(struct job_file *file, uint64_t start, uint64_t end) {
        /* In this order, or a lack of memory would leave durable bytes that were never received. */
        int r = intervals_remove(&file->untold, start, end);

        if (r == 0)
                r = remove_counted(&file->durable, &file->job->bytes_durable, start, end);
        chunks_keep_within(&file->chunks, &file->durable);
        if (r == 0)
                r = remove_counted(&file->received, &file->job->bytes_received, start, end);
        forget_givers_of_nothing(file);
        return r;
}

int job_file_keep_proved(struct job_file *file, const struct intervals *proved) {
        uint64_t received = intervals_total(&file->received), durable = intervals_total(&file->durable);
        uint64_t total = intervals_total(proved);
        int r = intervals_copy(&file->untold, file->job->on_demand ? proved : &file->untold);

        /* In this order, or a lack of memory would leave durable bytes that were never received. */
        if (r == 0)
                r = intervals_copy(&file->durable, proved);
        if (r < 0)
                return r;
        file->job->bytes_durable -= durable - total;
        r = intervals_copy(&file->received, proved);
        if (r < 0)
                return r;
        file->job->bytes_received -= received - total;
        chunks_keep_within(&file->chunks, &file->durable);
        forget_givers_of_nothing(file);
        return 0;
}

void job_file_reset(struct job_file *file) {
        file->job->bytes_received -= intervals_total(&file->received);
        file->job->bytes_durable -= intervals_total(&file->durable);
        intervals_clear(&file->received);
        intervals_clear(&file->durable);
        intervals_clear(&file->untold);
        chunks_done(&file->chunks);
        file->temp_name[0] = 0;
        file->temp = (struct file_identity) {};
        validators_done(&file->validators);
        file->remote_size = SIZE_UNKNOWN;
        file->size = job_file_size_from_ranges(file);
        file->remote_time_usec = 0;
        file->length_unverified = false;
        job_file_forget_givers(file);
        file->integrity = FILE_INTEGRITY_NONE;
        job_file_set_state(file, FILE_PENDING);
}

void job_file_forget_content(struct job_file *file) {
        char temp_name[TEMP_NAME_MAX];
        struct file_identity temp = file->temp, directory = file->directory;

        memcpy(temp_name, file->temp_name, sizeof(temp_name));
        job_file_reset(file);
        memcpy(file->temp_name, temp_name, sizeof(temp_name));
        file->temp = temp;
        file->directory = directory;
}

static bool state_counts_as_transferred(enum file_state state) {
        return state == FILE_TRANSFERRED || state == FILE_PUBLISHED;
}

static void set_notify_due(struct job_file *file, bool due) {
        file->job->n_files_notify_due -= file->notify_due;
        file->job->n_files_notify_due += due;
        if (due && !file->notify_due)
                file->notify_round++;
        file->notify_due = due;
}

void job_file_set_state(struct job_file *file, enum file_state state) {
        file->job->n_files_transferred -= state_counts_as_transferred(file->state);
        file->job->n_files_transferred += state_counts_as_transferred(state);
        set_notify_due(file, state == FILE_TRANSFERRED && (file->notify_due || file->state != FILE_TRANSFERRED));
        file->state = state;
        if (state == FILE_TRANSFERRED) {
                file->n_restarts = 0;
                file->validation = FILE_VALIDATION_NONE;
                chunks_done(&file->chunks);
        }
}

int job_file_set_validation(struct job_file *file, bool good, uint64_t now_usec) {
        if (file->state != FILE_TRANSFERRED)
                return file->state == FILE_PENDING ? ERROR_PENDING : ERROR_INVALID_STATE;
        file->validation = good ? FILE_VALIDATION_GOOD : FILE_VALIDATION_BAD;
        file->job->modified_usec = now_usec;
        return 0;
}

void job_file_notify_taken(struct job_file *file) {
        set_notify_due(file, false);
}

bool job_file_is_filled(const struct job_file *file) {
        return file->size != SIZE_UNKNOWN && intervals_contain(&file->received, 0, file->size);
}

bool job_is_complete(const struct job *job) {
        return job->n_files > 0 && job->n_files_transferred == job->n_files;
}

uint64_t job_bytes_total(const struct job *job) {
        uint64_t total = 0;

        /* From the last one, which is fetched last: while its size is not known, nothing else matters. */
        for (size_t i = job->n_files; i > 0 && total != SIZE_UNKNOWN; i--)
                total = u64_add_saturated(total, job->files[i - 1]->size);
        return total;
}

/* ---- sizes and ranges ---- */

static uint64_t range_length(const struct byte_range *range, uint64_t remote_size) {
        if (range->length != TO_EOF)
                return range->length;
        return remote_size == SIZE_UNKNOWN ? TO_EOF : remote_size - range->offset;
}

/* Its ranges lie one after another in the local file. Else each byte is where it is in the remote one. */
static bool has_own_layout(const struct job_file *file) {
        return file->n_ranges > 0 && !file->job->on_demand;
}

uint64_t job_file_size_from_ranges(const struct job_file *file) {
        uint64_t size = 0;

        if (!has_own_layout(file))
                return SIZE_UNKNOWN;
        for (size_t i = 0; i < file->n_ranges; i++)
                size = u64_add_saturated(size, file->ranges[i].length); /* TO_EOF sticks as SIZE_UNKNOWN */
        return size;
}

int job_file_set_remote_size(struct job_file *file, uint64_t remote_size) {
        uint64_t size = has_own_layout(file) ? 0 : remote_size;

        if (remote_size > LIMIT_FILE_SIZE)
                return ERROR_TOO_LARGE;
        for (size_t i = 0; has_own_layout(file) && i < file->n_ranges; i++) {
                const struct byte_range *range = &file->ranges[i];

                if (range->offset >= remote_size)
                        return ERROR_INVALID_RANGE;
                if (range->length != TO_EOF && range->length > remote_size - range->offset)
                        return ERROR_INVALID_RANGE;
                size += range_length(range, remote_size); /* disjoint parts of remote_size: no overflow */
        }
        if (file->received.n_items > 0 && file->received.items[file->received.n_items - 1].end > size)
                return ERROR_REMOTE_FILE_CHANGED;
        file->remote_size = remote_size;
        file->size = size;
        return 0;
}

/* ---- what is still to fetch ---- */

struct piece_list {
        struct interval part; /* of the local file; no others are listed */
        struct file_piece *items;
        size_t n, max;
};

/* Lists the gaps of local [start, end); end may be UINT64_MAX for "nobody knows". */
static void list_gaps(const struct job_file *file, uint64_t start, uint64_t end, uint64_t remote_start,
                      struct piece_list *list) {
        struct interval gap;

        for (uint64_t from = MAX(start, list->part.start); intervals_next_gap(&file->received, from, MIN(end, list->part.end), &gap); from = gap.end) {
                if (list->n < list->max)
                        list->items[list->n] = (struct file_piece) {
                                .remote_offset = remote_start + (gap.start - start),
                                .length = gap.end == UINT64_MAX ? TO_EOF : gap.end - gap.start,
                                .local_offset = gap.start,
                        };
                list->n++;
        }
}

/* What lies behind the position first, then the rest. */
static void list_wanted(const struct job_file *file, struct piece_list *list) {
        for (unsigned pass = 0; pass < 2; pass++)
                for (size_t i = 0; i < file->n_ranges; i++) {
                        const struct byte_range *range = &file->ranges[i];
                        uint64_t start = range->offset;
                        uint64_t end = MIN(u64_add_saturated(start, range->length), file->size);

                        if (pass == 0)
                                start = MAX(start, file->position);
                        else
                                end = MIN(end, file->position);
                        if (start < end)
                                list_gaps(file, start, end, start, list);
                }
}

size_t job_file_missing_within(const struct job_file *file, const struct interval *part, struct file_piece *ret, size_t max) {
        struct piece_list list = { .part = *part, .items = ret, .max = max };
        uint64_t local = 0;

        if (file->state != FILE_PENDING)
                return 0;
        if (file->job->on_demand) {
                list_wanted(file, &list);
                return list.n;
        }
        if (file->n_ranges == 0)
                list_gaps(file, 0, file->size, 0, &list);
        for (size_t i = 0; i < file->n_ranges; i++) {
                uint64_t end = u64_add_saturated(local, range_length(&file->ranges[i], file->remote_size));

                list_gaps(file, local, end, file->ranges[i].offset, &list);
                /* Where the next range begins is known when the remote size is. */
                if (end == UINT64_MAX)
                        break;
                local = end;
        }
        return list.n;
}

size_t job_file_missing(const struct job_file *file, struct file_piece *ret, size_t max) {
        return job_file_missing_within(file, &(struct interval) { 0, UINT64_MAX }, ret, max);
}

/* ---- from the store ---- */

static int file_loaded(struct job *job, struct job_file *file) {
        const struct intervals *durable = &file->durable;
        int r;

        if (durable->n_items > 0 && check_positions(file, 0, durable->items[durable->n_items - 1].end))
                return -EBADMSG;
        /* Only against rows that an older or foreign program wrote; we never store such. */
        for (size_t i = 0; has_own_layout(file) && i < file->n_ranges; i++)
                if (file->remote_size != SIZE_UNKNOWN && file->ranges[i].offset > file->remote_size)
                        return -EBADMSG;
        r = intervals_copy(&file->received, durable);
        if (r < 0)
                return r;
        /* Who took what is not stored: it is told again. */
        if (job->on_demand && intervals_copy(&file->untold, durable) < 0)
                return -ENOMEM;
        if (u64_add_overflows(job->bytes_durable, intervals_total(durable), &job->bytes_durable))
                return -EBADMSG;
        job->n_files_transferred += state_counts_as_transferred(file->state);
        job->n_files_notify_due += file->notify_due;
        return 0;
}

int job_loaded(struct job *job) {
        job->bytes_durable = 0;
        job->n_files_transferred = 0;
        job->n_files_notify_due = 0;
        for (size_t i = 0; i < job->n_files; i++) {
                int r = file_loaded(job, job->files[i]);

                if (r < 0)
                        return r;
        }
        job->bytes_received = job->bytes_durable;
        if (job_state_is_final(job->state))
                return 0;
        /* Its request was under way, and may have done its work: whether to send it again is not ours to decide. */
        if (job->http_method && job->state == JOB_TRANSFERRING) {
                job_set_error(job, ERROR_CONNECTION_CLOSED, ERROR_CONTEXT_GENERAL_TRANSPORT, 0, JOB_ERROR_NO_FILE,
                              "the service ended while the request was under way");
                if (job_transition(job, JOB_EVENT_FATAL_ERROR, job->state_since_usec))
                        return -EBADMSG;
        }
        /* It has been waiting since it was last seen moving. */
        if (job_transition(job, JOB_EVENT_RESTARTED, job->state_since_usec))
                return -EBADMSG;
        if (job->waiting == WAITING_NONE)
                job_set_waiting(job, job_default_waiting(job), job->state_since_usec);
        return 0;
}

bool job_is_over_its_size(const struct job *job) {
        uint64_t total = 0;

        if (job->max_download_size == SIZE_UNKNOWN)
                return false;
        for (size_t i = 0; i < job->n_files; i++) {
                const struct job_file *file = job->files[i];

                total = u64_add_saturated(total, file->size != SIZE_UNKNOWN ? file->size : intervals_total(&file->received));
        }
        return total > job->max_download_size;
}
