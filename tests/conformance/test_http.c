/* IBackgroundCopyJobHttpOptions to 3, and what the transfer makes of them. Requests are read by a small server of the test's own. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wchar.h>

#include "conform.h"

/* ---- a server that keeps what it was asked: "/to/PORT…" is redirected to that port, all else is ten bytes ---- */

#define REQUEST_MAX 32768

struct tap {
        int fd;
        unsigned port;
        pthread_t thread;
        pthread_mutex_t lock;
        char last[REQUEST_MAX]; /* request */
        unsigned n_requests;
};

static void answer(int fd, const char *request) {
        char text[512];
        unsigned port;

        if (sscanf(request, "GET /to/%u", &port) == 1)
                (void) snprintf(text, sizeof(text),
                                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/there\r\nContent-Length: 0\r\n"
                                "Connection: close\r\n\r\n",
                                port);
        else
                (void) snprintf(text, sizeof(text),
                                "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n0123456789");
        if (write(fd, text, strlen(text)) < 0)
                print_error("the test's server cannot answer\n");
}

static void *serve(void *arg) {
        struct tap *tap = arg;
        static _Thread_local char request[REQUEST_MAX];

        for (;;) {
                int fd = accept(tap->fd, NULL, NULL);
                size_t n = 0;
                ssize_t k;

                if (fd < 0)
                        return NULL;
                request[0] = 0;
                while (!strstr(request, "\r\n\r\n") && n < sizeof(request) - 1 &&
                       (k = read(fd, request + n, sizeof(request) - 1 - n)) > 0) {
                        n += (size_t) k;
                        request[n] = 0;
                }
                if (strstr(request, "\r\n\r\n")) {
                        pthread_mutex_lock(&tap->lock);
                        memcpy(tap->last, request, n + 1);
                        tap->n_requests++;
                        pthread_mutex_unlock(&tap->lock);
                        answer(fd, request);
                }
                close(fd);
        }
}

static struct tap *tap_new(void) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct tap *tap = calloc(1, sizeof(*tap));
        socklen_t len = sizeof(address);

        assert_non_null(tap);
        tap->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(tap->fd, (struct sockaddr *) &address, len), 0);
        assert_int_equal(listen(tap->fd, 16), 0);
        assert_int_equal(getsockname(tap->fd, (struct sockaddr *) &address, &len), 0);
        tap->port = ntohs(address.sin_port);
        pthread_mutex_init(&tap->lock, NULL);
        assert_int_equal(pthread_create(&tap->thread, NULL, serve, tap), 0);
        return tap;
}

static void tap_free(struct tap *tap) {
        shutdown(tap->fd, SHUT_RDWR);
        pthread_join(tap->thread, NULL);
        close(tap->fd);
        pthread_mutex_destroy(&tap->lock);
        free(tap);
}

static bool tap_heard(struct tap *tap, const char *text) {
        bool heard;

        if (world_is_fake())
                return fake_was_asked(tap->port, text); /* nobody connects to it */
        pthread_mutex_lock(&tap->lock);
        heard = strstr(tap->last, text) != NULL;
        pthread_mutex_unlock(&tap->lock);
        return heard;
}

static const wchar_t *tap_url(const struct tap *tap, const char *path) {
        char url[256];

        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", tap->port, path);
        return widen(url);
}

static const wchar_t *away_url(const struct tap *from, const struct tap *to) {
        char path[64];

        (void) snprintf(path, sizeof(path), "/to/%u", to->port);
        return tap_url(from, path);
}

static IBackgroundCopyJobHttpOptions3 *options_of(const struct job *job) {
        void *out = NULL;

        assert_hr(IBackgroundCopyJob_QueryInterface(job->com, &IID_IBackgroundCopyJobHttpOptions3, &out), S_OK);
        return out;
}

/* ---- headers ---- */

