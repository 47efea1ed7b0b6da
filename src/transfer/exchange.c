#include "transfer/exchange.h"

#include <string.h>
#include <systemd/sd-event.h>

#include "base/strings.h"

#include "config.h"

#define DRAIN_BYTES_MAX (64u * 1024)          /* a body that nobody wants is read so far, to keep the connection */
#define BURST_USEC (USEC_PER_SEC / 16)        /* what a rate allows in this time may come at once */
/* Shorter ones are taken together; longer ones would look like a queue to the scavenger of a background connection (measured: 62 ms) */
#define PAUSE_MIN_USEC (10 * USEC_PER_MSEC)
#define BUFFER_SIZE_PACED (2L * 1024)         /* at least; if the limit goes away, the rest of the file costs 15 % more CPU (measured) */
#define BUFFER_SIZE_SMALL (64L * 1024)
#define BUFFER_SIZE_LARGE (512L * 1024)       /* libcurl's maximum; fewer system calls for large files (measured) */
#define CONNECTION_LIFETIME_SECONDS 3600L     /* then names are looked up anew */
#define CONNECTION_IDLE_SECONDS 60L
#define NAMES_SECONDS 3600L                   /* longer than an exchange waits for its connection: libcurl can ask nobody */
#define CUSTOM_HEADER_MAX 8192

/* Fields that are ours alone: what they say is judged afterwards, or they would change where cookies go. */
static const char *const own_fields[] = {
        "Range", "If-Range", "Accept-Encoding", "Host", "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization",
        "Transfer-Encoding", "TE", "Trailer", "Content-Length", "Upgrade", "Expect",
};

static bool field_is_own(const char *line, size_t name_len) {
        for (size_t i = 0; i < ELEMENTSOF(own_fields); i++)
                if (strlen(own_fields[i]) == name_len && strncasecmp(own_fields[i], line, name_len) == 0)
                        return true;
        return false;
}

static int append(struct curl_slist **list, const char *s) {
        struct curl_slist *longer = curl_slist_append(*list, s);

        if (!longer)
                return -ENOMEM;
        *list = longer;
        return 0;
}

/* "Name: value" only. libcurl's special forms ("Name:" removes, "Name;" sends it empty) are not for users. */
static int append_custom(struct curl_slist **list, const char *line, size_t len) {
        char copy[CUSTOM_HEADER_MAX];
        const char *colon;

        if (len == 0)
                return 0;
        colon = memchr(line, ':', len);
        if (!colon || colon == line || len >= sizeof(copy) || line[0] == ' ' || line[0] == '\t')
                return 0;
        memcpy(copy, line, len);
        copy[len] = 0;
        if (string_has_control(copy) || strspn(colon + 1, " ") >= (size_t) (line + len - colon - 1))
                return 0;
        return append(list, copy);
}

/* The next line behind @at, or NULL; its length with and its field's name. */
static const char *next_line(const char **at, size_t *ret_len, size_t *ret_name) {
        const char *line = *at;

        if (!line || !*line)
                return NULL;
        *ret_len = strcspn(line, "\r\n");
        *ret_name = MIN(strcspn(line, ":"), *ret_len);
        *at = line + *ret_len;
        *at += strspn(*at, "\r\n");
        return line;
}

static bool names_proxy(const char *line, size_t name) {
        static const char field[] = "Proxy-Authorization";

        return name == strlen(field) && strncasecmp(line, field, name) == 0;
}

static bool has_field(const char *lines, const char *field, size_t n_field) {
        size_t len, name;
        const char *line;

        while ((line = next_line(&lines, &len, &name)))
                if (name == n_field && strncasecmp(line, field, name) == 0)
                        return true;
        return false;
}

bool exchange_can_answer(const char *auth_headers, bool proxy) {
        size_t len, name;
        const char *line;

        while ((line = next_line(&auth_headers, &len, &name)))
                if (names_proxy(line, name) == proxy)
                        return true;
        return false;
}

/* Each to whom it is for, if that one asked. */
static int append_auth(struct exchange *exchange, const struct exchange_spec *spec) {
        const char *at = spec->auth_headers, *line;
        size_t len, name;
        int r = 0;

        while (r == 0 && (line = next_line(&at, &len, &name))) {
                if (names_proxy(line, name)) {
                        if (spec->answers_proxy)
                                r = append_custom(&exchange->proxy_headers, line, len);
                } else if (spec->answers_server && !field_is_own(line, name))
                        r = append_custom(&exchange->headers, line, len);
        }
        return r;
}

