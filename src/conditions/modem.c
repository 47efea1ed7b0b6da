#include "conditions/modem.h"

#include <string.h>

#include "base/log.h"
#include "base/strings.h"
#include "conditions/system_bus.h"

#define SERVICE "org.freedesktop.ModemManager1"
#define PATH "/org/freedesktop/ModemManager1"
#define MODEM SERVICE ".Modem.Modem3gpp"
#define OBJECTS "org.freedesktop.DBus.ObjectManager"

/* MMModem3gppRegistrationState */
enum {
        REGISTERED_ROAMING = 5,
        REGISTERED_ROAMING_SMS_ONLY = 7,
        REGISTERED_ROAMING_CSFB_NOT_PREFERRED = 10,
};

/* a{sv} of one modem */
static int read_modem(sd_bus_message *m, bool *roams) {
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *name;
                uint32_t state;

                r = sd_bus_message_read_basic(m, 's', &name);
                if (r >= 0 && streq(name, "RegistrationState")) {
                        r = sd_bus_message_read(m, "v", "u", &state);
                        *roams = *roams || (r >= 0 && (state == REGISTERED_ROAMING || state == REGISTERED_ROAMING_SMS_ONLY ||
                                                       state == REGISTERED_ROAMING_CSFB_NOT_PREFERRED));
                } else if (r >= 0)
                        r = sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* a{sa{sv}} of one object */
static int read_interfaces(sd_bus_message *m, bool *roams) {
        int r = sd_bus_message_enter_container(m, 'a', "{sa{sv}}");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sa{sv}")) > 0) {
                const char *name;

                r = sd_bus_message_read_basic(m, 's', &name);
                if (r >= 0)
                        r = streq(name, MODEM) ? read_modem(m, roams) : sd_bus_message_skip(m, "a{sv}");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int on_objects(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct modem *modem = ASSERT_PTR(userdata);
        bool roams = false;
        int r = 0;

        modem->get_slot = sd_bus_slot_unref(modem->get_slot);
        if (!sd_bus_message_is_method_error(m, NULL))
                r = sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}");
        while (r > 0 && (r = sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}")) > 0) {
                r = sd_bus_message_skip(m, "o");
                if (r >= 0)
                        r = read_interfaces(m, &roams);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r < 0)
                log_debug("ModemManager answers what cannot be read: %s", strerror(-r));
        if (modem->is_roaming == roams)
                return 0;
        modem->is_roaming = roams;
        modem->changed(modem->userdata);
        return 0;
}

static int get_objects(struct modem *modem) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r = system_bus_new_call(modem->bus, &call, SERVICE, PATH, OBJECTS, "GetManagedObjects");

        modem->get_slot = sd_bus_slot_unref(modem->get_slot);
        return r < 0 ? r : sd_bus_call_async(modem->bus, &modem->get_slot, call, on_objects, modem, 0);
}

static int on_news(sd_bus_message *m _unused_, void *userdata, sd_bus_error *error _unused_) {
        (void) get_objects(userdata);
        return 0;
}

void modem_init(struct modem *modem, void (*changed)(void *userdata), void *userdata) {
        *modem = (struct modem) { .changed = changed, .userdata = userdata };
}

int modem_begin(struct modem *modem, sd_bus *bus) {
        /* Not every property: the strength of the signal changes all the time. */
        static const char *const matches[] = {
                "type='signal',sender='" SERVICE "',path_namespace='" PATH "',interface='org.freedesktop.DBus.Properties',"
                "member='PropertiesChanged',arg0='" MODEM "'",
                "type='signal',sender='" SERVICE "',path='" PATH "',interface='" OBJECTS "',member='InterfacesAdded'",
                "type='signal',sender='" SERVICE "',path='" PATH "',interface='" OBJECTS "',member='InterfacesRemoved'",
        };
        int r;

        modem->bus = bus;
        r = system_bus_watch_owner(bus, &modem->slots[ELEMENTSOF(matches)], SERVICE, on_news, modem);
        for (size_t i = 0; i < ELEMENTSOF(matches) && r >= 0; i++)
                r = sd_bus_add_match_async(bus, &modem->slots[i], matches[i], on_news, NULL, modem);
        return r < 0 ? r : get_objects(modem);
}

void modem_end(struct modem *modem) {
        for (size_t i = 0; i < ELEMENTSOF(modem->slots); i++)
                modem->slots[i] = sd_bus_slot_unref(modem->slots[i]);
        modem->get_slot = sd_bus_slot_unref(modem->get_slot);
        modem->bus = NULL;
        modem->is_roaming = false;
}