/* CONFORMS: api.md 1.4 BITS_FILE_PROPERTY_ID_HTTP_RESPONSE_HEADERS: "last response, full set" */
static void a_file_tells_the_headers_of_its_last_answer(void **state) {
        origin_case("told", "{\"answers\": [{\"raw\": \"HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\nConnection: close\\r\\n"
                            "\\r\\n0123456789\"}]}");
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                BITS_FILE_PROPERTY_VALUE value;
                IBackgroundCopyFile5 *file;
                IBackgroundCopyFile *first;
                void *out;

                job_add(&job, origin_url("/c/told/f"), destination("told"));
                first = job_first_file(&job);
                assert_hr(IBackgroundCopyFile_QueryInterface(first, &IID_IBackgroundCopyFile5, &out), S_OK);
                file = out;
                assert_hr(IBackgroundCopyFile5_GetProperty(file, BITS_FILE_PROPERTY_ID_HTTP_RESPONSE_HEADERS, &value), S_OK);
                assert_int_equal(wcscmp(value.String, L""), 0);
                CoTaskMemFree(value.String);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_hr(IBackgroundCopyFile5_GetProperty(file, BITS_FILE_PROPERTY_ID_HTTP_RESPONSE_HEADERS, &value), S_OK);
                assert_int_equal(wcscmp(value.String, L"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n"), 0);
                CoTaskMemFree(value.String);
                (void) IBackgroundCopyFile5_Release(file);
                (void) IBackgroundCopyFile_Release(first);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.8 "SetCustomHeaders/GetCustomHeaders": none is S_FALSE and NULL, NULL clears; 1.7: 16,384 with the NUL */
/* SENTENCES: http.headers limits.headers */
static void headers_are_kept_until_they_are_cleared(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyJobHttpOptions3 *options = options_of(&job);
                LPWSTR headers = (LPWSTR) L"";

                assert_hr(IBackgroundCopyJobHttpOptions3_GetCustomHeaders(options, &headers), S_FALSE);
                assert_null(headers);
                assert_hr(IBackgroundCopyJobHttpOptions3_GetCustomHeaders(options, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetCustomHeaders(options, L"X-One: 1\r\nX-Two: 2"), S_OK);
                world_kill_service();
                world_start_service();
                assert_hr(IBackgroundCopyJobHttpOptions3_GetCustomHeaders(options, &headers), S_OK);
                assert_int_equal(wcscmp(headers, L"X-One: 1\r\nX-Two: 2"), 0);
                CoTaskMemFree(headers);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetCustomHeaders(options, NULL), S_OK);
                assert_hr(IBackgroundCopyJobHttpOptions3_GetCustomHeaders(options, &headers), S_FALSE);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetCustomHeaders(options, long_text(L"X: ", 16384)),
                          family->string_too_long);
                (void) IBackgroundCopyJobHttpOptions3_Release(options);
                job_done(&job);
        }
}

static void what_is_no_header_of_the_client_is_refused(void **state) {
        static const wchar_t *const bad[] = {
                L"no colon",         L": no name",       L"a b: space in the name", L"X: 1\nX: 2", L"X: 1\r\n\r\nX: 2",
                L"Range: bytes=0-1", L"if-range: \"x\"", L"Content-Length: 0",      L"X: \x01",    L" X: 1",
        };

        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyJobHttpOptions3 *options = options_of(&job);
                LPWSTR headers;

                for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                        assert_hr(IBackgroundCopyJobHttpOptions3_SetCustomHeaders(options, bad[i]), E_INVALIDARG);
                assert_hr(IBackgroundCopyJobHttpOptions3_GetCustomHeaders(options, &headers), S_FALSE);
                (void) IBackgroundCopyJobHttpOptions3_Release(options);
                job_done(&job);
        }
}

static void set_headers(const struct job *job, const wchar_t *headers) {
        IBackgroundCopyJobHttpOptions3 *options = options_of(job);

        assert_hr(IBackgroundCopyJobHttpOptions3_SetCustomHeaders(options, headers), S_OK);
        (void) IBackgroundCopyJobHttpOptions3_Release(options);
}

static void headers_go_to_the_server_of_the_job(void **state) {
        struct tap *here = tap_new();

        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);

                job_add(&job, tap_url(here, "/direct"), destination("direct"));
                set_headers(&job, L"X-Token: secret\r\nX-Two: 2");
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_true(tap_heard(here, "\r\nX-Token: secret\r\n") && tap_heard(here, "\r\nX-Two: 2\r\n"));
                job_done(&job);
        }
        tap_free(here);
}

