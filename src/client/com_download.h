/* The inside of a download object, for com_download*.c only: com_download.c is the object and what may be done to it,
 * com_download_properties.c its properties, com_download_status.c what is kept for it in this process and who is told of its progress,
 * com_download_manager.c makes and lists downloads.
 *
 * A download is a job of the service with one file and kind "download"; its states are other words for the same ones. */
#pragma once

#include "client/com.h"

struct com_download {
        IDODownload download;
        atomic_uint n_references;
        struct dosvc *c;
        char hex[WIRE_ID_HEX + 1];
};

HRESULT com_download_new(struct dosvc *c, const char *hex, IDODownload **ret);
HRESULT com_download_read(struct com_download *self, struct job_record *ret); /* as it is, or as it ended */
/* The result of a call that changes the download. */
HRESULT com_download_result(struct com_download *self, int code);
DO_DOWNLOAD_STATUS com_download_status(const struct job_record *record);

HRESULT download_com_GetProperty(IDODownload *This, DODownloadProperty propId, VARIANT *propVal);
HRESULT download_com_SetProperty(IDODownload *This, DODownloadProperty propId, const VARIANT *propVal);

/* What the service has no use for: it is this process's and ends with it. */
struct download_settings {
        UINT32 percent; /* CallbackFreqPercent, 0: none */
        UINT32 seconds; /* CallbackFreqSeconds */
        bool blocking;
        wchar_t vector[129]; /* CorrelationVector; "": none */
};
#define DOWNLOAD_SETTINGS_DEFAULT ((struct download_settings){ .seconds = 1 })

struct download_settings com_download_settings(const char *hex);
HRESULT com_download_set_settings(const char *hex, const struct download_settings *settings);
/* @unknown NULL: nobody. */
HRESULT com_download_set_callback(struct dosvc *c, const char *hex, IUnknown *unknown);
/* A new reference, or NULL. */
IUnknown *com_download_get_callback(const char *hex);
/* It ended: nothing is kept. */
void com_download_forget(const char *hex);
/* The same, unless somebody is to be told of the end first. */
void com_download_forget_settings(const char *hex);
