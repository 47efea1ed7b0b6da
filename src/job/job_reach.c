/* Where the hosts are that a job fetches from, as far as can be told without asking anybody. */
#include "job/internal.h"

#include "base/address.h"
#include "base/strings.h"

#define NAME_MAX_CHARS 253 /* RFC 1035: a longer one is no host's */

static enum host_kind kind_of_address(const struct sockaddr *address) {
        switch (address_classify(address)) {
        case ADDRESS_LOOPBACK:
        case ADDRESS_UNSPECIFIED:
                return HOST_LOOPBACK;
        case ADDRESS_LINK_LOCAL:
        case ADDRESS_PRIVATE:
                return HOST_LOCAL_ADDRESS;
        default:
                return HOST_ADDRESS;
        }
}

static bool name_is_in(const char *name, const char *domain) {
        size_t n = strlen(name), n_domain = strlen(domain);

        return n >= n_domain && strcasecmp(name + n - n_domain, domain) == 0 && (n == n_domain || name[n - n_domain - 1] == '.');
}

/* RFC 6761, 6762, 8375, and what ICANN set aside. */
static enum host_kind kind_of_name(const char *name) {
        static const char *const local[] = { "local", "internal", "home.arpa", "lan" };

        if (name_is_in(name, "localhost"))
                return HOST_LOOPBACK;
        for (size_t i = 0; i < ELEMENTSOF(local); i++)
                if (name_is_in(name, local[i]))
                        return HOST_LOCAL_NAME;
        return strchr(name, '.') ? HOST_NAME : HOST_LOCAL_NAME;
}

enum host_kind job_host_kind(const char *authority, size_t n) {
        const char *at = memrchr(authority, '@', n), *colon;
        struct sockaddr_storage address;
        char host[NAME_MAX_CHARS + 2];
        socklen_t n_address;

        if (at) {
                n -= (size_t) (at + 1 - authority);
                authority = at + 1;
        }
        colon = memrchr(authority, ':', n);
        if (colon && (memchr(authority, ':', n) == colon || colon[-1] == ']'))
                n = (size_t) (colon - authority); /* a port; other colons are an IPv6 address's own */
        if (n == 0 || n >= sizeof(host))
                return HOST_NAME;
        memcpy(host, authority, n);
        host[n] = 0;
        if (address_parse_host(host, 0, &address, &n_address) > 0)
                return kind_of_address((const struct sockaddr *) &address);
        if (host[n - 1] == '.')
                host[n - 1] = 0;
        return kind_of_name(host);
}

static enum host_kind kind_of_url(const char *url, size_t n) {
        const char *scheme_end = memmem(url, n, "://", 3), *end = url + n;

        if (scheme_end)
                url = scheme_end + 3;
        return job_host_kind(url, MIN(strcspn(url, "/?#\n"), (size_t) (end - url)));
}

static bool some_mirror_is(const char *mirrors, const bool allowed[static _HOST_KIND_MAX]) {
        for (size_t n; mirrors && *mirrors; mirrors += n + (mirrors[n] == '\n')) {
                n = strcspn(mirrors, "\n");
                if (allowed[kind_of_url(mirrors, n)])
                        return true;
        }
        return false;
}

enum host_kind job_file_host_kind(const struct job_file *file) {
        const char *address = job_file_response(file)->address;

        return address ? job_host_kind(address, strlen(address)) : kind_of_url(file->url, strlen(file->url));
}

bool job_sources_are(const struct job *job, const bool allowed[static _HOST_KIND_MAX]) {
        for (size_t i = 0; i < job->n_files; i++) {
                const struct job_file *file = job->files[i];

                if (job_file_has_work(file) && !allowed[job_file_host_kind(file)] && !some_mirror_is(file->mirrors, allowed))
                        return false;
        }
        return true;
}

static bool names_a_proxy(const char *variable) {
        return !startswith(variable, "no_proxy=") && !startswith(variable, "proxy_bypass=");
}

bool job_proxy_is(const struct job *job, const bool allowed[static _HOST_KIND_MAX]) {
        char **variables;
        bool found = false;

        if (job_proxy_variables(job, &variables) < 0)
                return true; /* no memory: a try tells more */
        for (char **variable = variables; *variable && !found; variable++) {
                const char *value = strchr(*variable, '=') + 1;

                found = names_a_proxy(*variable) && *value && allowed[kind_of_url(value, strlen(value))];
        }
        job_proxy_variables_free(variables);
        return found;
}
