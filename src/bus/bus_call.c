/* Calls that wait, and how every call is answered. */
#include <stdio.h>

#include "base/log.h"
#include "base/strings.h"
#include "bus/private.h"

void bus_error_text(enum error_code code, const char *detail, char *ret, size_t size) {
        const char *text = error_code_text(code);

        if (!detail || !*detail)
                (void) snprintf(ret, size, "%s", text);
        else if (strstr(detail, text))
                (void) snprintf(ret, size, "%s", detail); /* whoever wrote it has said the rest already */
        else
                (void) snprintf(ret, size, "%s %s", text, detail);
}

static enum error_code code_of(int outcome) {
        if (outcome > 0)
                return (enum error_code) outcome;
        return outcome == -ENOMEM ? ERROR_OUT_OF_MEMORY : ERROR_UNEXPECTED;
}

int bus_set_error(sd_bus_error *error, int outcome, const char *text) {
        enum error_code code = code_of(outcome);
        char buffer[LIMIT_PATH + LIMIT_ERROR_TEXT + 1];
        _cleanup_free_ char *escaped = NULL;

        if (outcome < 0 && outcome != -ENOMEM) {
                log_error("a call failed: %s%s%s", strerror(-outcome), text && *text ? ": " : "", text ? text : "");
                text = strerror(-outcome);
        }
        bus_error_text(code, text, buffer, sizeof(buffer));
        /* A path in the text may be any bytes (and may have been cut in the middle of a character). */
        if (!utf8_is_valid(buffer, SIZE_MAX)) {
                escaped = string_escape(buffer, sizeof(buffer));
                (void) snprintf(buffer, sizeof(buffer), "%s", escaped ? escaped : error_code_text(code));
        }
        return sd_bus_error_set(error, error_code_dbus_name(code), buffer);
}

struct bus_call *bus_call_free(struct bus_call *call) {
        if (!call)
                return NULL;
        if (call->peer) {
                DL_DELETE(call->peer->calls, call);
                call->peer->n_calls--;
        } else
                DL_DELETE(call->server->orphans, call);
        sd_bus_message_unref(call->message);
        sd_bus_message_unref(call->reply);
        free(call);
        return NULL;
}

int bus_new_stand_in(sd_bus *bus, uint64_t cookie, const char *sender, bool expects_reply, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, NULL, BUS_PATH, BUS_MANAGER_INTERFACE, "Call");
        if (r >= 0 && sender)
                r = sd_bus_message_set_sender(m, sender);
        if (r >= 0)
                r = sd_bus_message_set_expect_reply(m, expects_reply);
        if (r >= 0)
                r = sd_bus_message_seal(m, cookie, 0);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

/* What it was is read by then; a message of LIMIT_MESSAGE_BYTES for each call that waits would be too much to keep. */
static int stand_in_for(sd_bus_message *m, sd_bus_message **ret) {
        uint64_t cookie;
        int r = sd_bus_message_get_cookie(m, &cookie);

        return r < 0 ? r : bus_new_stand_in(sd_bus_message_get_bus(m), cookie, sd_bus_message_get_sender(m), sd_bus_message_get_expect_reply(m) > 0, ret);
}

static int call_new(struct peer *peer, sd_bus_message *m, sd_bus_error *error, struct bus_call **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        struct bus_call *call;
        int r;

        if (peer->n_calls >= peer->server->config.max_calls_per_client)
                return bus_set_error(error, ERROR_TOO_MANY_REQUESTS, "");
        r = stand_in_for(m, &message);
        if (r < 0)
                return bus_set_error(error, r, "");
        call = malloc(sizeof(*call));
        if (!call)
                return bus_set_error(error, -ENOMEM, "");
        *call = (struct bus_call) { .server = peer->server, .peer = peer, .message = TAKE_PTR(message) };
        DL_APPEND(peer->calls, call);
        peer->n_calls++;
        *ret = call;
        return 0;
}

