#include "files/mounts.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"

#define MOUNTINFO_MAX (16u * 1024 * 1024) /* some 100,000 mounts */
#define ALIASES_MAX 256                   /* directories behind links; forgotten all at once when there are more */

struct mount_point {
        uint64_t id;
        char *path; /* unescaped; points into the text */
        size_t length;
};

/* A parsed mountinfo. */
struct mount_table {
        char *text;
        struct mount_point *points;
        size_t n;
};

struct alias {
        char *directory;
        uint64_t mount_id;
};

struct mounts {
        int fd; /* /proc/self/mountinfo, polled for changes; -EBADF: no /proc */
        struct mount_table table;
        struct alias aliases[ALIASES_MAX];
        size_t n_aliases;
        char *learned_directory; /* that mounts_learn() judged last, and its mount; or NULL */
        uint64_t learned_id;
        struct mount *list;
        uint64_t turn;
        char *last_directory; /* of the path that was looked for last in this turn, as it was written; or NULL */
        struct mount *last_mount;
        bool is_fresh; /* the kernel was asked for changes in this turn */
};

static void forget_last(struct mounts *mounts) {
        free(TAKE_PTR(mounts->last_directory));
}

static bool is_octal(const char *s, char first_max) {
        return s[0] >= '0' && s[0] <= first_max && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' && s[2] <= '7';
}

/* "\040" and its like, in place. */
static void unescape(char *s) {
        char *to = s;

        for (; *s; s++) {
                if (s[0] == '\\' && is_octal(s + 1, '3')) {
                        *to++ = (char) ((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
                        s += 3;
                } else
                        *to++ = *s;
        }
        *to = 0;
}

/* proc(5): (1) id, (2) parent, (3) major:minor, (4) root, (5) mount point, … */
static bool parse_line(char *line, struct mount_point *ret) {
        char *save = NULL, *id = strtok_r(line, " ", &save), *point = NULL;

        for (unsigned i = 2; i <= 5; i++)
                point = strtok_r(NULL, " ", &save);
        if (!id || !point || *point != '/' || parse_u64(id, &ret->id) < 0)
                return false;
        unescape(point);
        ret->path = point;
        ret->length = strlen(point);
        return true;
}

static void table_done(struct mount_table *table) {
        free(table->text);
        free(table->points);
        *table = (struct mount_table) {};
}

/* Takes @text over, even when it fails. */
static int table_parse(struct mount_table *table, char *text) {
        struct mount_table new = { .text = text };
        char *save = NULL;
        size_t lines = 1;

        for (const char *p = text; *p; p++)
                lines += *p == '\n';
        new.points = calloc(lines, sizeof(*new.points));
        if (!new.points) {
                free(text);
                return -ENOMEM;
        }
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
                if (parse_line(line, &new.points[new.n]))
                        new.n++;
        table_done(table);
        *table = new;
        return 0;
}

static bool path_is_below(const char *path, const struct mount_point *point) {
        if (point->length == 1)
                return true; /* the root */
        return strncmp(path, point->path, point->length) == 0 &&
                (path[point->length] == '/' || path[point->length] == 0);
}

/* The longest one; of several at one place the last, which lies on top. */
static uint64_t table_find(const struct mount_table *table, const char *path) {
        const struct mount_point *best = NULL;

        for (size_t i = 0; i < table->n; i++) {
                const struct mount_point *point = &table->points[i];

                if (path_is_below(path, point) && (!best || point->length >= best->length))
                        best = point;
        }
        return best ? best->id : 0;
}

/* Without "//", "." and "..": by letters only, as links may not be looked at here. */
static char *path_simplify(const char *path) {
        char *simple = malloc(strlen(path) + 2);
        size_t n = 0;

        if (!simple)
                return NULL;
        while (*path) {
                size_t length = strcspn(path, "/");

                if (length == 2 && strncmp(path, "..", 2) == 0)
                        while (n > 0 && simple[--n] != '/')
                                ;
                else if (length > 0 && !(length == 1 && *path == '.')) {
                        simple[n++] = '/';
                        memcpy(simple + n, path, length);
                        n += length;
                }
                path += length;
                path += *path == '/';
        }
        if (n == 0)
                simple[n++] = '/';
        simple[n] = 0;
        return simple;
}

uint64_t mounts_parse_and_find(const char *mountinfo, const char *path) {
        _cleanup_free_ char *simple = path_simplify(path);
        _cleanup_(table_done) struct mount_table table = {};
        char *text = strdup(mountinfo);

        if (!simple || !text || table_parse(&table, text) < 0)
                return 0;
        return table_find(&table, simple);
}

static void aliases_clear(struct mounts *mounts) {
        for (size_t i = 0; i < mounts->n_aliases; i++)
                free(mounts->aliases[i].directory);
        mounts->n_aliases = 0;
        free(TAKE_PTR(mounts->learned_directory));
}

static int table_read(struct mounts *mounts) {
        _cleanup_free_ char *text = NULL;
        size_t allocated = 16384;

        for (;; allocated *= 2) {
                char *larger = realloc(text, allocated);
                ssize_t n;

                if (!larger)
                        return -ENOMEM;
                text = larger;
                n = fd_pread_all(mounts->fd, text, allocated - 1, 0);
                if (n < 0)
                        return (int) n;
                text[n] = 0;
                if ((size_t) n < allocated - 1 || allocated >= MOUNTINFO_MAX)
                        break;
        }
        aliases_clear(mounts);
        return table_parse(&mounts->table, TAKE_PTR(text));
}

int mounts_new(struct mounts **ret) {
        struct mounts *mounts = calloc(1, sizeof(*mounts));

        if (!mounts)
                return -ENOMEM;
        mounts->fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
        *ret = mounts;
        return 0;
}

struct mounts *mounts_free(struct mounts *mounts) {
        if (!mounts)
                return NULL;
        while (mounts->list) {
                struct mount *mount = mounts->list;

                mounts->list = mount->next;
                look_done(&mount->look);
                pthread_mutex_destroy(&mount->lock);
                free(mount);
        }
        aliases_clear(mounts);
        forget_last(mounts);
        table_done(&mounts->table);
        fd_close(mounts->fd);
        free(mounts);
        return NULL;
}

int mounts_find_id(struct mounts *mounts, uint64_t id, struct mount **ret) {
        struct mount *mount;

        for (mount = mounts->list; mount; mount = mount->next)
                if (mount->id == id)
                        break;
        if (!mount) {
                mount = calloc(1, sizeof(*mount));
                if (!mount)
                        return -ENOMEM;
                mount->id = id;
                pthread_mutex_init(&mount->lock, NULL);
                mount->next = mounts->list;
                mounts->list = mount;
        }
        *ret = mount;
        return 0;
}

/* The kernel flags a changed table once per change (POLLERR and POLLPRI). A table that cannot be read stays as it
 * was: a wrong lane is no more than a wrong place to wait. */
static void table_refresh(struct mounts *mounts) {
        struct pollfd p = { .fd = mounts->fd, .events = POLLPRI };

        if (mounts->is_fresh || mounts->fd < 0)
                return;
        if (mounts->table.n == 0 || (poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLPRI))))
                (void) table_read(mounts);
        mounts->is_fresh = mounts->table.n > 0;
}

