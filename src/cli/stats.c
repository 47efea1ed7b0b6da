#include "cli/cli.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* What was moved, from where, how fast and how long it took: of each live job, and of all of them together with the history. There are no
 * peers yet: their column says 0. The history does not tell caches and mirrors from the origin. */

#define USEC_PER_SEC UINT64_C(1000000)
#define HISTORY_ALL SIZE_MAX

struct numbers {
        uint64_t jobs;
        uint64_t files_total, files_transferred;
        uint64_t bytes_total; /* DOSVC_UNKNOWN: not all sizes are known */
        uint64_t bytes_transferred, bytes_durable;
        uint64_t bytes_fetched; /* over the network: from all of them */
        uint64_t bytes_from_origin, bytes_from_cache, bytes_from_mirrors;
        uint64_t bytes_again; /* fetched a second time, or dropped */
        uint64_t errors;
        uint64_t seconds; /* from creation to the last byte, or to now */
};

struct stats {
        struct table table;
        json_t *jobs;
        struct numbers live, finished;
};

static void add(uint64_t *sum, uint64_t n) {
        if (n == DOSVC_UNKNOWN || __builtin_add_overflow(*sum, n, sum))
                *sum = DOSVC_UNKNOWN;
}

static void add_numbers(struct numbers *sum, const struct numbers *one) {
        sum->jobs += one->jobs;
        sum->files_total += one->files_total;
        sum->files_transferred += one->files_transferred;
        add(&sum->bytes_total, one->bytes_total);
        add(&sum->bytes_transferred, one->bytes_transferred);
        add(&sum->bytes_durable, one->bytes_durable);
        add(&sum->bytes_fetched, one->bytes_fetched);
        add(&sum->bytes_from_origin, one->bytes_from_origin);
        add(&sum->bytes_from_cache, one->bytes_from_cache);
        add(&sum->bytes_from_mirrors, one->bytes_from_mirrors);
        add(&sum->bytes_again, one->bytes_again);
        sum->errors += one->errors;
        sum->seconds += one->seconds;
}

static uint64_t seconds_between(uint64_t from_usec, uint64_t to_usec) {
        return to_usec > from_usec ? (to_usec - from_usec) / USEC_PER_SEC : 0;
}

static uint64_t average(const struct numbers *numbers) {
        return numbers->bytes_fetched / (numbers->seconds ? numbers->seconds : 1);
}

static struct numbers numbers_of_job(const dosvc_job_info *job) {
        uint64_t others = job->bytes_from_cache + job->bytes_from_mirrors;

        return (struct numbers) {
                .jobs = 1,
                .files_total = job->files_total,
                .files_transferred = job->files_transferred,
                .bytes_total = job->bytes_total,
                .bytes_transferred = job->bytes_transferred,
                .bytes_durable = job->bytes_durable,
                .bytes_fetched = job->bytes_fetched,
                .bytes_from_origin = job->bytes_fetched > others ? job->bytes_fetched - others : 0,
                .bytes_from_cache = job->bytes_from_cache,
                .bytes_from_mirrors = job->bytes_from_mirrors,
                .bytes_again = job->bytes_fetched > job->bytes_transferred ? job->bytes_fetched - job->bytes_transferred : 0,
                .errors = job->error_count,
                .seconds = seconds_between(job->created, job->transferred ? job->transferred : now_realtime_usec()),
        };
}

static struct numbers numbers_of_history(const dosvc_history_info *entry) {
        return (struct numbers) {
                .jobs = 1,
                .files_total = entry->files_total,
                .files_transferred = entry->files_transferred,
                .bytes_total = entry->bytes_total,
                .bytes_transferred = entry->bytes_transferred,
                .bytes_durable = entry->bytes_transferred,
                .bytes_fetched = entry->bytes_from_origin,
                .bytes_from_origin = entry->bytes_from_origin,
                .bytes_again = entry->bytes_from_origin > entry->bytes_transferred ? entry->bytes_from_origin - entry->bytes_transferred : 0,
                .errors = entry->error.hresult != 0,
                .seconds = seconds_between(entry->created, entry->transferred ? entry->transferred : entry->finished),
        };
}

static json_t *json_number(uint64_t n) {
        return n > INT64_MAX ? json_null() : must(json_integer((json_int_t) n));
}

static json_t *json_of_numbers(const struct numbers *numbers) {
        const struct {
                const char *key;
                uint64_t value;
        } rows[] = {
                { "jobs", numbers->jobs },
                { "files_total", numbers->files_total },
                { "files_transferred", numbers->files_transferred },
                { "bytes_total", numbers->bytes_total },
                { "bytes_transferred", numbers->bytes_transferred },
                { "bytes_durable", numbers->bytes_durable },
                { "bytes_fetched", numbers->bytes_fetched },
                { "bytes_from_origin", numbers->bytes_from_origin },
                { "bytes_from_mirrors", numbers->bytes_from_mirrors },
                { "bytes_from_cache", numbers->bytes_from_cache },
                { "bytes_from_peers", 0 },
                { "bytes_fetched_again", numbers->bytes_again },
                { "error_count", numbers->errors },
                { "seconds", numbers->seconds },
                { "bytes_per_second", average(numbers) },
        };
        json_t *object = must(json_object());

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                json_object_set_new(object, rows[i].key, json_number(rows[i].value));
        return object;
}

