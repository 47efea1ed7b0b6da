/*
 * What a C++ program sees of the headers is what a C program sees: the same slots in the tables of
 * functions, values, sizes and identifiers.
 */
#include "deliveryoptimization.h"
#include "bits.h"

#include <cstdio>
#include <cstring>
#include <type_traits>

#include "guid_text.h"

#define PUBLISHED_ENUM(name, value) static_assert((name) == (value), #name);
#define PUBLISHED_NUMBER(name, value) static_assert(static_cast<uint64_t>(name) == (value), #name);
#define PUBLISHED_RESULT(name, value)                                                             \
        static_assert(static_cast<uint32_t>(name) == (value), #name);                             \
        static_assert(FAILED(name) == (((value) >> 31) != 0), #name);
#include "published_values.h"

#if UINTPTR_MAX == UINT64_MAX
#define FIELD(s, f, offset, bytes)                                                                \
        static_assert(offsetof(s, f) == (offset), #s "." #f);                                     \
        static_assert(sizeof(static_cast<s *>(nullptr)->f) == (bytes), #s "." #f);
#define STRUCT(s, bytes) static_assert(sizeof(s) == (bytes), #s);
#include "published_structs.h"
#endif

/* No data, no destructor slot, one base at most: only then is the object a pointer to a table. */
#define ROOT(i)                                                                                   \
        static_assert(sizeof(i) == sizeof(void *), #i);                                           \
        static_assert(std::is_abstract<i>::value, #i);                                            \
        static_assert(!std::has_virtual_destructor<i>::value, #i);
#define BASE(i, b) static_assert(std::is_base_of<b, i>::value, #i);
#define TABLE(i, n)
#define SLOT(i, m, n)
#include "published_vtables.h"
#undef ROOT
#undef BASE
#undef TABLE
#undef SLOT

static int failed;

#define CHECK(what)                                                                               \
        if (!(what)) {                                                                            \
                std::printf("not true: %s\n", #what);                                             \
                failed++;                                                                         \
        }

/* The C++ ABI of both compilers: a pointer to a virtual member holds the offset of its slot. */
template <typename M> static size_t slot_of(M member) {
        static_assert(sizeof(M) == 2 * sizeof(ptrdiff_t), "a pointer and an adjustment");
        ptrdiff_t words[2];
        std::memcpy(words, &member, sizeof words);
#if defined(__arm__) || defined(__aarch64__)
        ptrdiff_t offset = words[0];
#else
        ptrdiff_t offset = words[0] - 1;
#endif
        return static_cast<size_t>(offset) / sizeof(void (*)());
}

static void the_methods_have_the_published_slots() {
#define ROOT(i) CHECK(slot_of<HRESULT (i::*)(REFIID, void **)>(&i::QueryInterface) == 0)
#define SLOT(i, m, n) CHECK(slot_of(&i::m) == (n))
#define BASE(i, b)
#define TABLE(i, n)
#include "published_vtables.h"
#undef ROOT
#undef BASE
#undef TABLE
#undef SLOT
}

static void the_identifiers_are_the_published_ones() {
        char text[37];
#define PUBLISHED_GUID(name, published) CHECK(std::strcmp(guid_text(&name, text), published) == 0)
#include "published_guids.h"
}

static void a_type_knows_its_identifier() {
#define ROOT(i) CHECK(dosvc_uuidof<i>() == IID_##i)
#define SLOT(i, m, n)
#define BASE(i, b) CHECK(dosvc_uuidof<i>() != IID_##b)
#define TABLE(i, n)
#include "published_vtables.h"

        IBackgroundCopyJob5 *job = nullptr;
        const IBackgroundCopyJob5 *const_job = nullptr;
        CHECK(__uuidof(IBackgroundCopyJob5) == IID_IBackgroundCopyJob5);
        CHECK(__uuidof(*job) == IID_IBackgroundCopyJob5);
        CHECK(__uuidof(job) == IID_IBackgroundCopyJob5);
        CHECK(__uuidof(*const_job) == IID_IBackgroundCopyJob5);
        CHECK(__uuidof(BackgroundCopyManager) == CLSID_BackgroundCopyManager);
        CHECK(__uuidof(BackgroundCopyManager10_3) == CLSID_BackgroundCopyManager10_3);
        CHECK(__uuidof(DeliveryOptimization) == CLSID_DeliveryOptimization);
}

/* What IID_PPV_ARGS hands over, seen from the callee. */
static bool is_asked_for(REFIID expected, void *where, REFIID riid, void **ppv) {
        return IsEqualIID(expected, riid) && ppv == where;
}

static void iid_ppv_args_names_type_and_place() {
        IDOManager *manager = nullptr;
        CHECK(is_asked_for(IID_IDOManager, &manager, IID_PPV_ARGS(&manager)));
}

static void a_result_code_may_be_a_case_label() {
        switch (HRESULT_FROM_WIN32(ERROR_DISK_FULL)) {
        case E_FAIL:
        case HRESULT_FROM_WIN32(ERROR_NOT_FOUND):
                CHECK(false);
                break;
        case HRESULT_FROM_WIN32(ERROR_DISK_FULL):
                break;
        default:
                CHECK(false);
        }
}

int main() {
        the_methods_have_the_published_slots();
        the_identifiers_are_the_published_ones();
        a_type_knows_its_identifier();
        iid_ppv_args_names_type_and_place();
        a_result_code_may_be_a_case_label();
        return failed != 0;
}
