#include "transfer/digest_field.h"

#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "base/strings.h"

#define SHA256_BASE64 44     /* characters */
#define SHA256_HEX_BASE64 88 /* of the digest in hexadecimal */

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

/* Standard base64 with its padding: EVP_DecodeBlock() takes white space, too, and counts the padding. */
static bool decode_exactly(const char *text, size_t len, uint8_t *ret, size_t size) {
        static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        size_t padding = (3 - size % 3) % 3;
        uint8_t decoded[SHA256_HEX_BASE64 / 4 * 3];

        if (len != (size + 2) / 3 * 4 || len / 4 * 3 > sizeof(decoded))
                return false;
        for (size_t i = 0; i < len; i++)
                if (i >= len - padding ? text[i] != '=' : !text[i] || !strchr(alphabet, text[i]))
                        return false;
        if (EVP_DecodeBlock(decoded, (const unsigned char *) text, (int) len) < 0)
                return false;
        memcpy(ret, decoded, size);
        return true;
}

static int hex_value(uint8_t c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 6249's own examples are the hexadecimal text in base64, and servers were written after them. */
static bool decode(const char *text, size_t len, bool hex_too, uint8_t ret[static 32]) {
        uint8_t hex[64];

        if (decode_exactly(text, len, ret, 32))
                return true;
        if (!hex_too || !decode_exactly(text, len, hex, sizeof(hex)))
                return false;
        for (size_t i = 0; i < 32; i++) {
                int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);

                if (high < 0 || low < 0)
                        return false;
                ret[i] = (uint8_t) (high << 4 | low);
        }
        return true;
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
