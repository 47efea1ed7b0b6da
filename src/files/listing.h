/* Many names of one directory looked up by reading it once. May block: threads only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listing_name {
        const char *name;
        size_t index; /* the caller's */
        uint64_t ino; /* out; 0: not there. As readdir(3) tells it: some file systems say another one by stat(2) */
};

/* Sorts @names and fills in what was found. Return: false if the directory could not be read, or holds so many other names that asking
 * for each is less work. */
bool listing_find(int dirfd, struct listing_name *names, size_t n);
