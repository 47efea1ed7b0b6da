/* One process with many clients: each thread has a connection of its own and makes its calls one after another. ID is a job that
 * is asked for through the library; "ping" makes plain sockets of the connections, which one thread answers with as many bytes.
 * Writes the time of every call, nanoseconds as text, one in a line. usage: bench_clients THREADS CALLS ID|ping > TIMES */
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <dosvc.h>

#define CLIENTS_MAX 1000
#define REQUEST_BYTES 200 /* about what travels for one job */
#define ANSWER_BYTES 1500

static size_t n_calls;
static const char *id;
static pthread_barrier_t together;

struct client {
        pthread_t thread;
        dosvc *connection; /* NULL: a plain socket */
        int fd;
        uint64_t *nsec;
        int failed;
};

static uint64_t now_nsec(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}

static int see_job(const dosvc_job_info *job, void *userdata) {
        return 0;
}

static bool ask(const struct client *client) {
        char bytes[ANSWER_BYTES] = "";
        ssize_t n = 0, got;

        if (client->connection)
                return dosvc_get_job(client->connection, id, see_job, NULL) >= 0;
        if (write(client->fd, bytes, REQUEST_BYTES) != REQUEST_BYTES)
                return false;
        for (; n < ANSWER_BYTES; n += got) {
                got = read(client->fd, bytes, (size_t) (ANSWER_BYTES - n));
                if (got <= 0)
                        return false;
        }
        return true;
}

/* The other ends of the plain sockets. */
static struct pollfd others[CLIENTS_MAX];
static nfds_t n_others;

static void *echo(void *userdata) {
        char bytes[ANSWER_BYTES] = "";

        while (poll(others, n_others, -1) > 0)
                for (nfds_t i = 0; i < n_others; i++) {
                        if (!others[i].revents)
                                continue;
                        if (read(others[i].fd, bytes, sizeof(bytes)) <= 0)
                                others[i].fd = -others[i].fd - 1;
                        else if (write(others[i].fd, bytes, ANSWER_BYTES) != ANSWER_BYTES)
                                abort();
                }
        return NULL;
}

static bool connect_client(struct client *client) {
        int fds[2];

        if (strcmp(id, "ping") != 0)
                return dosvc_open(DOSVC_CONNECT_NO_START, &client->connection) >= 0;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return false;
        client->fd = fds[0];
        others[n_others++] = (struct pollfd) { .fd = fds[1], .events = POLLIN };
        return true;
}

static void *call(void *userdata) {
        struct client *client = userdata;

        (void) pthread_barrier_wait(&together);
        for (size_t i = 0; i < n_calls; i++) {
                uint64_t began = now_nsec();

                client->failed += !ask(client);
                client->nsec[i] = now_nsec() - began;
        }
        return NULL;
}

int main(int argc, char *argv[]) {
        struct client *clients;
        pthread_t answering;
        size_t n;
        int failed = 0;

        if (argc != 4)
                return 2;
        n = strtoul(argv[1], NULL, 10);
        n_calls = strtoul(argv[2], NULL, 10);
        id = argv[3];
        clients = calloc(n, sizeof(*clients));
        if (!clients || n == 0 || n > CLIENTS_MAX || pthread_barrier_init(&together, NULL, (unsigned) n) != 0)
                return 1;
        for (size_t i = 0; i < n; i++) {
                clients[i].nsec = calloc(n_calls, sizeof(uint64_t));
                if (!clients[i].nsec || !connect_client(&clients[i])) {
                        (void) fprintf(stderr, "client %zu: %s\n", i, dosvc_last_error(NULL)->text);
                        return 1;
                }
        }
        if (n_others > 0 && pthread_create(&answering, NULL, echo, NULL) != 0)
                return 1;
        for (size_t i = 0; i < n; i++)
                if (pthread_create(&clients[i].thread, NULL, call, &clients[i]) != 0)
                        return 1;
        for (size_t i = 0; i < n; i++) {
                (void) pthread_join(clients[i].thread, NULL);
                failed += clients[i].failed;
                for (size_t k = 0; k < n_calls; k++)
                        (void) printf("%llu\n", (unsigned long long) clients[i].nsec[k]);
                dosvc_close(clients[i].connection);
                free(clients[i].nsec);
        }
        free(clients);
        return failed ? 1 : 0;
}
