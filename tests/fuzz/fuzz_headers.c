/* Header lines of a stranger, then a verdict on them. Properties: texts stay in their arrays; what may be sent back is sendable; a
 * verdict that allows bytes allows them only where they were asked for, and names an error whenever it allows none; what is offered are few
 * URLs, each of which can be asked for. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "transfer/offers.h"
#include "transfer/redirect.h"
#include "transfer/verdict.h"

#define CHECK(x) \
        do {                     \
                if (!(x))        \
                        abort(); \
        } while (0)

static void check_facts(const struct response_facts *facts) {
        const char *etag = response_facts_strong_etag(facts), *date = response_facts_strong_date(facts);

        CHECK(strnlen(facts->etag, sizeof(facts->etag)) <= LIMIT_VALIDATOR);
        CHECK(strnlen(facts->location, sizeof(facts->location)) <= LIMIT_URL);
        CHECK(strnlen(facts->encoding, sizeof(facts->encoding)) <= RESPONSE_ENCODING_MAX);
        CHECK(strnlen(facts->last_modified_text, sizeof(facts->last_modified_text)) <= RESPONSE_DATE_MAX);
        CHECK(!etag || header_is_sendable_validator(etag));
        CHECK(!date || header_is_sendable_validator(date));
        CHECK(!etag || !date);
        if (facts->content_range_state == HEADER_VALID && !facts->content_range.unsatisfied)
                CHECK(facts->content_range.first <= facts->content_range.last &&
                      facts->content_range.last < facts->content_range.total);
}

static void check_offers(const struct response_facts *facts, bool whole_body) {
        static struct offers offers;
        static char mirrors[LIMIT_OFFERED_MIRRORS_TEXT + 1];
        const struct offers_place place = { .url = "https://h.example/dir/f", .whole_body = whole_body };
        const char *at = facts->links, *end = facts->links + facts->n_links;
        struct link_value link;
        uint32_t n_preferred;
        size_t n = 0;

        CHECK(facts->n_links <= LIMIT_LINKS);
        while (offers_next_link(&at, end, &link) > 0)
                CHECK(link.target > facts->links && link.target + link.n_target < end && link.priority > 0);
        offers_begin(&offers);
        (void) offers_add(&offers, facts, &place);
        CHECK(!offers_add(&offers, facts, &place)); /* the same once more is no news */
        CHECK(offers.has_sha256 == (response_facts_sha256(facts, whole_body) != NULL));
        n_preferred = offers_write(&offers, mirrors);
        CHECK(n_preferred <= offers.n_mirrors && offers.n_mirrors <= LIMIT_MIRRORS);
        for (char *line = strtok(mirrors, "\n"); line; line = strtok(NULL, "\n"), n++) {
                char *again = NULL;

                CHECK(url_normalize(line, &again) == 0 && strcmp(again, line) == 0);
                free(again);
        }
        CHECK(n == offers.n_mirrors);
}

static void check_verdict(const struct response_facts *facts, uint8_t choice) {
        struct verdict_task task = {
                .offset = choice & 1 ? 400 : 0,
                .length = choice & 2 ? 100 : ENGINE_TO_EOF,
                .whole_file = !(choice & 4),
                .only_piece = true,
                .has_bytes = choice & 1,
                .digest_decides = choice & 8,
                .stated_size = choice & 16 ? 1000 : ENGINE_SIZE_UNKNOWN,
                .max_bytes = choice & 32 ? 2000 : ENGINE_SIZE_UNKNOWN,
        };
        static struct verdict_known known;
        struct verdict_ask ask;
        struct verdict v, end;

        known = (struct verdict_known) { .bound = choice & 1, .size = choice & 64 ? 1000 : ENGINE_SIZE_UNKNOWN };
        if (choice & 1)
                strcpy(known.etag, "\"v1\"");
        v = verdict_request(&task, &known, &ask);
        if (v.action != VERDICT_SEND)
                return;
        v = verdict_response(&task, &known, &ask, facts, "http://h:80/", 0);
        CHECK(verdict_action_name(v.action));
        CHECK((v.action == VERDICT_FAIL || v.action == VERDICT_RESTART) == (v.code != ERROR_NONE));
        CHECK(strnlen(v.text, sizeof(v.text)) < sizeof(v.text));
        if (v.action != VERDICT_WRITE)
                return;
        CHECK(v.body_limit <= v.body_expected && v.body_limit <= task.max_bytes);
        CHECK(facts->status == (ask.ranged ? 206 : 200));
        if (ask.ranged)
                CHECK(facts->content_range.first == ask.first && facts->content_range.last <= ask.last &&
                      v.body_limit == facts->content_range.last - ask.first + 1);
        verdict_known_adopt(&known, &task, &v, facts, "http://h:80/");
        for (int ending = VERDICT_ENDING_ORDERLY; ending <= VERDICT_ENDING_TOO_LONG; ending++) {
                end = verdict_end(&task, &known, &v, MIN(v.body_limit, (uint64_t) 600), (enum verdict_ending) ending);
                CHECK(end.action >= VERDICT_CONTINUE);
                CHECK((end.action == VERDICT_FAIL || end.action == VERDICT_RESTART) == (end.code != ERROR_NONE));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct response_facts facts;
        const char *p = (const char *) data + 1, *end = (const char *) data + size;

        if (size == 0)
                return 0;
        response_facts_init(&facts);
        while (p < end) {
                const char *newline = memchr(p, '\n', (size_t) (end - p));
                size_t len = newline ? (size_t) (newline - p) + 1 : (size_t) (end - p);
                char *line = malloc(len); /* of its own, so that a sanitizer sees each byte beyond */
                int r;

                if (!line)
                        return 0;
                memcpy(line, p, len);
                r = response_facts_add_header(&facts, line, len);
                free(line);
                check_facts(&facts);
                if (r < 0)
                        return 0;
                p += len;
        }
        (void) response_facts_retry_after_usec(&facts, 0);
        check_offers(&facts, data[0] & 1);
        if (response_facts_is_complete(&facts))
                check_verdict(&facts, data[0]);
        return 0;
}
