/* Through which proxy a job's requests go: the client's environment at the time it was made (preconfigured), none, or a list of its own
 * in the published form, turned into the variables that the transfer understands (design decision 21). */
#include "job/internal.h"

#include <stdio.h>

#include "base/strings.h"

#define PROXY_VARIABLES 4 /* http, https, all, and no_proxy or proxy_bypass */

static bool list_is_valid(const char *list) {
        return utf8_is_valid(list, SIZE_MAX) && !string_has_control(list);
}

int job_set_proxy(struct job *job, uint32_t usage, const char *list, const char *bypass, uint64_t now_usec) {
        int r;

        if (usage > JOB_PROXY_OVERRIDE)
                return ERROR_NOT_IMPLEMENTED;
        if ((usage == JOB_PROXY_OVERRIDE) != (*list != 0) || (usage != JOB_PROXY_OVERRIDE && *bypass))
                return ERROR_INVALID_ARGUMENT;
        if (strlen(list) > LIMIT_PROXY_LIST || strlen(bypass) > LIMIT_PROXY_LIST)
                return ERROR_STRING_TOO_LONG;
        if (!list_is_valid(list) || !list_is_valid(bypass))
                return ERROR_INVALID_ARGUMENT;
        r = secret_set(&job->proxy_list, list);
        if (r == 0)
                r = strdup_to(&job->proxy_bypass, *bypass ? bypass : NULL);
        if (r < 0)
                return r;
        job->proxy_usage = usage;
        job->modified_usec = now_usec;
        return 0;
}

int job_set_proxy_environment(struct job *job, const char *environment) {
        if (strlen(environment) > LIMIT_PROXY_ENVIRONMENT || !utf8_is_valid(environment, SIZE_MAX))
                return ERROR_INVALID_ARGUMENT;
        return secret_set(&job->proxy_environment, environment);
}

/* ---- as variables ---- */

void job_proxy_variables_free(char **variables) {
        for (size_t i = 0; variables && variables[i]; i++)
                free(variables[i]);
        free(variables);
}

/* "http_proxy=…" lines, one for each variable that counts. */
static int split_environment(const char *environment, char **to) {
        static const char *const names[] = { "http_proxy=", "https_proxy=", "all_proxy=", "no_proxy=" };
        size_t n_taken = 0;

        while (*environment) {
                size_t n = strcspn(environment, "\n");

                for (size_t i = 0; i < ELEMENTSOF(names) && n_taken < PROXY_VARIABLES; i++)
                        if (n <= LIMIT_PROXY_LIST && startswith(environment, names[i])) {
                                to[n_taken] = strndup(environment, n);
                                if (!to[n_taken++])
                                        return -ENOMEM;
                        }
                environment += n + (environment[n] == '\n');
        }
        return 0;
}

/* One entry "[proto=][proto://]server[:port]": the first one for each protocol is taken. */
static int take_proxy(const char *entry, size_t n, char **to) {
        static const char *const protocols[] = { "http=", "https=" };
        static const char *const names[] = { "http_proxy", "https_proxy", "all_proxy" };
        size_t which = ELEMENTSOF(protocols);

        for (size_t i = 0; i < ELEMENTSOF(protocols); i++)
                if (n > strlen(protocols[i]) && strncasecmp(entry, protocols[i], strlen(protocols[i])) == 0) {
                        which = i;
                        entry += strlen(protocols[i]);
                        n -= strlen(protocols[i]);
                }
        if (which == ELEMENTSOF(protocols) && memchr(entry, '=', n))
                return 0; /* of a protocol that is not spoken here */
        for (size_t i = 0; to[i]; i++)
                if (startswith(to[i], names[which]))
                        return 0;
        for (; *to; to++)
                ;
        if (asprintf(to, "%s=%.*s", names[which], (int) n, entry) < 0) {
                *to = NULL;
                return -ENOMEM;
        }
        return 0;
}

/* Not no_proxy, which has other rules: "example.com" is that host alone here. */
static int take_bypass(const char *bypass, char **to) {
        for (; *to; to++)
                ;
        if (asprintf(to, "proxy_bypass=%s", bypass) >= 0)
                return 0;
        *to = NULL;
        return -ENOMEM;
}

static int convert_list(const struct job *job, char **to) {
        const char *list = secret_text(&job->proxy_list);
        int r = 0;

        while (r == 0 && *list) {
                size_t n = strcspn(list, " ;");

                if (n > 0)
                        r = take_proxy(list, n, to);
                list += n;
                list += strspn(list, " ;");
        }
        if (r == 0 && job->proxy_bypass)
                r = take_bypass(job->proxy_bypass, to);
        return r;
}

int job_proxy_variables(const struct job *job, char ***ret) {
        char **variables = calloc(PROXY_VARIABLES + 1, sizeof(*variables));
        int r = 0;

        if (!variables)
                return -ENOMEM;
        if (job->proxy_usage == JOB_PROXY_OVERRIDE && secret_text(&job->proxy_list))
                r = convert_list(job, variables);
        else if (job->proxy_usage == JOB_PROXY_PRECONFIG && secret_text(&job->proxy_environment))
                r = split_environment(secret_text(&job->proxy_environment), variables);
        if (r < 0) {
                job_proxy_variables_free(variables);
                return r;
        }
        *ret = variables;
        return 0;
}