static int append_all_custom(struct exchange *exchange, const struct exchange_spec *spec) {
        const char *at = spec->custom_headers, *instead = spec->answers_server ? spec->auth_headers : NULL, *line;
        size_t len, name;
        int r = 0;

        while (r == 0 && (line = next_line(&at, &len, &name)))
                if (!field_is_own(line, name) && !has_field(instead, line, name))
                        r = append_custom(&exchange->headers, line, len);
        return r;
}

/* Servers wait for the length of such a request (RFC 9110 section 8.6). */
static bool method_has_content(const char *method) {
        static const char *const methods[] = { "POST", "PUT", "PATCH" };

        for (size_t i = 0; method && i < ELEMENTSOF(methods); i++)
                if (streq(method, methods[i]))
                        return true;
        return false;
}

static int make_headers(struct exchange *exchange, const struct exchange_spec *spec) {
        int r;

        r = append(&exchange->headers, "Accept-Encoding: identity");
        if (r == 0 && method_has_content(spec->method))
                r = append(&exchange->headers, "Content-Length: 0");
        if (r == 0 && spec->ask->ranged && spec->ask->range[0])
                r = append(&exchange->headers, spec->ask->range);
        if (r == 0 && spec->ask->has_if_range)
                r = append(&exchange->headers, spec->ask->if_range);
        if (r == 0)
                r = append_auth(exchange, spec);
        return r == 0 ? append_all_custom(exchange, spec) : r;
}

static uint64_t now_usec(const struct exchange *exchange) {
        uint64_t usec = 0;

        (void) sd_event_now(exchange->event, CLOCK_MONOTONIC, &usec);
        return usec;
}

static bool is_paused(const struct exchange *exchange) {
        int enabled = SD_EVENT_OFF;

        return exchange->pause && sd_event_source_get_enabled(exchange->pause, &enabled) >= 0 && enabled != SD_EVENT_OFF;
}

bool exchange_is_resting(const struct exchange *exchange) {
        return exchange->held || is_paused(exchange) || socket_use_is_resting(&exchange->use);
}

/* For a pause in one direction only, libcurl 7.88 reads once more. Where streams share a connection it must: what nobody takes is in the way
 * of what comes for the others. */
static void stop_reading(struct exchange *exchange) {
        (void) curl_easy_pause(exchange->easy, exchange->facts.version_major == 1 ? CURLPAUSE_ALL : CURLPAUSE_RECV);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata);

/* Without memory for the timer the limit does not hold, but the bytes come. */
static void pause_for(struct exchange *exchange, uint64_t usec) {
        int r = 0;

        if (!exchange->pause)
                r = sd_event_add_time(exchange->event, &exchange->pause, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_pause_over, exchange);
        if (r < 0 || sd_event_source_set_time(exchange->pause, now_usec(exchange) + usec) < 0 ||
            sd_event_source_set_enabled(exchange->pause, SD_EVENT_ONESHOT) < 0)
                return;
        stop_reading(exchange);
}

/* What libcurl kept comes through on_body() from within, which may pause it again. If that refuses it, libcurl tells us alone, and would
 * go on behind it. */
static void read_on(struct exchange *exchange) {
        if (exchange_is_resting(exchange))
                return;
        exchange->broken = curl_easy_pause(exchange->easy, CURLPAUSE_CONT);
        if (exchange->broken != CURLE_OK)
                pause_for(exchange, 0);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata) {
        struct exchange *exchange = ASSERT_PTR(userdata);

        if (exchange->broken != CURLE_OK)
                exchange->callbacks->broken(exchange->userdata, exchange->broken);
        else if (exchange->callbacks->goes_on(exchange->userdata))
                read_on(exchange);
        return 0;
}

/* sockets.h says so. */
static void rest(void *userdata, bool resting) {
        struct exchange *exchange = ASSERT_PTR(userdata);

        if (resting)
                return stop_reading(exchange);
        exchange->callbacks->rested(exchange->userdata);
        read_on(exchange);
}

