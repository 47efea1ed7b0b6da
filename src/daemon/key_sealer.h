/* Secrets at rest: AES-256-GCM under a key that is not in the database (design decision 23). It protects copies and backups of the
 * database, not against the account that owns both.
 *
 * The key is `dosvc.key` in $CREDENTIALS_DIRECTORY (a systemd credential) if that is there, else `dosvc.key` (0600) in the state
 * folder, made on first use. A key is 32 to 4096 bytes of anything; its SHA-256 is what is used.
 *
 * A sealed blob: 1 byte version, 12 bytes random nonce, ciphertext, 16 bytes tag; where it stands is authenticated with it. */
#pragma once

#include "store/sealer.h"

#define KEY_FILE_NAME "dosvc.key"
#define KEY_BYTES_MIN 32
#define KEY_BYTES_MAX 4096

/* @credentials_dir: or NULL. @ret_made: a new key was made; what older ones sealed cannot be opened. -EPERM: the key file is not ours;
 * -EBADMSG: it is too short or too long. */
int key_sealer_new(const char *state_dir, const char *credentials_dir, bool *ret_made, struct sealer **ret);
struct sealer *key_sealer_free(struct sealer *sealer);
DEFINE_CLEANUP_FUNC(struct sealer, key_sealer_free)
