#include "store/sqlite_schema.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "store/sqlite_db.h"

/* The rule for changes: a version that was released is never edited. A new one is appended here with everything that turns the
 * version before it into it, old rows included; it runs in one transaction together with the new user_version. Columns are
 * added with a default or as NULL. Older programs refuse a newer file, so nothing needs to stay readable for them.
 *
 * 64-bit numbers whose UINT64_MAX means "unknown" or "never" are NULL then. Paths and header values are bytes: blobs. So are
 * secrets, sealed (sealer.h). The keys
 * grow in the order of creation; clients see ids only. */
const struct schema_version schema_versions[] = {
        { /* 1 */
          "CREATE TABLE job ("
          "  key INTEGER PRIMARY KEY,"
          "  id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),"
          "  owner INTEGER NOT NULL,"
          "  family INTEGER NOT NULL,"
          "  kind INTEGER NOT NULL,"
          "  type INTEGER NOT NULL,"
          "  is_volatile INTEGER NOT NULL,"
          "  name TEXT NOT NULL,"
          "  description TEXT NOT NULL,"
          "  state INTEGER NOT NULL,"
          "  intent INTEGER NOT NULL,"
          "  priority INTEGER NOT NULL,"
          "  notify_flags INTEGER NOT NULL,"
          "  notify_due INTEGER NOT NULL,"
          "  notify_command BLOB,"
          "  notify_parameters BLOB,"
          "  minimum_retry_delay_s INTEGER NOT NULL,"
          "  no_progress_timeout_s INTEGER NOT NULL,"
          "  max_download_time_s INTEGER NOT NULL,"
          "  life_time_usec INTEGER,"
          "  complete_when_transferred INTEGER NOT NULL,"
          "  replace_existing INTEGER NOT NULL,"
          "  remote_time INTEGER NOT NULL,"
          "  custom_headers BLOB,"
          "  auth_headers BLOB,"
          "  server_basic BLOB,"
          "  server_digest BLOB,"
          "  proxy_basic BLOB,"
          "  proxy_digest BLOB,"
          "  custom_headers_write_only INTEGER NOT NULL,"
          "  judge_certificate INTEGER NOT NULL,"
          "  client_certificate BLOB,"
          "  http_method BLOB,"
          "  security_flags INTEGER NOT NULL,"
          "  proxy_usage INTEGER NOT NULL,"
          "  proxy_list BLOB,"
          "  proxy_bypass BLOB,"
          "  proxy_environment BLOB,"
          "  max_download_size INTEGER,"
          "  max_rate INTEGER,"
          "  high_performance INTEGER NOT NULL,"
          "  dynamic_content INTEGER NOT NULL,"
          "  on_demand INTEGER NOT NULL,"
          "  resumed INTEGER NOT NULL,"
          "  restored INTEGER NOT NULL,"
          "  cost_flags INTEGER NOT NULL,"
          "  no_cellular INTEGER NOT NULL,"
          "  notification_interval_ms INTEGER NOT NULL,"
          "  created_usec INTEGER,"
          "  modified_usec INTEGER,"
          "  transferred_usec INTEGER,"
          "  state_since_usec INTEGER,"
          "  error_code TEXT NOT NULL,"
          "  error_context INTEGER NOT NULL,"
          "  error_detail INTEGER NOT NULL,"
          "  error_file INTEGER NOT NULL,"
          "  error_text TEXT NOT NULL,"
          "  error_count INTEGER,"
          "  waiting INTEGER NOT NULL,"
          "  waiting_since_usec INTEGER,"
          "  bytes_fetched INTEGER,"
          "  bytes_from_cache INTEGER,"
          "  bytes_from_mirrors INTEGER,"
          "  attempts INTEGER NOT NULL,"
          "  moved_usec INTEGER"
          ") STRICT;"

          "CREATE TABLE file ("
          "  job INTEGER NOT NULL REFERENCES job (key) ON DELETE CASCADE,"
          "  idx INTEGER NOT NULL,"
          "  state INTEGER NOT NULL,"
          "  url TEXT NOT NULL,"
          "  path BLOB NOT NULL,"
          "  file_id BLOB,"
          "  mirrors BLOB,"
          "  stated_size INTEGER,"
          "  has_sha256 INTEGER NOT NULL,"
          "  sha256 BLOB,"
          "  mode INTEGER NOT NULL,"
          "  integrity_info BLOB,"
          "  integrity_mandatory INTEGER NOT NULL,"
          "  decryption_info BLOB,"
          "  integrity INTEGER NOT NULL,"
          "  remote_size INTEGER,"
          "  size INTEGER,"
          "  origin BLOB,"
          "  etag BLOB,"
          "  last_modified BLOB,"
          "  encoding BLOB,"
          "  offered_mirrors BLOB,"
          "  offered_preferred INTEGER NOT NULL,"
          "  offered_from_public INTEGER NOT NULL,"
          "  offered_has_sha256 INTEGER NOT NULL,"
          "  offered_secure INTEGER NOT NULL,"
          "  offered_sha256 BLOB,"
          "  remote_time_usec INTEGER,"
          "  length_unverified INTEGER NOT NULL,"
          "  validation INTEGER NOT NULL,"
          "  notify_due INTEGER NOT NULL,"
          "  temp_name TEXT NOT NULL,"
          "  spare_name TEXT NOT NULL,"
          "  temp_ino INTEGER NOT NULL,"
          "  temp_dev INTEGER NOT NULL,"
          "  temp_btime_usec INTEGER,"
          "  temp_boot_id BLOB,"
          "  directory_ino INTEGER NOT NULL,"
          "  directory_dev INTEGER NOT NULL,"
          "  directory_btime_usec INTEGER,"
          "  directory_boot_id BLOB,"
          "  PRIMARY KEY (job, idx)"
          ") STRICT, WITHOUT ROWID;"

          /* These three are of files, but refer to the job: files are never deleted alone, and a job of ten thousand would look for the
           * rows of each of them in each table when it ends. Loading refuses rows without their file.
           *
           * What was asked for, in the caller's order; no rows: the whole file. length NULL: to the end. */
          "CREATE TABLE requested_range ("
          "  job INTEGER NOT NULL REFERENCES job (key) ON DELETE CASCADE,"
          "  file INTEGER NOT NULL,"
          "  place INTEGER NOT NULL,"
          "  start INTEGER NOT NULL,"
          "  length INTEGER,"
          "  PRIMARY KEY (job, file, place)"
          ") STRICT, WITHOUT ROWID;"

          /* Bytes [start, stop) of the local file are on disk. */
          "CREATE TABLE durable_range ("
          "  job INTEGER NOT NULL REFERENCES job (key) ON DELETE CASCADE,"
          "  file INTEGER NOT NULL,"
          "  start INTEGER NOT NULL,"
          "  stop INTEGER NOT NULL CHECK (stop > start),"
          "  PRIMARY KEY (job, file, start)"
          ") STRICT, WITHOUT ROWID;"

          /* SHA-256 of whole chunks of such bytes, as they were written: they prove them in a file of another identity. */
          "CREATE TABLE chunk ("
          "  job INTEGER NOT NULL REFERENCES job (key) ON DELETE CASCADE,"
          "  file INTEGER NOT NULL,"
          "  start INTEGER NOT NULL,"
          "  sha256 BLOB NOT NULL CHECK (length(sha256) = 32),"
          "  PRIMARY KEY (job, file, start)"
          ") STRICT, WITHOUT ROWID;"

          /* Oldest first by key. Deleted from the old end only, so keys have no holes. */
          "CREATE TABLE history ("
          "  key INTEGER PRIMARY KEY,"
          "  id BLOB,"
          "  owner INTEGER NOT NULL,"
          "  family INTEGER NOT NULL,"
          "  state INTEGER NOT NULL,"
          "  name TEXT NOT NULL,"
          "  url BLOB,"
          "  path BLOB,"
          "  n_files INTEGER,"
          "  n_files_transferred INTEGER,"
          "  bytes_transferred INTEGER,"
          "  bytes_total INTEGER,"
          "  bytes_from_origin INTEGER,"
          "  created_usec INTEGER,"
          "  transferred_usec INTEGER,"
          "  finished_usec INTEGER,"
          "  error_code TEXT NOT NULL,"
          "  error_context INTEGER NOT NULL,"
          "  error_detail INTEGER NOT NULL,"
          "  error_file INTEGER NOT NULL,"
          "  error_text TEXT NOT NULL"
          ") STRICT;" },
        { /* 2: what a job knows of sources that lied outlives the service */
          "ALTER TABLE job ADD COLUMN lying_hosts BLOB;" },
        { /* 3: and whose bytes it has that nobody has judged yet */
          "ALTER TABLE file ADD COLUMN giving_hosts BLOB;" },
};
const unsigned n_schema_versions = ELEMENTSOF(schema_versions);