/* The service never gives a header that was meant for one server to another one. Not with the fake: what is left out behind a redirect is
 * decided where requests are written, in the transfer process. */
static void headers_go_to_nobody_behind_a_redirect(void **state) {
        struct tap *here = tap_new(), *there = tap_new();

        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);

                job_add(&job, away_url(here, there), destination("away"));
                set_headers(&job, L"X-Token: secret");
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_true(tap_heard(here, "GET /to/") && tap_heard(here, "\r\nX-Token: secret\r\n"));
                assert_true(tap_heard(there, "GET /there"));
                assert_false(tap_heard(there, "secret"));
                job_done(&job);
        }
        tap_free(here);
        tap_free(there);
}

/* CONFORMS: api.md 1.8 "MakeCustomHeadersWriteOnly always S_OK, irreversible; afterwards no BITS method can read the headers" */
/* SENTENCES: http.headers.writeonly */
static void write_only_headers_are_sent_but_never_told(void **state) {
        struct tap *here = tap_new();

        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyJobHttpOptions3 *options = options_of(&job);
                LPWSTR headers = (LPWSTR) L"";

                job_add(&job, tap_url(here, "/hidden"), destination("hidden"));
                assert_hr(IBackgroundCopyJobHttpOptions3_SetCustomHeaders(options, L"X-Token: first"), S_OK);
                assert_hr(IBackgroundCopyJobHttpOptions3_MakeCustomHeadersWriteOnly(options), S_OK);
                assert_hr(IBackgroundCopyJobHttpOptions3_MakeCustomHeadersWriteOnly(options), S_OK);
                assert_hr(IBackgroundCopyJobHttpOptions3_GetCustomHeaders(options, &headers), DO_E_WRITE_ONLY_PROPERTY);
                assert_null(headers);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetCustomHeaders(options, L"X-Token: second"), S_OK);
                assert_hr(IBackgroundCopyJobHttpOptions3_GetCustomHeaders(options, &headers), DO_E_WRITE_ONLY_PROPERTY);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_true(tap_heard(here, "\r\nX-Token: second\r\n"));
                (void) IBackgroundCopyJobHttpOptions3_Release(options);
                job_done(&job);
        }
        tap_free(here);
}

/* ---- redirects ---- */

static HRESULT error_of(const struct job *job) {
        IBackgroundCopyError *error;
        BG_ERROR_CONTEXT context;
        HRESULT code;

        assert_hr(IBackgroundCopyJob_GetError(job->com, &error), S_OK);
        assert_hr(IBackgroundCopyError_GetError(error, &context, &code), S_OK);
        (void) IBackgroundCopyError_Release(error);
        return code;
}

/* CONFORMS: api.md 1.8 "SetSecurityFlags": ALLOW_REPORT rewrites the remote name to the final URL; DISALLOW → ERROR on redirect */
/* SENTENCES: http.redirects */
static void redirects_are_taken_as_the_job_says(void **state) {
        static const struct {
                ULONG flags;
                bool refused, renamed;
        } cases[] = {
                { BG_HTTP_REDIRECT_POLICY_ALLOW_SILENT, false, false },
                { BG_HTTP_REDIRECT_POLICY_ALLOW_REPORT, false, true },
                { BG_HTTP_REDIRECT_POLICY_DISALLOW, true, false },
        };
        struct tap *here = tap_new(), *there = tap_new();

        FOR_EACH_FAMILY(family)
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const wchar_t *path = destination("redirect"), *url = away_url(here, there);
                struct job job = job_new(family);
                IBackgroundCopyJobHttpOptions3 *options = options_of(&job);
                IBackgroundCopyFile *file;
                ULONG flags = 77;
                LPWSTR name;

                job_add(&job, url, path);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetSecurityFlags(options, cases[i].flags), S_OK);
                assert_hr(IBackgroundCopyJobHttpOptions3_GetSecurityFlags(options, &flags), S_OK);
                assert_int_equal(flags, cases[i].flags);
                file = job_first_file(&job); /* which is told, too */
                job_resume(&job);
                job_wait(&job, cases[i].refused ? BG_JOB_STATE_ERROR : BG_JOB_STATE_TRANSFERRED);
                if (cases[i].refused)
                        assert_hr(error_of(&job), (HRESULT) 0x8019012E);
                assert_hr(IBackgroundCopyFile_GetRemoteName(file, &name), S_OK);
                assert_int_equal(wcscmp(name, cases[i].renamed ? tap_url(there, "/there") : url), 0);
                CoTaskMemFree(name);
                (void) IBackgroundCopyFile_Release(file);
                (void) IBackgroundCopyJobHttpOptions3_Release(options);
                job_done(&job);
        }
        tap_free(here);
        tap_free(there);
}

