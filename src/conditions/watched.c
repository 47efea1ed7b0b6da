#include "conditions/watched.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/strings.h"
#include "conditions/system_bus.h"

void watched_init(struct watched *watched, const struct watched_type *type, void *facts, void (*changed)(void *userdata), void *userdata) {
        *watched = (struct watched) { .type = type, .facts = facts, .changed = changed, .userdata = userdata };
        memcpy(facts, type->unknown, type->facts_size);
}

/* ---- values ---- */

static const struct watched_property *find_property(const struct watched_type *type, const char *name) {
        for (size_t i = 0; i < type->n_properties; i++)
                if (streq(type->properties[i].name, name))
                        return &type->properties[i];
        return NULL;
}

static int read_value(sd_bus_message *m, const struct watched_property *property, void *facts) {
        void *to = (char *) facts + property->offset;
        const char signature[] = { property->type, 0 };
        const char *text;
        int r;

        if (property->type == 'v')
                return property->read(m, to);
        r = sd_bus_message_enter_container(m, 'v', signature);
        if (r < 0)
                return r;
        if (property->type == 's' || property->type == 'o') {
                r = sd_bus_message_read_basic(m, property->type, &text);
                if (r >= 0)
                        (void) snprintf(to, WATCHED_TEXT_MAX, "%s", text);
        } else
                r = sd_bus_message_read_basic(m, property->type, to);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* a{sv}. What has another type than it should is left out, with everything behind it. */
static int read_properties(struct watched *watched, sd_bus_message *m) {
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const struct watched_property *property;
                const char *name;

                r = sd_bus_message_read_basic(m, 's', &name);
                if (r < 0)
                        break;
                property = find_property(watched->type, name);
                r = property ? read_value(m, property, watched->facts) : sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* ---- what comes ---- */

static void forget(struct watched *watched) {
        memcpy(watched->facts, watched->type->unknown, watched->type->facts_size);
}

static int on_all(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct watched *watched = ASSERT_PTR(userdata);
        int r;

        watched->get_slot = sd_bus_slot_unref(watched->get_slot);
        forget(watched);
        if (sd_bus_message_is_method_error(m, NULL))
                r = 0; /* it is not there, or does not tell */
        else
                r = read_properties(watched, m);
        if (r < 0)
                log_debug("%s answers what cannot be read: %s", watched->type->service, strerror(-r));
        watched->changed(watched->userdata);
        return 0;
}

static int get_all(struct watched *watched) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = system_bus_new_call(watched->bus, &call, watched->type->service, watched->type->path, "org.freedesktop.DBus.Properties", "GetAll");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", watched->type->interface);
        watched->get_slot = sd_bus_slot_unref(watched->get_slot);
        return r < 0 ? r : sd_bus_call_async(watched->bus, &watched->get_slot, call, on_all, watched, 0);
}

static int on_properties_changed(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct watched *watched = ASSERT_PTR(userdata);
        int r;

        r = sd_bus_message_skip(m, "s");
        if (r >= 0)
                r = read_properties(watched, m);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "s");
        if (r >= 0 && sd_bus_message_at_end(m, false) == 0)
                return MIN(get_all(watched), 0); /* some are only said to be other ones */
        if (r < 0)
                log_debug("%s tells what cannot be read: %s", watched->type->service, strerror(-r));
        watched->changed(watched->userdata);
        return 0;
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct watched *watched = ASSERT_PTR(userdata);

        if (system_bus_has_new_owner(m))
                return MIN(get_all(watched), 0);
        watched->get_slot = sd_bus_slot_unref(watched->get_slot);
        forget(watched);
        watched->changed(watched->userdata);
        return 0;
}

/* ---- life ---- */

int watched_begin(struct watched *watched, sd_bus *bus) {
        const struct watched_type *type = watched->type;
        char match[512];
        int r;

        watched->bus = bus;
        r = system_bus_watch_owner(bus, &watched->owner_slot, type->service, on_owner_changed, watched);
        (void) snprintf(match, sizeof(match),
                        "type='signal',sender='%s',path='%s',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='%s'",
                        type->service, type->path, type->interface);
        if (r >= 0)
                r = sd_bus_add_match_async(bus, &watched->changed_slot, match, on_properties_changed, NULL, watched);
        return r < 0 ? r : get_all(watched);
}

void watched_end(struct watched *watched) {
        watched->owner_slot = sd_bus_slot_unref(watched->owner_slot);
        watched->changed_slot = sd_bus_slot_unref(watched->changed_slot);
        watched->get_slot = sd_bus_slot_unref(watched->get_slot);
        watched->bus = NULL;
        forget(watched);
}
