/* dosvc-metrics: shows the numbers of MetricsSocket= to Prometheus, which asks by HTTP. A program of its own, so that nothing that
 * speaks HTTP is in the core: it knows that socket and nothing else of the service.
 *
 * It listens on loopback addresses alone, at one of its own or at those that systemd hands over. libmicrohttpd serves each of them in
 * one thread, so who asks while the service is being waited for waits, too; an answer is what the service says at that moment, whole, or 503
 * with the reason. */
#include <getopt.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"
#include "config.h"
#include "protocol/limits.h"

#define SYSTEM_METRICS_SOCKET "/run/dosvc/metrics/socket"
#define DEFAULT_ADDRESS "127.0.0.1:9878"
#define SERVICE_USEC (2 * USEC_PER_SEC) /* that the service has for its text. Less than SILENCE_S, which runs meanwhile */
#define SILENCE_S 5U                    /* that a connection may be silent; less than the ten of a scrape */
#define TEXT_FORMAT "text/plain; version=0.0.4"
#define TEXT_PLAIN "text/plain; charset=utf-8"

struct options {
        const char *metrics_socket;
        const char *listen; /* NULL: what systemd hands over, else DEFAULT_ADDRESS */
};

struct exporter {
        const char *metrics_socket;
        struct MHD_Daemon *daemons[LIMIT_METRICS_LISTENERS];
        unsigned n_daemons;
};

/* ---- what the service says ---- */

static int connect_to(const char *path, int *ret) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct timeval most = { .tv_sec = SERVICE_USEC / USEC_PER_SEC };
        struct sockaddr_un name = { .sun_family = AF_UNIX };

        if (fd < 0)
                return -errno;
        if (strlen(path) >= sizeof(name.sun_path))
                return -ENAMETOOLONG;
        (void) stpcpy(name.sun_path, path);
        /* It waits for a place among those who are not accepted yet. */
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)) < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *) &name, sizeof(name)) < 0)
                return errno == EAGAIN ? -ETIMEDOUT : -errno;
        *ret = TAKE_FD(fd);
        return 0;
}

/* 1: there is something to read, or the end. */
static int wait_readable(int fd, uint64_t deadline) {
        struct pollfd one = { .fd = fd, .events = POLLIN };
        uint64_t now = clock_now(&clock_system, CLOCK_ID_MONOTONIC);
        int r;

        if (now >= deadline)
                return -ETIMEDOUT;
        r = poll(&one, 1, (int) ((deadline - now) / USEC_PER_MSEC) + 1);
        return r < 0 && errno != EINTR ? -errno : r > 0;
}

/* All of it: -ENODATA if the service hangs up at once, -EBADMSG if it does so in a line, -EFBIG above LIMIT_METRICS_TEXT, -ETIMEDOUT. */
static int read_text(int fd, uint64_t deadline, char **ret, size_t *ret_size) {
        _cleanup_free_ char *text = malloc(LIMIT_METRICS_TEXT + 1);
        size_t size = 0;
        ssize_t n;
        int r;

        if (!text)
                return -ENOMEM;
        for (;;) {
                r = wait_readable(fd, deadline);
                if (r < 0)
                        return r;
                n = recv(fd, text + size, LIMIT_METRICS_TEXT + 1 - size, MSG_DONTWAIT);
                if (n < 0 && errno != EAGAIN && errno != EINTR)
                        return -errno;
                if (n == 0)
                        break;
                size += n > 0 ? (size_t) n : 0;
                if (size > LIMIT_METRICS_TEXT)
                        return -EFBIG;
        }
        if (size == 0)
                return -ENODATA;
        if (text[size - 1] != '\n')
                return -EBADMSG;
        *ret = TAKE_PTR(text);
        *ret_size = size;
        return 0;
}

static int ask_service(const char *path, char **ret, size_t *ret_size) {
        uint64_t deadline = clock_now(&clock_system, CLOCK_ID_MONOTONIC) + SERVICE_USEC;
        _cleanup_close_ int fd = -EBADF;
        int r = connect_to(path, &fd);

        return r < 0 ? r : read_text(fd, deadline, ret, ret_size);
}