/* What came after the headers of an answer whose body nobody wants. */
static bool is_worth_draining(const struct exchange *exchange) {
        const struct response_facts *facts = &exchange->facts;

        return facts->content_length_state != HEADER_VALID || facts->content_length <= DRAIN_BYTES_MAX;
}

static void judge(struct exchange *exchange) {
        exchange->judged = true;
        exchange->verdict = exchange->callbacks->judge(exchange->userdata);
        response_facts_seal(&exchange->facts);
        exchange->drain_left = DRAIN_BYTES_MAX;
        if (exchange->verdict.action == VERDICT_WRITE && exchange->facts.version_major == 1)
                socket_use_can_rest(&exchange->use, rest, exchange);
}

void exchange_judge_challenge(struct exchange *exchange) {
        exchange->challenged = false;
        judge(exchange);
}

/* Digest needs the word of the other before it can say its own: that answer is not the file's. Behind a proxy that asked, the server may. */
static bool take_first_challenge(struct exchange *exchange) {
        unsigned status = exchange->facts.status;
        bool *may_ask = status == 401 ? &exchange->server_may_ask : status == 407 ? &exchange->proxy_may_ask : NULL;

        if (!may_ask || !*may_ask)
                return false;
        *may_ask = false;
        exchange->challenged = true;
        return true;
}

/* A server of TLS 1.3 that misses a certificate says so and closes while we send already. libcurl reads that only when it closes the
 * connection, and after such an error it would keep it for the next request. So none is kept whose server asked and has not answered yet. */
static void keep_connection(struct exchange *exchange, bool keep) {
        (void) curl_easy_setopt(exchange->easy, CURLOPT_FORBID_REUSE, keep && !exchange->alone ? 0L : 1L);
        if (keep)
                exchange->tls_watch.certificate_wanted = false;
}

/* libcurl asks again by itself when an HTTP/2 stream is refused or belongs to HTTP/1.1, whatever of the answer it has handed over. */
static bool is_another_answer(const struct exchange *exchange, const char *line, size_t size) {
        return exchange->judged && size >= 5 && memcmp(line, "HTTP/", 5) == 0;
}

static size_t on_header(char *line, size_t size, size_t n, void *userdata) {
        struct exchange *exchange = ASSERT_PTR(userdata);
        bool was_complete = response_facts_is_complete(&exchange->facts);

        exchange->began_anew = exchange->began_anew || is_another_answer(exchange, line, size * n);
        if (exchange->began_anew)
                return 0;
        if (exchange->tls_watch.certificate_wanted)
                keep_connection(exchange, true); /* it does without */
        exchange->header_error = response_facts_add_header(&exchange->facts, line, size * n);
        if (exchange->header_error < 0)
                return 0;
        if (was_complete || exchange->judged || !response_facts_is_complete(&exchange->facts))
                return size * n;
        if (take_first_challenge(exchange))
                return size * n;
        exchange->challenged = false;
        judge(exchange);
        if (exchange->verdict.action != VERDICT_WRITE && !is_worth_draining(exchange))
                return 0;
        return size * n;
}

void exchange_hold(struct exchange *exchange) {
        exchange->held = true;
        stop_reading(exchange);
}

void exchange_go_on(struct exchange *exchange) {
        if (!exchange->held)
                return;
        exchange->held = false;
        read_on(exchange);
}

static void keep_pace(struct exchange *exchange, size_t size) {
        uint64_t rate = exchange->pace.max_rate, wait;

        socket_use_keep_clamp(&exchange->use);
        if (rate == UINT64_MAX)
                return;
        wait = bucket_take(&exchange->bucket, rate, size, now_usec(exchange));
        if (wait < PAUSE_MIN_USEC && (double) wait * (double) rate < (double) BUFFER_SIZE_SMALL * (double) USEC_PER_SEC)
                return;
        pause_for(exchange, wait);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *userdata) {
        struct exchange *exchange = ASSERT_PTR(userdata);
        uint64_t left, total = size * n;

        if (exchange->broken != CURLE_OK)
                return 0;
        if (exchange_is_resting(exchange) && exchange->facts.version_major == 1)
                return CURL_WRITEFUNC_PAUSE; /* one read of libcurl's is many of these calls, and what it kept for us, too */
        exchange->n_fetched += total;
        if (exchange->challenged)
                exchange_judge_challenge(exchange); /* of one that it answers, libcurl keeps the body to itself */
        if (!exchange->judged)
                return 0; /* libcurl sends headers first; no byte is written without a verdict */
        if (exchange->verdict.action != VERDICT_WRITE) {
                if (total > exchange->drain_left)
                        return 0;
                exchange->drain_left -= total;
                return size * n;
        }
        left = exchange->verdict.body_limit - exchange->n_body;
        exchange->too_long = total > left;
        left = MIN(left, total);
        if (left > 0) {
                exchange->body_error = exchange->callbacks->body(exchange->userdata, bytes, (size_t) left);
                if (exchange->body_error < 0)
                        return 0;
                exchange->n_body += left;
                keep_pace(exchange, total);
        }
        return exchange->too_long ? 0 : size * n;
}

