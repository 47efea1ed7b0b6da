#include "fake_service.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "base/fds.h"
#include "base/strings.h"

#define JOBS_MAX 3000
#define CLIENTS_MAX 64
#define COUNTERS_MAX 64
#define PROPERTIES "org.freedesktop.DBus.Properties"

struct counter {
        char member[40];
        unsigned n;
};

struct fake_service {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        pthread_t thread;
        bool running, stop;
        char directory[64], path[96], address[128];
        int listen_fd, wake_fd;
        sd_bus *clients[CLIENTS_MAX];
        unsigned n_connections;
        struct fake_job *jobs;
        size_t n_jobs;
        char (*ids)[37];
        struct counter counters[COUNTERS_MAX];
        char fail_member[40], fail_error[96], fail_text[128];
        char hold_member[40], die_member[40], lie_member[40];
        sd_bus_message *held[CLIENTS_MAX];
        size_t n_held;
        char callback_answer[128];
        uint32_t callback_verdict;
        bool callback_answered;
};

static void die(const char *what) {
        fprintf(stderr, "fake service: %s\n", what);
        abort();
}

#define must(r)                  \
        do {                     \
                if ((r) < 0)     \
                        die(#r); \
        } while (0)

/* ---- jobs ---- */

static struct fake_job *find_job(struct fake_service *f, const char *id) {
        char hex[FAKE_HEX + 1];
        size_t n = 0;

        for (; *id && n < FAKE_HEX; id++)
                if (*id != '-')
                        hex[n++] = *id;
        hex[n] = 0;
        for (size_t i = 0; n > 0 && i < f->n_jobs; i++)
                if (startswith(f->jobs[i].hex, hex))
                        return &f->jobs[i];
        return NULL;
}

static struct fake_job *new_job(struct fake_service *f) {
        struct fake_job *job = &f->jobs[f->n_jobs];
        size_t i = f->n_jobs;

        if (f->n_jobs == JOBS_MAX)
                die("too many jobs");
        *job = (struct fake_job){ .family = "do",
                                  .state = "suspended",
                                  .priority = "normal",
                                  .notify_flags = 3,
                                  .minimum_retry_delay = 60,
                                  .no_progress_timeout = 3600,
                                  .stated_size = UINT64_MAX };
        snprintf(job->hex, sizeof(job->hex), "%08zxaaaabbbbccccdddddddddddd", i + 1);
        snprintf(f->ids[i], sizeof(f->ids[i]), "%08zx-aaaa-bbbb-cccc-dddddddddddd", i + 1);
        job->urls = calloc(FAKE_FILES_MAX, sizeof(char *));
        job->paths = calloc(FAKE_FILES_MAX, sizeof(char *));
        f->n_jobs++;
        return job;
}

static const char *id_of(struct fake_service *f, const struct fake_job *job) {
        return f->ids[job - f->jobs];
}

static void add_file(struct fake_job *job, const char *url, const char *path) {
        if (job->n_files == FAKE_FILES_MAX)
                die("too many files");
        job->urls[job->n_files] = strdup(url);
        job->paths[job->n_files++] = strdup(path);
}

/* ---- answers ---- */

static void append_string(sd_bus_message *m, const char *name, const char *value) {
        must(sd_bus_message_append(m, "{sv}", name, "s", value));
}

static void append_u64(sd_bus_message *m, const char *name, uint64_t value) {
        must(sd_bus_message_append(m, "{sv}", name, "t", value));
}

static void append_u32(sd_bus_message *m, const char *name, uint32_t value) {
        must(sd_bus_message_append(m, "{sv}", name, "u", value));
}

static void append_bytes(sd_bus_message *m, const char *name, const void *bytes, size_t size) {
        must(sd_bus_message_open_container(m, 'e', "sv"));
        must(sd_bus_message_append(m, "s", name));
        must(sd_bus_message_open_container(m, 'v', "ay"));
        must(sd_bus_message_append_array(m, 'y', bytes, size));
        must(sd_bus_message_close_container(m));
        must(sd_bus_message_close_container(m));
}

static void append_error(sd_bus_message *m, const struct fake_job *job) {
        must(sd_bus_message_open_container(m, 'e', "sv"));
        must(sd_bus_message_append(m, "s", "Error"));
        must(sd_bus_message_open_container(m, 'v', "a{sv}"));
        must(sd_bus_message_open_container(m, 'a', "{sv}"));
        if (job->error) {
                append_string(m, "Code", error_code_name(job->error));
                append_string(m, "Name", error_code_dbus_name(job->error));
                append_string(m, "Context", "remote_file");
                append_u32(m, "Hresult", error_code_hresult(job->error, streq(job->family, "bits"), 0));
                append_u32(m, "File", 0);
                append_string(m, "Url", "https://example.org/0");
                append_bytes(m, "Path", "/tmp/0", 6);
                append_string(m, "Text", "It went wrong in a test.");
        }
        for (unsigned i = 0; i < 3; i++)
                must(sd_bus_message_close_container(m));
}

static void append_job(struct fake_service *f, sd_bus_message *m, const struct fake_job *job) {
        must(sd_bus_message_open_container(m, 'a', "{sv}"));
        append_string(m, "Id", id_of(f, job));
        append_string(m, "Family", job->family);
        append_string(m, "Name", job->name);
        append_string(m, "Description", job->description);
        append_string(m, "State", job->state);
        append_string(m, "Priority", job->priority);
        append_u32(m, "Owner", 1000);
        append_u32(m, "NotifyFlags", job->notify_flags);
        append_u32(m, "MinimumRetryDelay", job->minimum_retry_delay);
        append_u32(m, "NoProgressTimeout", job->no_progress_timeout);
        append_u64(m, "CreatedTime", UINT64_C(1000000000000000));
        append_u64(m, "BytesTransferred", job->bytes_transferred);
        append_u64(m, "BytesTotal", UINT64_C(5000000000));
        append_u64(m, "FilesTotal", job->n_files);
        append_u64(m, "FilesTransferred", 1);
        append_u64(m, "ErrorCount", 7);
        /* What a newer service might say, and what this library would not believe. */
        must(sd_bus_message_append(m, "{sv}", "SomethingNew", "a(ss)", 1, "x", "y"));
        must(sd_bus_message_append(m, "{sv}", "WaitingSince", "s", "not a number"));
        append_error(m, job);
        must(sd_bus_message_close_container(m));
}

static void append_file(sd_bus_message *m, const struct fake_job *job, uint64_t i) {
        must(sd_bus_message_open_container(m, 'a', "{sv}"));
        append_u32(m, "Index", (uint32_t) i);
        append_string(m, "Url", job->urls[i]);
        append_bytes(m, "Path", job->paths[i], strlen(job->paths[i]));
        append_string(m, "State", streq(job->state, "acknowledged") ? "published" : "pending");
        append_u64(m, "BytesTotal", 100);
        append_u64(m, "BytesTransferred", 10 + i);
        if (i == 1)
                append_bytes(m, "Sha256", "01234567890123456789012345678901", 32);
        if (i == 1)
                must(sd_bus_message_append(m, "{sv}", "Ranges", "a(tt)", 2, UINT64_C(2), UINT64_C(4), UINT64_C(12),
                                           UINT64_C(5)));
        must(sd_bus_message_close_container(m));
}

static void send_and_forget(sd_bus_message *reply) {
        (void) sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
}

static sd_bus_message *new_reply(sd_bus_message *m) {
        sd_bus_message *reply;

        must(sd_bus_message_new_method_return(m, &reply));
        return reply;
}

static int fail(sd_bus_message *m, const char *name, const char *text) {
        return sd_bus_reply_method_errorf(m, name, "%s", text);
}

/* ---- what comes in ---- */

static void read_options(sd_bus_message *m, struct fake_job *job) {
        const char *name, *s;
        int b;

        must(sd_bus_message_enter_container(m, 'a', "{sv}"));
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                must(sd_bus_message_read(m, "s", &name));
                if (streq(name, "Family") || streq(name, "Name") || streq(name, "Description") ||
                    streq(name, "Priority")) {
                        must(sd_bus_message_read(m, "v", "s", &s));
                        snprintf(streq(name, "Family")        ? job->family
                                 : streq(name, "Name")        ? job->name
                                 : streq(name, "Description") ? job->description
                                                              : job->priority,
                                 streq(name, "Family")        ? 8
                                 : streq(name, "Name")        ? 256
                                 : streq(name, "Description") ? 64
                                                              : 16,
                                 "%s", s);
                } else if (streq(name, "Umask"))
                        must(sd_bus_message_read(m, "v", "u", &job->mask));
                else if (streq(name, "NotifyFlags"))
                        must(sd_bus_message_read(m, "v", "u", &job->notify_flags));
                else if (streq(name, "MinimumRetryDelay"))
                        must(sd_bus_message_read(m, "v", "u", &job->minimum_retry_delay));
                else if (streq(name, "NoProgressTimeout"))
                        must(sd_bus_message_read(m, "v", "u", &job->no_progress_timeout));
                else if (streq(name, "LifeTime") || strncmp(name, "Proxy", 5) == 0)
                        must(sd_bus_message_skip(m, "v"));
                else {
                        must(sd_bus_message_read(m, "v", "b", &b));
                        if (streq(name, "Replace"))
                                job->replace = b;
                        else if (streq(name, "Attach"))
                                job->attach = b;
                        else if (streq(name, "Resume"))
                                job->resume = b;
                        else if (streq(name, "CompleteWhenTransferred"))
                                job->complete_when_transferred = b;
                        else if (streq(name, "JudgeCertificate"))
                                job->judge_certificate = b;
                }
                must(sd_bus_message_exit_container(m));
        }
        must(sd_bus_message_exit_container(m));
}

