#include "jobs.h"

static void a_new_job_has_its_familys_defaults(void **state _unused_) {
        _cleanup_(job_freep) struct job *bits = make_job(JOB_FAMILY_BITS), *delivery = make_job(JOB_FAMILY_DO);

        assert_int_equal(bits->state, JOB_SUSPENDED);
        assert_int_equal(bits->priority, JOB_PRIORITY_NORMAL);
        assert_int_equal(bits->notify_flags, 3);
        assert_int_equal(bits->minimum_retry_delay_s, 600);
        assert_int_equal(bits->no_progress_timeout_s, 1209600);
        assert_int_equal(bits->life_time_usec, 90 * USEC_PER_DAY);
        assert_true(bits->replace);
        assert_true(bits->remote_time);

        assert_int_equal(delivery->minimum_retry_delay_s, 0); /* the configured one */
        assert_int_equal(delivery->no_progress_timeout_s, 86400);
        assert_int_equal(delivery->life_time_usec, 30 * USEC_PER_DAY);
        assert_false(delivery->replace);
        assert_false(delivery->remote_time);

        assert_string_equal(delivery->name, "test");
        assert_null(delivery->description);
        assert_int_equal(delivery->owner, 1000);
        assert_int_equal(delivery->created_usec, T0);
        assert_int_equal(delivery->modified_usec, T0);
        assert_int_equal(delivery->transferred_usec, 0);
        assert_int_equal(delivery->error.code, ERROR_NONE);
        assert_int_equal(delivery->error_count, 0);
        assert_int_equal(delivery->waiting, WAITING_RESUME);
        assert_int_equal(delivery->bytes_received, 0);
        assert_int_equal(job_bytes_total(delivery), 0);
        assert_false(job_is_complete(delivery));
        assert_true(delivery->pace.retry_at_boottime == USEC_INFINITY);
}

static void names_are_counted_in_code_points(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO), *other = NULL;
        char longest[2 * LIMIT_DISPLAY_NAME + 3] = "";

        for (int i = 0; i < LIMIT_DISPLAY_NAME; i++)
                strcat(longest, "\xc3\xa4");
        assert_int_equal(job_set_name(job, longest, T0 + 1), 0);
        assert_string_equal(job->name, longest);
        assert_int_equal(job->modified_usec, T0 + 1);
        assert_int_equal(job_new(&job->id, 0, JOB_FAMILY_DO, longest, T0, &other), 0);

        strcat(longest, "x");
        assert_int_equal(job_set_name(job, longest, T0 + 2), ERROR_STRING_TOO_LONG);
        assert_int_equal(job_set_name(job, NULL, T0 + 2), ERROR_INVALID_ARGUMENT);
        assert_int_equal(job_set_name(job, "\xff", T0 + 2), ERROR_INVALID_ARGUMENT);
        assert_int_equal(job->modified_usec, T0 + 1);
        other = job_free(other);
        assert_int_equal(job_new(&job->id, 0, JOB_FAMILY_BITS, longest, T0, &other), ERROR_INVALID_ARGUMENT);
        assert_int_equal(job_new(&job->id, 0, JOB_FAMILY_BITS, NULL, T0, &other), ERROR_INVALID_ARGUMENT);
        assert_null(other);
        assert_int_equal(job_set_name(job, "", T0 + 3), 0);
}

static void descriptions_have_their_own_limit(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_BITS);
        char text[LIMIT_DESCRIPTION + 2];

        memset(text, 'd', sizeof(text) - 1);
        text[LIMIT_DESCRIPTION + 1] = 0;
        assert_int_equal(job_set_description(job, text, T0 + 1), ERROR_STRING_TOO_LONG);
        text[LIMIT_DESCRIPTION] = 0;
        assert_int_equal(job_set_description(job, text, T0 + 1), 0);
        assert_string_equal(job->description, text);
        assert_int_equal(job_set_description(job, NULL, T0 + 1), ERROR_INVALID_ARGUMENT);
}

