#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>

#define USEC_PER_SEC UINT64_C(1000000)

char *format_size(uint64_t bytes, char buffer[static FORMAT_SHORT]) {
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        size_t unit = 0;
        double value = (double) bytes;

        if (bytes == DOSVC_UNKNOWN) {
                strcpy(buffer, "?");
                return buffer;
        }
        /* 1023.95 and more would be printed as 1024.0 */
        while (value >= (unit == 0 ? 1024.0 : 1023.95) && unit + 1 < ELEMENTSOF(units)) {
                value /= 1024.0;
                unit++;
        }
        if (unit == 0)
                snprintf(buffer, FORMAT_SHORT, "%" PRIu64 " B", bytes);
        else
                snprintf(buffer, FORMAT_SHORT, "%.1f %s", value, units[unit]);
        return buffer;
}

char *format_duration(uint64_t seconds, char buffer[static FORMAT_SHORT]) {
        uint64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;

        if (days > 0)
                snprintf(buffer, FORMAT_SHORT, "%" PRIu64 " d %" PRIu64 " h", days, hours % 24);
        else if (hours > 0)
                snprintf(buffer, FORMAT_SHORT, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, hours, minutes % 60, seconds % 60);
        else
                snprintf(buffer, FORMAT_SHORT, "%" PRIu64 ":%02" PRIu64, minutes, seconds % 60);
        return buffer;
}

char *format_percent(uint64_t done, uint64_t total, char buffer[static FORMAT_SHORT]) {
        unsigned percent;

        if (total == DOSVC_UNKNOWN || done == DOSVC_UNKNOWN) {
                strcpy(buffer, "?");
                return buffer;
        }
        /* 100% is said only when it is all there. */
        percent = done >= total ? 100 : (unsigned) ((double) done * 100.0 / (double) total);
        if (percent == 100 && done < total)
                percent = 99;
        snprintf(buffer, FORMAT_SHORT, "%u%%", percent);
        return buffer;
}

char *format_rfc3339(uint64_t usec, char buffer[static FORMAT_SHORT]) {
        time_t seconds = (time_t)(usec / USEC_PER_SEC);
        struct tm tm;
        size_t n;

        if (!gmtime_r(&seconds, &tm) || (n = strftime(buffer, FORMAT_SHORT - 9, "%Y-%m-%dT%H:%M:%S", &tm)) == 0) {
                strcpy(buffer, "?");
                return buffer;
        }
        snprintf(buffer + n, FORMAT_SHORT - n, ".%06uZ", (unsigned) (usec % USEC_PER_SEC));
        return buffer;
}

char *format_local_time(uint64_t usec, char buffer[static FORMAT_SHORT]) {
        time_t seconds = (time_t)(usec / USEC_PER_SEC);
        struct tm tm;

        if (usec == 0 || usec == DOSVC_UNKNOWN || !localtime_r(&seconds, &tm) ||
            strftime(buffer, FORMAT_SHORT, "%Y-%m-%d %H:%M:%S", &tm) == 0)
                strcpy(buffer, "-");
        return buffer;
}

/* Walks @s character by character; copies what can be shown into @ret, which has room for strlen(@s) + 1 bytes. Stops before
 * more than @max columns; *ret_cut says whether it did. Columns used. */
static size_t copy_shown(const char *s, char *ret, size_t max, bool *ret_cut) {
        mbstate_t state = { 0 };
        size_t columns = 0;

        *ret_cut = false;
        while (*s) {
                wchar_t wide;
                size_t n = mbrtowc(&wide, s, strlen(s), &state);
                int width = n < (size_t) -2 && iswprint((wint_t) wide) ? wcwidth(wide) : -1;

                if (n >= (size_t) -2) {
                        state = (mbstate_t) { 0 };
                        n = 1;
                }
                if (columns + (size_t)(width < 0 ? 1 : width) > max) {
                        *ret_cut = true;
                        break;
                }
                columns += (size_t)(width < 0 ? 1 : width);
                if (width < 0)
                        *ret++ = '?';
                else {
                        memcpy(ret, s, n);
                        ret += n;
                }
                s += n;
        }
        *ret = 0;
        return columns;
}

char *format_printable(const char *s) {
        char *shown = must(malloc(strlen(s) + 1));
        bool cut;

        (void) copy_shown(s, shown, SIZE_MAX, &cut);
        return shown;
}

size_t format_width(const char *s) {
        _cleanup_(freep) char *shown = must(malloc(strlen(s) + 1));
        bool cut;

        return copy_shown(s, shown, SIZE_MAX, &cut);
}

char *format_cut(const char *s, size_t width) {
        _cleanup_(freep) char *shown = must(malloc(strlen(s) + 1));
        bool cut;

        (void) copy_shown(s, shown, width, &cut);
        if (!cut || width == 0)
                return TAKE_PTR(shown);
        (void) copy_shown(s, shown, width - 1, &cut);
        return must_printf("%s…", shown);
}

static uint64_t now_usec(clockid_t clock) {
        struct timespec ts;

        clock_gettime(clock, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

uint64_t now_realtime_usec(void) {
        return now_usec(CLOCK_REALTIME);
}

uint64_t now_monotonic_usec(void) {
        return now_usec(CLOCK_MONOTONIC);
}
