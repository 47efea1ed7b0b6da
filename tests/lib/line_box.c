/* line_box: a slow line between two network namespaces of its own, for tests of how transfers share a line.
 *
 *   line_box --down RATE,DELAY,BUFFER[,LOSS] --up RATE,DELAY,BUFFER[,LOSS] [--log FILE] [--seed N]
 *
 * RATE in kbit/s (of IP packets), DELAY one way in microseconds, BUFFER in bytes or with "ms" behind it the time that a full one
 * takes to drain, LOSS in packets of a million. "down" is from the server to the client.
 *
 * Makes two namespaces that nobody else sees, each with one TUN device: 10.77.0.1 the server's, 10.77.0.2 the client's. Prints
 * "ready PID SERVER_FD CLIENT_FD": `nsenter --net=/proc/PID/fd/FD COMMAND` runs something in them. They end with this process, which
 * ends when its stdin does: nothing is left behind whatever happens to the test.
 *
 * A packet that comes in is stamped with the time at which the line will have sent it (a virtual clock: the rate is exact even if
 * this process is late), dropped if that is further away than the buffer allows, and handed over when that time and the delay are
 * over. It asks for SCHED_RR, so that a busy machine does not look like a busy line; how late it was all the same is in the log.
 *
 * The log has one line for each 100 ms and direction:
 *   milliseconds  d|u  kbit/s  mean queue delay (µs)  longest (µs)  drops  latest hand-over (µs) */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PACKET_MAX 2048
#define PACKETS_MAX 32768 /* a power of two; 500 Mbit/s for 0.7 s */
#define LOG_INTERVAL_NSEC UINT64_C(100000000)
#define MILLION 1000000
#define NSEC_PER_SEC UINT64_C(1000000000)
#define READS_PER_TURN 64

struct packet {
        uint64_t due_nsec;
        uint16_t size;
        uint8_t bytes[PACKET_MAX];
};

struct direction {
        char name;
        uint64_t rate_bit; /* per second */
        uint64_t delay_nsec;
        uint64_t buffer_nsec; /* longest wait in the queue */
        unsigned loss;        /* of a million */

        int from, to;
        uint64_t free_nsec; /* the line is busy until then */
        struct packet *packets;
        size_t head, tail; /* of the ring; head == tail: empty */

        uint64_t bytes, n_queued, queue_sum_nsec, queue_max_nsec, n_drops,
                late_nsec; /* since the last line of the log */
};

static uint64_t random_state;

static uint64_t now_nsec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * NSEC_PER_SEC + (uint64_t) ts.tv_nsec;
}

static void die(const char *what) {
        fprintf(stderr, "line_box: %s: %s\n", what, strerror(errno));
        exit(errno == EPERM || errno == EACCES || errno == ENOENT ? 77 : 1);
}

static bool is_lost(const struct direction *d) {
        random_state ^= random_state << 13; /* xorshift64 */
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state % MILLION < d->loss;
}

/* ---- one direction ---- */

/* Takes what its device has now. */
static void take_packets(struct direction *d) {
        for (int i = 0; i < READS_PER_TURN; i++) {
                struct packet *packet = &d->packets[d->tail];
                size_t next = (d->tail + 1) % PACKETS_MAX;
                ssize_t n = read(d->from, packet->bytes, sizeof(packet->bytes));
                uint64_t now = now_nsec(), start, wait;

                if (n <= 0)
                        return;
                start = d->free_nsec > now ? d->free_nsec : now;
                wait = start - now;
                if (wait > d->buffer_nsec || next == d->head || is_lost(d)) {
                        d->n_drops++;
                        continue;
                }
                d->free_nsec = start + (uint64_t) n * 8 * NSEC_PER_SEC / d->rate_bit;
                packet->size = (uint16_t) n;
                packet->due_nsec = d->free_nsec + d->delay_nsec;
                d->tail = next;
                d->n_queued++;
                d->queue_sum_nsec += wait;
                if (wait > d->queue_max_nsec)
                        d->queue_max_nsec = wait;
        }
}