static void read_file_options(sd_bus_message *m, struct fake_job *job) {
        const void *bytes;
        const char *name;
        uint64_t a, b;
        size_t size;
        struct stat st;
        int fd;

        must(sd_bus_message_enter_container(m, 'a', "{sv}"));
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                must(sd_bus_message_read(m, "s", &name));
                if (streq(name, "Directory")) {
                        must(sd_bus_message_read(m, "v", "h", &fd));
                        if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
                                die("not a directory");
                        job->n_directories++;
                } else if (streq(name, "FileId")) {
                        const char *s;

                        must(sd_bus_message_read(m, "v", "s", &s));
                        snprintf(job->file_id, sizeof(job->file_id), "%s", s);
                } else if (streq(name, "Size"))
                        must(sd_bus_message_read(m, "v", "t", &job->stated_size));
                else if (streq(name, "Sha256")) {
                        must(sd_bus_message_enter_container(m, 'v', "ay"));
                        must(sd_bus_message_read_array(m, 'y', &bytes, &size));
                        memcpy(job->sha256, bytes, MIN(size, sizeof(job->sha256)));
                        must(sd_bus_message_exit_container(m));
                } else if (streq(name, "Ranges")) {
                        must(sd_bus_message_enter_container(m, 'v', "a(tt)"));
                        must(sd_bus_message_enter_container(m, 'a', "(tt)"));
                        while (sd_bus_message_read(m, "(tt)", &a, &b) > 0)
                                job->n_ranges++;
                        must(sd_bus_message_exit_container(m));
                        must(sd_bus_message_exit_container(m));
                } else
                        die("unknown file option");
                must(sd_bus_message_exit_container(m));
        }
        must(sd_bus_message_exit_container(m));
}

