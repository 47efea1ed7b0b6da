/* dosvc-notify PROGRAM ARGUMENT…: becomes the program that a job names for its end (IBackgroundCopyJob2::SetNotifyCmdLine).
 *
 * The service has given it a session, /dev/null and an environment of its own. What is left of the service, and may not be changed
 * where it is started, is changed here: limits, umask and current directory. */
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "program/runner.h"

#define FILES_USUAL 1024 /* of descriptors: a program that calls select(2) may not have more */

int main(int argc, char **argv) {
        struct rlimit files;

        if (argc < 3 || argv[1][0] != '/')
                return 2;
        if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > FILES_USUAL) {
                files.rlim_cur = FILES_USUAL;
                (void) setrlimit(RLIMIT_NOFILE, &files);
        }
        (void) umask(022);
        if (chdir("/") < 0)
                return RUNNER_EXIT_NOT_STARTED;
        (void) execve(argv[1], argv + 2, environ);
        return RUNNER_EXIT_NOT_STARTED;
}