static void give_packets(struct direction *d) {
        uint64_t now = now_nsec();

        while (d->head != d->tail && d->packets[d->head].due_nsec <= now) {
                struct packet *packet = &d->packets[d->head];
                uint64_t late = now - packet->due_nsec;

                if (late > d->late_nsec)
                        d->late_nsec = late;
                if (write(d->to, packet->bytes, packet->size) < 0 && errno == EAGAIN)
                        return;
                d->bytes += packet->size;
                d->head = (d->head + 1) % PACKETS_MAX;
        }
}

static void log_direction(struct direction *d, FILE *log, uint64_t since_nsec, uint64_t interval_nsec) {
        fprintf(log, "%" PRIu64 " %c %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                since_nsec / MILLION, d->name, d->bytes * 8 * MILLION / interval_nsec,
                d->n_queued > 0 ? d->queue_sum_nsec / d->n_queued / 1000 : 0, d->queue_max_nsec / 1000, d->n_drops,
                d->late_nsec / 1000);
        d->bytes = d->n_queued = d->queue_sum_nsec = d->queue_max_nsec = d->n_drops = d->late_nsec = 0;
}

static int parse_direction(struct direction *d, const char *s) {
        unsigned long long rate, delay, buffer, loss = 0;
        bool in_msec;
        int n = 0;

        if (sscanf(s, "%llu,%llu,%llu%n", &rate, &delay, &buffer, &n) != 3 || rate == 0)
                return -EINVAL;
        s += n;
        in_msec = strncmp(s, "ms", 2) == 0;
        if (in_msec)
                s += 2;
        if (*s && sscanf(s, ",%llu", &loss) != 1)
                return -EINVAL;
        d->rate_bit = rate * 1000;
        d->delay_nsec = delay * 1000;
        d->buffer_nsec = in_msec ? buffer * MILLION : buffer * 8 * NSEC_PER_SEC / d->rate_bit;
        d->loss = (unsigned) loss;
        return 0;
}

/* ---- the namespaces ---- */

static void set_address(int sock, unsigned long call, struct ifreq *ifr, const char *address) {
        struct sockaddr_in in = { .sin_family = AF_INET };

        inet_pton(AF_INET, address, &in.sin_addr);
        memcpy(&ifr->ifr_addr, &in, sizeof(in));
        if (ioctl(sock, call, ifr) < 0)
                die("cannot set the device's address");
}

static void raise_link(int sock, const char *name) {
        struct ifreq ifr = {};

        strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
        ifr.ifr_flags = IFF_UP | IFF_RUNNING;
        if (ioctl(sock, SIOCSIFFLAGS, &ifr) < 0)
                die("cannot start a device");
}

/* A new namespace, which the process is in from now on, with a device. */
static void make_end(const char *own, const char *other, int *ret_ns, int *ret_tun) {
        struct ifreq ifr = {};
        int sock;

        if (unshare(CLONE_NEWNET) < 0)
                die("cannot make a network namespace");
        *ret_ns = open("/proc/self/ns/net", O_RDONLY); /* inherited on purpose: nobody is started from here */
        *ret_tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
        sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (*ret_ns < 0 || *ret_tun < 0 || sock < 0)
                die("/dev/net/tun");
        strcpy(ifr.ifr_name, "line");
        ifr.ifr_flags = IFF_TUN | IFF_NO_PI;
        if (ioctl(*ret_tun, TUNSETIFF, &ifr) < 0)
                die("cannot make a TUN device");
        ifr.ifr_qlen = 20000; /* only the box drops */
        if (ioctl(sock, SIOCSIFTXQLEN, &ifr) < 0)
                die("cannot set the device's queue");
        set_address(sock, SIOCSIFADDR, &ifr, own);
        set_address(sock, SIOCSIFDSTADDR, &ifr, other);
        raise_link(sock, "line");
        raise_link(sock, "lo");
        close(sock);
}

