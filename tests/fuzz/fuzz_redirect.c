/* A Location of a stranger, and URLs in general. Properties: what is followed is http or https, within the limits, printable, a fixed
 * point of normalisation and free of user info that the Location brought; nothing behind an "@" in the host's place reaches a log. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/strings.h"
#include "transfer/redirect.h"

#define CHECK(x) \
        do {                     \
                if (!(x))        \
                        abort(); \
        } while (0)

static void check_target(const char *target, bool from_https) {
        _cleanup_free_ char *again = NULL, *origin = NULL;
        struct sockaddr_storage address;
        struct url_parts parts;
        socklen_t len;

        CHECK(strlen(target) <= LIMIT_URL);
        CHECK(!string_has_control(target) && !strchr(target, ' '));
        CHECK(startswith(target, "http://") || startswith(target, "https://"));
        CHECK(!from_https || startswith(target, "https://"));
        CHECK(url_normalize(target, &again) == 0 && streq(target, again));
        CHECK(url_parse(target, &parts) == 0);
        CHECK(*parts.host && parts.port > 0);
        CHECK(!parts.has_credentials);
        CHECK(url_origin(target, &origin) == 0 && !strchr(origin, '?') && !strchr(origin, '#'));
        CHECK(url_is_same_origin(target, origin));
        for (const char *p = parts.host; *p; p++)
                CHECK(*p > 0x20 && *p < 0x7f);
        (void) address_parse_host(parts.host, parts.port, &address, &len);
}

static void check_redaction(const char *text) {
        _cleanup_free_ char *redacted = url_redact(text);

        CHECK(redacted);
        for (const char *p = redacted; *p; p++)
                CHECK(*p >= 0x20 && *p < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const bases[] = { "http://h/a/b?q", "https://h:8443/", "http://[::1]:81/x" };
        _cleanup_free_ char *text = NULL, *target = NULL, *normal = NULL;
        const char *base;
        int r;

        if (size == 0)
                return 0;
        base = bases[data[0] % ELEMENTSOF(bases)];
        text = strndup((const char *) data + 1, size - 1);
        if (!text)
                return 0;
        r = redirect_resolve(base, text, data[0] >> 4, false, &target);
        CHECK(r == 0 || r == ERROR_INVALID_REDIRECT || r == ERROR_INSECURE_REDIRECT || r == ERROR_TOO_MANY_REDIRECTS);
        CHECK((r == 0) == (target != NULL));
        if (target)
                check_target(target, startswith(base, "https://"));
        r = url_normalize(text, &normal);
        CHECK(r == 0 || r == -EINVAL || r == -EPROTONOSUPPORT || r == -EILSEQ);
        check_redaction(text);
        return 0;
}
