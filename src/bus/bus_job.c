/* org.dosvc.Job1 at /org/dosvc/job/<id>, and the gate before all objects below /org/dosvc/job. */
#include "base/strings.h"
#include "bus/options.h"
#include "bus/private.h"

/* ---- calls ---- */

typedef void (*job_call_fn)(struct manager *manager, struct job *job, manager_reply_fn reply, void *userdata);

static int append_partial(sd_bus_message *reply, const struct manager_reply *answer) {
        int partial = answer->partial;

        return sd_bus_message_append_basic(reply, 'b', &partial);
}

static int append_first_index(sd_bus_message *reply, const struct manager_reply *answer) {
        return sd_bus_message_append_basic(reply, 'u', &answer->first_index);
}

static int append_n_changed(sd_bus_message *reply, const struct manager_reply *answer) {
        return sd_bus_message_append_basic(reply, 'u', &answer->n_changed);
}

static int call_on_job(sd_bus_message *m, struct peer *peer, sd_bus_error *error, job_call_fn fn,
                       int (*append)(sd_bus_message *reply, const struct manager_reply *answer)) {
        struct job *job = bus_find_job(peer, sd_bus_message_get_path(m), NULL);
        struct bus_call *call;
        int r;

        if (!job)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        r = bus_call_new(peer, m, append, error, &call);
        if (r < 0)
                return r;
        fn(peer->server->manager, job, bus_call_answer, call);
        return 1;
}

static int method_suspend(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return call_on_job(m, userdata, error, manager_suspend_job, NULL);
}

static int method_resume(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return call_on_job(m, userdata, error, manager_resume_job, NULL);
}

/* Whoever got this far may. */
static void take_ownership(struct manager *manager, struct job *job, manager_reply_fn reply, void *userdata) {
        const struct bus_call *call = userdata;

        manager_take_ownership(manager, job, call->peer->uid, reply, userdata);
}

static int method_take_ownership(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return call_on_job(m, userdata, error, take_ownership, NULL);
}

static int method_cancel(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return call_on_job(m, userdata, error, manager_cancel_job, append_partial);
}

static int method_complete(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return call_on_job(m, userdata, error, manager_complete_job, append_partial);
}

static int method_add_files(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = ASSERT_PTR(userdata);
        struct job *job = bus_find_job(peer, sd_bus_message_get_path(m), NULL);
        _cleanup_(file_list_done)
        struct file_list files = {};
        const struct manager_limits *limits;
        struct options_limits room;
        struct options_text text;
        struct bus_call *call;
        uint32_t umask;
        int r;

        if (!job)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        r = sd_bus_message_read_basic(m, 'u', &umask);
        if (r < 0)
                return r;
        limits = manager_get_limits(peer->server->manager);
        room = (struct options_limits) { .files = limits->max_files_per_job - MIN(limits->max_files_per_job, job->n_files),
                                         .ranges = limits->max_ranges_per_file };
        r = options_read_files(m, umask, &room, &files, &text);
        if (r != 0)
                return bus_set_error(error, r, text.text);
        r = bus_call_new(peer, m, append_first_index, error, &call);
        if (r < 0)
                return r;
        manager_add_files(peer->server->manager, job, files.items, files.n_items, bus_call_answer, call);
        return 1;
}

static int method_start(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = ASSERT_PTR(userdata);
        struct job *job = bus_find_job(peer, sd_bus_message_get_path(m), NULL);
        _cleanup_(file_spec_done)
        struct manager_file_spec wanted = {};
        struct bus_call *call;
        int r;

        if (!job)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        r = options_read_ranges(m, manager_get_limits(peer->server->manager)->max_ranges_per_file, &wanted.file);
        if (r != 0)
                return bus_set_error(error, r, "");
        r = bus_call_new(peer, m, NULL, error, &call);
        if (r < 0)
                return r;
        manager_start_download(peer->server->manager, job, wanted.file.ranges, wanted.file.n_ranges, bus_call_answer, call);
        return 1;
}

static int method_set_properties(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = ASSERT_PTR(userdata);
        struct job *job = bus_find_job(peer, sd_bus_message_get_path(m), NULL);
        struct manager_properties properties;
        struct options_text text;
        struct bus_call *call;
        int r;

        if (!job)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        r = options_read_properties(m, &properties, &text);
        if (r != 0)
                return bus_set_error(error, r, text.text);
        r = bus_call_new(peer, m, NULL, error, &call);
        if (r < 0)
                return r;
        properties.client = peer;
        manager_set_properties(peer->server->manager, job, &properties, bus_call_answer, call);
        return 1;
}

