/* The words behind `dosvc`, one in a line of the input, and the lists that -i reads. There is no service: what gets
 * that far ends with "no service". The exit code is one that dosvc(1) names. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/cli.h"
#include "fuzz.h"

#define WORDS_MAX 64

/* The programs speak to people; the sanitizers write to the descriptor itself and stay heard. */
static void be_silent(void) {
        FILE *nowhere = fopen("/dev/null", "we");

        if (!nowhere)
                abort();
        stdout = stderr = nowhere;
}

static int split(char *text, size_t size, char *argv[static WORDS_MAX + 1]) {
        int argc = 0;

        for (char *next = text; next < text + size && argc < WORDS_MAX; next += strlen(next) + 1) {
                next[strcspn(next, "\n")] = 0;
                argv[argc++] = next;
        }
        argv[argc] = NULL;
        return argc;
}

/* "-i LIST" may name any file; a device or pipe would never end. */
static bool names_a_file(int argc, char *argv[]) {
        for (int i = 0; i < argc; i++)
                if (strstr(argv[i], "dev/") || strstr(argv[i], "proc/"))
                        return true;
        return false;
}

static void run_dosvc(int argc, char *argv[]) {
        int code;

        optind = 0;
        code = cli_main(argc, argv);
        if ((code < EXIT_DONE || code > EXIT_MISMATCH) && code != EXIT_SUSPENDED)
                abort();
}

static void read_list(const uint8_t *data, size_t size) {
        static char path[64];
        static int fd = -1;
        struct list_entry *entries = NULL;
        size_t n = 0;
        char *problem = NULL;
        int r;

        if (fd < 0) {
                fd = memfd_create("list", MFD_CLOEXEC);
                (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        }
        if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t) size)
                abort();
        r = list_read(path, &entries, &n, &problem);
        if ((r < 0) != (problem != NULL))
                abort();
        for (size_t i = 0; i < n; i++) {
                char *name = NULL;
                const char *why = NULL;

                if (!entries[i].url || !*entries[i].url)
                        abort();
                if (name_from_url(entries[i].url, &name, &why) == 0 && (!*name || strchr(name, '/')))
                        abort();
                free(name);
                list_entry_done(&entries[i]);
        }
        free(entries);
        free(problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static bool silent;
        char *argv[WORDS_MAX + 1];
        char *text;
        int argc;

        if (!silent)
                be_silent();
        silent = true;
        if (size > 0 && *data == '#') {
                read_list(data + 1, size - 1);
                return 0;
        }
        text = malloc(size + 1);
        if (!text)
                abort();
        memcpy(text, data, size);
        text[size] = 0;
        argc = split(text, size, argv);
        if (argc > 0 && !names_a_file(argc, argv))
                run_dosvc(argc, argv);
        free(text);
        return 0;
}
