/*
 * What a C program sees of the headers has the published values, sizes, offsets and slots. All but
 * the identifiers is decided by the compiler; running it compares those.
 */
#include "bits.h"
#include "deliveryoptimization.h"

#include <stddef.h>
#include <string.h>

#include "guid_text.h"

#define FN sizeof(void (*)(void))

#define ROOT(i) _Static_assert(offsetof(i##Vtbl, QueryInterface) == 0, #i);
#define SLOT(i, m, n) _Static_assert(offsetof(i##Vtbl, m) == (n) * FN, #i "." #m);
#define BASE(i, b) _Static_assert(sizeof(i##Vtbl) > sizeof(b##Vtbl), #i);
#define TABLE(i, n)                                                                               \
        _Static_assert(sizeof(i##Vtbl) == (n) * FN, #i);                                          \
        _Static_assert(sizeof(i) == sizeof(void *) && offsetof(i, lpVtbl) == 0, #i);
#include "published_vtables.h"

#define PUBLISHED_ENUM(name, value) _Static_assert((name) == (value), #name);
#define PUBLISHED_NUMBER(name, value) _Static_assert((uint64_t) (name) == (value), #name);
#define PUBLISHED_RESULT(name, value)                                                             \
        _Static_assert((uint32_t) (name) == (value), #name);                                      \
        _Static_assert(FAILED(name) == (((value) >> 31) != 0), #name);                            \
        _Static_assert(SUCCEEDED(name) != FAILED(name), #name);
#include "published_values.h"

#if UINTPTR_MAX == UINT64_MAX
#define FIELD(s, f, offset, bytes)                                                                \
        _Static_assert(offsetof(s, f) == (offset), #s "." #f);                                    \
        _Static_assert(sizeof(((s *) 0)->f) == (bytes), #s "." #f);
#define STRUCT(s, bytes) _Static_assert(sizeof(s) == (bytes), #s);
#include "published_structs.h"
#endif

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)
SIZE(BYTE, 1);
SIZE(WORD, 2);
SIZE(WCHAR, 4);
SIZE(LONG, 4);
SIZE(ULONG, 4);
SIZE(DWORD, 4);
SIZE(UINT, 4);
SIZE(BOOL, 4);
SIZE(HRESULT, 4);
SIZE(UINT64, 8);
SIZE(VARIANT_BOOL, 2);
SIZE(BG_JOB_STATE, 4);
SIZE(BITS_JOB_TRANSFER_POLICY, 4);
SIZE(DODownloadProperty, 4);
_Static_assert((HRESULT) -1 < 0 && (DWORD) -1 > 0, "HRESULT has a sign, DWORD has none");
_Static_assert(VARIANT_TRUE == -1, "VARIANT_TRUE");
_Static_assert(CLSCTX_ALL == 0x17, "CLSCTX_ALL");

/* A result code may be a case label, also one that is made from a Win32 code. */
static int is_disk_full(HRESULT hr) {
        switch (hr) {
        case HRESULT_FROM_WIN32(ERROR_DISK_FULL):
        case STG_E_MEDIUMFULL:
                return 1;
        default:
                return 0;
        }
}

/* Each kind of policy compares with the DWORD that carries it without a complaint. */
static int is_always(BITS_JOB_PROPERTY_VALUE value) {
        return value.Dword == BITS_JOB_TRANSFER_POLICY_ALWAYS;
}

static unsigned calls;

static DWORD next_code(void) {
        calls++;
        return ERROR_DISK_FULL;
}

int main(void) {
        char text[37];
        int failed = 0;

#define PUBLISHED_GUID(name, published)                                                           \
        if (strcmp(guid_text(&(name), text), published) != 0) {                                   \
                printf("%s is %s, published is %s\n", #name, text, published);                    \
                failed++;                                                                         \
        }
#include "published_guids.h"

#define CHECK(what)                                                                               \
        if (!(what)) {                                                                            \
                printf("not true: %s\n", #what);                                                  \
                failed++;                                                                         \
        }
        CHECK(IsEqualGUID(&IID_IUnknown, &IID_IUnknown));
        CHECK(!IsEqualIID(&IID_IUnknown, &IID_IDOManager));
        CHECK(is_disk_full((HRESULT) 0x80070070));
        CHECK(is_disk_full(HRESULT_FROM_WIN32(next_code())));
        CHECK(calls == 1);
        CHECK(HRESULT_FROM_WIN32(E_FAIL) == E_FAIL);
        CHECK(HRESULT_FROM_WIN32(ERROR_SUCCESS) == S_OK);
        CHECK(is_always((BITS_JOB_PROPERTY_VALUE) { .Dword = 0x800000FF }));
        return failed != 0;
}