/* CONFORMS: api.md 1.8 "SetHttpMethod": before first Resume; forces FOREGROUND; network errors → ERROR (no auto retry); incompatible
 * with on-demand */
/* SENTENCES: http.method */
static void another_method_is_sent_once_and_in_the_foreground(void **state) {
        struct tap *tap = tap_new();

        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family), failing = job_new(family);
                IBackgroundCopyJobHttpOptions3 *options = options_of(&job);
                BITS_JOB_PROPERTY_VALUE yes = { .Enable = TRUE };
                BG_JOB_PRIORITY priority;
                IBackgroundCopyJob5 *job5;
                LPWSTR method = NULL;

                job_add(&job, tap_url(tap, "/asked"), destination("method"));
                assert_hr(IBackgroundCopyJobHttpOptions3_GetHttpMethod(options, &method), S_OK);
                assert_int_equal(wcscmp(method, L"GET"), 0);
                CoTaskMemFree(method);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetHttpMethod(options, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetHttpMethod(options, L""), E_INVALIDARG);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetHttpMethod(options, L"HEAD"), E_INVALIDARG);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetHttpMethod(options, L"GET /"), E_INVALIDARG);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetHttpMethod(options, long_text(L"A", 33)), E_INVALIDARG);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetHttpMethod(options, L"POST"), S_OK);
                assert_hr(IBackgroundCopyJob_GetPriority(job.com, &priority), S_OK);
                assert_int_equal(priority, BG_JOB_PRIORITY_FOREGROUND);
                assert_hr(IBackgroundCopyJob_SetPriority(job.com, BG_JOB_PRIORITY_LOW), BG_E_NOT_SUPPORTED_WITH_CUSTOM_HTTP_METHOD);
                assert_hr(IBackgroundCopyJob_QueryInterface(job.com, &IID_IBackgroundCopyJob5, (void **) &job5), S_OK);
                if (!family->is_do)
                        assert_hr(IBackgroundCopyJob5_SetProperty(job5, BITS_JOB_PROPERTY_ON_DEMAND_MODE, yes),
                                  BG_E_NOT_SUPPORTED_WITH_CUSTOM_HTTP_METHOD);
                (void) IBackgroundCopyJob5_Release(job5);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_true(tap_heard(tap, "POST /asked HTTP/1.1\r\n"));
                if (!world_is_fake())
                        assert_true(tap_heard(tap, "\r\nContent-Length: 0\r\n")); /* a rule of the wire, not of jobs */
                assert_hr(IBackgroundCopyJobHttpOptions3_SetHttpMethod(options, L"GET"), BG_E_READ_ONLY_PROPERTY_AFTER_RESUME);
                (void) IBackgroundCopyJobHttpOptions3_Release(options);
                job_done(&job);

                options = options_of(&failing);
                job_add(&failing, L"http://127.0.0.1:1/nobody", destination("method2"));
                assert_hr(IBackgroundCopyJobHttpOptions3_SetHttpMethod(options, L"PUT"), S_OK);
                job_resume(&failing);
                job_wait(&failing, BG_JOB_STATE_ERROR);
                assert_hr(error_of(&failing), BG_E_CONNECT_FAILURE);
                (void) IBackgroundCopyJobHttpOptions3_Release(options);
                job_done(&failing);
        }
        tap_free(tap);
}

/* CONFORMS: api.md 1.8 "SetClientCertificateByID/ByName": store location+name+20-byte hash / subject; RemoveClientCertificate S_FALSE if
 * none */