static void read_files(sd_bus_message *m, struct fake_job *job) {
        const void *path;
        const char *url;
        size_t size;

        must(sd_bus_message_enter_container(m, 'a', "(saya{sv})"));
        while (sd_bus_message_enter_container(m, 'r', "saya{sv}") > 0) {
                char copy[5000];

                must(sd_bus_message_read(m, "s", &url));
                must(sd_bus_message_read_array(m, 'y', &path, &size));
                snprintf(copy, sizeof(copy), "%.*s", (int) size, (const char *) path);
                add_file(job, url, copy);
                read_file_options(m, job);
                must(sd_bus_message_exit_container(m));
        }
        must(sd_bus_message_exit_container(m));
}

static int answer_create(struct fake_service *f, sd_bus_message *m) {
        struct fake_job *job = new_job(f);
        const char *name;

        must(sd_bus_message_read(m, "s", &name));
        snprintf(job->name, sizeof(job->name), "%s", name);
        read_options(m, job);
        read_files(m, job);
        if (job->resume)
                strcpy(job->state, "queued");
        return sd_bus_reply_method_return(m, "sb", id_of(f, job), 0);
}

static int answer_get_job(struct fake_service *f, sd_bus_message *m) {
        const char *id, *family;
        struct fake_job *job;
        char path[80];

        must(sd_bus_message_read(m, "ss", &id, &family));
        job = find_job(f, id);
        if (!job || job->hidden || (*family && !streq(family, job->family)))
                return fail(m, "org.dosvc.Error.NotFound", "There is no such job.");
        snprintf(path, sizeof(path), "/org/dosvc/job/%s", job->hex);
        return sd_bus_reply_method_return(m, "o", path);
}

static bool is_live(const struct fake_job *job) {
        return !job->hidden && !streq(job->state, "acknowledged") && !streq(job->state, "cancelled");
}

