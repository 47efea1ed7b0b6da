#include "conform.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_TIMEOUT_MSEC 20000
#define WAIT_TIMEOUT_MSEC 20000
#define PATH_SIZE 256
#define STOP_WATCHING 2

const struct family families[2] = {
        { "DO", &CLSID_DeliveryOptimization, true, DO_E_JOB_NOT_FOUND, DO_E_INVALID_STATE, DO_E_JOB_EMPTY,
          DO_E_ERROR_INFORMATION_UNAVAILABLE, DO_E_FILE_NOT_AVAILABLE, DO_E_INVALID_RANGE, DO_E_OVERLAPPING_RANGES,
          E_INVALIDARG },
        { "BITS", &CLSID_BackgroundCopyManager, false, BG_E_NOT_FOUND, BG_E_INVALID_STATE, BG_E_EMPTY,
          BG_E_ERROR_INFORMATION_UNAVAILABLE, BG_E_FILE_NOT_AVAILABLE, BG_E_INVALID_RANGE, BG_E_OVERLAPPING_RANGES,
          BG_E_STRING_TOO_LONG },
};

static struct {
        char *dosvcd, *python, *lying_server;
        char root[PATH_SIZE];
        char config[PATH_SIZE * 2];
        pid_t service, origin, secure_origin;
        int port, control_port, secure_port;
        bool with_tls, wants_certificates;
        dosvc *connection; /* for waiting and for questions about the service itself */
        IBackgroundCopyManager *managers[2];
        unsigned n_destinations;
} world = { .service = -1, .origin = -1, .secure_origin = -1 };

void assert_hr_at(HRESULT actual, HRESULT expected, const char *what, const char *file, int line) {
        if (actual == expected)
                return;
        print_error("%s:%d: %s\n  answered 0x%08X instead of 0x%08X\n", file, line, what, (unsigned) actual,
                    (unsigned) expected);
        fail();
}

/* ---- strings that nobody needs to free ---- */

static void *keep(void *p) {
        static void **kept;
        static size_t n;

        assert_non_null(p);
        kept = realloc(kept, (n + 1) * sizeof(*kept));
        assert_non_null(kept);
        kept[n++] = p;
        return p;
}

const wchar_t *widen(const char *s) {
        size_t n = strlen(s) + 1;
        wchar_t *w = keep(malloc(n * sizeof(*w)));

        for (size_t i = 0; i < n; i++)
                w[i] = (wchar_t) s[i];
        return w;
}

char *narrow(const wchar_t *w) {
        size_t n = 0;
        char *s;

        while (w[n])
                n++;
        s = keep(malloc(n + 1));
        for (size_t i = 0; i <= n; i++)
                s[i] = (char) w[i];
        return s;
}

const wchar_t *long_text(const wchar_t *start, size_t n_chars) {
        wchar_t *w = keep(malloc((n_chars + 1) * sizeof(*w)));
        size_t i = 0;

        while (start[i] && i < n_chars) {
                w[i] = start[i];
                i++;
        }
        while (i < n_chars)
                w[i++] = L'a';
        w[i] = 0;
        return w;
}

const char *origin_url_bytes(const char *path_and_query) {
        char *url;

        assert_true(asprintf(&url, "http://127.0.0.1:%d%s", world.port, path_and_query) > 0);
        return keep(url);
}

const wchar_t *origin_url(const char *path_and_query) {
        return widen(origin_url_bytes(path_and_query));
}

const wchar_t *destination(const char *stem) {
        char *path;

        assert_true(asprintf(&path, "%s/files/%s-%u", world.root, stem, world.n_destinations++) > 0);
        return widen(keep(path));
}

/* ---- processes ---- */

void world_arguments(int argc, char **argv) {
        if (argc != 4) {
                (void) fprintf(stderr, "usage: %s DOSVCD PYTHON LYING_SERVER\n", argv[0]);
                exit(2);
        }
        world.dosvcd = argv[1];
        world.python = argv[2];
        world.lying_server = argv[3];
}

