/* The rim of the library, where enum error_code becomes an HRESULT. */
#pragma once

#include "protocol/errors.h"

/* Results that have no row in the error table. */
#define RIM_S_OK 0
#define RIM_S_FALSE 1
#define RIM_E_ABORT ((int32_t) 0x80004004)
#define RIM_S_PARTIAL_COMPLETE 0x00200017
#define RIM_S_UNABLE_TO_DELETE_FILES 0x0020001A

static inline int32_t rim_hresult(int code, enum job_family family) {
        return code == 0 ? RIM_S_OK : (int32_t) error_code_hresult((enum error_code) code, family, 0);
}
