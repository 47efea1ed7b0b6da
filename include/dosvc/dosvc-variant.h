/*
 * dosvc-variant.h: values that carry their type, and the counted strings and
 * arrays in them. Properties of Delivery Optimization travel this way.
 *
 * A BSTR points behind its 4-byte length prefix; only the Sys functions may make
 * and free one. NULL is a valid BSTR and means the empty string.
 */
#ifndef DOSVC_VARIANT_H
#define DOSVC_VARIANT_H

#include "dosvc-base.h"
#include "dosvc-interface.h"
#include "dosvc-unknown.h"
#include "dosvc-winerror.h"

typedef OLECHAR *BSTR;
typedef BSTR *LPBSTR;

/* 16 bits; true is -1, so never assign TRUE. */
typedef int16_t VARIANT_BOOL;
#define VARIANT_TRUE ((VARIANT_BOOL) -1)
#define VARIANT_FALSE ((VARIANT_BOOL) 0)

typedef USHORT VARTYPE;
typedef LONG SCODE;
typedef double DATE;

typedef union tagCY {
        __extension__ struct {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
                LONG Hi;
                ULONG Lo;
#else
                ULONG Lo;
                LONG Hi;
#endif
        };
        LONGLONG int64;
} CY;

enum VARENUM {
        VT_EMPTY = 0,
        VT_NULL = 1,
        VT_I2 = 2,
        VT_I4 = 3,
        VT_R4 = 4,
        VT_R8 = 5,
        VT_CY = 6,
        VT_DATE = 7,
        VT_BSTR = 8,
        VT_DISPATCH = 9,
        VT_ERROR = 10,
        VT_BOOL = 11,
        VT_VARIANT = 12,
        VT_UNKNOWN = 13,
        VT_DECIMAL = 14,
        VT_I1 = 16,
        VT_UI1 = 17,
        VT_UI2 = 18,
        VT_UI4 = 19,
        VT_I8 = 20,
        VT_UI8 = 21,
        VT_INT = 22,
        VT_UINT = 23,
        VT_VOID = 24,
        VT_HRESULT = 25,
        VT_PTR = 26,
        VT_SAFEARRAY = 27,
        VT_CARRAY = 28,
        VT_USERDEFINED = 29,
        VT_LPSTR = 30,
        VT_LPWSTR = 31,
        VT_RECORD = 36,
        VT_INT_PTR = 37,
        VT_UINT_PTR = 38,
        VT_FILETIME = 64,
        VT_BLOB = 65,
        VT_STREAM = 66,
        VT_STORAGE = 67,
        VT_STREAMED_OBJECT = 68,
        VT_STORED_OBJECT = 69,
        VT_BLOB_OBJECT = 70,
        VT_CF = 71,
        VT_CLSID = 72,
        VT_VERSIONED_STREAM = 73,
        VT_BSTR_BLOB = 0xFFF,
        VT_VECTOR = 0x1000,
        VT_ARRAY = 0x2000,
        VT_BYREF = 0x4000,
        VT_RESERVED = 0x8000,
        VT_ILLEGAL = 0xFFFF,
        VT_ILLEGALMASKED = 0xFFF,
        VT_TYPEMASK = 0xFFF
};

typedef struct tagSAFEARRAYBOUND {
        ULONG cElements;
        LONG lLbound;
} SAFEARRAYBOUND, *LPSAFEARRAYBOUND;

/*
 * As much of a SAFEARRAY as a byte string needs: VT_ARRAY | VT_UI1 with one
 * dimension, which VariantClear() frees.
 */
typedef struct tagSAFEARRAY {
        USHORT cDims;
        USHORT fFeatures;
        ULONG cbElements;
        ULONG cLocks;
        PVOID pvData;
        SAFEARRAYBOUND rgsabound[1];
} SAFEARRAY, *LPSAFEARRAY;

#define FADF_AUTO 0x0001
#define FADF_STATIC 0x0002
#define FADF_EMBEDDED 0x0004
#define FADF_FIXEDSIZE 0x0010
#define FADF_RECORD 0x0020
#define FADF_HAVEIID 0x0040
#define FADF_HAVEVARTYPE 0x0080
#define FADF_BSTR 0x0100
#define FADF_UNKNOWN 0x0200
#define FADF_DISPATCH 0x0400
#define FADF_VARIANT 0x0800

/* Named in VARIANT only; nothing here implements it. */
typedef struct IDispatch IDispatch;

/* VT_RECORD is not served; its two pointers give VARIANT the published size. */
typedef struct tagBRECORD {
        PVOID pvRecord;
        void *pRecInfo;
} VARIANT_RECORD;

typedef struct tagVARIANT VARIANT, VARIANTARG, *LPVARIANT;

