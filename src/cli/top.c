#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* The jobs as they move, drawn anew each second. On a terminal "q" or Ctrl-C leaves; elsewhere frames follow each other as plain lines. */

#define USEC_PER_SEC UINT64_C(1000000)
#define FRAME_MSEC 1000

struct sample {
        char id[DOSVC_ID_SIZE];
        uint64_t bytes;
};

struct samples {
        struct sample *items;
        size_t n;
        uint64_t time; /* 0: none */
};

struct top {
        const struct arguments *arguments;
        bool is_terminal; /* may be drawn over */
        int keys_fd;      /* -1: nobody types */
        struct samples before, now;
        struct table moving, standing;
        json_t *jobs;
        uint64_t n_jobs, n_transferring, rate;
};

static volatile sig_atomic_t left;

static void on_signal(int number) {
        (void) number;
        left = 1;
}

/* ---- the terminal ---- */

static struct termios modes_before;

static bool terminal_open(struct top *top) {
        const char *kind = getenv("TERM");
        /* A write that has begun goes on; waiting for the next frame ends in any case. */
        struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
        struct termios modes;

        (void) sigaction(SIGINT, &action, NULL);
        (void) sigaction(SIGTERM, &action, NULL);
        top->is_terminal = isatty(STDOUT_FILENO) && kind && *kind && strcmp(kind, "dumb") != 0 && !option_given(top->arguments, OPTION_ONCE) &&
                           !option_given(top->arguments, OPTION_JSON);
        top->keys_fd = -1;
        /* A reader of a pipe may go away and take us with it: nobody would give the terminal its modes back. */
        if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &modes_before) < 0)
                return false;
        top->keys_fd = STDIN_FILENO;
        modes = modes_before;
        modes.c_lflag &= ~(tcflag_t) (ICANON | ECHO);
        return tcsetattr(STDIN_FILENO, TCSADRAIN, &modes) == 0;
}

static size_t terminal_rows(void) {
        struct winsize size;

        return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 ? 24 : size.ws_row;
}

/* Until the next frame is due, or somebody wants to leave. */
static void wait_for_frame(struct top *top) {
        struct pollfd keys = { .fd = top->keys_fd, .events = POLLIN };
        char key = 0;
        int n = poll(&keys, 1, FRAME_MSEC);

        if (n > 0) {
                if (read(top->keys_fd, &key, 1) <= 0)
                        top->keys_fd = -1;
                if (key == 'q' || key == 'Q')
                        left = 1;
        }
}

/* ---- one frame ---- */

static uint64_t rate_of(struct top *top, const dosvc_job_info *job) {
        struct sample *sample;
        uint64_t usec = top->now.time - top->before.time;

        top->now.items = must(reallocarray(top->now.items, top->now.n + 1, sizeof(*top->now.items)));
        sample = &top->now.items[top->now.n++];
        snprintf(sample->id, sizeof(sample->id), "%s", job->id);
        sample->bytes = job->bytes_fetched;
        for (size_t i = 0; top->before.time && usec > 0 && i < top->before.n; i++)
                if (strcmp(top->before.items[i].id, job->id) == 0 && top->before.items[i].bytes <= job->bytes_fetched)
                        return (uint64_t) ((double) (job->bytes_fetched - top->before.items[i].bytes) * (double) USEC_PER_SEC / (double) usec);
        return 0;
}

static void add_row(struct table *table, const dosvc_job_info *job, uint64_t rate) {
        char percent[FORMAT_SHORT], size[FORMAT_SHORT], speed[FORMAT_SHORT], time[FORMAT_SHORT];
        bool is_known = rate > 0 && job->bytes_total != DOSVC_UNKNOWN && job->bytes_total > job->bytes_transferred;

        table_add(table, (char *[]) { text(job->id), text(job->state), text(format_percent(job->bytes_transferred, job->bytes_total, percent)),
                                      text(format_size(job->bytes_total, size)), rate ? must_printf("%s/s", format_size(rate, speed)) : text("-"),
                                      text(is_known ? format_duration((job->bytes_total - job->bytes_transferred) / rate, time) : "-"),
                                      text(job->name), note_of(job) });
}

