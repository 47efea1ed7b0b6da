/* What a program puts into VARIANTs: properties of a download, set and read, in front of a service that says anything; and the JSON texts
 * that two of them hold, read directly. */
#define COBJMACROS
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "content/encryption.h"
#include "content/integrity.h"
#include "fuzz_service.h"

#include "bits.h"
#include "deliveryoptimization.h"

#define CALLS_MAX 8 /* to one download */

/* ---- JSON ---- */

static void read_json(struct fuzz_bytes bytes) {
        struct integrity_info integrity;
        struct decryption_info decryption;
        const char *why = NULL;
        char *text = malloc(bytes.size + 1), *again;

        if (!text)
                return;
        memcpy(text, bytes.data, bytes.size);
        text[bytes.size] = 0;
        if (integrity_info_parse(text, &integrity, &why) == 0) {
                if (!integrity.url || integrity_info_write(&integrity, &again) != 0)
                        abort();
                free(again);
                integrity_info_done(&integrity);
        }
        if (decryption_info_parse(text, &decryption, &why) == 0)
                decryption_info_done(&decryption);
        free(text);
}

/* ---- an object that is nothing ---- */

static HRESULT dummy_query(IUnknown *This, REFIID riid, void **ret) {
        *ret = NULL;
        return E_NOINTERFACE;
}
static ULONG dummy_count(IUnknown *This) {
        return 1;
}
static IUnknownVtbl dummy_vtbl = { dummy_query, dummy_count, dummy_count };
static IUnknown dummy = { &dummy_vtbl };

/* ---- values ---- */

/* Any characters, also such that are none. */
static BSTR any_string(struct fuzz_bytes *bytes) {
        UINT n = fuzz_byte(bytes);
        BSTR s = SysAllocStringLen(NULL, n);

        for (UINT i = 0; s && i < n; i++) {
                uint8_t c = fuzz_byte(bytes);

                s[i] = c < 0xf0 ? (wchar_t) c : (wchar_t) fuzz_u64(bytes);
        }
        return s;
}

struct value {
        VARIANT variant;
        SAFEARRAY array;
        BYTE elements[16];
};

static void make_value(struct value *value, struct fuzz_bytes *bytes) {
        static const VARTYPE types[] = { VT_BSTR, VT_UI4, VT_UI8, VT_BOOL, VT_UNKNOWN, VT_ARRAY | VT_UI1, VT_EMPTY };
        uint8_t choice = fuzz_byte(bytes);

        *value = (struct value){};
        value->variant.vt = types[choice % (sizeof(types) / sizeof(*types))];
        switch (value->variant.vt) {
        case VT_BSTR:
                value->variant.bstrVal = choice < 240 ? any_string(bytes) : NULL;
                break;
        case VT_UNKNOWN:
                value->variant.punkVal = choice % 2 ? &dummy : NULL;
                break;
        case VT_ARRAY | VT_UI1:
                value->array = (SAFEARRAY){ .cDims = 1, .cbElements = 1, .pvData = value->elements };
                value->array.rgsabound[0].cElements = fuzz_byte(bytes) % sizeof(value->elements);
                value->variant.parray = choice < 240 ? &value->array : NULL;
                break;
        default:
                value->variant.ullVal = fuzz_u64(bytes);
        }
        /* A type that the value does not have, of those that hold no pointer. */
        if (choice % 16 == 15 && value->variant.vt != VT_BSTR && value->variant.vt != VT_UNKNOWN && !(value->variant.vt & VT_ARRAY))
                value->variant.vt = (VARTYPE) (VT_I2 + fuzz_byte(bytes) % 4);
}

static void free_value(struct value *value) {
        if (value->variant.vt == VT_BSTR)
                SysFreeString(value->variant.bstrVal);
}

/* ---- a download ---- */

static IDOManager *manager;

static void start(void) {
        fuzz_service_start();
        if (CoInitializeEx(NULL, COINIT_MULTITHREADED) != S_OK ||
            CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_LOCAL_SERVER, &IID_IDOManager, (void **) &manager) != S_OK)
                abort();
}

static void get(IDODownload *download, DODownloadProperty id) {
        VARIANT v = { .vt = VT_UI4 };

        if (FAILED(IDODownload_GetProperty(download, id, &v)) && v.vt != VT_EMPTY)
                abort(); /* what failed left something behind */
        (void) VariantClear(&v);
}

static void use_download(IDODownload *download, struct fuzz_bytes bytes) {
        for (unsigned i = 0; i < CALLS_MAX && bytes.size > 0; i++) {
                DODownloadProperty id = (DODownloadProperty) (fuzz_byte(&bytes) % 34); /* 30 of them exist */
                struct value value;

                if (fuzz_byte(&bytes) % 4 == 0) {
                        get(download, id);
                        continue;
                }
                make_value(&value, &bytes);
                (void) IDODownload_SetProperty(download, id, &value.variant);
                free_value(&value);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct fuzz_bytes bytes = { data, size };
        IDODownload *download;

        if (fuzz_byte(&bytes) < 64) {
                read_json(bytes);
                return 0;
        }
        if (!manager)
                start();
        /* The second half is what the service says. */
        fuzz_service_says((struct fuzz_bytes){ bytes.data + bytes.size / 2, bytes.size - bytes.size / 2 }, true);
        if (IDOManager_CreateDownload(manager, &download) == S_OK) {
                use_download(download, (struct fuzz_bytes){ bytes.data, bytes.size / 2 });
                (void) IDODownload_Release(download);
        }
        fuzz_service_is_quiet();
        return 0;
}
