#include "transfer/resolved.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct ipc_address loopback = { .family = 6, .bytes = { [15] = 1 } };
static const struct ipc_address private = { .family = 4, .bytes = { 10, 1, 2, 3 } };
static const struct ipc_address public = { .family = 4, .bytes = { 203, 0, 113, 5 } };

/* The "+" has libcurl forget them in time. */
static void addresses_are_written_in_the_words_of_libcurl(void **state) {
        const struct ipc_resolved result = { .n_addresses = 2, .addresses = { loopback, private } };
        struct curl_slist *list = NULL;

        assert_int_equal(resolved_append(&list, "h.example", 80, &result), 0);
        assert_int_equal(resolved_append(&list, "p", 3128, &result), 0);
        assert_string_equal(list->data, "+h.example:80:[::1],10.1.2.3");
        assert_string_equal(list->next->data, "+p:3128:[::1],10.1.2.3");
        curl_slist_free_all(list);
}

static void one_public_address_is_enough(void **state) {
        const struct ipc_resolved local = { .n_addresses = 2, .addresses = { loopback, private } };
        const struct ipc_resolved both = { .n_addresses = 3, .addresses = { loopback, private, public } };
        const struct ipc_resolved none = {};

        assert_false(resolved_has_public(&none));
        assert_false(resolved_has_public(&local));
        assert_true(resolved_has_public(&both));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(addresses_are_written_in_the_words_of_libcurl),
                cmocka_unit_test(one_public_address_is_enough),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
