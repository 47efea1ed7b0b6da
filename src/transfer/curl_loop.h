/* One libcurl multi handle on an sd-event loop: the pool of connections, TLS sessions and names of one owner.
 *
 * curl_loop_add() an easy handle; done() comes from the loop, never from within a call of ours, after the handle was taken out.
 * Knows nothing of requests. */
#pragma once

#include <curl/curl.h>

#include "base/macros.h"

struct sd_event;
struct curl_loop;

/* May add and remove handles. */
typedef void (*curl_loop_done_fn)(void *userdata, CURL *easy, CURLcode code);

int curl_loop_new(struct sd_event *event, curl_loop_done_fn done, void *userdata, struct curl_loop **ret);
/* Handles must have been removed. */
struct curl_loop *curl_loop_free(struct curl_loop *loop);
int curl_loop_set_limits(struct curl_loop *loop, unsigned max_connections, unsigned max_per_host);
int curl_loop_add(struct curl_loop *loop, CURL *easy);
void curl_loop_remove(struct curl_loop *loop, CURL *easy);
