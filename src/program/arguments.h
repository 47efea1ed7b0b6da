/* One line of text to the arguments of a program, by the rules that Windows programs have for theirs, so that what was written for
 * IBackgroundCopyJob2::SetNotifyCmdLine means the same here. Pure; no shell, no variables, no wildcards. */
#pragma once

#include "base/macros.h"

/* Blanks and tabs are between arguments, unless they stand in double quotes. In front of a quote a pair of backslashes is one, and one
 * that is left makes the quote a character; two quotes inside of quotes are a quote. Everywhere else a backslash is itself. A quote
 * that is never closed goes to the end. The caller frees *ret with arguments_free(). Return: how many, or -ENOMEM. */
int arguments_split(const char *line, char ***ret);
/* Strings one behind the other, each with its NUL, and back (@n bytes that end in a NUL, or none). -ENOMEM. */
int arguments_pack(char *const *arguments, char **ret, size_t *ret_size);
int arguments_unpack(const char *bytes, size_t n, char ***ret);
void arguments_free(char **arguments);
static inline void arguments_freep(char ***arguments) {
        arguments_free(*arguments);
}
