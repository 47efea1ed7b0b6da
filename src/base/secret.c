#include "base/secret.h"

#include <string.h>

void secret_free_text(char *text) {
        if (text)
                explicit_bzero(text, strlen(text));
        free(text);
}

void secret_done(struct secret *secret) {
        secret_free_text(secret->text);
        free(secret->sealed);
        *secret = (struct secret) {};
}

int secret_set(struct secret *secret, const char *text) {
        char *copy = NULL;

        if (text && *text) {
                copy = strdup(text);
                if (!copy)
                        return -ENOMEM;
        }
        secret_done(secret);
        secret->text = copy;
        return 0;
}

int secret_copy(struct secret *to, const struct secret *from) {
        if (from->sealed) {
                to->sealed = malloc(from->n_sealed);
                if (!to->sealed)
                        return -ENOMEM;
                memcpy(to->sealed, from->sealed, from->n_sealed);
                to->n_sealed = from->n_sealed;
        }
        return secret_is_lost(from) ? 0 : secret_set(to, from->text);
}
