/* What tests look at inside the SQLite backend. Internal to src/store. */
#pragma once

#include "store/store.h"

/* Group commits written so far, failed ones too. Nothing may be outstanding. */
uint64_t sqlite_store_transactions(const struct store *store);
/* First column of the first row as a number, on the store's own connection. Nothing may be outstanding. */
int sqlite_store_query(struct store *store, const char *sql, int64_t *ret);
