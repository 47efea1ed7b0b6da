/* What guards a file's content beyond a digest of the whole: piece hashes and encryption. */
#include "base/strings.h"
#include "content/encryption.h"
#include "content/integrity.h"
#include "manager/private.h"

/* ---- what clients give ---- */

static int check_integrity_info(const char *json, const char **reterr_why) {
        struct integrity_info info;
        int r = integrity_info_parse(json, &info, reterr_why);

        if (r != 0)
                return r;
        r = job_url_check(info.url);
        if (r != 0)
                *reterr_why = "PiecesHashFileUrl is no URL that can be used.";
        integrity_info_done(&info);
        return r;
}

int manager_check_guards(const char *integrity_info, const char *decryption_info, const char **reterr_why) {
        struct decryption_info decryption;
        int r = 0;

        if (integrity_info && *integrity_info)
                r = check_integrity_info(integrity_info, reterr_why);
        if (r == 0 && decryption_info && *decryption_info) {
                r = decryption_info_parse(decryption_info, &decryption, reterr_why);
                decryption_info_done(&decryption);
        }
        return r;
}

static int set_properties(struct job_file *file, const struct manager_file_properties *p, uint64_t now) {
        int r = 0;

        if (p->file_id)
                r = job_file_set_id(file, p->file_id, now);
        if (r == 0 && p->stated_size != MANAGER_SIZE_UNCHANGED)
                r = job_file_set_stated_size(file, p->stated_size, now);
        if (r == 0 && p->integrity_info)
                r = job_file_set_integrity_info(file, p->integrity_info, now);
        if (r == 0 && p->decryption_info)
                r = job_file_set_decryption_info(file, p->decryption_info, now);
        if (r == 0 && p->integrity_mandatory >= 0)
                r = job_file_set_integrity_mandatory(file, p->integrity_mandatory != 0, now);
        return r;
}

void manager_set_file_properties(struct manager *m, struct job_file *file, const struct manager_file_properties *properties,
                                 manager_reply_fn fn, void *userdata) {
        struct reply reply = { fn, userdata };
        struct job *job = file->job;
        const char *why = "";
        int r;

        if (!manager_command_allowed(m, job, JOB_COMMAND_SET, reply))
                return;
        r = manager_check_guards(properties->integrity_info, properties->decryption_info, &why);
        if (r == 0 && (properties->file_id || properties->stated_size != MANAGER_SIZE_UNCHANGED) &&
            job_command_verdict(job, JOB_COMMAND_SET_SINK) != JOB_VERDICT_OK)
                r = ERROR_INVALID_STATE;
        /* After these checks only the file's state can be in the way, and it is the same for all of them. */
        if (r == 0)
                r = set_properties(file, properties, manager_realtime(m));
        if (r != 0) {
                manager_refuse(reply, &job->id, r, why);
                return;
        }
        manager_file_changed(m, file);
        manager_job_changed(m, job, false);
        manager_reply_durably(m, &job->id, reply, &(struct manager_reply) {});
}
