#include "client/wire.h"

#include <stdio.h>

#include "base/strings.h"
#include "client/failure.h"
#include "protocol/limits.h"

/* ---- paths and ids ---- */

void wire_job_path(const char *hex, char ret[static WIRE_PATH_MAX]) {
        (void) snprintf(ret, WIRE_PATH_MAX, WIRE_JOB_PREFIX "%s", hex);
}

void wire_file_path(const char *hex, uint32_t index, char ret[static WIRE_PATH_MAX]) {
        (void) snprintf(ret, WIRE_PATH_MAX, WIRE_JOB_PREFIX "%s/file/%u", hex, index);
}

struct find_args {
        const char *id;
        const char *family;
};

static int build_find(sd_bus_message *m, const void *args) {
        const struct find_args *find = args;

        return sd_bus_message_append(m, "ss", find->id, find->family);
}

static int decode_job_path(sd_bus_message *reply, void *ret) {
        const char *path, *hex;
        int r;

        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return r;
        hex = startswith(path, WIRE_JOB_PREFIX);
        if (!hex || strlen(hex) != WIRE_ID_HEX)
                return -EBADMSG;
        strcpy(ret, hex);
        return 0;
}

int wire_find_job(struct dosvc *c, const char *id, const char *family, char ret_hex[static WIRE_ID_HEX + 1]) {
        struct find_args args = { .id = id, .family = family };
        struct guid guid;

        if (!id || !utf8_is_valid(id, SIZE_MAX) || strlen(id) >= GUID_STRING_MAX)
                return failure_set(c, ERROR_NOT_FOUND, "This is not the id of a job.");
        if (!*family && guid_from_string(id, &guid) >= 0) {
                guid_to_compact(&guid, ret_hex);
                return 0;
        }
        return connection_call(c, &(struct call){ .path = WIRE_MANAGER_PATH,
                                                  .interface = WIRE_MANAGER,
                                                  .member = "GetJob",
                                                  .flags = CALL_REPEATABLE,
                                                  .build = build_find,
                                                  .args = &args,
                                                  .decode = decode_job_path,
                                                  .ret = ret_hex });
}

/* ---- reading ---- */

struct job_reader {
        struct job_record *record;
        bool is_system;
};

static int build_interface_name(sd_bus_message *m, const void *args) {
        return sd_bus_message_append(m, "s", (const char *) args);
}

static int decode_job(sd_bus_message *reply, void *ret) {
        const struct job_reader *reader = ret;

        return job_record_read(reader->record, reply, reader->is_system);
}

int wire_get_job(struct dosvc *c, const char *hex, unsigned flags, struct job_record *ret) {
        struct job_reader reader = { ret, connection_is_system(c) };
        char path[WIRE_PATH_MAX];

        *ret = (struct job_record){};
        wire_job_path(hex, path);
        return connection_call(c, &(struct call){ .path = path,
                                                  .interface = WIRE_PROPERTIES,
                                                  .member = "GetAll",
                                                  .flags = CALL_REPEATABLE | flags,
                                                  .build = build_interface_name,
                                                  .args = WIRE_JOB,
                                                  .decode = decode_job,
                                                  .ret = &reader });
}

static int decode_file(sd_bus_message *reply, void *ret) {
        return file_record_read(ret, reply);
}

int wire_get_file(struct dosvc *c, const char *hex, uint32_t index, struct file_record *ret) {
        char path[WIRE_PATH_MAX];

        *ret = (struct file_record){};
        wire_file_path(hex, index, path);
        return connection_call(c, &(struct call){ .path = path,
                                                  .interface = WIRE_PROPERTIES,
                                                  .member = "GetAll",
                                                  .flags = CALL_REPEATABLE,
                                                  .build = build_interface_name,
                                                  .args = WIRE_FILE,
                                                  .decode = decode_file,
                                                  .ret = ret });
}

static int decode_service(sd_bus_message *reply, void *ret) {
        return service_record_read(ret, reply);
}

int wire_get_service(struct dosvc *c, struct service_record *ret) {
        *ret = (struct service_record){};
        return connection_call(c, &(struct call){ .path = WIRE_MANAGER_PATH,
                                                  .interface = WIRE_MANAGER,
                                                  .member = "GetServiceInfo",
                                                  .flags = CALL_REPEATABLE,
                                                  .decode = decode_service,
                                                  .ret = ret });
}