static int on_job(const dosvc_job_info *job, void *userdata) {
        struct top *top = userdata;
        uint64_t rate = rate_of(top, job);
        bool is_moving = strcmp(job->state, "transferring") == 0;
        json_t *object;

        top->n_jobs++;
        top->n_transferring += is_moving;
        top->rate += rate;
        if (top->jobs) {
                object = json_of_job(job);
                json_object_set_new(object, "bytes_per_second", must(json_integer((json_int_t) rate)));
                json_array_append_new(top->jobs, object);
        } else
                add_row(is_moving ? &top->moving : &top->standing, job, rate);
        return 0;
}

static int jobs_of_one_service(dosvc *connection, void *userdata) {
        struct top *top = userdata;

        return dosvc_list_jobs(connection, top->arguments->values[OPTION_FAMILY], on_job, top);
}

/* Those that move stand above the others. */
static void print_tables(struct top *top) {
        struct table *table = &top->moving;
        size_t rows = top->is_terminal ? terminal_rows() : SIZE_MAX;

        for (size_t r = 0; r < top->standing.n_rows; r++)
                table_add(table, top->standing.rows[r]);
        top->standing.n_rows = 0; /* the cells were taken */
        table_shorten_ids(table);
        /* One line above, one where the cursor stands. */
        while (table->n_rows > 1 && table->n_rows + 2 > rows) {
                table->n_rows--;
                for (size_t c = 0; c < table->n_columns; c++)
                        free(table->rows[table->n_rows][c]);
        }
        table_print(table);
}

static void print_frame(struct top *top) {
        _cleanup_(freep) char *head = NULL, *cut = NULL;
        char speed[FORMAT_SHORT], clock[16] = "";
        size_t columns = output_columns();
        time_t now = time(NULL);
        struct tm tm;

        if (localtime_r(&now, &tm))
                (void) strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
        head = must_printf("dosvc top, %s: %" PRIu64 " job%s, %" PRIu64 " transferring, %s/s%s", clock, top->n_jobs, top->n_jobs == 1 ? "" : "s",
                           top->n_transferring, format_size(top->rate, speed), top->is_terminal ? "; q leaves" : "");
        cut = format_cut(head, columns > 0 ? columns : SIZE_MAX);
        printf("%s%s\n", top->is_terminal ? "\033[H\033[J" : "", cut);
        print_tables(top);
}

static int show_frame(struct top *top) {
        int code;

        top->moving = top->standing = (struct table) { .n_columns = 8, .right_aligned = 0x3c, .name_column = 6, .one_line_a_row = true };
        table_add(&top->moving, (char *[]) { text("ID"), text("STATE"), text("DONE"), text("SIZE"), text("RATE"), text("LEFT"), text("NAME"), text("") });
        top->n_jobs = top->n_transferring = top->rate = 0;
        top->jobs = option_given(top->arguments, OPTION_JSON) ? must(json_array()) : NULL;
        top->now = (struct samples) { .time = now_monotonic_usec() };
        code = connect_each(top->arguments, jobs_of_one_service, top);
        if (code == EXIT_DONE && top->jobs)
                code = json_print(json_incref(top->jobs), true);
        else if (code == EXIT_DONE) {
                print_frame(top);
                code = finish_output();
        }
        json_decref(top->jobs);
        table_done(&top->moving);
        table_done(&top->standing);
        free(top->before.items);
        top->before = top->now;
        return code;
}

int command_top(const struct arguments *arguments) {
        struct top top = { .arguments = arguments };
        bool has_modes = terminal_open(&top);
        int code = show_frame(&top);

        while (code == EXIT_DONE && !left && !option_given(arguments, OPTION_ONCE)) {
                wait_for_frame(&top);
                if (!left)
                        code = show_frame(&top);
        }
        if (has_modes)
                (void) tcsetattr(STDIN_FILENO, TCSADRAIN, &modes_before);
        free(top.before.items);
        return code;
}
