/* What keeps secrets unreadable in the database and in copies of it. The store knows no cryptography: whoever opens it brings one
 * of these (src/daemon/key_sealer.h; in tests a toy).
 *
 * @place says where the blob stands (job, file, column). A blob that is opened with another place than it was sealed with is as
 * wrong as one that was changed: rows cannot be swapped. Called on the store's thread and at loading, never both at once. */
#pragma once

#include "base/macros.h"

struct sealer {
        /* *ret is the caller's to free(). 0 or -errno. */
        int (*seal)(const struct sealer *sealer, const void *place, size_t n_place, const void *text, size_t n_text,
                    uint8_t **ret, size_t *ret_size);
        /* The same; *ret has a NUL behind its *ret_size bytes. -EBADMSG: another key, another place, or changed bytes. */
        int (*open)(const struct sealer *sealer, const void *place, size_t n_place, const void *blob, size_t n_blob,
                    char **ret, size_t *ret_size);
};