static void hold_socket(struct exchange *exchange, const char *address, int port, const char *local_address, int local_port) {
        struct socket_name name = { .remote_port = port, .local_port = local_port };

        string_copy(name.remote, sizeof(name.remote), address);
        string_copy(name.local, sizeof(name.local), local_address);
        socket_use_begin(&exchange->use, exchange->sockets, &name, exchange->pace.foreground, exchange->pace.max_rate);
}

void exchange_cut_if_silent(const struct exchange *exchange, uint64_t usec) {
        socket_use_cut_if_silent(&exchange->use, usec);
}

uint64_t exchange_allowed_rate(const struct exchange *exchange, uint64_t since_usec) {
        return MIN(exchange->pace.max_rate, socket_use_allowed_rate(&exchange->use, since_usec));
}

void exchange_set_pace(struct exchange *exchange, const struct ipc_pace *pace) {
        uint64_t old_rate = exchange->pace.max_rate, wait;

        exchange->pace = *pace;
        socket_use_set_pace(&exchange->use, pace->foreground, pace->max_rate);
        if (pace->max_rate == old_rate)
                return;
        wait = bucket_change_rate(&exchange->bucket, old_rate, pace->max_rate, now_usec(exchange));
        if (is_paused(exchange)) /* it was to last as long as the old rate asked for */
                (void) sd_event_source_set_time(exchange->pause, now_usec(exchange) + wait);
}

static bool refuses_address(const struct exchange *exchange, const struct sockaddr *address) {
        return exchange->only_public && !address_redirect_is_allowed(true, address);
}

/* Not even a SYN goes to an address that is refused, whoever said that the name has it. libcurl then tries the name's next one. */
static curl_socket_t on_open(void *userdata, curlsocktype purpose, struct curl_sockaddr *address) {
        struct exchange *exchange = ASSERT_PTR(userdata);

        if (refuses_address(exchange, &address->addr)) {
                exchange->address_refused = true;
                (void) address_to_text(&address->addr, exchange->address);
                return CURL_SOCKET_BAD;
        }
        return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* A connection is there, and nothing was asked yet: the last word on where it ends. It may be an old one from the pool, of a time when
 * the name had another address. */
static int on_connected(void *userdata, char *address, char *local_address, int port, int local_port) {
        struct exchange *exchange = ASSERT_PTR(userdata);
        struct sockaddr_storage sockaddr;
        socklen_t len;

        string_copy(exchange->address, sizeof(exchange->address), address);
        exchange->address_refused = address_parse_host(exchange->address, 0, &sockaddr, &len) != 1
                                            ? exchange->only_public
                                            : refuses_address(exchange, (const struct sockaddr *) &sockaddr);
        if (exchange->address_refused)
                return CURL_PREREQFUNC_ABORT;
        if (exchange->tls.gate && !certificate_gate_passes(exchange->tls.gate, exchange->easy))
                return CURL_PREREQFUNC_ABORT;
        if (exchange->https)
                tls_watch_start(&exchange->tls_watch, exchange->easy);
        keep_connection(exchange, !exchange->tls_watch.certificate_wanted);
        hold_socket(exchange, address, port, local_address, local_port);
        exchange->callbacks->connected(exchange->userdata);
        return CURL_PREREQFUNC_OK;
}

static CURLcode set_callbacks(struct exchange *exchange) {
        CURL *easy = exchange->easy;
        CURLcode c = CURLE_OK;

        c |= curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange->userdata);
        c |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->error);
        c |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
        c |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
        c |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        c |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
        c |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
        c |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, exchange);
        c |= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
        c |= curl_easy_setopt(easy, CURLOPT_PREREQDATA, exchange);
        return c;
}

