/* <dosvc.h>: properties by key. idl/properties.txt is the table; what a key is called on the wire, how its value is
 * written, and whether it may be set, is known nowhere else. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/strings.h"
#include "client/failure.h"
#include "client/public.h"
#include "client/rim.h"
#include "client/wire.h"
#include "protocol/limits.h"

#define VALUES_MAX 64 /* more than any object has */

enum form {
        FORM_TEXT,
        FORM_WORD,
        FORM_SWITCH,
        FORM_NUMBER,
        FORM_SIZE,
        FORM_FLAGS,
        FORM_TIME,
        FORM_PATH,
        FORM_DIGEST,
        FORM_RANGES,
        FORM_HEADERS,
};

static const char *const form_names[] = {
        [FORM_TEXT] = "text",   [FORM_WORD] = "word",     [FORM_SWITCH] = "switch", [FORM_NUMBER] = "number",
        [FORM_SIZE] = "size",   [FORM_FLAGS] = "flags",   [FORM_TIME] = "time",     [FORM_PATH] = "path",
        [FORM_DIGEST] = "digest", [FORM_RANGES] = "ranges", [FORM_HEADERS] = "headers",
};

struct property_row {
        const char *wire_name;
        const char *signature;
        enum form form;
        dosvc_property_info info;
};

static const struct property_row rows[] = {
#define PROPERTY_ROW(object_, key_, wire, signature, form, readable_, settable_, secret_, min_, max_, unit_, text_)             \
        { wire, signature, form,                                                                                               \
          { sizeof(dosvc_property_info), object_, key_, NULL, unit_, text_, min_, max_, readable_, settable_, secret_ } },
#include "client/property-table.inc"
#undef PROPERTY_ROW
};

static int32_t result(int code) {
        return rim_hresult(code, JOB_FAMILY_DO);
}

static dosvc_property_info info_of(const struct property_row *row) {
        dosvc_property_info info = row->info;

        info.form = form_names[row->form];
        return info;
}

static const struct property_row *find_row(const char *object, const char *key) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (streq(rows[i].info.object, object) && streq(rows[i].info.key, key))
                        return &rows[i];
        return NULL;
}

int32_t dosvc_list_properties(dosvc_property_fn fn, void *userdata) {
        int32_t value = 0;

        if (!fn)
                return result(failure_set(NULL, ERROR_INVALID_ARGUMENT, NULL));
        for (size_t i = 0; i < ELEMENTSOF(rows) && value == 0; i++) {
                const dosvc_property_info info = info_of(&rows[i]);

                value = fn(&info, NULL, userdata);
        }
        return value;
}

/* ---- reading ---- */

/* One object's values; NULL: not known, or there is none. */
struct values {
        char *items[ELEMENTSOF(rows)];
        bool present[ELEMENTSOF(rows)];
};

static void values_done(struct values *values) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                free(values->items[i]);
        *values = (struct values){};
}

static int read_number(sd_bus_message *m, const struct property_row *row, char **ret) {
        uint64_t number = 0;
        uint32_t small = 0;
        char text[24];
        int r;

        r = *row->signature == 'u' ? sd_bus_message_read_basic(m, 'u', &small) : sd_bus_message_read_basic(m, 't', &number);
        if (r < 0)
                return r;
        if (*row->signature == 'u')
                number = small;
        if ((row->form == FORM_SIZE && number == DOSVC_UNKNOWN) || (row->form == FORM_TIME && number == 0))
                return 0;
        (void) snprintf(text, sizeof(text), row->form == FORM_FLAGS ? "0x%" PRIx64 : "%" PRIu64, number);
        return strdup_to(ret, text);
}

static int read_bytes(sd_bus_message *m, const struct property_row *row, char **ret) {
        const uint8_t *bytes;
        const void *array;
        size_t size;
        int r;

        r = sd_bus_message_read_array(m, 'y', &array, &size);
        if (r < 0 || size == 0)
                return MIN(r, 0);
        if (row->form == FORM_PATH) {
                *ret = strndup(array, size);
                return *ret ? 0 : -ENOMEM;
        }
        bytes = array;
        *ret = malloc(2 * size + 1);
        if (!*ret)
                return -ENOMEM;
        for (size_t i = 0; i < size; i++)
                (void) snprintf(*ret + 2 * i, 3, "%02x", bytes[i]);
        return 0;
}

