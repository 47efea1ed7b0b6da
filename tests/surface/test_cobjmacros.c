/*
 * Every macro of COBJMACROS, own and inherited, takes the arguments that the published method takes.
 * Compiling is the test; nothing calls these functions.
 */
#define COBJMACROS
#include "deliveryoptimization.h"

struct arguments {
        GUID guid;
        LPCWSTR string;
        LPWSTR out_string;
        void *out_object;
        BYTE *bytes;
        BYTE *out_bytes;
        BG_FILE_RANGE *out_ranges;
        BG_AUTH_CREDENTIALS bg_auth_credentials;
        BG_AUTH_SCHEME bg_auth_scheme;
        BG_AUTH_TARGET bg_auth_target;
        BG_CERT_STORE_LOCATION bg_cert_store_location;
        BG_ERROR_CONTEXT bg_error_context;
        BG_FILE_INFO bg_file_info;
        BG_FILE_PROGRESS bg_file_progress;
        BG_FILE_RANGE bg_file_range;
        BG_JOB_PRIORITY bg_job_priority;
        BG_JOB_PROGRESS bg_job_progress;
        BG_JOB_PROXY_USAGE bg_job_proxy_usage;
        BG_JOB_REPLY_PROGRESS bg_job_reply_progress;
        BG_JOB_STATE bg_job_state;
        BG_JOB_TIMES bg_job_times;
        BG_JOB_TYPE bg_job_type;
        BITS_FILE_PROPERTY_ID bits_file_property_id;
        BITS_FILE_PROPERTY_VALUE bits_file_property_value;
        BITS_JOB_PROPERTY_ID bits_job_property_id;
        BITS_JOB_PROPERTY_VALUE bits_job_property_value;
        ULONG count;
        DO_DOWNLOAD_ENUM_CATEGORY do_download_enum_category;
        DO_DOWNLOAD_RANGES_INFO do_download_ranges_info;
        DO_DOWNLOAD_STATUS do_download_status;
        IDODownload *dodownload;
        DODownloadProperty dodownload_property;
        DOFilePropertyId dofile_property_id;
        DOJobPropertyId dojob_property_id;
        DOSwarmStats doswarm_stats;
        DWORD dword;
        IEnumBackgroundCopyFiles *enum_files;
        IEnumBackgroundCopyJobs *enum_jobs;
        IEnumUnknown *enum_unknown;
        IBackgroundCopyError *error;
        IBackgroundCopyFile *file;
        HRESULT hr;
        IBackgroundCopyJob *job;
        LARGE_INTEGER large_integer;
        UINT64 size;
        STATSTG statstg;
        IStream *stream;
        BG_TOKEN token;
        BOOL truth;
        ULARGE_INTEGER ularge_integer;
        IUnknown *unknown;
        VARIANT variant;
};

void use_IUnknown(IUnknown *o, struct arguments *a);
void use_IUnknown(IUnknown *o, struct arguments *a) {
        IUnknown_QueryInterface(o, &a->guid, &a->out_object);
        IUnknown_AddRef(o);
        IUnknown_Release(o);
}

void use_IEnumUnknown(IEnumUnknown *o, struct arguments *a);
void use_IEnumUnknown(IEnumUnknown *o, struct arguments *a) {
        IEnumUnknown_QueryInterface(o, &a->guid, &a->out_object);
        IEnumUnknown_AddRef(o);
        IEnumUnknown_Release(o);
        IEnumUnknown_Next(o, a->count, &a->unknown, &a->count);
        IEnumUnknown_Skip(o, a->count);
        IEnumUnknown_Reset(o);
        IEnumUnknown_Clone(o, &a->enum_unknown);
}

void use_ISequentialStream(ISequentialStream *o, struct arguments *a);
void use_ISequentialStream(ISequentialStream *o, struct arguments *a) {
        ISequentialStream_QueryInterface(o, &a->guid, &a->out_object);
        ISequentialStream_AddRef(o);
        ISequentialStream_Release(o);
        ISequentialStream_Read(o, a->bytes, a->count, &a->count);
        ISequentialStream_Write(o, a->bytes, a->count, &a->count);
}

void use_IStream(IStream *o, struct arguments *a);
void use_IStream(IStream *o, struct arguments *a) {
        IStream_QueryInterface(o, &a->guid, &a->out_object);
        IStream_AddRef(o);
        IStream_Release(o);
        IStream_Read(o, a->bytes, a->count, &a->count);
        IStream_Write(o, a->bytes, a->count, &a->count);
        IStream_Seek(o, a->large_integer, a->dword, &a->ularge_integer);
        IStream_SetSize(o, a->ularge_integer);
        IStream_CopyTo(o, a->stream, a->ularge_integer, &a->ularge_integer, &a->ularge_integer);
        IStream_Commit(o, a->dword);
        IStream_Revert(o);
        IStream_LockRegion(o, a->ularge_integer, a->ularge_integer, a->dword);
        IStream_UnlockRegion(o, a->ularge_integer, a->ularge_integer, a->dword);
        IStream_Stat(o, &a->statstg, a->dword);
        IStream_Clone(o, &a->stream);
}

void use_IBackgroundCopyFile(IBackgroundCopyFile *o, struct arguments *a);
void use_IBackgroundCopyFile(IBackgroundCopyFile *o, struct arguments *a) {
        IBackgroundCopyFile_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyFile_AddRef(o);
        IBackgroundCopyFile_Release(o);
        IBackgroundCopyFile_GetRemoteName(o, &a->out_string);
        IBackgroundCopyFile_GetLocalName(o, &a->out_string);
        IBackgroundCopyFile_GetProgress(o, &a->bg_file_progress);
}

