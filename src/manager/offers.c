/* What a file's own server offers beside its bytes (Metalink/HTTP, RFC 6249): mirrors and a digest. Kept in the file and stored, because
 * the server may be gone when they are needed, and because bytes may be complete before the digest was looked at.
 *
 * How far it is believed:
 * - Only answers to the file's own URL, and redirects on the way, are listened to. What a mirror offers is not; but one that states
 *   another digest for itself is another file, and is left before it has sent a byte that counts.
 * - The digest is checked before the file appears, unless the client gave one, which is the better one.
 * - A mirror is asked only where a SHA-256 decides in the end, which RFC 6249 wants, too; with http for a file of https only where
 *   that digest came over https itself, or from the client, or the job takes such redirects. A job that takes no redirects takes no
 *   mirrors of a server's either.
 * - Headers, credentials and certificates of the job go to no mirror (sources.c); one that a public server named must be at a public
 *   address, as if it were a redirect (design decision 21).
 * - Streams, ranges, other methods and dynamic content have none of this. */
#include "base/log.h"
#include "base/strings.h"
#include "manager/private.h"

bool file_takes_offers(const struct job_file *file) {
        return file->n_ranges == 0 && !file->job->on_demand && !file->job->http_method && !file->job->dynamic_content &&
               !file_has_stream(file);
}

static bool is_https(const char *url) {
        return strncasecmp(url, "https://", strlen("https://")) == 0;
}

bool file_may_use_offer(const struct job_file *file, const char *url) {
        uint32_t flags = file->job->security_flags;
        bool proved = file->has_sha256 || (file->offers.has_sha256 && file->offers.secure);

        if (!file_takes_offers(file) || (flags & JOB_SECURITY_REDIRECT_MASK) == JOB_SECURITY_REDIRECT_DISALLOW)
                return false;
        if (!file->has_sha256 && !file->offers.has_sha256)
                return false;
        if (is_https(file->url) && !is_https(url) && !proved && !(flags & JOB_SECURITY_REDIRECT_INSECURE))
                return false;
        return job_url_check(url) == 0;
}

/* What the bytes on the way are to have; NULL: nobody said. Of an encrypted file the client's digest is of its content. */
static const uint8_t *expected_on_the_way(const struct job_file *file) {
        if (file->has_sha256 && secret_is_none(&file->decryption_info))
                return file->sha256;
        return file->offers.has_sha256 ? file->offers.sha256 : NULL;
}

/* 0, or -ENOMEM: the older ones stay. */
static int keep(struct job_file *file, const struct engine_offers *offers) {
        struct file_offers *kept = &file->offers;
        bool same = kept->has_sha256 && memcmp(kept->sha256, offers->sha256, sizeof(kept->sha256)) == 0;

        if (*offers->mirrors) {
                if (strdup_to(&kept->mirrors, offers->mirrors) < 0)
                        return -ENOMEM;
                kept->n_preferred = offers->n_preferred;
                kept->from_public = offers->from_public;
        }
        if (offers->has_sha256) {
                kept->secure = offers->secure || (same && kept->secure);
                kept->has_sha256 = true;
                memcpy(kept->sha256, offers->sha256, sizeof(kept->sha256));
        }
        return 0;
}

static void judge_mirror(struct file_run *run, const struct engine_offers *offers) {
        const uint8_t *expected = expected_on_the_way(run->file);

        if (!offers->has_sha256 || !expected || memcmp(offers->sha256, expected, 32) == 0)
                return;
        file_run_result(run, ENGINE_FAILED, ERROR_DIGEST_MISMATCH, ERROR_CONTEXT_REMOTE_FILE, 0, false,
                        "it states the digest of another file for this one");
        run->leave_source = true;
        file_run_recall(run);
}

void file_run_take_offers(struct file_run *run, const struct engine_offers *offers) {
        struct job_file *file = run->file;

        if (!file_takes_offers(file))
                return;
        if (file_run_source_kind(run) != SOURCE_OWN) {
                judge_mirror(run, offers);
                return;
        }
        run->digest_offered = run->digest_offered || offers->has_sha256;
        if (keep(file, offers) < 0) {
                log_debug("no memory for what a server offers");
                return;
        }
        manager_save_file(run->manager, file);
        file_run_offer_sources(run);
}

/* The file's own server begins it from its first byte: an older digest may have been of an older file. */
void file_run_drop_old_digest(struct file_run *run) {
        struct file_offers *kept = &run->file->offers;

        if (run->digest_offered || !kept->has_sha256)
                return;
        kept->has_sha256 = kept->secure = false;
        memset(kept->sha256, 0, sizeof(kept->sha256));
        manager_save_file(run->manager, run->file);
}