bool world_is_fake(void) {
        return strstr(world.dosvcd, "fake_dosvcd") != NULL;
}

/* In the child. What a test program starts must not outlive it, however it ends. */
static void become(char *const arguments[]) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) execv(arguments[0], arguments);
        _exit(127);
}

/* @arguments: as the server's, after its name; five of them. */
static int start_origin(char *const arguments[6], pid_t *ret_pid, int *ret_port, int *ret_control_port) {
        char line[64] = "";
        size_t n = 0;
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        *ret_pid = fork();
        if (*ret_pid == 0) {
                (void) dup2(fds[1], STDOUT_FILENO);
                become((char *[]){ world.python, world.lying_server, arguments[0], arguments[1], arguments[2], arguments[3],
                                   arguments[4], NULL });
        }
        close(fds[1]);
        while (n + 1 < sizeof(line) && !strchr(line, '\n')) {
                ssize_t got = read(fds[0], line + n, sizeof(line) - n - 1);

                if (got <= 0)
                        break;
                n += (size_t) got;
        }
        close(fds[0]);
        return sscanf(line, "%d %d", ret_port, ret_control_port) == 2 ? 0 : -EIO;
}

const char *world_path(const char *name) {
        char *path;

        assert_true(asprintf(&path, "%s/%s", world.root, name) > 0);
        return keep(path);
}

int world_run_program(char *const arguments[]) {
        pid_t pid = fork();
        int status = -1;

        if (pid == 0) {
                if (!freopen("/dev/null", "w", stderr))
                        _exit(1);
                become(arguments);
        }
        (void) waitpid(pid, &status, 0);
        return status;
}

/* With a certificate of its own, which the service trusts by its configuration. */
static int start_secure_origin(void) {
        char *openssl = (char *) "/usr/bin/openssl", *key = (char *) world_path("tls.key"), *pem = (char *) world_path("tls.pem");
        int unused;

        if (world_run_program((char *[]){ openssl, (char *) "req", (char *) "-x509", (char *) "-newkey", (char *) "ec", (char *) "-pkeyopt",
                            (char *) "ec_paramgen_curve:P-256", (char *) "-nodes", (char *) "-keyout", key, (char *) "-out", pem,
                            (char *) "-days", (char *) "2", (char *) "-subj", (char *) "/CN=origin", (char *) "-addext",
                            (char *) "subjectAltName=IP:127.0.0.1", NULL }) != 0 ||
            world_run_program((char *[]){ openssl, (char *) "x509", (char *) "-in", pem, (char *) "-outform", (char *) "DER", (char *) "-out",
                            (char *) world_path("tls.der"), NULL }) != 0)
                return -EIO;
        if (world_is_fake()) {
                world.secure_port = 443; /* nobody connects to it */
                return 0;
        }
        return start_origin((char *[]){ (char *) "--tls", pem, key, world.wants_certificates ? (char *) "--client-authority" : NULL, pem, NULL },
                            &world.secure_origin, &world.secure_port, &unused);
}

void world_with_tls(void) {
        world.with_tls = true;
}

void world_with_client_certificates(void) {
        world.with_tls = world.wants_certificates = true;
}

const wchar_t *secure_url(const char *path_and_query) {
        char *url;

        assert_true(asprintf(&url, "https://127.0.0.1:%d%s", world.secure_port, path_and_query) > 0);
        return widen(keep(url));
}

char *secure_certificate(size_t *ret_n) {
        return file_read(widen(world_path("tls.der")), ret_n);
}

/* systemd's readiness protocol: the service says when it listens. */
static int open_ready_socket(char path[PATH_SIZE + 8]) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        (void) snprintf(path, PATH_SIZE + 8, "%s/ready", world.root);
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path);
        (void) unlink(path);
        if (bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0) {
                close(fd);
                return -1;
        }
        return fd;
}

static bool wait_for_message(int fd, const char *wanted) {
        char message[512];

        for (;;) {
                struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
                ssize_t n;

                if (poll(&poll_fd, 1, START_TIMEOUT_MSEC) <= 0)
                        return false;
                n = recv(fd, message, sizeof(message) - 1, 0);
                if (n <= 0)
                        return false;
                message[n] = 0;
                if (strstr(message, wanted))
                        return true;
        }
}

