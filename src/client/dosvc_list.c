/* <dosvc.h>: what only looks. Callbacks are called in the caller's thread with no lock held: they may call
 * anything. */
#include "base/strings.h"
#include "client/failure.h"
#include "client/public.h"
#include "client/rim.h"
#include "client/wire.h"
#include "protocol/limits.h"

static int32_t result(int code) {
        return rim_hresult(code, JOB_FAMILY_DO);
}

static int32_t refuse(const dosvc *c) {
        failure_clear(c);
        return result(failure_set(c, ERROR_INVALID_ARGUMENT, NULL));
}

int32_t dosvc_get_job(dosvc *c, const char *id, dosvc_job_fn fn, void *userdata) {
        char hex[WIRE_ID_HEX + 1];
        struct job_record record;
        int32_t value;
        int code;

        if (!c || !id || !fn)
                return refuse(c);
        failure_clear(c);
        code = wire_find_job(c, id, "", hex);
        if (!code)
                code = wire_get_job_or_history(c, hex, 0, &record);
        if (code)
                return result(code);
        value = fn(&record.info, userdata);
        job_record_done(&record);
        return value;
}

static int32_t list_jobs(dosvc *c, bool everybodys, const char *family, dosvc_job_fn fn, void *userdata) {
        _cleanup_free_ char *cursor = NULL;
        int32_t value = 0;
        int code;

        if (!c || !fn)
                return refuse(c);
        failure_clear(c);
        if (family && job_family_from_name(family) < 0 && !streq(family, job_kind_name(JOB_KIND_DOWNLOAD)))
                return result(failure_set(c, ERROR_INVALID_ARGUMENT, "The family is do, bits or download."));
        for (bool more = true; more && value == 0;) {
                struct job_page page;

                code = everybodys ? wire_list_all_jobs(c, family, cursor, LIMIT_PAGE, &page)
                                  : wire_list_jobs(c, family, cursor, LIMIT_PAGE, 0, &page);
                if (code)
                        return result(code);
                for (size_t i = 0; i < page.n && value == 0; i++)
                        value = fn(&page.records[i].info, userdata);
                free(cursor);
                cursor = TAKE_PTR(page.next);
                more = *cursor != 0;
                job_page_done(&page);
        }
        return value;
}

int32_t dosvc_list_jobs(dosvc *c, const char *family, dosvc_job_fn fn, void *userdata) {
        return list_jobs(c, false, family, fn, userdata);
}

int32_t dosvc_list_all_jobs(dosvc *c, const char *family, dosvc_job_fn fn, void *userdata) {
        return list_jobs(c, true, family, fn, userdata);
}

int32_t dosvc_list_files(dosvc *c, const char *id, dosvc_file_fn fn, void *userdata) {
        char hex[WIRE_ID_HEX + 1];
        uint32_t first = 0;
        int32_t value = 0;
        int code;

        if (!c || !id || !fn)
                return refuse(c);
        failure_clear(c);
        code = wire_find_job(c, id, "", hex);
        if (code)
                return result(code);
        for (bool more = true; more && value == 0;) {
                struct file_page page;

                code = wire_list_files(c, hex, first, LIMIT_PAGE, &page);
                if (code)
                        return result(code);
                for (size_t i = 0; i < page.n && value == 0; i++)
                        value = fn(file_record_info(&page.records[i]), userdata);
                more = page.n > 0 && page.next > 0;
                first += (uint32_t) page.n;
                file_page_done(&page);
        }
        return value;
}

int32_t dosvc_list_history(dosvc *c, size_t max_entries, dosvc_history_fn fn, void *userdata) {
        _cleanup_free_ char *cursor = NULL;
        int32_t value = 0;
        int code;

        if (!c || !fn)
                return refuse(c);
        failure_clear(c);
        for (bool more = true; more && value == 0 && max_entries > 0;) {
                struct history_page page;

                code = wire_list_history(c, cursor, (uint32_t) MIN(max_entries, (size_t) LIMIT_PAGE), 0, &page);
                if (code)
                        return result(code);
                for (size_t i = 0; i < page.n && value == 0 && max_entries > 0; i++, max_entries--)
                        value = fn(&page.records[i].info, userdata);
                free(cursor);
                cursor = TAKE_PTR(page.next);
                more = *cursor != 0;
                history_page_done(&page);
        }
        return value;
}

