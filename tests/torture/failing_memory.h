/* The allocations of the library and of the program around it (the linker's --wrap sends them here; libc's and libsystemd's own go
 * on as they are), counted, and refused from the DOSVC_FAIL_AT-th on: that one, or with DOSVC_FAIL_MODE=ever all that follow. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An allocation is about to be made; non-zero: it fails. */
int failing_memory_next(void);

#ifdef __cplusplus
}
#endif