/* SENTENCES: http.certificate */
static void a_client_certificate_is_named_and_told_and_taken_away(void **state) {
        FOR_EACH_FAMILY(family) {
                BYTE hash[20] = { 1, 2, 3, [19] = 0xff }, *told_hash;
                struct job job = job_new(family);
                IBackgroundCopyJobHttpOptions3 *options = options_of(&job);
                BG_CERT_STORE_LOCATION place;
                LPWSTR store, subject;

                assert_hr(IBackgroundCopyJobHttpOptions3_RemoveClientCertificate(options), S_FALSE);
                assert_hr(IBackgroundCopyJobHttpOptions3_GetClientCertificate(options, &place, &store, &told_hash, &subject), E_NOT_SET);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetClientCertificateByID(options, BG_CERT_STORE_LOCATION_CURRENT_USER, L"MY", NULL),
                          E_INVALIDARG);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetClientCertificateByID(options, BG_CERT_STORE_LOCATION_CURRENT_USER, NULL, hash),
                          E_INVALIDARG);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetClientCertificateByID(options, (BG_CERT_STORE_LOCATION) 8, L"MY", hash),
                          E_INVALIDARG);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetClientCertificateByID(options, BG_CERT_STORE_LOCATION_SERVICES, L"MY", hash),
                          E_NOTIMPL);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetClientCertificateByID(options, BG_CERT_STORE_LOCATION_CURRENT_USER, L"MY", hash),
                          S_OK);
                world_kill_service();
                world_start_service();
                assert_hr(IBackgroundCopyJobHttpOptions3_GetClientCertificate(options, &place, &store, &told_hash, &subject), S_OK);
                assert_int_equal(place, BG_CERT_STORE_LOCATION_CURRENT_USER);
                assert_int_equal(wcscmp(store, L"MY"), 0);
                assert_memory_equal(told_hash, hash, sizeof(hash));
                assert_null(subject);
                CoTaskMemFree(store);
                CoTaskMemFree(told_hash);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetClientCertificateByName(options, BG_CERT_STORE_LOCATION_LOCAL_MACHINE, L"CA",
                                                                                    L"Agent \u00e4"), S_OK);
                assert_hr(IBackgroundCopyJobHttpOptions3_GetClientCertificate(options, &place, &store, &told_hash, &subject), S_OK);
                assert_int_equal(place, BG_CERT_STORE_LOCATION_LOCAL_MACHINE);
                assert_int_equal(wcscmp(store, L"CA"), 0);
                assert_int_equal(wcscmp(subject, L"Agent \u00e4"), 0);
                assert_null(told_hash);
                CoTaskMemFree(store);
                CoTaskMemFree(subject);
                assert_hr(IBackgroundCopyJobHttpOptions3_RemoveClientCertificate(options), S_OK);
                assert_hr(IBackgroundCopyJobHttpOptions3_RemoveClientCertificate(options), S_FALSE);
                assert_hr(IBackgroundCopyJob_Cancel(job.com), S_OK);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetClientCertificateByName(options, BG_CERT_STORE_LOCATION_CURRENT_USER, L"MY", L"a"),
                          family->invalid_state);
                (void) IBackgroundCopyJobHttpOptions3_Release(options);
                job_done(&job);
        }
}

/* CONFORMS: api.md 2.4 "security flags 0" of a fresh job; 1.8 "unsupported bits → E_NOTIMPL"; final states */
/* SENTENCES: flags http.security */
static void unknown_security_flags_are_refused(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyJobHttpOptions3 *options = options_of(&job);
                ULONG flags = 77;

                assert_hr(IBackgroundCopyJobHttpOptions3_GetSecurityFlags(options, &flags), S_OK);
                assert_int_equal(flags, 0);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetSecurityFlags(options, 0x1000), E_NOTIMPL);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetSecurityFlags(options, 0x300), E_NOTIMPL);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetSecurityFlags(options,
                                                                          BG_HTTP_REDIRECT_POLICY_ALLOW_HTTPS_TO_HTTP),
                          S_OK);
                assert_hr(IBackgroundCopyJobHttpOptions3_GetSecurityFlags(options, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_Cancel(job.com), S_OK);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetSecurityFlags(options, 0), family->invalid_state);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetCustomHeaders(options, NULL), family->invalid_state);
                (void) IBackgroundCopyJobHttpOptions3_Release(options);
                job_done(&job);
        }
}