void use_IBackgroundCopyFile2(IBackgroundCopyFile2 *o, struct arguments *a);
void use_IBackgroundCopyFile2(IBackgroundCopyFile2 *o, struct arguments *a) {
        IBackgroundCopyFile2_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyFile2_AddRef(o);
        IBackgroundCopyFile2_Release(o);
        IBackgroundCopyFile2_GetRemoteName(o, &a->out_string);
        IBackgroundCopyFile2_GetLocalName(o, &a->out_string);
        IBackgroundCopyFile2_GetProgress(o, &a->bg_file_progress);
        IBackgroundCopyFile2_GetFileRanges(o, &a->dword, &a->out_ranges);
        IBackgroundCopyFile2_SetRemoteName(o, a->string);
}

void use_IBackgroundCopyFile3(IBackgroundCopyFile3 *o, struct arguments *a);
void use_IBackgroundCopyFile3(IBackgroundCopyFile3 *o, struct arguments *a) {
        IBackgroundCopyFile3_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyFile3_AddRef(o);
        IBackgroundCopyFile3_Release(o);
        IBackgroundCopyFile3_GetRemoteName(o, &a->out_string);
        IBackgroundCopyFile3_GetLocalName(o, &a->out_string);
        IBackgroundCopyFile3_GetProgress(o, &a->bg_file_progress);
        IBackgroundCopyFile3_GetFileRanges(o, &a->dword, &a->out_ranges);
        IBackgroundCopyFile3_SetRemoteName(o, a->string);
        IBackgroundCopyFile3_GetTemporaryName(o, &a->out_string);
        IBackgroundCopyFile3_SetValidationState(o, a->truth);
        IBackgroundCopyFile3_GetValidationState(o, &a->truth);
        IBackgroundCopyFile3_IsDownloadedFromPeer(o, &a->truth);
}

void use_IBackgroundCopyFile4(IBackgroundCopyFile4 *o, struct arguments *a);
void use_IBackgroundCopyFile4(IBackgroundCopyFile4 *o, struct arguments *a) {
        IBackgroundCopyFile4_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyFile4_AddRef(o);
        IBackgroundCopyFile4_Release(o);
        IBackgroundCopyFile4_GetRemoteName(o, &a->out_string);
        IBackgroundCopyFile4_GetLocalName(o, &a->out_string);
        IBackgroundCopyFile4_GetProgress(o, &a->bg_file_progress);
        IBackgroundCopyFile4_GetFileRanges(o, &a->dword, &a->out_ranges);
        IBackgroundCopyFile4_SetRemoteName(o, a->string);
        IBackgroundCopyFile4_GetTemporaryName(o, &a->out_string);
        IBackgroundCopyFile4_SetValidationState(o, a->truth);
        IBackgroundCopyFile4_GetValidationState(o, &a->truth);
        IBackgroundCopyFile4_IsDownloadedFromPeer(o, &a->truth);
        IBackgroundCopyFile4_GetPeerDownloadStats(o, &a->size, &a->size);
}

void use_IBackgroundCopyFile5(IBackgroundCopyFile5 *o, struct arguments *a);
void use_IBackgroundCopyFile5(IBackgroundCopyFile5 *o, struct arguments *a) {
        IBackgroundCopyFile5_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyFile5_AddRef(o);
        IBackgroundCopyFile5_Release(o);
        IBackgroundCopyFile5_GetRemoteName(o, &a->out_string);
        IBackgroundCopyFile5_GetLocalName(o, &a->out_string);
        IBackgroundCopyFile5_GetProgress(o, &a->bg_file_progress);
        IBackgroundCopyFile5_GetFileRanges(o, &a->dword, &a->out_ranges);
        IBackgroundCopyFile5_SetRemoteName(o, a->string);
        IBackgroundCopyFile5_GetTemporaryName(o, &a->out_string);
        IBackgroundCopyFile5_SetValidationState(o, a->truth);
        IBackgroundCopyFile5_GetValidationState(o, &a->truth);
        IBackgroundCopyFile5_IsDownloadedFromPeer(o, &a->truth);
        IBackgroundCopyFile5_GetPeerDownloadStats(o, &a->size, &a->size);
        IBackgroundCopyFile5_SetProperty(o, a->bits_file_property_id, a->bits_file_property_value);
        IBackgroundCopyFile5_GetProperty(o, a->bits_file_property_id, &a->bits_file_property_value);
}

void use_IBackgroundCopyFile6(IBackgroundCopyFile6 *o, struct arguments *a);
void use_IBackgroundCopyFile6(IBackgroundCopyFile6 *o, struct arguments *a) {
        IBackgroundCopyFile6_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyFile6_AddRef(o);
        IBackgroundCopyFile6_Release(o);
        IBackgroundCopyFile6_GetRemoteName(o, &a->out_string);
        IBackgroundCopyFile6_GetLocalName(o, &a->out_string);
        IBackgroundCopyFile6_GetProgress(o, &a->bg_file_progress);
        IBackgroundCopyFile6_GetFileRanges(o, &a->dword, &a->out_ranges);
        IBackgroundCopyFile6_SetRemoteName(o, a->string);
        IBackgroundCopyFile6_GetTemporaryName(o, &a->out_string);
        IBackgroundCopyFile6_SetValidationState(o, a->truth);
        IBackgroundCopyFile6_GetValidationState(o, &a->truth);
        IBackgroundCopyFile6_IsDownloadedFromPeer(o, &a->truth);
        IBackgroundCopyFile6_GetPeerDownloadStats(o, &a->size, &a->size);
        IBackgroundCopyFile6_SetProperty(o, a->bits_file_property_id, a->bits_file_property_value);
        IBackgroundCopyFile6_GetProperty(o, a->bits_file_property_id, &a->bits_file_property_value);
        IBackgroundCopyFile6_UpdateDownloadPosition(o, a->size);
        IBackgroundCopyFile6_RequestFileRanges(o, a->dword, &a->bg_file_range);
        IBackgroundCopyFile6_GetFilledFileRanges(o, &a->dword, &a->out_ranges);
}

