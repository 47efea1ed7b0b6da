#include "fuzz_service.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWERS_MAX 12 /* to one input; then there are only errors, so that every list ends */
#define JOB_PATH "/org/dosvc/job/0123456789abcdef0123456789abcdef"
#define JOB_ID "01234567-89ab-cdef-0123-456789abcdef"

static struct {
        pthread_t thread;
        pthread_mutex_t lock;
        int listen_fd;
        struct fuzz_bytes bytes; /* what it says next */
        unsigned n_left;
        bool makes_jobs;
} service = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const char *answer_of(const char *member, const char *interface) {
        static const struct {
                const char *member, *signature;
        } answers[] = {
                { "CreateJob", "sb" },     { "GetJob", "o" },     { "ListJobs", "aa{sv}s" },       { "ListHistory", "aa{sv}s" },
                { "ListFiles", "aa{sv}u" }, { "GetAll", "a{sv}" }, { "GetServiceInfo", "a{sv}" },   { "ListConfiguration", "a(ssssssttsb)" },
                { "AddFiles", "u" },       { "Cancel", "b" },     { "Complete", "b" },             { "ReplaceUrlPrefix", "u" },
                { "Reload", "u" },
        };

        for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
                if (strcmp(answers[i].member, member) == 0)
                        return answers[i].signature;
        return "";
}

static void tell(sd_bus *bus) {
        sd_bus_message *m = NULL;
        uint8_t choice = fuzz_byte(&service.bytes);
        const char *signature = choice % 4 ? "sa{sv}as" : "soss";

        if (choice % 2 && sd_bus_message_new_signal(bus, &m, choice % 3 ? JOB_PATH : "/org/dosvc/job/x",
                                                    "org.freedesktop.DBus.Properties", "PropertiesChanged") >= 0 &&
            fuzz_message_append(m, signature, &service.bytes) >= 0)
                (void) sd_bus_send(bus, m, NULL);
        sd_bus_message_unref(m);
}

static int on_call(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        static const char *const others[] = { "", "s", "aa{sv}", "a(tt)", "sb", "v", "a{ss}", "u" };
        sd_bus_message *reply = NULL;
        const char *signature;
        uint8_t choice;

        if (!sd_bus_message_is_method_call(call, NULL, NULL))
                return 0;
        pthread_mutex_lock(&service.lock);
        choice = fuzz_byte(&service.bytes);
        signature = choice < 200 ? answer_of(sd_bus_message_get_member(call), sd_bus_message_get_interface(call))
                                 : others[choice % 8];
        tell(sd_bus_message_get_bus(call));
        if (service.makes_jobs && sd_bus_message_is_method_call(call, NULL, "CreateJob")) {
                (void) sd_bus_reply_method_return(call, "sb", JOB_ID, 0);
                pthread_mutex_unlock(&service.lock);
                return 1;
        }
        if (service.n_left > 0 && choice < 250 && sd_bus_message_new_method_return(call, &reply) >= 0 &&
            fuzz_message_append(reply, signature, &service.bytes) >= 0 &&
            sd_bus_send(NULL, reply, NULL) >= 0)
                service.n_left--;
        else
                (void) sd_bus_reply_method_errorf(call, "org.dosvc.Error.NotFound", "%s", choice % 2 ? "" : "text");
        sd_bus_message_unref(reply);
        pthread_mutex_unlock(&service.lock);
        return 1;
}

static sd_bus *greet(int fd) {
        sd_bus *bus;
        sd_id128_t id;

        if (fd < 0 || sd_id128_randomize(&id) < 0 || sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fd, fd) < 0 ||
            sd_bus_set_server(bus, 1, id) < 0 || sd_bus_negotiate_fds(bus, 1) < 0 ||
            sd_bus_add_filter(bus, NULL, on_call, NULL) < 0 || sd_bus_start(bus) < 0)
                abort();
        return bus;
}

static void *serve_one(void *userdata) {
        sd_bus *bus = userdata;
        int r;

        do
                r = sd_bus_process(bus, NULL);
        while (r > 0 || (r == 0 && sd_bus_wait(bus, UINT64_MAX) >= 0));
        sd_bus_close_unref(bus);
        return NULL;
}

/* <dosvc.h> and COM have a connection each. */
static void *serve(void *userdata) {
        for (;;) {
                sd_bus *bus = greet(accept4(service.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
                pthread_t thread;

                if (pthread_create(&thread, NULL, serve_one, bus) != 0 || pthread_detach(thread) != 0)
                        abort();
        }
        return NULL;
}

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static char directory[] = "/tmp/dosvc-fuzz-XXXXXX";

static void clean_up(void) {
        (void) unlink(address.sun_path);
        (void) rmdir(directory);
}

void fuzz_service_start(void) {
        char text[sizeof(address.sun_path) + 32];

        if (!mkdtemp(directory))
                abort();
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s/bus", directory);
        (void) snprintf(text, sizeof(text), "unix:path=%s", address.sun_path);
        service.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (atexit(clean_up) != 0 || bind(service.listen_fd, (struct sockaddr *) &address, sizeof(address)) < 0 ||
            listen(service.listen_fd, 64) < 0 || setenv("DOSVC_ADDRESS", text, 1) < 0 || pthread_create(&service.thread, NULL, serve, NULL) != 0)
                abort();
}

void fuzz_service_says(struct fuzz_bytes bytes, bool makes_jobs) {
        pthread_mutex_lock(&service.lock);
        service.bytes = bytes;
        service.n_left = ANSWERS_MAX;
        service.makes_jobs = makes_jobs;
        pthread_mutex_unlock(&service.lock);
}

void fuzz_service_is_quiet(void) {
        pthread_mutex_lock(&service.lock);
        service.bytes = (struct fuzz_bytes) {}; /* belongs to the caller */
        service.n_left = 0;
        pthread_mutex_unlock(&service.lock);
}
