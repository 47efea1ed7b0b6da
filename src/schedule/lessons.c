#include "schedule/lessons.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SERVER_MAX 300 /* scheme, host name and port */

struct lesson {
        struct segments_lesson lesson;
        uint64_t learned_at; /* CLOCK_BOOTTIME */
        uid_t owner;
        char server[SERVER_MAX + 1];
};

/* Without user and password. False: no server has such a name. */
static bool write_server(const char *url, char ret[static SERVER_MAX + 1]) {
        const char *host = strstr(url, "://"), *at;
        size_t n_scheme, n_host;

        if (!host)
                return false;
        host += strlen("://");
        n_scheme = (size_t) (host - url);
        n_host = strcspn(host, "/?#");
        at = memrchr(host, '@', n_host);
        if (at) {
                n_host -= (size_t) (at + 1 - host);
                host = at + 1;
        }
        if (n_scheme + n_host > SERVER_MAX)
                return false;
        memcpy(ret, url, n_scheme);
        memcpy(ret + n_scheme, host, n_host);
        ret[n_scheme + n_host] = 0;
        return true;
}

static struct lesson *find(const struct lessons *lessons, uid_t owner, const char *server) {
        for (size_t i = 0; i < lessons->n; i++)
                if (lessons->rows[i].owner == owner && strcasecmp(lessons->rows[i].server, server) == 0)
                        return &lessons->rows[i];
        return NULL;
}

static struct lesson *take_row(struct lessons *lessons) {
        struct lesson *oldest;

        if (!lessons->rows)
                lessons->rows = calloc(LESSONS_MAX, sizeof(*lessons->rows));
        if (!lessons->rows)
                return NULL;
        if (lessons->n < LESSONS_MAX)
                return &lessons->rows[lessons->n++];
        oldest = lessons->rows;
        for (size_t i = 1; i < lessons->n; i++)
                if (lessons->rows[i].learned_at < oldest->learned_at)
                        oldest = &lessons->rows[i];
        return oldest;
}

void lessons_learn(struct lessons *lessons, uid_t owner, const char *url, const struct segments_lesson *lesson, uint64_t now) {
        char server[SERVER_MAX + 1];
        struct lesson *row;

        if (!write_server(url, server))
                return;
        row = find(lessons, owner, server);
        if (!row)
                row = take_row(lessons);
        if (!row)
                return;
        *row = (struct lesson) { .lesson = *lesson, .learned_at = now, .owner = owner };
        memcpy(row->server, server, sizeof(server));
}

bool lessons_recall(const struct lessons *lessons, uid_t owner, const char *url, uint64_t now, struct segments_lesson *ret) {
        char server[SERVER_MAX + 1];
        const struct lesson *row = write_server(url, server) ? find(lessons, owner, server) : NULL;

        if (!row || now - row->learned_at >= LESSON_LIFE_USEC)
                return false;
        *ret = row->lesson;
        return true;
}

void lessons_forget(struct lessons *lessons, uid_t owner, const char *url) {
        char server[SERVER_MAX + 1];
        struct lesson *row = write_server(url, server) ? find(lessons, owner, server) : NULL;

        if (row)
                *row = lessons->rows[--lessons->n];
}

void lessons_done(struct lessons *lessons) {
        free(lessons->rows);
        *lessons = (struct lessons) {};
}
