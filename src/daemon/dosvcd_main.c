/* dosvcd: the core. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/log.h"
#include "base/process.h"
#include "base/strings.h"
#include "daemon/arguments.h"
#include "daemon/journal.h"
#include "daemon/service.h"
#include "daemon/state_dir.h"
#include "daemon/state_lock.h"
#include "daemon/successor.h"

#define EXIT_USAGE 2
#define LARGE_BLOCK_BYTES (128 * 1024) /* glibc's own, to begin with */

/* Before any thread runs: all of them inherit it. */
static int prepare_process(void) {
        struct rlimit files;
        sigset_t mask;

        (void) umask(077);
        (void) signal(SIGPIPE, SIG_IGN);
        (void) signal(SIGXFSZ, SIG_IGN); /* a limit of file size is an error of that file, not our death */
        (void) signal(SIGIO, SIG_IGN); /* somebody opens a file while its lease is tried (files/finish.c): that is given back at once */
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGINT);
        (void) sigaddset(&mask, SIGHUP);
        if (sigprocmask(SIG_SETMASK, &mask, NULL) < 0)
                return -errno;
        /* URLs with user info are in our memory: no core file, no ptrace by others of our uid. */
        (void) prctl(PR_SET_DUMPABLE, 0);
        /* Lists of all jobs, at the start, go back to the system when they are freed: left to itself, glibc takes a larger block for normal
         * after each one that was freed, and keeps the room of the next ones. */
        (void) mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
        (void) mallopt(M_TRIM_THRESHOLD, LARGE_BLOCK_BYTES);
        if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
                files.rlim_cur = files.rlim_max;
                (void) setrlimit(RLIMIT_NOFILE, &files);
        }
        return 0;
}

static int read_settings(const struct arguments *arguments, struct settings **ret, char **ret_path) {
        _cleanup_(settings_freep) struct settings *settings = NULL;
        _cleanup_free_ char *path = NULL;
        int r;

        r = settings_new(&settings);
        if (r < 0)
                return r;
        if (arguments->config)
                r = strdup_to(&path, arguments->config);
        else if (arguments->system)
                r = strdup_to(&path, SYSTEM_CONFIG);
        else
                r = config_path_default(&path);
        if (r >= 0)
                r = settings_read(settings, path, arguments->config != NULL);
        else if (r == -ENXIO)
                r = 0; /* no home, no configuration */
        if (r < 0) {
                log_error("cannot read the configuration %s", settings_wrong(settings) ?: strerror(-r));
                return r;
        }
        *ret = TAKE_PTR(settings);
        *ret_path = TAKE_PTR(path);
        return 0;
}

static int make_state_dir(const struct arguments *arguments, char **ret) {
        _cleanup_free_ char *path = NULL;
        int r;

        if (arguments->state_dir)
                r = strdup_to(&path, arguments->state_dir);
        else if (arguments->system)
                r = strdup_to(&path, SYSTEM_STATE_DIR);
        else
                r = state_dir_default(&path);
        if (r < 0) {
                log_error(
                        "no place for the state: neither XDG_STATE_HOME nor HOME is set; choose one with --state-dir");
                return r;
        }
        r = state_dir_make(path, ret);
        if (r == -EPERM)
                log_error("%s belongs to another user", path);
        else if (r < 0)
                log_error("cannot use the state directory %s: %s", path, strerror(-r));
        return r;
}

/* One service per state folder: that there is one already is what the caller wanted. */
static int tell_held(const char *state_dir, const struct state_lock_holder *holder) {
        if (holder->other_machine) {
                log_error("%s is in use by a service on another machine (its pid there: %d)", state_dir,
                          (int) holder->pid);
                return EXIT_FAILURE;
        }
        if (holder->pid > 0)
                printf("dosvcd: already running (pid %d) at %s\n", (int) holder->pid, holder->address);
        else
                printf("dosvcd: already starting in %s\n", state_dir);
        return EXIT_SUCCESS;
}

static int serve(const struct service_config *config) {
        _cleanup_(service_freep) struct service *service = NULL;
        int r;

        r = service_new(config, &service);
        if (r == -EUCLEAN) {
                /* Rows that make no sense, though the last run ended well. This start did not: the next one judges them first. */
                log_error("the state makes no sense: once more, from what was saved of it");
                r = service_new(config, &service);
        }
        if (r == -EPROTONOSUPPORT)
                return SERVICE_EXIT_STATE_IS_NEWER; /* was said */
        if (r < 0) {
                log_error("cannot start: %s", strerror(-r));
                return EXIT_FAILURE;
        }
        r = service_run(service);
        if (r < 0) {
                log_error("the event loop failed: %s", strerror(-r));
                return EXIT_FAILURE;
        }
        return r;
}

static int run(const struct arguments *arguments, const struct successor *successor) {
        _cleanup_(settings_freep) struct settings *settings = NULL;
        _cleanup_free_ char *state_dir = NULL, *config_path = NULL;
        _cleanup_close_ int lock_fd = -EBADF;
        struct state_lock_holder holder;
        int r;

        if (read_settings(arguments, &settings, &config_path) < 0 || make_state_dir(arguments, &state_dir) < 0)
                return EXIT_FAILURE;
        r = state_lock_take(state_dir, &lock_fd, &holder);
        if (r == STATE_LOCK_HELD)
                return tell_held(state_dir, &holder);
        if (r < 0) {
                log_error("cannot lock %s: %s", state_dir, strerror(-r));
                return EXIT_FAILURE;
        }
        return serve(&(struct service_config) {
                .arguments = arguments,
                .settings = settings,
                .config_path = config_path,
                .config_required = arguments->config != NULL,
                .state_dir = state_dir,
                .lock_fd = lock_fd,
                .successor = successor,
                .default_state_dir = arguments->user && !arguments->state_dir,
        });
}

int main(int argc, char **argv) {
        _cleanup_(successor_freep) struct successor *successor = NULL;
        struct arguments arguments;
        enum log_level level;
        int r;

        if (fd_occupy_standard() < 0 || successor_new(argv, &successor) < 0)
                return EXIT_FAILURE;
        r = arguments_parse(argc, argv, &arguments);
        if (r != 0)
                return r == ARGUMENTS_DONE ? EXIT_SUCCESS : EXIT_USAGE;
        /* A journal keeps and sorts more than a terminal wants to see. */
        level = journal_take_over() ? LOG_LEVEL_INFO : LOG_LEVEL_NOTICE;
        log_setup("dosvcd", arguments.verbose ? LOG_LEVEL_DEBUG : level);
        if (prepare_process() < 0)
                return EXIT_FAILURE;
        r = process_spawn_apart(); /* before any file of an owner's is open */
        if (r < 0)
                log_debug("children are made with a copy of all descriptors: %s", strerror(-r));
        r = run(&arguments, successor);
        process_spawn_together();
        if (r != SERVICE_UPGRADED)
                return r;
        r = successor_exec(successor);
        log_error("the program that was installed cannot be run: %s", strerror(-r));
        return EXIT_FAILURE;
}
