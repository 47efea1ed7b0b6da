/* Part of the line by time of day: the policies DOSetHoursToLimit…DownloadBandwidth. Pure values; the hour is the caller's, in local
 * time (clock_local_hour()), so that daylight saving and time zones are the C library's. */
#pragma once

#include "base/macros.h"

#define HOURS_PER_DAY 24

struct hours {
        bool is_set;
        unsigned from; /* 0 to 23, the first hour that is inside */
        unsigned to;   /* 0 to 23, the first that is not any more; never @from. Below @from: the hours go on past midnight */
        unsigned percent_inside; /* 0 to 100; 0: nothing is downloaded */
        unsigned percent_outside;
};

/* "FROM-TO INSIDE% OUTSIDE%", as "8-18 25% 100%"; "" for none (@ret is zero then); 24 for midnight may stand as TO. 0, -EINVAL: not of
 * this form, -ERANGE: an hour or a percentage that there is not, or FROM is TO. */
int hours_parse(const char *text, struct hours *ret);
/* What may be used in the local hour @hour; 100 where nothing is set. */
unsigned hours_percent(const struct hours *hours, unsigned hour);
