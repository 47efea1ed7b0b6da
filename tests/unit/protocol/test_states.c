#include "../unit.h"

#include "base/strings.h"
#include "protocol/states.h"

/* One vocabulary: how many words, how to find one and how to read it back. */
static void check_words(int n, const char *(*name)(int), int (*from_name)(const char *)) {
        for (int i = 0; i < n; i++) {
                assert_non_null(name(i));
                for (const char *p = name(i); *p; p++)
                        assert_true((*p >= 'a' && *p <= 'z') || *p == '_');
                for (int other = 0; other < i; other++)
                        assert_string_not_equal(name(i), name(other));
                if (from_name)
                        assert_int_equal(from_name(name(i)), i);
        }
        assert_null(name(n));
        assert_null(name(-1));
        if (from_name) {
                assert_int_equal(from_name("no_such_word"), -EINVAL);
                assert_int_equal(from_name(""), -EINVAL);
        }
}

#define WORDS(what)                                                 \
        static const char *name_of_##what(int value) {              \
                return what##_name(value);                          \
        }
WORDS(job_state)
WORDS(job_priority)
WORDS(job_family)
WORDS(error_context)
WORDS(waiting_reason)

static void every_word_goes_there_and_back(void **state _unused_) {
        check_words(_JOB_STATE_MAX, name_of_job_state, job_state_from_name);
        check_words(_JOB_PRIORITY_MAX, name_of_job_priority, job_priority_from_name);
        check_words(_JOB_FAMILY_MAX, name_of_job_family, job_family_from_name);
        check_words(_ERROR_CONTEXT_MAX, name_of_error_context, NULL);
        check_words(_WAITING_REASON_MAX, name_of_waiting_reason, waiting_reason_from_name);
}

static void every_reason_has_a_sentence(void **state _unused_) {
        for (int i = 0; i < _WAITING_REASON_MAX; i++)
                assert_true(strlen(waiting_reason_text(i)) > 5);
        assert_null(waiting_reason_text(_WAITING_REASON_MAX));
}

static void numbers_are_the_published_ones(void **state _unused_) {
        static const char *const states[] = {
                "queued", "connecting", "transferring", "suspended", "error", "transient_error", "transferred",
                "acknowledged", "cancelled",
        };

        assert_int_equal(_JOB_STATE_MAX, ELEMENTSOF(states));
        for (int i = 0; i < _JOB_STATE_MAX; i++)
                assert_string_equal(job_state_name(i), states[i]);
        assert_int_equal(job_priority_from_name("foreground"), 0);
        assert_int_equal(job_priority_from_name("low"), 3);
        assert_int_equal(ERROR_CONTEXT_REMOTE_FILE, 5);
        assert_int_equal(JOB_NOTIFY_DEFAULT, 3);
        assert_int_equal(JOB_NOTIFY_ALL, 0x3f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_word_goes_there_and_back),
                cmocka_unit_test(every_reason_has_a_sentence),
                cmocka_unit_test(numbers_are_the_published_ones),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
