/* The owner role on threads of this process. The functions are those of files.h, each in the file of its subject. */
#pragma once

#include "files/ops.h"

struct local_files;
struct local_handle;

int local_check(struct local_files *files, const struct files_check_request *request, files_check_fn done, void *userdata);
int local_open(struct local_files *files, const struct files_open_request *request, files_open_fn done, void *userdata);
struct local_handle *local_close(struct local_files *files, struct local_handle *handle);
int local_reserve(struct local_files *files, struct local_handle *handle, uint64_t size, bool background, files_done_fn done,
                  void *userdata);
int local_checkpoint(struct local_files *files, struct local_handle *handle, struct files_piece *chunks, size_t n_chunks,
                     files_done_fn done, void *userdata);
int local_scratch(struct local_files *files, struct local_handle *handle, files_scratch_fn done, void *userdata);
int local_read_hashes(struct local_files *files, struct local_handle *handle, int fd, uint64_t size,
                      const struct integrity_info *expected, files_hashes_fn done, void *userdata);
int local_verify(struct local_files *files, struct local_handle *handle, const struct files_piece *pieces, size_t n,
                 files_verify_fn done, void *userdata);
int local_open_window(struct local_files *files, int fd, bool digest, struct local_handle **ret); /* @fd is consumed on success */
int local_window_drop(struct local_files *files, struct local_handle *handle, uint64_t start, uint64_t end, files_done_fn done,
                      void *userdata);
int local_window_digest(const struct local_handle *handle, uint8_t ret[static 32]);
int local_digest_ahead(struct local_files *files, struct local_handle *handle, uint64_t start, uint64_t end, files_done_fn done,
                       void *userdata);
int local_finish(struct local_files *files, struct local_handle *handle, const struct files_finish_request *request,
                 files_finish_fn done, void *userdata);
int local_decrypt(struct local_files *files, struct local_handle *source, struct local_handle *target,
                  const struct files_decrypt_request *request, files_decrypt_fn done, void *userdata);
int local_list(struct local_files *files, enum files_list_kind kind, const struct files_item *items, size_t n, files_list_fn done,
               void *userdata);
int local_certificate(struct local_files *files, const struct certificate_name *name, files_certificate_fn done, void *userdata);
int local_sweep(struct local_files *files, const struct files_sweep_request *request, files_sweep_fn done, void *userdata);
