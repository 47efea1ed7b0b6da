#include "daemon/listeners.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strings.h"
#include "daemon/state_dir.h"
#include "daemon/state_lock.h"

static int absolute(const char *path, char **ret) {
        _cleanup_free_ char *here = NULL;

        if (*path == '/') {
                *ret = strdup(path);
                return *ret ? 0 : -ENOMEM;
        }
        here = getcwd(NULL, 0);
        if (!here)
                return -errno;
        return asprintf(ret, "%s/%s", here, path) < 0 ? -ENOMEM : 0;
}

/* The first one that works is what the lock file says. */
static int note_address(const char *path, char **address) {
        if (*address)
                return 0;
        *address = unix_address_new(path);
        return *address ? 0 : -ENOMEM;
}

static int listen_at(struct bus_server *bus, const char *path, bool needed, char **address) {
        int r = bus_server_listen(bus, path);

        if (r >= 0)
                return note_address(path, address);
        if (r == -ENAMETOOLONG)
                log_message(needed ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
                            "%s is too long for a socket; choose another with --socket", path);
        else if (r == -EADDRINUSE)
                log_message(needed ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "somebody else serves %s", path);
        else
                log_message(needed ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "cannot listen at %s: %s", path,
                            strerror(-r));
        return needed ? r : 0;
}

static int take_handed_over(struct bus_server *bus, char **address) {
        int n = sd_listen_fds(1);

        for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
                struct sockaddr_un name = {};
                socklen_t size = sizeof(name) - 1;
                int r;

                if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0) {
                        log_warning("descriptor %d that was handed over is no listening unix socket", fd);
                        continue;
                }
                r = bus_server_adopt_listener(bus, fd);
                if (r < 0)
                        return r;
                if (getsockname(fd, (struct sockaddr *) &name, &size) == 0 && name.sun_path[0] == '/')
                        r = note_address(name.sun_path, address);
                if (r < 0)
                        return r;
        }
        return n < 0 ? n : n > 0;
}

int listeners_open(struct bus_server *bus, const char *socket, const char *state_dir, bool use_runtime,
                   char **ret_address) {
        _cleanup_free_ char *address = NULL, *path = NULL, *runtime = NULL;
        int handed, r;

        if (socket)
                r = absolute(socket, &path);
        else if (state_dir)
                r = asprintf(&path, "%s/bus", state_dir) < 0 ? -ENOMEM : 0;
        else
                r = 0;
        if (r >= 0 && path)
                r = listen_at(bus, path, socket != NULL, &address);
        if (r < 0)
                return r;
        handed = take_handed_over(bus, &address);
        if (handed < 0)
                return handed;
        if (use_runtime && !socket && handed == 0 && runtime_socket_default(&runtime) >= 0) {
                r = listen_at(bus, runtime, false, &address);
                if (r < 0)
                        return r;
        }
        if (!address) {
                log_error("there is no place to listen; choose one with --socket");
                return -EADDRNOTAVAIL;
        }
        *ret_address = TAKE_PTR(address);
        return 0;
}
