/* What dosvcd is told: dosvc.conf (whatever stands in it, the settings that come out are within what idl/config.txt allows), and,
 * in inputs that begin with "dosvcd", its words, one in a line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/arguments.h"
#include "daemon/settings.h"
#include "fuzz.h"

#define WORDS_MAX 64

static const struct {
        uint64_t min, max;
} bounds[] = {
#define CONFIG_ROW(key, type, initial, min, max, unit, restart, text) { min, max },
#include "daemon/config-table.inc"
#undef CONFIG_ROW
};

static void parse_words(const uint8_t *data, size_t size) {
        char *text = malloc(size + 1), *argv[WORDS_MAX + 1];
        struct arguments arguments;
        int argc = 0, r;

        if (!text)
                abort();
        memcpy(text, data, size);
        text[size] = 0;
        for (char *next = text; next < text + size && argc < WORDS_MAX; next += strlen(next) + 1) {
                next[strcspn(next, "\n")] = 0;
                argv[argc++] = next;
        }
        argv[argc] = NULL;
        optind = 0;
        r = arguments_parse(argc, argv, &arguments);
        if ((r != 0 && r != ARGUMENTS_DONE && r != -EINVAL) || (r == 0 && !arguments.user && !arguments.system))
                abort();
        free(text);
}

static void read_configuration(const uint8_t *data, size_t size) {
        static char path[64];
        static int fd = -1;
        struct settings *settings;

        if (fd < 0) {
                fd = memfd_create("dosvc.conf", MFD_CLOEXEC);
                (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        }
        if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t) size)
                abort();
        if (settings_new(&settings) < 0)
                abort();
        if (settings_read(settings, path, true) < 0)
                abort(); /* what is wrong inside is no failure */
        for (int i = 0; i < _SETTING_MAX; i++) {
                uint64_t value = settings_get(settings, (enum setting) i);
                const struct bus_config_entry *entry = &settings_entries(settings)[i];

                if (value < bounds[i].min || value > bounds[i].max || !entry->value || !entry->source)
                        abort();
        }
        settings_free(settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static FILE *nowhere;

        if (!nowhere) { /* the sanitizers write to the descriptor itself and stay heard */
                log_setup("fuzz", (enum log_level) 0);
                nowhere = fopen("/dev/null", "we");
                stdout = stderr = nowhere;
        }
        if (size >= 6 && memcmp(data, "dosvcd", 6) == 0)
                parse_words(data, size);
        else
                read_configuration(data, size);
        return 0;
}
