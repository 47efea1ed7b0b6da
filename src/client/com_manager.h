/* The inside of a manager object: com_manager.c is the object and IBackgroundCopyManager, com_download_manager.c is IDOManager, which only
 * CLSID_DeliveryOptimization has. */
#pragma once

#include "client/com.h"

struct com_manager {
        IBackgroundCopyManager manager;
        IDOManager downloads;
        atomic_uint n_references;
        struct dosvc *c;
        enum job_family family;
};

extern const IDOManagerVtbl com_download_manager_vtbl;

HRESULT com_manager_query(struct com_manager *self, REFIID riid, void **ppv);
ULONG com_manager_add_ref(void *object);
ULONG com_manager_release(struct com_manager *self);
