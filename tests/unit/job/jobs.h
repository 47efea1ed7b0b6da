/* Jobs for tests. */
#pragma once

#include "../unit.h"

#include "base/strings.h"
#include "job/job.h"

#define T0 (UINT64_C(1700000000) * USEC_PER_SEC)
#define MAX_RANGES 500

static inline struct job *make_job(enum job_family family) {
        struct guid id;
        struct job *job;

        assert_int_equal(guid_from_string("5b99fa76-721c-423c-adac-56d03c8a8007", &id), 0);
        assert_int_equal(job_new(&id, 1000, family, "test", T0, &job), 0);
        return job;
}

/* /srv/<name> from http://example.org/<name> */
static inline struct job_file *add_file(struct job *job, const char *name, const struct byte_range *ranges,
                                        size_t n_ranges) {
        char url[300], path[300];
        struct job_file_spec spec = {
                .url = url, .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0644,
                .ranges = ranges, .n_ranges = n_ranges,
        };
        struct job_file *file;

        snprintf(url, sizeof(url), "http://example.org/%s", name);
        snprintf(path, sizeof(path), "/srv/%s", name);
        assert_int_equal(job_add_file(job, &spec, MAX_RANGES, &file), 0);
        return file;
}

/* Puts a job into any state by the ways that there are. */
static inline void bring_to(struct job *job, enum job_state state, uint64_t now) {
        static const enum job_event ways[_JOB_STATE_MAX][3] = {
                [JOB_QUEUED] = { JOB_EVENT_RESUME },
                [JOB_TRANSFERRING] = { JOB_EVENT_RESUME, JOB_EVENT_START },
                [JOB_ERROR] = { JOB_EVENT_RESUME, JOB_EVENT_START, JOB_EVENT_FATAL_ERROR },
                [JOB_TRANSIENT_ERROR] = { JOB_EVENT_RESUME, JOB_EVENT_START, JOB_EVENT_TRANSIENT_ERROR },
                [JOB_TRANSFERRED] = { JOB_EVENT_ALL_TRANSFERRED },
                [JOB_ACKNOWLEDGED] = { JOB_EVENT_COMPLETED },
                [JOB_CANCELLED] = { JOB_EVENT_CANCELLED },
        };
        size_t n = state == JOB_TRANSFERRING ? 2 : job_state_has_error(state) ? 3 : state == JOB_SUSPENDED ? 0 : 1;

        for (size_t i = 0; i < n; i++) {
                if (job_state_has_error(state) && i == 2)
                        job_set_error(job, ERROR_CONNECT_FAILURE, ERROR_CONTEXT_REMOTE_FILE, 111, 0, "refused");
                assert_int_equal(job_transition(job, ways[state][i], now), 0);
        }
        assert_int_equal(job->state, state);
}

/* CONNECTING is never entered: no test can bring a job there. */
#define FOREACH_STATE(state) \
        for (enum job_state state = 0; state < _JOB_STATE_MAX; state++) \
                if (state != JOB_CONNECTING)