static int answer_list_jobs(struct fake_service *f, sd_bus_message *m) {
        sd_bus_message *reply = new_reply(m);
        const char *family, *cursor;
        uint32_t limit, n = 0;
        char next[24] = "";

        must(sd_bus_message_read(m, "ssu", &family, &cursor, &limit));
        must(sd_bus_message_open_container(reply, 'a', "a{sv}"));
        for (size_t i = strtoul(cursor, NULL, 10); i < f->n_jobs; i++) {
                if (n == limit) {
                        snprintf(next, sizeof(next), "%zu", i);
                        break;
                }
                if (!is_live(&f->jobs[i]) || (*family && !streq(family, f->jobs[i].family)))
                        continue;
                append_job(f, reply, &f->jobs[i]);
                n++;
        }
        must(sd_bus_message_close_container(reply));
        must(sd_bus_message_append(reply, "s", next));
        send_and_forget(reply);
        return 1;
}

static int answer_list_history(struct fake_service *f, sd_bus_message *m) {
        sd_bus_message *reply = new_reply(m);

        must(sd_bus_message_open_container(reply, 'a', "a{sv}"));
        for (size_t i = 0; i < f->n_jobs; i++) {
                if (is_live(&f->jobs[i]))
                        continue;
                must(sd_bus_message_open_container(reply, 'a', "{sv}"));
                append_string(reply, "Id", f->ids[i]);
                append_string(reply, "Family", f->jobs[i].family);
                append_string(reply, "State", f->jobs[i].state);
                append_string(reply, "Name", f->jobs[i].name);
                append_u64(reply, "FilesTotal", f->jobs[i].n_files);
                must(sd_bus_message_close_container(reply));
        }
        must(sd_bus_message_close_container(reply));
        must(sd_bus_message_append(reply, "s", ""));
        send_and_forget(reply);
        return 1;
}

#define FILES_PER_PAGE 30 /* fewer than are asked for, as the real one does */

static int answer_list_files(sd_bus_message *m, const struct fake_job *job) {
        sd_bus_message *reply = new_reply(m);
        uint32_t first, limit;
        uint64_t next;

        must(sd_bus_message_read(m, "uu", &first, &limit));
        must(sd_bus_message_open_container(reply, 'a', "a{sv}"));
        for (next = first; next < job->n_files && next < first + MIN(limit, (uint64_t) FILES_PER_PAGE); next++)
                append_file(reply, job, next);
        must(sd_bus_message_close_container(reply));
        must(sd_bus_message_append(reply, "u", next < job->n_files ? (uint32_t) next : 0U));
        send_and_forget(reply);
        return 1;
}

static int answer_service(sd_bus_message *m) {
        sd_bus_message *reply = new_reply(m);

        must(sd_bus_message_open_container(reply, 'a', "{sv}"));
        append_string(reply, "Version", "9.9");
        append_u32(reply, "Pid", 4711);
        append_bytes(reply, "StateDirectory", "/var/x", 6);
        must(sd_bus_message_close_container(reply));
        send_and_forget(reply);
        return 1;
}

static int answer_get_all(struct fake_service *f, sd_bus_message *m, const struct fake_job *job, const char *file) {
        sd_bus_message *reply = new_reply(m);

        if (file)
                append_file(reply, job, strtoul(file, NULL, 10));
        else
                append_job(f, reply, job);
        send_and_forget(reply);
        return 1;
}

static int end_job(sd_bus_message *m, struct fake_job *job, const char *state) {
        if (!is_live(job))
                return fail(m, "org.dosvc.Error.InvalidState", "The job is in a state in which this cannot be done.");
        strcpy(job->state, state);
        return sd_bus_reply_method_return(m, "b", job->n_files == 3);
}

static int set_state(sd_bus_message *m, struct fake_job *job, const char *state) {
        if (job->n_files == 0 && streq(state, "queued"))
                return fail(m, "org.dosvc.Error.JobEmpty", "The job has no files. Add one first.");
        if (!is_live(job))
                return fail(m, "org.dosvc.Error.InvalidState", "The job is in a state in which this cannot be done.");
        strcpy(job->state, state);
        return sd_bus_reply_method_return(m, NULL);
}

static int answer_add_files(sd_bus_message *m, struct fake_job *job) {
        uint32_t first = (uint32_t) job->n_files;

        must(sd_bus_message_read(m, "u", &job->mask));
        read_files(m, job);
        return sd_bus_reply_method_return(m, "u", first);
}