void use_IEnumBackgroundCopyFiles(IEnumBackgroundCopyFiles *o, struct arguments *a);
void use_IEnumBackgroundCopyFiles(IEnumBackgroundCopyFiles *o, struct arguments *a) {
        IEnumBackgroundCopyFiles_QueryInterface(o, &a->guid, &a->out_object);
        IEnumBackgroundCopyFiles_AddRef(o);
        IEnumBackgroundCopyFiles_Release(o);
        IEnumBackgroundCopyFiles_Next(o, a->count, &a->file, &a->count);
        IEnumBackgroundCopyFiles_Skip(o, a->count);
        IEnumBackgroundCopyFiles_Reset(o);
        IEnumBackgroundCopyFiles_Clone(o, &a->enum_files);
        IEnumBackgroundCopyFiles_GetCount(o, &a->count);
}

void use_IBackgroundCopyError(IBackgroundCopyError *o, struct arguments *a);
void use_IBackgroundCopyError(IBackgroundCopyError *o, struct arguments *a) {
        IBackgroundCopyError_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyError_AddRef(o);
        IBackgroundCopyError_Release(o);
        IBackgroundCopyError_GetError(o, &a->bg_error_context, &a->hr);
        IBackgroundCopyError_GetFile(o, &a->file);
        IBackgroundCopyError_GetErrorDescription(o, a->dword, &a->out_string);
        IBackgroundCopyError_GetErrorContextDescription(o, a->dword, &a->out_string);
        IBackgroundCopyError_GetProtocol(o, &a->out_string);
}

void use_IBackgroundCopyJob(IBackgroundCopyJob *o, struct arguments *a);
void use_IBackgroundCopyJob(IBackgroundCopyJob *o, struct arguments *a) {
        IBackgroundCopyJob_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyJob_AddRef(o);
        IBackgroundCopyJob_Release(o);
        IBackgroundCopyJob_AddFileSet(o, a->count, &a->bg_file_info);
        IBackgroundCopyJob_AddFile(o, a->string, a->string);
        IBackgroundCopyJob_EnumFiles(o, &a->enum_files);
        IBackgroundCopyJob_Suspend(o);
        IBackgroundCopyJob_Resume(o);
        IBackgroundCopyJob_Cancel(o);
        IBackgroundCopyJob_Complete(o);
        IBackgroundCopyJob_GetId(o, &a->guid);
        IBackgroundCopyJob_GetType(o, &a->bg_job_type);
        IBackgroundCopyJob_GetProgress(o, &a->bg_job_progress);
        IBackgroundCopyJob_GetTimes(o, &a->bg_job_times);
        IBackgroundCopyJob_GetState(o, &a->bg_job_state);
        IBackgroundCopyJob_GetError(o, &a->error);
        IBackgroundCopyJob_GetOwner(o, &a->out_string);
        IBackgroundCopyJob_SetDisplayName(o, a->string);
        IBackgroundCopyJob_GetDisplayName(o, &a->out_string);
        IBackgroundCopyJob_SetDescription(o, a->string);
        IBackgroundCopyJob_GetDescription(o, &a->out_string);
        IBackgroundCopyJob_SetPriority(o, a->bg_job_priority);
        IBackgroundCopyJob_GetPriority(o, &a->bg_job_priority);
        IBackgroundCopyJob_SetNotifyFlags(o, a->count);
        IBackgroundCopyJob_GetNotifyFlags(o, &a->count);
        IBackgroundCopyJob_SetNotifyInterface(o, a->unknown);
        IBackgroundCopyJob_GetNotifyInterface(o, &a->unknown);
        IBackgroundCopyJob_SetMinimumRetryDelay(o, a->count);
        IBackgroundCopyJob_GetMinimumRetryDelay(o, &a->count);
        IBackgroundCopyJob_SetNoProgressTimeout(o, a->count);
        IBackgroundCopyJob_GetNoProgressTimeout(o, &a->count);
        IBackgroundCopyJob_GetErrorCount(o, &a->count);
        IBackgroundCopyJob_SetProxySettings(o, a->bg_job_proxy_usage, a->string, a->string);
        IBackgroundCopyJob_GetProxySettings(o, &a->bg_job_proxy_usage, &a->out_string,
                                            &a->out_string);
        IBackgroundCopyJob_TakeOwnership(o);
}

