/*
 * dosvc-base.h: the scalar types that the published interfaces are written in.
 *
 * Knows nothing of objects, errors or downloads. Sizes are fixed: LONG, ULONG,
 * DWORD, HRESULT and BOOL have 32 bits on every platform, unlike the C types
 * that some of them are named after. WCHAR is the platform's own 4-byte
 * wchar_t, so that L"..." literals and <wchar.h> work unchanged; a string
 * length is a number of code points.
 */
#ifndef DOSVC_BASE_H
#define DOSVC_BASE_H

#include <stddef.h>
#include <stdint.h>

#if !defined(__SIZEOF_WCHAR_T__) || __SIZEOF_WCHAR_T__ != 4
#error "dosvc needs the platform's 4-byte wchar_t: do not compile with -fshort-wchar"
#endif

#ifdef __cplusplus
#define EXTERN_C extern "C"
#else
#define EXTERN_C extern
#endif

/* Marks what libdosvc exports; the library itself is built with hidden visibility. */
#define DOSVC_API __attribute__((__visibility__("default")))

typedef char CHAR;
typedef unsigned char UCHAR;
typedef uint8_t BYTE;
typedef int16_t SHORT;
typedef uint16_t USHORT;
typedef uint16_t WORD;
typedef int INT;
typedef unsigned int UINT;
typedef int32_t INT32;
typedef uint32_t UINT32;
typedef int32_t LONG;
typedef uint32_t ULONG;
typedef uint32_t DWORD;
typedef int64_t INT64;
typedef uint64_t UINT64;
typedef int64_t LONGLONG;
typedef uint64_t ULONGLONG;
typedef uint64_t DWORDLONG;
typedef float FLOAT;
typedef double DOUBLE;
typedef size_t SIZE_T;
typedef intptr_t LONG_PTR;
typedef uintptr_t ULONG_PTR;
typedef uintptr_t DWORD_PTR;

/* Nonzero is true. Not to be confused with VARIANT_BOOL, where true is -1. */
typedef int32_t BOOL;

typedef void *PVOID;
typedef void *LPVOID;
typedef const void *LPCVOID;
typedef BYTE *PBYTE;
typedef BYTE *LPBYTE;
typedef BOOL *PBOOL;
typedef LONG *PLONG;
typedef ULONG *PULONG;
typedef DWORD *PDWORD;
typedef DWORD *LPDWORD;
typedef UINT64 *PUINT64;

typedef char *LPSTR;
typedef const char *LPCSTR;
typedef wchar_t WCHAR;
typedef WCHAR *PWSTR;
typedef WCHAR *LPWSTR;
typedef const WCHAR *PCWSTR;
typedef const WCHAR *LPCWSTR;
typedef WCHAR OLECHAR;
typedef OLECHAR *LPOLESTR;
typedef const OLECHAR *LPCOLESTR;

typedef DWORD LCID;
typedef WORD LANGID;

/* Negative: failure. Zero and above: success. dosvc-hresult.h takes it apart. */
typedef int32_t HRESULT;

#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif

/* Steps of 100 ns since 1601-01-01 00:00 UTC, cut in two halves. All zero: never. */
typedef struct _FILETIME {
        DWORD dwLowDateTime;
        DWORD dwHighDateTime;
} FILETIME, *PFILETIME, *LPFILETIME;

typedef union _LARGE_INTEGER {
        __extension__ struct {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
                LONG HighPart;
                DWORD LowPart;
#else
                DWORD LowPart;
                LONG HighPart;
#endif
        };
        LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;

typedef union _ULARGE_INTEGER {
        __extension__ struct {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
                DWORD HighPart;
                DWORD LowPart;
#else
                DWORD LowPart;
                DWORD HighPart;
#endif
        };
        ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;

/* Languages that GetErrorDescription() is asked for; 0 means the neutral one. */
#define MAKELANGID(primary, sub) ((WORD) ((((WORD) (sub)) << 10) | (WORD) (primary)))
#define LANGIDFROMLCID(lcid) ((WORD) (lcid))
#define LANG_NEUTRAL 0x00
#define LANG_ENGLISH 0x09
#define SUBLANG_NEUTRAL 0x00
#define SUBLANG_DEFAULT 0x01

#endif
