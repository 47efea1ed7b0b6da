/* Where the service is: which socket a client tries, and in which order (design.md section 2, "which one a client
 * gets"). Decides and reads files; connects to nothing. */
#pragma once

#include "base/macros.h"

#define ADDRESS_SYSTEM_SOCKET "/run/dosvc/bus"
#define ADDRESS_LOCK_MAX 8192 /* bytes of a lock file that are looked at: three short lines */

/* Environment of this program that names things, read so that a set-uid program is not led astray. Never freed. */
const char *address_getenv(const char *name);
/* $HOME, else the password database's. The caller frees *ret. */
int address_home(char **ret);
/* State folder of the user instance: $XDG_STATE_HOME/dosvc or ~/.local/state/dosvc. The caller frees *ret. */
int address_state_directory(char **ret);

/* "unix:path=…" with everything escaped that D-Bus addresses want escaped. */
int address_from_path(const char *path, char **ret);

/* The user instance's addresses, best first: what its lock file names, its socket in the state folder, its socket in
 * $XDG_RUNTIME_DIR. Up to @max; the caller frees each. Return: how many, or -errno. */
int address_list_user(const char *state_directory, char *ret[], size_t max);

/* Parses a lock file: pid, boot id, address. 0; -ESTALE: of an earlier boot; -EINVAL: not one of ours. The caller
 * frees *ret_address. */
int address_parse_lock(const char *content, const char *boot_id, char **ret_address);
