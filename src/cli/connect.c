#include "cli/cli.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ID_DIGITS_MIN 4 /* of a prefix: as the service has it */

static bool instance_is_chosen(const struct arguments *arguments) {
        return option_given(arguments, OPTION_SYSTEM) || option_given(arguments, OPTION_USER) ||
               secure_getenv("DOSVC_ADDRESS");
}

static unsigned flags_of(const struct arguments *arguments) {
        return option_given(arguments, OPTION_SYSTEM) ? DOSVC_CONNECT_SYSTEM
               : option_given(arguments, OPTION_USER) ? DOSVC_CONNECT_USER
                                                      : DOSVC_CONNECT_DEFAULT;
}

int connect_service(const struct arguments *arguments, dosvc **ret) {
        int32_t r = dosvc_open(flags_of(arguments), ret);

        return r < 0 ? report_failure(NULL, r, arguments->command->name) : EXIT_DONE;
}

static int copy_id(const dosvc_job_info *job, void *userdata) {
        snprintf(userdata, DOSVC_ID_SIZE, "%s", job->id);
        return 0;
}

static bool is_not_found(const dosvc *connection) {
        const dosvc_error *error = dosvc_last_error(connection);

        return error && error->name && strcmp(error->name, "NotFound") == 0;
}

/* A running instance other than the default one that knows @id, or NULL. */
static dosvc *find_elsewhere(const char *id, char ret_id[static DOSVC_ID_SIZE]) {
        static const unsigned instances[] = { DOSVC_CONNECT_SYSTEM, DOSVC_CONNECT_USER };

        for (size_t i = 0; i < ELEMENTSOF(instances); i++) {
                _cleanup_(dosvc_closep) dosvc *other = NULL;

                if (dosvc_open(instances[i] | DOSVC_CONNECT_NO_START, &other) >= 0 &&
                    dosvc_get_job(other, id, copy_id, ret_id) >= 0)
                        return TAKE_PTR(other);
        }
        return NULL;
}

/* ---- the beginning of a finished job's id: the service knows those of live jobs ---- */

struct search {
        const char *prefix;
        char *ret_id; /* of the last one that was found */
        size_t found;
};

static int compare_id(struct search *search, const char *id) {
        const char *p = search->prefix, *q = id;

        for (; *p; p++) {
                if (*p == '-')
                        continue;
                q += *q == '-';
                if (tolower((unsigned char) *p) != *q++)
                        return 0;
        }
        snprintf(search->ret_id, DOSVC_ID_SIZE, "%s", id);
        search->found++;
        return 0;
}

static int compare_job(const dosvc_job_info *job, void *userdata) {
        return compare_id(userdata, job->id);
}

static int compare_entry(const dosvc_history_info *entry, void *userdata) {
        return compare_id(userdata, entry->id);
}

static bool find_finished(dosvc *connection, const char *prefix, char ret_id[static DOSVC_ID_SIZE]) {
        struct search live = { .prefix = prefix, .ret_id = ret_id }, finished = live;

        if (strspn(prefix, "0123456789abcdefABCDEF") < ID_DIGITS_MIN || dosvc_list_jobs(connection, NULL, compare_job, &live) < 0 ||
            live.found > 0)
                return false;
        return dosvc_list_history(connection, SIZE_MAX, compare_entry, &finished) >= 0 && finished.found == 1;
}

int connect_job(const struct arguments *arguments, const char *id, const char *what, dosvc **ret, char ret_id[static DOSVC_ID_SIZE]) {
        _cleanup_(dosvc_closep) dosvc *connection = NULL;
        int32_t r;
        int code;

        code = connect_service(arguments, &connection);
        if (code)
                return code;
        r = dosvc_get_job(connection, id, copy_id, ret_id);
        if (r < 0 && is_not_found(connection) && !instance_is_chosen(arguments)) {
                *ret = find_elsewhere(id, ret_id);
                if (*ret)
                        return EXIT_DONE;
        }
        if (r < 0 && is_not_found(connection)) {
                if (find_finished(connection, id, ret_id)) {
                        *ret = TAKE_PTR(connection);
                        return EXIT_DONE;
                }
                r = dosvc_get_job(connection, id, copy_id, ret_id); /* for its words */
        }
        if (r < 0)
                return report_failure(connection, r, what);
        *ret = TAKE_PTR(connection);
        return EXIT_DONE;
}

/* Has this user ever had an instance? Then its jobs are to be shown even if it does not run now. */
static bool user_state_exists(void) {
        const char *state = secure_getenv("XDG_STATE_HOME"), *home = secure_getenv("HOME");
        _cleanup_(freep) char *path = NULL;

        if (state && state[0] == '/')
                path = must_printf("%s/dosvc", state);
        else if (home && home[0] == '/')
                path = must_printf("%s/.local/state/dosvc", home);
        return path && access(path, F_OK) == 0;
}

static int call_one(dosvc *connection, const char *what, int (*fn)(dosvc *, void *), void *userdata) {
        int32_t r = fn(connection, userdata);

        return r < 0 ? report_failure(connection, r, what) : EXIT_DONE;
}

int connect_each(const struct arguments *arguments, int (*fn)(dosvc *connection, void *userdata), void *userdata) {
        _cleanup_(dosvc_closep) dosvc *first = NULL, *second = NULL;
        const char *what = arguments->command->name;
        unsigned user = DOSVC_CONNECT_USER;
        int32_t r;
        int code;

        if (instance_is_chosen(arguments)) {
                code = connect_service(arguments, &first);
                return code ? code : call_one(first, what, fn, userdata);
        }
        if (dosvc_open(DOSVC_CONNECT_SYSTEM | DOSVC_CONNECT_NO_START, &first) < 0)
                first = NULL;
        if (first && !user_state_exists())
                user |= DOSVC_CONNECT_NO_START;
        r = dosvc_open(user, &second);
        if (r < 0) {
                second = NULL;
                if (!first)
                        return report_failure(NULL, r, what);
        }
        code = first ? call_one(first, what, fn, userdata) : EXIT_DONE;
        if (code == EXIT_DONE && second)
                code = call_one(second, what, fn, userdata);
        return code;
}
