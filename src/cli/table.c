#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

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

static void table_print_row(const struct table *table, size_t row, const size_t widths[], size_t limit) {
        size_t used = 0;

        for (size_t c = 0; c < table->n_columns; c++) {
                const char *cell = table->rows[row][c];
                size_t width = format_width(cell), pad = widths[c] > width ? widths[c] - width : 0;
                _cleanup_(freep) char *cut = NULL;

                if (c + 1 == table->n_columns) {
                        cut = limit > used + SHORT_ID ? format_cut(cell, limit - used) : format_printable(cell);
                        printf("%s\n", cut);
                } else if (table->right_aligned & UINT64_C(1) << c)
                        printf("%*s%s  ", (int) pad, "", cell);
                else
                        printf("%s%*s  ", cell, (int) pad, "");
                used += widths[c] + 2;
        }
}

void table_print(const struct table *table) {
        size_t widths[TABLE_COLUMNS] = { 0 }, limit = output_columns();

        for (size_t r = 0; r < table->n_rows; r++)
                for (size_t c = 0; c < table->n_columns; c++) {
                        size_t width = format_width(table->rows[r][c]);

                        widths[c] = width > widths[c] ? width : widths[c];
                }
        for (size_t r = 0; r < table->n_rows; r++)
                table_print_row(table, r, widths, limit);
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
