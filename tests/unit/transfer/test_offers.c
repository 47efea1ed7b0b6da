/* What answers offer beside their bytes: links to duplicates (RFC 6249, 8288) and digests (RFC 3230, 9530). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/strings.h"
#include "facts.h"
#include "transfer/digest_field.h"
#include "transfer/offers.h"

#define BASE "https://origin.example/dir/example.ext"
#define HELLO "RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=" /* RFC 9530: {"hello": "world"} and a line feed */
#define ISO "HtHRpLOZBEMnTpQS6Zn12veC4uhjtMwamfVAwmPQPmE="
#define ISO_HEX "MWVkMWQxYTRiMzk5MDQ0MzI3NGU5NDEyZTk5OWY1ZGFmNzgyZTJlODYzYjRjYzFhOTlmNTQwYzI2M2QwM2U2MQ==" /* RFC 6249 section 1.1 */

static const uint8_t hello[4] = { 0x44, 0xaf, 0xf4, 0xab }, iso[4] = { 0x1e, 0xd1, 0xd1, 0xa4 };

static void digest_fields_give_their_sha_256_or_nothing(void **state) {
        static const struct {
                const char *value;
                bool dictionary;
                int result;
                const uint8_t *begins;
        } rows[] = {
                { "SHA-256=" ISO, false, 1, iso },
                { "sha-256=" ISO, false, 1, iso },
                { "SHA-256=" ISO_HEX, false, 1, iso },
                { "MD5=HUXZLQLMuI/KZ5KDcJPcOA==,  SHA-256=" ISO " ,unixsum=30637", false, 1, iso },
                { "SHA-256=" ISO ",sha-256=" ISO_HEX, false, 1, iso },
                { "SHA-256=" ISO ",SHA-256=" HELLO, false, -EINVAL, NULL },
                { "SHA=thvDyvhfIqlvFe+A9MYgxAfm1q5=", false, 0, NULL },
                { "SHA-512=AAAA", false, 0, NULL },
                { "", false, 0, NULL },
                { "SHA-256=", false, 0, NULL },
                { "SHA-256=AAAA", false, -EINVAL, NULL },
                { "SHA-256=HtHRpLOZBEMnTpQS6Zn12veC4uhjtMwamfVAwmPQPm==", false, -EINVAL, NULL },
                { "SHA-256=HtHRpLOZBEMnTpQS6Zn12veC4uhjtMwamfVAwm QPmE=", false, -EINVAL, NULL },
                { "SHA-256=TVdWa01XUXhZVFJpTXprNU1EUTBNekkzTkdVNU5ERXlaVGs1T1dZMVpHRm1Oemd5WlRKbE9EWXpZalJqWXpGaE9Ua==", false, -EINVAL, NULL },
                { "sha-256=:" HELLO ":", true, 1, hello },
                { "sha-512=:AAAA:, sha-256=:" HELLO ":;x=1", true, 1, hello },
                { "sha-256=:" HELLO ":, sha-256=:" HELLO ":", true, 1, hello },
                { "sha-256=:" HELLO ":, sha-256=:" ISO ":", true, -EINVAL, NULL },
                { "SHA-256=:" HELLO ":", true, 0, NULL }, /* keys are in lower case */
                { "sha-256=" HELLO, true, -EINVAL, NULL },
                { "sha-256=:" HELLO, true, -EINVAL, NULL },
                { "sha-256=:" HELLO ":x", true, -EINVAL, NULL },
                { "sha-256=:" ISO_HEX ":", true, -EINVAL, NULL },
                { "sha-256=::", true, -EINVAL, NULL },
                { "sha-2567=:" HELLO ":", true, 0, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint8_t sha256[32];
                int r = (rows[i].dictionary ? digest_field_parse_dictionary : digest_field_parse)(rows[i].value, strlen(rows[i].value), sha256);

                if (r != rows[i].result)
                        print_error("row %zu: %s\n", i, rows[i].value);
                assert_int_equal(r, rows[i].result);
                if (rows[i].begins)
                        assert_memory_equal(sha256, rows[i].begins, 4);
        }
}

static void a_content_digest_is_the_files_only_where_its_body_is_all_of_it(void **state) {
        static struct response_facts facts;

        assert_int_equal(facts_from_text(&facts, "HTTP/1.1 206 Partial\nContent-Digest: sha-256=:" HELLO ":\n"), 0);
        assert_null(response_facts_sha256(&facts, false));
        assert_memory_equal(response_facts_sha256(&facts, true), hello, 4);
        assert_int_equal(facts_from_text(&facts, "HTTP/1.1 206 Partial\nContent-Digest: sha-256=:" HELLO ":\nRepr-Digest: sha-256=:" ISO ":\n"), 0);
        assert_memory_equal(response_facts_sha256(&facts, false), iso, 4);
        assert_null(response_facts_sha256(&facts, true)); /* they contradict each other */
}

static void digests_that_contradict_each_other_say_nothing(void **state) {
        static const char *const texts[] = {
                "HTTP/1.1 200 OK\nDigest: SHA-256=" ISO "\nDigest: SHA-256=" HELLO "\n",
                "HTTP/1.1 200 OK\nDigest: SHA-256=" ISO "\nRepr-Digest: sha-256=:" HELLO ":\n",
                "HTTP/1.1 200 OK\nDigest: SHA-256=" ISO "\nRepr-Digest: sha-256=garbage\n",
                "HTTP/1.1 200 OK\nDigest: SHA-256=" ISO "\n folded\n",
        };
        static struct response_facts facts;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                assert_int_equal(facts_from_text(&facts, texts[i]), 0);
                assert_null(response_facts_sha256(&facts, true));
        }
        assert_int_equal(facts_from_text(&facts, "HTTP/1.1 200 OK\nDigest: SHA-256=" ISO "\nDigest: MD5=x\nRepr-Digest: sha-256=:" ISO ":\n"), 0);
        assert_memory_equal(response_facts_sha256(&facts, true), iso, 4);
}

