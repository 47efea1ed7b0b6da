/* One libcurl multi handle on an sd-event loop: the pool of connections, TLS sessions and names of one owner.
 *
 * 1. curl_loop_add() an easy handle; done() comes from the loop, never from within a call of ours, after the handle was taken out.
 * 2. settled() comes whenever the results of a turn are told: the time to add what was waiting for them.
 *
 * Knows nothing of requests. */
#pragma once

#include <curl/curl.h>

#include "base/macros.h"

struct sd_event;
struct poller;
struct curl_loop;

/* Both may add and remove handles. */
struct curl_loop_callbacks {
        void (*done)(void *userdata, CURL *easy, CURLcode code);
        void (*settled)(void *userdata);
};

int curl_loop_new(struct sd_event *event, struct poller *poller, const struct curl_loop_callbacks *callbacks, void *userdata,
                  struct curl_loop **ret);
/* Handles must have been removed. */
struct curl_loop *curl_loop_free(struct curl_loop *loop);
int curl_loop_set_limits(struct curl_loop *loop, unsigned max_connections, unsigned max_per_host);
int curl_loop_add(struct curl_loop *loop, CURL *easy);
void curl_loop_remove(struct curl_loop *loop, CURL *easy);
