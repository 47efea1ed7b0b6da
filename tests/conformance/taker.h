/* A program that takes the bytes of a download by an IStream of its own.
 *
 * 1. taker_new(), and taker_new_download() with it; 2. block_at and fail_at say where it is difficult; 3. download_start_all(),
 * download_wait(); 4. taker_assert_has(); 5. release the download, taker_done(). */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "download.h"

/* An IStream that keeps what it gets, and can be told to block or to fail. */
struct taker {
        IStream com;
        atomic_uint n_references;
        atomic_uint n_releases_too_many;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        char *bytes;
        size_t n, n_max;
        size_t block_at; /* Write() waits once it has so much; SIZE_MAX: never */
        size_t fail_at;  /* and fails */
        HRESULT failure;
        bool is_short;   /* or says S_OK and takes nothing */
        bool blocks;     /* it does */
        pthread_t writer;
        unsigned n_writers; /* different threads */
};

struct taker *taker_new(void);
void taker_wait_blocked(struct taker *t);
/* From now on it neither blocks nor fails. */
void taker_allow(struct taker *t);
/* Asserts that everybody else has released it, once, and that one thread wrote. */
void taker_done(struct taker *t);
/* It has the first @n bytes of @query (as in origin_url), and no others. */
void taker_assert_has(struct taker *t, const char *query, size_t n);

/* A download of @query in the foreground whose stream it is. */
IDODownload *taker_new_download(const char *query, struct taker *t);