static void exec_service(const char *ready) {
        char socket_path[PATH_SIZE + 8], state[PATH_SIZE + 8], log[PATH_SIZE + 8], config[PATH_SIZE + 16];
        int fd;

        (void) snprintf(socket_path, sizeof(socket_path), "%s/bus", world.root);
        (void) snprintf(state, sizeof(state), "%s/state", world.root);
        (void) snprintf(log, sizeof(log), "%s/log", world.root);
        (void) snprintf(config, sizeof(config), "%s/dosvc.conf", world.root);
        fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        (void) dup2(fd, STDOUT_FILENO);
        (void) dup2(fd, STDERR_FILENO);
        (void) setenv("NOTIFY_SOCKET", ready, 1);
        (void) setenv("XDG_CONFIG_HOME", world_path("config"), 1);
        become((char *[]){ world.dosvcd, (char *) "--user", (char *) "--socket", socket_path, (char *) "--state-dir",
                           state, (char *) "--config", config, NULL });
}

static int start_service(void) {
        char ready[PATH_SIZE + 8];
        bool ok;
        int fd;

        fd = open_ready_socket(ready);
        if (fd < 0)
                return -1;
        world.service = fork();
        if (world.service == 0)
                exec_service(ready);
        ok = wait_for_message(fd, "READY=1");
        close(fd);
        return ok ? 0 : -1;
}

/* What is durable for the fake is in its memory: its process goes on, and everything else in it ends. */
static void signal_fake(int sig, const char *answer) {
        char ready[PATH_SIZE + 8];
        int fd = open_ready_socket(ready);

        assert_true(fd >= 0);
        assert_return_code(kill(world.service, sig), errno);
        assert_true(wait_for_message(fd, answer));
        close(fd);
}

void world_start_service(void) {
        if (world_is_fake())
                signal_fake(SIGUSR2, "READY=1");
        else
                assert_int_equal(start_service(), 0);
}

static void reap(pid_t *pid, int sig) {
        if (*pid > 0) {
                (void) kill(*pid, sig);
                (void) waitpid(*pid, NULL, 0);
        }
        *pid = -1;
}

void world_kill_service(void) {
        if (world_is_fake())
                signal_fake(SIGUSR1, "STATUS=killed");
        else
                reap(&world.service, SIGKILL);
}

static void write_config(const char *config) {
        char path[PATH_SIZE + 16];
        FILE *f;

        (void) snprintf(path, sizeof(path), "%s/dosvc.conf", world.root);
        f = fopen(path, "we");
        assert_non_null(f);
        (void) fprintf(f, "[Service]\n%s", config ? config : "");
        if (world.with_tls)
                (void) fprintf(f, "CAFile=%s\n", world_path("tls.pem"));
        (void) fclose(f);
}

int world_start(const char *config) {
        const char *base = getenv("TMPDIR");
        char path[PATH_SIZE + 32];

        (void) snprintf(world.root, sizeof(world.root), "%.60s/dosvc-conform-XXXXXX", base ? base : "/tmp");
        if (!mkdtemp(world.root))
                return -1;
        (void) snprintf(path, sizeof(path), "%s/files", world.root);
        (void) mkdir(path, 0700);
        (void) snprintf(path, sizeof(path), "%s/state", world.root);
        (void) mkdir(path, 0700);
        (void) snprintf(path, sizeof(path), "%s/state/cases", world.root);
        if (world_is_fake())
                (void) mkdir(path, 0700);
        write_config(config);
        (void) snprintf(path, sizeof(path), "unix:path=%s/bus", world.root);
        (void) setenv("DOSVC_ADDRESS", path, 1);
        if (start_origin((char *[6]){}, &world.origin, &world.port, &world.control_port) < 0 ||
            (world.with_tls && start_secure_origin() < 0) || start_service() < 0) {
                (void) fprintf(stderr, "cannot start the origin or the service, see %s/log\n", world.root);
                return -1;
        }
        if (FAILED(CoInitializeEx(NULL, COINIT_MULTITHREADED)))
                return -1;
        return FAILED(dosvc_open(DOSVC_CONNECT_NO_START, &world.connection)) ? -1 : 0;
}