int32_t dosvc_get_service(dosvc *c, dosvc_service_fn fn, void *userdata) {
        _cleanup_free_ char *address = NULL;
        struct service_record record;
        int32_t value;
        int code;

        if (!c || !fn)
                return refuse(c);
        failure_clear(c);
        code = wire_get_service(c, &record);
        if (code)
                return result(code);
        address = connection_dup_address(c);
        record.info.address = address ? address : "";
        value = fn(&record.info, userdata);
        service_record_done(&record);
        return value;
}

/* ---- configuration ---- */

struct config_entry {
        char *strings[7]; /* key, value, source, unit, text, type, default */
        uint64_t min;
        uint64_t max;
        int needs_restart;
};

struct config_list {
        struct config_entry *entries;
        size_t n;
};

static void config_list_done(struct config_list *list) {
        for (size_t i = 0; i < list->n; i++)
                for (size_t k = 0; k < ELEMENTSOF(list->entries[i].strings); k++)
                        free(list->entries[i].strings[k]);
        free(list->entries);
        *list = (struct config_list){};
}

static int read_config(sd_bus_message *m, struct config_list *list) {
        const char *s[7];
        uint64_t min, max;
        int r, restart;

        r = sd_bus_message_enter_container(m, 'a', "(ssssssttsb)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "(ssssssttsb)", &s[0], &s[1], &s[2], &s[3], &s[4], &s[5], &min, &max, &s[6], &restart)) > 0) {
                struct config_entry *entries = reallocarray(list->entries, list->n + 1, sizeof(*entries));

                if (!entries)
                        return -ENOMEM;
                list->entries = entries;
                entries[list->n] = (struct config_entry){ .min = min, .max = max, .needs_restart = restart };
                list->n++;
                for (size_t k = 0; k < ELEMENTSOF(s); k++)
                        if (strdup_to(&entries[list->n - 1].strings[k], s[k]) < 0)
                                return -ENOMEM;
        }
        return r;
}

static int decode_config(sd_bus_message *reply, void *ret) {
        int r = read_config(reply, ret);

        if (r < 0)
                config_list_done(ret);
        return r;
}

int32_t dosvc_list_config(dosvc *c, dosvc_config_fn fn, void *userdata) {
        struct config_list list = {};
        int32_t value = 0;
        int code;

        if (!c || !fn)
                return refuse(c);
        failure_clear(c);
        code = connection_call(c, &(struct call){ .path = WIRE_MANAGER_PATH,
                                                  .interface = WIRE_MANAGER,
                                                  .member = "ListConfiguration",
                                                  .flags = CALL_REPEATABLE,
                                                  .decode = decode_config,
                                                  .ret = &list });
        if (code)
                return result(code);
        for (size_t i = 0; i < list.n && value == 0; i++) {
                char **s = list.entries[i].strings;
                const dosvc_config_info info = { .size = sizeof(info), .key = s[0],  .value = s[1],
                                                 .source = s[2],       .unit = s[3], .text = s[4],
                                                 .type = s[5],         .initial = s[6],
                                                 .min = list.entries[i].min,
                                                 .max = list.entries[i].max,
                                                 .needs_restart = list.entries[i].needs_restart };

                value = fn(&info, userdata);
        }
        config_list_done(&list);
        return value;
}

static int decode_changed(sd_bus_message *reply, void *ret) {
        return sd_bus_message_read_basic(reply, 'u', ret);
}

int32_t dosvc_reload_config(dosvc *c, uint32_t *ret_changed) {
        uint32_t changed = 0;
        int code;

        if (!c)
                return refuse(c);
        failure_clear(c);
        code = connection_call(c, &(struct call){ .path = WIRE_MANAGER_PATH,
                                                  .interface = WIRE_MANAGER,
                                                  .member = "Reload",
                                                  .flags = CALL_REPEATABLE | CALL_INTERACTIVE,
                                                  .decode = decode_changed,
                                                  .ret = &changed });
        if (!code && ret_changed)
                *ret_changed = changed;
        return result(code);
}
