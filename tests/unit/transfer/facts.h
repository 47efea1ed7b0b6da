/* Facts of an answer from its text, as curl's header callback would bring it. */
#pragma once

#include <string.h>

#include "transfer/headers.h"

/* @text: lines with "\n" ends; the empty line is added. Return: the first error of response_facts_add_header(), else 0. */
static inline int facts_from_text(struct response_facts *facts, const char *text) {
        response_facts_init(facts);
        while (*text) {
                const char *end = strchr(text, '\n');
                size_t len = end ? (size_t) (end - text) + 1 : strlen(text);
                int r = response_facts_add_header(facts, text, len);

                if (r < 0)
                        return r;
                text += len;
        }
        return response_facts_add_header(facts, "\r\n", 2);
}
