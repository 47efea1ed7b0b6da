/* Prints docs/states.md. */
#include "job/job.h"

int main(void) {
        job_describe_machine(stdout);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