/* ---- proxies ---- */

static void fetch_by(const struct family *family, BG_JOB_PROXY_USAGE usage, const wchar_t *list, const wchar_t *bypass,
                     const wchar_t *url) {
        struct job job = job_new(family);

        job_add(&job, url, destination("proxied"));
        assert_hr(IBackgroundCopyJob_SetProxySettings(job.com, usage, list, bypass), S_OK);
        job_resume(&job);
        job_wait(&job, BG_JOB_STATE_TRANSFERRED);
        job_done(&job);
}

/* CONFORMS: api.md 1.8 "SetProxySettings": OVERRIDE with list and bypass list, NO_PROXY, PRECONFIG; design.md decision 21 */
/* SENTENCES: job.proxy */
static void bytes_come_through_the_proxy_that_the_job_names(void **state) {
        struct tap *proxy = tap_new(), *direct = tap_new();
        char address[64];

        (void) snprintf(address, sizeof(address), "http://127.0.0.1:%u", proxy->port);
        FOR_EACH_FAMILY(family) {
                fetch_by(family, BG_JOB_PROXY_USAGE_OVERRIDE, widen(address), NULL, L"http://nowhere.invalid/one");
                assert_true(tap_heard(proxy, "GET http://nowhere.invalid/one HTTP/1.1"));
                fetch_by(family, BG_JOB_PROXY_USAGE_OVERRIDE, widen(address), L"other.invalid 127.0.0.1",
                         tap_url(direct, "/bypassed"));
                assert_true(tap_heard(direct, "GET /bypassed HTTP/1.1"));
                fetch_by(family, BG_JOB_PROXY_USAGE_OVERRIDE, widen(address), L"<local> 127.*", tap_url(direct, "/pattern"));
                assert_true(tap_heard(direct, "GET /pattern HTTP/1.1"));
                fetch_by(family, BG_JOB_PROXY_USAGE_OVERRIDE, widen(address), L"<local> invalid *.valid",
                         L"http://nowhere.invalid/not-bypassed");
                assert_true(tap_heard(proxy, "GET http://nowhere.invalid/not-bypassed HTTP/1.1"));
                assert_int_equal(setenv("http_proxy", address, 1), 0);
                fetch_by(family, BG_JOB_PROXY_USAGE_PRECONFIG, NULL, NULL, L"http://nowhere.invalid/two");
                assert_true(tap_heard(proxy, "GET http://nowhere.invalid/two HTTP/1.1"));
                fetch_by(family, BG_JOB_PROXY_USAGE_NO_PROXY, NULL, NULL, tap_url(direct, "/none"));
                assert_true(tap_heard(direct, "GET /none HTTP/1.1"));
                assert_int_equal(unsetenv("http_proxy"), 0);
        }
        tap_free(proxy);
        tap_free(direct);
}

