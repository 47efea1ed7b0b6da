/*
 * dosvc-stream.h: byte streams. A program implements IStream to receive a download without a
 * file (DODownloadProperty_StreamInterface). Of it only Write is called, on one thread of the
 * library's for each file; it may block, which stops the transfer after a while, and fail,
 * which stops the download with its code.
 *
 * Made by tools/generate_headers.py from idl/stream.idl: change it there.
 */
#ifndef DOSVC_STREAM_H
#define DOSVC_STREAM_H

#include "dosvc-guid.h"
#include "dosvc-interface.h"
#include "dosvc-unknown.h"

typedef struct ISequentialStream ISequentialStream;
typedef struct IStream IStream;

typedef enum STREAM_SEEK {
        STREAM_SEEK_SET = 0,
        STREAM_SEEK_CUR = 1,
        STREAM_SEEK_END = 2
} STREAM_SEEK;

typedef enum STGTY {
        STGTY_STORAGE = 1,
        STGTY_STREAM = 2,
        STGTY_LOCKBYTES = 3,
        STGTY_PROPERTY = 4
} STGTY;

typedef enum STATFLAG {
        STATFLAG_DEFAULT = 0,
        STATFLAG_NONAME = 1 /* pwcsName stays NULL */
} STATFLAG;

typedef enum STGC {
        STGC_DEFAULT = 0,
        STGC_OVERWRITE = 1,
        STGC_ONLYIFCURRENT = 2,
        STGC_DANGEROUSLYCOMMITMERELYTODISKCACHE = 4,
        STGC_CONSOLIDATE = 8
} STGC;

/* What Stat() tells of a stream. Free pwcsName with CoTaskMemFree(). */
typedef struct STATSTG {
        LPOLESTR pwcsName;
        DWORD type; /* STGTY */
        ULARGE_INTEGER cbSize;
        FILETIME mtime;
        FILETIME ctime;
        FILETIME atime;
        DWORD grfMode;
        DWORD grfLocksSupported;
        CLSID clsid;
        DWORD grfStateBits;
        DWORD reserved;
} STATSTG;

#ifdef __cplusplus
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
#endif

/* ISequentialStream. Reading and writing at the place where the last call ended. */
EXTERN_C DOSVC_API const IID IID_ISequentialStream;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct ISequentialStream : public IUnknown {
        /* Up to cb bytes; S_FALSE or a smaller count at the end. libdosvc never calls it. */
        virtual HRESULT STDMETHODCALLTYPE Read(void *pv, ULONG cb, ULONG *pcbRead) = 0;

        /* Takes cb bytes; a smaller count is an error of the stream. */
        virtual HRESULT STDMETHODCALLTYPE Write(const void *pv, ULONG cb, ULONG *pcbWritten) = 0;
};

DOSVC_DECLARE_UUIDOF(ISequentialStream, IID_ISequentialStream)

#else

typedef struct ISequentialStreamVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(ISequentialStream *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(ISequentialStream *This);
        ULONG (STDMETHODCALLTYPE *Release)(ISequentialStream *This);
        HRESULT (STDMETHODCALLTYPE *Read)(ISequentialStream *This, void *pv, ULONG cb,
                                          ULONG *pcbRead);
        HRESULT (STDMETHODCALLTYPE *Write)(ISequentialStream *This, const void *pv, ULONG cb,
                                           ULONG *pcbWritten);
} ISequentialStreamVtbl;

