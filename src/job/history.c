#include "job/job.h"

#include <stdio.h>

#include "base/strings.h"

char *job_url_redact(const char *url) {
        const char *authority = strstr(url, "://"), *at, *rest;
        bool has_user, has_query;
        size_t n_path;
        char *out;

        authority = authority ? authority + strlen("://") : url;
        rest = authority + strcspn(authority, "/?#");
        at = memrchr(authority, '@', (size_t)(rest - authority));
        has_user = at != NULL;
        n_path = strcspn(rest, "?#");
        has_query = rest[n_path] == '?';
        if (asprintf(&out, "%.*s%s%.*s%s", (int)(authority - url), url, has_user ? "***" : "",
                     (int)(rest + n_path - (has_user ? at : authority)), has_user ? at : authority,
                     has_query ? "?***" : "") < 0)
                return NULL;
        return out;
}

int history_entry_new(const struct job *job, uint64_t now_usec, struct history_entry **ret) {
        _cleanup_(history_entry_freep) struct history_entry *entry = malloc(sizeof(*entry));
        const struct job_file *first = job->n_files > 0 ? job->files[0] : NULL;
        uint64_t total = job_bytes_total(job);

        if (!entry)
                return -ENOMEM;
        *entry = (struct history_entry) {
                .id = job->id,
                .owner = job->owner,
                .family = job->family,
                .state = job->state,
                .n_files = job->n_files,
                .n_files_transferred = job->n_files_transferred,
                .bytes_transferred = job->bytes_durable,
                .bytes_total = total > INT64_MAX ? SIZE_UNKNOWN : total, /* a row holds no more, and no disk either */
                .bytes_from_origin = job->bytes_fetched,
                .created_usec = job->created_usec,
                .transferred_usec = job->transferred_usec,
                .finished_usec = now_usec,
                .error = job->error,
        };
        entry->error.text = NULL;
        entry->name = strdup(job->name);
        entry->url = first && first->url ? job_url_redact(first->url) : strdup("");
        entry->path = strdup(first && first->path ? first->path : "");
        if (!entry->name || !entry->url || !entry->path || strdup_to(&entry->error.text, job->error.text) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(entry);
        return 0;
}

struct history_entry *history_entry_free(struct history_entry *entry) {
        if (!entry)
                return NULL;
        free(entry->name);
        free(entry->url);
        free(entry->path);
        free(entry->error.text);
        free(entry);
        return NULL;
}
