#include "faulty_vfs.h"

#include <semaphore.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>

struct vfs_handle {
        sqlite3_file base; /* first member */
        enum vfs_file file;
        sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;
static sqlite3_vfs shim_vfs;
static atomic_int planned[_VFS_OPERATION_MAX][_VFS_FILE_MAX];
static atomic_uint counts[_VFS_OPERATION_MAX][_VFS_FILE_MAX];
static atomic_bool hold;
static sem_t arrived, let_go;

static int operation_result(enum vfs_operation operation, const struct vfs_handle *handle) {
        atomic_fetch_add(&counts[operation][handle->file], 1);
        if (operation == VFS_WRITE && handle->file == VFS_WAL && atomic_exchange(&hold, false)) {
                (void) sem_post(&arrived);
                while (sem_wait(&let_go) < 0)
                        ;
        }
        return atomic_load(&planned[operation][handle->file]);
}

static sqlite3_file *real_of(sqlite3_file *file) {
        return ((struct vfs_handle *) file)->real;
}

static int shim_close(sqlite3_file *file) {
        return real_of(file)->pMethods->xClose(real_of(file));
}

static int shim_read(sqlite3_file *file, void *to, int n, sqlite3_int64 offset) {
        return real_of(file)->pMethods->xRead(real_of(file), to, n, offset);
}

static int shim_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 offset) {
        int result = operation_result(VFS_WRITE, (struct vfs_handle *) file);

        return result != SQLITE_OK ? result : real_of(file)->pMethods->xWrite(real_of(file), from, n, offset);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size) {
        return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int shim_sync(sqlite3_file *file, int flags) {
        int result = operation_result(VFS_SYNC, (struct vfs_handle *) file);

        return result != SQLITE_OK ? result : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int shim_file_size(sqlite3_file *file, sqlite3_int64 *size) {
        return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int shim_lock(sqlite3_file *file, int level) {
        return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level) {
        return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_check_reserved(sqlite3_file *file, int *ret) {
        return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int shim_control(sqlite3_file *file, int operation, void *argument) {
        return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int shim_sector_size(sqlite3_file *file) {
        return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_characteristics(sqlite3_file *file) {
        return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags) {
        static const sqlite3_io_methods methods = {
                .iVersion = 1,
                .xClose = shim_close,
                .xRead = shim_read,
                .xWrite = shim_write,
                .xTruncate = shim_truncate,
                .xSync = shim_sync,
                .xFileSize = shim_file_size,
                .xLock = shim_lock,
                .xUnlock = shim_unlock,
                .xCheckReservedLock = shim_check_reserved,
                .xFileControl = shim_control,
                .xSectorSize = shim_sector_size,
                .xDeviceCharacteristics = shim_characteristics,
        };
        struct vfs_handle *handle = (struct vfs_handle *) file;
        int rc;

        *handle = (struct vfs_handle) {
                .file = flags & SQLITE_OPEN_WAL ? VFS_WAL : flags & SQLITE_OPEN_MAIN_DB ? VFS_DATABASE : VFS_JOURNAL,
                .real = (sqlite3_file *)(handle + 1),
        };
        rc = real_vfs->xOpen(real_vfs, name, handle->real, flags, ret_flags);
        if (handle->real->pMethods)
                handle->base.pMethods = &methods;
        return rc;
}

void faulty_vfs_install(void) {
        real_vfs = sqlite3_vfs_find(NULL);
        assert(real_vfs);
        shim_vfs = *real_vfs;
        shim_vfs.zName = "faulty";
        shim_vfs.szOsFile = (int) sizeof(struct vfs_handle) + real_vfs->szOsFile;
        shim_vfs.xOpen = shim_open;
        (void) sqlite3_vfs_register(&shim_vfs, 1);
        (void) sem_init(&arrived, 0, 0);
        (void) sem_init(&let_go, 0, 0);
}

void faulty_vfs_fail(enum vfs_operation operation, enum vfs_file file, int result) {
        for (int o = 0; o < _VFS_OPERATION_MAX; o++)
                for (int f = 0; f < _VFS_FILE_MAX; f++)
                        atomic_store(&counts[o][f], 0);
        atomic_store(&planned[operation][file], result);
}

void faulty_vfs_hold(void) {
        atomic_store(&hold, true);
}

void faulty_vfs_wait_until_held(void) {
        while (sem_wait(&arrived) < 0)
                ;
}

void faulty_vfs_let_go(void) {
        (void) sem_post(&let_go);
}

unsigned faulty_vfs_count(enum vfs_operation operation, enum vfs_file file) {
        return atomic_load(&counts[operation][file]);
}
