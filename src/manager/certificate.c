/* The client certificate that a job shows to its file's own server: read by the owner role before the first request of each run, and
 * forgotten with the run. The database knows its name only. */
#include "manager/private.h"

static void refuse(struct file_run *run, enum error_code code, int error, const char *text) {
        file_run_result(run, ENGINE_FAILED, code, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, (uint32_t) -error, false,
                        *text ? text : error_code_text(code));
        file_run_end(run);
}

static void file_run_certified(const struct files_certificate_result *result, void *userdata) {
        struct file_run *run = userdata;
        int r = result->error;

        if (!file_run_returned(run))
                return;
        if (r == 0)
                r = secret_set(&run->certificate, result->certificate);
        if (r == 0)
                r = secret_set(&run->certificate_key, result->key);
        if (run->stop)
                file_run_end(run);
        else if (r == 0)
                file_run_guard(run);
        else if (r == -ENOKEY)
                refuse(run, ERROR_CLIENT_CERTIFICATE_NOT_FOUND, r, result->text);
        else if (r == -ENOMEM)
                file_run_not_asked(run, r);
        else
                refuse(run, ERROR_CLIENT_CERTIFICATE_UNUSABLE, r, result->text);
}

void file_run_certify(struct file_run *run) {
        const struct job_file *file = run->file;
        struct certificate_name name;
        int r;

        if (!file->job->client_certificate || strncasecmp(file->url, "https:", 6) != 0)
                return file_run_guard(run);
        run->step = STEP_CERTIFICATE;
        r = certificate_name_parse(file->job->client_certificate, &name);
        if (r == 0)
                r = files_certificate(run->files, run->handle, &name, file_run_certified, run);
        if (r == 0)
                run->n_pending++;
        else if (r == -ENOKEY)
                refuse(run, ERROR_CLIENT_CERTIFICATE_NOT_FOUND, r, "");
        else
                file_run_not_asked(run, r);
}