static int answer_job(struct fake_service *f, sd_bus_message *m, const char *member, const char *rest) {
        struct fake_job *job = find_job(f, rest);
        const char *file = strstr(rest, "/file/");
        const char *url;
        int on;

        if (!job || job->hidden || (file && strtoul(file + 6, NULL, 10) >= job->n_files))
                return fail(m, SD_BUS_ERROR_UNKNOWN_OBJECT, "Unknown object.");
        if (streq(member, "GetAll"))
                return answer_get_all(f, m, job, file ? file + 6 : NULL);
        if (streq(member, "AddFiles"))
                return answer_add_files(m, job);
        if (streq(member, "Suspend"))
                return set_state(m, job, "suspended");
        if (streq(member, "Resume"))
                return set_state(m, job, "queued");
        if (streq(member, "Cancel"))
                return end_job(m, job, "cancelled");
        if (streq(member, "Complete"))
                return end_job(m, job, "acknowledged");
        if (streq(member, "ListFiles"))
                return answer_list_files(m, job);
        if (streq(member, "SetProperties")) {
                read_options(m, job);
                return sd_bus_reply_method_return(m, NULL);
        }
        if (streq(member, "SetNotify") || streq(member, "SetJudge")) {
                must(sd_bus_message_read(m, "b", &on));
                if (!is_live(job))
                        return fail(m, "org.dosvc.Error.InvalidState", "The job ended.");
                *(streq(member, "SetJudge") ? &job->judged : &job->notified) = on;
                return sd_bus_reply_method_return(m, NULL);
        }
        if (streq(member, "SetUrl") && file) {
                must(sd_bus_message_read(m, "s", &url));
                free(job->urls[strtoul(file + 6, NULL, 10)]);
                job->urls[strtoul(file + 6, NULL, 10)] = strdup(url);
                return sd_bus_reply_method_return(m, NULL);
        }
        return fail(m, SD_BUS_ERROR_UNKNOWN_METHOD, "Unknown method.");
}

static int answer(struct fake_service *f, sd_bus_message *m, const char *member) {
        const char *rest = startswith(sd_bus_message_get_path(m), "/org/dosvc/job/");

        if (rest)
                return answer_job(f, m, member, rest);
        if (streq(member, "CreateJob"))
                return answer_create(f, m);
        if (streq(member, "GetJob"))
                return answer_get_job(f, m);
        if (streq(member, "ListJobs"))
                return answer_list_jobs(f, m);
        if (streq(member, "ListHistory"))
                return answer_list_history(f, m);
        if (streq(member, "Subscribe") || streq(member, "Unsubscribe"))
                return sd_bus_reply_method_return(m, NULL);
        if (streq(member, "GetServiceInfo"))
                return answer_service(m);
        if (streq(member, "Reload"))
                return sd_bus_reply_method_return(m, "u", 5U);
        if (streq(member, "ListConfiguration"))
                return sd_bus_reply_method_return(m, "a(ssssssttsb)", 2, "TimeSlice", "300", "default", "seconds",
                                                  "How long.", "seconds", UINT64_C(1), UINT64_C(86400), "300", 0,
                                                  "StallTimeout", "60", "/etc/x", "seconds", "How long too.",
                                                  "seconds", UINT64_C(1), UINT64_C(3600), "60", 1);
        return fail(m, SD_BUS_ERROR_UNKNOWN_METHOD, "Unknown method.");
}

static void count(struct fake_service *f, const char *member) {
        for (unsigned i = 0; i < COUNTERS_MAX; i++) {
                struct counter *counter = &f->counters[i];

                if (!counter->n)
                        snprintf(counter->member, sizeof(counter->member), "%s", member);
                if (streq(counter->member, member)) {
                        counter->n++;
                        break;
                }
        }
        pthread_cond_broadcast(&f->changed);
}

static bool is_next(char *member, const char *name) {
        bool yes = streq(member, name);

        if (yes)
                *member = 0;
        return yes;
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct fake_service *f = userdata;
        const char *member = sd_bus_message_get_member(m);

        if (!sd_bus_message_is_method_call(m, NULL, NULL))
                return 0;
        count(f, member);
        if (is_next(f->die_member, member)) {
                sd_bus_close(sd_bus_message_get_bus(m));
                return 1;
        }
        if (is_next(f->fail_member, member))
                return fail(m, f->fail_error, f->fail_text);
        if (is_next(f->lie_member, member))
                return sd_bus_reply_method_return(m, "d", 1.5);
        if (streq(f->hold_member, member)) {
                f->held[f->n_held++] = sd_bus_message_ref(m);
                return 1;
        }
        return answer(f, m, member);
}

/* ---- the thread ---- */