void use_IBackgroundCopyJob2(IBackgroundCopyJob2 *o, struct arguments *a);
void use_IBackgroundCopyJob2(IBackgroundCopyJob2 *o, struct arguments *a) {
        IBackgroundCopyJob2_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyJob2_AddRef(o);
        IBackgroundCopyJob2_Release(o);
        IBackgroundCopyJob2_AddFileSet(o, a->count, &a->bg_file_info);
        IBackgroundCopyJob2_AddFile(o, a->string, a->string);
        IBackgroundCopyJob2_EnumFiles(o, &a->enum_files);
        IBackgroundCopyJob2_Suspend(o);
        IBackgroundCopyJob2_Resume(o);
        IBackgroundCopyJob2_Cancel(o);
        IBackgroundCopyJob2_Complete(o);
        IBackgroundCopyJob2_GetId(o, &a->guid);
        IBackgroundCopyJob2_GetType(o, &a->bg_job_type);
        IBackgroundCopyJob2_GetProgress(o, &a->bg_job_progress);
        IBackgroundCopyJob2_GetTimes(o, &a->bg_job_times);
        IBackgroundCopyJob2_GetState(o, &a->bg_job_state);
        IBackgroundCopyJob2_GetError(o, &a->error);
        IBackgroundCopyJob2_GetOwner(o, &a->out_string);
        IBackgroundCopyJob2_SetDisplayName(o, a->string);
        IBackgroundCopyJob2_GetDisplayName(o, &a->out_string);
        IBackgroundCopyJob2_SetDescription(o, a->string);
        IBackgroundCopyJob2_GetDescription(o, &a->out_string);
        IBackgroundCopyJob2_SetPriority(o, a->bg_job_priority);
        IBackgroundCopyJob2_GetPriority(o, &a->bg_job_priority);
        IBackgroundCopyJob2_SetNotifyFlags(o, a->count);
        IBackgroundCopyJob2_GetNotifyFlags(o, &a->count);
        IBackgroundCopyJob2_SetNotifyInterface(o, a->unknown);
        IBackgroundCopyJob2_GetNotifyInterface(o, &a->unknown);
        IBackgroundCopyJob2_SetMinimumRetryDelay(o, a->count);
        IBackgroundCopyJob2_GetMinimumRetryDelay(o, &a->count);
        IBackgroundCopyJob2_SetNoProgressTimeout(o, a->count);
        IBackgroundCopyJob2_GetNoProgressTimeout(o, &a->count);
        IBackgroundCopyJob2_GetErrorCount(o, &a->count);
        IBackgroundCopyJob2_SetProxySettings(o, a->bg_job_proxy_usage, a->string, a->string);
        IBackgroundCopyJob2_GetProxySettings(o, &a->bg_job_proxy_usage, &a->out_string,
                                             &a->out_string);
        IBackgroundCopyJob2_TakeOwnership(o);
        IBackgroundCopyJob2_SetNotifyCmdLine(o, a->string, a->string);
        IBackgroundCopyJob2_GetNotifyCmdLine(o, &a->out_string, &a->out_string);
        IBackgroundCopyJob2_GetReplyProgress(o, &a->bg_job_reply_progress);
        IBackgroundCopyJob2_GetReplyData(o, &a->out_bytes, &a->size);
        IBackgroundCopyJob2_SetReplyFileName(o, a->string);
        IBackgroundCopyJob2_GetReplyFileName(o, &a->out_string);
        IBackgroundCopyJob2_SetCredentials(o, &a->bg_auth_credentials);
        IBackgroundCopyJob2_RemoveCredentials(o, a->bg_auth_target, a->bg_auth_scheme);
}

void use_IBackgroundCopyJob3(IBackgroundCopyJob3 *o, struct arguments *a);
void use_IBackgroundCopyJob3(IBackgroundCopyJob3 *o, struct arguments *a) {
        IBackgroundCopyJob3_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyJob3_AddRef(o);
        IBackgroundCopyJob3_Release(o);
        IBackgroundCopyJob3_AddFileSet(o, a->count, &a->bg_file_info);
        IBackgroundCopyJob3_AddFile(o, a->string, a->string);
        IBackgroundCopyJob3_EnumFiles(o, &a->enum_files);
        IBackgroundCopyJob3_Suspend(o);
        IBackgroundCopyJob3_Resume(o);
        IBackgroundCopyJob3_Cancel(o);
        IBackgroundCopyJob3_Complete(o);
        IBackgroundCopyJob3_GetId(o, &a->guid);
        IBackgroundCopyJob3_GetType(o, &a->bg_job_type);
        IBackgroundCopyJob3_GetProgress(o, &a->bg_job_progress);
        IBackgroundCopyJob3_GetTimes(o, &a->bg_job_times);
        IBackgroundCopyJob3_GetState(o, &a->bg_job_state);
        IBackgroundCopyJob3_GetError(o, &a->error);
        IBackgroundCopyJob3_GetOwner(o, &a->out_string);
        IBackgroundCopyJob3_SetDisplayName(o, a->string);
        IBackgroundCopyJob3_GetDisplayName(o, &a->out_string);
        IBackgroundCopyJob3_SetDescription(o, a->string);
        IBackgroundCopyJob3_GetDescription(o, &a->out_string);
        IBackgroundCopyJob3_SetPriority(o, a->bg_job_priority);
        IBackgroundCopyJob3_GetPriority(o, &a->bg_job_priority);
        IBackgroundCopyJob3_SetNotifyFlags(o, a->count);
        IBackgroundCopyJob3_GetNotifyFlags(o, &a->count);
        IBackgroundCopyJob3_SetNotifyInterface(o, a->unknown);
        IBackgroundCopyJob3_GetNotifyInterface(o, &a->unknown);
        IBackgroundCopyJob3_SetMinimumRetryDelay(o, a->count);
        IBackgroundCopyJob3_GetMinimumRetryDelay(o, &a->count);
        IBackgroundCopyJob3_SetNoProgressTimeout(o, a->count);
        IBackgroundCopyJob3_GetNoProgressTimeout(o, &a->count);
        IBackgroundCopyJob3_GetErrorCount(o, &a->count);
        IBackgroundCopyJob3_SetProxySettings(o, a->bg_job_proxy_usage, a->string, a->string);
        IBackgroundCopyJob3_GetProxySettings(o, &a->bg_job_proxy_usage, &a->out_string,
                                             &a->out_string);
        IBackgroundCopyJob3_TakeOwnership(o);
        IBackgroundCopyJob3_SetNotifyCmdLine(o, a->string, a->string);
        IBackgroundCopyJob3_GetNotifyCmdLine(o, &a->out_string, &a->out_string);
        IBackgroundCopyJob3_GetReplyProgress(o, &a->bg_job_reply_progress);
        IBackgroundCopyJob3_GetReplyData(o, &a->out_bytes, &a->size);
        IBackgroundCopyJob3_SetReplyFileName(o, a->string);
        IBackgroundCopyJob3_GetReplyFileName(o, &a->out_string);
        IBackgroundCopyJob3_SetCredentials(o, &a->bg_auth_credentials);
        IBackgroundCopyJob3_RemoveCredentials(o, a->bg_auth_target, a->bg_auth_scheme);
        IBackgroundCopyJob3_ReplaceRemotePrefix(o, a->string, a->string);
        IBackgroundCopyJob3_AddFileWithRanges(o, a->string, a->string, a->dword, &a->bg_file_range);
        IBackgroundCopyJob3_SetFileACLFlags(o, a->dword);
        IBackgroundCopyJob3_GetFileACLFlags(o, &a->dword);
}

