/* What the files of src/job share and nobody else sees. */
#pragma once

#include "job/job.h"

/* The reason that a job waits for while it is in a state, unless somebody knows better. */
enum waiting_reason job_default_waiting(const struct job *job);

/* Form checks; 0 or an error code. */
int job_guard_check(const char *json, size_t max);
int job_path_check(const char *path);
bool job_range_is_valid(const struct byte_range *range);
/* -ENOMEM too. */
int job_ranges_check(const struct byte_range *ranges, size_t n_ranges, size_t max_ranges);

/* Index of destinations: 100,000 files in one job must not make adding one slow. Two paths are the same when
 * their bytes are, with a run of slashes counting as one. */
int job_paths_add(struct job *job, struct job_file *file); /* ERROR_DUPLICATE_DESTINATION, -ENOMEM */
void job_paths_remove(struct job *job, struct job_file *file);
void job_paths_done(struct job *job);

/* Size of the local file as far as the ranges alone tell it. */
uint64_t job_file_size_from_ranges(const struct job_file *file);
