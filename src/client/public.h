/* The public headers with their functions marked as exported: everything else in this folder is built hidden.
 * Only files that implement a public function need this; the rest may include the headers as any program does. */
#pragma once

#pragma GCC visibility push(default)
#include "dosvc.h"
#pragma GCC visibility pop
