/* Words for downloads: IDOManager, IDODownload and its properties. */
#pragma once

#include "conform.h"

IDOManager *download_manager(void); /* one for the whole program; not to be released */
/* In the foreground. @path NULL: it has none yet. */
IDODownload *download_new(const wchar_t *url, const wchar_t *path);
/* Aborts it if it still can be, and asserts that nobody else has it. */
void download_drop(IDODownload *d);

HRESULT download_set(IDODownload *d, DODownloadProperty id, VARIANT v);
HRESULT download_set_text(IDODownload *d, DODownloadProperty id, const wchar_t *text);
HRESULT download_set_number(IDODownload *d, DODownloadProperty id, UINT32 value);
HRESULT download_set_switch(IDODownload *d, DODownloadProperty id, bool value);
void assert_not_set(IDODownload *d, DODownloadProperty id);
void assert_text(IDODownload *d, DODownloadProperty id, const wchar_t *expected);
void assert_number(IDODownload *d, DODownloadProperty id, UINT32 expected);
void assert_switch(IDODownload *d, DODownloadProperty id, bool expected);

DO_DOWNLOAD_STATUS download_status(IDODownload *d);
DO_DOWNLOAD_STATUS download_wait(IDODownload *d, DODownloadState state);
/* All of it, as streams must say it. */
HRESULT download_start_all(IDODownload *d);
/* With BlockingMode: S_OK when it is transferred, else what it stopped with. */
HRESULT download_run(IDODownload *d, const DO_DOWNLOAD_RANGES_INFO *ranges);