struct ISequentialStream {
        CONST_VTBL ISequentialStreamVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define ISequentialStream_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define ISequentialStream_AddRef(This) (This)->lpVtbl->AddRef(This)
#define ISequentialStream_Release(This) (This)->lpVtbl->Release(This)
#define ISequentialStream_Read(This, pv, cb, pcbRead) (This)->lpVtbl->Read(This, pv, cb, pcbRead)
#define ISequentialStream_Write(This, pv, cb, pcbWritten) \
        (This)->lpVtbl->Write(This, pv, cb, pcbWritten)
#endif

#endif

/* IStream. A sequential stream with a position and a size. */
EXTERN_C DOSVC_API const IID IID_IStream;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IStream : public ISequentialStream {
        /* Moves the position. dwOrigin is a STREAM_SEEK. libdosvc never calls it. */
        virtual HRESULT STDMETHODCALLTYPE Seek(LARGE_INTEGER dlibMove, DWORD dwOrigin,
                                               ULARGE_INTEGER *plibNewPosition) = 0;

        /* Makes the stream shorter or longer. libdosvc never calls it. */
        virtual HRESULT STDMETHODCALLTYPE SetSize(ULARGE_INTEGER libNewSize) = 0;

        /* Copies cb bytes to another stream. libdosvc never calls it. */
        virtual HRESULT STDMETHODCALLTYPE CopyTo(IStream *pstm, ULARGE_INTEGER cb,
                                                 ULARGE_INTEGER *pcbRead,
                                                 ULARGE_INTEGER *pcbWritten) = 0;

        /* Makes what was written permanent. Flags are STGC. libdosvc never calls it. */
        virtual HRESULT STDMETHODCALLTYPE Commit(DWORD grfCommitFlags) = 0;

        /* Drops what was written since the last Commit. libdosvc never calls it. */
        virtual HRESULT STDMETHODCALLTYPE Revert() = 0;

        /* Keeps others away from a part. libdosvc never calls it. */
        virtual HRESULT STDMETHODCALLTYPE LockRegion(ULARGE_INTEGER libOffset, ULARGE_INTEGER cb,
                                                     DWORD dwLockType) = 0;

        /* Ends LockRegion. libdosvc never calls it. */
        virtual HRESULT STDMETHODCALLTYPE UnlockRegion(ULARGE_INTEGER libOffset, ULARGE_INTEGER cb,
                                                       DWORD dwLockType) = 0;

        /* grfStatFlag is a STATFLAG. libdosvc never calls it. */
        virtual HRESULT STDMETHODCALLTYPE Stat(STATSTG *pstatstg, DWORD grfStatFlag) = 0;

        /* A second stream over the same bytes with its own position. libdosvc never calls it. */
        virtual HRESULT STDMETHODCALLTYPE Clone(IStream **ppstm) = 0;
};

DOSVC_DECLARE_UUIDOF(IStream, IID_IStream)

#else

typedef struct IStreamVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IStream *This, REFIID riid, void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IStream *This);
        ULONG (STDMETHODCALLTYPE *Release)(IStream *This);
        HRESULT (STDMETHODCALLTYPE *Read)(IStream *This, void *pv, ULONG cb, ULONG *pcbRead);
        HRESULT (STDMETHODCALLTYPE *Write)(IStream *This, const void *pv, ULONG cb,
                                           ULONG *pcbWritten);
        HRESULT (STDMETHODCALLTYPE *Seek)(IStream *This, LARGE_INTEGER dlibMove, DWORD dwOrigin,
                                          ULARGE_INTEGER *plibNewPosition);
        HRESULT (STDMETHODCALLTYPE *SetSize)(IStream *This, ULARGE_INTEGER libNewSize);
        HRESULT (STDMETHODCALLTYPE *CopyTo)(IStream *This, IStream *pstm, ULARGE_INTEGER cb,
                                            ULARGE_INTEGER *pcbRead, ULARGE_INTEGER *pcbWritten);
        HRESULT (STDMETHODCALLTYPE *Commit)(IStream *This, DWORD grfCommitFlags);
        HRESULT (STDMETHODCALLTYPE *Revert)(IStream *This);
        HRESULT (STDMETHODCALLTYPE *LockRegion)(IStream *This, ULARGE_INTEGER libOffset,
                                                ULARGE_INTEGER cb, DWORD dwLockType);
        HRESULT (STDMETHODCALLTYPE *UnlockRegion)(IStream *This, ULARGE_INTEGER libOffset,
                                                  ULARGE_INTEGER cb, DWORD dwLockType);
        HRESULT (STDMETHODCALLTYPE *Stat)(IStream *This, STATSTG *pstatstg, DWORD grfStatFlag);
        HRESULT (STDMETHODCALLTYPE *Clone)(IStream *This, IStream **ppstm);
} IStreamVtbl;

struct IStream {
        CONST_VTBL IStreamVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IStream_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IStream_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IStream_Release(This) (This)->lpVtbl->Release(This)
#define IStream_Read(This, pv, cb, pcbRead) (This)->lpVtbl->Read(This, pv, cb, pcbRead)
#define IStream_Write(This, pv, cb, pcbWritten) (This)->lpVtbl->Write(This, pv, cb, pcbWritten)
#define IStream_Seek(This, dlibMove, dwOrigin, plibNewPosition) \
        (This)->lpVtbl->Seek(This, dlibMove, dwOrigin, plibNewPosition)
#define IStream_SetSize(This, libNewSize) (This)->lpVtbl->SetSize(This, libNewSize)
#define IStream_CopyTo(This, pstm, cb, pcbRead, pcbWritten) \
        (This)->lpVtbl->CopyTo(This, pstm, cb, pcbRead, pcbWritten)
#define IStream_Commit(This, grfCommitFlags) (This)->lpVtbl->Commit(This, grfCommitFlags)
#define IStream_Revert(This) (This)->lpVtbl->Revert(This)
#define IStream_LockRegion(This, libOffset, cb, dwLockType) \
        (This)->lpVtbl->LockRegion(This, libOffset, cb, dwLockType)
#define IStream_UnlockRegion(This, libOffset, cb, dwLockType) \
        (This)->lpVtbl->UnlockRegion(This, libOffset, cb, dwLockType)
#define IStream_Stat(This, pstatstg, grfStatFlag) (This)->lpVtbl->Stat(This, pstatstg, grfStatFlag)
#define IStream_Clone(This, ppstm) (This)->lpVtbl->Clone(This, ppstm)
#endif

#endif

#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

#endif
