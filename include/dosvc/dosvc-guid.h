/*
 * dosvc-guid.h: identifiers of 128 bits, how to compare them, and how C++ finds
 * the one that belongs to a type.
 *
 * Every IID_, CLSID_ and LIBID_ constant of these headers is declared here or
 * in its interface's header and defined once, in libdosvc. INITGUID and an
 * extra GUID library are not needed and change nothing for them; DEFINE_GUID
 * is for a program's own identifiers and follows INITGUID as usual.
 */
#ifndef DOSVC_GUID_H
#define DOSVC_GUID_H

#include <string.h>

#include "dosvc-base.h"

typedef struct _GUID {
        ULONG Data1;
        USHORT Data2;
        USHORT Data3;
        BYTE Data4[8];
} GUID, *LPGUID;

typedef GUID IID;
typedef IID *LPIID;
typedef GUID CLSID;
typedef CLSID *LPCLSID;

#ifdef __cplusplus
#define REFGUID const GUID &
#define REFIID const IID &
#define REFCLSID const CLSID &
#else
#define REFGUID const GUID *
#define REFIID const IID *
#define REFCLSID const CLSID *
#endif

/* A program's own identifier: defined where INITGUID is set, declared elsewhere. */
#ifdef INITGUID
#define DEFINE_GUID(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8)                              \
        EXTERN_C const GUID name;                                                                 \
        const GUID name = { l, w1, w2, { b1, b2, b3, b4, b5, b6, b7, b8 } }
#else
#define DEFINE_GUID(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8) EXTERN_C const GUID name
#endif

EXTERN_C DOSVC_API const GUID GUID_NULL;
#define IID_NULL GUID_NULL
#define CLSID_NULL GUID_NULL

#ifdef __cplusplus

inline BOOL IsEqualGUID(REFGUID a, REFGUID b) {
        return memcmp(&a, &b, sizeof(GUID)) == 0;
}

inline bool operator==(REFGUID a, REFGUID b) {
        return memcmp(&a, &b, sizeof(GUID)) == 0;
}

inline bool operator!=(REFGUID a, REFGUID b) {
        return memcmp(&a, &b, sizeof(GUID)) != 0;
}

/*
 * dosvc_uuidof<T>() is the identifier of interface T; __uuidof(x) takes a type
 * or an expression. Teach them a type of your own with
 * DOSVC_DECLARE_UUIDOF(IMine, IID_IMine) at global scope.
 */
template <typename T> struct dosvc_uuid;
template <typename T> struct dosvc_uuid<const T> : dosvc_uuid<T> {};
template <typename T> struct dosvc_uuid<T &> : dosvc_uuid<T> {};
template <typename T> struct dosvc_uuid<T *> : dosvc_uuid<T> {};

template <typename T> inline const GUID &dosvc_uuidof() {
        return dosvc_uuid<T>::value();
}

#define DOSVC_DECLARE_UUIDOF(type, guid)                                                          \
        template <> struct dosvc_uuid<type> {                                                     \
                static const GUID &value() {                                                      \
                        return guid;                                                              \
                }                                                                                 \
        };

#ifndef __uuidof
#define __uuidof(x) (dosvc_uuidof<__typeof__(x)>())
#endif

#else

static inline BOOL IsEqualGUID(REFGUID a, REFGUID b) {
        return memcmp(a, b, sizeof(GUID)) == 0;
}

#endif

#define IsEqualIID(a, b) IsEqualGUID(a, b)
#define IsEqualCLSID(a, b) IsEqualGUID(a, b)
#define InlineIsEqualGUID(a, b) IsEqualGUID(a, b)

#endif