struct tagVARIANT {
        VARTYPE vt;
        WORD wReserved1;
        WORD wReserved2;
        WORD wReserved3;
        __extension__ union {
                LONGLONG llVal;
                LONG lVal;
                BYTE bVal;
                SHORT iVal;
                FLOAT fltVal;
                DOUBLE dblVal;
                VARIANT_BOOL boolVal;
                SCODE scode;
                CY cyVal;
                DATE date;
                BSTR bstrVal;
                IUnknown *punkVal;
                IDispatch *pdispVal;
                SAFEARRAY *parray;
                BYTE *pbVal;
                SHORT *piVal;
                LONG *plVal;
                LONGLONG *pllVal;
                FLOAT *pfltVal;
                DOUBLE *pdblVal;
                VARIANT_BOOL *pboolVal;
                SCODE *pscode;
                CY *pcyVal;
                DATE *pdate;
                BSTR *pbstrVal;
                IUnknown **ppunkVal;
                IDispatch **ppdispVal;
                SAFEARRAY **pparray;
                VARIANT *pvarVal;
                PVOID byref;
                CHAR cVal;
                USHORT uiVal;
                ULONG ulVal;
                ULONGLONG ullVal;
                INT intVal;
                UINT uintVal;
                CHAR *pcVal;
                USHORT *puiVal;
                ULONG *pulVal;
                ULONGLONG *pullVal;
                INT *pintVal;
                UINT *puintVal;
                VARIANT_RECORD brecVal;
        };
};

#define V_VT(X) ((X)->vt)
#define V_UNION(X, Y) ((X)->Y)
#define V_ISBYREF(X) (V_VT(X) & VT_BYREF)
#define V_ISARRAY(X) (V_VT(X) & VT_ARRAY)
#define V_ISVECTOR(X) (V_VT(X) & VT_VECTOR)

#define V_I1(X) V_UNION(X, cVal)
#define V_I1REF(X) V_UNION(X, pcVal)
#define V_UI1(X) V_UNION(X, bVal)
#define V_UI1REF(X) V_UNION(X, pbVal)
#define V_I2(X) V_UNION(X, iVal)
#define V_I2REF(X) V_UNION(X, piVal)
#define V_UI2(X) V_UNION(X, uiVal)
#define V_UI2REF(X) V_UNION(X, puiVal)
#define V_I4(X) V_UNION(X, lVal)
#define V_I4REF(X) V_UNION(X, plVal)
#define V_UI4(X) V_UNION(X, ulVal)
#define V_UI4REF(X) V_UNION(X, pulVal)
#define V_I8(X) V_UNION(X, llVal)
#define V_I8REF(X) V_UNION(X, pllVal)
#define V_UI8(X) V_UNION(X, ullVal)
#define V_UI8REF(X) V_UNION(X, pullVal)
#define V_INT(X) V_UNION(X, intVal)
#define V_INTREF(X) V_UNION(X, pintVal)
#define V_UINT(X) V_UNION(X, uintVal)
#define V_UINTREF(X) V_UNION(X, puintVal)
#define V_R4(X) V_UNION(X, fltVal)
#define V_R4REF(X) V_UNION(X, pfltVal)
#define V_R8(X) V_UNION(X, dblVal)
#define V_R8REF(X) V_UNION(X, pdblVal)
#define V_CY(X) V_UNION(X, cyVal)
#define V_CYREF(X) V_UNION(X, pcyVal)
#define V_DATE(X) V_UNION(X, date)
#define V_DATEREF(X) V_UNION(X, pdate)
#define V_BOOL(X) V_UNION(X, boolVal)
#define V_BOOLREF(X) V_UNION(X, pboolVal)
#define V_ERROR(X) V_UNION(X, scode)
#define V_ERRORREF(X) V_UNION(X, pscode)
#define V_BSTR(X) V_UNION(X, bstrVal)
#define V_BSTRREF(X) V_UNION(X, pbstrVal)
#define V_UNKNOWN(X) V_UNION(X, punkVal)
#define V_UNKNOWNREF(X) V_UNION(X, ppunkVal)
#define V_DISPATCH(X) V_UNION(X, pdispVal)
#define V_DISPATCHREF(X) V_UNION(X, ppdispVal)
#define V_VARIANTREF(X) V_UNION(X, pvarVal)
#define V_ARRAY(X) V_UNION(X, parray)
#define V_ARRAYREF(X) V_UNION(X, pparray)
#define V_BYREF(X) V_UNION(X, byref)

#ifdef __cplusplus
extern "C" {
#endif

/* A copy of a string, or NULL when there is no memory or the argument is NULL. */
DOSVC_API BSTR SysAllocString(const OLECHAR *psz);

/* @ui characters of @strIn, NULs included, and a NUL behind; NULL leaves them unset. */
DOSVC_API BSTR SysAllocStringLen(const OLECHAR *strIn, UINT ui);

/* Characters without the last NUL; 0 for NULL. */
DOSVC_API UINT SysStringLen(BSTR pbstr);

DOSVC_API void SysFreeString(BSTR bstrString);

/* Makes it VT_EMPTY without looking at what was there. */
DOSVC_API void VariantInit(VARIANTARG *pvarg);

/* Frees or releases what it holds, then VT_EMPTY. DISP_E_BADVARTYPE for an unknown type. */
DOSVC_API HRESULT VariantClear(VARIANTARG *pvarg);

#ifdef __cplusplus
}
#endif

#endif
