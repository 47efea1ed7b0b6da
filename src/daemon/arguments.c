#include "daemon/arguments.h"

#include <getopt.h>
#include <stdio.h>

#include "base/strings.h"
#include "daemon/state_dir.h"
#include "config.h"

#define IDLE_EXIT_MAX_S (10 * 365 * 86400UL)

static void print_help(void) {
        puts("usage: dosvcd --user|--system [OPTION...]\n"
             "The download service: keeps jobs, fetches their files, hands them over complete.\n"
             "\n"
             "  --user               serve the user who starts it\n"
             "  --system             serve all users; their files are dosvc-broker's business\n"
             "  --socket PATH        listen there and nowhere else\n"
             "  --state-dir DIR      keep the state there ($XDG_STATE_HOME/dosvc; " SYSTEM_STATE_DIR ")\n"
             "  --config FILE        read this configuration ($XDG_CONFIG_HOME/dosvc/dosvc.conf; " SYSTEM_CONFIG ")\n"
             "  --broker PATH        with --system: dosvc-broker is there (" SYSTEM_BROKER_SOCKET ")\n"
             "  --transfer-sockets DIR\n"
             "                       start no dosvc-transfer and dosvc-resolve: who connects to DIR/transfer and DIR/resolve gets them\n"
             "  --idle-exit SECONDS  leave after so long without a client and without a job to fetch\n"
             "  --verbose            say more\n"
             "  --version, --help");
}

enum {
        OPTION_USER = 256,
        OPTION_SYSTEM,
        OPTION_SOCKET,
        OPTION_STATE_DIR,
        OPTION_CONFIG,
        OPTION_BROKER,
        OPTION_TRANSFER_SOCKETS,
        OPTION_IDLE_EXIT,
        OPTION_VERBOSE,
        OPTION_VERSION,
        OPTION_HELP,
};

static int usage_error(const char *text) {
        (void) fprintf(stderr, "dosvcd: %s (see dosvcd --help)\n", text);
        return -EINVAL;
}

static int parse_option(int option, struct arguments *ret) {
        uint64_t seconds;

        switch (option) {
        case OPTION_USER:
                ret->user = true;
                return 0;
        case OPTION_SYSTEM:
                ret->system = true;
                return 0;
        case OPTION_SOCKET:
                ret->socket = optarg;
                return *optarg ? 0 : usage_error("--socket needs a path");
        case OPTION_STATE_DIR:
                ret->state_dir = optarg;
                return *optarg ? 0 : usage_error("--state-dir needs a path");
        case OPTION_CONFIG:
                ret->config = optarg;
                return *optarg ? 0 : usage_error("--config needs a path");
        case OPTION_BROKER:
                ret->broker = optarg;
                return *optarg ? 0 : usage_error("--broker needs a path");
        case OPTION_TRANSFER_SOCKETS:
                ret->transfer_sockets = optarg;
                return *optarg ? 0 : usage_error("--transfer-sockets needs a path");
        case OPTION_IDLE_EXIT:
                if (parse_u64(optarg, &seconds) < 0 || seconds > IDLE_EXIT_MAX_S)
                        return usage_error("--idle-exit needs a number of seconds");
                ret->idle_exit_usec = seconds * USEC_PER_SEC;
                return 0;
        case OPTION_VERBOSE:
                ret->verbose = true;
                return 0;
        case OPTION_VERSION:
                puts("dosvcd " DOSVC_VERSION);
                return ARGUMENTS_DONE;
        case OPTION_HELP:
                print_help();
                return ARGUMENTS_DONE;
        default:
                return -EINVAL; /* getopt has said why */
        }
}

int arguments_parse(int argc, char **argv, struct arguments *ret) {
        static const struct option options[] = {
                { "user", no_argument, NULL, OPTION_USER },
                { "system", no_argument, NULL, OPTION_SYSTEM },
                { "socket", required_argument, NULL, OPTION_SOCKET },
                { "state-dir", required_argument, NULL, OPTION_STATE_DIR },
                { "config", required_argument, NULL, OPTION_CONFIG },
                { "broker", required_argument, NULL, OPTION_BROKER },
                { "transfer-sockets", required_argument, NULL, OPTION_TRANSFER_SOCKETS },
                { "idle-exit", required_argument, NULL, OPTION_IDLE_EXIT },
                { "verbose", no_argument, NULL, OPTION_VERBOSE },
                { "version", no_argument, NULL, OPTION_VERSION },
                { "help", no_argument, NULL, OPTION_HELP },
                {},
        };
        int option, r;

        *ret = (struct arguments) { .idle_exit_usec = USEC_INFINITY, .broker = SYSTEM_BROKER_SOCKET };
        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                r = parse_option(option, ret);
                if (r != 0)
                        return r;
        }
        if (optind < argc)
                return usage_error("there are no arguments without --");
        return ret->user != ret->system ? 0 : usage_error("say --user or --system");
}
