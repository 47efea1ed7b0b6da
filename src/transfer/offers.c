#include "transfer/offers.h"

#include <string.h>
#include <strings.h>

#include "base/strings.h"
#include "transfer/redirect.h"

/* ---- Link (RFC 8288 section 3) ---- */

struct text {
        const char *s;
        size_t n;
};

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

static void skip_blanks(const char **at, const char *end) {
        while (*at < end && is_blank(**at))
                (*at)++;
}

static bool text_is(struct text text, const char *word) {
        return strlen(word) == text.n && strncasecmp(text.s, word, text.n) == 0;
}

/* A token, or what stands between quotes; escapes stay: no value that we know has any. */
static bool read_value(const char **at, const char *end, struct text *ret) {
        const char *p = *at;

        if (p < end && *p == '"') {
                ret->s = ++p;
                while (p < end && *p != '"')
                        p += *p == '\\' ? 2 : 1;
                if (p >= end)
                        return false;
                ret->n = (size_t) (p - ret->s);
                *at = p + 1;
                return true;
        }
        ret->s = p;
        while (p < end && !is_blank(*p) && *p != ';' && *p != ',')
                p++;
        ret->n = (size_t) (p - ret->s);
        *at = p;
        return ret->n > 0;
}

static bool read_parameter(const char **at, const char *end, struct text *ret_name, struct text *ret_value) {
        const char *p = *at;

        skip_blanks(&p, end);
        ret_name->s = p;
        while (p < end && !is_blank(*p) && *p != '=' && *p != ';' && *p != ',')
                p++;
        ret_name->n = (size_t) (p - ret_name->s);
        *ret_value = (struct text) {};
        skip_blanks(&p, end);
        if (p < end && *p == '=') {
                p++;
                skip_blanks(&p, end);
                if (!read_value(&p, end, ret_value))
                        return false;
                skip_blanks(&p, end);
        }
        *at = p;
        return true;
}

static bool has_relation(struct text value, const char *relation) {
        for (size_t i = 0; i < value.n;) {
                struct text word = { value.s + i, 0 };

                while (i + word.n < value.n && !is_blank(word.s[word.n]))
                        word.n++;
                if (text_is(word, relation))
                        return true;
                i += word.n + 1;
        }
        return false;
}

static uint32_t priority_from(struct text value) {
        uint32_t priority = 0;

        for (size_t i = 0; i < value.n; i++) {
                if (value.s[i] < '0' || value.s[i] > '9')
                        return OFFER_PRIORITY_DEFAULT;
                priority = MIN(priority * 10 + (uint32_t) (value.s[i] - '0'), OFFER_PRIORITY_DEFAULT);
        }
        return value.n > 0 && priority > 0 ? priority : OFFER_PRIORITY_DEFAULT;
}

int offers_next_link(const char **at, const char *end, struct link_value *ret) {
        bool related = false, anchored = false;
        const char *p = *at, *close;

        while (p < end && (is_blank(*p) || *p == ','))
                p++;
        if (p == end)
                return 0;
        close = *p == '<' ? memchr(p, '>', (size_t) (end - p)) : NULL;
        if (!close)
                return -EINVAL;
        *ret = (struct link_value) { .target = p + 1, .n_target = (size_t) (close - p - 1), .priority = OFFER_PRIORITY_DEFAULT };
        p = close + 1;
        for (skip_blanks(&p, end); p < end && *p == ';';) {
                struct text name, value;

                p++;
                if (!read_parameter(&p, end, &name, &value))
                        return -EINVAL;
                if (text_is(name, "rel") && !related) { /* only the first one counts */
                        related = true;
                        ret->is_duplicate = has_relation(value, "duplicate");
                } else if (text_is(name, "anchor"))
                        anchored = true; /* it speaks of another file */
                else if (text_is(name, "pri"))
                        ret->priority = priority_from(value);
                else if (text_is(name, "pref"))
                        ret->preferred = true;
        }
        if (p < end && *p != ',')
                return -EINVAL;
        ret->is_duplicate = ret->is_duplicate && !anchored;
        *at = p;
        return 1;
}

/* ---- all of an answer ---- */

void offers_begin(struct offers *offers) {
        memset(offers, 0, offsetof(struct offers, text));
}

static bool is_known(const struct offers *offers, const char *url) {
        for (size_t i = 0; i < offers->n_mirrors; i++)
                if (streq(offers->text + offers->mirrors[i].at, url))
                        return true;
        return false;
}

static bool add_mirror(struct offers *offers, const struct link_value *link, const char *base) {
        _cleanup_free_ char *url = NULL;
        char target[LIMIT_URL + 1];
        size_t n;

        if (link->n_target > LIMIT_URL || offers->n_mirrors == LIMIT_MIRRORS)
                return false;
        memcpy(target, link->target, link->n_target);
        target[link->n_target] = 0;
        /* Whether http may stand in for https, whoever asks decides: here it only has to be a URL. */
        if (redirect_resolve(base, target, 0, true, &url) != 0 || is_known(offers, url) || streq(url, base))
                return false;
        n = strlen(url) + 1;
        if (n > sizeof(offers->text) - offers->n_text)
                return false;
        memcpy(offers->text + offers->n_text, url, n);
        offers->mirrors[offers->n_mirrors++] = (struct offered_mirror) {
                .priority = link->priority, .preferred = link->preferred, .at = (uint32_t) offers->n_text,
        };
        offers->n_text += n;
        return true;
}

static bool add_links(struct offers *offers, const struct response_facts *facts, const struct offers_place *place) {
        const char *at = facts->links, *end = facts->links + facts->n_links;
        struct link_value link;
        bool news = false;

        while (offers_next_link(&at, end, &link) > 0)
                if (link.is_duplicate && add_mirror(offers, &link, place->url))
                        news = true;
        offers->from_public = offers->from_public || (news && place->is_public);
        return news;
}

bool offers_add(struct offers *offers, const struct response_facts *facts, const struct offers_place *place) {
        bool news = add_links(offers, facts, place);
        const uint8_t *sha256 = response_facts_sha256(facts, place->whole_body);

        if (!sha256 || offers->has_sha256)
                return news;
        offers->has_sha256 = true;
        offers->secure = place->secure;
        memcpy(offers->sha256, sha256, sizeof(offers->sha256));
        return true;
}

static bool is_better(const struct offered_mirror *a, const struct offered_mirror *b) {
        return a->preferred != b->preferred ? a->preferred : a->priority < b->priority;
}

uint32_t offers_write(const struct offers *offers, char ret[static LIMIT_OFFERED_MIRRORS_TEXT + 1]) {
        struct offered_mirror sorted[LIMIT_MIRRORS];
        uint32_t n_preferred = 0;
        char *to = ret;

        for (size_t i = 0; i < offers->n_mirrors; i++) {
                size_t at = i;

                for (; at > 0 && is_better(&offers->mirrors[i], &sorted[at - 1]); at--)
                        sorted[at] = sorted[at - 1];
                sorted[at] = offers->mirrors[i];
                n_preferred += offers->mirrors[i].preferred;
        }
        for (size_t i = 0; i < offers->n_mirrors; i++) {
                if (to > ret)
                        *to++ = '\n';
                to = stpcpy(to, offers->text + sorted[i].at);
        }
        *to = 0;
        return n_preferred;
}
