/* The inside of a file object, for com_file*.c only: com_file.c is the object with IBackgroundCopyFile to IBackgroundCopyFile6,
 * com_file_delivery.c what Delivery Optimization adds. */
#pragma once

#include "client/com.h"

struct com_file {
        IBackgroundCopyFile6 file;
        IDeliveryOptimizationFile delivery; /* by QueryInterface; the same object */
        IDeliveryOptimizationFile2 delivery2;
        atomic_uint n_references;
        struct dosvc *c;
        enum job_family family;
        char hex[WIRE_ID_HEX + 1];
        struct file_record record; /* as it was when the object was made */
        bool keeps_names;          /* those of the record */
};

extern const IDeliveryOptimizationFileVtbl com_file_delivery_vtbl;
extern const IDeliveryOptimizationFile2Vtbl com_file_delivery2_vtbl;

HRESULT com_file_query(struct com_file *self, REFIID riid, void **ppv);
ULONG com_file_add_ref(void *object);
ULONG com_file_release(struct com_file *self);
/* The file as it is now; of a job that ended long ago, as it was when the object was made, but published if all its files were. To be
 * done with. */
HRESULT com_file_read(struct com_file *self, struct file_record *ret);
/* The result of a call that changes the file. */
HRESULT com_file_result(struct com_file *self, int code);
