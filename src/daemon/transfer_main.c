/* dosvc-transfer: fetches what it is told to, into descriptors that it is given, and can do nothing else. Started for the service only, by
 * itself or by a socket unit: descriptor 3 is the service, everything else comes over it (transfer/equipment.h). */
#include <curl/curl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <systemd/sd-id128.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"
#include "daemon/sandbox.h"
#include "ipc/channel.h"
#include "transfer/authorities.h"
#include "transfer/children.h"
#include "transfer/equipment.h"
#include "transfer/lifeline.h"
#include "transfer/poller.h"
#include "transfer/server.h"

#if BUILT_WITH_ASAN
/* The leak checker would need a thread and ptrace, which the sandbox denies; leaks are looked for in the unit tests. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
        return "detect_leaks=0";
}
#endif

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

static void load_authorities(const struct equipment *equipment, struct authorities **ret) {
        int r;

        if (equipment->authorities_fd < 0)
                return;
        r = authorities_new(equipment->authorities_fd, ret);
        if (r < 0)
                log_warning("no certificates of authorities: %s: https will not work", strerror(-r));
        else
                log_debug("%zu certificates of authorities", authorities_count(*ret));
        if (!*ret || equipment->revocations_fd < 0)
                return;
        r = authorities_add_revocations(*ret, equipment->revocations_fd);
        if (r < 0)
                log_warning("no revocation lists: %s: certificates cannot be checked for revocation", strerror(-r));
        else
                log_debug("%d revocation lists", r);
}

static int lock_in(int lifeline_fd) {
        struct sandbox_facts facts;
        int r;

        r = sandbox_enter_transfer(lifeline_fd, &facts);
        if (r < 0)
                return r;
        if (facts.landlock_abi == 0)
                log_debug("this kernel has no Landlock; seccomp alone holds");
        else
                log_debug("locked in: seccomp, Landlock ABI %d", facts.landlock_abi);
        return 0;
}

static int serve(sd_event *event, struct ipc_channel *core, struct equipment *equipment) {
        struct transfer_server *server = NULL;
        struct authorities *authorities = NULL;
        struct poller *poller = NULL;
        int r;

        load_authorities(equipment, &authorities);
        equipment->authorities_fd = fd_close(equipment->authorities_fd);
        equipment->revocations_fd = fd_close(equipment->revocations_fd);
        r = poller_new(event, &poller);
        if (r == 0)
                r = lock_in(equipment->lifeline_fd);
        if (r == 0)
                r = transfer_server_new(event, &(struct transfer_server_config) {
                        .core = core, .resolve_fd = equipment->resolver_fd, .poller = poller, .authorities = authorities,
                }, &server);
        if (r == 0)
                r = sd_event_loop(event);
        transfer_server_free(server);
        poller_free(poller);
        authorities_free(authorities);
        return r;
}

static int run(void) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        struct equipment equipment;
        struct ipc_channel *core;
        int r;

        r = sd_event_new(&event);
        if (r >= 0)
                r = warm_up_loop(event);
        if (r >= 0)
                r = warm_up_tls();
        if (r >= 0)
                r = ipc_channel_new(TRANSFER_CORE_FD, IPC_ROLE_TRANSFER, IPC_ROLE_CORE, &core);
        if (r < 0)
                return r;
        r = equipment_receive(core, &equipment);
        /* A dead service must not be outlived by somebody who writes to its files: its successor may be writing there already. */
        if (r == 0)
                r = lifeline_hold(equipment.lifeline_fd);
        return r < 0 ? r : serve(event, core, &equipment);
}

int main(int argc, char **argv) {
        bool verbose = argc == 2 && streq(argv[1], "--verbose");
        int r;

        if (argc > 1 && !verbose)
                return 2;
        log_setup("dosvc-transfer", verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING);
        (void) signal(SIGPIPE, SIG_IGN);
        (void) signal(SIGXFSZ, SIG_IGN); /* the write gets EFBIG */
        if (fd_occupy_standard() < 0 || close_range(TRANSFER_CORE_FD + 1, UINT32_MAX, 0) < 0)
                return 1;
        r = run();
        if (r == -EPROTONOSUPPORT)
                return IPC_EXIT_OTHER_VERSION; /* the core knows, too, and says so */
        if (r == -ECONNRESET)
                return 0; /* it wants us no longer */
        if (r < 0)
                log_error("%s", strerror(-r));
        return r < 0 ? 1 : r;
}