static void remove_root(void) {
        pid_t pid = fork();

        if (pid == 0) {
                (void) execlp("rm", "rm", "-rf", world.root, NULL);
                _exit(127);
        }
        (void) waitpid(pid, NULL, 0);
}

int world_stop(void) {
        for (size_t i = 0; i < ELEMENTSOF(world.managers); i++)
                if (world.managers[i])
                        (void) IBackgroundCopyManager_Release(world.managers[i]);
        dosvc_close(world.connection);
        CoUninitialize();
        reap(&world.service, SIGTERM);
        reap(&world.origin, SIGKILL);
        reap(&world.secure_origin, SIGKILL);
        remove_root();
        return 0;
}

static const char *group_config;

static int set_up(void **state) {
        return world_start(group_config);
}

static int tear_down(void **state) {
        return world_stop();
}

int world_run(int argc, char **argv, const char *name, const char *config, const struct CMUnitTest *tests, size_t n_tests) {
        struct CMUnitTest *those = calloc(n_tests, sizeof(*those));
        size_t n = 0;
        int r;

        assert_non_null(those);
        world_arguments(argc, argv);
        group_config = config;
        for (size_t i = 0; i < n_tests; i++) {
                if (tests[i].initial_state && world_is_fake())
                        print_message("not with the fake service, which has not %s: %s\n", (const char *) tests[i].initial_state,
                                      tests[i].name);
                else
                        those[n++] = tests[i];
        }
        r = _cmocka_run_group_tests(name, those, n, set_up, tear_down);
        free(those);
        return r;
}

static int note_pid(const dosvc_service_info *info, void *userdata) {
        *(pid_t *) userdata = (pid_t) info->pid;
        return 0;
}

pid_t world_service_pid(void) {
        pid_t pid = -1;

        assert_hr(dosvc_get_service(world.connection, note_pid, &pid), S_OK);
        return pid;
}

pid_t world_started_pid(void) {
        return world.service;
}

/* ---- talking to the origin ---- */

static int connect_to(int port) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons((uint16_t) port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_return_code(connect(fd, (struct sockaddr *) &address, sizeof(address)), errno);
        return fd;
}

