#include "transfer/curl_loop.h"

#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "base/clock.h"
#include "base/log.h"
#include "transfer/poller.h"

struct curl_loop {
        struct poller *poller;
        sd_event_source *timer;
        sd_event_source *turn; /* defer: what libcurl wants done at once */
        bool due;              /* it wants that */
        bool news;             /* something ended or began since it was done last */
        bool settling;
        CURLM *multi;
        const struct curl_loop_callbacks *callbacks;
        void *userdata;
};

static void take_results(struct curl_loop *loop) {
        CURLMsg *message;
        int left;

        while ((message = curl_multi_info_read(loop->multi, &left))) {
                CURL *easy = message->easy_handle;
                CURLcode code = message->data.result;

                if (message->msg != CURLMSG_DONE)
                        continue;
                loop->news = true;
                (void) curl_multi_remove_handle(loop->multi, easy);
                loop->callbacks->done(loop->userdata, easy, code);
        }
}

static int set_timer(struct curl_loop *loop, uint64_t usec) {
        int r = sd_event_source_set_time_relative(loop->timer, usec);

        return r < 0 ? r : sd_event_source_set_enabled(loop->timer, SD_EVENT_ONESHOT);
}

static void do_what_is_due(struct curl_loop *loop) {
        int running;

        loop->due = loop->news = false;
        (void) curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

/* Goes on while something ends or begins: the request that takes an ended one's place is on its way before the loop turns, instead of three
 * turns later (the place, libcurl's timer, the socket). That a connection has more bytes than libcurl takes at once is no reason: from
 * a fast server it always has, and what the core says, timers and other connections have their turn first. */
static void settle(struct curl_loop *loop) {
        loop->settling = true;
        for (;;) {
                take_results(loop);
                loop->callbacks->settled(loop->userdata);
                if (!loop->due || !loop->news)
                        break;
                do_what_is_due(loop);
        }
        loop->settling = false;
        if (loop->due)
                (void) set_timer(loop, 0); /* no defer source: it counts as pending since it was made, and comes before all others each time */
}

static void on_socket_ready(void *userdata, int fd, uint32_t events) {
        struct curl_loop *loop = ASSERT_PTR(userdata);
        int action = 0, running;

        if (events & (EPOLLIN | EPOLLHUP))
                action |= CURL_CSELECT_IN;
        if (events & EPOLLOUT)
                action |= CURL_CSELECT_OUT;
        if (events & EPOLLERR)
                action |= CURL_CSELECT_ERR;
        loop->settling = true;
        (void) curl_multi_socket_action(loop->multi, fd, action, &running);
        settle(loop);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct curl_loop *loop = ASSERT_PTR(userdata);

        loop->settling = true;
        do_what_is_due(loop);
        settle(loop);
        return 0;
}

static int on_turn(sd_event_source *source, void *userdata) {
        struct curl_loop *loop = ASSERT_PTR(userdata);

        loop->settling = true;
        if (loop->due)
                do_what_is_due(loop);
        settle(loop);
        return 0;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_data) {
        struct curl_loop *loop = ASSERT_PTR(userdata);
        uint32_t events = 0;

        if (what != CURL_POLL_REMOVE && (what & CURL_POLL_IN))
                events |= EPOLLIN;
        if (what != CURL_POLL_REMOVE && (what & CURL_POLL_OUT))
                events |= EPOLLOUT;
        return poller_wait(loop->poller, fd, events, on_socket_ready, loop) < 0 ? -1 : 0;
}

static int on_curl_timer(CURLM *multi, long timeout_msec, void *userdata) {
        struct curl_loop *loop = ASSERT_PTR(userdata);

        /* No timer for "now". */
        loop->due = timeout_msec == 0;
        if (loop->due)
                return loop->settling || sd_event_source_set_enabled(loop->turn, SD_EVENT_ONESHOT) >= 0 ? 0 : -1;
        if (timeout_msec < 0)
                return sd_event_source_set_enabled(loop->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
        return set_timer(loop, (uint64_t) timeout_msec * USEC_PER_MSEC) < 0 ? -1 : 0;
}

int curl_loop_new(struct sd_event *event, struct poller *poller, const struct curl_loop_callbacks *callbacks, void *userdata,
                  struct curl_loop **ret) {
        struct curl_loop *loop;
        int r;

        loop = calloc(1, sizeof(*loop));
        if (!loop)
                return -ENOMEM;
        loop->poller = poller;
        loop->callbacks = callbacks;
        loop->userdata = userdata;
        loop->multi = curl_multi_init();
        r = loop->multi ? sd_event_add_time(event, &loop->timer, CLOCK_MONOTONIC, 0, 1, on_timer, loop) : -ENOMEM;
        if (r >= 0)
                r = sd_event_source_set_enabled(loop->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(event, &loop->turn, on_turn, loop);
        if (r >= 0)
                r = sd_event_source_set_enabled(loop->turn, SD_EVENT_OFF);
        if (r < 0) {
                curl_loop_free(loop);
                return r;
        }
        (void) curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
        (void) curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
        (void) curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
        (void) curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
        (void) curl_multi_setopt(loop->multi, CURLMOPT_PIPELINING, (long) CURLPIPE_MULTIPLEX);
        *ret = loop;
        return 0;
}

struct curl_loop *curl_loop_free(struct curl_loop *loop) {
        if (!loop)
                return NULL;
        if (loop->multi)
                (void) curl_multi_cleanup(loop->multi);
        loop->timer = sd_event_source_disable_unref(loop->timer);
        loop->turn = sd_event_source_disable_unref(loop->turn);
        free(loop);
        return NULL;
}

int curl_loop_set_limits(struct curl_loop *loop, unsigned max_connections, unsigned max_per_host) {
        if (curl_multi_setopt(loop->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long) max_connections) != CURLM_OK ||
            curl_multi_setopt(loop->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long) max_per_host) != CURLM_OK ||
            curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, (long) max_connections) != CURLM_OK)
                return -EINVAL;
        return 0;
}

int curl_loop_add(struct curl_loop *loop, CURL *easy) {
        CURLMcode code = curl_multi_add_handle(loop->multi, easy);

        loop->news = true;
        if (code == CURLM_OK)
                return 0;
        log_debug("curl_multi_add_handle: %s", curl_multi_strerror(code));
        return code == CURLM_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
}

void curl_loop_remove(struct curl_loop *loop, CURL *easy) {
        (void) curl_multi_remove_handle(loop->multi, easy);
}
