/* A text that nobody else may see: wiped before its memory is given back, and sealed where it is stored.
 *
 * A secret that came back from the store and could not be opened (the key is gone or another one) is *lost*: it has no text, but
 * keeps its sealed bytes, so that it is there again when the key is. Setting it anew ends that. */
#pragma once

#include "base/macros.h"

/* One pointer: a job has nine, and mostly none of them is set. */
struct secret {
        struct secret_content *content; /* private; NULL: none */
};

void secret_done(struct secret *secret);
/* NULL and "": none. -ENOMEM leaves it as it was, here and below. */
int secret_set(struct secret *secret, const char *text);
int secret_set_lost(struct secret *secret, const void *sealed, size_t size);
/* @to owns nothing yet. */
int secret_copy(struct secret *to, const struct secret *from);
/* NULL: none, or lost. */
const char *secret_text(const struct secret *secret);
/* Of a lost one, else NULL. */
const void *secret_sealed(const struct secret *secret, size_t *ret_size);
bool secret_is_lost(const struct secret *secret);
static inline bool secret_is_none(const struct secret *secret) {
        return !secret->content;
}
/* Wipes and frees a text; NULL is fine. */
void secret_free_text(char *text);