static void priorities_outside_the_enumeration_are_not_implemented(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_BITS);

        for (uint32_t priority = 0; priority < 4; priority++) {
                assert_int_equal(job_set_priority(job, priority, T0 + priority), 0);
                assert_int_equal(job->priority, priority);
        }
        assert_int_equal(job_set_priority(job, 4, T0 + 9), ERROR_NOT_IMPLEMENTED);
        assert_int_equal(job_set_priority(job, UINT32_MAX, T0 + 9), ERROR_NOT_IMPLEMENTED);
        assert_int_equal(job->priority, JOB_PRIORITY_LOW);
        assert_int_equal(job->modified_usec, T0 + 3);
}

static void the_default_time_out_of_the_do_family_follows_the_priority(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);

        assert_int_equal(job_set_priority(job, JOB_PRIORITY_FOREGROUND, T0), 0);
        assert_int_equal(job->no_progress_timeout_s, 3600);
        assert_int_equal(job_set_priority(job, JOB_PRIORITY_LOW, T0), 0);
        assert_int_equal(job->no_progress_timeout_s, 86400);
        assert_int_equal(job_set_no_progress_timeout(job, 77, T0), 0);
        assert_int_equal(job_set_priority(job, JOB_PRIORITY_HIGH, T0), 0);
        assert_int_equal(job->no_progress_timeout_s, 77); /* somebody chose it */
}

static void notify_flags_know_their_family(void **state _unused_) {
        _cleanup_(job_freep) struct job *bits = make_job(JOB_FAMILY_BITS), *delivery = make_job(JOB_FAMILY_DO);

        assert_int_equal(job_set_notify_flags(bits, JOB_NOTIFY_ALL, T0), 0);
        assert_int_equal(job_set_notify_flags(bits, 0, T0), 0);
        assert_int_equal(job_set_notify_flags(bits, 0x40, T0), ERROR_NOT_IMPLEMENTED);
        assert_int_equal(job_set_notify_flags(bits, UINT32_MAX, T0), ERROR_NOT_IMPLEMENTED);
        assert_int_equal(bits->notify_flags, 0);
        assert_int_equal(job_set_notify_flags(delivery, JOB_NOTIFY_DISABLE, T0), ERROR_NOT_IMPLEMENTED);
        assert_int_equal(job_set_notify_flags(delivery, JOB_NOTIFY_FILE_RANGES_TRANSFERRED, T0), ERROR_NOT_IMPLEMENTED);
        assert_int_equal(job_set_notify_flags(delivery, 0x1b, T0), 0);
        assert_int_equal(delivery->notify_flags, 0x1b);
}

/* SENTENCES: retry.minimum */
static void a_retry_delay_is_at_least_five_seconds(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_BITS);

        assert_int_equal(job_set_minimum_retry_delay(job, 0, T0 + 1), 0);
        assert_int_equal(job->minimum_retry_delay_s, 5);
        assert_int_equal(job_set_minimum_retry_delay(job, UINT32_MAX, T0 + 1), 0);
        assert_int_equal(job->minimum_retry_delay_s, UINT32_MAX);
        assert_int_equal(job_set_no_progress_timeout(job, 0, T0 + 2), 0);
        assert_int_equal(job->no_progress_timeout_s, 0);
        assert_int_equal(job->modified_usec, T0 + 2);
}

