/* Whether a modem roams, as ModemManager says. Without it none does. */
#pragma once

#include <systemd/sd-bus.h>

#include "base/macros.h"

struct modem {
        bool is_roaming;
        void (*changed)(void *userdata);
        void *userdata;
        sd_bus *bus;
        sd_bus_slot *slots[4];
        sd_bus_slot *get_slot;
};
void modem_init(struct modem *modem, void (*changed)(void *userdata), void *userdata);
int modem_begin(struct modem *modem, sd_bus *bus);
void modem_end(struct modem *modem); /* @changed is not called */
