/* Log lines to the journal with their fields, where stderr is its stream anyway: then levels, ids and fields arrive whole. */
#pragma once

#include "base/macros.h"

/* Return: whether lines go to the journal from now on. */
bool journal_take_over(void);