void use_IBackgroundCopyJob4(IBackgroundCopyJob4 *o, struct arguments *a);
void use_IBackgroundCopyJob4(IBackgroundCopyJob4 *o, struct arguments *a) {
        IBackgroundCopyJob4_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyJob4_AddRef(o);
        IBackgroundCopyJob4_Release(o);
        IBackgroundCopyJob4_AddFileSet(o, a->count, &a->bg_file_info);
        IBackgroundCopyJob4_AddFile(o, a->string, a->string);
        IBackgroundCopyJob4_EnumFiles(o, &a->enum_files);
        IBackgroundCopyJob4_Suspend(o);
        IBackgroundCopyJob4_Resume(o);
        IBackgroundCopyJob4_Cancel(o);
        IBackgroundCopyJob4_Complete(o);
        IBackgroundCopyJob4_GetId(o, &a->guid);
        IBackgroundCopyJob4_GetType(o, &a->bg_job_type);
        IBackgroundCopyJob4_GetProgress(o, &a->bg_job_progress);
        IBackgroundCopyJob4_GetTimes(o, &a->bg_job_times);
        IBackgroundCopyJob4_GetState(o, &a->bg_job_state);
        IBackgroundCopyJob4_GetError(o, &a->error);
        IBackgroundCopyJob4_GetOwner(o, &a->out_string);
        IBackgroundCopyJob4_SetDisplayName(o, a->string);
        IBackgroundCopyJob4_GetDisplayName(o, &a->out_string);
        IBackgroundCopyJob4_SetDescription(o, a->string);
        IBackgroundCopyJob4_GetDescription(o, &a->out_string);
        IBackgroundCopyJob4_SetPriority(o, a->bg_job_priority);
        IBackgroundCopyJob4_GetPriority(o, &a->bg_job_priority);
        IBackgroundCopyJob4_SetNotifyFlags(o, a->count);
        IBackgroundCopyJob4_GetNotifyFlags(o, &a->count);
        IBackgroundCopyJob4_SetNotifyInterface(o, a->unknown);
        IBackgroundCopyJob4_GetNotifyInterface(o, &a->unknown);
        IBackgroundCopyJob4_SetMinimumRetryDelay(o, a->count);
        IBackgroundCopyJob4_GetMinimumRetryDelay(o, &a->count);
        IBackgroundCopyJob4_SetNoProgressTimeout(o, a->count);
        IBackgroundCopyJob4_GetNoProgressTimeout(o, &a->count);
        IBackgroundCopyJob4_GetErrorCount(o, &a->count);
        IBackgroundCopyJob4_SetProxySettings(o, a->bg_job_proxy_usage, a->string, a->string);
        IBackgroundCopyJob4_GetProxySettings(o, &a->bg_job_proxy_usage, &a->out_string,
                                             &a->out_string);
        IBackgroundCopyJob4_TakeOwnership(o);
        IBackgroundCopyJob4_SetNotifyCmdLine(o, a->string, a->string);
        IBackgroundCopyJob4_GetNotifyCmdLine(o, &a->out_string, &a->out_string);
        IBackgroundCopyJob4_GetReplyProgress(o, &a->bg_job_reply_progress);
        IBackgroundCopyJob4_GetReplyData(o, &a->out_bytes, &a->size);
        IBackgroundCopyJob4_SetReplyFileName(o, a->string);
        IBackgroundCopyJob4_GetReplyFileName(o, &a->out_string);
        IBackgroundCopyJob4_SetCredentials(o, &a->bg_auth_credentials);
        IBackgroundCopyJob4_RemoveCredentials(o, a->bg_auth_target, a->bg_auth_scheme);
        IBackgroundCopyJob4_ReplaceRemotePrefix(o, a->string, a->string);
        IBackgroundCopyJob4_AddFileWithRanges(o, a->string, a->string, a->dword, &a->bg_file_range);
        IBackgroundCopyJob4_SetFileACLFlags(o, a->dword);
        IBackgroundCopyJob4_GetFileACLFlags(o, &a->dword);
        IBackgroundCopyJob4_SetPeerCachingFlags(o, a->dword);
        IBackgroundCopyJob4_GetPeerCachingFlags(o, &a->dword);
        IBackgroundCopyJob4_GetOwnerIntegrityLevel(o, &a->count);
        IBackgroundCopyJob4_GetOwnerElevationState(o, &a->truth);
        IBackgroundCopyJob4_SetMaximumDownloadTime(o, a->count);
        IBackgroundCopyJob4_GetMaximumDownloadTime(o, &a->count);
}

