/* CoInitializeEx() to CoCreateInstance(), and the one connection behind all COM objects. There are no apartments:
 * what is checked here is only what a program can do wrong. */
#include <stdlib.h>

#include "client/com.h"
#include "client/failure.h"

#define COINIT_KNOWN (COINIT_APARTMENTTHREADED | COINIT_DISABLE_OLE1DDE | COINIT_SPEED_OVER_MEMORY)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* never held for long */
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static unsigned n_initialized; /* by all threads */
static bool security_is_set;
static struct dosvc *shared;
static size_t n_users; /* of shared */

static _Thread_local struct {
        unsigned n_initialized;
        DWORD model;
} thread;

/* ---- fork ---- */

/* The callbacks' lock first: references of the connection are taken under it. */
static void before_fork(void) {
        com_callback_before_fork();
        pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void) {
        pthread_mutex_unlock(&lock);
        com_callback_after_fork(false);
}

static void after_fork_in_child(void) {
        com_callback_after_fork(true);
        (void) pthread_mutex_init(&lock, NULL);
}

static void handle_forks(void) {
        (void) pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* ---- initialising ---- */

HRESULT CoInitializeEx(LPVOID pvReserved, DWORD dwCoInit) {
        if (pvReserved || dwCoInit & ~(DWORD) COINIT_KNOWN)
                return E_INVALIDARG;
        if (thread.n_initialized > 0 && (dwCoInit & COINIT_APARTMENTTHREADED) != thread.model)
                return RPC_E_CHANGED_MODE;
        pthread_once(&fork_once, handle_forks);
        thread.model = dwCoInit & COINIT_APARTMENTTHREADED;
        pthread_mutex_lock(&lock);
        n_initialized++;
        pthread_mutex_unlock(&lock);
        return thread.n_initialized++ == 0 ? S_OK : S_FALSE;
}

HRESULT CoInitialize(LPVOID pvReserved) {
        return CoInitializeEx(pvReserved, COINIT_APARTMENTTHREADED);
}

void CoUninitialize(void) {
        bool last;

        if (thread.n_initialized == 0)
                return;
        thread.n_initialized--;
        pthread_mutex_lock(&lock);
        last = --n_initialized == 0;
        if (last)
                security_is_set = false;
        pthread_mutex_unlock(&lock);
        /* Objects go on to work as long as somebody holds them; only callbacks and streams end. */
        if (last) {
                com_stream_stop();
                com_callback_stop();
        }
}

/* As published, one initialised thread is enough: the others are in its apartment. */
static bool is_initialized(void) {
        bool yes;

        pthread_mutex_lock(&lock);
        yes = n_initialized > 0;
        pthread_mutex_unlock(&lock);
        return yes;
}

/* ---- the connection ---- */

int com_connection_get(struct dosvc **ret) {
        struct dosvc *fresh;
        int r;

        /* Before the lock is taken: it has a lock of its own, and fork(2) takes both in no particular order. It is
         * cheap. */
        r = connection_new(0, &com_callback_hooks, &fresh);
        if (r < 0)
                return r;
        pthread_mutex_lock(&lock);
        if (!shared)
                shared = TAKE_PTR(fresh);
        n_users++;
        *ret = shared;
        pthread_mutex_unlock(&lock);
        connection_unref(fresh);
        return 0;
}

struct dosvc *com_connection_ref(struct dosvc *c) {
        pthread_mutex_lock(&lock);
        n_users++;
        pthread_mutex_unlock(&lock);
        return c;
}

void com_connection_put(struct dosvc *c) {
        struct dosvc *unused = NULL;

        pthread_mutex_lock(&lock);
        if (--n_users == 0)
                unused = TAKE_PTR(shared);
        pthread_mutex_unlock(&lock);
        connection_unref(unused);
}

/* ---- creating ---- */

static bool find_family(REFCLSID rclsid, enum job_family *ret) {
        static const CLSID *const bits[] = {
                &CLSID_BackgroundCopyManager,     &CLSID_BackgroundCopyManager1_5,  &CLSID_BackgroundCopyManager2_0,
                &CLSID_BackgroundCopyManager2_5,  &CLSID_BackgroundCopyManager3_0,  &CLSID_BackgroundCopyManager4_0,
                &CLSID_BackgroundCopyManager5_0,  &CLSID_BackgroundCopyManager10_1, &CLSID_BackgroundCopyManager10_2,
                &CLSID_BackgroundCopyManager10_3,
        };

        *ret = JOB_FAMILY_DO;
        if (IsEqualCLSID(rclsid, &CLSID_DeliveryOptimization))
                return true;
        *ret = JOB_FAMILY_BITS;
        for (size_t i = 0; i < ELEMENTSOF(bits); i++)
                if (IsEqualCLSID(rclsid, bits[i]))
                        return true;
        return false;
}

static HRESULT create_manager(enum job_family family, IBackgroundCopyManager **ret) {
        struct dosvc *c;
        HRESULT hr;
        int r, code;

        r = com_connection_get(&c);
        if (r < 0)
                return com_hresult_from_errno(r);
        code = connection_ensure(c, 0);
        if (code == ERROR_NO_SERVICE)
                hr = CO_E_SERVER_EXEC_FAILURE;
        else
                hr = code ? rim_hresult(code, family) : com_manager_new(c, family, ret);
        com_connection_put(c);
        return hr;
}

HRESULT CoCreateInstance(REFCLSID rclsid, IUnknown *pUnkOuter, DWORD dwClsContext, REFIID riid, LPVOID *ppv) {
        IBackgroundCopyManager *manager;
        enum job_family family;
        HRESULT hr;

        if (!ppv)
                return E_POINTER;
        *ppv = NULL;
        if (!rclsid || !riid)
                return E_INVALIDARG;
        if (!is_initialized())
                return CO_E_NOTINITIALIZED;
        if (!find_family(rclsid, &family) || !(dwClsContext & CLSCTX_LOCAL_SERVER))
                return REGDB_E_CLASSNOTREG;
        if (pUnkOuter)
                return CLASS_E_NOAGGREGATION;
        hr = create_manager(family, &manager);
        if (FAILED(hr))
                return hr;
        hr = manager->lpVtbl->QueryInterface(manager, riid, ppv);
        (void) manager->lpVtbl->Release(manager);
        return hr;
}

/* ---- security: the kernel tells the service who calls ---- */

static bool are_levels(DWORD authentication, DWORD impersonation) {
        return authentication <= RPC_C_AUTHN_LEVEL_PKT_PRIVACY && impersonation <= RPC_C_IMP_LEVEL_DELEGATE;
}

HRESULT CoInitializeSecurity(PSECURITY_DESCRIPTOR pSecDesc, LONG cAuthSvc, SOLE_AUTHENTICATION_SERVICE *asAuthSvc,
                             void *pReserved1, DWORD dwAuthnLevel, DWORD dwImpLevel, void *pAuthList,
                             DWORD dwCapabilities, void *pReserved3) {
        HRESULT hr = S_OK;

        if (pReserved1 || pReserved3 || cAuthSvc < -1 || (cAuthSvc > 0 && !asAuthSvc) ||
            !are_levels(dwAuthnLevel, dwImpLevel))
                return E_INVALIDARG;
        pthread_mutex_lock(&lock);
        if (n_initialized == 0)
                hr = CO_E_NOTINITIALIZED;
        else if (security_is_set)
                hr = RPC_E_TOO_LATE;
        else
                security_is_set = true;
        pthread_mutex_unlock(&lock);
        return hr;
}

HRESULT CoSetProxyBlanket(IUnknown *pProxy, DWORD dwAuthnSvc, DWORD dwAuthzSvc, OLECHAR *pServerPrincName,
                          DWORD dwAuthnLevel, DWORD dwImpLevel, RPC_AUTH_IDENTITY_HANDLE pAuthInfo,
                          DWORD dwCapabilities) {
        return pProxy && are_levels(dwAuthnLevel, dwImpLevel) ? S_OK : E_INVALIDARG;
}
