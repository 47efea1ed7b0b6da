#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NOTE_MIN 24 /* columns of a terminal that the last cell gets before a name does */
#define NAME_MIN 16 /* and the name, whatever stands behind it */

int finish_output(void) {
        if (fflush(stdout) == 0 && !ferror(stdout))
                return EXIT_DONE;
        report("cannot write to stdout: %m");
        return EXIT_OTHER;
}

void table_done(struct table *table) {
        for (size_t r = 0; r < table->n_rows; r++)
                for (size_t c = 0; c < table->n_columns; c++)
                        free(table->rows[r][c]);
        free(table->rows);
}

void table_add(struct table *table, char *const cells[]) {
        if (table->n_rows == table->room) {
                table->room = table->room ? table->room * 2 : 32;
                table->rows = must(reallocarray(table->rows, table->room, sizeof(*table->rows)));
        }
        for (size_t c = 0; c < table->n_columns; c++) {
                table->rows[table->n_rows][c] = format_printable(cells[c]);
                free(cells[c]);
        }
        table->n_rows++;
}

size_t output_columns(void) {
        struct winsize size;

        if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
                return 0;
        return size.ws_col;
}

/* The line without its end, and without blanks there. To be freed. */
static char *table_line(const struct table *table, size_t row, const size_t widths[], size_t limit) {
        size_t used = 0, size = 0;
        char *line = NULL;
        FILE *f = must(open_memstream(&line, &size));

        for (size_t c = 0; c < table->n_columns; c++) {
                bool is_last = c + 1 == table->n_columns;
                size_t room = !is_last ? widths[c] : limit > used + SHORT_ID ? limit - used : SIZE_MAX;
                _cleanup_(freep) char *cell = format_cut(table->rows[row][c], room);
                int pad = is_last ? 0 : (int) (widths[c] - format_width(cell));

                if (table->right_aligned & UINT64_C(1) << c)
                        fprintf(f, "%*s%s  ", pad, "", cell);
                else
                        fprintf(f, "%s%*s%s", cell, pad, "", is_last ? "" : "  ");
                used += widths[c] + 2;
        }
        if (fclose(f) != 0)
                must(NULL);
        while (size > 0 && line[size - 1] == ' ')
                line[--size] = 0;
        return line;
}

/* A long name leaves room for what stands behind it. */
static void narrow_names(const struct table *table, size_t widths[], size_t limit) {
        size_t last = table->n_columns - 1, needed = widths[last] < NOTE_MIN ? widths[last] : NOTE_MIN, least;

        if (!table->name_column || limit == 0)
                return;
        for (size_t c = 0; c < last; c++)
                needed += widths[c] + 2;
        least = widths[table->name_column] < NAME_MIN ? widths[table->name_column] : NAME_MIN;
        while (needed > limit && widths[table->name_column] > least) {
                widths[table->name_column]--;
                needed--;
        }
}

void table_print(const struct table *table) {
        size_t widths[TABLE_COLUMNS] = { 0 }, limit = output_columns();

        for (size_t r = 0; r < table->n_rows; r++)
                for (size_t c = 0; c < table->n_columns; c++) {
                        size_t width = format_width(table->rows[r][c]);

                        widths[c] = width > widths[c] ? width : widths[c];
                }
        narrow_names(table, widths, limit);
        for (size_t r = 0; r < table->n_rows; r++) {
                _cleanup_(freep) char *line = table_line(table, r, widths, limit);
                _cleanup_(freep) char *cut = table->one_line_a_row && limit > 0 ? format_cut(line, limit) : text(line);

                printf("%s\n", cut);
        }
}

char *text(const char *s) {
        return must_printf("%s", s ? s : "");
}

void table_shorten_ids(struct table *table) {
        size_t digits = SHORT_ID;

        for (size_t a = 1; a < table->n_rows; a++)
                for (size_t b = a + 1; b < table->n_rows && table->n_rows <= 1000; b++)
                        while (digits < DOSVC_ID_SIZE - 1 && strncmp(table->rows[a][0], table->rows[b][0], digits) == 0)
                                digits++;
        if (table->n_rows > 1000)
                return;
        for (size_t r = 1; r < table->n_rows; r++)
                if (strlen(table->rows[r][0]) > digits)
                        table->rows[r][0][digits] = 0;
}
