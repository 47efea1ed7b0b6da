/* A fuzz target is one function; it runs under libFuzzer (clang) or under driver.c (any compiler, in `make check`). */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
