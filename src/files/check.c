/* May this destination be used? Looks, and leaves nothing behind. */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "files/digest.h"
#include "files/paths.h"
#include "files/request.h"
#include "files/space.h"

struct check_request {
        struct request request;
        files_check_fn done;
        void *userdata;
        char *path;
        char *directory;
        struct files_identity client_directory;
        struct mount *mount; /* by its letters */
        bool replace;
        uint64_t keep_free;
        uint64_t size;
        bool has_sha256;
        uint8_t sha256[DIGEST_SIZE];
        uint64_t mount_id;
        struct files_check_result result;
};

/* Containers and private /tmp: the client's path may mean another directory to us. */
static int judge_client_directory(const struct check_request *self, const struct file_facts *directory) {
        const struct files_identity *theirs = &self->client_directory;

        return theirs->ino == 0 || (theirs->ino == directory->identity.ino && theirs->dev == directory->identity.dev) ? 0 : -EXDEV;
}

/* 1: it is what is asked for; 0: it is not, or may not be read; or -errno. */
static int existing_has_digest(const struct check_request *self, int dirfd, const char *name,
                               const struct file_facts *existing) {
        _cleanup_close_ int fd = -EBADF;
        uint8_t digest[DIGEST_SIZE];
        struct file_facts facts;
        int r;

        if (!self->has_sha256 || (self->size != FILES_SIZE_UNKNOWN && self->size != existing->size))
                return 0;
        fd = path_open_beneath(dirfd, name, O_RDONLY | O_NONBLOCK, 0);
        if (fd < 0)
                return 0;
        r = path_facts(fd, "", &facts);
        if (r < 0)
                return r;
        if ((facts.mode & S_IFMT) != S_IFREG)
                return 0;
        r = digest_descriptor(fd, 0, facts.size, &self->request.files->stop, NULL, digest);
        if (r < 0)
                return r == -EMSGSIZE ? 0 : r; /* it became shorter meanwhile */
        return memcmp(digest, self->sha256, DIGEST_SIZE) == 0;
}

/* A file of somebody else in a sticky directory cannot be replaced, only the attempt would tell. */
static bool sticky_forbids(int dirfd, const struct file_facts *existing) {
        struct file_facts directory;
        uid_t uid = geteuid();

        return uid != 0 && uid != existing->uid && path_facts(dirfd, "", &directory) == 0 && (directory.mode & S_ISVTX) && uid != directory.uid;
}

static int judge_existing(struct check_request *self, int dirfd) {
        const char *name = path_name(self->path);
        struct file_facts existing;
        int r;

        r = path_facts(dirfd, name, &existing);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        r = facts_in_the_way(&existing);
        if (r != -EEXIST)
                return r;
        r = existing_has_digest(self, dirfd, name, &existing);
        if (r < 0)
                return r;
        if (r > 0) {
                self->result.already_there = true;
                return 0;
        }
        if (!self->replace)
                return -EEXIST;
        return sticky_forbids(dirfd, &existing) ? -EPERM : 0;
}

static int check_now(struct check_request *self, struct look *look) {
        const struct file_facts *facts;
        struct directory *directory;
        int r, dirfd;

        r = look_open(look, self->request.files->directories, self->request.turn, self->directory, &directory);
        if (r < 0)
                return r;
        dirfd = directory_fd(directory);
        facts = directory_facts(directory);
        self->mount_id = facts->mount_id;
        self->result.directory = facts->identity;
        r = judge_client_directory(self, facts);
        if (r < 0)
                return r;
        r = judge_existing(self, dirfd);
        if (r < 0 || self->result.already_there)
                return r;
        r = look_writable(look, path_name(self->path));
        if (r < 0)
                return r;
        if (self->size == FILES_SIZE_UNKNOWN)
                return self->keep_free > 0 ? space_check(dirfd, 0, self->keep_free) : 0;
        r = space_check_file_size(self->size);
        if (r < 0)
                return r;
        return space_check(dirfd, self->size, self->keep_free);
}

static void check_run(struct request *request) {
        struct check_request *self = CONTAINER_OF(request, struct check_request, request);

        self->result.error = check_now(self, &self->mount->look);
        request_looked(self->mount);
}

/* In LANE_DIGEST, as it may have to read a file. */
static void check_run_alone(struct request *request) {
        struct check_request *self = CONTAINER_OF(request, struct check_request, request);
        struct look look = {};

        self->result.error = check_now(self, &look);
        look_done(&look);
}

static void check_complete(struct request *request) {
        struct check_request *self = CONTAINER_OF(request, struct check_request, request);

        if (self->result.error == 0)
                mounts_learn(request->files->mounts, self->directory, self->mount_id);
        self->done(&self->result, self->userdata);
}

static void check_destroy(struct request *request) {
        struct check_request *self = CONTAINER_OF(request, struct check_request, request);

        free(self->path);
        free(self->directory);
        free(self);
}

static int check_prepare(struct local_files *files, struct check_request *self, const struct files_check_request *request) {
        self->path = strdup(request->path);
        self->directory = path_directory(request->path);
        if (!self->path || !self->directory)
                return -ENOMEM;
        if (request->sha256) {
                self->has_sha256 = true;
                memcpy(self->sha256, request->sha256, DIGEST_SIZE);
        }
        return mounts_find(files->mounts, request->path, &self->mount);
}

int local_check(struct local_files *files, const struct files_check_request *request, files_check_fn done, void *userdata) {
        struct check_request *self;
        int r;

        r = files_path_check(request->path);
        if (r < 0)
                return r;
        self = calloc(1, sizeof(*self));
        if (!self)
                return -ENOMEM;
        *self = (struct check_request) {
                .request = { .run = check_run, .complete = check_complete, .destroy = check_destroy },
                .done = done,
                .userdata = userdata,
                .client_directory = request->client_directory,
                .replace = request->replace,
                .keep_free = files_keep_free(files, request->background),
                .size = request->size,
        };
        r = check_prepare(files, self, request);
        if (r < 0) {
                check_destroy(&self->request);
                return r;
        }
        if (self->has_sha256) {
                self->request.run = check_run_alone;
                request_submit(files, &self->request, mount_lane(self->mount, LANE_DIGEST));
        } else
                request_submit_looking(files, &self->request, self->mount);
        return 0;
}
