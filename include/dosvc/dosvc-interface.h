/*
 * dosvc-interface.h: the words that an interface is declared and implemented
 * with.
 *
 * An interface pointer points at a pointer to a table of functions. C sees that
 * as a struct with lpVtbl; C++ sees an abstract class without data and without
 * a virtual destructor, whose table has the same layout, so that either
 * language may implement what the other one calls. C programs that define
 * COBJMACROS get IFoo_Method(object, ...) for own and inherited methods; C++
 * programs that define CINTERFACE get the C view.
 */
#ifndef DOSVC_INTERFACE_H
#define DOSVC_INTERFACE_H

#include "dosvc-base.h"

#define STDMETHODCALLTYPE
#define STDMETHODVCALLTYPE
#define STDAPICALLTYPE

/* Tables are never written through an object, so one const table can serve all. */
#define CONST_VTBL const

#define STDAPI EXTERN_C HRESULT STDAPICALLTYPE
#define STDAPI_(type) EXTERN_C type STDAPICALLTYPE
#define STDMETHODIMP HRESULT STDMETHODCALLTYPE
#define STDMETHODIMP_(type) type STDMETHODCALLTYPE
#define IFACEMETHODIMP STDMETHODIMP
#define IFACEMETHODIMP_(type) STDMETHODIMP_(type)

#if defined(__cplusplus) && !defined(CINTERFACE)
#define STDMETHOD(method) virtual HRESULT STDMETHODCALLTYPE method
#define STDMETHOD_(type, method) virtual type STDMETHODCALLTYPE method
#define PURE = 0
#else
#define STDMETHOD(method) HRESULT(STDMETHODCALLTYPE *method)
#define STDMETHOD_(type, method) type(STDMETHODCALLTYPE *method)
#define PURE
#endif

#endif
