/*
 * guid_text.h: an identifier as text, for comparison with the published form. Written here anew
 * so that the tests of the headers need nothing but the headers.
 */
#ifndef TESTS_SURFACE_GUID_TEXT_H
#define TESTS_SURFACE_GUID_TEXT_H

#include <stdio.h>

#include "dosvc-guid.h"

static inline const char *guid_text(const GUID *g, char text[37]) {
        (void) snprintf(text, 37, "%08X-%04X-%04X-%02X%02X-%02X%02X%02X%02X%02X%02X",
                        (unsigned) g->Data1, (unsigned) g->Data2, (unsigned) g->Data3,
                        (unsigned) g->Data4[0], (unsigned) g->Data4[1], (unsigned) g->Data4[2],
                        (unsigned) g->Data4[3], (unsigned) g->Data4[4], (unsigned) g->Data4[5],
                        (unsigned) g->Data4[6], (unsigned) g->Data4[7]);
        return text;
}

#endif
