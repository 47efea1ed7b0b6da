/* Every origin that the fake service can ask: what lying_server.py answers to the same URL, as far as the conformance programs want it,
 * as header lines and as bytes that nobody sends. It judges nothing, and knows neither requests of the engine nor jobs.
 *
 *     ?key=value&…   of an answer: size version status ranges length transfer cut end spoil rate delay location (see lying_server.py)
 *     /c/ID/…        as the case in the file cases/ID says; the n-th question for it gets the n-th answer, the last one again and again
 *     /to/PORT…      is somewhere else: at /there of that port */
#pragma once

#include "transfer/verdict.h"

#define FAKE_HEAD_MAX 4096

struct fake_answer {
        char head[FAKE_HEAD_MAX];  /* status line, fields, the empty line */
        char *bytes;               /* the content, where the case has its own; see fake_answer_byte() */
        uint64_t first, end;       /* the body is these bytes of the content */
        uint64_t version;          /* of the content */
        uint64_t spoiled;          /* this byte of it goes wrong on its way, UINT64_MAX: none */
        bool breaks, stalls;       /* the connection, behind the body */
        uint64_t rate;             /* bytes per second; 0: all at once */
        uint64_t delay_usec;       /* before the head */
};

struct fake_origin;
/* @directory: has the folder of cases. */
int fake_origin_new(const char *directory, struct fake_origin **ret);
struct fake_origin *fake_origin_free(struct fake_origin *origin);
/* What it says to one question for @url. A case that is not there is a 404. */
int fake_origin_answer(struct fake_origin *origin, const char *url, const struct verdict_ask *ask, struct fake_answer *ret);
void fake_answer_done(struct fake_answer *answer);
/* What stands at that position of the content. */
uint8_t fake_answer_byte(const struct fake_answer *answer, uint64_t position);