void use_IBackgroundCopyJob5(IBackgroundCopyJob5 *o, struct arguments *a);
void use_IBackgroundCopyJob5(IBackgroundCopyJob5 *o, struct arguments *a) {
        IBackgroundCopyJob5_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyJob5_AddRef(o);
        IBackgroundCopyJob5_Release(o);
        IBackgroundCopyJob5_AddFileSet(o, a->count, &a->bg_file_info);
        IBackgroundCopyJob5_AddFile(o, a->string, a->string);
        IBackgroundCopyJob5_EnumFiles(o, &a->enum_files);
        IBackgroundCopyJob5_Suspend(o);
        IBackgroundCopyJob5_Resume(o);
        IBackgroundCopyJob5_Cancel(o);
        IBackgroundCopyJob5_Complete(o);
        IBackgroundCopyJob5_GetId(o, &a->guid);
        IBackgroundCopyJob5_GetType(o, &a->bg_job_type);
        IBackgroundCopyJob5_GetProgress(o, &a->bg_job_progress);
        IBackgroundCopyJob5_GetTimes(o, &a->bg_job_times);
        IBackgroundCopyJob5_GetState(o, &a->bg_job_state);
        IBackgroundCopyJob5_GetError(o, &a->error);
        IBackgroundCopyJob5_GetOwner(o, &a->out_string);
        IBackgroundCopyJob5_SetDisplayName(o, a->string);
        IBackgroundCopyJob5_GetDisplayName(o, &a->out_string);
        IBackgroundCopyJob5_SetDescription(o, a->string);
        IBackgroundCopyJob5_GetDescription(o, &a->out_string);
        IBackgroundCopyJob5_SetPriority(o, a->bg_job_priority);
        IBackgroundCopyJob5_GetPriority(o, &a->bg_job_priority);
        IBackgroundCopyJob5_SetNotifyFlags(o, a->count);
        IBackgroundCopyJob5_GetNotifyFlags(o, &a->count);
        IBackgroundCopyJob5_SetNotifyInterface(o, a->unknown);
        IBackgroundCopyJob5_GetNotifyInterface(o, &a->unknown);
        IBackgroundCopyJob5_SetMinimumRetryDelay(o, a->count);
        IBackgroundCopyJob5_GetMinimumRetryDelay(o, &a->count);
        IBackgroundCopyJob5_SetNoProgressTimeout(o, a->count);
        IBackgroundCopyJob5_GetNoProgressTimeout(o, &a->count);
        IBackgroundCopyJob5_GetErrorCount(o, &a->count);
        IBackgroundCopyJob5_SetProxySettings(o, a->bg_job_proxy_usage, a->string, a->string);
        IBackgroundCopyJob5_GetProxySettings(o, &a->bg_job_proxy_usage, &a->out_string,
                                             &a->out_string);
        IBackgroundCopyJob5_TakeOwnership(o);
        IBackgroundCopyJob5_SetNotifyCmdLine(o, a->string, a->string);
        IBackgroundCopyJob5_GetNotifyCmdLine(o, &a->out_string, &a->out_string);
        IBackgroundCopyJob5_GetReplyProgress(o, &a->bg_job_reply_progress);
        IBackgroundCopyJob5_GetReplyData(o, &a->out_bytes, &a->size);
        IBackgroundCopyJob5_SetReplyFileName(o, a->string);
        IBackgroundCopyJob5_GetReplyFileName(o, &a->out_string);
        IBackgroundCopyJob5_SetCredentials(o, &a->bg_auth_credentials);
        IBackgroundCopyJob5_RemoveCredentials(o, a->bg_auth_target, a->bg_auth_scheme);
        IBackgroundCopyJob5_ReplaceRemotePrefix(o, a->string, a->string);
        IBackgroundCopyJob5_AddFileWithRanges(o, a->string, a->string, a->dword, &a->bg_file_range);
        IBackgroundCopyJob5_SetFileACLFlags(o, a->dword);
        IBackgroundCopyJob5_GetFileACLFlags(o, &a->dword);
        IBackgroundCopyJob5_SetPeerCachingFlags(o, a->dword);
        IBackgroundCopyJob5_GetPeerCachingFlags(o, &a->dword);
        IBackgroundCopyJob5_GetOwnerIntegrityLevel(o, &a->count);
        IBackgroundCopyJob5_GetOwnerElevationState(o, &a->truth);
        IBackgroundCopyJob5_SetMaximumDownloadTime(o, a->count);
        IBackgroundCopyJob5_GetMaximumDownloadTime(o, &a->count);
        IBackgroundCopyJob5_SetProperty(o, a->bits_job_property_id, a->bits_job_property_value);
        IBackgroundCopyJob5_GetProperty(o, a->bits_job_property_id, &a->bits_job_property_value);
}

void use_IEnumBackgroundCopyJobs(IEnumBackgroundCopyJobs *o, struct arguments *a);
void use_IEnumBackgroundCopyJobs(IEnumBackgroundCopyJobs *o, struct arguments *a) {
        IEnumBackgroundCopyJobs_QueryInterface(o, &a->guid, &a->out_object);
        IEnumBackgroundCopyJobs_AddRef(o);
        IEnumBackgroundCopyJobs_Release(o);
        IEnumBackgroundCopyJobs_Next(o, a->count, &a->job, &a->count);
        IEnumBackgroundCopyJobs_Skip(o, a->count);
        IEnumBackgroundCopyJobs_Reset(o);
        IEnumBackgroundCopyJobs_Clone(o, &a->enum_jobs);
        IEnumBackgroundCopyJobs_GetCount(o, &a->count);
}

void use_IBackgroundCopyManager(IBackgroundCopyManager *o, struct arguments *a);
void use_IBackgroundCopyManager(IBackgroundCopyManager *o, struct arguments *a) {
        IBackgroundCopyManager_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyManager_AddRef(o);
        IBackgroundCopyManager_Release(o);
        IBackgroundCopyManager_CreateJob(o, a->string, a->bg_job_type, &a->guid, &a->job);
        IBackgroundCopyManager_GetJob(o, &a->guid, &a->job);
        IBackgroundCopyManager_EnumJobs(o, a->dword, &a->enum_jobs);
        IBackgroundCopyManager_GetErrorDescription(o, a->hr, a->dword, &a->out_string);
}

void use_IBackgroundCopyCallback(IBackgroundCopyCallback *o, struct arguments *a);
void use_IBackgroundCopyCallback(IBackgroundCopyCallback *o, struct arguments *a) {
        IBackgroundCopyCallback_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyCallback_AddRef(o);
        IBackgroundCopyCallback_Release(o);
        IBackgroundCopyCallback_JobTransferred(o, a->job);
        IBackgroundCopyCallback_JobError(o, a->job, a->error);
        IBackgroundCopyCallback_JobModification(o, a->job, a->dword);
}