int bus_call_new(struct peer *peer, sd_bus_message *m,
                 int (*append)(sd_bus_message *reply, const struct manager_reply *answer), sd_bus_error *error,
                 struct bus_call **ret) {
        int r;

        if (peer->server->stopping)
                return bus_set_error(error, ERROR_SHUTTING_DOWN, "");
        r = call_new(peer, m, error, ret);
        if (r < 0)
                return r;
        (*ret)->append = append;
        return 0;
}

void bus_call_orphan_all(struct peer *peer) {
        struct bus_call *call, *tmp;

        DL_FOREACH_SAFE(peer->calls, call, tmp) {
                DL_DELETE(peer->calls, call);
                call->peer = NULL;
                /* A message keeps its connection alive. */
                call->message = sd_bus_message_unref(call->message);
                call->reply = sd_bus_message_unref(call->reply);
                DL_APPEND(peer->server->orphans, call);
        }
        peer->n_calls = 0;
}

static int send_error(struct bus_call *call, int outcome, const char *text) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        (void) bus_set_error(&error, outcome, text);
        r = sd_bus_message_new_method_error(call->message, &reply, &error);
        if (r < 0)
                return r;
        return peer_send(call->peer, reply);
}

static int send_answer(struct bus_call *call, const struct manager_reply *answer) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call->message, &reply);
        if (r >= 0 && call->append)
                r = call->append(reply, answer);
        if (r < 0)
                return r;
        return peer_send(call->peer, reply);
}

/* A client that did not get its answer must not wait for ever. */
static void finish_call(struct bus_call *call, int r) {
        struct peer *peer = call->peer;

        bus_call_free(call);
        if (r < 0 && peer)
                peer_drop(peer);
}

void bus_call_answer(const struct manager_reply *answer, void *userdata) {
        struct bus_call *call = ASSERT_PTR(userdata);
        int r = 0;

        if (call->peer)
                r = answer->outcome == 0 ? send_answer(call, answer) : send_error(call, answer->outcome, answer->text);
        finish_call(call, r);
}

static void reply_is_durable(const struct manager_reply *answer, void *userdata) {
        struct bus_call *call = ASSERT_PTR(userdata);
        int r = 0;

        if (call->peer && answer->outcome == 0)
                r = peer_send(call->peer, call->reply);
        else if (call->peer)
                r = send_error(call, answer->outcome > 0 ? answer->outcome : ERROR_STORE_FAILED, "");
        finish_call(call, r);
}

int bus_reply(struct peer *peer, sd_bus_message *m, sd_bus_message *reply, bool dirty, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *owned = reply;
        struct bus_call *call = NULL;
        int r;

        if (!dirty) {
                r = peer_send(peer, owned);
                return r < 0 ? r : 1;
        }
        r = call_new(peer, m, error, &call);
        if (r < 0)
                return r;
        /* Built now, sent when everything up to now is on disk: true then, and no stream of changes can hold it up
         * for ever. */
        call->reply = TAKE_PTR(owned);
        manager_when_durable(peer->server->manager, reply_is_durable, call);
        return 1;
}

int bus_no_getter(sd_bus *bus _unused_, const char *path _unused_, const char *interface _unused_, const char *property _unused_,
                  sd_bus_message *reply _unused_, void *userdata _unused_, sd_bus_error *error _unused_) {
        return -ENOTSUP;
}

struct job *bus_find_job(struct peer *peer, const char *path, struct job_file **ret_file) {
        struct guid id;
        struct job *job;
        uint32_t index;

        if (ret_file)
                *ret_file = NULL;
        if (!peer->server->manager || bus_path_parse(path, &id, &index) < 0)
                return NULL;
        job = peer_is_administrator(peer) ? manager_find_any_job(peer->server->manager, &id)
                                          : manager_find_job(peer->server->manager, peer->uid, &id);
        if (!job || index == BUS_PATH_NO_FILE)
                return job;
        if (index >= job->n_files || !ret_file)
                return NULL;
        *ret_file = job->files[index];
        return job;
}
