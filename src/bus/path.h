/* Object paths: /org/dosvc/job/<32 hex>[/file/<n>]. Strict both ways: one object has one path. */
#pragma once

#include "base/guid.h"

#define BUS_PATH "/org/dosvc"
#define BUS_JOBS_PATH BUS_PATH "/job"
#define BUS_PATH_MAX 80
#define BUS_PATH_NO_FILE UINT32_MAX

void bus_path_of_job(const struct guid *id, char ret[static BUS_PATH_MAX]);
/* *ret_file is BUS_PATH_NO_FILE for a job's path. 0 or -EINVAL. */
int bus_path_parse(const char *path, struct guid *ret_id, uint32_t *ret_file);