static void an_error_text_is_printable_and_never_cut_in_a_character(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        char text[400];

        job_set_error(job, ERROR_HTTP_STATUS, ERROR_CONTEXT_REMOTE_FILE, 403, 2, "a\033[31m\nb\x7f\xc3\xa4");
        assert_int_equal(job->error.code, ERROR_HTTP_STATUS);
        assert_int_equal(job->error.detail, 403);
        assert_int_equal(job->error.file_index, 2);
        assert_string_equal(job->error.text, "a?[31m?b?\xc3\xa4");
        job_set_error(job, ERROR_HTTP_STATUS, ERROR_CONTEXT_REMOTE_FILE, 403, 2, "not \xff utf8 \xc3\xa4");
        assert_string_equal(job->error.text, "not ? utf8 ??");

        for (size_t n = 250; n < 260; n++) {
                memset(text, 'x', sizeof(text));
                strcpy(text + n, "\xe2\x82\xac\xe2\x82\xac");
                job_set_error(job, ERROR_TIMED_OUT, ERROR_CONTEXT_NONE, 0, 0, text);
                assert_true(utf8_is_valid(job->error.text, SIZE_MAX));
                assert_true(strlen(job->error.text) >= 253 || strlen(job->error.text) == n);
        }
        job_set_error(job, ERROR_TIMED_OUT, ERROR_CONTEXT_NONE, 0, JOB_ERROR_NO_FILE, NULL);
        assert_null(job->error.text);
        job_clear_error(job);
        assert_int_equal(job->error.code, ERROR_NONE);
        assert_int_equal(job->error.file_index, JOB_ERROR_NO_FILE);
}

static void a_reason_is_as_old_as_its_last_change(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);

        job_set_waiting(job, WAITING_SLOT, T0 + 1);
        job_set_waiting(job, WAITING_SLOT, T0 + 2);
        assert_int_equal(job->waiting_since_usec, T0 + 1);
        job_set_waiting(job, WAITING_PRIORITY, T0 + 3);
        assert_int_equal(job->waiting_since_usec, T0 + 3);
}

/* ---- files ---- */

static void a_file_is_copied_whole(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        uint8_t sha256[32] = { 1, 2, 3 };
        struct byte_range ranges[] = { { 12, 5 }, { 2, 4 } };
        char url[] = "https://example.org/x", path[] = "/srv/x", id[] = "content-1";
        struct job_file_spec spec = {
                .url = url, .path = path, .file_id = id, .stated_size = 9, .sha256 = sha256, .mode = 04777,
                .ranges = ranges, .n_ranges = 2,
        };
        struct job_file *file;

        assert_int_equal(job_add_file(job, &spec, MAX_RANGES, &file), 0);
        memset(url, 'x', sizeof(url) - 1);
        memset(path, 'x', sizeof(path) - 1);
        memset(id, 'x', sizeof(id) - 1);
        memset(sha256, 0, sizeof(sha256));
        memset(ranges, 0, sizeof(ranges));
        assert_ptr_equal(file->job, job);
        assert_int_equal(file->index, 0);
        assert_string_equal(file->url, "https://example.org/x");
        assert_string_equal(file->path, "/srv/x");
        assert_string_equal(file->file_id, "content-1");
        assert_int_equal(file->stated_size, 9);
        assert_true(file->has_sha256);
        assert_int_equal(file->sha256[1], 2);
        assert_int_equal(file->n_ranges, 2);
        assert_int_equal(file->ranges[0].offset, 12); /* the caller's order */
        assert_int_equal(file->ranges[1].offset, 2);
        assert_int_equal(file->mode, 0666); /* never set-id, never executable */
        assert_int_equal(file->state, FILE_PENDING);
        assert_int_equal(file->size, 9); /* the ranges say it */
        assert_int_equal(file->remote_size, SIZE_UNKNOWN);
        assert_string_equal(file->temp_name, "");
}

static void one_destination_stands_once_in_a_job(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file_spec spec = { .url = "http://example.org/f", .stated_size = SIZE_UNKNOWN };
        struct job_file *file = NULL;

        add_file(job, "a/b", NULL, 0);
        add_file(job, "a.b", NULL, 0);
        add_file(job, "a", NULL, 0);
        spec.path = "/srv/a/b";
        assert_int_equal(job_add_file(job, &spec, MAX_RANGES, &file), ERROR_DUPLICATE_DESTINATION);
        spec.path = "//srv///a//b"; /* the same place */
        assert_int_equal(job_add_file(job, &spec, MAX_RANGES, &file), ERROR_DUPLICATE_DESTINATION);
        assert_null(file);
        assert_int_equal(job->n_files, 3);
        spec.path = "/srv/A/b";
        assert_int_equal(job_add_file(job, &spec, MAX_RANGES, NULL), 0);
        assert_int_equal(job->n_files, 4);
}

