/* Runs a fuzz target without libFuzzer: every file of the corpus folders, then random mutations of them for some seconds. The
 * seed is fixed, so that a crash comes again; -s changes it. usage: fuzz_NAME [-t SECONDS] [-s SEED] CORPUS… */
#include "fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX (128 * 1024)
#define CORPUS_MAX 4096
#define MUTATIONS_MAX 8

struct input {
        uint8_t *bytes;
        size_t size;
};

static struct input corpus[CORPUS_MAX];
static size_t n_corpus;
static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random_u64(void) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state;
}

static size_t random_below(size_t n) {
        return n ? (size_t) (random_u64() % n) : 0;
}

static void add_file(const char *path) {
        struct stat st;
        struct input input;
        FILE *f;

        f = fopen(path, "re");
        if (!f || n_corpus == CORPUS_MAX || fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > INPUT_MAX) {
                if (f)
                        fclose(f);
                return;
        }
        input.bytes = malloc((size_t) st.st_size + 1);
        if (!input.bytes)
                exit(EXIT_FAILURE);
        input.size = fread(input.bytes, 1, (size_t) st.st_size, f);
        fclose(f);
        corpus[n_corpus++] = input;
}

static void add_path(const char *path) {
        char name[4096];
        struct dirent *entry;
        DIR *dir = opendir(path);

        if (!dir)
                return add_file(path);
        while ((entry = readdir(dir)))
                if (entry->d_name[0] != '.') {
                        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
                        add_file(name);
                }
        closedir(dir);
}

static void mutate_integer(uint8_t *bytes, size_t size) {
        static const uint64_t values[] = { 0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff,
                                           0x7fffffffffffffff, 0xffffffffffffffff };
        uint64_t value = values[random_below(sizeof(values) / sizeof(values[0]))];
        size_t width = (size_t) 1 << random_below(4);

        if (size >= width)
                memcpy(bytes + random_below(size - width + 1), &value, width);
}

static size_t mutate(uint8_t *bytes, size_t size) {
        const struct input *other = &corpus[random_below(n_corpus)];
        size_t at, n;

        switch (random_below(7)) {
        case 0:
                if (size > 0)
                        bytes[random_below(size)] ^= (uint8_t) (1u << random_below(8));
                return size;
        case 1:
                if (size > 0)
                        bytes[random_below(size)] = (uint8_t) random_u64();
                return size;
        case 2:
                mutate_integer(bytes, size);
                return size;
        case 3:
                return random_below(size + 1);
        case 4: /* insert */
                at = random_below(size + 1);
                n = 1 + random_below(16);
                if (size + n > INPUT_MAX)
                        return size;
                memmove(bytes + at + n, bytes + at, size - at);
                memset(bytes + at, (int) random_u64(), n);
                return size + n;
        case 5: /* remove */
                at = random_below(size + 1);
                n = random_below(size - at + 1);
                memmove(bytes + at, bytes + at + n, size - at - n);
                return size - n;
        default: /* splice */
                at = random_below(size + 1);
                n = random_below(other->size + 1);
                if (at + n > INPUT_MAX)
                        return size;
                memcpy(bytes + at, other->bytes, n);
                return at + n > size ? at + n : size;
        }
}

/* The exact size on the heap, so that reading one byte too many is seen by valgrind and ASan. */
static void run(const uint8_t *bytes, size_t size) {
        uint8_t *copy = malloc(size ? size : 1);

        if (!copy)
                exit(EXIT_FAILURE);
        memcpy(copy, bytes, size);
        (void) LLVMFuzzerTestOneInput(copy, size);
        free(copy);
}

static double now(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
        static uint8_t bytes[INPUT_MAX];
        unsigned long runs = 0;
        double seconds = 2, end;
        size_t size;
        int c;

        while ((c = getopt(argc, argv, "t:s:")) != -1)
                if (c == 't')
                        seconds = atof(optarg);
                else if (c == 's')
                        random_state = strtoull(optarg, NULL, 0) | 1;
                else
                        return EXIT_FAILURE;
        for (; optind < argc; optind++)
                add_path(argv[optind]);
        if (n_corpus == 0) {
                fprintf(stderr, "no corpus\n");
                return EXIT_FAILURE;
        }
        for (size_t i = 0; i < n_corpus; i++)
                run(corpus[i].bytes, corpus[i].size);
        for (end = now() + seconds; now() < end; runs++) {
                const struct input *seed = &corpus[random_below(n_corpus)];

                memcpy(bytes, seed->bytes, seed->size);
                size = seed->size;
                for (size_t i = 1 + random_below(MUTATIONS_MAX); i > 0; i--)
                        size = mutate(bytes, size);
                run(bytes, size);
        }
        dprintf(STDOUT_FILENO, "%zu files, %lu mutations\n", n_corpus, runs); /* the target may have silenced stdout */
        for (size_t i = 0; i < n_corpus; i++)
                free(corpus[i].bytes);
        return EXIT_SUCCESS;
}
