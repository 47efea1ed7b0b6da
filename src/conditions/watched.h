/* One object of another service on a bus, by the properties that matter. Nothing is ever started for it: where the service is not there, or
 * goes, its facts are the ones that stand for "unknown". Must never know what the facts mean. */
#pragma once

#include <systemd/sd-bus.h>

#include "base/macros.h"

#define WATCHED_TEXT_MAX 64

struct watched_property {
        const char *name;
        char type;     /* 'b' into an int, 'u' into an uint32_t, 'd' into a double, 's' and 'o' into a char[WATCHED_TEXT_MAX], 'v': @read does it */
        size_t offset; /* in the facts */
        int (*read)(sd_bus_message *m, void *to); /* a variant; 0 or -errno */
};
struct watched_type {
        const char *service, *path, *interface;
        const struct watched_property *properties;
        size_t n_properties;
        size_t facts_size;
        const void *unknown; /* facts */
};

struct watched {
        const struct watched_type *type;
        void *facts;
        void (*changed)(void *userdata);
        void *userdata;
        sd_bus *bus; /* NULL: not watched now */
        sd_bus_slot *owner_slot, *changed_slot, *get_slot;
};

/* @facts: type->facts_size bytes, which it writes. */
void watched_init(struct watched *watched, const struct watched_type *type, void *facts, void (*changed)(void *userdata), void *userdata);
int watched_begin(struct watched *watched, sd_bus *bus);
/* Its facts are unknown again; @changed is not called. */
void watched_end(struct watched *watched);
