/* The folder that holds the service's state: where it is, that it is ours alone, what kind of file system it is on,
 * and whether the last run ended well. */
#pragma once

#include "base/macros.h"

/* Of the system instance. */
#define SYSTEM_STATE_DIR "/var/lib/dosvc"
#define SYSTEM_CONFIG "/etc/dosvc/dosvc.conf"
#define SYSTEM_SOCKET "/run/dosvc/bus"
#define SYSTEM_BROKER_SOCKET "/run/dosvc/broker"

/* Of a user instance. *ret is absolute and freed by the caller. -ENXIO: nothing in the environment says where. */
int state_dir_default(char **ret);
int config_path_default(char **ret);
/* Folders with stores of client certificates: of whoever runs this, and of the machine. */
int certificates_path_default(char **ret);
#define MACHINE_CERTIFICATES "/etc/dosvc/certificates"
/* $XDG_RUNTIME_DIR/dosvc/bus; -ENXIO: there is none. */
int runtime_socket_default(char **ret);

/* Makes it (0700) with what is missing above it, and gives its real path. -EPERM: it belongs to somebody else. */
int state_dir_make(const char *path, char **ret);
/* NFS, SMB, FUSE …: locks and shared memory cannot be trusted there. */
int state_dir_is_network(const char *path);

/* A marker file that is there while a service runs. @ret_unclean: it was there already: the last one did not end
 * well. */
int state_dir_begin_run(const char *path, bool *ret_unclean);
void state_dir_end_run(const char *path);