static CURLcode set_policy(CURL *easy) {
        CURLcode c = CURLE_OK;

        c |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        c |= curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
        c |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        c |= curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
        c |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); /* request.c follows, by redirect.h */
        c |= curl_easy_setopt(easy, CURLOPT_FAILONERROR, 0L);    /* with it libcurl takes a 416 for success */
        c |= curl_easy_setopt(easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
        c |= curl_easy_setopt(easy, CURLOPT_UNRESTRICTED_AUTH, 0L);
        c |= curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
        c |= curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* a proxy's answer is not the file's */
        c |= curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long) CURLHEADER_SEPARATE); /* ours are not the proxy's */
        c |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "dosvc/" DOSVC_VERSION);
        c |= curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, CONNECTION_LIFETIME_SECONDS);
        c |= curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, CONNECTION_IDLE_SECONDS);
        c |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
        c |= curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 0L); /* keep_connection() */
        return c;
}

/* Without credentials of the job: only what the URL's user info says, as Basic. */
static unsigned long auth_mask(const char *credentials, uint32_t schemes) {
        unsigned long mask = 0;

        if (!credentials)
                return CURLAUTH_BASIC;
        if (schemes & ENGINE_AUTH_BASIC)
                mask |= CURLAUTH_BASIC;
        if (schemes & ENGINE_AUTH_DIGEST)
                mask |= CURLAUTH_DIGEST;
        return mask;
}

static CURLcode set_credentials(CURL *easy, const struct exchange_spec *spec) {
        CURLcode c = CURLE_OK;

        c |= curl_easy_setopt(easy, CURLOPT_USERPWD, spec->credentials);
        c |= curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long) auth_mask(spec->credentials, spec->credentials_schemes));
        c |= curl_easy_setopt(easy, CURLOPT_PROXYUSERPWD, spec->proxy_credentials);
        c |= curl_easy_setopt(easy, CURLOPT_PROXYAUTH, (long) auth_mask(spec->proxy_credentials, spec->proxy_schemes));
        return c;
}

/* Not copied: libcurl would not wipe its copy of the key. */
static CURLcode set_certificate(CURL *easy, const struct exchange_spec *spec) {
        struct curl_blob certificate = { .flags = CURL_BLOB_NOCOPY }, key = { .flags = CURL_BLOB_NOCOPY };
        CURLcode c = CURLE_OK;

        if (!spec->client_certificate)
                return curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, NULL) | curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, NULL);
        certificate.data = (void *) spec->client_certificate;
        certificate.len = strlen(spec->client_certificate);
        key.data = (void *) spec->client_key;
        key.len = strlen(spec->client_key);
        c |= curl_easy_setopt(easy, CURLOPT_SSLCERTTYPE, "PEM");
        c |= curl_easy_setopt(easy, CURLOPT_SSLKEYTYPE, "PEM");
        c |= curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &certificate);
        c |= curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
        return c;
}

/* TLS hands out records of 16 KiB at most, so a large buffer only costs memory there; in smaller pieces, too. With a limit, what is read at
 * once is what comes in one burst. libcurl cannot change it any more once bytes came. */
static long buffer_size(const struct exchange_spec *spec) {
        long size = spec->is_large && !spec->https ? BUFFER_SIZE_LARGE : BUFFER_SIZE_SMALL;

        return (long) CLAMP(spec->pace.max_rate / (USEC_PER_SEC / BURST_USEC), (uint64_t) BUFFER_SIZE_PACED, (uint64_t) size);
}