static void proxy_settings_survive_a_crash(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                BG_JOB_PROXY_USAGE usage;
                LPWSTR list, bypass;

                assert_hr(IBackgroundCopyJob_GetProxySettings(job.com, &usage, &list, &bypass), S_OK);
                assert_int_equal(usage, BG_JOB_PROXY_USAGE_PRECONFIG);
                assert_null(list);
                assert_null(bypass);
                assert_hr(IBackgroundCopyJob_SetProxySettings(job.com, BG_JOB_PROXY_USAGE_OVERRIDE,
                                                              L"http=a:1 https=b:2", L"*.local"),
                          S_OK);
                world_kill_service();
                world_start_service();
                assert_hr(IBackgroundCopyJob_GetProxySettings(job.com, &usage, &list, &bypass), S_OK);
                assert_int_equal(usage, BG_JOB_PROXY_USAGE_OVERRIDE);
                assert_int_equal(wcscmp(list, L"http=a:1 https=b:2"), 0);
                assert_int_equal(wcscmp(bypass, L"*.local"), 0);
                CoTaskMemFree(list);
                CoTaskMemFree(bypass);
                assert_hr(IBackgroundCopyJob_SetProxySettings(job.com, BG_JOB_PROXY_USAGE_PRECONFIG, NULL, NULL), S_OK);
                assert_hr(IBackgroundCopyJob_GetProxySettings(job.com, &usage, &list, &bypass), S_OK);
                assert_true(usage == BG_JOB_PROXY_USAGE_PRECONFIG && !list && !bypass);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.7 "Proxy list / bypass" */
/* SENTENCES: limits.proxy */
static void lists_of_proxies_have_a_limit(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                const wchar_t *fits = long_text(L"http://", 4000), *too_long = long_text(L"http://", 4001);

                assert_hr(IBackgroundCopyJob_SetProxySettings(job.com, BG_JOB_PROXY_USAGE_OVERRIDE, fits, fits), S_OK);
                assert_hr(IBackgroundCopyJob_SetProxySettings(job.com, BG_JOB_PROXY_USAGE_OVERRIDE, too_long, NULL),
                          BG_E_PROXY_LIST_TOO_LARGE);
                assert_hr(IBackgroundCopyJob_SetProxySettings(job.com, BG_JOB_PROXY_USAGE_OVERRIDE, L"http://h", too_long),
                          BG_E_PROXY_BYPASS_LIST_TOO_LARGE);
                job_done(&job);
        }
}

/* ---- properties ---- */

/* CONFORMS: api.md 1.4 BITS_JOB_PROPERTY_ID, 1.7 "Notification interval": default 500 ms */
/* SENTENCES: notify.interval */
static void properties_of_a_job_survive_a_crash(void **state) {
        FOR_EACH_FAMILY(family) {
                BITS_JOB_PROPERTY_VALUE value = {};
                struct job job = job_new(family);
                IBackgroundCopyJob5 *job5;

                assert_hr(IBackgroundCopyJob_QueryInterface(job.com, &IID_IBackgroundCopyJob5, (void **) &job5), S_OK);
                /* delivery-optimization.md 3.3, "Data saver": background jobs have STANDARD, foreground jobs ALWAYS */
                assert_hr(IBackgroundCopyJob5_GetProperty(job5, BITS_JOB_PROPERTY_ID_COST_FLAGS, &value), S_OK);
                assert_int_equal(value.Dword, (DWORD) BITS_JOB_TRANSFER_POLICY_STANDARD);
                assert_hr(IBackgroundCopyJob_SetPriority(job.com, BG_JOB_PRIORITY_FOREGROUND), S_OK);
                assert_hr(IBackgroundCopyJob5_GetProperty(job5, BITS_JOB_PROPERTY_ID_COST_FLAGS, &value), S_OK);
                assert_int_equal(value.Dword, (DWORD) BITS_JOB_TRANSFER_POLICY_ALWAYS);
                value.Dword = (DWORD) BITS_JOB_TRANSFER_POLICY_NOT_ROAMING;
                assert_hr(IBackgroundCopyJob5_SetProperty(job5, BITS_JOB_PROPERTY_ID_COST_FLAGS, value), S_OK);
                if (!family->is_do) {
                        assert_hr(IBackgroundCopyJob5_GetProperty(
                                          job5, BITS_JOB_PROPERTY_MINIMUM_NOTIFICATION_INTERVAL_MS, &value),
                                  S_OK);
                        assert_int_equal(value.Dword, 500);
                        value.Dword = 2000;
                        assert_hr(IBackgroundCopyJob5_SetProperty(
                                          job5, BITS_JOB_PROPERTY_MINIMUM_NOTIFICATION_INTERVAL_MS, value),
                                  S_OK);
                }
                world_kill_service();
                world_start_service();
                assert_hr(IBackgroundCopyJob5_GetProperty(job5, BITS_JOB_PROPERTY_ID_COST_FLAGS, &value), S_OK);
                assert_int_equal(value.Dword, (DWORD) BITS_JOB_TRANSFER_POLICY_NOT_ROAMING);
                if (!family->is_do) {
                        assert_hr(IBackgroundCopyJob5_GetProperty(
                                          job5, BITS_JOB_PROPERTY_MINIMUM_NOTIFICATION_INTERVAL_MS, &value),
                                  S_OK);
                        assert_int_equal(value.Dword, 2000);
                }
                (void) IBackgroundCopyJob5_Release(job5);
                job_done(&job);
        }
}