static void add_row(struct table *table, char *name, const char *state, const struct numbers *numbers) {
        char bytes[FORMAT_SHORT], origin[FORMAT_SHORT], mirrors[FORMAT_SHORT], cache[FORMAT_SHORT], again[FORMAT_SHORT], rate[FORMAT_SHORT], time[FORMAT_SHORT];

        table_add(table, (char *[]) { name, text(state), must_printf("%" PRIu64 "/%" PRIu64, numbers->files_transferred, numbers->files_total),
                                      text(format_size(numbers->bytes_transferred, bytes)), text(format_size(numbers->bytes_from_origin, origin)),
                                      text(format_size(numbers->bytes_from_mirrors, mirrors)), text(format_size(numbers->bytes_from_cache, cache)),
                                      text(format_size(numbers->bytes_again, again)),
                                      must_printf("%s/s", format_size(average(numbers), rate)), text(format_duration(numbers->seconds, time)),
                                      must_printf("%" PRIu64, numbers->errors) });
}

static int on_job(const dosvc_job_info *job, void *userdata) {
        struct stats *stats = userdata;
        struct numbers numbers = numbers_of_job(job);
        json_t *object;

        add_numbers(&stats->live, &numbers);
        if (!stats->jobs) {
                add_row(&stats->table, text(job->id), job->state, &numbers);
                return 0;
        }
        object = json_of_numbers(&numbers);
        json_object_del(object, "jobs");
        json_object_set_new(object, "id", json_of_text(job->id));
        json_object_set_new(object, "name", json_of_text(job->name));
        json_object_set_new(object, "family", json_of_text(job->family));
        json_object_set_new(object, "instance", json_of_text(job->instance));
        json_object_set_new(object, "state", json_of_text(job->state));
        json_array_append_new(stats->jobs, object);
        return 0;
}

static int on_history(const dosvc_history_info *entry, void *userdata) {
        struct stats *stats = userdata;
        struct numbers numbers = numbers_of_history(entry);

        add_numbers(&stats->finished, &numbers);
        return 0;
}

static int stats_of_one_service(dosvc *connection, void *userdata) {
        int32_t r = dosvc_list_jobs(connection, NULL, on_job, userdata);

        return r < 0 ? r : dosvc_list_history(connection, HISTORY_ALL, on_history, userdata);
}

static int stats_of_named(const struct arguments *arguments, struct stats *stats) {
        int code = EXIT_DONE;

        for (int i = 0; i < arguments->n_operands && code == EXIT_DONE; i++) {
                _cleanup_(dosvc_closep) dosvc *connection = NULL;
                char id[DOSVC_ID_SIZE];
                int32_t r;

                code = connect_job(arguments, arguments->operands[i], "stats", &connection, id);
                if (code)
                        break;
                r = dosvc_get_job(connection, id, on_job, stats);
                if (r < 0)
                        code = report_failure(connection, r, "stats");
        }
        return code;
}

static int print_stats(struct stats *stats, bool is_of_all) {
        struct numbers total = stats->live;

        add_numbers(&total, &stats->finished);
        if (stats->jobs)
                return json_print(must(json_pack("{s:o, s:o, s:o}", "jobs", stats->jobs, "finished", json_of_numbers(&stats->finished), "total",
                                                 json_of_numbers(&total))), false);
        table_shorten_ids(&stats->table);
        if (is_of_all)
                add_row(&stats->table, must_printf("%" PRIu64 " finished", stats->finished.jobs), "", &stats->finished);
        add_row(&stats->table, must_printf("%" PRIu64 " in total", total.jobs), "", &total);
        table_print(&stats->table);
        return finish_output();
}

int command_stats(const struct arguments *arguments) {
        struct stats stats = { .table = { .n_columns = 11, .right_aligned = 0x7fc } };
        int code;

        if (option_given(arguments, OPTION_JSON))
                stats.jobs = must(json_array());
        table_add(&stats.table, (char *[]) { text("ID"), text("STATE"), text("FILES"), text("BYTES"), text("ORIGIN"), text("MIRRORS"), text("CACHE"), text("TWICE"),
                                             text("AVERAGE"), text("TIME"), text("ERRORS") });
        code = arguments->n_operands > 0 ? stats_of_named(arguments, &stats) : connect_each(arguments, stats_of_one_service, &stats);
        if (code == EXIT_DONE)
                code = print_stats(&stats, arguments->n_operands == 0);
        else
                json_decref(stats.jobs);
        table_done(&stats.table);
        return code;
}