void use_IBackgroundCopyCallback2(IBackgroundCopyCallback2 *o, struct arguments *a);
void use_IBackgroundCopyCallback2(IBackgroundCopyCallback2 *o, struct arguments *a) {
        IBackgroundCopyCallback2_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyCallback2_AddRef(o);
        IBackgroundCopyCallback2_Release(o);
        IBackgroundCopyCallback2_JobTransferred(o, a->job);
        IBackgroundCopyCallback2_JobError(o, a->job, a->error);
        IBackgroundCopyCallback2_JobModification(o, a->job, a->dword);
        IBackgroundCopyCallback2_FileTransferred(o, a->job, a->file);
}

void use_IBackgroundCopyCallback3(IBackgroundCopyCallback3 *o, struct arguments *a);
void use_IBackgroundCopyCallback3(IBackgroundCopyCallback3 *o, struct arguments *a) {
        IBackgroundCopyCallback3_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyCallback3_AddRef(o);
        IBackgroundCopyCallback3_Release(o);
        IBackgroundCopyCallback3_JobTransferred(o, a->job);
        IBackgroundCopyCallback3_JobError(o, a->job, a->error);
        IBackgroundCopyCallback3_JobModification(o, a->job, a->dword);
        IBackgroundCopyCallback3_FileTransferred(o, a->job, a->file);
        IBackgroundCopyCallback3_FileRangesTransferred(o, a->job, a->file, a->dword,
                                                       &a->bg_file_range);
}

void use_IBackgroundCopyJobHttpOptions(IBackgroundCopyJobHttpOptions *o, struct arguments *a);
void use_IBackgroundCopyJobHttpOptions(IBackgroundCopyJobHttpOptions *o, struct arguments *a) {
        IBackgroundCopyJobHttpOptions_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyJobHttpOptions_AddRef(o);
        IBackgroundCopyJobHttpOptions_Release(o);
        IBackgroundCopyJobHttpOptions_SetClientCertificateByID(o, a->bg_cert_store_location,
                                                               a->string, a->bytes);
        IBackgroundCopyJobHttpOptions_SetClientCertificateByName(o, a->bg_cert_store_location,
                                                                 a->string, a->string);
        IBackgroundCopyJobHttpOptions_RemoveClientCertificate(o);
        IBackgroundCopyJobHttpOptions_GetClientCertificate(o, &a->bg_cert_store_location,
                                                           &a->out_string, &a->out_bytes,
                                                           &a->out_string);
        IBackgroundCopyJobHttpOptions_SetCustomHeaders(o, a->string);
        IBackgroundCopyJobHttpOptions_GetCustomHeaders(o, &a->out_string);
        IBackgroundCopyJobHttpOptions_SetSecurityFlags(o, a->count);
        IBackgroundCopyJobHttpOptions_GetSecurityFlags(o, &a->count);
}

void use_IBackgroundCopyJobHttpOptions2(IBackgroundCopyJobHttpOptions2 *o, struct arguments *a);
void use_IBackgroundCopyJobHttpOptions2(IBackgroundCopyJobHttpOptions2 *o, struct arguments *a) {
        IBackgroundCopyJobHttpOptions2_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyJobHttpOptions2_AddRef(o);
        IBackgroundCopyJobHttpOptions2_Release(o);
        IBackgroundCopyJobHttpOptions2_SetClientCertificateByID(o, a->bg_cert_store_location,
                                                                a->string, a->bytes);
        IBackgroundCopyJobHttpOptions2_SetClientCertificateByName(o, a->bg_cert_store_location,
                                                                  a->string, a->string);
        IBackgroundCopyJobHttpOptions2_RemoveClientCertificate(o);
        IBackgroundCopyJobHttpOptions2_GetClientCertificate(o, &a->bg_cert_store_location,
                                                            &a->out_string, &a->out_bytes,
                                                            &a->out_string);
        IBackgroundCopyJobHttpOptions2_SetCustomHeaders(o, a->string);
        IBackgroundCopyJobHttpOptions2_GetCustomHeaders(o, &a->out_string);
        IBackgroundCopyJobHttpOptions2_SetSecurityFlags(o, a->count);
        IBackgroundCopyJobHttpOptions2_GetSecurityFlags(o, &a->count);
        IBackgroundCopyJobHttpOptions2_SetHttpMethod(o, a->string);
        IBackgroundCopyJobHttpOptions2_GetHttpMethod(o, &a->out_string);
}

void use_IBackgroundCopyJobHttpOptions3(IBackgroundCopyJobHttpOptions3 *o, struct arguments *a);
void use_IBackgroundCopyJobHttpOptions3(IBackgroundCopyJobHttpOptions3 *o, struct arguments *a) {
        IBackgroundCopyJobHttpOptions3_QueryInterface(o, &a->guid, &a->out_object);
        IBackgroundCopyJobHttpOptions3_AddRef(o);
        IBackgroundCopyJobHttpOptions3_Release(o);
        IBackgroundCopyJobHttpOptions3_SetClientCertificateByID(o, a->bg_cert_store_location,
                                                                a->string, a->bytes);
        IBackgroundCopyJobHttpOptions3_SetClientCertificateByName(o, a->bg_cert_store_location,
                                                                  a->string, a->string);
        IBackgroundCopyJobHttpOptions3_RemoveClientCertificate(o);
        IBackgroundCopyJobHttpOptions3_GetClientCertificate(o, &a->bg_cert_store_location,
                                                            &a->out_string, &a->out_bytes,
                                                            &a->out_string);
        IBackgroundCopyJobHttpOptions3_SetCustomHeaders(o, a->string);
        IBackgroundCopyJobHttpOptions3_GetCustomHeaders(o, &a->out_string);
        IBackgroundCopyJobHttpOptions3_SetSecurityFlags(o, a->count);
        IBackgroundCopyJobHttpOptions3_GetSecurityFlags(o, &a->count);
        IBackgroundCopyJobHttpOptions3_SetHttpMethod(o, a->string);
        IBackgroundCopyJobHttpOptions3_GetHttpMethod(o, &a->out_string);
        IBackgroundCopyJobHttpOptions3_SetServerCertificateValidationInterface(o, a->unknown);
        IBackgroundCopyJobHttpOptions3_MakeCustomHeadersWriteOnly(o);
}

