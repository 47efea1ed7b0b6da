#include "store/record.h"

#include <string.h>

#include "base/log.h"
#include "base/strings.h"

/* The kinds say how many bytes a member has; a row with the wrong kind does not compile. */
#define FIELD_SIZE_U64(max) 8
#define FIELD_SIZE_BITS(max) 8
#define FIELD_SIZE_U32(max) 4
#define FIELD_SIZE_BOOL(max) sizeof(bool)
#define FIELD_SIZE_TEXT(max) sizeof(char *)
#define FIELD_SIZE_TEXT_OR_NULL(max) sizeof(char *)
#define FIELD_SIZE_URL(max) sizeof(char *)
#define FIELD_SIZE_PATH(max) sizeof(char *)
#define FIELD_SIZE_BYTES_OR_NULL(max) sizeof(char *)
#define FIELD_SIZE_SECRET(max) sizeof(struct secret)
#define FIELD_SIZE_CHARS(max) (max)
#define FIELD_SIZE_BLOB(max) (max)
#define FIELD_SIZE_ERROR_CODE(max) sizeof(enum error_code)

#define CHECK_FIELD(type, column, kind, member, max)                              \
        _Static_assert(sizeof(((type *)0)->member) == FIELD_SIZE_##kind(max), #column);
#define CHECK_JOB(c, k, m, x) CHECK_FIELD(struct job, c, k, m, x)
#define CHECK_FILE(c, k, m, x) CHECK_FIELD(struct job_file, c, k, m, x)
#define CHECK_HISTORY(c, k, m, x) CHECK_FIELD(struct history_entry, c, k, m, x)
JOB_FIELDS(CHECK_JOB)
FILE_FIELDS(CHECK_FILE)
HISTORY_FIELDS(CHECK_HISTORY)

#define JOB_ROW(c, k, m, x) { #c, FIELD_##k, offsetof(struct job, m), x },
#define FILE_ROW(c, k, m, x) { #c, FIELD_##k, offsetof(struct job_file, m), x },
#define HISTORY_ROW(c, k, m, x) { #c, FIELD_##k, offsetof(struct history_entry, m), x },
static const struct field job_rows[] = { JOB_FIELDS(JOB_ROW) };
static const struct field file_rows[] = { FILE_FIELDS(FILE_ROW) };
static const struct field history_rows[] = { HISTORY_FIELDS(HISTORY_ROW) };

const struct field_table job_fields = { job_rows, ELEMENTSOF(job_rows) };
const struct field_table file_fields = { file_rows, ELEMENTSOF(file_rows) };
const struct field_table history_fields = { history_rows, ELEMENTSOF(history_rows) };

static bool field_is_string(const struct field *field) {
        return field->kind == FIELD_TEXT || field->kind == FIELD_TEXT_OR_NULL || field->kind == FIELD_URL ||
               field->kind == FIELD_PATH || field->kind == FIELD_BYTES_OR_NULL;
}

static size_t field_size(const struct field *field) {
        switch (field->kind) {
        case FIELD_U64:
        case FIELD_BITS:
                return sizeof(uint64_t);
        case FIELD_U32:
                return sizeof(uint32_t);
        case FIELD_BOOL:
                return sizeof(bool);
        case FIELD_CHARS:
        case FIELD_BLOB:
                return field->max;
        case FIELD_ERROR_CODE:
                return sizeof(enum error_code);
        default:
                return sizeof(char *);
        }
}

static void fields_done(const struct field_table *table, void *record) {
        for (size_t i = 0; i < table->n_fields; i++)
                if (field_is_string(&table->fields[i]))
                        freep((char *)record + table->fields[i].offset);
                else if (table->fields[i].kind == FIELD_SECRET)
                        secret_done((struct secret *) ((char *)record + table->fields[i].offset));
}

/* @to's strings are NULL. What was copied before a failure is in @to and freed with it. */
static int fields_copy(const struct field_table *table, void *to, const void *from) {
        for (size_t i = 0; i < table->n_fields; i++) {
                const struct field *field = &table->fields[i];
                const char *source = (const char *)from + field->offset;
                char *target = (char *)to + field->offset;
                int r = 0;

                if (field_is_string(field))
                        r = strdup_to((char **)target, *(char *const *)source);
                else if (field->kind == FIELD_SECRET)
                        r = secret_copy((struct secret *) target, (const struct secret *) source);
                else
                        memcpy(target, source, field_size(field));
                if (r < 0)
                        return r;
        }
        return 0;
}

static void fields_move(const struct field_table *table, void *to, void *from) {
        for (size_t i = 0; i < table->n_fields; i++) {
                const struct field *field = &table->fields[i];
                char *source = (char *)from + field->offset;
                char *target = (char *)to + field->offset;

                if (field_is_string(field)) {
                        free(*(char **)target);
                        *(char **)target = TAKE_PTR(*(char **)source);
                } else if (field->kind == FIELD_SECRET) {
                        secret_done((struct secret *) target);
                        *(struct secret *) target = *(struct secret *) source;
                        *(struct secret *) source = (struct secret) {};
                } else
                        memcpy(target, source, field_size(field));
        }
}

static bool string_makes_sense(const struct field *field, const char *s) {
        if (!s)
                return field->kind == FIELD_BYTES_OR_NULL || field->kind == FIELD_TEXT_OR_NULL;
        if (strlen(s) > field->max)
                return false;
        switch (field->kind) {
        case FIELD_TEXT:
        case FIELD_TEXT_OR_NULL:
                return utf8_is_valid(s, SIZE_MAX);
        case FIELD_URL:
                return !string_has_control(s);
        case FIELD_PATH:
                return s[0] == '/' || !s[0];
        default:
                return true;
        }
}

static bool secret_makes_sense(const struct field *field, const struct secret *secret) {
        const char *text = secret_text(secret);

        return !text || strlen(text) <= field->max;
}

static bool field_makes_sense(const struct field *field, const void *member) {
        switch (field->kind) {
        case FIELD_U64:
                return *(const uint64_t *)member == UINT64_MAX || *(const uint64_t *)member <= field->max;
        case FIELD_U32:
                return *(const uint32_t *)member <= field->max;
        case FIELD_SECRET:
                return secret_makes_sense(field, member);
        case FIELD_CHARS:
                return memchr(member, 0, field->max);
        case FIELD_ERROR_CODE:
                return (uint32_t) *(const enum error_code *)member < _ERROR_CODE_MAX;
        case FIELD_BITS:
        case FIELD_BOOL:
        case FIELD_BLOB:
                return true;
        default:
                return string_makes_sense(field, *(char *const *)member);
        }
}

static int fields_check(const struct field_table *table, const void *record) {
        for (size_t i = 0; i < table->n_fields; i++)
                if (!field_makes_sense(&table->fields[i], (const char *)record + table->fields[i].offset)) {
                        log_debug("store: no row holds what is said of %s", table->fields[i].name);
                        return error_trace(-EINVAL);
                }
        return 0;
}

int record_job_check(const struct job *record) {
        int r = fields_check(&job_fields, record);

        if (r < 0)
                return r;
        if (record->lying_hosts && !job_hosts_check(record->lying_hosts))
                return error_trace(-EINVAL);
        return 0;
}

/* A temp name is joined to a directory: it must stay one component of it. */
static bool temp_name_makes_sense(const char *name) {
        return !strchr(name, '/') && !streq(name, ".") && !streq(name, "..");
}

static bool ranges_make_sense(const struct job_file *record) {
        for (size_t i = 0; i < record->n_ranges; i++) {
                const struct byte_range *range = &record->ranges[i];
                uint64_t end;

                if (range->offset > INT64_MAX)
                        return false;
                if (range->length == TO_EOF)
                        continue;
                if (u64_add_overflows(range->offset, range->length, &end) || end > INT64_MAX)
                        return false;
        }
        return true;
}

static bool durable_makes_sense(const struct job_file *record) {
        uint64_t limit = record->size == SIZE_UNKNOWN ? INT64_MAX : record->size;

        for (size_t i = 0; i < record->durable.n_items; i++) {
                const struct interval *item = &record->durable.items[i];

                if (item->start >= item->end || item->end > limit)
                        return false;
        }
        return true;
}

int record_file_check(const struct job_file *record) {
        int r = fields_check(&file_fields, record);

        if (r < 0)
                return r;
        if (!temp_name_makes_sense(record->temp_name) || !temp_name_makes_sense(record->spare_name) ||
            !ranges_make_sense(record) || !durable_makes_sense(record))
                return error_trace(-EINVAL);
        if (record->giving_hosts && !job_hosts_check(record->giving_hosts))
                return error_trace(-EINVAL);
        return 0;
}

int record_history_check(const struct history_entry *record) {
        return fields_check(&history_fields, record);
}

int record_job_copy(const struct job *source, struct job **ret) {
        _cleanup_(record_job_freep) struct job *record = NULL;
        int r = record_job_check(source);

        if (r < 0)
                return r;
        record = calloc(1, sizeof(*record));
        if (!record)
                return -ENOMEM;
        record->id = source->id;
        r = fields_copy(&job_fields, record, source);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(record);
        return 0;
}

int record_job_new(const struct job *job, struct job **ret) {
        int r = record_job_copy(job, ret);

        if (r < 0)
                return r;
        /* A reader may follow the index: never keep one that leads nowhere. */
        if ((*ret)->error.file_index >= job->n_files)
                (*ret)->error.file_index = JOB_ERROR_NO_FILE;
        return 0;
}

int record_file_new(const struct job_file *file, struct job_file **ret) {
        _cleanup_(record_file_freep) struct job_file *record = NULL;
        int r = record_file_check(file);

        if (r < 0)
                return r;
        record = calloc(1, sizeof(*record));
        if (!record)
                return -ENOMEM;
        record->index = file->index;
        r = fields_copy(&file_fields, record, file);
        if (r < 0)
                return r;
        if (file->n_ranges > 0) {
                record->ranges = calloc(file->n_ranges, sizeof(*record->ranges));
                if (!record->ranges)
                        return -ENOMEM;
                memcpy(record->ranges, file->ranges, file->n_ranges * sizeof(*record->ranges));
                record->n_ranges = file->n_ranges;
        }
        r = intervals_copy(&record->durable, &file->durable);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(record);
        return 0;
}

void record_mark_restored(struct job *record) {
        record->restored = true;
}

void record_file_mark_restored(struct job_file *record) {
        if (record->state == FILE_PENDING && record->temp.ino != 0)
                record->temp.ino = INO_UNKNOWN;
}

void record_file_keep_chunks(struct job_file *record) {
        if (record->state == FILE_PENDING)
                chunks_keep_within(&record->chunks, &record->durable);
        else
                chunks_done(&record->chunks);
}

int record_history_new(const struct history_entry *entry, struct history_entry **ret) {
        _cleanup_(record_history_freep) struct history_entry *record = NULL;
        int r = record_history_check(entry);

        if (r < 0)
                return r;
        record = calloc(1, sizeof(*record));
        if (!record)
                return -ENOMEM;
        r = fields_copy(&history_fields, record, entry);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(record);
        return 0;
}

struct job *record_job_free(struct job *record) {
        if (record)
                fields_done(&job_fields, record);
        free(record);
        return NULL;
}

struct job_file *record_file_free(struct job_file *record) {
        if (!record)
                return NULL;
        fields_done(&file_fields, record);
        free(record->ranges);
        intervals_done(&record->durable);
        chunks_done(&record->chunks);
        free(record);
        return NULL;
}

struct history_entry *record_history_free(struct history_entry *record) {
        if (record)
                fields_done(&history_fields, record);
        free(record);
        return NULL;
}

int record_job_revive(struct job *record, struct job **ret) {
        _cleanup_(job_freep) struct job *job = NULL;
        int r;

        r = job_new(&record->id, record->owner, record->family, record->name, record->created_usec, &job);
        if (r != 0)
                return r < 0 ? r : -EUCLEAN;
        fields_move(&job_fields, job, record);
        *ret = TAKE_PTR(job);
        return 0;
}

int record_file_revive(struct job_file *record, struct job *job) {
        struct job_file *file;
        int r;

        if (record->index != job->n_files)
                return error_trace(-EUCLEAN);
        r = job_new_file(job, &file);
        if (r != 0)
                return r < 0 ? r : -EUCLEAN;
        fields_move(&file_fields, file, record);
        free(file->ranges);
        file->ranges = TAKE_PTR(record->ranges);
        file->n_ranges = record->n_ranges;
        record->n_ranges = 0;
        intervals_done(&file->durable);
        file->durable = record->durable;
        record->durable = (struct intervals) {};
        chunks_done(&file->chunks);
        file->chunks = record->chunks;
        record->chunks = (struct chunks) {};
        return 0;
}

int record_job_finish(struct job *job) {
        int r;

        if (job->error.file_index != JOB_ERROR_NO_FILE && job->error.file_index >= job->n_files)
                return error_trace(-EUCLEAN);
        r = job_loaded(job);
        return r == 0 || r == -ENOMEM ? r : error_trace(-EUCLEAN);
}