static void files_of_a_draft_are_taken_all_or_none(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        _cleanup_(job_freep) struct job *draft = make_job(JOB_FAMILY_DO);
        struct job_file *moved;
        uint32_t culprit = 0;

        add_file(job, "a", NULL, 0);
        moved = add_file(draft, "b", NULL, 0);
        add_file(draft, "a", NULL, 0); /* it has that one */
        assert_int_equal(job_take_files(job, draft, &culprit), ERROR_DUPLICATE_DESTINATION);
        assert_int_equal(culprit, 1);
        assert_int_equal(job->n_files, 1);
        assert_int_equal(draft->n_files, 2);
        assert_ptr_equal(moved->job, draft);
        assert_int_equal(moved->index, 0);
        assert_ptr_equal(draft->files[1]->job, draft);
        assert_int_equal(draft->files[1]->index, 1);

        draft = job_free(draft);
        draft = make_job(JOB_FAMILY_DO);
        moved = add_file(draft, "b", NULL, 0); /* which was not kept */
        add_file(draft, "c", NULL, 0);
        assert_int_equal(job_take_files(job, draft, &culprit), 0);
        assert_int_equal(draft->n_files, 0);
        assert_int_equal(job->n_files, 3);
        assert_ptr_equal(moved->job, job);
        assert_ptr_equal(job->files[1], moved);
        assert_int_equal(moved->index, 1);
        assert_int_equal(job->files[2]->index, 2);
        draft = job_free(draft);
        draft = make_job(JOB_FAMILY_DO);
        add_file(draft, "c", NULL, 0); /* it knows those that it took */
        assert_int_equal(job_take_files(job, draft, &culprit), ERROR_DUPLICATE_DESTINATION);
        assert_int_equal(culprit, 0);
}

static void ranges_of_a_draft_must_fit_the_job_that_takes_it(void **state _unused_) {
        static const struct byte_range range = { 3, 5 };
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        _cleanup_(job_freep) struct job *draft = make_job(JOB_FAMILY_DO);
        uint32_t culprit = 7;

        job->dynamic_content = true;
        add_file(draft, "a", NULL, 0);
        add_file(draft, "b", &range, 1);
        assert_int_equal(job_take_files(job, draft, &culprit), ERROR_RANDOM_ACCESS_NOT_SUPPORTED);
        assert_int_equal(culprit, 1);
        assert_int_equal(job->n_files, 0);
}

static void a_refused_file_leaves_no_trace(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file_spec spec = { .url = "gopher://example.org/", .path = "/srv/f", .stated_size = SIZE_UNKNOWN };

        assert_int_equal(job_add_file(job, &spec, MAX_RANGES, NULL), ERROR_PROTOCOL_NOT_AVAILABLE);
        assert_int_equal(job->n_files, 0);
        add_file(job, "f", NULL, 0);
}

static void a_hundred_thousand_files_find_their_duplicates(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file_spec spec = { .url = "http://example.org/f", .stated_size = SIZE_UNKNOWN };
        char path[64];

        spec.path = path;
        for (unsigned i = 0; i < 100000; i++) {
                snprintf(path, sizeof(path), "/srv/%u", i);
                assert_int_equal(job_add_file(job, &spec, MAX_RANGES, NULL), 0);
        }
        for (unsigned i = 0; i < 100000; i += 1000) {
                snprintf(path, sizeof(path), "/srv/%u", i);
                assert_int_equal(job_add_file(job, &spec, MAX_RANGES, NULL), ERROR_DUPLICATE_DESTINATION);
        }
        assert_int_equal(job->n_files, 100000);
        assert_int_equal(job->files[99999]->index, 99999);
}

