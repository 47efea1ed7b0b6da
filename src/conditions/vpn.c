#include "conditions/vpn.h"

#include <string.h>

#include "base/strings.h"

#define KEYWORD_MAX 256

bool vpn_has_keyword(const char *keywords, const char *text) {
        for (size_t n; keywords && *(keywords += strspn(keywords, ", ")); keywords += n) {
                char keyword[KEYWORD_MAX];
                size_t len;

                n = len = strcspn(keywords, ",");
                while (keywords[len - 1] == ' ')
                        len--;
                if (len >= sizeof(keyword))
                        continue;
                memcpy(keyword, keywords, len);
                keyword[len] = 0;
                if (strcasestr(text, keyword))
                        return true;
        }
        return false;
}

bool vpn_kind_is_tunnel(const char *kind, size_t len) {
        static const char *const kinds[] = { "wireguard", "tun", "xfrm", "vti", "vti6", "ipip", "gre", "sit", "ip6tnl" };

        len = strnlen(kind, len);
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (len == strlen(kinds[i]) && memcmp(kind, kinds[i], len) == 0)
                        return true;
        return false;
}
