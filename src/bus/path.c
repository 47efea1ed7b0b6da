#include "bus/path.h"

#include <stdio.h>

#include "base/strings.h"

void bus_path_of_job(const struct guid *id, char ret[static BUS_PATH_MAX]) {
        char compact[33];

        guid_to_compact(id, compact);
        (void) snprintf(ret, BUS_PATH_MAX, BUS_JOBS_PATH "/%s", compact);
}

/* Decimal without signs, blanks or leading zeros. */
static int parse_index(const char *s, uint32_t *ret) {
        uint64_t value;
        int r;

        if (s[0] == '0' && s[1])
                return -EINVAL;
        r = parse_u64(s, &value);
        if (r < 0 || value >= BUS_PATH_NO_FILE)
                return -EINVAL;
        *ret = (uint32_t) value;
        return 0;
}

int bus_path_parse(const char *path, struct guid *ret_id, uint32_t *ret_file) {
        const char *digits = startswith(path, BUS_JOBS_PATH "/"), *file;
        uint32_t index = BUS_PATH_NO_FILE;
        char compact[33];
        struct guid id;
        int r;

        if (!digits || strspn(digits, "0123456789abcdef") != 32)
                return -EINVAL;
        memcpy(compact, digits, 32);
        compact[32] = 0;
        r = guid_from_string(compact, &id);
        if (r < 0)
                return -EINVAL;
        if (digits[32]) {
                file = startswith(digits + 32, "/file/");
                if (!file || parse_index(file, &index) < 0)
                        return -EINVAL;
        }
        *ret_id = id;
        *ret_file = index;
        return 0;
}
