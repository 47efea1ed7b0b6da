/* The hosts that sent a job what is not the file: it asks none of them again, whatever becomes of the service. Nearly every job has none, and
 * few have more than one or two: lines of one text, which is stored as it is. */
#include "base/strings.h"
#include "job/job.h"

bool job_host_lied(const struct job *job, const char *host) {
        size_t n = strlen(host);

        for (const char *line = job->lying_hosts; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, host, n) == 0 && (line[n] == '\n' || !line[n]))
                        return true;
        }
        return false;
}

int job_remember_liar(struct job *job, const char *host) {
        size_t n_before = job->lying_hosts ? strlen(job->lying_hosts) : 0;
        char *hosts;

        if (!*host || string_has_control(host))
                return ERROR_INVALID_ARGUMENT;
        if (job_host_lied(job, host))
                return 0;
        if (n_before + 1 + strlen(host) > LIMIT_LYING_HOSTS)
                return ERROR_STRING_TOO_LONG;
        if (n_before == 0)
                return strdup_to(&job->lying_hosts, host);
        hosts = realloc(job->lying_hosts, n_before + 1 + strlen(host) + 1);
        if (!hosts)
                return -ENOMEM;
        job->lying_hosts = hosts;
        hosts[n_before] = '\n';
        strcpy(hosts + n_before + 1, host);
        return 0;
}

bool job_lying_hosts_check(const char *hosts) {
        size_t n;

        for (const char *line = hosts;; line += n + 1) {
                n = 0;
                while ((uint8_t) line[n] >= 0x20 && line[n] != 0x7f)
                        n++;
                if (n == 0 || (line[n] && line[n] != '\n'))
                        return false;
                if (!line[n])
                        return true;
        }
}