/* ---- pages ---- */

struct page_args {
        const char *family; /* NULL: the method has none */
        const char *cursor;
        uint32_t limit;
};

static int build_page(sd_bus_message *m, const void *args) {
        const struct page_args *page = args;
        int r = 0;

        if (page->family)
                r = sd_bus_message_append(m, "s", page->family);
        return r < 0 ? r : sd_bus_message_append(m, "su", page->cursor ? page->cursor : "", page->limit);
}

/* Reads "aa{sv}" into a growing array; @read_one puts one dictionary behind the others. */
static int read_rows(sd_bus_message *m, int (*read_one)(sd_bus_message *m, void *page), void *page) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "a{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                r = read_one(m, page);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_cursor(sd_bus_message *m, char **ret) {
        const char *cursor;
        int r;

        r = sd_bus_message_read(m, "s", &cursor);
        if (r < 0)
                return r;
        *ret = strdup(cursor);
        return *ret ? 0 : -ENOMEM;
}

struct job_page_reader {
        struct job_page *page;
        bool is_system;
};

static int read_job_row(sd_bus_message *m, void *userdata) {
        const struct job_page_reader *reader = userdata;
        struct job_page *page = reader->page;
        struct job_record *records = reallocarray(page->records, page->n + 1, sizeof(*records));
        int r;

        if (!records)
                return -ENOMEM;
        page->records = records;
        r = job_record_read(&records[page->n], m, reader->is_system);
        if (r >= 0)
                page->n++;
        return r;
}

static int decode_job_page(sd_bus_message *reply, void *ret) {
        struct job_page_reader *reader = ret;
        int r;

        r = read_rows(reply, read_job_row, reader);
        if (r >= 0)
                r = read_cursor(reply, &reader->page->next);
        if (r < 0)
                job_page_done(reader->page);
        return r;
}

static int list_jobs(struct dosvc *c, const char *member, const char *family, const char *cursor, uint32_t limit, unsigned flags,
                     struct job_page *ret) {
        struct job_page_reader reader = { ret, connection_is_system(c) };
        struct page_args args = { .family = family ? family : "", .cursor = cursor, .limit = limit };

        *ret = (struct job_page){};
        return connection_call(c, &(struct call){ .path = WIRE_MANAGER_PATH,
                                                  .interface = WIRE_MANAGER,
                                                  .member = member,
                                                  .flags = CALL_REPEATABLE | flags,
                                                  .build = build_page,
                                                  .args = &args,
                                                  .decode = decode_job_page,
                                                  .ret = &reader });
}

int wire_list_jobs(struct dosvc *c, const char *family, const char *cursor, uint32_t limit, unsigned flags, struct job_page *ret) {
        return list_jobs(c, "ListJobs", family, cursor, limit, flags, ret);
}

int wire_list_all_jobs(struct dosvc *c, const char *family, const char *cursor, uint32_t limit, struct job_page *ret) {
        return list_jobs(c, "ListAllJobs", family, cursor, limit, CALL_INTERACTIVE, ret);
}

struct history_page_reader {
        struct history_page *page;
        bool is_system;
};

static int read_history_row(sd_bus_message *m, void *userdata) {
        const struct history_page_reader *reader = userdata;
        struct history_page *page = reader->page;
        struct history_record *records = reallocarray(page->records, page->n + 1, sizeof(*records));
        int r;

        if (!records)
                return -ENOMEM;
        page->records = records;
        r = history_record_read(&records[page->n], m, reader->is_system);
        if (r >= 0)
                page->n++;
        return r;
}

static int decode_history_page(sd_bus_message *reply, void *ret) {
        struct history_page_reader *reader = ret;
        int r;

        r = read_rows(reply, read_history_row, reader);
        if (r >= 0)
                r = read_cursor(reply, &reader->page->next);
        if (r < 0)
                history_page_done(reader->page);
        return r;
}

int wire_list_history(struct dosvc *c, const char *cursor, uint32_t limit, unsigned flags, struct history_page *ret) {
        struct history_page_reader reader = { ret, connection_is_system(c) };
        struct page_args args = { .cursor = cursor, .limit = limit };

        *ret = (struct history_page){};
        return connection_call(c, &(struct call){ .path = WIRE_MANAGER_PATH,
                                                  .interface = WIRE_MANAGER,
                                                  .member = "ListHistory",
                                                  .flags = CALL_REPEATABLE | flags,
                                                  .build = build_page,
                                                  .args = &args,
                                                  .decode = decode_history_page,
                                                  .ret = &reader });
}

