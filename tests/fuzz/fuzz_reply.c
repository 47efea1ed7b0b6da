/* The library's reader of what a service answers and tells. First the records by themselves; then, for one input in some, the
 * whole of the library in front of a service that answers every call with what stands in the input, of the right type or of
 * another one, with signals in between. */
#define COBJMACROS
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/record.h"
#include "fuzz_service.h"

#include "bits.h"
#include "deliveryoptimization.h"

#define JOB_ID "01234567-89ab-cdef-0123-456789abcdef"

static void use_text(const char *s) {
        if (s && strlen(s) == SIZE_MAX)
                abort();
}

/* ---- records ---- */

static void read_job(sd_bus_message *m) {
        struct job_record record = {};

        if (job_record_read(&record, m, false) >= 0) {
                use_text(record.info.name);
                use_text(record.info.state);
                use_text(record.more.custom_headers);
                job_record_done(&record);
        }
}

static void read_file(sd_bus_message *m) {
        struct file_record record = {};

        if (file_record_read(&record, m) >= 0) {
                const dosvc_file_info *info = file_record_info(&record);

                use_text(info->url);
                use_text(info->path);
                if (!record.ranges.n != !record.ranges.items)
                        abort();
                file_record_done(&record);
        }
}

static void read_history(sd_bus_message *m) {
        struct history_record record = {};
        struct job_record job;

        if (history_record_read(&record, m, true) >= 0) {
                use_text(record.info.name);
                job_record_from_history(&job, &record);
                use_text(job.info.name);
                job_record_done(&job);
                history_record_done(&record);
        }
}

static void read_service(sd_bus_message *m) {
        struct service_record record = {};

        if (service_record_read(&record, m) >= 0) {
                use_text(record.info.version);
                service_record_done(&record);
        }
}

static void read_record(uint8_t choice, struct fuzz_bytes *bytes) {
        static void (*const readers[])(sd_bus_message *m) = { read_job, read_file, read_history, read_service };
        sd_bus_message *m = fuzz_message_new(choice < 16 ? "av" : "a{sv}", bytes);

        if (!m)
                return;
        readers[choice % 4](m);
        sd_bus_message_unref(m);
}

static IBackgroundCopyManager *manager;
static dosvc *connection;

static void start(void) {
        fuzz_service_start();
        if (CoInitializeEx(NULL, COINIT_MULTITHREADED) != S_OK || dosvc_open(DOSVC_CONNECT_NO_START, &connection) != S_OK ||
            CoCreateInstance(&CLSID_BackgroundCopyManager, NULL, CLSCTX_LOCAL_SERVER, &IID_IBackgroundCopyManager,
                             (void **) &manager) != S_OK)
                abort();
}

/* ---- the library ---- */

static int see_job(const dosvc_job_info *job, void *userdata) {
        use_text(job->name);
        use_text(job->waiting_text);
        return 0;
}
static int see_file(const dosvc_file_info *file, void *userdata) {
        use_text(file->url);
        return 0;
}
static int see_history(const dosvc_history_info *entry, void *userdata) {
        use_text(entry->url);
        return 0;
}
static int see_service(const dosvc_service_info *info, void *userdata) {
        use_text(info->state_directory);
        return 0;
}
static int see_config(const dosvc_config_info *entry, void *userdata) {
        use_text(entry->text);
        return 0;
}

static void use_file(IBackgroundCopyFile *file) {
        IBackgroundCopyFile2 *second;
        BG_FILE_PROGRESS progress;
        BG_FILE_RANGE *ranges;
        LPWSTR text;
        DWORD n;

        if (SUCCEEDED(IBackgroundCopyFile_GetRemoteName(file, &text)))
                CoTaskMemFree(text);
        if (SUCCEEDED(IBackgroundCopyFile_GetLocalName(file, &text)))
                CoTaskMemFree(text);
        (void) IBackgroundCopyFile_GetProgress(file, &progress);
        if (IBackgroundCopyFile_QueryInterface(file, &IID_IBackgroundCopyFile2, (void **) &second) == S_OK) {
                if (SUCCEEDED(IBackgroundCopyFile2_GetFileRanges(second, &n, &ranges)))
                        CoTaskMemFree(ranges);
                (void) IBackgroundCopyFile2_Release(second);
        }
}

