#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define USEC_PER_SEC UINT64_C(1000000)
#define REDRAW_USEC (USEC_PER_SEC / 10)     /* on a terminal: at most ten times a second */
#define PLAIN_LINE_USEC (10 * USEC_PER_SEC) /* elsewhere: a line every ten seconds, when something else changes, */
#define PLAIN_STEP_USEC USEC_PER_SEC        /* and for each tenth of the bytes, but not more often than this */
#define PLAIN_STEPS 10
#define RATE_WINDOW_USEC (5 * USEC_PER_SEC)
#define SAMPLE_USEC (USEC_PER_SEC / 10)
#define SAMPLES 64 /* more than RATE_WINDOW_USEC / SAMPLE_USEC */
#define DEFAULT_COLUMNS 80
#define WATCH_TURN_MSEC 1000 /* on a terminal: a bar that stands still must say so */
#define WATCH_TIMED_OUT 1    /* S_FALSE */
#define BAR_MAX 30
#define BAR_MIN 8

struct sample {
        uint64_t time;
        uint64_t bytes;
};

struct meter {
        char *label;
        bool terminal;
        bool line_is_open;
        uint64_t drawn;
        unsigned step;  /* tenths at the last drawing */
        char state[64]; /* of the last drawing: state and waiting reason */
        struct sample samples[SAMPLES];
        size_t n_samples;
};

struct meter *meter_new(const char *label) {
        struct meter *meter = must(calloc(1, sizeof(*meter)));

        meter->label = must_printf("%s", label);
        meter->terminal = isatty(STDERR_FILENO);
        return meter;
}

void meter_clear(struct meter *meter) {
        if (meter && meter->line_is_open) {
                fputs("\r\033[K", stderr);
                meter->line_is_open = false;
        }
}

struct meter *meter_free(struct meter *meter) {
        if (!meter)
                return NULL;
        meter_clear(meter);
        free(meter->label);
        free(meter);
        return NULL;
}

void meter_sample(struct meter *meter, uint64_t bytes, uint64_t now_usec) {
        struct sample *last = meter->n_samples ? &meter->samples[meter->n_samples - 1] : NULL;
        size_t old = 0;

        if (last && bytes < last->bytes) { /* a file began again */
                meter->n_samples = 0;
                last = NULL;
        }
        if (last && now_usec < last->time + SAMPLE_USEC)
                return;
        /* One sample older than the window stays: the rate is measured over at least the window. */
        while (old + 1 < meter->n_samples && meter->samples[old + 1].time + RATE_WINDOW_USEC <= now_usec)
                old++;
        if (meter->n_samples == SAMPLES && old == 0)
                old = 1;
        meter->n_samples -= old;
        memmove(meter->samples, meter->samples + old, meter->n_samples * sizeof(*meter->samples));
        meter->samples[meter->n_samples++] = (struct sample) { now_usec, bytes };
}

uint64_t meter_rate(const struct meter *meter) {
        const struct sample *first = meter->samples, *last = meter->samples + meter->n_samples - 1;

        if (meter->n_samples < 2)
                return 0;
        return (uint64_t) ((double) (last->bytes - first->bytes) * (double) USEC_PER_SEC / (double) (last->time - first->time));
}

static bool is_moving(const dosvc_job_info *job) {
        return strcmp(job->state, "transferring") == 0 || strcmp(job->state, "connecting") == 0;
}

static bool is_over(const dosvc_job_info *job) {
        return strcmp(job->state, "acknowledged") == 0 || strcmp(job->state, "cancelled") == 0;
}

/* What a job that does not move says: what it waits for, and after what failure. */
static char *standing_text(const dosvc_job_info *job) {
        bool waits = job->waiting_text && *job->waiting_text && !(job->waiting_reason && strcmp(job->waiting_reason, "none") == 0);
        uint64_t now = now_realtime_usec();
        char wait[FORMAT_SHORT], size[FORMAT_SHORT];
        const char *what = waits ? job->waiting_text : is_over(job) ? format_size(job->bytes_transferred, size) : job->state;

        if (job->waiting_reason && strcmp(job->waiting_reason, "publish") == 0)
                return must_printf("is being put in its place");
        if (job->retry_time > now && job->error.hresult)
                return must_printf("%s in %s: %s", what, format_duration((job->retry_time - now) / USEC_PER_SEC, wait), job->error.text);
        if (job->error.hresult && job->error.text)
                return must_printf("%s: %s", what, job->error.text);
        return must_printf("%s", what);
}

static char *numbers_text(const dosvc_job_info *job, uint64_t rate) {
        char done[FORMAT_SHORT], total[FORMAT_SHORT], speed[FORMAT_SHORT], left[FORMAT_SHORT];
        _cleanup_(freep) char *files = NULL;

        files = job->files_total > 1 ? must_printf(", file %" PRIu64 " of %" PRIu64,
                                                   job->files_transferred + (job->files_transferred < job->files_total), job->files_total)
                                     : must_printf("%s", "");
        format_size(job->bytes_transferred, done);
        if (job->bytes_total == DOSVC_UNKNOWN)
                return must_printf("%s, %s/s%s", done, format_size(rate, speed), files);
        format_size(job->bytes_total, total);
        if (rate == 0 || job->bytes_transferred >= job->bytes_total)
                return must_printf("%s of %s, %s/s%s", done, total, format_size(rate, speed), files);
        return must_printf("%s of %s, %s/s, %s left%s", done, total, format_size(rate, speed),
                           format_duration((job->bytes_total - job->bytes_transferred + rate - 1) / rate, left), files);
}

