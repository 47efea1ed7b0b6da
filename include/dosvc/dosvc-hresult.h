/*
 * dosvc-hresult.h: how a result code is built and taken apart.
 *
 * Bit 31 is set for failures, bits 16 to 26 name the facility that speaks, bits
 * 0 to 15 are its code. The codes themselves are in dosvc-winerror.h, bitsmsg.h
 * and deliveryoptimizationerrors.h.
 */
#ifndef DOSVC_HRESULT_H
#define DOSVC_HRESULT_H

#include "dosvc-base.h"

#ifdef __cplusplus
#define _HRESULT_TYPEDEF_(code) (static_cast<HRESULT>(code))
#else
#define _HRESULT_TYPEDEF_(code) ((HRESULT) (code))
#endif

#define SUCCEEDED(hr) (_HRESULT_TYPEDEF_(hr) >= 0)
#define FAILED(hr) (_HRESULT_TYPEDEF_(hr) < 0)
#define IS_ERROR(hr) FAILED(hr)

#define SEVERITY_SUCCESS 0
#define SEVERITY_ERROR 1

#define FACILITY_NULL 0
#define FACILITY_RPC 1
#define FACILITY_DISPATCH 2
#define FACILITY_STORAGE 3
#define FACILITY_ITF 4
#define FACILITY_WIN32 7
#define FACILITY_INTERNET 12
#define FACILITY_HTTP 25
#define FACILITY_BACKGROUNDCOPY 32
#define FACILITY_DELIVERY_OPTIMIZATION 208

#define HRESULT_CODE(hr) ((hr) & 0xFFFF)
#define HRESULT_FACILITY(hr) (((hr) >> 16) & 0x1FFF)
#define HRESULT_SEVERITY(hr) (((hr) >> 31) & 0x1)
#define MAKE_HRESULT(severity, facility, code)                                                    \
        _HRESULT_TYPEDEF_(((uint32_t) (severity) << 31) | ((uint32_t) (facility) << 16) |         \
                          (uint32_t) (code))

/* The form for constant expressions; it evaluates its argument more than once. */
#define __HRESULT_FROM_WIN32(x)                                                                   \
        (_HRESULT_TYPEDEF_(x) <= 0 ? _HRESULT_TYPEDEF_(x) :                                       \
                                     _HRESULT_TYPEDEF_(((uint32_t) (x) & 0xFFFFu) | 0x80070000u))

/*
 * A Win32 code (ERROR_DISK_FULL) as a result code. Zero stays S_OK, and what
 * already is a failed HRESULT passes unchanged. Evaluates its argument once
 * and is a constant expression where the argument is one.
 */
#ifdef __cplusplus
constexpr HRESULT HRESULT_FROM_WIN32(DWORD code) {
        return static_cast<HRESULT>(code) <= 0 ?
                       static_cast<HRESULT>(code) :
                       static_cast<HRESULT>((code & 0xFFFFu) | 0x80070000u);
}
#else
static inline HRESULT dosvc_hresult_from_win32(DWORD code) {
        return __HRESULT_FROM_WIN32(code);
}
#define HRESULT_FROM_WIN32(x)                                                                     \
        __builtin_choose_expr(__builtin_constant_p(x), __HRESULT_FROM_WIN32(x),                   \
                              dosvc_hresult_from_win32((DWORD) (x)))
#endif

#endif