static void accept_one(struct fake_service *f) {
        sd_id128_t id;
        sd_bus *bus;
        int fd;

        fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
                return;
        must(sd_id128_randomize(&id));
        must(sd_bus_new(&bus));
        must(sd_bus_set_fd(bus, fd, fd));
        must(sd_bus_set_server(bus, 1, id));
        must(sd_bus_negotiate_fds(bus, 1));
        must(sd_bus_add_filter(bus, NULL, on_message, f));
        must(sd_bus_start(bus));
        for (unsigned i = 0; i < CLIENTS_MAX; i++)
                if (!f->clients[i]) {
                        f->clients[i] = bus;
                        f->n_connections++;
                        return;
                }
        die("too many clients");
}

static void drop(struct fake_service *f, unsigned i) {
        sd_bus_close_unref(f->clients[i]);
        f->clients[i] = NULL;
        pthread_cond_broadcast(&f->changed);
}

static void *fake_main(void *arg) {
        struct fake_service *f = arg;

        pthread_mutex_lock(&f->lock);
        while (!f->stop) {
                struct pollfd fds[CLIENTS_MAX + 2] = { { .fd = f->wake_fd, .events = POLLIN },
                                                       { .fd = f->listen_fd, .events = POLLIN } };
                nfds_t n = 2;
                uint64_t value;

                for (unsigned i = 0; i < CLIENTS_MAX; i++) {
                        int r = 1;

                        while (f->clients[i] && (r = sd_bus_process(f->clients[i], NULL)) > 0)
                                ;
                        if (f->clients[i] && (r < 0 || sd_bus_is_open(f->clients[i]) <= 0))
                                drop(f, i);
                        if (f->clients[i])
                                fds[n++] = (struct pollfd){ .fd = sd_bus_get_fd(f->clients[i]),
                                                            .events = (short) sd_bus_get_events(f->clients[i]) };
                }
                pthread_mutex_unlock(&f->lock);
                (void) poll(fds, n, -1);
                pthread_mutex_lock(&f->lock);
                (void) !read(f->wake_fd, &value, sizeof(value));
                if (!f->stop && fds[1].revents & POLLIN)
                        accept_one(f);
        }
        for (unsigned i = 0; i < CLIENTS_MAX; i++)
                if (f->clients[i])
                        drop(f, i);
        pthread_mutex_unlock(&f->lock);
        return NULL;
}

static void wake(struct fake_service *f) {
        uint64_t one = 1;

        (void) !write(f->wake_fd, &one, sizeof(one));
}

void fake_service_start(struct fake_service *f) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
        f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        must(f->listen_fd);
        must(bind(f->listen_fd, (struct sockaddr *) &address, sizeof(address)));
        must(listen(f->listen_fd, 64));
        f->stop = false;
        must(-pthread_create(&f->thread, NULL, fake_main, f));
        f->running = true;
}

void fake_service_stop(struct fake_service *f) {
        if (!f->running)
                return;
        pthread_mutex_lock(&f->lock);
        f->stop = true;
        wake(f);
        pthread_mutex_unlock(&f->lock);
        pthread_join(f->thread, NULL);
        f->running = false;
        f->listen_fd = fd_close(f->listen_fd);
        (void) unlink(f->path);
}

struct fake_service *fake_service_new(void) {
        struct fake_service *f = calloc(1, sizeof(*f));

        pthread_mutex_init(&f->lock, NULL);
        pthread_cond_init(&f->changed, NULL);
        f->jobs = calloc(JOBS_MAX, sizeof(*f->jobs));
        f->ids = calloc(JOBS_MAX, sizeof(*f->ids));
        strcpy(f->directory, "/tmp/dosvc-fake-XXXXXX");
        if (!mkdtemp(f->directory))
                die("mkdtemp");
        snprintf(f->path, sizeof(f->path), "%s/bus", f->directory);
        snprintf(f->address, sizeof(f->address), "unix:path=%s", f->path);
        f->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        fake_service_start(f);
        setenv("DOSVC_ADDRESS", f->address, 1);
        return f;
}

struct fake_service *fake_service_free(struct fake_service *f) {
        fake_service_stop(f);
        for (size_t i = 0; i < f->n_held; i++)
                sd_bus_message_unref(f->held[i]);
        for (size_t i = 0; i < f->n_jobs; i++) {
                for (uint64_t k = 0; k < f->jobs[i].n_files; k++) {
                        free(f->jobs[i].urls[k]);
                        free(f->jobs[i].paths[k]);
                }
                free(f->jobs[i].urls);
                free(f->jobs[i].paths);
        }
        free(f->jobs);
        free(f->ids);
        (void) rmdir(f->directory);
        (void) fd_close(f->wake_fd);
        pthread_cond_destroy(&f->changed);
        pthread_mutex_destroy(&f->lock);
        free(f);
        unsetenv("DOSVC_ADDRESS");
        return NULL;
}

