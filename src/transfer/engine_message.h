/* A request of the engine's as the frame that the transfer process reads. */
#pragma once

#include "ipc/message.h"
#include "transfer/engine.h"

struct ipc_pace engine_message_pace(const struct engine_pace *pace);
/* Secrets and all: whoever frees @ret_frame wipes it. 0, -ENOMEM, -EINVAL (not a request), -E2BIG. */
int engine_message_new(const struct engine_request *request, uint8_t **ret_frame, size_t *ret_size);