void mounts_next_turn(struct mounts *mounts) {
        mounts->is_fresh = false;
        mounts->turn++;
        forget_last(mounts);
}

uint64_t mounts_turn(const struct mounts *mounts) {
        return mounts->turn;
}

static int find_slowly(struct mounts *mounts, const char *path, struct mount **ret) {
        _cleanup_free_ char *simple = path_simplify(path);
        const char *last_slash;

        if (!simple)
                return -ENOMEM;
        table_refresh(mounts);
        last_slash = strrchr(simple, '/');
        for (size_t i = 0; i < mounts->n_aliases; i++) {
                const struct alias *alias = &mounts->aliases[i];
                size_t length = strlen(alias->directory);

                if (length == (size_t)(last_slash - simple) && strncmp(alias->directory, simple, length) == 0)
                        return mounts_find_id(mounts, alias->mount_id, ret);
        }
        return mounts_find_id(mounts, table_find(&mounts->table, simple), ret);
}

/* Neighbours of a list are looked for one after the other. A last component like ".." is another matter, and no file's name. */
int mounts_find(struct mounts *mounts, const char *path, struct mount **ret) {
        _cleanup_free_ char *directory = NULL;
        int r;

        if (mounts->last_directory) {
                size_t length = strlen(mounts->last_directory);

                if (strncmp(path, mounts->last_directory, length) == 0 && path[length] == '/' && !strchr(path + length + 1, '/') &&
                    path[length + 1] != '.') {
                        *ret = mounts->last_mount;
                        return 0;
                }
        }
        r = find_slowly(mounts, path, ret);
        if (r < 0)
                return r;
        forget_last(mounts);
        directory = path_directory(path);
        mounts->last_directory = TAKE_PTR(directory);
        mounts->last_mount = *ret;
        return 0;
}

static void learn(struct mounts *mounts, const char *directory, uint64_t id) {
        _cleanup_free_ char *simple = path_simplify(directory);

        if (!simple || id == 0 || streq(simple, "/") || table_find(&mounts->table, simple) == id)
                return;
        for (size_t i = 0; i < mounts->n_aliases; i++)
                if (streq(mounts->aliases[i].directory, simple)) {
                        mounts->aliases[i].mount_id = id;
                        return;
                }
        if (mounts->n_aliases == ALIASES_MAX)
                aliases_clear(mounts);
        mounts->aliases[mounts->n_aliases++] = (struct alias) { .directory = TAKE_PTR(simple), .mount_id = id };
}

/* What is said for one of ten thousand files is said for its neighbours, too. */
void mounts_learn(struct mounts *mounts, const char *directory, uint64_t id) {
        if (mounts->learned_directory && mounts->learned_id == id && streq(mounts->learned_directory, directory))
                return;
        forget_last(mounts);
        learn(mounts, directory, id);
        free(mounts->learned_directory);
        mounts->learned_directory = strdup(directory);
        mounts->learned_id = id;
}
