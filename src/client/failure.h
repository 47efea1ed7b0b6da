/* What went wrong with the last call, kept per thread and connection, and how failures of the wire become domain
 * errors.
 *
 * Functions of this folder return 0 or a positive enum error_code and leave the details here; only the rim
 * (dosvc_*.c, com_*.c) makes an HRESULT of it, because only the rim knows the family. */
#pragma once

#include <systemd/sd-bus.h>

#include "base/macros.h"
#include "protocol/errors.h"

struct dosvc;
struct dosvc_error;

/* The caller's failure so far is forgotten. @connection may be NULL: failures before there is one. */
void failure_clear(const struct dosvc *connection);
/* Records and returns @code. @text NULL: the table's sentence. */
int failure_set(const struct dosvc *connection, enum error_code code, const char *text);
int failure_setf(const struct dosvc *connection, enum error_code code, const char *format, ...) _printf_(3, 4);
/* The same for a negative errno of this side. */
int failure_set_errno(const struct dosvc *connection, int r);
/* What a failure to open a file for reading says in place of the table's sentence, which speaks of destinations. A negative errno or an
 * enum error_code; NULL: the table says it. */
const char *failure_text_of_input(int r);
/* Adds what the failure is about, if there is one; each may be NULL. */
void failure_about(const struct dosvc *connection, const char *file, const char *url);
/* Never NULL. */
const struct dosvc_error *failure_get(const struct dosvc *connection);
/* Moves what was recorded without a connection to @connection, or the other way round. */
void failure_move(const struct dosvc *from, const struct dosvc *to);

/* @error as the service or sd-bus gave it. */
enum error_code failure_code_from_bus(const sd_bus_error *error);
/* "none", "local_file", …: which side of the work a code speaks of. */
const char *failure_context(enum error_code code);
