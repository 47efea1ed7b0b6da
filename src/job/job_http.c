/* What a job says about its requests: headers of its own, and how redirects are taken. */
#include "job/internal.h"

#include "base/strings.h"
#include "protocol/certificates.h"

#define HEADER_LINE_MAX 8192 /* bytes; the transfer takes no longer ones, and none without a value */

static bool is_token_char(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool text_is_name(const char *text, size_t n, const char *name) {
        return strlen(name) == n && strncasecmp(text, name, n) == 0;
}

/* What the transfer says itself: somebody else's word for it would break ranges, framing or the connection. */
static bool name_is_ours(const char *name, size_t n) {
        static const char *const ours[] = {
                "Accept-Encoding",
                "Connection",
                "Content-Length",
                "Expect",
                "Host",
                "Proxy-Connection",
                "If-Match",
                "If-Modified-Since",
                "If-None-Match",
                "If-Range",
                "If-Unmodified-Since",
                "Keep-Alive",
                "Proxy-Authorization",
                "Range",
                "TE",
                "Trailer",
                "Transfer-Encoding",
                "Upgrade",
        };

        for (size_t i = 0; i < ELEMENTSOF(ours); i++)
                if (text_is_name(name, n, ours[i]))
                        return true;
        return false;
}

static bool line_is_valid(const char *line, size_t n, bool for_challenge) {
        size_t name = 0;

        while (name < n && is_token_char(line[name]))
                name++;
        if (name == 0 || name == n || line[name] != ':')
                return false;
        if (name_is_ours(line, name) && !(for_challenge && text_is_name(line, name, "Proxy-Authorization")))
                return false;
        if (n >= HEADER_LINE_MAX || strspn(line + name + 1, " ") >= n - name - 1)
                return false;
        for (size_t i = name + 1; i < n; i++)
                if (((uint8_t) line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f)
                        return false;
        return true;
}

/* "Name: value" with CR LF between; one more at the end does no harm. */
static bool headers_are_valid(const char *headers, bool for_challenge) {
        while (*headers) {
                const char *end = strstr(headers, "\r\n");
                size_t n = end ? (size_t) (end - headers) : strlen(headers);

                if (!line_is_valid(headers, n, for_challenge))
                        return false;
                headers += n + (end ? 2 : 0);
        }
        return true;
}

bool job_has_lost_secret(const struct job *job) {
        bool lost = secret_is_lost(&job->custom_headers) || secret_is_lost(&job->auth_headers) || secret_is_lost(&job->proxy_list) ||
                    secret_is_lost(&job->proxy_environment);

        for (int i = 0; i < _JOB_AUTH_TARGET_MAX; i++)
                for (int j = 0; j < _JOB_AUTH_SCHEME_MAX; j++)
                        lost = lost || secret_is_lost(&job->credentials[i][j]);
        return lost;
}

int job_set_credentials(struct job *job, enum job_auth_target target, enum job_auth_scheme scheme, const char *text,
                        uint64_t now_usec) {
        const char *colon = strchr(text, ':');
        int r;

        if (*text) {
                /* A name with a colon cannot be told from its password (RFC 7617 section 2, RFC 7616 section 3.4.2). */
                if (!colon || colon == text || !utf8_is_valid(text, SIZE_MAX) || string_has_control(text))
                        return ERROR_INVALID_ARGUMENT;
                if (colon - text > 4 * LIMIT_USER_NAME || utf8_length(text) - utf8_length(colon) > LIMIT_USER_NAME)
                        return ERROR_USER_NAME_TOO_LARGE;
                if (strlen(colon + 1) > LIMIT_PASSWORD)
                        return ERROR_PASSWORD_TOO_LARGE;
        }
        r = secret_set(&job->credentials[target][scheme], text);
        if (r < 0)
                return r;
        job->modified_usec = now_usec;
        return 0;
}

uint32_t job_credentials_set(const struct job *job) {
        uint32_t bits = 0;

        for (int i = 0; i < _JOB_AUTH_TARGET_MAX; i++)
                for (int j = 0; j < _JOB_AUTH_SCHEME_MAX; j++)
                        if (!secret_is_none(&job->credentials[i][j]))
                                bits |= UINT32_C(1) << (i * _JOB_AUTH_SCHEME_MAX + j);
        return bits;
}

const char *job_credentials_for(const struct job *job, enum job_auth_target target, uint32_t *ret_schemes) {
        const char *basic = secret_text(&job->credentials[target][JOB_AUTH_BASIC]);
        const char *digest = secret_text(&job->credentials[target][JOB_AUTH_DIGEST]);

        *ret_schemes = digest ? 1 << JOB_AUTH_DIGEST : 0;
        if (basic && (!digest || streq(basic, digest)))
                *ret_schemes |= 1 << JOB_AUTH_BASIC;
        return digest ?: basic;
}

static int set_headers(struct job *job, struct secret *secret, const char *headers, bool for_challenge, uint64_t now_usec) {
        int r;

        if (strlen(headers) >= LIMIT_CUSTOM_HEADERS)
                return ERROR_STRING_TOO_LONG;
        if (!utf8_is_valid(headers, SIZE_MAX) || !headers_are_valid(headers, for_challenge))
                return ERROR_INVALID_ARGUMENT;
        r = secret_set(secret, headers);
        if (r < 0)
                return r;
        job->modified_usec = now_usec;
        return 0;
}

int job_set_custom_headers(struct job *job, const char *headers, uint64_t now_usec) {
        return set_headers(job, &job->custom_headers, headers, false, now_usec);
}

int job_set_auth_headers(struct job *job, const char *headers, uint64_t now_usec) {
        return set_headers(job, &job->auth_headers, headers, true, now_usec);
}

int job_set_client_certificate(struct job *job, const char *name, uint64_t now_usec) {
        char text[CERTIFICATE_TEXT_MAX + 1], *copy = NULL;
        struct certificate_name parsed;

        if (*name) {
                if (certificate_name_parse(name, &parsed) < 0 || certificate_name_print(&parsed, text) < 0)
                        return ERROR_INVALID_ARGUMENT;
                if (parsed.place != CERTIFICATE_CURRENT_USER && parsed.place != CERTIFICATE_LOCAL_MACHINE)
                        return ERROR_NOT_IMPLEMENTED;
                copy = strdup(text); /* one form for each */
                if (!copy)
                        return -ENOMEM;
        }
        free(job->client_certificate);
        job->client_certificate = copy;
        job->modified_usec = now_usec;
        return 0;
}

/* A token (RFC 9110 section 9.1) whose answer has content of its own: that to HEAD has none, that to CONNECT is a tunnel, and that to
 * TRACE repeats the request with its secrets. */
static bool method_is_valid(const char *method) {
        static const char *const useless[] = { "CONNECT", "HEAD", "TRACE" };
        size_t n = strlen(method);

        if (n == 0 || n > LIMIT_HTTP_METHOD)
                return false;
        for (size_t i = 0; i < n; i++)
                if (!is_token_char(method[i]))
                        return false;
        for (size_t i = 0; i < ELEMENTSOF(useless); i++)
                if (text_is_name(method, n, useless[i]))
                        return false;
        return true;
}

int job_set_http_method(struct job *job, const char *method, uint64_t now_usec) {
        bool is_default = streq(method, "GET");
        char *copy = NULL;
        int r = 0;

        if (job->resumed)
                return ERROR_READ_ONLY_AFTER_RESUME;
        if (!method_is_valid(method))
                return ERROR_INVALID_ARGUMENT;
        for (size_t i = 0; !is_default && i < job->n_files; i++)
                if (job->files[i]->n_ranges > 0)
                        return ERROR_NOT_SUPPORTED_WITH_METHOD;
        if (!is_default && (job->on_demand || job->dynamic_content))
                return ERROR_NOT_SUPPORTED_WITH_METHOD;
        if (!is_default && !(copy = strdup(method)))
                return -ENOMEM;
        if (copy)
                r = job_set_priority(job, JOB_PRIORITY_FOREGROUND, now_usec);
        free(job->http_method);
        job->http_method = copy;
        job->modified_usec = now_usec;
        return r;
}

int job_set_security_flags(struct job *job, uint32_t flags, uint64_t now_usec) {
        uint32_t policy = flags & JOB_SECURITY_REDIRECT_MASK;

        if (flags & ~(uint32_t) (JOB_SECURITY_CHECK_REVOCATION | JOB_SECURITY_IGNORE_MASK | JOB_SECURITY_REDIRECT_MASK |
                                   JOB_SECURITY_REDIRECT_INSECURE))
                return ERROR_NOT_IMPLEMENTED;
        if (policy != 0 && policy != JOB_SECURITY_REDIRECT_REPORT && policy != JOB_SECURITY_REDIRECT_DISALLOW)
                return ERROR_NOT_IMPLEMENTED;
        job->security_flags = flags;
        job->modified_usec = now_usec;
        return 0;
}

void job_change_owner(struct job *job, uid_t owner, uint64_t now_usec) {
        job->owner = owner;
        secret_done(&job->custom_headers);
        secret_done(&job->auth_headers);
        for (int target = 0; target < _JOB_AUTH_TARGET_MAX; target++)
                for (int scheme = 0; scheme < _JOB_AUTH_SCHEME_MAX; scheme++)
                        secret_done(&job->credentials[target][scheme]);
        job->custom_headers_write_only = false;
        (void) strdup_to(&job->client_certificate, NULL);
        (void) strdup_to(&job->lying_hosts, NULL);
        for (size_t i = 0; i < job->n_files; i++)
                job_file_forget_givers(job->files[i]);
        (void) strdup_to(&job->notify_command, NULL);
        (void) strdup_to(&job->notify_parameters, NULL);
        job->proxy_usage = JOB_PROXY_PRECONFIG;
        secret_done(&job->proxy_list);
        secret_done(&job->proxy_environment);
        (void) strdup_to(&job->proxy_bypass, NULL);
        job->modified_usec = now_usec;
}
