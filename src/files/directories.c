#include "files/directories.h"

#include <pthread.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct directory_key {
        uint64_t dev;
        uint64_t ino;
};

struct directory {
        struct directory_key key;
        UT_hash_handle hh; /* guarded, like n_refs, by directories->lock */
        struct directories *owner;
        unsigned n_refs;
        int fd;
        struct file_facts facts;

        pthread_mutex_t lock; /* of what follows; held during fsync(2), so that others wait for it and find it done */
        uint64_t last_made;
        uint64_t last_durable;
        uint64_t last_lost; /* names up to here, and after last_durable, met a failed fsync(2) */
};

struct directories {
        pthread_mutex_t lock;
        struct directory *table;
};

int directories_new(struct directories **ret) {
        struct directories *directories = calloc(1, sizeof(*directories));

        if (!directories)
                return -ENOMEM;
        pthread_mutex_init(&directories->lock, NULL);
        *ret = directories;
        return 0;
}

struct directories *directories_free(struct directories *directories) {
        if (!directories)
                return NULL;
        assert(!directories->table); /* a handle was not closed */
        pthread_mutex_destroy(&directories->lock);
        free(directories);
        return NULL;
}

/* Lock held. Takes @fd over if the directory is new. */
static struct directory *find_or_add(struct directories *directories, const struct file_facts *facts, int *fd) {
        struct directory_key key = { .dev = facts->identity.dev, .ino = facts->identity.ino };
        struct directory *directory;

        HASH_FIND(hh, directories->table, &key, sizeof(key), directory);
        if (directory) {
                directory->n_refs++;
                return directory;
        }
        directory = calloc(1, sizeof(*directory));
        if (!directory)
                return NULL;
        directory->key = key;
        HASH_ADD(hh, directories->table, key, sizeof(key), directory);
        if (!directory->hh.tbl) {
                free(directory);
                return NULL;
        }
        directory->owner = directories;
        directory->n_refs = 1;
        directory->facts = *facts;
        directory->fd = TAKE_FD(*fd);
        pthread_mutex_init(&directory->lock, NULL);
        return directory;
}

int directory_open(struct directories *directories, const char *path, struct directory **ret) {
        _cleanup_close_ int fd = path_open_directory(path);
        struct file_facts facts;
        int r;

        if (fd < 0)
                return fd;
        r = path_facts(fd, "", &facts);
        if (r < 0)
                return r;
        pthread_mutex_lock(&directories->lock);
        *ret = find_or_add(directories, &facts, &fd);
        pthread_mutex_unlock(&directories->lock);
        return *ret ? 0 : -ENOMEM;
}

struct directory *directory_ref(struct directory *directory) {
        pthread_mutex_lock(&directory->owner->lock);
        directory->n_refs++;
        pthread_mutex_unlock(&directory->owner->lock);
        return directory;
}

struct directory *directory_unref(struct directory *directory) {
        struct directories *owner;

        if (!directory)
                return NULL;
        owner = directory->owner;
        pthread_mutex_lock(&owner->lock);
        if (--directory->n_refs > 0)
                directory = NULL;
        else
                HASH_DEL(owner->table, directory);
        pthread_mutex_unlock(&owner->lock);
        if (directory) {
                fd_close(directory->fd);
                pthread_mutex_destroy(&directory->lock);
                free(directory);
        }
        return NULL;
}

int directory_fd(const struct directory *directory) {
        return directory->fd;
}

const struct file_facts *directory_facts(const struct directory *directory) {
        return &directory->facts;
}

uint64_t directory_name_made(struct directory *directory) {
        uint64_t number;

        pthread_mutex_lock(&directory->lock);
        number = ++directory->last_made;
        pthread_mutex_unlock(&directory->lock);
        return number;
}

/* Lock held. */
static int make_durable(struct directory *directory, uint64_t number, int any_fd) {
        int r;

        if (number <= directory->last_durable)
                return 0;
        if (number <= directory->last_lost)
                return -EIO;
        r = path_sync_directory(directory->fd, any_fd);
        if (r == 0)
                directory->last_durable = directory->last_made;
        else if (r == -EIO)
                directory->last_lost = directory->last_made;
        return r;
}

int directory_make_durable(struct directory *directory, uint64_t number, int any_fd) {
        int r;

        pthread_mutex_lock(&directory->lock);
        r = make_durable(directory, number, any_fd);
        pthread_mutex_unlock(&directory->lock);
        return r;
}
