/*
 * published_structs.h: offset and size of every field where pointers have 64 bits, written down
 * from the published pages and not made from idl/. Define FIELD(struct, field, offset, bytes) and
 * STRUCT(struct, bytes).
 */

FIELD(BG_FILE_PROGRESS, BytesTotal, 0, 8)
FIELD(BG_FILE_PROGRESS, BytesTransferred, 8, 8)
FIELD(BG_FILE_PROGRESS, Completed, 16, 4)
STRUCT(BG_FILE_PROGRESS, 24)

FIELD(BG_FILE_INFO, RemoteName, 0, 8)
FIELD(BG_FILE_INFO, LocalName, 8, 8)
STRUCT(BG_FILE_INFO, 16)

FIELD(BG_JOB_PROGRESS, BytesTotal, 0, 8)
FIELD(BG_JOB_PROGRESS, BytesTransferred, 8, 8)
FIELD(BG_JOB_PROGRESS, FilesTotal, 16, 4)
FIELD(BG_JOB_PROGRESS, FilesTransferred, 20, 4)
STRUCT(BG_JOB_PROGRESS, 24)

FIELD(BG_JOB_TIMES, CreationTime, 0, 8)
FIELD(BG_JOB_TIMES, ModificationTime, 8, 8)
FIELD(BG_JOB_TIMES, TransferCompletionTime, 16, 8)
STRUCT(BG_JOB_TIMES, 24)

FIELD(BG_JOB_REPLY_PROGRESS, BytesTotal, 0, 8)
FIELD(BG_JOB_REPLY_PROGRESS, BytesTransferred, 8, 8)
STRUCT(BG_JOB_REPLY_PROGRESS, 16)

FIELD(BG_FILE_RANGE, InitialOffset, 0, 8)
FIELD(BG_FILE_RANGE, Length, 8, 8)
STRUCT(BG_FILE_RANGE, 16)

FIELD(BG_BASIC_CREDENTIALS, UserName, 0, 8)
FIELD(BG_BASIC_CREDENTIALS, Password, 8, 8)
STRUCT(BG_BASIC_CREDENTIALS, 16)

FIELD(BG_AUTH_CREDENTIALS, Target, 0, 4)
FIELD(BG_AUTH_CREDENTIALS, Scheme, 4, 4)
FIELD(BG_AUTH_CREDENTIALS, Credentials.Basic.UserName, 8, 8)
FIELD(BG_AUTH_CREDENTIALS, Credentials.Basic.Password, 16, 8)
STRUCT(BG_AUTH_CREDENTIALS, 24)

FIELD(DO_DOWNLOAD_RANGE, Offset, 0, 8)
FIELD(DO_DOWNLOAD_RANGE, Length, 8, 8)
STRUCT(DO_DOWNLOAD_RANGE, 16)

FIELD(DO_DOWNLOAD_RANGES_INFO, RangeCount, 0, 4)
FIELD(DO_DOWNLOAD_RANGES_INFO, Ranges[0].Offset, 8, 8)
FIELD(DO_DOWNLOAD_RANGES_INFO, Ranges[0].Length, 16, 8)
STRUCT(DO_DOWNLOAD_RANGES_INFO, 24)

FIELD(DO_DOWNLOAD_STATUS, BytesTotal, 0, 8)
FIELD(DO_DOWNLOAD_STATUS, BytesTransferred, 8, 8)
FIELD(DO_DOWNLOAD_STATUS, State, 16, 4)
FIELD(DO_DOWNLOAD_STATUS, Error, 20, 4)
FIELD(DO_DOWNLOAD_STATUS, ExtendedError, 24, 4)
STRUCT(DO_DOWNLOAD_STATUS, 32)

FIELD(DO_DOWNLOAD_ENUM_CATEGORY, Property, 0, 4)
FIELD(DO_DOWNLOAD_ENUM_CATEGORY, Value, 8, 8)
STRUCT(DO_DOWNLOAD_ENUM_CATEGORY, 16)

FIELD(DOSwarmStats, fileId, 0, 8)
FIELD(DOSwarmStats, sourceURL, 8, 8)
FIELD(DOSwarmStats, fileSize, 16, 8)
FIELD(DOSwarmStats, totalBytesDownloaded, 24, 8)
FIELD(DOSwarmStats, bytesFromLanPeers, 32, 8)
FIELD(DOSwarmStats, bytesFromGroupPeers, 40, 8)
FIELD(DOSwarmStats, bytesFromInternetPeers, 48, 8)
FIELD(DOSwarmStats, bytesFromHttp, 56, 8)
FIELD(DOSwarmStats, bytesFromDoinc, 64, 8)
FIELD(DOSwarmStats, bytesToLanPeers, 72, 8)
FIELD(DOSwarmStats, bytesToGroupPeers, 80, 8)
FIELD(DOSwarmStats, bytesToInternetPeers, 88, 8)
FIELD(DOSwarmStats, httpConnectionCount, 96, 4)
FIELD(DOSwarmStats, doincConnectionCount, 100, 4)
FIELD(DOSwarmStats, lanConnectionCount, 104, 4)
FIELD(DOSwarmStats, groupConnectionCount, 108, 4)
FIELD(DOSwarmStats, internetConnectionCount, 112, 4)
FIELD(DOSwarmStats, downloadDuration, 116, 4)
FIELD(DOSwarmStats, downloadMode, 120, 4)
FIELD(DOSwarmStats, status, 124, 4)
FIELD(DOSwarmStats, isBackground, 128, 4)
STRUCT(DOSwarmStats, 136)

FIELD(FILETIME, dwLowDateTime, 0, 4)
FIELD(FILETIME, dwHighDateTime, 4, 4)
STRUCT(FILETIME, 8)

FIELD(BITS_JOB_PROPERTY_VALUE, Dword, 0, 4)
FIELD(BITS_JOB_PROPERTY_VALUE, ClsID, 0, 16)
FIELD(BITS_JOB_PROPERTY_VALUE, Enable, 0, 4)
FIELD(BITS_JOB_PROPERTY_VALUE, Uint64, 0, 8)
FIELD(BITS_JOB_PROPERTY_VALUE, Target, 0, 4)
STRUCT(BITS_JOB_PROPERTY_VALUE, 16)

FIELD(BITS_FILE_PROPERTY_VALUE, String, 0, 8)
STRUCT(BITS_FILE_PROPERTY_VALUE, 8)

FIELD(GUID, Data1, 0, 4)
FIELD(GUID, Data2, 4, 2)
FIELD(GUID, Data3, 6, 2)
FIELD(GUID, Data4, 8, 8)
STRUCT(GUID, 16)

FIELD(VARIANT, vt, 0, 2)
FIELD(VARIANT, boolVal, 8, 2)
FIELD(VARIANT, ulVal, 8, 4)
FIELD(VARIANT, ullVal, 8, 8)
FIELD(VARIANT, bstrVal, 8, 8)
FIELD(VARIANT, punkVal, 8, 8)
FIELD(VARIANT, parray, 8, 8)
STRUCT(VARIANT, 24)

FIELD(SAFEARRAY, cDims, 0, 2)
FIELD(SAFEARRAY, fFeatures, 2, 2)
FIELD(SAFEARRAY, cbElements, 4, 4)
FIELD(SAFEARRAY, cLocks, 8, 4)
FIELD(SAFEARRAY, pvData, 16, 8)
FIELD(SAFEARRAY, rgsabound, 24, 8)
STRUCT(SAFEARRAY, 32)

STRUCT(LARGE_INTEGER, 8)
STRUCT(ULARGE_INTEGER, 8)
STRUCT(STATSTG, 80)
