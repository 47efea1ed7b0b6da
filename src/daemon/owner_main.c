/* dosvc-owner: an owner's files, touched with that owner's rights and nobody else's. Started by dosvc-broker only, as that user; on
 * descriptor 3 the core says what is to be done (src/files/serve.h). */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"
#include "daemon/owner_fd.h"
#include "daemon/sandbox.h"
#include "daemon/state_dir.h"
#include "files/serve.h"
#include "ipc/message.h"

/* Where there is no home there are the machine's certificates only. */
static int serve(void) {
        _cleanup_free_ char *certificates = NULL;

        (void) certificates_path_default(&certificates);
        return files_serve(OWNER_CORE_FD, &(struct files_config) { .certificates = certificates,
                                                                   .machine_certificates = MACHINE_CERTIFICATES });
}

int main(int argc, char **argv) {
        bool verbose = argc == 2 && streq(argv[1], "--verbose");
        struct sandbox_facts facts;
        int r;

        if (argc > 1 && !verbose)
                return 2;
        log_setup("dosvc-owner", verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING);
        (void) signal(SIGPIPE, SIG_IGN);
        (void) signal(SIGXFSZ, SIG_IGN); /* the write gets EFBIG */
        (void) signal(SIGIO, SIG_IGN);   /* somebody opens a file while its lease is tried (files/finish.c) */
        (void) umask(077);
        if (fd_occupy_standard() < 0 || close_range(OWNER_CORE_FD + 1, UINT32_MAX, 0) < 0)
                return 1;
        r = sandbox_enter_owner(&facts);
        if (r >= 0)
                r = serve();
        if (r == -EPROTONOSUPPORT)
                _exit(IPC_EXIT_OTHER_VERSION); /* the core knows, too, and says so */
        if (r < 0)
                log_error("%s", strerror(-r));
        _exit(r < 0 ? 1 : 0); /* a thread may hang on a mount; nobody waits for it */
}
