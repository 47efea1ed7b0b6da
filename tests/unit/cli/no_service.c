/* libdosvc without a service, for tests of what the command does by itself: each call says that there is none. */
#include "cli/cli.h"

static dosvc_error no_service = { (int32_t) 0x80D01001, "NoService", "none", "", "", "The service cannot be reached." };

const dosvc_error *dosvc_last_error(const dosvc *connection) {
        (void) connection;
        return &no_service;
}

#define ABSENT(name, ...)                  \
        int32_t name(__VA_ARGS__) {        \
                return no_service.hresult; \
        }
ABSENT(dosvc_open, unsigned flags, dosvc **ret)
ABSENT(dosvc_create_job, dosvc *c, const dosvc_job_options *o, const dosvc_file_spec *f, size_t n, char id[DOSVC_ID_SIZE], int *attached)
ABSENT(dosvc_add_files, dosvc *c, const char *id, const dosvc_file_spec *f, size_t n)
ABSENT(dosvc_file_has_sha256, const char *path, const unsigned char sha256[32])
ABSENT(dosvc_make_piece_hash_file, const char *path, uint64_t piece_size, const char *url, dosvc_piece_hash_file_fn fn, void *userdata)
ABSENT(dosvc_make_decryption_info, const char *mode, uint64_t buffer_size, char ret[DOSVC_DECRYPTION_INFO_SIZE])
ABSENT(dosvc_encrypt_file, const char *path, const char *output, const char *decryption_info, int replace)
ABSENT(dosvc_decrypt_file, const char *path, const char *output, const char *decryption_info, int replace)
ABSENT(dosvc_take_ownership, dosvc *c, const char *id)
ABSENT(dosvc_suspend, dosvc *c, const char *id)
ABSENT(dosvc_resume, dosvc *c, const char *id)
ABSENT(dosvc_cancel, dosvc *c, const char *id)
ABSENT(dosvc_complete, dosvc *c, const char *id)
ABSENT(dosvc_set, dosvc *c, const char *id, const char *key, const char *value)
ABSENT(dosvc_set_properties, dosvc *c, const char *id, const dosvc_property *properties, size_t n)
ABSENT(dosvc_set_of_file, dosvc *c, const char *id, uint32_t index, const char *key, const char *value)
ABSENT(dosvc_replace_url_prefix, dosvc *c, const char *id, const char *old_prefix, const char *new_prefix, uint32_t *ret)
ABSENT(dosvc_list_properties, dosvc_property_fn fn, void *userdata)
ABSENT(dosvc_get_properties, dosvc *c, const char *id, dosvc_property_fn fn, void *userdata)
ABSENT(dosvc_list_file_properties, dosvc *c, const char *id, dosvc_property_fn fn, void *userdata)
ABSENT(dosvc_get_job, dosvc *c, const char *id, dosvc_job_fn fn, void *userdata)
ABSENT(dosvc_list_jobs, dosvc *c, const char *family, dosvc_job_fn fn, void *userdata)
ABSENT(dosvc_list_all_jobs, dosvc *c, const char *family, dosvc_job_fn fn, void *userdata)
ABSENT(dosvc_list_files, dosvc *c, const char *id, dosvc_file_fn fn, void *userdata)
ABSENT(dosvc_list_history, dosvc *c, size_t max, dosvc_history_fn fn, void *userdata)
ABSENT(dosvc_get_service, dosvc *c, dosvc_service_fn fn, void *userdata)
ABSENT(dosvc_list_config, dosvc *c, dosvc_config_fn fn, void *userdata)
ABSENT(dosvc_reload_config, dosvc *c, uint32_t *ret_changed)
ABSENT(dosvc_watch, dosvc *c, const char *id, int timeout_msec, dosvc_job_fn fn, void *userdata)

void dosvc_close(dosvc *connection) {
        (void) connection;
}
void dosvc_interrupt(dosvc *connection) {
        (void) connection;
}
