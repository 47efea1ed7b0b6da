/* Is there room, and taking it. May block: threads only. */
#pragma once

#include "files/files.h"

/* 0 if @need_bytes more fit on the file system of @fd and @keep_free remain; else -ENOSPC. A file system that
 * states no size has room. */
int space_check(int fd, uint64_t need_bytes, uint64_t keep_free);
/* What setrlimit(2) and our own limit say to a file of this size: 0 or -EFBIG. */
int space_check_file_size(uint64_t size);
/* Reserves blocks up to @size without changing the length: 0, -ENOSPC, -EDQUOT, -EFBIG, … @size may be
 * FILES_SIZE_UNKNOWN. */
int space_reserve(int fd, uint64_t size, uint64_t keep_free);
