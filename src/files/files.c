#include "files/files.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <utlist.h>

#include "base/strings.h"
#include "files/paths.h"
#include "files/request.h"

bool files_identity_equal(const struct files_identity *a, const struct files_identity *b) {
        static const uint8_t unknown[sizeof(a->boot_id)] = {};

        if (a->ino == 0 || a->ino != b->ino)
                return false;
        if (memcmp(a->boot_id, b->boot_id, sizeof(a->boot_id)) == 0 &&
            memcmp(a->boot_id, unknown, sizeof(unknown)) != 0 && a->dev != b->dev)
                return false;
        return a->btime_usec == 0 || b->btime_usec == 0 || a->btime_usec == b->btime_usec;
}

int files_new(const struct files_config *config, struct files **ret) {
        struct files *files = calloc(1, sizeof(*files));
        int r;

        if (!files)
                return -ENOMEM;
        atomic_init(&files->stop, false);
        files->minimum_free_bytes = config->minimum_free_bytes;
        r = mounts_new(&files->mounts);
        if (r == 0)
                r = directories_new(&files->directories);
        if (r == 0)
                r = workers_new(MAX(config->max_threads, 1u), &files->workers);
        if (r < 0) {
                files_free(files, false);
                return r;
        }
        *ret = files;
        return 0;
}

struct files *files_free(struct files *files, bool abandon) {
        struct request *request, *tmp;

        if (!files)
                return NULL;
        atomic_store(&files->stop, true);
        files->workers = workers_free(files->workers, abandon);
        if (abandon)
                return NULL; /* the threads that hang still hold on to all of it */
        DL_FOREACH_SAFE(files->requests, request, tmp) {
                DL_DELETE(files->requests, request);
                request->destroy(request);
        }
        files->directories = directories_free(files->directories);
        files->mounts = mounts_free(files->mounts);
        free(files);
        return NULL;
}

int files_fd(const struct files *files) {
        return workers_fd(files->workers);
}

size_t files_dispatch(struct files *files) {
        mounts_next_turn(files->mounts);
        return workers_dispatch(files->workers);
}

size_t files_wait(struct files *files) {
        mounts_next_turn(files->mounts);
        return workers_wait(files->workers);
}

size_t files_outstanding(const struct files *files) {
        return workers_outstanding(files->workers);
}

static void request_run(struct work *work) {
        struct request *request = CONTAINER_OF(work, struct request, work);

        request->run(request);
}

static void request_done(struct work *work) {
        struct request *request = CONTAINER_OF(work, struct request, work);

        DL_DELETE(request->files->requests, request);
        if (request->complete)
                request->complete(request);
        request->destroy(request);
}

void request_submit(struct files *files, struct request *request, const void *lane) {
        request->files = files;
        request->work = (struct work) { .run = request_run, .done = request_done, .lane = lane };
        DL_APPEND(files->requests, request);
        workers_submit(files->workers, &request->work);
}

int files_path_check(const char *path) {
        const char *name;

        if (*path != '/')
                return -EINVAL;
        if (strlen(path) > LIMIT_PATH)
                return -ENAMETOOLONG;
        for (const char *p = path; *p; p += strcspn(p, "/"), p += *p == '/')
                if (strcspn(p, "/") > LIMIT_NAME)
                        return -ENAMETOOLONG;
        name = path_name(path);
        if (*name == 0 || streq(name, ".") || streq(name, ".."))
                return -EINVAL;
        /* The janitor would take it for a temp file of ours one day. */
        if (temp_name_is_valid(name))
                return -EINVAL;
        return 0;
}

int files_temp_name_new(char ret[static FILES_TEMP_NAME_MAX]) {
        char text[23];
        uint8_t bytes[16];
        size_t n = 0;

        while (n < sizeof(bytes)) {
                ssize_t r = getrandom(bytes + n, sizeof(bytes) - n, 0);

                if (r < 0 && errno != EINTR)
                        return -errno;
                n += r > 0 ? (size_t) r : 0;
        }
        base64url_encode(bytes, sizeof(bytes), text);
        (void) snprintf(ret, FILES_TEMP_NAME_MAX, ".dosvc-%s.part", text);
        return 0;
}