static void a_job_from_the_store_knows_its_destinations_too(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file_spec spec = { .url = "http://example.org/f", .path = "/srv/two", .stated_size = SIZE_UNKNOWN };
        struct job_file *file;

        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(job_new_file(job, &file), 0);
                assert_int_equal(file->index, i);
                assert_int_equal(strdup_to(&file->path, i == 1 ? "/srv/two" : "/srv/other"), 0);
        }
        assert_int_equal(job_loaded(job), 0);
        assert_int_equal(job_add_file(job, &spec, MAX_RANGES, NULL), ERROR_DUPLICATE_DESTINATION);
        spec.path = "/srv/three";
        assert_int_equal(job_add_file(job, &spec, MAX_RANGES, &file), 0);
        assert_int_equal(file->index, 3);
}

static void a_url_can_be_exchanged_for_a_good_one(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *file = add_file(job, "f", NULL, 0);

        assert_int_equal(job_file_set_url(file, "ftp://example.org/", T0 + 1), ERROR_PROTOCOL_NOT_AVAILABLE);
        assert_int_equal(job_file_set_url(file, NULL, T0 + 1), ERROR_INVALID_ARGUMENT);
        assert_string_equal(file->url, "http://example.org/f");
        assert_int_equal(job->modified_usec, T0);
        assert_int_equal(job_file_set_url(file, "https://mirror.example/f", T0 + 1), 0);
        assert_string_equal(file->url, "https://mirror.example/f");
        assert_int_equal(job->modified_usec, T0 + 1);
}

static void validators_are_copied_whole(void **state _unused_) {
        struct validators a = {}, b = { .origin = strdup("old") };

        assert_int_equal(strdup_to(&a.etag, "\"1\""), 0);
        assert_int_equal(strdup_to(&a.origin, "http://example.org:80/f"), 0);
        assert_int_equal(validators_copy(&b, &a), 0);
        assert_string_equal(b.etag, "\"1\"");
        assert_string_equal(b.origin, "http://example.org:80/f");
        assert_null(b.last_modified);
        assert_ptr_not_equal(a.etag, b.etag);
        validators_done(&a);
        assert_null(a.etag);
        validators_done(&b);
}

/* ---- history ---- */

static void history_keeps_the_summary(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_BITS);
        _cleanup_(history_entry_freep) struct history_entry *entry = NULL;
        struct intervals synced = {};
        struct job_file *file = add_file(job, "f?token=secret", NULL, 0);

        add_file(job, "g", NULL, 0);
        assert_int_equal(job_file_set_remote_size(file, 100), 0);
        assert_int_equal(intervals_add(&synced, 0, 100), 0);
        assert_int_equal(job_file_durable(file, &synced), 0);
        intervals_done(&synced);
        job_file_set_state(file, FILE_PUBLISHED);
        job->bytes_fetched = 120;
        job_set_error(job, ERROR_TIMED_OUT, ERROR_CONTEXT_REMOTE_FILE, 0, 1, "late");
        assert_int_equal(job_transition(job, JOB_EVENT_COMPLETED, T0 + 5), 0);

        assert_int_equal(history_entry_new(job, T0 + 6, &entry), 0);
        assert_true(guid_equal(&entry->id, &job->id));
        assert_int_equal(entry->state, JOB_ACKNOWLEDGED);
        assert_string_equal(entry->name, "test");
        assert_string_equal(entry->url, "http://example.org/f?***");
        assert_string_equal(entry->path, "/srv/f?token=secret");
        assert_int_equal(entry->n_files, 2);
        assert_int_equal(entry->n_files_transferred, 1);
        assert_int_equal(entry->bytes_transferred, 100);
        assert_int_equal(entry->bytes_total, SIZE_UNKNOWN);
        assert_int_equal(entry->bytes_from_origin, 120);
        assert_int_equal(entry->finished_usec, T0 + 6);
        assert_int_equal(entry->error.code, ERROR_TIMED_OUT);
}

