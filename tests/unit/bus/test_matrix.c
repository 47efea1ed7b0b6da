/* Every caller × every method and property of idl/org.dosvc.xml × whose job × its state, against the rules of authorization.def: what is
 * answered, whom polkit is asked about and for what, and that nothing happens where nothing may. Real sd-bus on both ends, a whole service,
 * a polkit that answers as the caller's kind says. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/strings.h"
#include "face.h"

#define OWNER_UID 4001
#define CALLER_UID 4002
#define MARKER(whose) ((whose) == WHOSE_OWN ? "the-callers-own-secret" : "another-ones-secret")
#define NEVER_TOLD "never-told"
#define ABSENT_ID "00000000-0000-4000-8000-000000000000"
#define DBUS_ERROR "org.freedesktop.DBus.Error."
#define BATCH 96 /* connections of one process that ends */

/* ---- the rules ---- */

enum who { EVERYBODY, ADMINISTRATORS, OWNER, MANAGE, TAKE, SOME };
enum form { FORM_RIGHT, FORM_NO_INTERFACE, FORM_WRONG_ARGUMENTS, _FORM_MAX };
enum whose { WHOSE_OWN, WHOSE_OTHERS, WHOSE_ABSENT, _WHOSE_MAX };
enum secrecy { PLAIN, SECRET, _SECRECY_MAX };

/* One thing that can be asked for. */
struct member {
        char interface[40];
        char name[32];
        const char *detail; /* property, or NULL */
        const char *signature;
        enum form form;
        enum who who;
        const char *answers;
        const char *otherwise; /* what 'n' stands for */
        enum secrecy secrecy;
        int (*append)(sd_bus_message *m, const char *id);
        bool is_manager, is_file;
        bool sets; /* a property that nobody can set like that */
};

struct rule {
        const char *interface, *name;
        enum who who;
        const char *answers, *otherwise;
        int (*append)(sd_bus_message *m, const char *id);
        bool used;
};

