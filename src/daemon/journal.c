#include "daemon/journal.h"

#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "base/log.h"

#define FIELDS_MAX 12 /* of one line, with the fixed ones */

struct fields {
        struct iovec vectors[FIELDS_MAX];
        size_t n;
};

static int fields_add(struct fields *fields, const char *name, const char *value) {
        char *text;

        if (fields->n == FIELDS_MAX)
                return -ENOBUFS;
        if (asprintf(&text, "%s=%s", name, value) < 0)
                return -ENOMEM;
        fields->vectors[fields->n++] = (struct iovec) { .iov_base = text, .iov_len = strlen(text) };
        return 0;
}

static void fields_done(struct fields *fields) {
        for (size_t i = 0; i < fields->n; i++)
                free(fields->vectors[i].iov_base);
}

static int send_line(const struct log_line *line) {
        _cleanup_(fields_done) struct fields fields = {};
        char priority[] = { (char) ('0' + (int) line->level), 0 };
        int r;

        r = fields_add(&fields, "MESSAGE", line->text);
        if (r >= 0)
                r = fields_add(&fields, "PRIORITY", priority);
        if (r >= 0)
                r = fields_add(&fields, "SYSLOG_IDENTIFIER", line->program);
        if (r >= 0 && line->message_id)
                r = fields_add(&fields, "MESSAGE_ID", line->message_id);
        for (size_t i = 0; r >= 0 && i < line->n_fields; i++)
                r = fields_add(&fields, line->fields[i].name, line->fields[i].value);
        return r < 0 ? r : sd_journal_sendv(fields.vectors, (int) fields.n);
}

bool journal_take_over(void) {
        if (!log_stderr_is_journal())
                return false;
        log_set_sink(send_line);
        return true;
}