static CURLcode set_target(struct exchange *exchange, const struct exchange_spec *spec) {
        uint64_t connect_msec = spec->connect_timeout_usec / USEC_PER_MSEC;
        CURL *easy = exchange->easy;
        CURLcode c = CURLE_OK;

        c |= curl_easy_setopt(easy, CURLOPT_URL, spec->url);
        c |= curl_easy_setopt(easy, CURLOPT_CURLU, spec->parsed); /* what was judged, and need not be parsed again */
        c |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, spec->method);
        /* On an old connection libcurl sends a request again that was not answered. */
        c |= curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, spec->method || spec->fresh || spec->alone ? 1L : 0L);
        c |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers);
        c |= curl_easy_setopt(easy, CURLOPT_PROXYHEADER, exchange->proxy_headers);
        c |= curl_easy_setopt(easy, CURLOPT_RESOLVE, exchange->resolve);
        c |= curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, NAMES_SECONDS);
        c |= curl_easy_setopt(easy, CURLOPT_PROXY, spec->proxy->url); /* "" keeps libcurl from the environment */
        c |= curl_easy_setopt(easy, CURLOPT_NOPROXY, ""); /* was judged already */
        c |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) MIN(MAX(connect_msec, UINT64_C(1)), (uint64_t) INT32_MAX));
        /* A handle that has a buffer from an HTTP/2 stream refuses another size, and keeps the default. */
        (void) curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, buffer_size(spec));
        /* HTTP/2 only where ALPN can say so: a server that answers "HTTP/2" in the clear would have libcurl believe that all requests to
         * it can share that connection, and they would wait for it. */
        c |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) (spec->https && !spec->alone ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
        /* Wait for a connection that may turn out to be HTTP/2 rather than opening six. */
        c |= curl_easy_setopt(easy, CURLOPT_PIPEWAIT, spec->https && !spec->alone ? 1L : 0L);
        return c;
}

void exchange_clear(struct exchange *exchange) {
        memset(exchange, 0, offsetof(struct exchange, facts));
}

int exchange_prepare(struct exchange *exchange, const struct exchange_spec *spec, const struct exchange_callbacks *callbacks,
                     void *userdata) {
        CURL *easy = exchange->easy;
        int r;

        exchange_done(exchange);
        exchange_clear(exchange);
        exchange->easy = easy;
        exchange->callbacks = callbacks;
        exchange->userdata = userdata;
        exchange->sockets = spec->sockets;
        exchange->pace = spec->pace;
        exchange->event = spec->event;
        exchange->only_public = spec->only_public;
        exchange->alone = spec->alone;
        exchange->https = spec->https;
        exchange->server_may_ask = spec->credentials && (spec->credentials_schemes & ENGINE_AUTH_DIGEST);
        exchange->proxy_may_ask = spec->proxy_credentials && (spec->proxy_schemes & ENGINE_AUTH_DIGEST);
        exchange->tls = (struct tls_policy) { spec->authorities, spec->ignore_certificate, spec->check_revocation, NULL, &exchange->tls_watch,
                                              spec->client_certificate };
        exchange->resolve = spec->resolve;
        response_facts_init(&exchange->facts);
        r = make_headers(exchange, spec);
        if (r == 0 && spec->judge_certificate && spec->https)
                r = certificate_gate_new(spec->accepted, spec->n_accepted, spec->ignore_certificate & ENGINE_IGNORE_NAME ? NULL : spec->host,
                                         &exchange->tls.gate);
        if (r < 0)
                return r;
        if (set_callbacks(exchange) != CURLE_OK || set_policy(easy) != CURLE_OK || set_target(exchange, spec) != CURLE_OK ||
            set_credentials(easy, spec) != CURLE_OK || set_certificate(easy, spec) != CURLE_OK || sockets_apply(spec->sockets, easy, spec->group) != CURLE_OK)
                return -EINVAL;
        return authorities_apply(&exchange->tls, easy);
}

void exchange_ended(struct exchange *exchange) {
        socket_use_end(&exchange->use);
        tls_watch_stop(&exchange->tls_watch);
        exchange->pause = sd_event_source_disable_unref(exchange->pause);
}

void exchange_done(struct exchange *exchange) {
        exchange_ended(exchange);
        exchange->tls.gate = certificate_gate_unref(exchange->tls.gate);
        curl_slist_free_all(TAKE_PTR(exchange->headers));
        curl_slist_free_all(TAKE_PTR(exchange->proxy_headers));
        curl_slist_free_all(TAKE_PTR(exchange->resolve));
}

bool exchange_ended_in_order(const struct exchange *exchange, CURLcode code) {
        if (code != CURLE_OK)
                return false;
        return !exchange->https || exchange->verdict.delimited || exchange->tls_watch.close_notify;
}

const char *exchange_error_text(const struct exchange *exchange, CURLcode code) {
        return exchange->error[0] ? exchange->error : curl_easy_strerror(code);
}