struct file_page_args {
        uint32_t first;
        uint32_t limit;
};

static int build_file_page(sd_bus_message *m, const void *args) {
        const struct file_page_args *page = args;

        return sd_bus_message_append(m, "uu", page->first, page->limit);
}

static int read_file_row(sd_bus_message *m, void *userdata) {
        struct file_page *page = userdata;
        struct file_record *records = reallocarray(page->records, page->n + 1, sizeof(*records));
        int r;

        if (!records)
                return -ENOMEM;
        page->records = records;
        r = file_record_read(&records[page->n], m);
        if (r >= 0)
                page->n++;
        return r;
}

static int decode_file_page(sd_bus_message *reply, void *ret) {
        struct file_page *page = ret;
        int r;

        r = read_rows(reply, read_file_row, page);
        if (r >= 0)
                r = sd_bus_message_read(reply, "u", &page->next);
        if (r < 0)
                file_page_done(page);
        return r;
}

int wire_list_files(struct dosvc *c, const char *hex, uint32_t first, uint32_t limit, struct file_page *ret) {
        struct file_page_args args = { first, limit };
        char path[WIRE_PATH_MAX];

        *ret = (struct file_page){};
        wire_job_path(hex, path);
        return connection_call(c, &(struct call){ .path = path,
                                                  .interface = WIRE_JOB,
                                                  .member = "ListFiles",
                                                  .flags = CALL_REPEATABLE,
                                                  .build = build_file_page,
                                                  .args = &args,
                                                  .decode = decode_file_page,
                                                  .ret = ret });
}

void job_page_done(struct job_page *page) {
        for (size_t i = 0; i < page->n; i++)
                job_record_done(&page->records[i]);
        free(page->records);
        free(page->next);
        *page = (struct job_page){};
}

void file_page_done(struct file_page *page) {
        for (size_t i = 0; i < page->n; i++)
                file_record_done(&page->records[i]);
        free(page->records);
        *page = (struct file_page){};
}

void history_page_done(struct history_page *page) {
        for (size_t i = 0; i < page->n; i++)
                history_record_done(&page->records[i]);
        free(page->records);
        free(page->next);
        *page = (struct history_page){};
}

/* The line of one job in the history. 0 if it was found, else NOT_FOUND or what went wrong. */
static int find_in_history(struct dosvc *c, const char *hex, unsigned flags, struct job_record *ret) {
        struct history_page page;
        char *cursor = NULL;
        int code = 0;

        for (bool more = true; more;) {
                code = wire_list_history(c, cursor, LIMIT_PAGE, flags, &page);
                free(TAKE_PTR(cursor));
                if (code)
                        return code;
                for (size_t i = 0; i < page.n; i++) {
                        char row_hex[WIRE_ID_HEX + 1];
                        struct guid guid;

                        if (guid_from_string(page.records[i].info.id, &guid) < 0)
                                continue;
                        guid_to_compact(&guid, row_hex);
                        if (streq(row_hex, hex)) {
                                job_record_from_history(ret, &page.records[i]);
                                history_page_done(&page);
                                return 0;
                        }
                }
                more = *page.next != 0;
                cursor = TAKE_PTR(page.next);
                history_page_done(&page);
        }
        free(cursor);
        return failure_set(c, ERROR_NOT_FOUND, NULL);
}

int wire_get_job_or_history(struct dosvc *c, const char *hex, unsigned flags, struct job_record *ret) {
        int code = wire_get_job(c, hex, flags, ret);

        return code == ERROR_NOT_FOUND ? find_in_history(c, hex, flags, ret) : code;
}

/* ---- commands ---- */

static int decode_bool(sd_bus_message *reply, void *ret) {
        int value = 0, r;

        r = sd_bus_message_read(reply, "b", &value);
        if (r < 0)
                return r;
        if (ret)
                *(bool *) ret = value;
        return 0;
}

static int build_bool(sd_bus_message *m, const void *args) {
        return sd_bus_message_append(m, "b", (int) *(const bool *) args);
}

