#include "schedule/hours.h"

#include <ctype.h>

#define PERCENT_MAX 100

static bool take(const char **p, char c) {
        if (**p != c)
                return false;
        (*p)++;
        return true;
}

/* Digits, three at most: no value here has more. */
static bool take_number(const char **p, unsigned *ret) {
        unsigned n_digits = 0;

        *ret = 0;
        while (isdigit((unsigned char) **p) && n_digits++ < 3)
                *ret = 10 * *ret + (unsigned) (*(*p)++ - '0');
        return n_digits > 0 && !isdigit((unsigned char) **p);
}

static bool take_spaces(const char **p) {
        const char *begin = *p;

        while (take(p, ' ') || take(p, '\t'))
                ;
        return *p > begin;
}

int hours_parse(const char *text, struct hours *ret) {
        struct hours hours = { .is_set = true };
        const char *p = text;

        *ret = (struct hours) {};
        if (!*text)
                return 0;
        if (!take_number(&p, &hours.from) || !take(&p, '-') || !take_number(&p, &hours.to) || !take_spaces(&p) ||
            !take_number(&p, &hours.percent_inside) || !take(&p, '%') || !take_spaces(&p) ||
            !take_number(&p, &hours.percent_outside) || !take(&p, '%') || *p)
                return -EINVAL;
        if (hours.from >= HOURS_PER_DAY || hours.to > HOURS_PER_DAY || hours.percent_inside > PERCENT_MAX ||
            hours.percent_outside > PERCENT_MAX)
                return -ERANGE;
        hours.to %= HOURS_PER_DAY;
        if (hours.from == hours.to) /* none or all of the day: whoever means one of them has a plainer policy for it */
                return -ERANGE;
        *ret = hours;
        return 0;
}

static bool is_inside(const struct hours *hours, unsigned hour) {
        return (hour + HOURS_PER_DAY - hours->from) % HOURS_PER_DAY < (hours->to + HOURS_PER_DAY - hours->from) % HOURS_PER_DAY;
}

unsigned hours_percent(const struct hours *hours, unsigned hour) {
        if (!hours->is_set)
                return PERCENT_MAX;
        return is_inside(hours, hour) ? hours->percent_inside : hours->percent_outside;
}
