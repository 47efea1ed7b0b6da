#include "manager/manager_loop.h"

#include <sys/epoll.h>

/* While file work comes back at this rate, it is taken in batches: a thread that wakes the loop for each of 10,000 files costs more
 * than what it did for them. */
#define BUSY_FILES_MIN 8
#define BUSY_FILES_INTERVAL 1000 /* µs; 300 took as long and woke the loop twice as often */

struct manager_loop {
        struct manager *manager;
        struct store *store;
        struct files *files;
        sd_event *event;
        sd_event_source *store_source;
        sd_event_source *files_source;
        sd_event_source *files_timer; /* instead of files_source while that is off */
        sd_event_source *timer_source;
        sd_event_source *turn_source;
};

static int on_store(sd_event_source *source _unused_, int fd _unused_, uint32_t events _unused_, void *userdata) {
        struct manager_loop *loop = ASSERT_PTR(userdata);

        (void) store_dispatch(loop->store);
        return 0;
}

static int on_files(sd_event_source *source _unused_, int fd _unused_, uint32_t events _unused_, void *userdata) {
        struct manager_loop *loop = ASSERT_PTR(userdata);

        /* Work that hangs finishes nothing and so keeps nobody polling. */
        if (files_dispatch(loop->files) == 0 || files_outstanding(loop->files) < BUSY_FILES_MIN ||
            sd_event_source_set_time_relative(loop->files_timer, BUSY_FILES_INTERVAL) < 0 ||
            sd_event_source_set_enabled(loop->files_timer, SD_EVENT_ONESHOT) < 0)
                return sd_event_source_set_enabled(loop->files_source, SD_EVENT_ON);
        return sd_event_source_set_enabled(loop->files_source, SD_EVENT_OFF);
}

static int on_files_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        return on_files(NULL, -1, 0, userdata);
}

static int on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata _unused_) {
        return 0; /* waking up is all: the turn comes after every dispatch */
}

/* A post source: runs after any other source was dispatched, so one turn collects the changes of a whole loop iteration. */
static int on_turn(sd_event_source *source _unused_, void *userdata) {
        struct manager_loop *loop = ASSERT_PTR(userdata);
        uint64_t next, armed;
        int r, enabled;

        manager_turn(loop->manager);
        next = manager_next_deadline(loop->manager);
        if (next == USEC_INFINITY)
                return sd_event_source_set_enabled(loop->timer_source, SD_EVENT_OFF);
        /* A timer that fires too early finds nothing to do and is set anew; to set it again in every turn would cost more. */
        r = sd_event_source_get_enabled(loop->timer_source, &enabled);
        if (r >= 0)
                r = sd_event_source_get_time(loop->timer_source, &armed);
        if (r < 0 || (enabled != SD_EVENT_OFF && armed <= next))
                return r;
        r = sd_event_source_set_time(loop->timer_source, next);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(loop->timer_source, SD_EVENT_ONESHOT);
}

int manager_loop_new(sd_event *event, struct manager *manager, struct store *store, struct files *files, struct manager_loop **ret) {
        _cleanup_(manager_loop_freep) struct manager_loop *loop = calloc(1, sizeof(*loop));
        int r;

        if (!loop)
                return -ENOMEM;
        *loop = (struct manager_loop) { .manager = manager, .store = store, .files = files, .event = sd_event_ref(event) };
        r = sd_event_add_io(event, &loop->store_source, store_fd(store), EPOLLIN, on_store, loop);
        if (r < 0)
                return r;
        r = sd_event_add_io(event, &loop->files_source, files_fd(files), EPOLLIN, on_files, loop);
        if (r < 0)
                return r;
        r = sd_event_add_time(event, &loop->files_timer, CLOCK_MONOTONIC, 0, 250, on_files_timer, loop);
        if (r >= 0)
                r = sd_event_source_set_enabled(loop->files_timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        /* Fires at once for the first time: what manager_start() found is set going. */
        r = sd_event_add_time(event, &loop->timer_source, CLOCK_BOOTTIME, 0, 1000, on_timer, loop);
        if (r < 0)
                return r;
        r = sd_event_add_post(event, &loop->turn_source, on_turn, loop);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(loop->store_source, "store");
        (void) sd_event_source_set_description(loop->files_source, "files");
        (void) sd_event_source_set_description(loop->files_timer, "files-batch");
        (void) sd_event_source_set_description(loop->timer_source, "manager-timer");
        (void) sd_event_source_set_description(loop->turn_source, "manager-turn");
        *ret = TAKE_PTR(loop);
        return 0;
}

struct manager_loop *manager_loop_free(struct manager_loop *loop) {
        if (!loop)
                return NULL;
        sd_event_source_disable_unref(loop->turn_source);
        sd_event_source_disable_unref(loop->timer_source);
        sd_event_source_disable_unref(loop->files_timer);
        sd_event_source_disable_unref(loop->files_source);
        sd_event_source_disable_unref(loop->store_source);
        sd_event_unref(loop->event);
        free(loop);
        return NULL;
}
