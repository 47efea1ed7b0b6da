/* A text that nobody else may see: wiped before its memory is given back, and sealed where it is stored.
 *
 * A secret that came back from the store and could not be opened (the key is gone or another one) is *lost*: it has no text, but
 * keeps its sealed bytes, so that it is there again when the key is. Setting it anew ends that. */
#pragma once

#include "base/macros.h"

struct secret {
        char *text;      /* NULL: none, or lost */
        uint8_t *sealed; /* of a lost one */
        size_t n_sealed;
};

void secret_done(struct secret *secret);
/* NULL and "": none. -ENOMEM leaves it as it was. */
int secret_set(struct secret *secret, const char *text);
/* @to owns nothing yet. */
int secret_copy(struct secret *to, const struct secret *from);
static inline bool secret_is_lost(const struct secret *secret) {
        return secret->sealed;
}
static inline bool secret_is_none(const struct secret *secret) {
        return !secret->text && !secret->sealed;
}
/* Wipes and frees a text; NULL is fine. */
void secret_free_text(char *text);
