/* The receive window of a connection that nobody reads for some seconds: closed without a loss, and open again at once.
 *
 * TCP_WINDOW_CLAMP never closes a window (the kernel keeps about 2 KiB open), a full buffer does. What was offered may still come: where it
 * found no room it would be lost, and the sender would try again when its timer says so, which doubles with each try, and not when the
 * window opens. So there is always room for it.
 *
 * 1. window_close() when nobody reads any more.
 * 2. window_keep_closed() every now and then: what was offered at last has come, and is to be less than the room that is left.
 * 3. window_open() before somebody reads again. */
#pragma once

#include "base/macros.h"

/* @offered: bytes that may be on the way. False: not on this kernel (before Linux 5.14 the size of the buffer would be left to us for ever
 * after). @ret_buffer: for window_open(). */
bool window_close(int fd, uint64_t offered, int *ret_buffer);
void window_keep_closed(int fd, uint32_t segment_bytes);
/* To the size from before, as far as net.core.rmem_max lets us; the kernel grows it from there. */
void window_open(int fd, int buffer);
