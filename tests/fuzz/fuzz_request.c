/* The service's reader of what clients write: options of new jobs, properties, lists of files, object paths. What it lets through
 * must be what it promises: nothing out of range comes out. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bus/options.h"
#include "bus/path.h"
#include "fuzz_message.h"
#include "protocol/limits.h"

#define REQUIRE(condition)       \
        do {                     \
                if (!(condition)) \
                        abort(); \
        } while (0)

static void read_create(sd_bus_message *m) {
        struct create_options options;
        struct options_text text;
        int r = options_read_create(m, &options, &text);

        REQUIRE(strnlen(text.text, sizeof(text.text)) < sizeof(text.text));
        if (r != 0)
                return;
        REQUIRE(options.umask >= 0 && options.umask <= 0777);
        REQUIRE(options.priority >= -1 && options.family >= 0);
        REQUIRE(options.life_time_s == -1 || options.life_time_s >= 1);
}

static void read_properties(sd_bus_message *m) {
        struct manager_properties properties;
        struct options_text text;

        (void) options_read_properties(m, &properties, &text);
        REQUIRE(strnlen(text.text, sizeof(text.text)) < sizeof(text.text));
}

static void read_files(sd_bus_message *m, uint32_t umask) {
        const struct options_limits limits = { .files = 100, .ranges = 100 };
        struct file_list list = {};
        struct options_text text;

        if (options_read_files(m, umask, &limits, &list, &text) == 0)
                for (size_t i = 0; i < list.n_items; i++) {
                        const struct job_file_spec *file = &list.items[i].file;

                        REQUIRE(file->url && file->path && strlen(file->path) <= LIMIT_PATH);
                        REQUIRE(file->n_ranges <= limits.ranges && !file->n_ranges == !file->ranges);
                        REQUIRE(file->stated_size == SIZE_UNKNOWN || file->stated_size <= LIMIT_FILE_SIZE);
                }
        file_list_done(&list);
}

static void read_path(struct fuzz_bytes *bytes) {
        char path[2 * BUS_PATH_MAX], again[BUS_PATH_MAX];
        struct guid id;
        uint32_t file;
        size_t n = bytes->size < sizeof(path) - 1 ? bytes->size : sizeof(path) - 1;

        memcpy(path, bytes->data, n);
        path[n] = 0;
        if (bus_path_parse(path, &id, &file) < 0)
                return;
        bus_path_of_job(&id, again); /* one object has one path */
        REQUIRE(strncmp(path, again, strlen(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const signatures[] = { "a{sv}", "a{sv}", "a(saya{sv})", "v" };
        struct fuzz_bytes bytes = { data, size };
        uint8_t choice = fuzz_byte(&bytes) % 5;
        sd_bus_message *m;

        if (choice == 4) {
                read_path(&bytes);
                return 0;
        }
        m = fuzz_message_new(signatures[choice], &bytes);
        if (!m)
                return 0;
        if (choice == 0)
                read_create(m);
        else if (choice == 1)
                read_properties(m);
        else /* 3: a list of files that is none */
                read_files(m, (uint32_t) size % 01001);
        sd_bus_message_unref(m);
        return 0;
}
