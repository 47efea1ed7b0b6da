/* An engine without a network, for the fake service: it asks origins that are make-believe (fake_origin.h), and judges what they answer by the
 * rules that the transfer process has (transfer/verdict.h, redirect.h, proxy.h, curl_errors.h). Connections, TLS and what libcurl does are not
 * there, nor are limits of rates. Nothing moves but by fake_engine_step().
 *
 * What a test may want to know of it is in files in @directory: "asked-PORT" is the head of the last request that went to that port (of a
 * proxy, if one was on the way), "sent" the bytes of all bodies so far, as a uint64_t. */
#pragma once

#include "transfer/engine.h"

/* @directory: has the folder of cases. */
int fake_engine_new(const char *directory, struct engine **ret);
/* Everything goes one step, and @elapsed_usec on. True: there is more to do at once. */
bool fake_engine_step(struct engine *engine, uint64_t elapsed_usec);
/* As if its process had died with the service: nobody is told anything. */
void fake_engine_forget(struct engine *engine);