static int read_ranges(sd_bus_message *m, char **ret) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0, room;
        uint64_t offset, length;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(tt)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "(tt)", &offset, &length)) > 0) {
                char one[48], end[24];
                char *grown;

                (void) snprintf(end, sizeof(end), "%" PRIu64, length);
                room = (size_t) snprintf(one, sizeof(one), "%s%" PRIu64 ":%s", size ? "," : "", offset,
                                         length == UINT64_MAX ? "eof" : end);
                grown = realloc(text, size + room + 1);
                if (!grown)
                        return -ENOMEM;
                text = grown;
                memcpy(text + size, one, room + 1);
                size += room;
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(text);
        return sd_bus_message_exit_container(m);
}

static int read_value(sd_bus_message *m, const struct property_row *row, char **ret) {
        const char *s;
        int r, yes;

        switch (*row->signature) {
        case 's':
                r = sd_bus_message_read_basic(m, 's', &s);
                return r < 0 ? r : strdup_to(ret, s);
        case 'b':
                r = sd_bus_message_read_basic(m, 'b', &yes);
                return r < 0 ? r : strdup_to(ret, yes ? "yes" : "no");
        case 'u':
        case 't':
                return read_number(m, row, ret);
        default:
                return row->form == FORM_RANGES ? read_ranges(m, ret) : read_bytes(m, row, ret);
        }
}

/* One "{sv}" that was entered. What this library does not know is passed over. */
static int read_entry(sd_bus_message *m, const char *object, struct values *values) {
        const char *name, *contents;
        size_t i;
        int r;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r >= 0)
                r = sd_bus_message_peek_type(m, NULL, &contents);
        if (r < 0)
                return r;
        for (i = 0; i < ELEMENTSOF(rows); i++)
                if (streq(rows[i].info.object, object) && streq(rows[i].wire_name, name))
                        break;
        if (i == ELEMENTSOF(rows) || !streq(contents, rows[i].signature) || values->present[i])
                return sd_bus_message_skip(m, "v");
        r = sd_bus_message_enter_container(m, 'v', contents);
        if (r >= 0)
                r = read_value(m, &rows[i], &values->items[i]);
        if (r < 0)
                return r;
        values->present[i] = true;
        return sd_bus_message_exit_container(m);
}

static int read_object(sd_bus_message *m, const char *object, struct values *values) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_entry(m, object, values);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* In the order of the table. */
static int32_t tell(const struct values *values, dosvc_property_fn fn, void *userdata) {
        int32_t value = 0;

        for (size_t i = 0; i < ELEMENTSOF(rows) && value == 0; i++)
                if (values->present[i] && rows[i].info.readable) {
                        const dosvc_property_info info = info_of(&rows[i]);

                        value = fn(&info, values->items[i], userdata);
                }
        return value;
}

static int build_job_interface(sd_bus_message *m, const void *args) {
        return sd_bus_message_append(m, "s", WIRE_JOB);
}

static int decode_job(sd_bus_message *reply, void *ret) {
        int r = read_object(reply, "job", ret);

        if (r < 0)
                values_done(ret);
        return r;
}

int32_t dosvc_get_properties(dosvc *c, const char *id, dosvc_property_fn fn, void *userdata) {
        struct values values = {};
        char hex[WIRE_ID_HEX + 1], path[WIRE_PATH_MAX];
        int32_t value;
        int code;

        failure_clear(c);
        if (!c || !id || !fn)
                return result(failure_set(c, ERROR_INVALID_ARGUMENT, NULL));
        code = wire_find_job(c, id, "", hex);
        if (code)
                return result(code);
        wire_job_path(hex, path);
        code = connection_call(c, &(struct call){ .path = path,
                                                  .interface = WIRE_PROPERTIES,
                                                  .member = "GetAll",
                                                  .flags = CALL_REPEATABLE,
                                                  .build = build_job_interface,
                                                  .decode = decode_job,
                                                  .ret = &values });
        if (code)
                return result(code);
        value = tell(&values, fn, userdata);
        values_done(&values);
        return value;
}

/* ---- files ---- */

struct file_values_page {
        struct values *items;
        size_t n;
        uint32_t next;
};

static void file_values_page_done(struct file_values_page *page) {
        for (size_t i = 0; i < page->n; i++)
                values_done(&page->items[i]);
        free(page->items);
        *page = (struct file_values_page){};
}

static int build_first(sd_bus_message *m, const void *args) {
        return sd_bus_message_append(m, "uu", *(const uint32_t *) args, (uint32_t) LIMIT_PAGE);
}