#define METHOD(interface, name, who, answers, otherwise, ...)                                       \
        static int append_##interface##_##name(sd_bus_message *m, const char *id _unused_) {        \
                return sd_bus_message_append(m, __VA_ARGS__);                                       \
        }                                                                                           \
        _Static_assert(sizeof(answers) == _JOB_STATE_MAX + 1, #name ": one answer for each state");
#define SETTING(name, who, answers, otherwise, signature, value)                                    \
        static int append_setting_##name(sd_bus_message *m, const char *id _unused_) {              \
                return sd_bus_message_append(m, "a{sv}", 1, #name, signature, value);               \
        }                                                                                           \
        _Static_assert(sizeof(answers) == _JOB_STATE_MAX + 1, #name ": one answer for each state");
#define PROPERTY(interface, name, secrecy)
#include "authorization.def"
#undef METHOD
#undef SETTING
#undef PROPERTY

static struct rule method_rules[] = {
#define METHOD(interface, name, who, answers, otherwise, ...) { #interface, #name, who, answers, otherwise, append_##interface##_##name, false },
#define SETTING(...)
#define PROPERTY(...)
#include "authorization.def"
#undef METHOD
#undef SETTING
#undef PROPERTY
};

static struct rule setting_rules[] = {
#define METHOD(...)
#define SETTING(name, who, answers, otherwise, ...) { "Job1", #name, who, answers, otherwise, append_setting_##name, false },
#define PROPERTY(...)
#include "authorization.def"
#undef METHOD
#undef SETTING
#undef PROPERTY
};

static struct {
        const char *interface, *name;
        enum secrecy secrecy;
        bool used;
} property_rules[] = {
#define METHOD(...)
#define SETTING(...)
#define PROPERTY(interface, name, secrecy) { #interface, #name, secrecy, false },
#include "authorization.def"
#undef METHOD
#undef SETTING
#undef PROPERTY
};

/* What the contract has, which the rules are compared with. */
static const struct {
        char kind;
        const char *interface, *name, *signature;
} contract[] = {
#define MEMBER_METHOD(interface, name, signature) { 'm', #interface, #name, signature },
#define MEMBER_PROPERTY(interface, name, signature) { 'p', #interface, #name, signature },
#define MEMBER_SETTING(name, signature) { 's', "Job1", #name, signature },
#include "members.inc"
#undef MEMBER_METHOD
#undef MEMBER_PROPERTY
#undef MEMBER_SETTING
};

#define MEMBERS_MAX (ELEMENTSOF(contract) * _FORM_MAX + 16)
static struct member members[MEMBERS_MAX];
static size_t n_members;

static struct member *add_member(const char *interface, const char *name) {
        struct member *member = &members[n_members++];

        assert_true(n_members <= MEMBERS_MAX);
        snprintf(member->interface, sizeof(member->interface), "%s%s", strchr(interface, '.') ? "" : "org.dosvc.", interface);
        snprintf(member->name, sizeof(member->name), "%s", name);
        member->is_manager = streq(interface, "Manager1");
        member->is_file = streq(interface, "File1");
        member->answers = "o-ooooooo";
        member->who = MANAGE;
        return member;
}

static struct rule *rule_of(struct rule *rules, size_t n, const char *interface, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (streq(rules[i].interface, interface) && streq(rules[i].name, name)) {
                        rules[i].used = true;
                        return &rules[i];
                }
        fail_msg("authorization.def says nothing about %s.%s", interface, name);
        return NULL;
}

static struct member *add_ruled(const struct rule *rule, const char *method, const char *signature) {
        struct member *member = add_member(rule->interface, method);

        member->who = rule->who;
        member->answers = rule->answers;
        member->otherwise = rule->otherwise;
        member->append = rule->append;
        member->signature = signature;
        if (streq(method, "ListFiles") || streq(method, "ListJobs") || streq(method, "ListAllJobs"))
                member->secrecy = SECRET; /* all properties of something */
        return member;
}

static int append_wrong(sd_bus_message *m, const char *id _unused_) {
        return sd_bus_message_append(m, "x", INT64_C(1));
}

static void add_method(size_t c) {
        const struct rule *rule = rule_of(method_rules, ELEMENTSOF(method_rules), contract[c].interface, contract[c].name);

        for (enum form form = 0; form < _FORM_MAX; form++) {
                struct member *member = add_ruled(rule, contract[c].name, contract[c].signature);

                member->form = form;
                if (form == FORM_WRONG_ARGUMENTS)
                        member->append = append_wrong;
        }
}

/* Both ways of Properties, on the object that has it. */
static void add_property(size_t c) {
        enum secrecy secrecy = _SECRECY_MAX;
        struct member *member;

        for (size_t i = 0; i < ELEMENTSOF(property_rules); i++)
                if (streq(property_rules[i].interface, contract[c].interface) && streq(property_rules[i].name, contract[c].name)) {
                        property_rules[i].used = true;
                        secrecy = property_rules[i].secrecy;
                }
        if (secrecy == _SECRECY_MAX)
                fail_msg("authorization.def says nothing about %s.%s", contract[c].interface, contract[c].name);
        for (int sets = 0; sets < 2; sets++) {
                member = add_member("org.freedesktop.DBus.Properties", sets ? "Set" : "Get");
                member->is_file = streq(contract[c].interface, "File1");
                member->detail = contract[c].name;
                member->secrecy = secrecy;
                member->sets = sets;
                member->who = sets ? OWNER : MANAGE;
        }
}

/* What no XML has to name. */
static void add_rest(void) {
        struct member *member;

        for (int is_file = 0; is_file < 2; is_file++) {
                member = add_member("org.freedesktop.DBus.Properties", "GetAll");
                member->is_file = is_file;
                member->secrecy = SECRET;
                member = add_member(is_file ? "File1" : "Job1", "NoSuchMethod");
                member->who = OWNER;
                member->answers = "n-nnnnnnn";
                member->otherwise = DBUS_ERROR "UnknownMethod";
        }
}

static int collect_members(void **state _unused_) {
        for (size_t c = 0; c < ELEMENTSOF(contract); c++)
                if (contract[c].kind == 'm')
                        add_method(c);
                else if (contract[c].kind == 'p')
                        add_property(c);
                else
                        add_ruled(rule_of(setting_rules, ELEMENTSOF(setting_rules), "Job1", contract[c].name), "SetProperties", "a{sv}")->detail =
                                contract[c].name;
        add_rest();
        return 0;
}

static void every_rule_is_about_something_of_the_contract(void **state _unused_) {
        for (size_t i = 0; i < ELEMENTSOF(method_rules); i++)
                if (!method_rules[i].used)
                        fail_msg("there is no method %s.%s", method_rules[i].interface, method_rules[i].name);
        for (size_t i = 0; i < ELEMENTSOF(setting_rules); i++)
                if (!setting_rules[i].used)
                        fail_msg("nothing sets %s", setting_rules[i].name);
        for (size_t i = 0; i < ELEMENTSOF(property_rules); i++)
                if (!property_rules[i].used)
                        fail_msg("there is no property %s.%s", property_rules[i].interface, property_rules[i].name);
}

/* ---- callers ---- */

enum caller { CALLER_NO_POLKIT, CALLER_NO, CALLER_YES, CALLER_UNASKABLE, CALLER_ROOT, CALLER_GONE, CALLER_ENDED, _CALLER_MAX };
static const char *const caller_names[] = { "a user where there is no polkit", "a user polkit says no to", "an administrator by polkit",
                                            "a user polkit cannot be asked about", "root", "a client that goes while it is judged",
                                            "a client whose process ends while it is judged" };
static const char *const whose_names[] = { "its own", "another's", "no" };

/* ---- a polkit ---- */

struct question {
        bool used;
        char action[64];
        authority_answer_fn answer;
        void *userdata;
};
static struct question questions[BATCH];
static unsigned n_asked, n_cancelled;
static bool unaskable;

static int fake_ask(void *userdata _unused_, const struct authority_question *question, authority_answer_fn answer, void *answer_userdata,
                    void **ret) {
        assert_int_equal(question->uid, CALLER_UID);
        assert_null(question->bus_name);
        n_asked++;
        if (unaskable)
                return -EIO;
        for (size_t i = 0; i < BATCH; i++) {
                if (questions[i].used)
                        continue;
                questions[i] = (struct question) { .used = true, .answer = answer, .userdata = answer_userdata };
                snprintf(questions[i].action, sizeof(questions[i].action), "%s", question->action);
                *ret = &questions[i];
                return 0;
        }
        fail();
        return -ENOSPC;
}

static void fake_cancel(void *userdata _unused_, void *asked) {
        struct question *question = asked;

        assert_true(question->used);
        question->used = false;
        n_cancelled++;
}

static const struct authority fake = { .ask = fake_ask, .cancel = fake_cancel };

/* All that are open. */
static unsigned decide(bool yes, const char *action) {
        unsigned n = 0;

        for (size_t i = 0; i < BATCH; i++) {
                if (!questions[i].used)
                        continue;
                questions[i].used = false;
                n++;
                if (action)
                        assert_string_equal(questions[i].action, action);
                questions[i].answer(yes, questions[i].userdata);
        }
        return n;
}

/* ---- jobs in each state ---- */

struct place {
        struct fixture *f;
        enum caller caller;
        enum job_state state;
        struct client *client;
        struct guid id[2];      /* own, another's */
        bool spent[2];          /* something was done to it */
        bool only_set;          /* that is: a property was set */
        unsigned n_made;
        unsigned n_cells;
};

static uid_t uid_of(enum caller caller) {
        return caller == CALLER_ROOT ? 0 : CALLER_UID;
}

static void on_reply(const struct manager_reply *reply, void *userdata) {
        assert_int_equal(reply->outcome, 0);
        if (userdata)
                *(struct guid *) userdata = reply->id;
}

static struct job *job_at(struct place *p, const struct guid *id) {
        return manager_find_any_job(p->f->h->manager, id);
}

static char *with_marker(enum whose whose, const char *before, const char *behind) {
        char *text;

        assert_true(asprintf(&text, "%s%s%s", before, MARKER(whose), behind) > 0);
        return text;
}

static void replace_text(char **text, char *with) {
        free(*text);
        *text = with;
}

static void plant(struct place *p, struct job *job, enum whose whose) {
        _cleanup_free_ char *headers = with_marker(whose, "X-Token: ", ""), *parameters = with_marker(whose, "true ", ""),
                            *proxies = with_marker(whose, "http://user:", "@proxy:1");
        struct manager_properties properties = MANAGER_PROPERTIES_NONE;
        struct job_file *file = job->files[0];

        properties.custom_headers = headers;
        properties.auth_headers = "Authorization: " NEVER_TOLD;
        for (size_t i = 0; i < (size_t) _JOB_AUTH_TARGET_MAX * _JOB_AUTH_SCHEME_MAX; i++)
                properties.credentials[i / _JOB_AUTH_SCHEME_MAX][i % _JOB_AUTH_SCHEME_MAX] = "user:" NEVER_TOLD;
        properties.notify_command = "/bin/true";
        properties.notify_parameters = parameters;
        properties.notify_flags = 0; /* it is not run */
        properties.proxy_usage = 2;
        properties.proxy_list = proxies;
        manager_set_properties(p->f->h->manager, job, &properties, on_reply, NULL);
        assert_int_equal(job_file_set_response(file, &(struct file_response) {}), 0);
        replace_text(&file->response->headers, with_marker(whose, "HTTP/1.1 200 OK\r\nSet-Cookie: ", "\r\n"));
        replace_text(&file->response->url, with_marker(whose, "http://origin/other?", ""));
        replace_text(&file->source_trouble, with_marker(whose, "mirror: ", ""));
}

static void to_state(struct place *p, struct guid *id) {
        struct harness *h = p->f->h;
        enum job_state state = p->state;

        if (state == JOB_SUSPENDED)
                return;
        if (state == JOB_CANCELLED) {
                manager_cancel_job(h->manager, job_at(p, id), on_reply, NULL);
                return;
        }
        manager_resume_job(h->manager, job_at(p, id), on_reply, NULL);
        settle(p->f);
        /* Its mirrors fail, too. */
        for (int i = 0; (state == JOB_ERROR || state == JOB_TRANSIENT_ERROR) && i < 4 && harness_running(h) > 0; i++) {
                harness_finish(h, harness_request(h, 0), ENGINE_FAILED, ERROR_HTTP_STATUS, state == JOB_TRANSIENT_ERROR);
                settle(p->f);
        }
        if (state == JOB_TRANSFERRED || state == JOB_ACKNOWLEDGED)
                harness_serve(h, harness_request(h, 0), 10);
        if (state == JOB_ACKNOWLEDGED)
                manager_complete_job(h->manager, job_at(p, id), on_reply, NULL);
}

/* Queued ones wait for a slot; there is none. */
static void make_job(struct place *p, enum whose whose) {
        _cleanup_free_ char *query = with_marker(whose, "file?token=", ""), *url = with_marker(whose, "http://user:", "@origin/"),
                            *mirrors = with_marker(whose, "http://user:", "@mirror/file");
        struct harness *h = p->f->h;
        struct manager_file_spec file = {
                .file = { .mirrors = mirrors, .stated_size = SIZE_UNKNOWN, .mode = 0644 },
        };
        char name[32];

        url = realloc(url, strlen(url) + strlen(query) + 1);
        assert_non_null(url);
        file.file.url = strcat(url, query);
        snprintf(name, sizeof(name), "file-%u", p->n_made++);
        file.file.path = harness_path(h, name);
        manager_create_job(h->manager,
                           &(struct manager_create_request) { .owner = whose == WHOSE_OWN ? uid_of(p->caller) : OWNER_UID, .name = "job",
                                                              .priority = p->state == JOB_QUEUED ? JOB_PRIORITY_NORMAL : JOB_PRIORITY_FOREGROUND,
                                                              .replace = -1, .remote_time = -1, .no_progress_timeout_s = -1,
                                                              .minimum_retry_delay_s = -1, .notify_flags = -1, .files = &file, .n_files = 1 },
                           on_reply, &p->id[whose]);
        settle(p->f);
        to_state(p, &p->id[whose]);
        settle(p->f);
        assert_string_equal(job_state_name(job_at(p, &p->id[whose])->state), job_state_name(p->state));
        if (!job_state_is_final(p->state))
                plant(p, job_at(p, &p->id[whose]), whose);
        settle(p->f);
        harness_forget(h);
        p->spent[whose] = false;
}

/* As it was before the last cell. */
static void renew_job(struct place *p, enum whose whose) {
        struct job *job = job_at(p, &p->id[whose]);

        if (p->only_set && job->state == p->state) {
                plant(p, job, whose);
                settle(p->f);
                harness_forget(p->f->h);
                p->spent[whose] = false;
                return;
        }
        if (!job_state_is_final(job->state))
                manager_cancel_job(p->f->h->manager, job, on_reply, NULL);
        settle(p->f);
        make_job(p, whose);
}

/* ---- one cell ---- */

/* What was in an answer. */
#define TELLS_OWN 1U
#define TELLS_OTHERS 2U

static bool is_administrator(enum caller caller) {
        return caller == CALLER_ROOT || caller == CALLER_YES;
}

/* Whether polkit is asked: about whatever is not the caller's own, there or not, and nothing else. */
static bool is_asked(const struct place *p, const struct member *member, enum whose whose) {
        if (p->caller == CALLER_ROOT || p->caller == CALLER_NO_POLKIT || member->who == EVERYBODY)
                return false;
        if (member->is_manager && member->form != FORM_RIGHT)
                return false; /* no such call */
        return member->who == ADMINISTRATORS || whose != WHOSE_OWN;
}

static const char *answer_of_form(const struct member *member, enum job_state state) {
        if (member->form == FORM_NO_INTERFACE)
                return member->is_manager ? DBUS_ERROR "UnknownObject" : DBUS_ERROR "UnknownMethod"; /* as sd-bus has it */
        if (member->form == FORM_WRONG_ARGUMENTS)
                return DBUS_ERROR "InvalidArgs";
        if (member->sets)
                return DBUS_ERROR "PropertyReadOnly";
        return member->answers[state] == 'o' ? "ok" : member->answers[state] == 'i' ? "InvalidState" : member->otherwise;
}

static const char *expected(const struct place *p, const struct member *member, enum whose whose) {
        bool may = is_administrator(p->caller);

        if (member->is_manager && (member->who == EVERYBODY || member->form != FORM_RIGHT))
                return answer_of_form(member, p->state);
        if (member->who == ADMINISTRATORS)
                return may ? "ok" : "AccessDenied";
        if (whose == WHOSE_OWN)
                return answer_of_form(member, p->state);
        if (!may || whose == WHOSE_ABSENT)
                return "NotFound";
        if (member->is_manager)
                return answer_of_form(member, p->state);
        if (member->who == OWNER || (member->who == SOME && member->form == FORM_WRONG_ARGUMENTS))
                return "AccessDenied";
        return answer_of_form(member, p->state);
}

static int on_cell(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct client *c = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f;

        if (e) {
                note(c, "%s", startswith(e->name, "org.dosvc.Error.") ?: e->name);
                assert_null(strstr(e->message, "secret"));
                return 0;
        }
        note(c, "ok");
        f = open_memstream(&text, &size);
        assert_non_null(f);
        assert_true(sd_bus_message_dump(m, f, 0) >= 0);
        fclose(f);
        assert_null(strstr(text, NEVER_TOLD));
        c->verdict = (strstr(text, MARKER(WHOSE_OWN)) ? TELLS_OWN : 0) | (strstr(text, MARKER(WHOSE_OTHERS)) ? TELLS_OTHERS : 0);
        return 0;
}

static const char *path_of(const struct place *p, const struct member *member, enum whose whose, char id[static GUID_STRING_MAX]) {
        static char path[96];
        struct guid guid;
        char compact[33];

        if (whose == WHOSE_ABSENT)
                assert_int_equal(guid_from_string(ABSENT_ID, &guid), 0);
        else
                guid = p->id[whose];
        guid_to_string(&guid, id);
        guid_to_compact(&guid, compact);
        snprintf(path, sizeof(path), member->is_manager ? "/org/dosvc" : member->is_file ? "/org/dosvc/job/%s/file/0" : "/org/dosvc/job/%s", compact);
        return path;
}

static void send_cell(struct place *p, struct client *c, const struct member *member, enum whose whose) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const char *of = member->is_file ? "org.dosvc.File1" : "org.dosvc.Job1";
        char id[GUID_STRING_MAX];
        const char *path = path_of(p, member, whose, id);
        int r = 0;

        assert_true(sd_bus_message_new_method_call(c->bus, &m, NULL, path, member->form == FORM_NO_INTERFACE ? NULL : member->interface,
                                                   member->name) >= 0);
        if (member->append)
                r = member->append(m, id);
        else if (streq(member->name, "Get"))
                r = sd_bus_message_append(m, "ss", of, member->detail);
        else if (member->sets)
                r = sd_bus_message_append(m, "ssv", of, member->detail, "s", "other");
        else if (streq(member->name, "GetAll"))
                r = sd_bus_message_append(m, "s", of);
        assert_true(r >= 0);
        assert_true(member->form != FORM_RIGHT || !member->signature || sd_bus_message_has_signature(m, member->signature) > 0);
        assert_true(sd_bus_call_async(c->bus, NULL, m, on_cell, c, 0) >= 0);
}

/* All of them are told: one wrong rule is often wrong in a pattern. */
static unsigned n_wrong;

static void wrong(const struct place *p, const struct member *member, enum whose whose, const char *what, const char *is, const char *should) {
        static const char *const forms[] = { "", " without an interface", " with wrong arguments" };

        if (n_wrong++ < 100)
                print_error("%s calls %s.%s%s%s%s of %s %s job: %s \"%s\", not \"%s\"\n", caller_names[p->caller], member->interface, member->name,
                 member->detail ? " " : "", member->detail ?: "", forms[member->form], whose_names[whose],
                 whose == WHOSE_ABSENT ? "" : job_state_name(p->state), what, is, should);
}

/* Something is known now that was not before: rows, registrations, requests. */
struct footprint {
        uint64_t n_commits;
        size_t n_requests;
        bool has_notifier, has_judge;
};

static struct footprint take_footprint(struct place *p) {
        struct manager_statistics statistics;
        struct footprint footprint = { .n_requests = p->f->h->n_requests };

        manager_get_statistics(p->f->h->manager, &statistics);
        footprint.n_commits = statistics.n_commits;
        for (int i = 0; i < 2; i++) {
                struct job *job = job_at(p, &p->id[i]);

                footprint.has_notifier |= manager_get_notifier(p->f->h->manager, job) != NULL;
                footprint.has_judge |= manager_get_judge(p->f->h->manager, job) != NULL;
        }
        return footprint;
}

static bool footprint_equal(const struct footprint *a, const struct footprint *b) {
        return a->n_commits == b->n_commits && a->n_requests == b->n_requests && a->has_notifier == b->has_notifier &&
               a->has_judge == b->has_judge;
}

static void check_answer(struct place *p, struct client *c, const struct member *member, enum whose whose) {
        const char *should = expected(p, member, whose);

        c->log[strcspn(c->log, " ")] = 0; /* behind it: callbacks that were due */
        if (!streq(c->log, should))
                wrong(p, member, whose, "the answer is", c->log, should);
        if (c->verdict & TELLS_OTHERS)
                wrong(p, member, whose, "the answer tells", MARKER(WHOSE_OTHERS), "");
        if ((c->verdict & TELLS_OWN) && member->secrecy == PLAIN)
                wrong(p, member, whose, "the answer tells", MARKER(WHOSE_OWN), "");
        if (!(c->verdict & TELLS_OWN) && member->secrecy == SECRET && streq(should, "ok") && whose == WHOSE_OWN && !job_state_is_final(p->state))
                wrong(p, member, whose, "the answer tells", "", MARKER(WHOSE_OWN));
}

/* Its answer is there, and nothing else. */
static void run_cell(struct place *p, const struct member *member, enum whose whose) {
        const char *action = streq(member->name, "TakeOwnership") ? AUTHORITY_TAKE_OWNERSHIP
                           : streq(member->name, "Reload")        ? AUTHORITY_CHANGE_POLICY
                                                                  : AUTHORITY_MANAGE_ALL;
        bool asked = is_asked(p, member, whose);
        struct footprint before, after;
        struct client *c = p->client;

        if (whose != WHOSE_ABSENT && p->spent[whose])
                renew_job(p, whose);
        before = take_footprint(p);
        c->log[0] = 0;
        c->verdict = 0;
        n_asked = 0;
        send_cell(p, c, member, whose);
        settle(p->f);
        if (n_asked != asked)
                wrong(p, member, whose, "polkit is asked", n_asked ? "yes" : "no", asked ? "yes" : "no");
        if (asked && p->caller != CALLER_UNASKABLE) {
                after = take_footprint(p);
                assert_string_equal(c->log, "");
                assert_true(footprint_equal(&before, &after));
                assert_int_equal(decide(p->caller == CALLER_YES, action), 1);
                settle(p->f);
        }
        after = take_footprint(p);
        if (!footprint_equal(&before, &after)) {
                if (!streq(expected(p, member, whose), "ok"))
                        wrong(p, member, whose, "what happened is", "something", "nothing");
                if (whose != WHOSE_ABSENT)
                        p->spent[whose] = member->who != EVERYBODY;
                p->only_set = member->detail != NULL;
        }
        check_answer(p, c, member, whose);
        if (streq(member->name, "Subscribe") && streq(c->log, "ok")) {
                assert_true(sd_bus_call_method_async(c->bus, NULL, NULL, "/org/dosvc", "org.dosvc.Manager1", "Unsubscribe", on_cell, c, "s", "") >= 0);
                settle(p->f);
        }
        p->n_cells++;
}

/* ---- callers that are no more when the answer comes ---- */

/* The client closes its connection: its question is called off, and what comes of it is nothing. */
static void run_gone(struct place *p, const struct member *member, enum whose whose) {
        struct footprint before, after;

        if (!is_asked(p, member, whose))
                return; /* nobody waits for anything */
        before = take_footprint(p);
        p->client = client_new_as(p->f, CALLER_UID);
        n_asked = n_cancelled = 0;
        send_cell(p, p->client, member, whose);
        settle(p->f);
        assert_int_equal(n_asked, 1);
        client_free(p->client);
        settle(p->f);
        after = take_footprint(p);
        if (n_cancelled != 1 || decide(true, NULL) != 0)
                wrong(p, member, whose, "the question is", "open", "called off");
        if (!footprint_equal(&before, &after))
                wrong(p, member, whose, "what happened is", "something", "nothing");
        p->n_cells++;
}

/* CVE-2021-3560: the process is gone when polkit says yes, its connections are still there. */
static void run_ended(struct place *p, const struct member *const *batch, size_t n, enum whose whose) {
        struct client *clients[BATCH];
        struct footprint before = take_footprint(p), after;
        int pairs[BATCH][2];
        pid_t pid = process_with_connections(CALLER_UID, n, pairs);

        n_asked = 0;
        for (size_t i = 0; i < n; i++) {
                clients[i] = client_new_of(p->f, pairs[i]);
                send_cell(p, clients[i], batch[i], whose);
        }
        settle(p->f);
        assert_int_equal(n_asked, n);
        process_end(pid);
        assert_int_equal(decide(true, NULL), n);
        settle(p->f);
        after = take_footprint(p);
        assert_true(footprint_equal(&before, &after));
        for (size_t i = 0; i < n; i++) {
                check_answer(p, clients[i], batch[i], whose);
                client_free(clients[i]);
        }
        settle(p->f);
        p->n_cells += (unsigned) n;
}

static void run_all_ended(struct place *p, enum whose whose) {
        const struct member *batch[BATCH];
        size_t n = 0;

        for (size_t i = 0; i < n_members; i++) {
                if (is_asked(p, &members[i], whose))
                        batch[n++] = &members[i];
                if (n == BATCH || (i + 1 == n_members && n > 0)) {
                        run_ended(p, batch, n, whose);
                        n = 0;
                }
        }
}

/* ---- all of them ---- */

static unsigned run_place(enum caller caller, enum job_state state) {
        struct place p = { .caller = caller, .state = state };
        struct schedule_config schedule;
        void *fixture = NULL;

        memset(questions, 0, sizeof(questions));
        unaskable = caller == CALLER_UNASKABLE;
        assert_int_equal(make_service_for_all(&fixture, caller == CALLER_NO_POLKIT ? NULL : &fake, BATCH + 4), 0);
        p.f = fixture;
        schedule = p.f->h->schedule;
        schedule.background_slots = state == JOB_QUEUED ? 0 : 4;
        manager_set_limits(p.f->h->manager, &p.f->h->limits, &schedule);
        make_job(&p, WHOSE_OWN);
        make_job(&p, WHOSE_OTHERS);
        if (caller < CALLER_GONE)
                p.client = client_new_as(p.f, uid_of(caller));
        for (enum whose whose = 0; whose < _WHOSE_MAX; whose++) {
                if (whose == WHOSE_ABSENT && state != JOB_SUSPENDED)
                        continue; /* it has no state */
                if (caller == CALLER_ENDED)
                        run_all_ended(&p, whose);
                for (size_t i = 0; caller != CALLER_ENDED && i < n_members; i++)
                        (caller == CALLER_GONE ? run_gone : run_cell)(&p, &members[i], whose);
        }
        assert_int_equal(p.f->n_failed, 0);
        if (caller < CALLER_GONE)
                client_free(p.client);
        settle(p.f);
        free_service(&fixture);
        return p.n_cells;
}

static void each_caller_gets_what_the_rules_say_of_each_member_and_job(void **state _unused_) {
        unsigned n_cells = 0;

        for (enum caller caller = 0; caller < _CALLER_MAX; caller++)
                for (enum job_state job_state = 0; job_state < _JOB_STATE_MAX; job_state++)
                        if (job_state != JOB_CONNECTING)
                                n_cells += run_place(caller, job_state);
        print_message("%u cells, %u wrong\n", n_cells, n_wrong);
        assert_int_equal(n_wrong, 0);
        assert_true(n_cells > 10000);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_rule_is_about_something_of_the_contract),
                cmocka_unit_test(each_caller_gets_what_the_rules_say_of_each_member_and_job),
        };

        if (geteuid() != 0) {
                printf("needs root: others' connections are made with their uid\n");
                return 77;
        }
        if (access("/dev/shm", W_OK) == 0)
                (void) setenv("TMPDIR", "/dev/shm", 0); /* hundreds of jobs: nothing of them is asked of a disk */
        return cmocka_run_group_tests(tests, collect_members, NULL);
}