static int build_string(sd_bus_message *m, const void *args) {
        return sd_bus_message_append(m, "s", (const char *) args);
}

static int command(struct dosvc *c, const char *hex, struct call call) {
        char path[WIRE_PATH_MAX];

        wire_job_path(hex, path);
        call.path = path;
        call.interface = WIRE_JOB;
        return connection_call(c, &call);
}

int wire_suspend(struct dosvc *c, const char *hex) {
        return command(c, hex, (struct call){ .member = "Suspend", .flags = CALL_REPEATABLE });
}

int wire_resume(struct dosvc *c, const char *hex) {
        return command(c, hex, (struct call){ .member = "Resume", .flags = CALL_REPEATABLE });
}

struct ranges {
        const struct record_range *items;
        size_t n;
};

static int build_ranges(sd_bus_message *m, const void *args) {
        const struct ranges *ranges = args;

        return wire_append_ranges(m, ranges->items, ranges->n);
}

int wire_start(struct dosvc *c, const char *hex, const struct record_range *ranges, size_t n_ranges) {
        const struct ranges args = { ranges, n_ranges };

        return command(c, hex, (struct call){ .member = "Start", .build = build_ranges, .args = &args });
}

int wire_cancel(struct dosvc *c, const char *hex, bool *ret_left) {
        return command(c, hex,
                       (struct call){
                               .member = "Cancel", .flags = CALL_UNLIMITED, .decode = decode_bool, .ret = ret_left });
}

int wire_complete(struct dosvc *c, const char *hex, bool *ret_partial) {
        return command(c, hex,
                       (struct call){ .member = "Complete",
                                      .flags = CALL_UNLIMITED,
                                      .decode = decode_bool,
                                      .ret = ret_partial });
}

int wire_set_notify(struct dosvc *c, const char *hex, bool on) {
        return command(c, hex,
                       (struct call){
                               .member = "SetNotify", .flags = CALL_REPEATABLE, .build = build_bool, .args = &on });
}

int wire_set_judge(struct dosvc *c, const char *hex, bool on) {
        return command(c, hex,
                       (struct call){
                               .member = "SetJudge", .flags = CALL_REPEATABLE, .build = build_bool, .args = &on });
}

int wire_subscribe(struct dosvc *c, const char *hex, unsigned flags, uint64_t *ret_generation) {
        return connection_call(c, &(struct call){ .path = WIRE_MANAGER_PATH,
                                                  .interface = WIRE_MANAGER,
                                                  .member = "Subscribe",
                                                  .flags = CALL_REPEATABLE | flags,
                                                  .build = build_string,
                                                  .args = hex,
                                                  .ret_generation = ret_generation });
}

int wire_set_url(struct dosvc *c, const char *hex, uint32_t index, const char *url) {
        char path[WIRE_PATH_MAX];

        wire_file_path(hex, index, path);
        return connection_call(c, &(struct call){ .path = path,
                                                  .interface = WIRE_FILE,
                                                  .member = "SetUrl",
                                                  .flags = CALL_REPEATABLE,
                                                  .build = build_string,
                                                  .args = url });
}

int wire_take_ownership(struct dosvc *c, const char *hex) {
        return command(c, hex, (struct call){ .member = "TakeOwnership", .flags = CALL_REPEATABLE | CALL_INTERACTIVE });
}

int wire_request_ranges(struct dosvc *c, const char *hex, uint32_t index, const struct record_range *ranges, size_t n) {
        struct record_ranges list = { .items = (struct record_range *) ranges, .n = n };
        char path[WIRE_PATH_MAX];

        wire_file_path(hex, index, path);
        return connection_call(c, &(struct call){ .path = path,
                                                  .interface = WIRE_FILE,
                                                  .member = "RequestRanges",
                                                  .flags = CALL_REPEATABLE,
                                                  .build = build_ranges,
                                                  .args = &list });
}

static int build_u64(sd_bus_message *m, const void *args) {
        return sd_bus_message_append_basic(m, 't', args);
}

int wire_set_position(struct dosvc *c, const char *hex, uint32_t index, uint64_t offset) {
        char path[WIRE_PATH_MAX];

        wire_file_path(hex, index, path);
        return connection_call(c, &(struct call){ .path = path,
                                                  .interface = WIRE_FILE,
                                                  .member = "SetPosition",
                                                  .flags = CALL_REPEATABLE,
                                                  .build = build_u64,
                                                  .args = &offset });
}