/* ---- the loop ---- */

static uint64_t next_due(const struct direction *directions) {
        uint64_t due = UINT64_MAX;

        for (int i = 0; i < 2; i++)
                if (directions[i].head != directions[i].tail &&
                    directions[i].packets[directions[i].head].due_nsec < due)
                        due = directions[i].packets[directions[i].head].due_nsec;
        return due;
}

static void run(struct direction *directions, FILE *log) {
        uint64_t start = now_nsec(), logged = start;
        struct pollfd fds[3] = {
                { .fd = directions[0].from, .events = POLLIN },
                { .fd = directions[1].from, .events = POLLIN },
                { .fd = STDIN_FILENO, .events = POLLIN },
        };

        while (!(fds[2].revents & (POLLHUP | POLLIN | POLLERR))) {
                uint64_t now = now_nsec(), due = next_due(directions), wait;
                struct timespec timeout;

                if (log && due > logged + LOG_INTERVAL_NSEC)
                        due = logged + LOG_INTERVAL_NSEC;
                wait = due == UINT64_MAX ? NSEC_PER_SEC : due > now ? due - now : 0;
                timeout = (struct timespec){ (time_t) (wait / NSEC_PER_SEC), (long) (wait % NSEC_PER_SEC) };
                if (ppoll(fds, 3, &timeout, NULL) < 0 && errno != EINTR)
                        die("ppoll");
                for (int i = 0; i < 2; i++) {
                        take_packets(&directions[i]);
                        give_packets(&directions[i]);
                }
                now = now_nsec();
                if (!log || now < logged + LOG_INTERVAL_NSEC)
                        continue;
                for (int i = 0; i < 2; i++)
                        log_direction(&directions[i], log, now - start, now - logged);
                fflush(log);
                logged = now;
        }
}

static void usage(void) {
        fprintf(stderr, "usage: line_box --down RATE,DELAY,BUFFER[ms][,LOSS] --up … [--log FILE] [--seed N]\n");
        exit(2);
}

int main(int argc, char **argv) {
        static struct direction directions[2] = { { .name = 'd' }, { .name = 'u' } };
        const struct sched_param realtime = { .sched_priority = 10 };
        int server_ns, client_ns, server_tun, client_tun;
        FILE *log = NULL;

        random_state = 88172645463325252;
        for (int i = 1; i + 1 < argc; i += 2) {
                if (strcmp(argv[i], "--down") == 0 || strcmp(argv[i], "--up") == 0) {
                        if (parse_direction(&directions[argv[i][2] == 'u'], argv[i + 1]) < 0)
                                usage();
                } else if (strcmp(argv[i], "--seed") == 0)
                        random_state ^= strtoull(argv[i + 1], NULL, 10);
                else if (strcmp(argv[i], "--log") == 0) {
                        log = fopen(argv[i + 1], "we");
                        if (!log)
                                die(argv[i + 1]);
                } else
                        usage();
        }
        if (argc % 2 == 0 || directions[0].rate_bit == 0 || directions[1].rate_bit == 0)
                usage();
        make_end("10.77.0.1", "10.77.0.2", &server_ns, &server_tun);
        make_end("10.77.0.2", "10.77.0.1", &client_ns, &client_tun);
        for (int i = 0; i < 2; i++) {
                directions[i].from = i == 0 ? server_tun : client_tun;
                directions[i].to = i == 0 ? client_tun : server_tun;
                directions[i].packets = calloc(PACKETS_MAX, sizeof(struct packet));
                if (!directions[i].packets)
                        die("packets");
        }
        /* Best effort, all of them: the log says how late it was. */
        (void) mlockall(MCL_CURRENT | MCL_FUTURE);
        (void) sched_setscheduler(0, SCHED_RR, &realtime);
        (void) prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
        (void) signal(SIGPIPE, SIG_IGN);
        printf("ready %d %d %d\n", (int) getpid(), server_ns, client_ns);
        fflush(stdout);
        run(directions, log);
        return 0;
}
