#include "fuzz_message.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ITEMS_MAX 24 /* of one array */
#define DEPTH_MAX 8
#define TEXT_MAX 70000 /* longer than what most limits allow */
#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))

static const struct {
        const char *name;
        const char *signature;
} keys[] = {
#include "fuzz-keys.inc"
};

/* What stands in variants beside what belongs there. */
static const char *const signatures[] = {
        "s", "u", "t", "b", "ay", "a(tt)", "a{sv}", "as", "aa{sv}", "v", "i", "x", "d", "o", "g", "(ss)", "y", "q", "av", "h",
};

static const char *const words[] = {
        "",
        "do",
        "bits",
        "foreground",
        "low",
        "suspended",
        "transferring",
        "transferred",
        "error",
        "acknowledged",
        "pending",
        "published",
        "http://a/b",
        "https://user:secret@host:65535/%00?q#f",
        "/org/dosvc/job/0123456789abcdef0123456789abcdef",
        "01234567-89ab-cdef-0123-456789abcdef",
        "0123456789abcdef0123456789abcdef",
        "NotFound",
        "remote-file",
        "-1",
        "18446744073709551616",
        "\xef\xbf\xbd\xf0\x9f\x98\x80",
        "A: b\r\nC: d",
        "http_proxy=http://p:1\nno_proxy=*",
};

uint8_t fuzz_byte(struct fuzz_bytes *bytes) {
        if (bytes->size == 0)
                return 0;
        bytes->size--;
        return *bytes->data++;
}

uint64_t fuzz_u64(struct fuzz_bytes *bytes) {
        static const uint64_t edges[] = { 0, 1, 2, 0777, 01000, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX - 1, UINT64_MAX };
        uint8_t choice = fuzz_byte(bytes);
        uint64_t value = 0;

        if (choice < 128)
                return edges[choice % ELEMENTSOF(edges)];
        for (unsigned n = choice % 8 + 1; n > 0; n--)
                value = value << 8 | fuzz_byte(bytes);
        return value;
}

/* A word, a run of one letter, or what stands in the bytes, made fit for the wire: no zero, ASCII. */
static const char *any_text(struct fuzz_bytes *bytes) {
        static char text[TEXT_MAX + 1];
        uint8_t choice = fuzz_byte(bytes);
        size_t n;

        if (choice < 100)
                return words[choice % ELEMENTSOF(words)];
        if (choice < 110) {
                n = (size_t) fuzz_byte(bytes) * TEXT_MAX / UINT8_MAX;
                memset(text, 'a', n);
        } else
                for (n = 0; n < choice - 110u && bytes->size > 0; n++) {
                        text[n] = (char) (fuzz_byte(bytes) & 0x7f);
                        if (text[n] == 0)
                                text[n] = '\n';
                }
        text[n] = 0;
        return text;
}

static int append_one(sd_bus_message *m, char type, struct fuzz_bytes *bytes) {
        uint64_t number;
        int b;

        switch (type) {
        case 's':
                return sd_bus_message_append_basic(m, 's', any_text(bytes));
        case 'o':
                return sd_bus_message_append_basic(m, 'o', fuzz_byte(bytes) % 2 ? "/" : words[14]);
        case 'g':
                return sd_bus_message_append_basic(m, 'g', signatures[fuzz_byte(bytes) % ELEMENTSOF(signatures)]);
        case 'h':
                return sd_bus_message_append_basic(m, 'h', &(int) { STDIN_FILENO });
        case 'b':
                b = fuzz_byte(bytes) % 2;
                return sd_bus_message_append_basic(m, 'b', &b);
        default: /* the first bytes are the small number on this machine */
                number = fuzz_u64(bytes);
                return sd_bus_message_append_basic(m, type, &number);
        }
}