static int method_replace_url_prefix(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = ASSERT_PTR(userdata);
        struct job *job = bus_find_job(peer, sd_bus_message_get_path(m), NULL);
        const char *old_prefix, *new_prefix;
        struct bus_call *call;
        int r;

        if (!job)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        r = sd_bus_message_read(m, "ss", &old_prefix, &new_prefix);
        if (r < 0)
                return r;
        r = bus_call_new(peer, m, append_n_changed, error, &call);
        if (r < 0)
                return r;
        manager_replace_url_prefix(peer->server->manager, job, old_prefix, new_prefix, bus_call_answer, call);
        return 1;
}

static int method_list_files(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = ASSERT_PTR(userdata);
        struct job *job = bus_find_job(peer, sd_bus_message_get_path(m), NULL);
        _cleanup_(sd_bus_message_unrefp)
        sd_bus_message *reply = NULL;
        struct bus_page_room room;
        uint32_t first, limit, next;
        int r;

        if (!job)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        r = sd_bus_message_read(m, "uu", &first, &limit);
        if (r < 0)
                return r;
        r = bus_page_room(limit, &room, error);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (next = first; r >= 0 && next < job->n_files && bus_page_takes(&room, bus_values_of_file(job->files[next])); next++)
                r = bus_append_file(reply, peer, job->files[next], false);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "u", next < job->n_files ? next : 0U);
        if (r < 0)
                return r;
        return bus_reply(peer, m, TAKE_PTR(reply), manager_job_is_dirty(peer->server->manager, job), error);
}

static int set_registration(sd_bus_message *m, struct peer *peer, sd_bus_error *error, int (*on_fn)(struct peer *peer, struct job *job),
                            void (*off_fn)(struct peer *peer, struct job *job)) {
        struct job *job = bus_find_job(peer, sd_bus_message_get_path(m), NULL);
        int on, r;

        if (!job)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        r = sd_bus_message_read_basic(m, 'b', &on);
        if (r < 0)
                return r;
        if (job_command_verdict(job, JOB_COMMAND_SET_NOTIFY) == JOB_VERDICT_INVALID_STATE)
                return bus_set_error(error, ERROR_INVALID_STATE, "");
        /* The answer first: what is due already is delivered at once. */
        r = sd_bus_reply_method_return(m, NULL);
        if (r < 0)
                return r;
        if (!on) {
                off_fn(peer, job);
                return 1;
        }
        r = on_fn(peer, job);
        if (r != 0)
                peer_drop(peer); /* was told yes already */
        return 1;
}

static int method_set_notify(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return set_registration(m, ASSERT_PTR(userdata), error, bus_notify_register, bus_notify_unregister);
}

static int method_set_judge(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return set_registration(m, ASSERT_PTR(userdata), error, bus_judge_register, bus_judge_unregister);
}

/* ---- properties ---- */

#define PROPERTY_FLAGS_CONSTANT SD_BUS_VTABLE_PROPERTY_CONST
#define PROPERTY_FLAGS_SETTABLE SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define PROPERTY_FLAGS_VOLATILE SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable job_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("AddFiles", SD_BUS_ARGS("u", umask, "a(saya{sv})", files), SD_BUS_RESULT("u", first),
                                method_add_files, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Suspend", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_suspend,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Resume", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_resume, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Start", SD_BUS_ARGS("a(tt)", ranges), SD_BUS_NO_RESULT, method_start,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("TakeOwnership", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_take_ownership,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_NO_ARGS, SD_BUS_RESULT("b", left), method_cancel,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Complete", SD_BUS_NO_ARGS, SD_BUS_RESULT("b", partial), method_complete,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetProperties", SD_BUS_ARGS("a{sv}", properties), SD_BUS_NO_RESULT,
                                method_set_properties, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ReplaceUrlPrefix", SD_BUS_ARGS("s", old_prefix, "s", new_prefix),
                                SD_BUS_RESULT("u", changed), method_replace_url_prefix, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListFiles", SD_BUS_ARGS("u", first, "u", limit), SD_BUS_RESULT("aa{sv}", files, "u", next),
                                method_list_files, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetNotify", SD_BUS_ARGS("b", on), SD_BUS_NO_RESULT, method_set_notify,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetJudge", SD_BUS_ARGS("b", on), SD_BUS_NO_RESULT, method_set_judge,
                                SD_BUS_VTABLE_UNPRIVILEGED),