void use_IBackgroundCopyServerCertificateValidationCallback(IBackgroundCopyServerCertificateValidationCallback *o, struct arguments *a);
void use_IBackgroundCopyServerCertificateValidationCallback(IBackgroundCopyServerCertificateValidationCallback *o, struct arguments *a) {
        IBackgroundCopyServerCertificateValidationCallback_QueryInterface(o, &a->guid,
                                                                          &a->out_object);
        IBackgroundCopyServerCertificateValidationCallback_AddRef(o);
        IBackgroundCopyServerCertificateValidationCallback_Release(o);
        IBackgroundCopyServerCertificateValidationCallback_ValidateServerCertificate(o, a->job,
                                                                                     a->file,
                                                                                     a->dword,
                                                                                     a->bytes,
                                                                                     a->dword,
                                                                                     a->dword,
                                                                                     a->bytes);
}

void use_IBitsTokenOptions(IBitsTokenOptions *o, struct arguments *a);
void use_IBitsTokenOptions(IBitsTokenOptions *o, struct arguments *a) {
        IBitsTokenOptions_QueryInterface(o, &a->guid, &a->out_object);
        IBitsTokenOptions_AddRef(o);
        IBitsTokenOptions_Release(o);
        IBitsTokenOptions_SetHelperTokenFlags(o, a->token);
        IBitsTokenOptions_GetHelperTokenFlags(o, &a->token);
        IBitsTokenOptions_SetHelperToken(o);
        IBitsTokenOptions_ClearHelperToken(o);
        IBitsTokenOptions_GetHelperTokenSid(o, a->token, &a->out_string);
}

void use_IDODownload(IDODownload *o, struct arguments *a);
void use_IDODownload(IDODownload *o, struct arguments *a) {
        IDODownload_QueryInterface(o, &a->guid, &a->out_object);
        IDODownload_AddRef(o);
        IDODownload_Release(o);
        IDODownload_Start(o, &a->do_download_ranges_info);
        IDODownload_Pause(o);
        IDODownload_Abort(o);
        IDODownload_Finalize(o);
        IDODownload_GetStatus(o, &a->do_download_status);
        IDODownload_GetProperty(o, a->dodownload_property, &a->variant);
        IDODownload_SetProperty(o, a->dodownload_property, &a->variant);
}

void use_IDOManager(IDOManager *o, struct arguments *a);
void use_IDOManager(IDOManager *o, struct arguments *a) {
        IDOManager_QueryInterface(o, &a->guid, &a->out_object);
        IDOManager_AddRef(o);
        IDOManager_Release(o);
        IDOManager_CreateDownload(o, &a->dodownload);
        IDOManager_EnumDownloads(o, &a->do_download_enum_category, &a->enum_unknown);
}

void use_IDODownloadStatusCallback(IDODownloadStatusCallback *o, struct arguments *a);
void use_IDODownloadStatusCallback(IDODownloadStatusCallback *o, struct arguments *a) {
        IDODownloadStatusCallback_QueryInterface(o, &a->guid, &a->out_object);
        IDODownloadStatusCallback_AddRef(o);
        IDODownloadStatusCallback_Release(o);
        IDODownloadStatusCallback_OnStatusChange(o, a->dodownload, &a->do_download_status);
}

void use_IDeliveryOptimizationJob(IDeliveryOptimizationJob *o, struct arguments *a);
void use_IDeliveryOptimizationJob(IDeliveryOptimizationJob *o, struct arguments *a) {
        IDeliveryOptimizationJob_QueryInterface(o, &a->guid, &a->out_object);
        IDeliveryOptimizationJob_AddRef(o);
        IDeliveryOptimizationJob_Release(o);
        IDeliveryOptimizationJob_AddFileWithRanges(o, a->string, a->string, a->string, a->dword,
                                                   &a->bg_file_range, a->size);
}

void use_IDeliveryOptimizationJob2(IDeliveryOptimizationJob2 *o, struct arguments *a);
void use_IDeliveryOptimizationJob2(IDeliveryOptimizationJob2 *o, struct arguments *a) {
        IDeliveryOptimizationJob2_QueryInterface(o, &a->guid, &a->out_object);
        IDeliveryOptimizationJob2_AddRef(o);
        IDeliveryOptimizationJob2_Release(o);
        IDeliveryOptimizationJob2_AddFile(o, a->string, a->string, a->dword, &a->bg_file_range,
                                          &a->guid, &a->out_object);
        IDeliveryOptimizationJob2_GetProperty(o, a->dojob_property_id, &a->variant);
        IDeliveryOptimizationJob2_SetProperty(o, a->dojob_property_id, &a->variant);
}

void use_IDeliveryOptimizationFile(IDeliveryOptimizationFile *o, struct arguments *a);
void use_IDeliveryOptimizationFile(IDeliveryOptimizationFile *o, struct arguments *a) {
        IDeliveryOptimizationFile_QueryInterface(o, &a->guid, &a->out_object);
        IDeliveryOptimizationFile_AddRef(o);
        IDeliveryOptimizationFile_Release(o);
        IDeliveryOptimizationFile_GetStats(o, &a->doswarm_stats);
}

void use_IDeliveryOptimizationFile2(IDeliveryOptimizationFile2 *o, struct arguments *a);
void use_IDeliveryOptimizationFile2(IDeliveryOptimizationFile2 *o, struct arguments *a) {
        IDeliveryOptimizationFile2_QueryInterface(o, &a->guid, &a->out_object);
        IDeliveryOptimizationFile2_AddRef(o);
        IDeliveryOptimizationFile2_Release(o);
        IDeliveryOptimizationFile2_GetProperty(o, a->dofile_property_id, &a->variant);
        IDeliveryOptimizationFile2_SetProperty(o, a->dofile_property_id, &a->variant);
}