int schema_identify(sqlite3 *db, unsigned newest) {
        int64_t application_id, version, n_objects;
        int r;

        r = database_get_int(db, "PRAGMA application_id", &application_id);
        if (r < 0)
                return r;
        r = database_get_int(db, "PRAGMA user_version", &version);
        if (r < 0)
                return r;
        r = database_get_int(db, "SELECT count(*) FROM sqlite_schema", &n_objects);
        if (r < 0)
                return r;
        if (n_objects == 0 && application_id == 0 && version == 0)
                return 0;
        if (application_id != DATABASE_APPLICATION_ID || version <= 0)
                return error_trace(-EUCLEAN);
        if (version > (int64_t) newest)
                return error_trace(-EPROTONOSUPPORT);
        return (int) version;
}

static int schema_upgrade_once(sqlite3 *db, const char *sql, unsigned to_version) {
        char pragmas[96];
        int r;

        (void) snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id=%d; PRAGMA user_version=%u; COMMIT",
                        DATABASE_APPLICATION_ID, to_version);
        r = database_run(db, "BEGIN IMMEDIATE");
        if (r < 0)
                return r;
        r = database_run(db, sql);
        if (r == 0)
                r = database_run(db, pragmas);
        if (r < 0 && !sqlite3_get_autocommit(db))
                (void) database_run(db, "ROLLBACK");
        return r;
}

int schema_upgrade(sqlite3 *db, const char *directory, const char *path, unsigned version,
                   const struct schema_version *versions, unsigned n_versions) {
        for (unsigned i = version; i < n_versions; i++) {
                int r;

                if (version > 0 && path) {
                        _cleanup_free_ char *backup_path = NULL;

                        if (asprintf(&backup_path, "%s.before-v%u", path, i + 1) < 0)
                                return -ENOMEM;
                        r = database_backup(db, directory, backup_path);
                        if (r < 0)
                                return r;
                }
                r = schema_upgrade_once(db, versions[i].sql, i + 1);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}
