#include "base/secret.h"

#include <string.h>

struct secret_content {
        size_t size;
        bool is_lost;
        uint8_t bytes[]; /* the text with its NUL; of a lost one what it was sealed into */
};

void secret_free_text(char *text) {
        if (text)
                explicit_bzero(text, strlen(text));
        free(text);
}

void secret_done(struct secret *secret) {
        if (secret->content)
                explicit_bzero(secret->content->bytes, secret->content->size);
        free(secret->content);
        *secret = (struct secret) {};
}

static int set_content(struct secret *secret, const void *bytes, size_t size, bool is_lost) {
        struct secret_content *content = malloc(sizeof(*content) + size);

        if (!content)
                return -ENOMEM;
        *content = (struct secret_content) { .size = size, .is_lost = is_lost };
        memcpy(content->bytes, bytes, size);
        secret_done(secret);
        secret->content = content;
        return 0;
}

int secret_set(struct secret *secret, const char *text) {
        if (text && *text)
                return set_content(secret, text, strlen(text) + 1, false);
        secret_done(secret);
        return 0;
}

int secret_set_lost(struct secret *secret, const void *sealed, size_t size) {
        return set_content(secret, sealed, size, true);
}

int secret_copy(struct secret *to, const struct secret *from) {
        const struct secret_content *content = from->content;

        return content ? set_content(to, content->bytes, content->size, content->is_lost) : 0;
}

bool secret_is_lost(const struct secret *secret) {
        return secret->content && secret->content->is_lost;
}

const char *secret_text(const struct secret *secret) {
        return secret->content && !secret->content->is_lost ? (const char *) secret->content->bytes : NULL;
}

const void *secret_sealed(const struct secret *secret, size_t *ret_size) {
        if (!secret_is_lost(secret))
                return NULL;
        *ret_size = secret->content->size;
        return secret->content->bytes;
}
