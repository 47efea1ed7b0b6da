/* Which interfaces count as a VPN: DOVpnKeywords against names and aliases, and the kernel's kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "conditions/vpn.h"

#define DEFAULT "VPN,Secure,Virtual Private Network"

static void keywords_are_found_as_the_rows_say(void **state) {
        static const struct {
                const char *keywords, *text;
                bool found;
        } rows[] = {
                { DEFAULT, "vpn0", true },
                { DEFAULT, "MyVpN", true },
                { DEFAULT, "insecure", true }, /* a part of a word is enough, as documented */
                { DEFAULT, "the virtual private network of work", true },
                { DEFAULT, "virtual private", false }, /* all of a keyword's words */
                { DEFAULT, "eth0", false },
                { DEFAULT, "", false },
                { "corp, Home Office", "wlan home office", true },
                { "corp, Home Office", "my corp", true },
                { "corp , vpn", "corpvpn", true },
                { "corp ,x", "corp", true }, /* blanks around a comma do not count */
                { " corp ", "corp", true },
                { "", "vpn0", false },
                { NULL, "vpn0", false },
                { ",", "vpn0", false },
                { " , ,, ", "vpn0", false },
                { " , ,, ", "a name, with everything", false },
                { ",,vpn", "vpn0", true },
                { "vpn,", "eth0", false }, /* nothing behind a comma is no keyword that everything has */
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (vpn_has_keyword(rows[i].keywords, rows[i].text) != rows[i].found)
                        fail_msg("'%s' in '%s'", rows[i].keywords, rows[i].text);
}

/* The kernel's names have 15 bytes and its aliases 255, so a longer keyword can be in none. */
static void a_keyword_of_255_bytes_is_looked_for_and_a_longer_one_left_out(void **state) {
        char longest[256], longer[257], both[600];

        memset(longest, 'a', 255), longest[255] = 0;
        memset(longer, 'a', 256), longer[256] = 0;
        assert_true(vpn_has_keyword(longest, longest));
        assert_false(vpn_has_keyword(longer, longer));
        snprintf(both, sizeof(both), "%s,vpn", longer);
        assert_true(vpn_has_keyword(both, "vpn0"));
}

static void kinds_of_the_kernel_are_tunnels_as_the_rows_say(void **state) {
        static const struct {
                const char *kind;
                size_t len;
                bool is_tunnel;
        } rows[] = {
                { "wireguard", 10, true }, /* with its zero, as the kernel sends it */
                { "wireguard", 9, true },
                { "tun", 4, true },
                { "xfrm", 5, true },
                { "vti", 4, true },
                { "vti6", 5, true },
                { "ipip", 5, true },
                { "gre", 4, true },
                { "sit", 4, true },
                { "ip6tnl", 7, true },
                { "tunnel", 7, false },
                { "tunnel", 3, true }, /* no byte behind the length is read */
                { "tu", 3, false },
                { "veth", 5, false },
                { "bridge", 7, false },
                { "wireguard2", 11, false },
                { "TUN", 4, false },
                { "", 1, false },
                { "", 0, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (vpn_kind_is_tunnel(rows[i].kind, rows[i].len) != rows[i].is_tunnel)
                        fail_msg("%s, %zu bytes", rows[i].kind, rows[i].len);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(keywords_are_found_as_the_rows_say),
                cmocka_unit_test(a_keyword_of_255_bytes_is_looked_for_and_a_longer_one_left_out),
                cmocka_unit_test(kinds_of_the_kernel_are_tunnels_as_the_rows_say),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