#define JOB_PROPERTY(name, signature, kind, expression) \
        SD_BUS_PROPERTY(#name, signature, bus_no_getter, 0, PROPERTY_FLAGS_##kind),
#include "bus/job_properties.def"
#undef JOB_PROPERTY
        SD_BUS_VTABLE_END,
};

static int find_object(sd_bus *bus _unused_, const char *path, const char *interface _unused_, void *userdata,
                       void **ret_found, sd_bus_error *error _unused_) {
        struct peer *peer = peer_of_call(userdata);
        struct guid id;
        uint32_t file;

        if (bus_path_parse(path, &id, &file) < 0 || file != BUS_PATH_NO_FILE || !peer || !bus_find_job(peer, path, NULL))
                return 0;
        *ret_found = peer;
        return 1;
}

/* ---- the gate ---- */

/* 1: *ret is open for values; 0: not for us. */
static int read_property_call(sd_bus_message *m, const char *wanted, const char **ret_name) {
        const char *interface;
        int r;

        *ret_name = NULL;
        if (sd_bus_message_is_method_call(m, BUS_PROPERTIES_INTERFACE, "Get") > 0 &&
            sd_bus_message_has_signature(m, "ss") > 0)
                r = sd_bus_message_read(m, "ss", &interface, ret_name);
        else if (sd_bus_message_is_method_call(m, BUS_PROPERTIES_INTERFACE, "GetAll") > 0 &&
                 sd_bus_message_has_signature(m, "s") > 0)
                r = sd_bus_message_read(m, "s", &interface);
        else
                return 0;
        if (r >= 0 && !streq(interface, wanted) && !(streq(interface, "") && !*ret_name))
                r = 0;
        (void) sd_bus_message_rewind(m, true);
        return r < 0 ? r : r > 0;
}

static int append_variant(sd_bus_message *reply, struct peer *peer, const struct job *job, const struct job_file *file,
                          const char *name) {
        const char *signature = file ? bus_file_property_signature(name) : bus_job_property_signature(name);
        int r;

        if (!signature)
                return -ENOENT;
        r = sd_bus_message_open_container(reply, 'v', signature);
        if (r >= 0)
                r = file ? bus_append_file_property(reply, peer, file, name) : bus_append_job_property(reply, peer, job, name);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* 1: an answer goes out, for a job with changes after their commit: nobody is told what a power cut may take back. sd-bus itself would
 * look the job and each property up anew for every value of a GetAll. */
static int answer_property_call(sd_bus_message *m, struct peer *peer, const struct job *job, const struct job_file *file,
                                sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp)
        sd_bus_message *reply = NULL;
        const char *name;
        int r;

        r = read_property_call(m, file ? BUS_FILE_INTERFACE : BUS_JOB_INTERFACE, &name);
        if (r <= 0)
                return r;
        r = sd_bus_message_new_method_return(m, &reply);
        if (r < 0)
                return r;
        if (name)
                r = append_variant(reply, peer, job, file, name);
        else
                r = file ? bus_append_file(reply, peer, file, true) : bus_append_job(reply, peer, job, PROPERTY_ALL);
        if (r == -ENOENT)
                return 0; /* sd-bus knows what to say */
        if (r < 0)
                return r;
        return bus_reply(peer, m, TAKE_PTR(reply), manager_job_is_dirty(peer->server->manager, job), error);
}

static bool is_for_us(sd_bus_message *m) {
        const char *interface = sd_bus_message_get_interface(m);

        return !interface || streq(interface, BUS_JOB_INTERFACE) || streq(interface, BUS_FILE_INTERFACE) ||
               streq(interface, BUS_PROPERTIES_INTERFACE);
}

/* Comes before the vtables of every object below /org/dosvc/job. */
static int on_any_call(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = peer_of_call(userdata);
        const char *path = sd_bus_message_get_path(m);
        struct job_file *file;
        struct job *job;
        int r;

        if (!is_for_us(m) || streq(path, BUS_JOBS_PATH))
                return 0;
        job = bus_find_job(peer, path, &file);
        if (!job || job->owner != peer->uid) {
                r = bus_authorize_object(peer, m, error);
                if (r <= 0)
                        return r < 0 ? r : 1;
        }
        return job ? answer_property_call(m, peer, job, file, error) : 0;
}

int bus_job_add(struct peer *peer) {
        int r = sd_bus_add_fallback(peer->bus, NULL, BUS_JOBS_PATH, on_any_call, peer);

        if (r < 0)
                return r;
        return sd_bus_add_fallback_vtable(peer->bus, NULL, BUS_JOBS_PATH, BUS_JOB_INTERFACE, job_vtable, find_object,
                                          peer);
}
