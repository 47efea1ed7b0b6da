/* The digest of a whole file, computed beside its transfer, so that nobody waits for it at the end. */
#include "base/log.h"
#include "manager/private.h"

/* Less is read at the end in no time; more would keep other files of the mount waiting. */
#define AHEAD_MIN_BYTES (UINT64_C(8) * 1024 * 1024)
#define AHEAD_MAX_BYTES (UINT64_C(64) * 1024 * 1024)

/* Bytes per second. From here on, two cores are full with the transfer, the digest and what the network needs: over loopback, where a
 * gigabyte comes in a second, the digest beside it won nothing (in memory) to 13 % of the time (on a disk) for 15 to 30 % more CPU. */
#define AHEAD_RATE_MAX (UINT64_C(400) * 1000 * 1000)

const uint8_t *file_run_digest(const struct file_run *run) {
        const struct job_file *file = run->file;

        if (file->has_sha256 && !file_is_encrypted(file))
                return file->sha256;
        return file->offers.has_sha256 && file_takes_offers(file) ? file->offers.sha256 : NULL;
}

static void file_run_digested(int error, void *userdata) {
        struct file_run *run = userdata;

        run->ahead_running = false;
        if (!file_run_returned(run))
                return;
        if (error < 0) {
                if (run->step != STEP_TRANSFER)
                        return;
                log_debug("the digest of file %u begins anew: %s", run->file->index, strerror(-error));
                run->ahead = 0;
        } else
                run->ahead = run->ahead_end;
        file_run_digest_ahead(run);
}

static bool leaves_room(struct file_run *run, uint64_t end) {
        uint64_t now, usec;

        if (!run->manager->few_cores)
                return true;
        now = clock_now(run->manager->clock, CLOCK_ID_MONOTONIC);
        if (run->ahead_since_monotonic == 0) {
                run->ahead_since_monotonic = now;
                run->ahead_from = end;
        }
        usec = now - run->ahead_since_monotonic;
        return (double) (end - MIN(end, run->ahead_from)) * (double) USEC_PER_SEC <= (double) AHEAD_RATE_MAX * (double) usec;
}

void file_run_digest_ahead(struct file_run *run) {
        const struct intervals *received = &run->file->received;
        uint64_t end = received->n_items > 0 && received->items[0].start == 0 ? received->items[0].end : 0;

        if (run->ahead_running || run->step != STEP_TRANSFER || file_has_stream(run->file))
                return;
        if (end < run->ahead)
                run->ahead = 0; /* some of it was lost */
        if (!file_run_digest(run) || !leaves_room(run, end) || end - run->ahead < AHEAD_MIN_BYTES)
                return;
        run->ahead_end = MIN(end, run->ahead + AHEAD_MAX_BYTES);
        if (files_digest_ahead(run->files, run->handle, run->ahead, run->ahead_end, file_run_digested, run) < 0)
                return; /* no memory: the next progress tries again */
        run->n_pending++;
        run->ahead_running = true;
}
