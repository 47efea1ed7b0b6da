/* Hashes of pieces, on a descriptor. May take minutes: threads only. */
#pragma once

#include <stdatomic.h>

#include "files/files.h"

/* Sets @bad for each piece whose bytes have another hash. Return: how many, or -errno (-ECANCELED as digest_descriptor()). */
int pieces_judge(int fd, const struct files_piece *pieces, size_t n, const atomic_bool *stop, const atomic_bool *closed, bool *bad);
