/* What a job knows of the hosts that its bytes come from, whatever becomes of the service: which of them sent what is not the file, and which
 * gave some of a file whose digest has not been judged yet. Nearly every job has none, and few have more than one or two: lines of one text,
 * which is stored as it is. */
#include "base/strings.h"
#include "job/job.h"

static bool hosts_have(const char *hosts, const char *host) {
        size_t n = strlen(host);

        for (const char *line = hosts; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, host, n) == 0 && (line[n] == '\n' || !line[n]))
                        return true;
        }
        return false;
}

static int hosts_add(char **hosts, const char *host, size_t limit) {
        size_t n_before = *hosts ? strlen(*hosts) : 0;
        char *more;

        if (!*host || string_has_control(host))
                return ERROR_INVALID_ARGUMENT;
        if (hosts_have(*hosts, host))
                return 0;
        if (n_before + 1 + strlen(host) > limit)
                return ERROR_STRING_TOO_LONG;
        if (n_before == 0)
                return strdup_to(hosts, host);
        more = realloc(*hosts, n_before + 1 + strlen(host) + 1);
        if (!more)
                return -ENOMEM;
        *hosts = more;
        more[n_before] = '\n';
        strcpy(more + n_before + 1, host);
        return 0;
}

bool job_hosts_check(const char *hosts) {
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

bool job_host_lied(const struct job *job, const char *host) {
        return hosts_have(job->lying_hosts, host);
}

int job_remember_liar(struct job *job, const char *host) {
        return hosts_add(&job->lying_hosts, host, LIMIT_LYING_HOSTS);
}

int job_file_remember_giver(struct job_file *file, const char *host) {
        return hosts_add(&file->giving_hosts, host, LIMIT_GIVING_HOSTS);
}

void job_file_forget_givers(struct job_file *file) {
        (void) strdup_to(&file->giving_hosts, NULL);
}
