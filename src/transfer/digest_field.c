#include "transfer/digest_field.h"

#include <string.h>
#include <strings.h>

#include "base/strings.h"

#define SHA256_HEX 64 /* characters */

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

/* RFC 6249's own examples are the hexadecimal text in base64, and servers were written after them. */
static bool decode(const char *text, size_t len, bool hex_too, uint8_t ret[static 32]) {
        char hex[SHA256_HEX + 1] = "";

        if (base64_decode_exactly(text, len, ret, 32) == 0)
                return true;
        return hex_too && base64_decode_exactly(text, len, (uint8_t *) hex, SHA256_HEX) == 0 && hex_decode(hex, ret, 32) == 0;
}

/* One member of a list: takes @found as what was there before. */
static int take(const char *text, size_t len, bool hex_too, int found, uint8_t ret[static 32]) {
        uint8_t digest[32];

        if (!decode(text, len, hex_too, digest) || (found && memcmp(ret, digest, sizeof(digest)) != 0))
                return -EINVAL;
        memcpy(ret, digest, sizeof(digest));
        return 1;
}

/* The members of a list, without blanks around them. None of what these fields may hold has a comma of its own. */
static bool next_member(const char **at, const char *end, const char **ret, size_t *ret_len) {
        const char *p = *at, *comma;

        while (p < end && (is_blank(*p) || *p == ','))
                p++;
        if (p == end)
                return false;
        comma = memchr(p, ',', (size_t) (end - p));
        *ret = p;
        *at = comma ? comma : end;
        *ret_len = (size_t) (*at - p);
        while (*ret_len > 0 && is_blank(p[*ret_len - 1]))
                (*ret_len)--;
        return true;
}

int digest_field_parse(const char *value, size_t len, uint8_t ret[static 32]) {
        static const char name[] = "sha-256=";
        const char *at = value, *member;
        size_t n, n_name = strlen(name);
        int found = 0;

        while (found >= 0 && next_member(&at, value + len, &member, &n))
                if (n > n_name && strncasecmp(member, name, n_name) == 0)
                        found = take(member + n_name, n - n_name, true, found, ret);
        return found;
}

/* sha-256=:…: — keys are in lower case, and parameters may follow. */
int digest_field_parse_dictionary(const char *value, size_t len, uint8_t ret[static 32]) {
        static const char name[] = "sha-256=:";
        const char *at = value, *member, *close;
        size_t n, n_name = strlen(name);
        int found = 0;

        while (found >= 0 && next_member(&at, value + len, &member, &n)) {
                if (n < n_name - 1 || memcmp(member, name, n_name - 1) != 0)
                        continue;
                close = n > n_name && member[n_name - 1] == ':' ? memchr(member + n_name, ':', n - n_name) : NULL;
                if (!close || (close + 1 < member + n && close[1] != ';'))
                        return -EINVAL;
                found = take(member + n_name, (size_t) (close - member) - n_name, false, found, ret);
        }
        return found;
}