static void set_max_size(const struct job *job, UINT64 size, HRESULT expected) {
        BITS_JOB_PROPERTY_VALUE value = { .Uint64 = size };
        IBackgroundCopyJob5 *job5;

        assert_hr(IBackgroundCopyJob_QueryInterface(job->com, &IID_IBackgroundCopyJob5, (void **) &job5), S_OK);
        assert_hr(IBackgroundCopyJob5_SetProperty(job5, BITS_JOB_PROPERTY_MAX_DOWNLOAD_SIZE, value), expected);
        if (expected == S_OK) {
                assert_hr(IBackgroundCopyJob5_GetProperty(job5, BITS_JOB_PROPERTY_MAX_DOWNLOAD_SIZE, &value), S_OK);
                assert_true(value.Uint64 == size);
        }
        (void) IBackgroundCopyJob5_Release(job5);
}

/* CONFORMS: api.md 2.1 "MAX_DOWNLOAD_SIZE hit → E 0x80200064"; 1.8 Job5: _AFTER_RESUME, MAX_DOWNLOAD_SIZE_INVALID_VALUE */
/* SENTENCES: job.property.resume state.maxsize */
static void a_job_that_is_too_large_is_in_error(void **state) {
        static const struct {
                const char *first, *second;
                BG_JOB_STATE state;
        } cases[] = {
                { "/x?size=1000", "/y?size=1000", BG_JOB_STATE_TRANSFERRED },
                { "/x?size=1000", "/y?size=1001", BG_JOB_STATE_ERROR },
                { "/x?size=3000", "/y?size=1", BG_JOB_STATE_ERROR },
                { "/x?size=1000&length=missing&close=1", "/y?size=1001&length=missing&close=1", BG_JOB_STATE_ERROR },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct job job = job_new(&families[1]);

                job_add(&job, origin_url(cases[i].first), destination("x"));
                job_add(&job, origin_url(cases[i].second), destination("y"));
                set_max_size(&job, 0, BG_E_MAX_DOWNLOAD_SIZE_INVALID_VALUE);
                set_max_size(&job, UINT64_MAX, S_OK);
                set_max_size(&job, 2000, S_OK);
                job_resume(&job);
                job_wait(&job, cases[i].state);
                if (cases[i].state == BG_JOB_STATE_ERROR)
                        assert_hr(error_of(&job), BG_E_MAX_DOWNLOAD_SIZE_LIMIT_REACHED);
                set_max_size(&job, 5000, BG_E_READ_ONLY_PROPERTY_AFTER_RESUME);
                job_done(&job);
        }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(headers_are_kept_until_they_are_cleared),
                cmocka_unit_test(what_is_no_header_of_the_client_is_refused),
                cmocka_unit_test(headers_go_to_the_server_of_the_job),
                needs_the_real_one(headers_go_to_nobody_behind_a_redirect, "requests of its own making behind redirects"),
                cmocka_unit_test(write_only_headers_are_sent_but_never_told),
                cmocka_unit_test(redirects_are_taken_as_the_job_says),
                cmocka_unit_test(unknown_security_flags_are_refused),
                cmocka_unit_test(a_client_certificate_is_named_and_told_and_taken_away),
                cmocka_unit_test(another_method_is_sent_once_and_in_the_foreground),
                cmocka_unit_test(bytes_come_through_the_proxy_that_the_job_names),
                cmocka_unit_test(a_file_tells_the_headers_of_its_last_answer),
                cmocka_unit_test(proxy_settings_survive_a_crash),
                cmocka_unit_test(lists_of_proxies_have_a_limit),
                cmocka_unit_test(a_job_that_is_too_large_is_in_error),
                cmocka_unit_test(properties_of_a_job_survive_a_crash),
        };

        return world_run(argc, argv, "HTTP options and properties of jobs", NULL, tests, ELEMENTSOF(tests));
}
