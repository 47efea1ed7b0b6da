/* What people write of certificates: the name of one of theirs (inputs without a line's end), and PEM files with authorities and revocation
 * lists. Properties: a name that is taken is within its limits, leads to no other folder and is printed as what names the same; a file
 * without a certificate is refused. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/strings.h"
#include "protocol/certificates.h"
#include "transfer/authorities.h"

#define CHECK(x) \
        do {                     \
                if (!(x))        \
                        abort(); \
        } while (0)

static void check_name(const char *text) {
        char printed[CERTIFICATE_TEXT_MAX + 1];
        struct certificate_name name, again;
        int r = certificate_name_parse(text, &name);

        CHECK(r == 0 || r == -EINVAL);
        if (r < 0)
                return;
        CHECK(name.place < _CERTIFICATE_PLACE_MAX);
        CHECK(*name.store && *name.store != '.' && !strchr(name.store, '/') && strlen(name.store) <= LIMIT_CERTIFICATE_STORE);
        CHECK(name.by_hash || (*name.subject && strlen(name.subject) <= LIMIT_CERTIFICATE_SUBJECT && !string_has_control(name.subject)));
        CHECK(certificate_name_print(&name, printed) == 0);
        CHECK(strcasecmp(printed, text) == 0);
        CHECK(certificate_name_parse(printed, &again) == 0 && again.place == name.place && streq(again.store, name.store));
        CHECK(again.by_hash == name.by_hash && streq(again.subject, name.subject) && memcmp(again.sha1, name.sha1, sizeof(name.sha1)) == 0);
}

static void check_file(const uint8_t *data, size_t size) {
        static int fd = -1;
        struct authorities *authorities = NULL;
        int r;

        if (fd < 0)
                fd = memfd_create("pem", MFD_CLOEXEC);
        if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t) size || lseek(fd, 0, SEEK_SET) != 0)
                abort();
        r = authorities_new(fd, &authorities);
        CHECK(r == 0 || r == -EBADMSG);
        CHECK((r == 0) == (authorities != NULL));
        if (r < 0)
                return;
        CHECK(authorities_count(authorities) > 0);
        (void) lseek(fd, 0, SEEK_SET);
        r = authorities_add_revocations(authorities, fd);
        CHECK(r > 0 || r == -EBADMSG);
        authorities_free(authorities);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *) data, size);

        if (text && !memchr(data, '\n', size))
                check_name(text);
        else
                check_file(data, size);
        return 0;
}
