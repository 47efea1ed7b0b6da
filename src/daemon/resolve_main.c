/* dosvc-resolve: names to addresses, for dosvc-transfer on descriptor 3. Sees host names, and nothing else of any job. The first on that
 * connection is the core, with the lifeline (transfer/equipment.h). */
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"
#include "daemon/sandbox.h"
#include "transfer/children.h"
#include "transfer/equipment.h"
#include "transfer/lifeline.h"
#include "transfer/resolve_server.h"

static int run(void) {
        sd_event *event = NULL;
        struct resolve_server *server = NULL;
        struct sandbox_facts facts = {};
        int lifeline_fd, r;

        r = equipment_receive_first(RESOLVE_TRANSFER_FD, IPC_ROLE_RESOLVE, &lifeline_fd);
        if (r == 0)
                r = lifeline_hold(lifeline_fd);
        if (r == 0)
                r = sandbox_enter_resolve(lifeline_fd, &facts);
        if (r < 0)
                return r;
        if (facts.landlock_abi == 0)
                log_debug("this kernel has no Landlock; seccomp alone holds");
        r = sd_event_new(&event);
        if (r >= 0)
                r = resolve_server_new(event, RESOLVE_TRANSFER_FD, &server);
        return r < 0 ? r : sd_event_loop(event);
}

int main(int argc, char **argv) {
        bool verbose = argc == 2 && streq(argv[1], "--verbose");
        int r;

        if (argc > 1 && !verbose)
                return 2;
        log_setup("dosvc-resolve", verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING);
        (void) signal(SIGPIPE, SIG_IGN);
        if (fd_occupy_standard() < 0 || close_range(RESOLVE_TRANSFER_FD + 1, UINT32_MAX, 0) < 0)
                return 1;
        r = run();
        if (r == -EPROTONOSUPPORT)
                r = IPC_EXIT_OTHER_VERSION; /* dosvc-transfer sees that, too, and says so */
        else if (r == -ECONNRESET)
                r = 0; /* nobody wants us any longer */
        if (r < 0)
                log_error("%s", strerror(-r));
        _exit(r < 0 ? 1 : r); /* a look-up may hang in a thread; nobody waits for it */
}
