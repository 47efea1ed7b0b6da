/* D-Bus messages out of random bytes: always well-formed (sd-bus sees to that on the wire), with the right keys and types now
 * and then, so that what reads them is reached deep inside, and anything else the rest of the time. */
#pragma once

#include <systemd/sd-bus.h>

#include "fuzz.h"

struct fuzz_bytes {
        const uint8_t *data;
        size_t size;
};
/* 0 when there are no more. */
uint8_t fuzz_byte(struct fuzz_bytes *bytes);
uint64_t fuzz_u64(struct fuzz_bytes *bytes);

/* Appends one value for each type of @signature. 0 or -errno. */
int fuzz_message_append(sd_bus_message *m, const char *signature, struct fuzz_bytes *bytes);

/* A connection that nobody answers, to make messages with; one for the whole run. */
sd_bus *fuzz_message_bus(void);
/* A sealed message with @signature in it, as its reader gets it. NULL: these bytes make none. */
sd_bus_message *fuzz_message_new(const char *signature, struct fuzz_bytes *bytes);
