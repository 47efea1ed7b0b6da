#include "daemon/polkit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"

#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_ALLOW_INTERACTION 1u
#define ANSWER_TIMEOUT_USEC (25 * USEC_PER_SEC)
#define PERSON_TIMEOUT_USEC (5 * USEC_PER_MINUTE) /* somebody looks for a password */

struct asked {
        struct polkit *polkit;
        uint64_t id; /* by which it can be called off */
        sd_bus_slot *slot;
        authority_answer_fn answer;
        void *userdata;
        struct asked *prev, *next;
};

struct polkit {
        sd_event *event;
        sd_bus *bus; /* NULL: not connected */
        uint64_t next_id;
        struct asked *asked;
};

static void asked_free(struct asked *asked) {
        DL_DELETE(asked->polkit->asked, asked);
        sd_bus_slot_unref(asked->slot);
        free(asked);
}

static void disconnect(struct polkit *polkit) {
        if (!polkit->bus)
                return;
        (void) sd_bus_detach_event(polkit->bus);
        sd_bus_close(polkit->bus); /* no flush: it would wait */
        polkit->bus = sd_bus_unref(polkit->bus);
}

static int connect_bus(struct polkit *polkit) {
        int r = polkit->bus ? sd_bus_is_open(polkit->bus) : 0;

        if (r > 0)
                return 0;
        if (polkit->asked)
                return -ENOTCONN; /* the old connection still tells them that it is gone */
        disconnect(polkit);
        r = sd_bus_open_system(&polkit->bus);
        if (r >= 0)
                r = sd_bus_set_close_on_exit(polkit->bus, 0);
        if (r >= 0)
                r = sd_bus_attach_event(polkit->bus, polkit->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                disconnect(polkit);
        return r;
}

/* (is authorized, could be after a challenge, details); only the first counts. */
static bool says_yes(sd_bus_message *m) {
        int authorized = 0;

        if (sd_bus_message_is_method_error(m, NULL)) {
                log_debug("polkit: %s", sd_bus_message_get_error(m)->message);
                return false;
        }
        if (sd_bus_message_has_signature(m, "(bba{ss})") <= 0 || sd_bus_message_enter_container(m, 'r', "bba{ss}") <= 0 ||
            sd_bus_message_read_basic(m, 'b', &authorized) <= 0)
                return false;
        return authorized;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct asked *asked = userdata;
        authority_answer_fn answer = asked->answer;
        void *answer_userdata = asked->userdata;
        bool yes = says_yes(m);

        asked_free(asked);
        answer(yes, answer_userdata);
        return 0;
}

static int append_question(sd_bus_message *m, const struct authority_question *question, uint64_t id) {
        char text[24];
        int r;

        if (question->bus_name)
                r = sd_bus_message_append(m, "(sa{sv})", "system-bus-name", 1, "name", "s", question->bus_name);
        else
                /* No start time: polkit finds it, which our process, with ProtectProc=invisible, cannot. */
                r = sd_bus_message_append(m, "(sa{sv})", "unix-process", 3, "pid", "u", (uint32_t) question->pid, "start-time", "t",
                                          UINT64_C(0), "uid", "i", (int32_t) question->uid);
        if (r < 0)
                return r;
        (void) snprintf(text, sizeof(text), "%" PRIu64, id);
        return sd_bus_message_append(m, "sa{ss}us", question->action, 0, question->interactive ? POLKIT_ALLOW_INTERACTION : 0u, text);
}

static int polkit_ask(void *userdata, const struct authority_question *question, authority_answer_fn answer, void *answer_userdata,
                      void **ret_asked) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        struct polkit *polkit = userdata;
        struct asked *asked;
        int r;

        r = connect_bus(polkit);
        if (r >= 0)
                r = sd_bus_message_new_method_call(polkit->bus, &m, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE, "CheckAuthorization");
        if (r >= 0)
                r = append_question(m, question, ++polkit->next_id);
        if (r < 0)
                return r;
        asked = malloc(sizeof(*asked));
        if (!asked)
                return -ENOMEM;
        *asked = (struct asked) { .polkit = polkit, .id = polkit->next_id, .answer = answer, .userdata = answer_userdata };
        DL_APPEND(polkit->asked, asked);
        r = sd_bus_call_async(polkit->bus, &asked->slot, m, on_answer, asked,
                              question->interactive ? PERSON_TIMEOUT_USEC : ANSWER_TIMEOUT_USEC);
        if (r < 0) {
                asked_free(asked);
                return r;
        }
        *ret_asked = asked;
        return 0;
}

static void polkit_cancel(void *userdata, void *cancelled) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        struct polkit *polkit = userdata;
        struct asked *asked = cancelled;
        char text[24];

        (void) snprintf(text, sizeof(text), "%" PRIu64, asked->id);
        asked_free(asked);
        /* So that nobody is shown a dialog any more. */
        if (sd_bus_message_new_method_call(polkit->bus, &m, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE, "CancelCheckAuthorization") >= 0 &&
            sd_bus_message_append_basic(m, 's', text) >= 0 && sd_bus_message_set_expect_reply(m, 0) >= 0)
                (void) sd_bus_send(polkit->bus, m, NULL);
}

const struct authority polkit_authority = { .ask = polkit_ask, .cancel = polkit_cancel };

int polkit_new(sd_event *event, struct polkit **ret) {
        struct polkit *polkit = malloc(sizeof(*polkit));

        if (!polkit)
                return -ENOMEM;
        *polkit = (struct polkit) { .event = sd_event_ref(event) };
        *ret = polkit;
        return 0;
}

struct polkit *polkit_free(struct polkit *polkit) {
        if (!polkit)
                return NULL;
        while (polkit->asked)
                asked_free(polkit->asked);
        disconnect(polkit);
        sd_event_unref(polkit->event);
        free(polkit);
        return NULL;
}
