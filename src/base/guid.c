#include "base/guid.h"

#include <sys/random.h>

#include "base/strings.h"

int random_bytes(void *ret, size_t size) {
        uint8_t *p = ret;

        while (size > 0) {
                ssize_t n = getrandom(p, size, 0);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                p += n;
                size -= (size_t) n;
        }
        return 0;
}

int guid_new(struct guid *ret) {
        int r = random_bytes(ret->bytes, sizeof(ret->bytes));

        if (r < 0)
                return r;
        ret->bytes[6] = (uint8_t)((ret->bytes[6] & 0x0f) | 0x40);
        ret->bytes[8] = (uint8_t)((ret->bytes[8] & 0x3f) | 0x80);
        return 0;
}

void guid_to_compact(const struct guid *guid, char ret[static 33]) {
        hex_encode(guid->bytes, sizeof(guid->bytes), ret);
}

void guid_to_string(const struct guid *guid, char ret[static GUID_STRING_MAX]) {
        static const size_t dash_after[] = { 4, 6, 8, 10 };
        char *p = ret;

        for (size_t i = 0, d = 0; i < sizeof(guid->bytes); i++) {
                if (d < ELEMENTSOF(dash_after) && i == dash_after[d]) {
                        *p++ = '-';
                        d++;
                }
                hex_encode(guid->bytes + i, 1, p);
                p += 2;
        }
}

int guid_from_string(const char *s, struct guid *ret) {
        char compact[33];
        size_t n = 0, len = strlen(s);

        if (len == 36) {
                if (s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-')
                        return -EINVAL;
        } else if (len != 32)
                return -EINVAL;
        for (size_t i = 0; i < len; i++) {
                if (len == 36 && (i == 8 || i == 13 || i == 18 || i == 23))
                        continue;
                compact[n++] = s[i];
        }
        compact[n] = 0;
        return hex_decode(compact, ret->bytes, sizeof(ret->bytes));
}
