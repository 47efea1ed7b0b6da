/*
 * dosvc-unknown.h: the interface that every other one starts with, and the enumerator of
 * objects of any kind.
 *
 * Made by tools/generate_headers.py from idl/unknown.idl: change it there.
 */
#ifndef DOSVC_UNKNOWN_H
#define DOSVC_UNKNOWN_H

#include "dosvc-guid.h"
#include "dosvc-interface.h"

typedef struct IUnknown IUnknown;
typedef struct IEnumUnknown IEnumUnknown;

#ifdef __cplusplus
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
#endif

/*
 * IUnknown. Root of all interfaces: asks for another interface of the same object, and counts
 * references. Counting is thread-safe.
 */
EXTERN_C DOSVC_API const IID IID_IUnknown;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IUnknown {
        /*
         * A new reference to another interface of this object, or NULL and E_NOINTERFACE;
         * E_POINTER if there is nowhere to put it.
         */
        virtual HRESULT STDMETHODCALLTYPE QueryInterface(REFIID riid, void **ppvObject) = 0;

        /* Adds a reference. The count returned is for debugging only. */
        virtual ULONG STDMETHODCALLTYPE AddRef() = 0;

        /* Drops a reference; the object is gone with the last one. */
        virtual ULONG STDMETHODCALLTYPE Release() = 0;

        template <typename Q> HRESULT STDMETHODCALLTYPE QueryInterface(Q **ppvObject) {
                return QueryInterface(dosvc_uuidof<Q>(), reinterpret_cast<void **>(ppvObject));
        }
};

DOSVC_DECLARE_UUIDOF(IUnknown, IID_IUnknown)

#else

typedef struct IUnknownVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IUnknown *This, REFIID riid, void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IUnknown *This);
        ULONG (STDMETHODCALLTYPE *Release)(IUnknown *This);
} IUnknownVtbl;

struct IUnknown {
        CONST_VTBL IUnknownVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IUnknown_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IUnknown_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IUnknown_Release(This) (This)->lpVtbl->Release(This)
#endif

#endif

/*
 * IEnumUnknown. Walks over a list of objects. IDOManager::EnumDownloads() hands out one of
 * downloads.
 */
EXTERN_C DOSVC_API const IID IID_IEnumUnknown;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IEnumUnknown : public IUnknown {
        /*
         * Up to celt objects, each a new reference. S_FALSE if fewer were left. pceltFetched
         * may be NULL only if celt is 1.
         */
        virtual HRESULT STDMETHODCALLTYPE Next(ULONG celt, IUnknown **rgelt,
                                               ULONG *pceltFetched) = 0;

        /* Passes over celt objects; S_FALSE if fewer were left. */
        virtual HRESULT STDMETHODCALLTYPE Skip(ULONG celt) = 0;

        /* Back to the first object of the same snapshot. */
        virtual HRESULT STDMETHODCALLTYPE Reset() = 0;

        /* A second enumerator at the same place. */
        virtual HRESULT STDMETHODCALLTYPE Clone(IEnumUnknown **ppenum) = 0;
};

DOSVC_DECLARE_UUIDOF(IEnumUnknown, IID_IEnumUnknown)

#else

typedef struct IEnumUnknownVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IEnumUnknown *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IEnumUnknown *This);
        ULONG (STDMETHODCALLTYPE *Release)(IEnumUnknown *This);
        HRESULT (STDMETHODCALLTYPE *Next)(IEnumUnknown *This, ULONG celt, IUnknown **rgelt,
                                          ULONG *pceltFetched);
        HRESULT (STDMETHODCALLTYPE *Skip)(IEnumUnknown *This, ULONG celt);
        HRESULT (STDMETHODCALLTYPE *Reset)(IEnumUnknown *This);
        HRESULT (STDMETHODCALLTYPE *Clone)(IEnumUnknown *This, IEnumUnknown **ppenum);
} IEnumUnknownVtbl;

struct IEnumUnknown {
        CONST_VTBL IEnumUnknownVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IEnumUnknown_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IEnumUnknown_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IEnumUnknown_Release(This) (This)->lpVtbl->Release(This)
#define IEnumUnknown_Next(This, celt, rgelt, pceltFetched) \
        (This)->lpVtbl->Next(This, celt, rgelt, pceltFetched)
#define IEnumUnknown_Skip(This, celt) (This)->lpVtbl->Skip(This, celt)
#define IEnumUnknown_Reset(This) (This)->lpVtbl->Reset(This)
#define IEnumUnknown_Clone(This, ppenum) (This)->lpVtbl->Clone(This, ppenum)
#endif

#endif

#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

#endif
