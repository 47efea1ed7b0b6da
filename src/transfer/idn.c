#include "transfer/idn.h"

#include <idn2.h>
#include <string.h>

#include "base/strings.h"

static bool is_ascii(const char *host) {
        for (const char *p = host; *p; p++)
                if ((uint8_t) *p >= 0x80)
                        return false;
        return true;
}

/* Some characters stand for a slash, a colon or an "@" (U+FF0F, U+FF1A, U+FF20): what comes out may have another host in it. */
static bool is_name(const char *ascii) {
        return *ascii && ascii[strspn(ascii, "abcdefghijklmnopqrstuvwxyz0123456789-._")] == 0;
}

int idn_to_ascii(const char *host, char **ret) {
        char *ascii = NULL;
        int r;

        if (is_ascii(host))
                return strdup_to(ret, host);
        r = idn2_to_ascii_8z(host, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
        if (r == IDN2_OK)
                r = is_name(ascii) ? strdup_to(ret, ascii) : -EILSEQ;
        else
                r = r == IDN2_MALLOC ? -ENOMEM : -EILSEQ;
        idn2_free(ascii);
        return r;
}

int idn_convert_host(CURLU *url) {
        _cleanup_free_ char *ascii = NULL;
        CURLUcode code;
        char *host;
        int r;

        code = curl_url_get(url, CURLUPART_HOST, &host, 0);
        if (code != CURLUE_OK)
                return code == CURLUE_OUT_OF_MEMORY ? -ENOMEM : 0;
        r = is_ascii(host) ? 0 : idn_to_ascii(host, &ascii);
        curl_free(host);
        if (r < 0 || !ascii)
                return r;
        code = curl_url_set(url, CURLUPART_HOST, ascii, 0);
        if (code != CURLUE_OK)
                return code == CURLUE_OUT_OF_MEMORY ? -ENOMEM : -EILSEQ;
        return 0;
}