static int read_files(sd_bus_message *m, struct file_values_page *page) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "a{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                struct values *grown = reallocarray(page->items, page->n + 1, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                page->items = grown;
                page->items[page->n++] = (struct values){};
                r = read_object(m, "file", &page->items[page->n - 1]);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int decode_files(sd_bus_message *reply, void *ret) {
        struct file_values_page *page = ret;
        int r = read_files(reply, page);

        if (r >= 0)
                r = sd_bus_message_read(reply, "u", &page->next);
        if (r < 0)
                file_values_page_done(page);
        return r;
}

int32_t dosvc_list_file_properties(dosvc *c, const char *id, dosvc_property_fn fn, void *userdata) {
        char hex[WIRE_ID_HEX + 1], path[WIRE_PATH_MAX];
        int32_t value = 0;
        uint32_t first = 0;
        int code;

        failure_clear(c);
        if (!c || !id || !fn)
                return result(failure_set(c, ERROR_INVALID_ARGUMENT, NULL));
        code = wire_find_job(c, id, "", hex);
        if (code)
                return result(code);
        wire_job_path(hex, path);
        for (bool more = true; more && value == 0;) {
                struct file_values_page page = {};

                code = connection_call(c, &(struct call){ .path = path,
                                                          .interface = WIRE_JOB,
                                                          .member = "ListFiles",
                                                          .flags = CALL_REPEATABLE,
                                                          .build = build_first,
                                                          .args = &first,
                                                          .decode = decode_files,
                                                          .ret = &page });
                if (code)
                        return result(code);
                for (size_t i = 0; i < page.n && value == 0; i++)
                        value = tell(&page.items[i], fn, userdata);
                more = page.n > 0 && page.next > 0;
                first += (uint32_t) page.n;
                file_values_page_done(&page);
        }
        return value;
}

/* ---- setting ---- */

static int refuse_value(dosvc *c, const struct property_row *row) {
        switch (row->form) {
        case FORM_SWITCH:
                return failure_setf(c, ERROR_INVALID_ARGUMENT, "%s takes yes or no.", row->info.key);
        case FORM_WORD:
                return failure_setf(c, ERROR_INVALID_ARGUMENT, "%s takes one of: %s.", row->info.key, row->info.unit);
        default:
                return failure_setf(c, ERROR_INVALID_ARGUMENT, "%s takes a number from %" PRIu64 " to %" PRIu64 "%s%s.",
                                    row->info.key, row->info.min, row->info.max, *row->info.unit ? " " : "", row->info.unit);
        }
}

/* Decimal; flags also hexadecimal; sizes also with K, M, G, T (of 1024) or as "unknown" or "none". */
static int parse_number(const struct property_row *row, const char *value, uint64_t *ret) {
        static const char suffixes[] = "KMGT";
        char digits[24];
        size_t n = strlen(value);
        const char *suffix;
        unsigned shift = 0;
        int r;

        if (row->form == FORM_FLAGS && startswith(value, "0x")) {
                if (n <= 2 || n > 18 || strspn(value + 2, "0123456789abcdefABCDEF") != n - 2)
                        return -EINVAL;
                *ret = strtoull(value + 2, NULL, 16);
                return 0;
        }
        if (row->form == FORM_SIZE && (streq(value, "unknown") || streq(value, "none"))) {
                *ret = DOSVC_UNKNOWN;
                return 0;
        }
        if (n == 0 || n >= sizeof(digits))
                return -EINVAL;
        memcpy(digits, value, n + 1);
        suffix = row->form == FORM_SIZE ? strchr(suffixes, toupper((unsigned char) digits[n - 1])) : NULL;
        if (suffix) {
                digits[n - 1] = 0;
                shift = 10 * (unsigned) (suffix - suffixes + 1);
        }
        r = parse_u64(digits, ret);
        if (r < 0)
                return r;
        if (*ret > UINT64_MAX >> shift)
                return -ERANGE;
        *ret <<= shift;
        return 0;
}

/* One header a line, whatever ends the lines; the wire wants CR LF between them. */
static char *join_headers(const char *value) {
        size_t size = 0;
        char *joined = malloc(2 * strlen(value) + 1);

        if (!joined)
                return NULL;
        for (const char *p = value; *p; p++) {
                if (*p == '\n' && (p == value || p[-1] != '\r'))
                        joined[size++] = '\r';
                joined[size++] = *p;
        }
        while (size > 0 && (joined[size - 1] == '\n' || joined[size - 1] == '\r'))
                size--;
        joined[size] = 0;
        return joined;
}