int wire_set_validation(struct dosvc *c, const char *hex, uint32_t index, bool good) {
        char path[WIRE_PATH_MAX];

        wire_file_path(hex, index, path);
        return connection_call(c, &(struct call){ .path = path,
                                                  .interface = WIRE_FILE,
                                                  .member = "SetValidation",
                                                  .build = build_bool,
                                                  .args = &good });
}

struct prefixes {
        const char *old_prefix, *new_prefix;
};

static int build_prefixes(sd_bus_message *m, const void *args) {
        const struct prefixes *prefixes = args;

        return sd_bus_message_append(m, "ss", prefixes->old_prefix, prefixes->new_prefix);
}

static int decode_u32(sd_bus_message *reply, void *ret) {
        return sd_bus_message_read(reply, "u", ret);
}

/* Not repeatable: the new prefix may begin with the old one. */
int wire_replace_url_prefix(struct dosvc *c, const char *hex, const char *old_prefix, const char *new_prefix,
                            uint32_t *ret_changed) {
        struct prefixes prefixes = { old_prefix, new_prefix };

        return command(c, hex,
                       (struct call){ .member = "ReplaceUrlPrefix",
                                      .build = build_prefixes,
                                      .args = &prefixes,
                                      .decode = decode_u32,
                                      .ret = ret_changed });
}

int wire_append_property(sd_bus_message *m, const struct wire_property *property) {
        switch (property->type) {
        case 's':
                return sd_bus_message_append(m, "{sv}", property->name, "s", property->s);
        case 'u':
                return sd_bus_message_append(m, "{sv}", property->name, "u", property->u);
        case 't':
                return sd_bus_message_append(m, "{sv}", property->name, "t", property->t);
        case 'b':
                return sd_bus_message_append(m, "{sv}", property->name, "b", (int) property->b);
        default:
                return -EINVAL;
        }
}

struct property_list {
        const struct wire_property *properties;
        size_t n;
};

/* No text may be as long as half a message, and all that there are, as long as they may be, are less than that. */
static int check_texts(struct dosvc *c, const struct property_list *list) {
        size_t bytes = 0;

        for (size_t i = 0; i < list->n; i++) {
                const struct wire_property *property = &list->properties[i];

                if (property->type != 's')
                        continue;
                if (!utf8_is_valid(property->s, SIZE_MAX))
                        return failure_setf(c, ERROR_INVALID_ARGUMENT, "%s is not valid UTF-8.", property->name);
                if (strlen(property->s) > LIMIT_MESSAGE_BYTES / 2)
                        return failure_set(c, ERROR_STRING_TOO_LONG, property->name);
                bytes += strlen(property->s);
        }
        return bytes > LIMIT_MESSAGE_BYTES / 2 ? failure_set(c, ERROR_MESSAGE_TOO_LARGE, NULL) : 0;
}

static int build_properties(sd_bus_message *m, const void *args) {
        const struct property_list *list = args;
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        for (size_t i = 0; r >= 0 && i < list->n; i++)
                r = wire_append_property(m, &list->properties[i]);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int wire_set_properties(struct dosvc *c, const char *hex, const struct wire_property *properties, size_t n) {
        const struct property_list list = { properties, n };
        int code = check_texts(c, &list);

        if (code)
                return code;
        return command(c, hex,
                       (struct call){ .member = "SetProperties",
                                      .flags = CALL_REPEATABLE,
                                      .build = build_properties,
                                      .args = &list });
}

int wire_set_file_property(struct dosvc *c, const char *hex, uint32_t index, const struct wire_property *property) {
        const struct property_list list = { property, 1 };
        char path[WIRE_PATH_MAX];
        int code = check_texts(c, &list);

        if (code)
                return code;
        wire_file_path(hex, index, path);
        return connection_call(c, &(struct call){ .path = path,
                                                  .interface = WIRE_FILE,
                                                  .member = "SetProperties",
                                                  .flags = CALL_REPEATABLE,
                                                  .build = build_properties,
                                                  .args = &list });
}

int wire_set_property(struct dosvc *c, const char *hex, const struct wire_property *property) {
        return wire_set_properties(c, hex, property, 1);
}
