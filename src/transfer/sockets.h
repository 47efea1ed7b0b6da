/* The TCP connections of this process, and who uses them. One that only background exchanges use is held to the window that a
 * scavenger (scavenger.h) gives: TCP_WINDOW_CLAMP, the one knob that works both ways on a live connection. One scavenger for each
 * address: its connections share the window, and those that others crowd out take turns (turns.h). The receive buffer is left to the kernel's autotuning, which moves the clamp each time
 * that it grows the buffer: so the clamp is set again at each tick. No clamp is below about 2 KiB: where the window is too small for all
 * connections, some of them rest, and they take turns. Nothing here wakes up while no background exchange runs,
 * but once, to say that they have nothing of the line any more.
 *
 * A foreground connection all of whose uses have a limit is held to what that lets come in a moment: of a large window the line would see
 * what one read of libcurl's makes room for, half a mebibyte, in one burst and then nothing for seconds.
 *
 * 1. sockets_apply() to every handle: libcurl then tells of each socket that it opens and closes. Those of one group are counted: if a
 *    new one would be one too many, one of them that is idle is closed for it.
 * 2. socket_use_begin() when an exchange has its connection; it may be an old one, and other exchanges' too (HTTP/2).
 * 3. socket_use_can_rest() when it would do no harm if nobody read for some seconds.
 * 4. socket_use_set_pace() when somebody begins to wait for it, or its limit changes; socket_use_end() after it.
 *
 * Must outlive the connections: libcurl keeps the callbacks with them. */
#pragma once

#include <curl/curl.h>

#include "base/address.h"
#include "base/macros.h"

struct line_use;
struct sd_event;
struct poller;
struct sockets;
struct tracked_socket;

struct socket_group {
        unsigned max; /* set by whoever counts */
        unsigned n_open;
        void (*closed)(struct socket_group *group); /* one of them */
        struct tracked_socket *first; /* private */
        struct sockets *sockets;
};

struct socket_use {
        struct socket_use *prev, *next; /* private, all of them */
        struct tracked_socket *socket;  /* NULL: none */
        void (*rest)(void *userdata, bool resting);
        void *userdata;
        bool foreground;
        uint64_t max_rate;
};

/* As libcurl says it: which connection. */
struct socket_name {
        char remote[ADDRESS_TEXT_MAX], local[ADDRESS_TEXT_MAX];
        int remote_port, local_port;
};

/* What the background connections have of the line: once in LINE_USE_INTERVAL_USEC while there are some, and when it becomes nothing. */
typedef void (*sockets_say)(void *userdata, const struct line_use *use);

/* @poller is told of each socket that is opened and closed. @say: to who knows of other such processes; NULL: there are none. */
int sockets_new(struct sd_event *event, struct poller *poller, sockets_say say, void *userdata, struct sockets **ret);
/* What those of the others have. */
void sockets_hear(struct sockets *sockets, const struct line_use *elsewhere);
struct sockets *sockets_free(struct sockets *sockets);
/* @group must outlive its connections, and the use of @easy. */
CURLcode sockets_apply(struct sockets *sockets, CURL *easy, struct socket_group *group);
/* Closes the one that was opened first of those that nobody uses. Return: false if there is none. */
bool socket_group_close_idle(struct socket_group *group);

/* A connection that nobody told of is not held: @use stays empty. */
void socket_use_begin(struct socket_use *use, struct sockets *sockets, const struct socket_name *name, bool foreground,
                      uint64_t max_rate);
void socket_use_set_pace(struct socket_use *use, bool foreground, uint64_t max_rate);
/* With what comes. */
void socket_use_keep_clamp(const struct socket_use *use);
/* @rest says from when to when nothing is to be read; never from within a call of these functions but socket_use_set_pace(). Not
 * for a connection that several exchanges share: not to read the one would be to buffer it for the others. */
void socket_use_can_rest(struct socket_use *use, void (*rest)(void *userdata, bool resting), void *userdata);
bool socket_use_is_resting(const struct socket_use *use);
void socket_use_end(struct socket_use *use);
/* A connection that several exchanges share outlives the one that gave it up: if nothing at all came over it for @usec, whoever else
 * is on it fails now, and nobody is put on it any more. */
void socket_use_cut_if_silent(const struct socket_use *use, uint64_t usec);
/* Bytes per second that its connection is let to have: UINT64_MAX if it is not held; 0 if others filled the line at any time since
 * @since_usec (CLOCK_MONOTONIC). */
uint64_t socket_use_allowed_rate(const struct socket_use *use, uint64_t since_usec);
