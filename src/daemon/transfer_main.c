/* dosvc-transfer: fetches what it is told to, into descriptors that it is given, and can do nothing else. Started by the service
 * only: descriptor 3 is the service, 4 is dosvc-resolve (src/transfer/children.h). */
#include <curl/curl.h>
#include <getopt.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <systemd/sd-event.h>
#include <systemd/sd-id128.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fds.h"
#include "base/log.h"
#include "daemon/sandbox.h"
#include "ipc/message.h"
#include "transfer/authorities.h"
#include "transfer/children.h"
#include "transfer/server.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
/* The leak checker would need a thread and ptrace, which the sandbox denies; leaks are looked for in the unit tests. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
        return "detect_leaks=0";
}
#endif

struct options {
        const char *ca_file, *crl_file;
        bool verbose;
};

static int parse_options(int argc, char **argv, struct options *ret) {
        static const struct option options[] = {
                { "ca-file", required_argument, NULL, 'c' },
                { "crl-file", required_argument, NULL, 'r' },
                { "verbose", no_argument, NULL, 'v' },
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
                switch (c) {
                case 'c':
                        ret->ca_file = optarg;
                        break;
                case 'r':
                        ret->crl_file = optarg;
                        break;
                case 'v':
                        ret->verbose = true;
                        break;
                default:
                        return -EINVAL;
                }
        return 0;
}

static int on_nothing(sd_event_source *source, uint64_t usec, void *userdata) {
        return 0;
}

/* The loop makes its descriptors and reads the machine's identity when they are first needed: that has to be now. */
static int warm_up_loop(sd_event *event) {
        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *timer = NULL;
        sd_id128_t boot;
        int r;

        (void) sd_id128_get_boot(&boot); /* is remembered */
        tzset();
        r = sd_event_add_time_relative(event, &timer, CLOCK_MONOTONIC, USEC_PER_HOUR, 1, on_nothing, NULL);
        return r < 0 ? r : sd_event_run(event, 0);
}

/* OpenSSL reads its configuration and libcurl its tables on first use. */
static int warm_up_tls(void) {
        SSL_CTX *context;
        CURL *easy;

        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return -ENOMEM;
        context = SSL_CTX_new(TLS_client_method());
        easy = curl_easy_init();
        SSL_CTX_free(context);
        curl_easy_cleanup(easy);
        return context && easy ? 0 : -ENOMEM;
}

static void load_authorities(const char *file, const char *crl_file, struct authorities **ret) {
        int r;

        if (!file)
                file = authorities_system_file();
        if (!file) {
                log_warning("no file with certificate authorities: https will not work");
                return;
        }
        r = authorities_new(file, ret);
        if (r < 0)
                log_warning("%s: %s: https will not work", file, strerror(-r));
        else
                log_debug("%s: %zu certificates", file, authorities_count(*ret));
        if (!*ret || !crl_file)
                return;
        r = authorities_add_revocations(*ret, crl_file);
        if (r < 0)
                log_warning("%s: %s: certificates cannot be checked for revocation", crl_file, strerror(-r));
        else
                log_debug("%s: %d revocation lists", crl_file, r);
}

static int run(const struct options *options) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        struct transfer_server *server = NULL;
        struct authorities *authorities = NULL;
        struct sandbox_facts facts = {};
        struct ipc_hello hello;
        int r;

        r = sd_event_new(&event);
        if (r >= 0)
                r = warm_up_loop(event);
        if (r >= 0)
                r = warm_up_tls();
        if (r < 0)
                return r;
        load_authorities(options->ca_file, options->crl_file, &authorities);
        r = sandbox_enter_transfer(&facts);
        if (r < 0)
                return r;
        if (facts.landlock_abi == 0)
                log_debug("this kernel has no Landlock; seccomp alone holds");
        hello = (struct ipc_hello) { .landlock_abi = (uint32_t) facts.landlock_abi, .seccomp = facts.seccomp };
        r = transfer_server_new(event, &(struct transfer_server_config) {
                .core_fd = TRANSFER_CORE_FD, .resolve_fd = TRANSFER_RESOLVE_FD, .hello = &hello, .authorities = authorities,
        }, &server);
        if (r < 0)
                return r;
        r = sd_event_loop(event);
        server = transfer_server_free(server);
        authorities = authorities_free(authorities);
        return r;
}

int main(int argc, char **argv) {
        struct options options = {};
        int r;

        if (parse_options(argc, argv, &options) < 0)
                return 2;
        log_setup("dosvc-transfer", options.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING);
        /* A dead service must not be outlived by somebody who writes to its files: its successor may be writing there already. */
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        (void) signal(SIGPIPE, SIG_IGN);
        (void) signal(SIGXFSZ, SIG_IGN); /* the write gets EFBIG */
        if (fd_occupy_standard() < 0 || close_range(TRANSFER_RESOLVE_FD + 1, UINT32_MAX, 0) < 0)
                return 1;
        r = run(&options);
        if (r < 0)
                log_error("%s", strerror(-r));
        return r < 0 ? 1 : r;
}
