#include "fixture.h"

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strings.h"
#include "store/record.h"

/* ---- folders ---- */

char *folder_new(void) {
        const char *tmp = getenv("TMPDIR");
        char *path;

        assert_true(asprintf(&path, "%s/dosvc-store-XXXXXX", tmp ? tmp : "/tmp") > 0);
        assert_non_null(mkdtemp(path));
        return path;
}

static int remove_entry(const char *path, const struct stat *st _unused_, int flag _unused_, struct FTW *ftw _unused_) {
        return remove(path);
}

void folder_remove(char *path) {
        assert_int_equal(nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
        free(path);
}

char *folder_file(const char *folder, const char *name) {
        char *path;

        assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
        return path;
}

static struct store *open_with(const char *folder, bool unclean) {
        struct store_options options = { .state_dir = folder, .unclean = unclean };
        struct store *store;

        assert_int_equal(store_open_sqlite(&options, &store), 0);
        return store;
}

struct store *open_sqlite(const char *folder) {
        return open_with(folder, false);
}

struct store *open_sqlite_unclean(const char *folder) {
        return open_with(folder, true);
}

/* ---- samples ---- */

struct guid sample_id(unsigned number) {
        struct guid id = { .bytes = { 0xd0, 0x5c } };

        memcpy(id.bytes + 12, &number, sizeof(number));
        return id;
}

static char *string_of(size_t size, char fill) {
        char *s = malloc(size + 1);

        assert_non_null(s);
        memset(s, fill, size);
        s[size] = 0;
        return s;
}

static char *numbered(const char *format, unsigned number) {
        char *s;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        assert_true(asprintf(&s, format, number) >= 0);
#pragma GCC diagnostic pop
        return s;
}

static void replace_string(char **p, char *s) {
        free(*p);
        *p = s;
}

static struct job_error error_of(enum sample sample, uint32_t file_index) {
        struct job_error error = {
                .code = sample == SAMPLE_GREATEST ? (enum error_code)(_ERROR_CODE_MAX - 1) : ERROR_HTTP_STATUS,
                .context = sample == SAMPLE_GREATEST ? _ERROR_CONTEXT_MAX - 1 : ERROR_CONTEXT_REMOTE_FILE,
                .detail = sample == SAMPLE_GREATEST ? UINT32_MAX : 404,
                .file_index = file_index,
        };

        if (sample == SAMPLE_GREATEST)
                error.text = string_of(JOB_ERROR_TEXT_MAX, 't');
        else
                error.text = strdup("the server said \"no\"");
        return error;
}

static void fill_job(struct job *job, unsigned number, enum sample sample, unsigned n_files) {
        bool greatest = sample == SAMPLE_GREATEST;

        job->owner = greatest ? UINT32_MAX - 1 : 1000 + number;
        job->family = JOB_FAMILY_BITS;
        if (greatest) {
                replace_string(&job->name, string_of(LIMIT_DISPLAY_NAME, 'n'));
                replace_string(&job->description, string_of(LIMIT_DESCRIPTION, 'd'));
        } else
                replace_string(&job->description, numbered("Beschreibung für %u", number));
        job->state = greatest ? JOB_CANCELLED : JOB_ERROR;
        job->intent = greatest ? JOB_INTENT_TAKE : JOB_INTENT_COMPLETE;
        job->priority = greatest ? JOB_PRIORITY_LOW : JOB_PRIORITY_HIGH;
        job->notify_flags = greatest ? JOB_NOTIFY_ALL : JOB_NOTIFY_MODIFICATION | JOB_NOTIFY_ERROR;
        job->notify_due = greatest ? JOB_NOTIFY_TRANSFERRED | JOB_NOTIFY_ERROR : JOB_NOTIFY_ERROR;
        job->minimum_retry_delay_s = greatest ? UINT32_MAX : 61;
        job->no_progress_timeout_s = greatest ? UINT32_MAX : 62;
        job->life_time_usec = greatest ? USEC_INFINITY : 63;
        job->complete_when_transferred = true;
        job->replace = !greatest;
        job->remote_time = greatest;
        job->created_usec = greatest ? INT64_MAX : 64;
        job->modified_usec = greatest ? INT64_MAX : 65;
        job->transferred_usec = greatest ? USEC_INFINITY : 66;
        job->state_since_usec = greatest ? INT64_MAX : 67;
        job->error = error_of(sample, n_files > 0 ? n_files - 1 : JOB_ERROR_NO_FILE);
        job->error_count = greatest ? INT64_MAX : 68;
        job->waiting = greatest ? _WAITING_REASON_MAX - 1 : WAITING_ATTENTION;
        job->waiting_since_usec = greatest ? INT64_MAX : 69;
        job->bytes_fetched = greatest ? UINT64_MAX : 70;
        job->pace.attempts = greatest ? UINT32_MAX : 71;
        job->lying_hosts = greatest ? string_of(LIMIT_LYING_HOSTS, 'h') : strdup("m1:8080\n[::1]\ncaf\xe9");
}

static void add_ranges(struct job_file *file, const struct byte_range *ranges, size_t n) {
        file->ranges = calloc(n, sizeof(*ranges));
        assert_non_null(file->ranges);
        memcpy(file->ranges, ranges, n * sizeof(*ranges));
        file->n_ranges = n;
}

static void fill_file_distinct(struct job_file *file, unsigned number) {
        /* In the caller's order, which is not ascending. */
        static const struct byte_range ranges[] = { { 5000, 1000 }, { 0, 10 }, { 90000, TO_EOF } };

        file->state = FILE_TRANSFERRED;
        file->file_id = numbered("content-%u", number);
        file->stated_size = 81;
        file->has_sha256 = true;
        for (size_t i = 0; i < sizeof(file->sha256); i++)
                file->sha256[i] = (uint8_t)(i + number);
        file->mode = 0640;
        file->integrity_info = strdup("{\"PiecesHashFileUrl\":\"http://h/p\"}");
        file->integrity_mandatory = true;
        file->integrity = FILE_INTEGRITY_CHECKING;
        add_ranges(file, ranges, ELEMENTSOF(ranges));
        file->remote_size = 100000;
        file->size = 11010;
        file->validators.origin = numbered("https://host:443/%u", number);
        file->validators.etag = strdup("\"caf\xe9\""); /* obs-text is no UTF-8 */
        file->validators.last_modified = strdup("Sat, 29 Oct 1994 19:43:31 GMT");
        file->validators.encoding = strdup("gzip");
        file->remote_time_usec = 82;
        file->length_unverified = true;
        strcpy(file->temp_name, ".dosvc-0123456789012345678901.part");
        file->temp = (struct file_identity) { 83, 84, 85, { 86, 0, 87 } };
        file->directory = (struct file_identity) { 88, 89, 90, { 0, 91 } };
        file->giving_hosts = numbered("m2\nm%u:8080", number);
        assert_int_equal(intervals_add(&file->durable, 0, 10), 0);
        assert_int_equal(intervals_add(&file->durable, 20, 11010), 0);
}

static void fill_file_greatest(struct job_file *file) {
        file->state = FILE_DISCARDED;
        replace_string(&file->url, string_of(LIMIT_URL, 'u'));
        replace_string(&file->path, string_of(LIMIT_PATH, '/'));
        memset(file->path + 1, 0xff, 200); /* a file name is bytes */
        file->file_id = string_of(LIMIT_FILE_ID, 'i');
        file->stated_size = INT64_MAX;
        file->mode = 0777;
        file->size = LIMIT_FILE_SIZE;
        file->validators.origin = string_of(LIMIT_URL, 'o');
        file->validators.etag = string_of(LIMIT_VALIDATOR, 'e');
        file->validators.last_modified = string_of(LIMIT_VALIDATOR, 'l');
        file->validators.encoding = strdup(""); /* not the same as none */
        memset(file->temp_name, 'x', TEMP_NAME_MAX - 1);
        file->temp.ino = UINT64_MAX;
        file->temp.dev = UINT64_MAX - 1;
        file->temp.btime_usec = UINT64_MAX;
        memset(file->temp.boot_id, 0xff, sizeof(file->temp.boot_id));
        file->directory.ino = UINT64_C(1) << 63;
        file->directory.dev = UINT64_MAX;
        file->giving_hosts = string_of(LIMIT_GIVING_HOSTS, 'g');
        for (uint64_t i = 0; i < 1000; i++)
                assert_int_equal(intervals_add(&file->durable, 3 * i, 3 * i + 1), 0);
        assert_int_equal(intervals_add(&file->durable, LIMIT_FILE_SIZE - 1, LIMIT_FILE_SIZE), 0);
}

struct job *sample_job(unsigned number, enum sample sample, unsigned n_files) {
        struct guid id = sample_id(number);
        _cleanup_free_ char *name = numbered("job %u", number);
        struct job *job;

        assert_int_equal(job_new(&id, 1000, JOB_FAMILY_DO, name, 1234567, &job), 0);
        if (sample != SAMPLE_NEW)
                fill_job(job, number, sample, n_files);
        for (unsigned i = 0; i < n_files; i++) {
                struct job_file *file;

                assert_int_equal(job_new_file(job, &file), 0);
                file->url = numbered("http://127.0.0.1/%u", i);
                file->path = numbered("/tmp/%u", i);
                if (sample == SAMPLE_DISTINCT)
                        fill_file_distinct(file, number + i);
                else if (sample == SAMPLE_GREATEST)
                        fill_file_greatest(file);
        }
        return job;
}

struct history_entry *sample_history(unsigned number, enum sample sample) {
        struct history_entry *entry = calloc(1, sizeof(*entry));
        bool greatest = sample == SAMPLE_GREATEST;

        assert_non_null(entry);
        *entry = (struct history_entry) {
                .id = sample_id(number),
                .name = numbered("job %u", number),
                .state = JOB_ACKNOWLEDGED,
                .error.file_index = JOB_ERROR_NO_FILE,
        };
        if (sample == SAMPLE_NEW)
                return entry;
        entry->owner = greatest ? UINT32_MAX - 1 : 100;
        entry->family = JOB_FAMILY_BITS;
        entry->state = JOB_CANCELLED;
        entry->url = greatest ? string_of(STORE_HISTORY_URL_BYTES, 'u') : strdup("http://h/a?***");
        entry->path = greatest ? string_of(LIMIT_PATH, '\xff') : strdup("/tmp/a");
        entry->n_files = greatest ? INT64_MAX : 101;
        entry->n_files_transferred = greatest ? INT64_MAX : 102;
        entry->bytes_transferred = greatest ? INT64_MAX : 103;
        entry->bytes_total = greatest ? SIZE_UNKNOWN : 104;
        entry->bytes_from_origin = greatest ? UINT64_MAX : 105;
        entry->created_usec = greatest ? UINT64_MAX : 106;
        entry->transferred_usec = greatest ? UINT64_MAX : 107;
        entry->finished_usec = greatest ? INT64_MAX : 108;
        entry->error = error_of(sample, 7);
        return entry;
}

/* ---- comparing: by hand and not with the store's own table, which could forget a field on both sides ---- */

#define ASSERT_SAME(a, b, member) assert_int_equal((a)->member, (b)->member)
#define ASSERT_SAME_STRING(a, b, member)                                                      \
        do {                                                                                  \
                if (!streq_ptr((a)->member, (b)->member))                                     \
                        fail_msg("%s: \"%s\" and \"%s\"", #member, (a)->member, (b)->member); \
        } while (0)

static void assert_errors_equal(const struct job_error *a, const struct job_error *b) {
        ASSERT_SAME(a, b, code);
        ASSERT_SAME(a, b, context);
        ASSERT_SAME(a, b, detail);
        ASSERT_SAME(a, b, file_index);
        assert_string_equal(a->text ?: "", b->text ?: "");
}

static void assert_identities_equal(const struct file_identity *a, const struct file_identity *b) {
        ASSERT_SAME(a, b, ino);
        ASSERT_SAME(a, b, dev);
        ASSERT_SAME(a, b, btime_usec);
        assert_memory_equal(a->boot_id, b->boot_id, sizeof(a->boot_id));
}

static void assert_files_equal(const struct job_file *a, const struct job_file *b) {
        ASSERT_SAME(a, b, index);
        ASSERT_SAME(a, b, state);
        ASSERT_SAME_STRING(a, b, url);
        ASSERT_SAME_STRING(a, b, path);
        ASSERT_SAME_STRING(a, b, file_id);
        ASSERT_SAME(a, b, stated_size);
        ASSERT_SAME(a, b, has_sha256);
        assert_memory_equal(a->sha256, b->sha256, sizeof(a->sha256));
        ASSERT_SAME(a, b, n_ranges);
        for (size_t i = 0; i < a->n_ranges; i++) {
                ASSERT_SAME(a, b, ranges[i].offset);
                ASSERT_SAME(a, b, ranges[i].length);
        }
        ASSERT_SAME(a, b, mode);
        ASSERT_SAME_STRING(a, b, integrity_info);
        ASSERT_SAME(a, b, integrity_mandatory);
        ASSERT_SAME(a, b, integrity);
        ASSERT_SAME(a, b, remote_size);
        ASSERT_SAME(a, b, size);
        ASSERT_SAME_STRING(a, b, validators.origin);
        ASSERT_SAME_STRING(a, b, validators.etag);
        ASSERT_SAME_STRING(a, b, validators.last_modified);
        ASSERT_SAME_STRING(a, b, validators.encoding);
        ASSERT_SAME(a, b, remote_time_usec);
        ASSERT_SAME(a, b, length_unverified);
        assert_string_equal(a->temp_name, b->temp_name);
        assert_identities_equal(&a->temp, &b->temp);
        assert_identities_equal(&a->directory, &b->directory);
        ASSERT_SAME_STRING(a, b, giving_hosts);
        assert_true(intervals_equal(&a->durable, &b->durable));
}

void assert_jobs_equal(const struct job *a, const struct job *b) {
        assert_true(guid_equal(&a->id, &b->id));
        ASSERT_SAME(a, b, owner);
        ASSERT_SAME(a, b, family);
        ASSERT_SAME(a, b, type);
        ASSERT_SAME_STRING(a, b, name);
        ASSERT_SAME_STRING(a, b, description);
        ASSERT_SAME(a, b, state);
        ASSERT_SAME(a, b, intent);
        ASSERT_SAME(a, b, priority);
        ASSERT_SAME(a, b, notify_flags);
        ASSERT_SAME(a, b, notify_due);
        ASSERT_SAME(a, b, minimum_retry_delay_s);
        ASSERT_SAME(a, b, no_progress_timeout_s);
        ASSERT_SAME(a, b, life_time_usec);
        ASSERT_SAME(a, b, complete_when_transferred);
        ASSERT_SAME(a, b, replace);
        ASSERT_SAME(a, b, remote_time);
        ASSERT_SAME(a, b, created_usec);
        ASSERT_SAME(a, b, modified_usec);
        ASSERT_SAME(a, b, transferred_usec);
        ASSERT_SAME(a, b, state_since_usec);
        assert_errors_equal(&a->error, &b->error);
        ASSERT_SAME(a, b, error_count);
        ASSERT_SAME(a, b, waiting);
        ASSERT_SAME(a, b, waiting_since_usec);
        ASSERT_SAME(a, b, bytes_fetched);
        ASSERT_SAME(a, b, pace.attempts);
        ASSERT_SAME_STRING(a, b, lying_hosts);
        ASSERT_SAME(a, b, n_files);
        for (size_t i = 0; i < a->n_files; i++)
                assert_files_equal(a->files[i], b->files[i]);
}

void assert_history_equal(const struct history_entry *a, const struct history_entry *b) {
        assert_true(guid_equal(&a->id, &b->id));
        ASSERT_SAME(a, b, owner);
        ASSERT_SAME(a, b, family);
        ASSERT_SAME(a, b, state);
        ASSERT_SAME_STRING(a, b, name);
        ASSERT_SAME_STRING(a, b, url);
        ASSERT_SAME_STRING(a, b, path);
        ASSERT_SAME(a, b, n_files);
        ASSERT_SAME(a, b, n_files_transferred);
        ASSERT_SAME(a, b, bytes_transferred);
        ASSERT_SAME(a, b, bytes_total);
        ASSERT_SAME(a, b, bytes_from_origin);
        ASSERT_SAME(a, b, created_usec);
        ASSERT_SAME(a, b, transferred_usec);
        ASSERT_SAME(a, b, finished_usec);
        assert_errors_equal(&a->error, &b->error);
}

/* ---- what a store holds ---- */

static int collect_job(struct job *job, void *userdata) {
        struct content *content = userdata;

        if ((content->n_jobs & (content->n_jobs - 1)) == 0) /* grows by doubling */
                content->jobs = reallocarray(content->jobs, MAX((size_t) 1, 2 * content->n_jobs), sizeof(*content->jobs));
        assert_non_null(content->jobs);
        content->jobs[content->n_jobs++] = job;
        return 0;
}

static int collect_history(struct history_entry *entry, void *userdata) {
        struct content *content = userdata;

        content->history = reallocarray(content->history, content->n_history + 1, sizeof(*content->history));
        assert_non_null(content->history);
        content->history[content->n_history++] = entry;
        return 0;
}

int content_load(struct store *store, struct content *content) {
        static const struct store_visitor visitor = { collect_job, collect_history };

        *content = (struct content) {};
        return store_load(store, &visitor, content);
}

void content_done(struct content *content) {
        for (size_t i = 0; i < content->n_jobs; i++)
                job_free(content->jobs[i]);
        for (size_t i = 0; i < content->n_history; i++)
                history_entry_free(content->history[i]);
        free(content->jobs);
        free(content->history);
        *content = (struct content) {};
}

struct job *content_find(const struct content *content, const struct guid *id) {
        for (size_t i = 0; i < content->n_jobs; i++)
                if (guid_equal(&content->jobs[i]->id, id))
                        return content->jobs[i];
        return NULL;
}

struct store_batch *batch_of(const struct job *job) {
        struct store_batch *batch;

        assert_int_equal(store_batch_new(&batch), 0);
        assert_int_equal(store_batch_save_job(batch, job), 0);
        for (size_t i = 0; i < job->n_files; i++)
                assert_int_equal(store_batch_save_file(batch, job->files[i]), 0);
        return batch;
}

static void note_error(int error, void *userdata) {
        int *ret = userdata;

        assert_int_equal(*ret, 1); /* once */
        *ret = error;
}

int commit_now(struct store *store, struct store_batch *batch) {
        int result = 1;

        assert_int_equal(store_commit(store, batch, note_error, &result), 0);
        assert_int_equal(result, 1); /* never from within the call */
        while (result == 1)
                store_wait(store);
        return result;
}

int save_now(struct store *store, const struct job *job) {
        return commit_now(store, batch_of(job));
}

struct ticket {
        struct answers *answers;
        unsigned tag;
};

static void note_answer(int error, void *userdata) {
        struct ticket *ticket = userdata;
        struct answers *answers = ticket->answers;

        assert_true(answers->n < ELEMENTSOF(answers->tag));
        answers->error[answers->n] = error;
        answers->tag[answers->n++] = ticket->tag;
        free(ticket);
}

void submit(struct store *store, struct store_batch *batch, struct answers *answers, unsigned tag) {
        struct ticket *ticket = malloc(sizeof(*ticket));

        assert_non_null(ticket);
        *ticket = (struct ticket) { answers, tag };
        assert_int_equal(store_commit(store, batch, note_answer, ticket), 0);
}

void wait_for_all(struct store *store, const struct answers *answers, unsigned n) {
        while (answers->n < n)
                assert_true(store_wait(store) > 0);
}

/* ---- behind its back ---- */

static sqlite3 *raw_open(const char *path) {
        sqlite3 *db;

        assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
        return db;
}

void raw_sql(const char *folder, const char *sql) {
        _cleanup_free_ char *path = folder_file(folder, "jobs.sqlite");
        sqlite3 *db = raw_open(path);
        char *message = NULL;

        if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
                fail_msg("%s: %s", sql, message);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

char *raw_query_file(const char *path, const char *sql) {
        sqlite3 *db = raw_open(path);
        sqlite3_stmt *statement;
        char *text;

        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        text = strdup((const char *) sqlite3_column_text(statement, 0));
        assert_non_null(text);
        assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        return text;
}

char *raw_query(const char *folder, const char *sql) {
        _cleanup_free_ char *path = folder_file(folder, "jobs.sqlite");

        return raw_query_file(path, sql);
}
