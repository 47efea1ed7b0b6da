/* What a network says of itself: option 235 of DHCP, which anybody on it may have sent, and names of links. Properties: hosts that are
 * believed are a list of hosts, and a URL at each of them goes to that host and brings nobody's name or password. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strings.h"
#include "conditions/dhcp.h"
#include "conditions/vpn.h"
#include "transfer/redirect.h"

#define CHECK(x) \
        do {                     \
                if (!(x))        \
                        abort(); \
        } while (0)

static void check_host(const char *host, size_t n) {
        char url[CONDITIONS_HOSTS_MAX + 32];
        struct url_parts parts;

        (void) snprintf(url, sizeof(url), "http://%.*s/dir/file?q", (int) n, host);
        if (url_parse(url, &parts) < 0)
                return; /* the file's own URL is asked */
        CHECK(!parts.has_credentials);
        CHECK(parts.port > 0);
        if ((*host < '0' || *host > '9') && *host != '[') /* addresses have a normal form: 444444 is 0.6.200.28 */
                CHECK(strncasecmp(parts.host, host, strlen(parts.host)) == 0);
}

static void check_option(const char *value) {
        char hosts[CONDITIONS_HOSTS_MAX + 1];
        bool is_good;

        memset(hosts, 'x', sizeof(hosts));
        is_good = dhcp_decode_hosts(value, hosts);
        CHECK(strnlen(hosts, sizeof(hosts)) <= CONDITIONS_HOSTS_MAX);
        CHECK(is_good == (*hosts != 0));
        CHECK(!is_good || (string_is_host_list(hosts) && !string_has_control(hosts) && !strpbrk(hosts, "/?#@\\\"")));
        for (const char *p = hosts; is_good && *(p += strspn(p, ", ")); p += strcspn(p, ","))
                check_host(p, strcspn(p, ", "));
}

static void check_link(const char *text, const char *keywords, size_t size) {
        char in_upper_case[256];
        size_t n = strnlen(text, sizeof(in_upper_case) - 1);

        for (size_t i = 0; i < n; i++)
                in_upper_case[i] = text[i] >= 'a' && text[i] <= 'z' ? (char) (text[i] - 'a' + 'A') : text[i];
        in_upper_case[n] = 0;
        CHECK(!vpn_has_keyword("", text) && !vpn_has_keyword(NULL, text));
        if (n == strlen(text))
                CHECK(vpn_has_keyword(keywords, text) == vpn_has_keyword(keywords, in_upper_case));
        (void) vpn_kind_is_tunnel(text, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *) data, size);
        size_t n_first;

        if (!text || strlen(text) > DHCP_VALUE_MAX)
                return 0;
        check_option(text);
        /* A link's name, a line's end, keywords. The name is handed over without an end, too. */
        n_first = strcspn(text, "\n");
        if (text[n_first]) {
                text[n_first] = 0;
                check_link(text, text + n_first + 1, n_first);
        }
        if (size > 0) {
                char *kind = malloc(size);

                CHECK(kind);
                memcpy(kind, data, size);
                (void) vpn_kind_is_tunnel(kind, size);
                free(kind);
        }
        return 0;
}