const char *fake_service_address(const struct fake_service *f) {
        return f->address;
}

void fake_service_cut(struct fake_service *f) {
        pthread_mutex_lock(&f->lock);
        for (unsigned i = 0; i < CLIENTS_MAX; i++)
                if (f->clients[i])
                        drop(f, i);
        wake(f);
        pthread_mutex_unlock(&f->lock);
}

/* ---- what tests do with it ---- */

const char *fake_service_add_job(struct fake_service *f, const char *family, const char *state, uint64_t n_files) {
        struct fake_job *job;
        const char *id;

        pthread_mutex_lock(&f->lock);
        job = new_job(f);
        strcpy(job->family, family);
        strcpy(job->state, state);
        snprintf(job->name, sizeof(job->name), "job %zu", f->n_jobs);
        for (uint64_t i = 0; i < n_files; i++) {
                char url[64], path[64];

                snprintf(url, sizeof(url), "https://example.org/%u", (unsigned) i);
                snprintf(path, sizeof(path), "/tmp/%u", (unsigned) i);
                add_file(job, url, path);
        }
        id = id_of(f, job);
        pthread_mutex_unlock(&f->lock);
        return id;
}

bool fake_service_get_job(struct fake_service *f, const char *hex, struct fake_job *ret) {
        struct fake_job *job;

        pthread_mutex_lock(&f->lock);
        job = find_job(f, hex);
        if (job)
                *ret = *job;
        pthread_mutex_unlock(&f->lock);
        return job;
}

static void signal_change(struct fake_service *f, const struct fake_job *job) {
        char path[80];

        snprintf(path, sizeof(path), "/org/dosvc/job/%s", job->hex);
        for (unsigned i = 0; i < CLIENTS_MAX; i++) {
                sd_bus_message *m;

                if (!f->clients[i] || sd_bus_is_ready(f->clients[i]) <= 0)
                        continue;
                must(sd_bus_message_new_signal(f->clients[i], &m, path, PROPERTIES, "PropertiesChanged"));
                must(sd_bus_message_append(m, "s", "org.dosvc.Job1"));
                append_job(f, m, job);
                must(sd_bus_message_append(m, "as", 0));
                (void) sd_bus_send(f->clients[i], m, NULL);
                sd_bus_message_unref(m);
        }
        wake(f);
}

void fake_service_set_state(struct fake_service *f, const char *id, const char *state) {
        struct fake_job *job;

        pthread_mutex_lock(&f->lock);
        job = find_job(f, id);
        strcpy(job->state, state);
        signal_change(f, job);
        pthread_mutex_unlock(&f->lock);
}

void fake_service_set_progress(struct fake_service *f, const char *id, uint64_t bytes) {
        struct fake_job *job;

        pthread_mutex_lock(&f->lock);
        job = find_job(f, id);
        job->bytes_transferred = bytes;
        signal_change(f, job);
        pthread_mutex_unlock(&f->lock);
}

void fake_service_set_error(struct fake_service *f, const char *id, enum error_code code) {
        pthread_mutex_lock(&f->lock);
        find_job(f, id)->error = code;
        pthread_mutex_unlock(&f->lock);
}

void fake_service_hide_job(struct fake_service *f, const char *id) {
        pthread_mutex_lock(&f->lock);
        find_job(f, id)->hidden = true;
        pthread_mutex_unlock(&f->lock);
}

static void set_member(struct fake_service *f, char *to, const char *member) {
        pthread_mutex_lock(&f->lock);
        snprintf(to, 40, "%s", member);
        pthread_mutex_unlock(&f->lock);
}

void fake_service_fail_next(struct fake_service *f, const char *member, const char *error, const char *text) {
        pthread_mutex_lock(&f->lock);
        snprintf(f->fail_error, sizeof(f->fail_error), "%s", error);
        snprintf(f->fail_text, sizeof(f->fail_text), "%s", text);
        pthread_mutex_unlock(&f->lock);
        set_member(f, f->fail_member, member);
}

void fake_service_hold(struct fake_service *f, const char *member) {
        set_member(f, f->hold_member, member);
}

void fake_service_release(struct fake_service *f) {
        pthread_mutex_lock(&f->lock);
        f->hold_member[0] = 0;
        for (size_t i = 0; i < f->n_held; i++) {
                (void) answer(f, f->held[i], sd_bus_message_get_member(f->held[i]));
                sd_bus_message_unref(f->held[i]);
        }
        f->n_held = 0;
        wake(f);
        pthread_mutex_unlock(&f->lock);
}