static const char *reason_of(int r) {
        switch (-r) {
        case ENOENT:
        case ECONNREFUSED:
                return "the service is not running, or has no MetricsSocket= there";
        case EACCES:
                return "the service's socket is not for this program's user and group";
        case ENODATA:
                return "the service hung up; its own user, root and, of the system instance, its group are answered";
        case EBADMSG:
                return "the service hung up in the middle";
        case EFBIG:
                return "the service's text is too long";
        case ETIMEDOUT:
                return "the service does not answer";
        default:
                return strerrordesc_np(-r) ?: "error";
        }
}

/* ---- HTTP ---- */

/* Takes @text. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type, char *text, size_t size) {
        struct MHD_Response *response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
        enum MHD_Result done = MHD_NO;

        if (!response) {
                free(text);
                return MHD_NO;
        }
        if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
            MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES &&
            (status != MHD_HTTP_METHOD_NOT_ALLOWED || MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES))
                done = MHD_queue_response(connection, status, response);
        MHD_destroy_response(response);
        return done;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *text) {
        char *line;
        int n = asprintf(&line, "%s\n", text);

        return n < 0 ? MHD_NO : answer(connection, status, TEXT_PLAIN, line, (size_t) n);
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version _unused_, const char *body _unused_, size_t *body_size, void **state) {
        struct exporter *exporter = ASSERT_PTR(userdata);
        char *text = NULL;
        size_t size = 0;
        int r;

        /* Once for the headers; who is answered only then, when all was read, may ask again over the same connection. */
        if (!*state && (streq(method, MHD_HTTP_METHOD_GET) || streq(method, MHD_HTTP_METHOD_HEAD))) {
                *state = exporter; /* anything but NULL */
                return MHD_YES;
        }
        if (*body_size > 0) { /* there should be none */
                *body_size = 0;
                return MHD_YES;
        }
        if (!streq(path, "/metrics"))
                return refuse(connection, MHD_HTTP_NOT_FOUND, "there is /metrics and nothing else");
        if (!*state)
                return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "/metrics can be got and nothing else");
        r = ask_service(exporter->metrics_socket, &text, &size);
        if (r < 0)
                return refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, reason_of(r));
        return answer(connection, MHD_HTTP_OK, TEXT_FORMAT, text, size);
}

/* ---- where it listens ---- */

/* "127.0.0.1:9878" or "[::1]:9878"; a name could mean another address tomorrow. */
static int parse_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_size) {
        const char *colon = strrchr(text, ':');
        _cleanup_free_ char *host = NULL;
        uint64_t port;

        if (!colon || parse_u64(colon + 1, &port) < 0 || port == 0 || port > UINT16_MAX)
                return -EINVAL;
        host = strndup(text, (size_t) (colon - text));
        if (!host)
                return -ENOMEM;
        if (strchr(host, ':') && host[0] != '[')
                return -EINVAL;
        return address_parse_host(host, (uint16_t) port, ret, ret_size) == 1 ? 0 : -EINVAL;
}

static bool is_loopback(const struct sockaddr_storage *address) {
        return address_classify((const struct sockaddr *) address) == ADDRESS_LOOPBACK;
}

static int listen_at(const char *text) {
        _cleanup_close_ int fd = -EBADF;
        struct sockaddr_storage address;
        socklen_t size;
        int r = parse_address(text, &address, &size);

        if (r < 0) {
                log_error("%s is no address with a port, such as " DEFAULT_ADDRESS " or [::1]:9878", text);
                return r;
        }
        if (!is_loopback(&address)) {
                log_error("%s is no loopback address: the numbers are not shown to other machines", text);
                return -EADDRNOTAVAIL;
        }
        fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int) { 1 }, sizeof(int)) < 0 ||
            bind(fd, (const struct sockaddr *) &address, size) < 0 || listen(fd, LIMIT_METRICS_BACKLOG) < 0) {
                r = -errno;
                log_error("cannot listen at %s: %s", text, strerror(-r));
                return r;
        }
        return TAKE_FD(fd);
}

/* One that systemd made: its unit may say anything. */
static int judge_listener(int fd) {
        struct sockaddr_storage address = {};
        socklen_t size = sizeof(address);

        if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0 && getsockname(fd, (struct sockaddr *) &address, &size) == 0 && is_loopback(&address))
                return fd_set_nonblocking(fd, true);
        log_error("socket %d of the socket unit is none that listens at a loopback address (ListenStream=" DEFAULT_ADDRESS ")", fd);
        return -EADDRNOTAVAIL;
}