static void history_of_an_empty_job_has_empty_names(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        _cleanup_(history_entry_freep) struct history_entry *entry = NULL;

        assert_int_equal(job_transition(job, JOB_EVENT_CANCELLED, T0), 0);
        assert_int_equal(history_entry_new(job, T0, &entry), 0);
        assert_string_equal(entry->url, "");
        assert_string_equal(entry->path, "");
        assert_int_equal(entry->bytes_total, 0);
}

static void secrets_of_a_url_are_not_for_others(void **state _unused_) {
        static const struct {
                const char *url, *redacted;
        } rows[] = {
                { "http://example.org/f", "http://example.org/f" },
                { "http://user:pass@example.org/f", "http://***@example.org/f" },
                { "http://a:b@c@example.org/f", "http://***@example.org/f" },
                { "https://example.org/f?X-Amz-Signature=abc", "https://example.org/f?***" },
                { "https://u@example.org?q#frag", "https://***@example.org?***" },
                { "https://example.org/f#frag", "https://example.org/f" },
                { "https://example.org/a@b", "https://example.org/a@b" },
                { "https://example.org/f#a?b", "https://example.org/f" },
                { "", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_free_ char *redacted = job_url_redact(rows[i].url);

                assert_string_equal(redacted, rows[i].redacted);
        }
}

/* ---- hosts that lied ---- */

static void a_host_that_lied_is_told_from_its_like(void **state _unused_) {
        static const char *const liars[] = { "m1.example:8080", "cache", "[::1]", "caf\xe9" };
        static const char *const others[] = { "m1.example", "m1.example:808", "m1.example:80800", "cach", "caches", "ache", "8080\ncache", "\n", "" };
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);

        assert_false(job_host_lied(job, "cache"));
        for (size_t i = 0; i < ELEMENTSOF(liars); i++) {
                assert_false(job_host_lied(job, liars[i]));
                for (int twice = 0; twice < 2; twice++)
                        assert_int_equal(job_remember_liar(job, liars[i]), 0);
                assert_true(job_host_lied(job, liars[i]));
        }
        assert_string_equal(job->lying_hosts, "m1.example:8080\ncache\n[::1]\ncaf\xe9");
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                assert_false(job_host_lied(job, others[i]));
        assert_int_equal(job->modified_usec, T0); /* nobody changed a property */
        assert_int_equal(job_remember_liar(job, ""), ERROR_INVALID_ARGUMENT);
        assert_int_equal(job_remember_liar(job, "a\nb"), ERROR_INVALID_ARGUMENT);
        assert_true(job_hosts_check(job->lying_hosts));
        job_change_owner(job, 1001, T0 + 1);
        assert_false(job_host_lied(job, "cache")); /* as all that it knew of servers */
}

static void who_gave_bytes_is_remembered_as_long_as_they_are_there(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *a = add_file(job, "a", NULL, 0), *b = add_file(job, "b", NULL, 0);
        char host[260];

        assert_int_equal(job_file_remember_giver(a, "m1"), 0);
        assert_int_equal(job_file_remember_giver(a, "m2:8080"), 0);
        assert_int_equal(job_file_remember_giver(b, "m2:8080"), 0);
        assert_string_equal(b->giving_hosts, "m2:8080");
        assert_false(job_host_lied(job, "m1"));
        assert_string_equal(a->giving_hosts, "m1\nm2:8080");
        job_file_forget_content(a);
        assert_null(a->giving_hosts);
        assert_string_equal(b->giving_hosts, "m2:8080");
        assert_int_equal(job_file_remember_giver(a, "m1"), 0);
        assert_int_equal(job_file_received(a, 0, 10), 0);
        assert_int_equal(job_file_received(a, 20, 30), 0);
        assert_int_equal(job_file_durable(a, &(struct intervals) { .items = &(struct interval) { 0, 10 }, .n_items = 1 }), 0);
        assert_int_equal(job_file_forget_received(a), 0);
        assert_string_equal(a->giving_hosts, "m1"); /* some are left, and may be its */
        assert_int_equal(job_file_forget_range(a, 0, 10), 0);
        assert_null(a->giving_hosts);
        assert_int_equal(job_file_remember_giver(a, "m1"), 0);
        assert_int_equal(job_file_received(a, 20, 30), 0);
        assert_int_equal(job_file_forget_received(a), 0);
        assert_null(a->giving_hosts);
        job_change_owner(job, 1001, T0 + 1);
        assert_null(b->giving_hosts);
        for (int i = 0; i < 64; i++) {
                snprintf(host, sizeof(host), "%0253d:65535", i);
                assert_int_equal(job_file_remember_giver(a, host), 0);
        }
        assert_int_equal(job_file_remember_giver(a, "x"), ERROR_STRING_TOO_LONG);
        assert_int_equal(strlen(a->giving_hosts), LIMIT_GIVING_HOSTS - 1);
}