static bool is_word_of(const char *words, const char *value) {
        size_t n = strlen(value);

        for (const char *p = words; n > 0 && (p = strstr(p, value)); p += n)
                if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == 0))
                        return !strchr(value, ' ');
        return false;
}

/* *ret_owned: to be freed after the call. */
static int parse_value(dosvc *c, const struct property_row *row, const char *value, struct wire_property *ret, char **ret_owned) {
        uint64_t number = 0;

        *ret = (struct wire_property){ .name = row->wire_name, .type = *row->signature };
        switch (row->form) {
        case FORM_HEADERS:
                ret->s = *ret_owned = join_headers(value);
                return ret->s ? 0 : failure_set_errno(c, -ENOMEM);
        case FORM_TEXT:
                ret->s = value;
                return 0;
        case FORM_WORD:
                ret->s = value;
                return is_word_of(row->info.unit, value) ? 0 : refuse_value(c, row);
        case FORM_SWITCH:
                ret->b = streq(value, "yes");
                return ret->b || streq(value, "no") ? 0 : refuse_value(c, row);
        default:
                if (parse_number(row, value, &number) < 0 || number < row->info.min || number > row->info.max)
                        return refuse_value(c, row);
        }
        if (ret->type == 'u')
                ret->u = (uint32_t) number;
        else
                ret->t = number;
        return 0;
}

static int convert(dosvc *c, const char *object, const dosvc_property *property, struct wire_property *ret, char **ret_owned) {
        const struct property_row *row;

        if (!property->key || !property->value)
                return failure_set(c, ERROR_INVALID_ARGUMENT, NULL);
        row = find_row(object, property->key);
        if (!row)
                return failure_setf(c, ERROR_UNKNOWN_PROPERTY, "There is no property \"%s\".", property->key);
        if (!row->info.settable)
                return failure_setf(c, ERROR_INVALID_ARGUMENT, "%s can be shown, not set.", property->key);
        return parse_value(c, row, property->value, ret, ret_owned);
}

int32_t dosvc_set_properties(dosvc *c, const char *id, const dosvc_property *properties, size_t n) {
        struct wire_property converted[VALUES_MAX];
        char *owned[VALUES_MAX] = {};
        char hex[WIRE_ID_HEX + 1];
        int code = 0;

        failure_clear(c);
        if (!c || !id || !properties || n == 0 || n > VALUES_MAX)
                return result(failure_set(c, ERROR_INVALID_ARGUMENT, NULL));
        for (size_t i = 0; i < n && !code; i++)
                code = convert(c, "job", &properties[i], &converted[i], &owned[i]);
        if (!code)
                code = wire_find_job(c, id, "", hex);
        if (!code)
                code = wire_set_properties(c, hex, converted, n);
        for (size_t i = 0; i < n; i++)
                free(owned[i]);
        return result(code);
}

int32_t dosvc_set(dosvc *c, const char *id, const char *key, const char *value) {
        return dosvc_set_properties(c, id, &(dosvc_property){ key, value }, 1);
}

int32_t dosvc_set_of_file(dosvc *c, const char *id, uint32_t index, const char *key, const char *value) {
        struct wire_property converted;
        char hex[WIRE_ID_HEX + 1];
        char *owned = NULL;
        int code;

        failure_clear(c);
        if (!c || !id)
                return result(failure_set(c, ERROR_INVALID_ARGUMENT, NULL));
        code = convert(c, "file", &(dosvc_property){ key, value }, &converted, &owned);
        if (!code)
                code = wire_find_job(c, id, "", hex);
        if (!code)
                /* Two have methods of their own: they may start a transfer again. */
                code = streq(key, "url")          ? wire_set_url(c, hex, index, value)
                       : streq(key, "validation") ? wire_set_validation(c, hex, index, streq(value, "good"))
                                                  : wire_set_file_property(c, hex, index, &converted);
        free(owned);
        return result(code);
}

int32_t dosvc_replace_url_prefix(dosvc *c, const char *id, const char *old_prefix, const char *new_prefix, uint32_t *ret_changed) {
        char hex[WIRE_ID_HEX + 1];
        uint32_t changed = 0;
        int code;

        failure_clear(c);
        if (!c || !id || !old_prefix || !new_prefix)
                return result(failure_set(c, ERROR_INVALID_ARGUMENT, NULL));
        code = wire_find_job(c, id, "", hex);
        if (!code)
                code = wire_replace_url_prefix(c, hex, old_prefix, new_prefix, &changed);
        if (ret_changed)
                *ret_changed = changed;
        return result(code);
}
