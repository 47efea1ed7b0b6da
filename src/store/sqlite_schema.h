/* Which tables there are, and how an older file gets them. Internal to src/store. */
#pragma once

#include <sqlite3.h>

#include "base/macros.h"

struct schema_version {
        const char *sql; /* what makes version i+1 out of version i */
};
extern const struct schema_version schema_versions[];
extern const unsigned n_schema_versions; /* the number of the newest one */

/* Is it ours, and can we read it? The version that it has (0: empty), -EPROTONOSUPPORT when it is newer than @newest, -EUCLEAN
 * when it is another program's. Writes nothing. */
int schema_identify(sqlite3 *db, unsigned newest);
/* From @version to @n_versions, one transaction each. What is not new is copied to "<path>.before-v<N>" before each; NULL: it is a copy. */
int schema_upgrade(sqlite3 *db, const char *directory, const char *path, unsigned version,
                   const struct schema_version *versions, unsigned n_versions);