static void as_many_liars_are_remembered_as_there_is_room_for(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        char host[260];

        for (int i = 0; i < 1024; i++) {
                snprintf(host, sizeof(host), "%0253d:65535", i);
                assert_int_equal(job_remember_liar(job, host), 0);
        }
        assert_int_equal(strlen(job->lying_hosts), LIMIT_LYING_HOSTS - 1);
        assert_int_equal(job_remember_liar(job, "x"), ERROR_STRING_TOO_LONG);
        assert_false(job_host_lied(job, "x"));
        assert_int_equal(job_remember_liar(job, host), 0); /* it is among them */
        assert_true(job_hosts_check(job->lying_hosts));
}

static void lines_that_are_no_hosts_are_none_that_were_remembered(void **state _unused_) {
        static const char *const bad[] = { "", "\n", "a\n", "\na", "a\n\nb", "a\r\nb", "a\tb", "a\x7f" };
        static const char *const good[] = { "a", "a\nb", "\xff:1\n[::1]:2\nc" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_false(job_hosts_check(bad[i]));
        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_true(job_hosts_check(good[i]));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_new_job_has_its_familys_defaults),
                cmocka_unit_test(names_are_counted_in_code_points),
                cmocka_unit_test(descriptions_have_their_own_limit),
                cmocka_unit_test(priorities_outside_the_enumeration_are_not_implemented),
                cmocka_unit_test(the_default_time_out_of_the_do_family_follows_the_priority),
                cmocka_unit_test(notify_flags_know_their_family),
                cmocka_unit_test(a_retry_delay_is_at_least_five_seconds),
                cmocka_unit_test(an_error_text_is_printable_and_never_cut_in_a_character),
                cmocka_unit_test(a_reason_is_as_old_as_its_last_change),
                cmocka_unit_test(a_file_is_copied_whole),
                cmocka_unit_test(one_destination_stands_once_in_a_job),
                cmocka_unit_test(files_of_a_draft_are_taken_all_or_none),
                cmocka_unit_test(ranges_of_a_draft_must_fit_the_job_that_takes_it),
                cmocka_unit_test(a_refused_file_leaves_no_trace),
                cmocka_unit_test(a_hundred_thousand_files_find_their_duplicates),
                cmocka_unit_test(a_job_from_the_store_knows_its_destinations_too),
                cmocka_unit_test(a_url_can_be_exchanged_for_a_good_one),
                cmocka_unit_test(validators_are_copied_whole),
                cmocka_unit_test(history_keeps_the_summary),
                cmocka_unit_test(history_of_an_empty_job_has_empty_names),
                cmocka_unit_test(secrets_of_a_url_are_not_for_others),
                cmocka_unit_test(a_host_that_lied_is_told_from_its_like),
                cmocka_unit_test(who_gave_bytes_is_remembered_as_long_as_they_are_there),
                cmocka_unit_test(as_many_liars_are_remembered_as_there_is_room_for),
                cmocka_unit_test(lines_that_are_no_hosts_are_none_that_were_remembered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