void fake_service_die_at(struct fake_service *f, const char *member) {
        set_member(f, f->die_member, member);
}

void fake_service_lie_at(struct fake_service *f, const char *member) {
        set_member(f, f->lie_member, member);
}

static unsigned count_of(const struct fake_service *f, const char *member) {
        for (unsigned i = 0; i < COUNTERS_MAX; i++)
                if (f->counters[i].n > 0 && streq(f->counters[i].member, member))
                        return f->counters[i].n;
        return 0;
}

unsigned fake_service_count(struct fake_service *f, const char *member) {
        unsigned n;

        pthread_mutex_lock(&f->lock);
        n = count_of(f, member);
        pthread_mutex_unlock(&f->lock);
        return n;
}

static struct timespec soon(void) {
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        ts.tv_sec += 10;
        return ts;
}

void fake_service_wait_for(struct fake_service *f, const char *member, unsigned n) {
        struct timespec until = soon();

        pthread_mutex_lock(&f->lock);
        while (count_of(f, member) < n)
                if (pthread_cond_timedwait(&f->changed, &f->lock, &until) != 0)
                        die("a call did not come");
        pthread_mutex_unlock(&f->lock);
}

unsigned fake_service_connections(struct fake_service *f) {
        unsigned n;

        pthread_mutex_lock(&f->lock);
        n = f->n_connections;
        pthread_mutex_unlock(&f->lock);
        return n;
}

unsigned fake_service_live_connections(struct fake_service *f) {
        unsigned n = 0;

        pthread_mutex_lock(&f->lock);
        for (unsigned i = 0; i < CLIENTS_MAX; i++)
                n += f->clients[i] != NULL;
        pthread_mutex_unlock(&f->lock);
        return n;
}

static int on_callback_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct fake_service *f = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);

        snprintf(f->callback_answer, sizeof(f->callback_answer), "%s", e ? e->name : "");
        if (!e && sd_bus_message_has_signature(m, "u"))
                must(sd_bus_message_read(m, "u", &f->callback_verdict));
        f->callback_answered = true;
        pthread_cond_broadcast(&f->changed);
        return 1;
}

static sd_bus_message *new_callback(struct fake_service *f, const char *member, const char *id) {
        sd_bus_message *m;

        for (unsigned i = 0; i < CLIENTS_MAX; i++) {
                if (!f->clients[i])
                        continue;
                must(sd_bus_message_new_method_call(f->clients[i], &m, NULL, "/org/dosvc/callback", "org.dosvc.Callback1", member));
                must(sd_bus_message_append(m, "s", id));
                return m;
        }
        die("nobody is there to be called back");
        return NULL;
}

/* Under the lock. */
static void call_and_wait(struct fake_service *f, sd_bus_message *m) {
        struct timespec until = soon();

        f->callback_answered = false;
        must(sd_bus_call_async(NULL, NULL, m, on_callback_answer, f, 0));
        sd_bus_message_unref(m);
        wake(f);
        while (!f->callback_answered)
                if (pthread_cond_timedwait(&f->changed, &f->lock, &until) != 0)
                        die("a callback was not answered");
}

const char *fake_service_call_back(struct fake_service *f, const char *member, const char *id) {
        pthread_mutex_lock(&f->lock);
        call_and_wait(f, new_callback(f, member, id));
        pthread_mutex_unlock(&f->lock);
        return f->callback_answer;
}

bool fake_service_ask(struct fake_service *f, const char *id, uint32_t file, const char *certificate, const char *all, uint32_t *ret) {
        sd_bus_message *m;
        bool answered;

        pthread_mutex_lock(&f->lock);
        m = new_callback(f, "JudgeCertificate", id);
        must(sd_bus_message_append(m, "u", file));
        must(sd_bus_message_append_array(m, 'y', certificate, strlen(certificate)));
        must(sd_bus_message_append_array(m, 'y', all, strlen(all)));
        call_and_wait(f, m);
        answered = !*f->callback_answer;
        *ret = f->callback_verdict;
        pthread_mutex_unlock(&f->lock);
        return answered;
}

pid_t fake_service_fork(struct fake_service *f) {
        pid_t pid;

        pthread_mutex_lock(&f->lock);
        pid = fork();
        if (pid != 0)
                pthread_mutex_unlock(&f->lock);
        return pid;
}

void fake_service_child_ends(bool ok) {
        const char *program = ok ? "/bin/true" : "/bin/false";

        (void) execl(program, program, (char *) NULL);
        _exit(2);
}