static int serve(struct exporter *exporter, int fd) {
        const unsigned flags = MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD;
        struct MHD_Daemon *made;

        made = MHD_start_daemon(flags, 0, NULL, NULL, on_request, exporter, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                                LIMIT_METRICS_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                (size_t) LIMIT_METRICS_REQUEST, MHD_OPTION_END);
        if (!made) {
                log_error("the HTTP server does not start");
                return -EIO;
        }
        exporter->daemons[exporter->n_daemons++] = made;
        return 0;
}

static int open_doors(struct exporter *exporter, const struct options *options) {
        int n = sd_listen_fds(1), r;

        if (n <= 0 || options->listen) {
                r = listen_at(options->listen ?: DEFAULT_ADDRESS);
                return r < 0 ? r : serve(exporter, r);
        }
        if (n > LIMIT_METRICS_LISTENERS) {
                log_error("the socket unit has %d sockets; there may be %d", n, LIMIT_METRICS_LISTENERS);
                return -E2BIG;
        }
        for (int i = 0; i < n; i++) {
                r = judge_listener(SD_LISTEN_FDS_START + i);
                if (r >= 0)
                        r = serve(exporter, SD_LISTEN_FDS_START + i);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- the program ---- */

static void exporter_done(struct exporter *exporter) {
        while (exporter->n_daemons > 0)
                MHD_stop_daemon(exporter->daemons[--exporter->n_daemons]);
}

static void print_help(void) {
        puts("usage: dosvc-metrics [OPTION...]\n"
             "Shows the numbers of the download service to Prometheus, at http://" DEFAULT_ADDRESS "/metrics.\n"
             "\n"
             "  --listen ADDRESS:PORT   listen there; a loopback address (what systemd hands over, else " DEFAULT_ADDRESS ")\n"
             "  --metrics-socket PATH   the service's MetricsSocket= (" SYSTEM_METRICS_SOCKET ")\n"
             "  --version, --help");
}

/* 0, 1: printed, leave with 0, or -EINVAL (said on stderr). */
static int parse_options(int argc, char **argv, struct options *ret) {
        static const struct option options[] = {
                { "listen", required_argument, NULL, 'l' },
                { "metrics-socket", required_argument, NULL, 'm' },
                { "version", no_argument, NULL, 'v' },
                { "help", no_argument, NULL, 'h' },
                {},
        };
        int option;

        *ret = (struct options) { .metrics_socket = SYSTEM_METRICS_SOCKET };
        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (option) {
                case 'l':
                        ret->listen = optarg;
                        break;
                case 'm':
                        ret->metrics_socket = optarg;
                        break;
                case 'v':
                        puts("dosvc-metrics " DOSVC_VERSION);
                        return 1;
                case 'h':
                        print_help();
                        return 1;
                default:
                        return -EINVAL; /* getopt has said why */
                }
        if (optind == argc)
                return 0;
        (void) fprintf(stderr, "dosvc-metrics: there are no arguments without -- (see dosvc-metrics --help)\n");
        return -EINVAL;
}

int main(int argc, char **argv) {
        _cleanup_(exporter_done) struct exporter exporter = {};
        struct options options;
        sigset_t ending;
        int r, signal_number;

        if (fd_occupy_standard() < 0)
                return 2;
        r = parse_options(argc, argv, &options);
        if (r != 0)
                return r < 0 ? 2 : 0;
        log_setup("dosvc-metrics", LOG_LEVEL_INFO);
        /* Before there is a thread: all of them leave these to us. */
        (void) signal(SIGPIPE, SIG_IGN);
        (void) sigemptyset(&ending);
        (void) sigaddset(&ending, SIGTERM);
        (void) sigaddset(&ending, SIGINT);
        if (sigprocmask(SIG_BLOCK, &ending, NULL) < 0)
                return 1;
        exporter.metrics_socket = options.metrics_socket;
        if (open_doors(&exporter, &options) < 0)
                return 1;
        (void) sd_notify(0, "READY=1");
        (void) sigwait(&ending, &signal_number);
        return 0;
}
