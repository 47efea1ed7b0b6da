/* A service that says anything: it answers every call with what stands in the input, of the right type or of another one, with signals in
 * between. One for the whole run; DOSVC_ADDRESS leads to it. */
#pragma once

#include <stdbool.h>

#include "fuzz_message.h"

void fuzz_service_start(void);
/* From now on. @makes_jobs: at least that one works. */
void fuzz_service_says(struct fuzz_bytes bytes, bool makes_jobs);
/* The input goes. */
void fuzz_service_is_quiet(void);
