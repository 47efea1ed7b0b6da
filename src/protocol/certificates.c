#include "protocol/certificates.h"

#include <stdio.h>
#include <string.h>

#include "base/strings.h"

static const char *const places[_CERTIFICATE_PLACE_MAX] = {
        "current_user",
        "local_machine",
        "current_service",
        "services",
        "users",
        "current_user_group_policy",
        "local_machine_group_policy",
        "local_machine_enterprise",
};

/* It becomes the name of a folder. */
static bool store_is_valid(const char *store) {
        size_t n = strlen(store);

        return n > 0 && n <= LIMIT_CERTIFICATE_STORE && *store != '.' &&
               strspn(store, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == n;
}

static bool subject_is_valid(const char *subject) {
        size_t n = strlen(subject);

        return n > 0 && n <= LIMIT_CERTIFICATE_SUBJECT && utf8_is_valid(subject, n) && !string_has_control(subject);
}

static int parse_place(const char *text, size_t n, enum certificate_place *ret) {
        for (size_t i = 0; i < ELEMENTSOF(places); i++)
                if (strlen(places[i]) == n && memcmp(places[i], text, n) == 0) {
                        *ret = (enum certificate_place) i;
                        return 0;
                }
        return -EINVAL;
}

int certificate_name_parse(const char *text, struct certificate_name *ret) {
        const char *store, *which;
        size_t n;

        *ret = (struct certificate_name) {};
        n = strcspn(text, "/");
        if (!text[n] || parse_place(text, n, &ret->place) < 0)
                return -EINVAL;
        store = text + n + 1;
        n = strcspn(store, "/");
        if (!store[n] || n > LIMIT_CERTIFICATE_STORE)
                return -EINVAL;
        memcpy(ret->store, store, n);
        which = store + n + 1;
        if (!store_is_valid(ret->store))
                return -EINVAL;
        if (strncmp(which, "sha1:", 5) == 0) {
                ret->by_hash = true;
                return hex_decode(which + 5, ret->sha1, sizeof(ret->sha1));
        }
        if (strncmp(which, "name:", 5) != 0 || !subject_is_valid(which + 5))
                return -EINVAL;
        memcpy(ret->subject, which + 5, strlen(which + 5) + 1);
        return 0;
}

int certificate_name_print(const struct certificate_name *name, char ret[static CERTIFICATE_TEXT_MAX + 1]) {
        char hash[2 * CERTIFICATE_HASH_BYTES + 1];

        if ((unsigned) name->place >= _CERTIFICATE_PLACE_MAX || !store_is_valid(name->store) ||
            (!name->by_hash && !subject_is_valid(name->subject)))
                return -EINVAL;
        hex_encode(name->sha1, sizeof(name->sha1), hash);
        (void) snprintf(ret, CERTIFICATE_TEXT_MAX + 1, "%s/%s/%s:%s", places[name->place], name->store, name->by_hash ? "sha1" : "name",
                        name->by_hash ? hash : name->subject);
        return 0;
}