/* The whole answer of a server that closes after it, NUL-terminated. */
static char *ask(int port, const char *target, size_t *ret_n) {
        size_t n = 0, allocated = 1 << 20;
        char *answer = malloc(allocated);
        int fd = connect_to(port);

        assert_non_null(answer);
        assert_true(dprintf(fd, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", target) > 0);
        for (;;) {
                ssize_t got = read(fd, answer + n, allocated - n - 1);

                if (got <= 0)
                        break;
                n += (size_t) got;
                assert_true(n + 1 < allocated);
        }
        close(fd);
        answer[n] = 0;
        *ret_n = n;
        return answer;
}

char *origin_fetch(const char *path_and_query, size_t n) {
        const char *version = strstr(path_and_query, "version=");
        char *answer, *body, *copy = malloc(n + 1);
        size_t got, other = version ? strtoul(version + strlen("version="), NULL, 10) - 1 : 0;

        assert_non_null(copy);
        for (size_t i = 0; i < n; i++)
                copy[i] = (char) (i * 31 + (i >> 8) + other * 7); /* as fake_origin_content() */
        if (world_is_fake())
                return copy;
        answer = ask(world.port, path_and_query, &got);
        body = strstr(answer, "\r\n\r\n");
        assert_non_null(body);
        body += 4;
        assert_true((size_t) (answer + got - body) >= n);
        memcpy(copy, body, n);
        free(answer);
        return copy;
}

void origin_case(const char *id, const char *json) {
        char target[4096];
        size_t at, n;

        if (world_is_fake()) {
                (void) snprintf(target, sizeof(target), "state/cases/%s", id);
                return file_write(widen(world_path(target)), json, strlen(json));
        }
        at = (size_t) snprintf(target, sizeof(target), "/case?id=%s&json=", id);
        for (const char *p = json; *p; p++)
                at += (size_t) snprintf(target + at, sizeof(target) - at, "%%%02X", (unsigned char) *p);
        assert_true(at < sizeof(target));
        free(ask(world.control_port, target, &n));
}

uint64_t origin_bytes_sent(void) {
        size_t n;
        char *answer = world_is_fake() ? file_read(widen(world_path("state/sent")), &n) : ask(world.control_port, "/stats", &n);
        const char *at;
        uint64_t bytes;

        assert_non_null(answer);
        if (world_is_fake()) {
                assert_int_equal(n, sizeof(bytes));
                memcpy(&bytes, answer, sizeof(bytes));
        } else {
                at = strstr(answer, "\"body_bytes\":");
                assert_non_null(at);
                bytes = strtoull(at + strlen("\"body_bytes\":"), NULL, 10);
        }
        free(answer);
        return bytes;
}

bool fake_was_asked(unsigned port, const char *text) {
        char name[sizeof("state/asked-") + 10], *head;
        size_t n = 0;
        bool found;

        (void) snprintf(name, sizeof(name), "state/asked-%u", port);
        head = file_read(widen(world_path(name)), &n);
        found = head && memmem(head, n, text, strlen(text));
        free(head);
        return found;
}

/* ---- files ---- */

bool file_exists(const wchar_t *path) {
        struct stat st;

        return lstat(narrow(path), &st) == 0;
}

void file_write(const wchar_t *path, const void *data, size_t n) {
        FILE *f = fopen(narrow(path), "we");

        assert_non_null(f);
        assert_int_equal(fwrite(data, 1, n, f), n);
        assert_int_equal(fclose(f), 0);
}

char *file_read(const wchar_t *path, size_t *ret_n) {
        FILE *f = fopen(narrow(path), "re");
        char *data;
        long n;

        if (!f)
                return NULL;
        (void) fseek(f, 0, SEEK_END);
        n = ftell(f);
        rewind(f);
        data = malloc((size_t) n + 1);
        assert_non_null(data);
        *ret_n = fread(data, 1, (size_t) n, f);
        (void) fclose(f);
        return data;
}

void assert_file_is(const wchar_t *path, const char *path_and_query, size_t n) {
        char *expected = origin_fetch(path_and_query, n), *got;
        size_t n_got = 0;

        got = file_read(path, &n_got);
        assert_non_null(got);
        assert_int_equal(n_got, n);
        assert_memory_equal(got, expected, n);
        free(got);
        free(expected);
}

size_t count_parts(void) {
        char path[PATH_SIZE + 8];
        struct dirent *entry;
        size_t n = 0;
        DIR *dir;

        (void) snprintf(path, sizeof(path), "%s/files", world.root);
        dir = opendir(path);
        assert_non_null(dir);
        while ((entry = readdir(dir)))
                n += strncmp(entry->d_name, ".dosvc-", 7) == 0;
        (void) closedir(dir);
        return n;
}

/* ---- jobs ---- */

IBackgroundCopyManager *manager_of(const struct family *family) {
        IBackgroundCopyManager **manager = &world.managers[family - families];

        if (!*manager)
                assert_hr(CoCreateInstance(family->clsid, NULL, CLSCTX_LOCAL_SERVER, &IID_IBackgroundCopyManager,
                                           (void **) manager),
                          S_OK);
        return *manager;
}

static void write_id(const GUID *id, char text[DOSVC_ID_SIZE]) {
        wchar_t braced[39];

        assert_int_equal(StringFromGUID2(id, braced, ELEMENTSOF(braced)), 39);
        for (size_t i = 0; i + 1 < DOSVC_ID_SIZE; i++)
                text[i] = (char) (braced[i + 1] >= L'A' && braced[i + 1] <= L'F' ? braced[i + 1] + 32 : braced[i + 1]);
        text[DOSVC_ID_SIZE - 1] = 0;
}

struct job job_new(const struct family *family) {
        struct job job = { .family = family };

        assert_hr(IBackgroundCopyManager_CreateJob(manager_of(family), L"a job", BG_JOB_TYPE_DOWNLOAD, &job.id,
                                                   &job.com),
                  S_OK);
        write_id(&job.id, job.text);
        return job;
}

void job_done(struct job *job) {
        if (!job->com)
                return;
        (void) IBackgroundCopyJob_Cancel(job->com);
        (void) IBackgroundCopyJob_Release(job->com);
        job->com = NULL;
}

void job_add(struct job *job, const wchar_t *url, const wchar_t *path) {
        assert_hr(IBackgroundCopyJob_AddFile(job->com, url, path), S_OK);
}

void job_resume(struct job *job) {
        assert_hr(IBackgroundCopyJob_Resume(job->com), S_OK);
}

BG_JOB_STATE job_state(const struct job *job) {
        BG_JOB_STATE state;

        assert_hr(IBackgroundCopyJob_GetState(job->com, &state), S_OK);
        return state;
}

const char *state_name(BG_JOB_STATE state) {
        static const char *const names[] = {
                "queued",          "connecting",  "transferring", "suspended", "error",
                "transient_error", "transferred", "acknowledged", "cancelled",
        };

        return (size_t) state < ELEMENTSOF(names) ? names[state] : "no state";
}

struct wish {
        const char *state;
        char seen[32];
        char error[256];
};

static int is_granted(const dosvc_job_info *info, void *userdata) {
        struct wish *wish = userdata;

        (void) snprintf(wish->seen, sizeof(wish->seen), "%s", info->state);
        (void) snprintf(wish->error, sizeof(wish->error), "%s", info->error.text ? info->error.text : "");
        return strcmp(info->state, wish->state) == 0 ? STOP_WATCHING : 0;
}

void job_wait(const struct job *job, BG_JOB_STATE state) {
        struct wish wish = { .state = state_name(state) };
        int32_t r;

        r = dosvc_watch(world.connection, job->text, WAIT_TIMEOUT_MSEC, is_granted, &wish);
        if (r == STOP_WATCHING)
                return;
        print_error("the job is %s, not %s (0x%08X): %s\n", wish.seen, wish.state, (unsigned) r, wish.error);
        fail();
}

struct job job_in_state(const struct family *family, const char *query, BG_JOB_STATE state, const wchar_t **ret_path) {
        const wchar_t *path = destination("file");
        struct job job = job_new(family);

        job_add(&job, origin_url(query), path);
        assert_hr(IBackgroundCopyJob_SetPriority(job.com, BG_JOB_PRIORITY_FOREGROUND), S_OK);
        job_resume(&job);
        job_wait(&job, state);
        if (ret_path)
                *ret_path = path;
        return job;
}

IBackgroundCopyFile *job_first_file(struct job *job) {
        IEnumBackgroundCopyFiles *files;
        IBackgroundCopyFile *file;

        assert_hr(IBackgroundCopyJob_EnumFiles(job->com, &files), S_OK);
        assert_hr(IEnumBackgroundCopyFiles_Next(files, 1, &file, NULL), S_OK);
        assert_int_equal(IEnumBackgroundCopyFiles_Release(files), 0);
        return file;
}

HRESULT job_add_ranges(struct job *job, const wchar_t *id, const wchar_t *url, const wchar_t *path, DWORD n,
                       BG_FILE_RANGE *ranges, UINT64 size) {
        IDeliveryOptimizationJob *delivery;
        HRESULT hr;

        assert_hr(IBackgroundCopyJob_QueryInterface(job->com, &IID_IDeliveryOptimizationJob, (void **) &delivery),
                  S_OK);
        hr = IDeliveryOptimizationJob_AddFileWithRanges(delivery, id, url, path, n, ranges, size);
        (void) IDeliveryOptimizationJob_Release(delivery);
        return hr;
}
