/*
 * callback.h: a callback that counts its calls, implemented in C++ for a caller in C.
 */
#ifndef TESTS_SURFACE_CALLBACK_H
#define TESTS_SURFACE_CALLBACK_H

#include "bits.h"

struct callback_log {
        unsigned transferred, errors, modifications, files, ranges;
        UINT64 bytes;
        IBackgroundCopyJob *job;
        unsigned alive;
};

#ifdef __cplusplus
extern "C" {
#endif

/* One reference for the caller. @log outlives the object. */
IUnknown *callback_new(struct callback_log *log);

/* The other direction: C++ reads the size of a file that C implements. */
HRESULT callback_read_size(IBackgroundCopyFile *file, UINT64 *ret_bytes);

#ifdef __cplusplus
}
#endif

#endif