static char *bar_text(const dosvc_job_info *job, size_t width) {
        size_t full = job->bytes_total ? (size_t) ((double) job->bytes_transferred / (double) job->bytes_total * (double) width) : width;
        char *bar = must(malloc(width + 1));

        full = full > width ? width : full;
        memset(bar, '=', full);
        memset(bar + full, ' ', width - full);
        if (full > 0 && full < width)
                bar[full - 1] = '>';
        bar[width] = 0;
        return bar;
}

char *meter_line(const char *label, const dosvc_job_info *job, uint64_t bytes_per_second, size_t width) {
        _cleanup_(freep) char *rest = is_moving(job) ? numbers_text(job, bytes_per_second) : standing_text(job);
        _cleanup_(freep) char *bar = NULL, *line = NULL;
        char percent[FORMAT_SHORT];
        size_t used;

        format_percent(job->bytes_transferred, job->bytes_total, percent);
        line = must_printf("%s  %4s  %s", label, percent, rest);
        used = format_width(line);
        if (width > 0 && is_moving(job) && job->bytes_total != DOSVC_UNKNOWN && used + 4 + BAR_MIN <= width) {
                size_t room = width - used - 4;

                bar = bar_text(job, room > BAR_MAX ? BAR_MAX : room);
                free(line);
                line = must_printf("%s  %4s  [%s]  %s", label, percent, bar, rest);
        }
        return width > 0 ? format_cut(line, width) : format_printable(line);
}

static size_t terminal_columns(void) {
        struct winsize size;

        if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
                return DEFAULT_COLUMNS;
        return size.ws_col;
}

static unsigned step_of(const dosvc_job_info *job) {
        if (job->bytes_total == DOSVC_UNKNOWN || job->bytes_total == 0)
                return 0;
        return (unsigned) ((double) job->bytes_transferred / (double) job->bytes_total * PLAIN_STEPS);
}

static void show_on_terminal(struct meter *meter, const dosvc_job_info *job) {
        size_t columns = terminal_columns();
        /* A long name leaves room for the numbers; the last column stays free, or some terminals wrap. */
        _cleanup_(freep) char *label = format_cut(meter->label, columns / 3 > 8 ? columns / 3 : 8);
        _cleanup_(freep) char *line = meter_line(label, job, meter_rate(meter), columns - 1);

        fprintf(stderr, "\r%s\033[K", line);
        meter->line_is_open = true;
}

static bool is_plain_line_due(const struct meter *meter, const dosvc_job_info *job, bool changed, uint64_t now_usec) {
        if (is_moving(job) && job->bytes_transferred == 0) /* nothing to tell yet */
                return false;
        return changed || now_usec >= meter->drawn + PLAIN_LINE_USEC ||
               (step_of(job) > meter->step && now_usec >= meter->drawn + PLAIN_STEP_USEC);
}

void meter_show(struct meter *meter, const dosvc_job_info *job, uint64_t now_usec) {
        _cleanup_(freep) char *line = NULL;
        char state[sizeof(meter->state)];

        meter_sample(meter, job->bytes_transferred, now_usec);
        snprintf(state, sizeof(state), "%s %s", job->state, job->waiting_reason ? job->waiting_reason : "");
        if (meter->terminal ? meter->drawn && now_usec < meter->drawn + REDRAW_USEC
                            : !is_plain_line_due(meter, job, strcmp(state, meter->state) != 0, now_usec))
                return;
        meter->drawn = now_usec;
        meter->step = step_of(job);
        strcpy(meter->state, state);
        if (meter->terminal)
                show_on_terminal(meter, job);
        else {
                line = meter_line(meter->label, job, meter_rate(meter), 0);
                fprintf(stderr, "%s\n", line);
        }
        fflush(stderr);
}

/* The last failure of the connection may be another one than what a call ended with: an interrupt. */
static bool is_away(const dosvc *connection, int32_t hresult) {
        const dosvc_error *error = dosvc_last_error(connection);

        return error && error->hresult == hresult && error->name && strcmp(error->name, "NoService") == 0;
}

/* A second, or until a signal comes: false. */
static bool wait_for_service(struct meter *meter) {
        const struct timespec turn = { .tv_sec = WATCH_TURN_MSEC / 1000 };
        _cleanup_(freep) char *label = format_cut(meter->label, terminal_columns() / 3);

        fprintf(stderr, "\r%s  waits for the service\033[K", label);
        fflush(stderr);
        meter->line_is_open = true;
        return nanosleep(&turn, NULL) == 0;
}

int32_t meter_watch(struct meter *meter, dosvc *connection, const char *id, dosvc_job_fn fn, void *userdata) {
        bool seen = false;
        int32_t r;

        if (!meter || !meter->terminal)
                return dosvc_watch(connection, id, -1, fn, userdata);
        for (;;) {
                r = dosvc_watch(connection, id, WATCH_TURN_MSEC, fn, userdata);
                seen = seen || r == WATCH_TIMED_OUT;
                if (r == WATCH_TIMED_OUT)
                        continue;
                if (r >= 0 || !seen || !is_away(connection, r) || !wait_for_service(meter))
                        return r;
        }
}