/* The length of the first complete type. */
static size_t type_length(const char *signature) {
        size_t n = 0;
        int depth = 0;

        while (signature[n] == 'a')
                n++;
        do {
                depth += signature[n] == '(' || signature[n] == '{';
                depth -= signature[n] == ')' || signature[n] == '}';
                n++;
        } while (depth > 0);
        return n;
}

static int append_types(sd_bus_message *m, const char *signature, struct fuzz_bytes *bytes, unsigned depth);

static int append_container(sd_bus_message *m, char type, const char *contents, size_t n_times, struct fuzz_bytes *bytes,
                            unsigned depth) {
        int r = sd_bus_message_open_container(m, type, contents);

        for (size_t i = 0; r >= 0 && i < n_times; i++)
                r = append_types(m, contents, bytes, depth + 1);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_entry(sd_bus_message *m, struct fuzz_bytes *bytes, unsigned depth) {
        size_t key = fuzz_byte(bytes) % ELEMENTSOF(keys);
        uint8_t choice = fuzz_byte(bytes);
        const char *signature = choice < 224 ? keys[key].signature : signatures[choice % ELEMENTSOF(signatures)];
        int r = sd_bus_message_open_container(m, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', choice % 16 ? keys[key].name : any_text(bytes));
        if (r >= 0)
                r = append_container(m, 'v', depth < DEPTH_MAX ? signature : "u", 1, bytes, depth);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_array(sd_bus_message *m, const char *contents, struct fuzz_bytes *bytes, unsigned depth) {
        size_t n = fuzz_byte(bytes);
        int r = 0;

        n = bytes->size == 0 ? 0 : n >= 252 && *contents != 'y' ? n * 5 : n % ITEMS_MAX;
        if (strcmp(contents, "{sv}") != 0)
                return append_container(m, 'a', contents, *contents == 'y' && n == 7 ? 32 : n, bytes, depth);
        r = sd_bus_message_open_container(m, 'a', contents);
        for (size_t i = 0; r >= 0 && i < n && bytes->size > 0; i++)
                r = append_entry(m, bytes, depth + 1);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_types(sd_bus_message *m, const char *signature, struct fuzz_bytes *bytes, unsigned depth) {
        char contents[64];
        int r = 0;

        while (r >= 0 && *signature) {
                size_t n = type_length(signature);

                if (*signature == 'a' || *signature == '(') {
                        bool is_struct = *signature == '(';

                        (void) snprintf(contents, sizeof(contents), "%.*s", (int) (n - 1 - is_struct), signature + 1);
                        r = is_struct ? append_container(m, 'r', contents, 1, bytes, depth)
                                      : append_array(m, contents, bytes, depth);
                } else if (*signature == 'v')
                        r = append_container(
                                m, 'v', depth < DEPTH_MAX ? signatures[fuzz_byte(bytes) % ELEMENTSOF(signatures)] : "u", 1,
                                bytes, depth);
                else
                        r = append_one(m, *signature, bytes);
                signature += n;
        }
        return r;
}

int fuzz_message_append(sd_bus_message *m, const char *signature, struct fuzz_bytes *bytes) {
        return append_types(m, signature, bytes, 0);
}

sd_bus *fuzz_message_bus(void) {
        static sd_bus *bus;
        int fds[2];

        if (bus)
                return bus;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0 || sd_bus_new(&bus) < 0 ||
            sd_bus_set_fd(bus, fds[0], fds[0]) < 0 || sd_bus_negotiate_fds(bus, 1) < 0 || sd_bus_start(bus) < 0)
                abort();
        return bus;
}

sd_bus_message *fuzz_message_new(const char *signature, struct fuzz_bytes *bytes) {
        sd_bus_message *m = NULL;

        if (sd_bus_message_new_signal(fuzz_message_bus(), &m, "/x", "x.y", "Z") < 0)
                abort();
        if (fuzz_message_append(m, signature, bytes) >= 0 && sd_bus_message_seal(m, 1, 0) >= 0 &&
            sd_bus_message_rewind(m, 1) >= 0)
                return m;
        return sd_bus_message_unref(m);
}