/* What an answer with these lines offers, or what was offered before and by it. */
static const char *offered(struct offers *offers, const char *lines, uint32_t *ret_preferred) {
        static char text[LIMIT_OFFERED_MIRRORS_TEXT + 1];
        static struct response_facts facts;
        _cleanup_free_ char *answer = NULL;

        assert_true(asprintf(&answer, "HTTP/1.1 200 OK\n%s", lines) > 0);
        assert_int_equal(facts_from_text(&facts, answer), 0);
        (void) offers_add(offers, &facts, &(struct offers_place) { .url = BASE, .secure = true });
        *ret_preferred = offers_write(offers, text);
        return text;
}

static void links_are_read_as_the_rfcs_say(void **state) {
        static const struct {
                const char *lines, *mirrors;
        } rows[] = {
                /* RFC 6249 section 3 */
                { "Link: <http://www2.example.com/example.ext>; rel=duplicate\n"
                  "Link: <ftp://ftp.example.com/example.ext>; rel=duplicate\n"
                  "Link: <http://example.com/example.ext.torrent>; rel=describedby; type=\"application/x-bittorrent\"\n"
                  "Link: <http://example.com/example.ext.meta4>; rel=describedby; type=\"application/metalink4+xml\"\n"
                  "Link: <http://example.com/example.ext.asc>; rel=describedby; type=\"application/pgp-signature\"\n",
                  "http://www2.example.com/example.ext" },
                { "Link: <http://www2.example.com/example.ext>; rel=duplicate; pri=1; pref\n"
                  "Link: <http://www3.example.com/example.ext>; rel=duplicate; pri=2; geo=gb\n",
                  "http://www2.example.com/example.ext\nhttp://www3.example.com/example.ext" },
                { "Link: <http://b/>; rel=duplicate; pri=20, <http://a/>; rel=duplicate; pri=3,<http://c/>;rel=duplicate\n",
                  "http://a/\nhttp://b/\nhttp://c/" },
                { "Link: <http://b/>; rel=duplicate; pri=1, <http://a/>; rel=duplicate; pri=9; pref\n", "http://a/\nhttp://b/" },
                { "Link: <http://a/>; rel=\"alternate Duplicate\"\n", "http://a/" },
                { "Link: <http://a/>; title=\"a, b; \\\" rel=x\"; rel=duplicate\n", "http://a/" },
                { "Link: <../mirror/x>; rel=duplicate\n", "https://origin.example/mirror/x" },
                { "Link: <//m.example/x#part>; rel=duplicate\n", "https://m.example/x" },
                { "Link: <http://a/>; rel=next; rel=duplicate\n", "" }, /* the first one counts */
                { "Link: <http://a/>; rel=duplicate; anchor=\"/other\"\n", "" },
                { "Link: <http://a/>\n", "" },
                { "Link: http://a/; rel=duplicate\n", "" },
                { "Link: <http://a/>; rel=duplicate, garbage, <http://b/>; rel=duplicate\n", "http://a/" },
                { "Link: <http://a/; rel=duplicate\n", "" },
                { "Link: <http://a/>; rel=\"duplicate\n", "" },
                { "Link: <" BASE ">; rel=duplicate, <http://a/>; rel=duplicate, <http://a/>; rel=duplicate\n", "http://a/" },
                { "Link: <file:///etc/passwd>; rel=duplicate, <http://u:p@a/>; rel=duplicate\n", "" },
                { "Link: <http://a/>; rel=duplicate\n folded\n", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                static struct offers offers;
                uint32_t n_preferred;
                const char *mirrors;

                offers_begin(&offers);
                mirrors = offered(&offers, rows[i].lines, &n_preferred);
                if (!streq(mirrors, rows[i].mirrors))
                        print_error("row %zu: %s\n", i, rows[i].lines);
                assert_string_equal(mirrors, rows[i].mirrors);
                assert_int_equal(n_preferred, strstr(rows[i].lines, "; pref") != NULL);
        }
}

static void mirrors_are_few_and_their_texts_bounded(void **state) {
        static char lines[LIMIT_LINKS * 3];
        static struct offers offers;
        uint32_t n_preferred;
        size_t n = 0;
        const char *mirrors;

        for (unsigned i = 0; i < LIMIT_MIRRORS + 5; i++)
                n += (size_t) sprintf(lines + n, "Link: <http://m%02u/>; rel=duplicate\n", i);
        offers_begin(&offers);
        mirrors = offered(&offers, lines, &n_preferred);
        assert_int_equal(offers.n_mirrors, LIMIT_MIRRORS);
        assert_non_null(strstr(mirrors, "http://m15/"));
        assert_null(strstr(mirrors, "http://m16/"));

        /* Of all Link fields of an answer exactly so many bytes are looked at. */
        for (int beyond = 0; beyond <= 1; beyond++) {
                static const char link[] = "<http://a/>; rel=duplicate";
                int padding = (int) (LIMIT_LINKS - strlen(link) - strlen("<b>; x=") - 2) + beyond;

                assert_true(snprintf(lines, sizeof(lines), "Link: <b>; x=%0*d\nLink: %s\n", padding, 0, link) > 0);
                offers_begin(&offers);
                assert_string_equal(offered(&offers, lines, &n_preferred), beyond ? "" : "http://a/");
        }
}

static void of_several_answers_the_first_digest_stands_and_mirrors_add_up(void **state) {
        static struct response_facts facts;
        static struct offers offers;
        static char text[LIMIT_OFFERED_MIRRORS_TEXT + 1];

        offers_begin(&offers);
        assert_int_equal(facts_from_text(&facts, "HTTP/1.1 302 Found\nLocation: x\nDigest: SHA-256=" ISO "\nLink: <http://a/>; rel=duplicate\n"), 0);
        assert_true(offers_add(&offers, &facts, &(struct offers_place) { .url = "http://o/f", .is_public = true }));
        assert_int_equal(facts_from_text(&facts, "HTTP/1.1 200 OK\nDigest: SHA-256=" HELLO "\nLink: <http://b/>; rel=duplicate\n"), 0);
        assert_true(offers_add(&offers, &facts, &(struct offers_place) { .url = "https://p/f", .secure = true }));
        assert_memory_equal(offers.sha256, iso, 4);
        assert_false(offers.secure);
        assert_true(offers.from_public);
        (void) offers_write(&offers, text);
        assert_string_equal(text, "http://a/\nhttp://b/");
        assert_false(offers_add(&offers, &facts, &(struct offers_place) { .url = "https://p/f", .secure = true }));
}

static void early_hints_are_not_the_answer(void **state) {
        static struct response_facts facts;

        assert_int_equal(facts_from_text(&facts, "HTTP/1.1 103 Early Hints\nLink: <http://a/>; rel=duplicate\nDigest: SHA-256=" ISO "\n"), 0);
        assert_int_equal(response_facts_add_header(&facts, "HTTP/1.1 200 OK\r\n", 17), 0);
        assert_int_equal(facts.n_links, 0);
        assert_null(response_facts_sha256(&facts, true));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(digest_fields_give_their_sha_256_or_nothing),
                cmocka_unit_test(a_content_digest_is_the_files_only_where_its_body_is_all_of_it),
                cmocka_unit_test(digests_that_contradict_each_other_say_nothing),
                cmocka_unit_test(links_are_read_as_the_rfcs_say),
                cmocka_unit_test(mirrors_are_few_and_their_texts_bounded),
                cmocka_unit_test(of_several_answers_the_first_digest_stands_and_mirrors_add_up),
                cmocka_unit_test(early_hints_are_not_the_answer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