static void use_error(IBackgroundCopyError *error) {
        IBackgroundCopyFile *file;
        BG_ERROR_CONTEXT context;
        HRESULT code;
        LPWSTR text;

        (void) IBackgroundCopyError_GetError(error, &context, &code);
        if (SUCCEEDED(IBackgroundCopyError_GetErrorDescription(error, 0, &text)))
                CoTaskMemFree(text);
        if (SUCCEEDED(IBackgroundCopyError_GetFile(error, &file))) {
                use_file(file);
                (void) IBackgroundCopyFile_Release(file);
        }
        (void) IBackgroundCopyError_Release(error);
}

static void use_com_job(void) {
        static const GUID id = { 0x01234567, 0x89ab, 0xcdef, { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef } };
        IEnumBackgroundCopyFiles *files;
        IBackgroundCopyError *error;
        IBackgroundCopyFile *file;
        IBackgroundCopyJob *job;
        BG_JOB_PROGRESS progress;
        BG_JOB_STATE state;
        BG_JOB_TIMES times;
        LPWSTR text;

        if (IBackgroundCopyManager_GetJob(manager, &id, &job) != S_OK)
                return;
        (void) IBackgroundCopyJob_GetState(job, &state);
        (void) IBackgroundCopyJob_GetProgress(job, &progress);
        (void) IBackgroundCopyJob_GetTimes(job, &times);
        if (SUCCEEDED(IBackgroundCopyJob_GetDisplayName(job, &text)))
                CoTaskMemFree(text);
        if (IBackgroundCopyJob_GetError(job, &error) == S_OK)
                use_error(error);
        if (IBackgroundCopyJob_EnumFiles(job, &files) == S_OK) {
                while (IEnumBackgroundCopyFiles_Next(files, 1, &file, NULL) == S_OK) {
                        use_file(file);
                        (void) IBackgroundCopyFile_Release(file);
                }
                (void) IEnumBackgroundCopyFiles_Release(files);
        }
        (void) IBackgroundCopyJob_Complete(job);
        (void) IBackgroundCopyJob_Release(job);
}

static void use_enum_jobs(void) {
        IEnumBackgroundCopyJobs *jobs;
        IBackgroundCopyJob *job;
        BG_JOB_STATE state;

        if (IBackgroundCopyManager_EnumJobs(manager, 0, &jobs) != S_OK)
                return;
        while (IEnumBackgroundCopyJobs_Next(jobs, 1, &job, NULL) == S_OK) {
                (void) IBackgroundCopyJob_GetState(job, &state);
                (void) IBackgroundCopyJob_Release(job);
        }
        (void) IEnumBackgroundCopyJobs_Release(jobs);
}

static void create(void) {
        dosvc_file_spec file = { .size = sizeof(file), .url = "http://a/", .path = "/tmp/x", .stated_size = DOSVC_UNKNOWN };
        dosvc_job_options options = { .size = sizeof(options), .name = "n", .no_progress_timeout = -1, .minimum_retry_delay = -1 };
        char id[DOSVC_ID_SIZE];
        int attached;

        (void) dosvc_create_job(connection, &options, &file, 1, id, &attached);
}

static void ask(uint8_t choice, struct fuzz_bytes bytes) {
        uint32_t changed;

        if (!connection)
                start();
        fuzz_service_says(bytes, false);
        switch (choice % 9) {
        case 0:
                (void) dosvc_list_jobs(connection, "", see_job, NULL);
                break;
        case 1:
                (void) dosvc_list_files(connection, JOB_ID, see_file, NULL);
                break;
        case 2:
                (void) dosvc_list_history(connection, 100, see_history, NULL);
                break;
        case 3:
                (void) dosvc_get_service(connection, see_service, NULL);
                (void) dosvc_list_config(connection, see_config, NULL);
                (void) dosvc_reload_config(connection, &changed);
                break;
        case 4:
                (void) dosvc_get_job(connection, JOB_ID, see_job, NULL);
                break;
        case 5:
                (void) dosvc_watch(connection, JOB_ID, 0, see_job, NULL);
                break;
        case 6:
                use_com_job();
                break;
        case 7:
                use_enum_jobs();
                break;
        default:
                create();
        }
        fuzz_service_is_quiet();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct fuzz_bytes bytes = { data, size };
        uint8_t choice = fuzz_byte(&bytes);

        if (choice < 128)
                read_record(choice, &bytes);
        else
                ask(choice, bytes);
        return 0;
}
