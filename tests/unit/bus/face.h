/* The face on a whole service: real sd-bus on both ends of a socketpair, and nothing is durable before the test says so (harness_pump()). */
#pragma once

#include <systemd/sd-bus.h>

#include "../../component/harness.h"
#include "bus/bus_server.h"

#define CALLS_MAX 4
#define CLIENTS_MAX 4

struct fixture {
        struct harness *h;
        sd_event *event;
        struct bus_server *server;
        unsigned n_failed;
        unsigned n_reloads;
        const char *broken; /* what is wrong with the configuration */
};

struct client {
        struct fixture *f;
        sd_bus *bus;
        char log[4096]; /* one word per answer, signal and callback */
        bool takes_callbacks;
        uint32_t verdict; /* on certificates */
};

void note(struct client *c, const char *format, ...) _printf_(2, 3);
/* Everything that the sockets carry, but no turn of the manager and no commit. False: that was nothing. */
bool talk(struct fixture *f);
/* And everything that follows from it. */
void settle(struct fixture *f);
void expect(struct client *c, const char *log);

struct client *client_new(struct fixture *f);
struct client *client_new_as(struct fixture *f, uid_t uid); /* another one wants root */
int client_try_as(struct fixture *f, uid_t uid); /* only whether it is let in */
struct client *client_new_of(struct fixture *f, const int fds[static 2]); /* its connection is there already; CONSUMED */
void client_free(struct client *c);
/* A process of that user that made the connections (root only), which outlive it; it does nothing until process_end(). */
pid_t process_with_connections(uid_t uid, size_t n, int ret_pairs[][2]);
void process_end(pid_t pid);
int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error); /* notes it */
const char *job_path(struct fixture *f);
void call(struct client *c, const char *method, const char *types, ...);

int make_service(void **state);
/* For all users, with who says who is an administrator (NULL: nobody but root is one). */
int make_service_for_all(void **state, const struct authority *authority, size_t max_clients);
int free_service(void **state);
