#include "ipc/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static _Alignas(8) uint8_t frame[IPC_FRAME_MAX];
static _Alignas(8) uint8_t again[IPC_FRAME_MAX];
static char url[LIMIT_URL + 2];
static char headers[LIMIT_CUSTOM_HEADERS + 2];
static struct ipc_piece pieces[IPC_PIECES_MAX + 1];

static struct ipc_message start_message(void) {
        struct ipc_message m = { .type = IPC_START };

        for (size_t i = 0; i < ELEMENTSOF(pieces); i++)
                pieces[i] = (struct ipc_piece) { .remote_offset = i * 10, .length = 5, .local_offset = i * 5 };
        memset(url, 'u', LIMIT_URL);
        memset(headers, 'h', LIMIT_CUSTOM_HEADERS);
        m.start = (struct ipc_start) {
                .id = 7, .owner = 1000, .pace = { true, 5000, 7, 9 }, .remote_size = UINT64_MAX, .stated_size = 12,
                .max_bytes = UINT64_MAX, .connect_timeout_usec = 30, .stall_timeout_usec = 40, .floor_rate = 50, .firm_floor = true, .own_connection = true, .replace_stalled = true, .from_public = true,
                .url = "http://example.org/a", .etag = "\"x\"", .n_pieces = 1, .pieces = pieces,
        };
        return m;
}

static void assert_round_trip(const struct ipc_message *m, struct ipc_message *ret) {
        ssize_t n, k;

        n = ipc_encode(m, frame);
        assert_true(n > 0);
        assert_int_equal(n % 8, 0);
        assert_int_equal(ipc_decode(frame, (size_t) n, ret), n);
        assert_int_equal(ret->type, m->type);
        k = ipc_encode(ret, again);
        assert_int_equal(k, n);
        assert_memory_equal(frame, again, (size_t) n);
}

static void a_start_comes_back_as_it_was(void **state) {
        struct ipc_message m = start_message(), r;

        m.start.n_proxies = 2;
        m.start.proxies[0] = "http_proxy=http://p:3128";
        m.start.proxies[1] = "no_proxy=*";
        m.start.n_pieces = 3;
        pieces[2].length = UINT64_MAX;
        assert_round_trip(&m, &r);
        assert_int_equal(r.start.id, 7);
        assert_int_equal(r.start.owner, 1000);
        assert_true(r.start.pace.foreground);
        assert_int_equal(r.start.pace.max_rate, 5000);
        assert_int_equal(r.start.pace.hold_at, 7);
        assert_int_equal(r.start.pace.end_at, 9);
        assert_false(r.start.whole_file);
        assert_string_equal(r.start.url, "http://example.org/a");
        assert_string_equal(r.start.etag, "\"x\"");
        assert_null(r.start.headers);
        assert_string_equal(r.start.proxies[1], "no_proxy=*");
        assert_int_equal(r.start.n_pieces, 3);
        assert_int_equal(r.start.pieces[1].remote_offset, 10);
        assert_true(r.start.pieces[2].length == UINT64_MAX);
}

static void every_other_message_comes_back_as_it_was(void **state) {
        struct ipc_message r, all[] = {
                { .type = IPC_HELLO, .hello = { .version = 1, .role = IPC_ROLE_RESOLVE, .program_version = "1" } },
                { .type = IPC_EQUIP, .equip = { IPC_EQUIPMENT_RESOLVER } },
                { .type = IPC_RESOLVER_UNFIT },
                { .type = IPC_PACE, .set_pace = { 8, { true, 100, UINT64_MAX, UINT64_MAX } } },
                { .type = IPC_LIMITS, .limits = { .max_connections_per_owner = 64, .max_connections_per_host = 6 } },
                { .type = IPC_PLACES, .places = { .host = "http://h:80", .given = IPC_PLACES_MAX, .recalled = 1 } },
                { .type = IPC_WANT_PLACES, .want_places = { .host = "https://h:443", .returned = 1, .wanted = IPC_PLACES_MAX } },
                { .type = IPC_LINE_USE, .line_use = { .low = 1, .high = IPC_LINE_RATE_MAX, .n = IPC_LINE_PLACES_MAX, .slowdown = true } },
                { .type = IPC_LINE_USE_ELSEWHERE, .line_use = { .low = 2, .high = 2, .n = 1 } },
                { .type = IPC_STOP, .stop = { .id = 3 } },
                { .type = IPC_METADATA, .metadata = { .id = 3, .http_status = 206, .remote_size = 5, .remote_time_usec = 9,
                                                      .etag = "\"e\"", .origin = "http://h:80/p", .address = "::1", .refused = true,
                                                      .headers = "HTTP/1.1 206 X\r\nA: b\r\n" } },
                { .type = IPC_CERTIFICATE, .certificate = { .id = 3, .sha256 = { 1, 2 }, .n_bytes = 3, .bytes = "own", .n_all = 5, .all = "chain" } },
                { .type = IPC_PROGRESS, .progress = { .id = 3, .local_start = 1, .local_end = 2, .bytes_fetched = 9 } },
                { .type = IPC_OFFERS, .offers = { .id = 3, .mirrors = "http://m/f", .n_preferred = 1, .has_sha256 = true, .sha256 = { 7 } } },
                { .type = IPC_REPLACED, .replaced = { .id = 3, .text = "too slow" } },
                { .type = IPC_FINISHED, .finished = { .id = 3, .slow = true, .outcome = 3, .code = ERROR_HTTP_STATUS,
                                                      .context = ERROR_CONTEXT_REMOTE_FILE, .transient = true,
                                                      .detail = 503, .text = "" } },
                { .type = IPC_RESOLVE, .resolve = { .id = 4, .only_public = true, .host = "h" } },
                { .type = IPC_SETUP, .setup = { .minimum_free_bytes = 1 } },
                { .type = IPC_CALL, .call = { .id = 5, .n_bytes = 4, .bytes = "call" } },
                { .type = IPC_CALL_WITH, .call = { .id = 5, .bytes = "" } },
                { .type = IPC_CALL_LARGE, .call = { .id = 5, .n_bytes = IPC_CALL_BYTES_MAX + 1 } },
                { .type = IPC_ANSWER, .call = { .id = 5, .n_bytes = 4, .bytes = "answ" } },
                { .type = IPC_ANSWER_WITH, .call = { .id = 5, .bytes = "" } },
                { .type = IPC_ANSWER_LARGE, .call = { .id = 5, .n_bytes = IPC_LARGE_BYTES_MAX } },
                { .type = IPC_SPAWN, .spawn = { .id = 6, .uid = 1000, .program = IPC_PROGRAM_RUNNER } },
                { .type = IPC_SPAWNED, .spawned = { .id = 6, .error = 1, .text = "no" } },
                { .type = IPC_RUN, .run = { .timeout_usec = 7, .program = "/p", .n_arguments = 4, .arguments = "p\0a" } },
                { .type = IPC_ENDED, .ended = { .outcome = IPC_RUN_OUTCOMES - 1, .value = 255 } },
                { .type = IPC_RESOLVED, .resolved = { .id = 4, .status = IPC_RESOLVE_OK, .text = "", .n_addresses = 1,
                                                      .addresses = { { .family = 4, .bytes = { 127, 0, 0, 1 } } } } },
        };

        for (size_t i = 0; i < ELEMENTSOF(all); i++)
                assert_round_trip(&all[i], &r);
        assert_int_equal(r.resolved.addresses[0].bytes[0], 127);
}

static void the_largest_start_fits_one_frame(void **state) {
        static char certificate[LIMIT_CERTIFICATE + 1], key[LIMIT_CERTIFICATE_KEY + 1], credentials[LIMIT_CREDENTIALS + 1], validator[LIMIT_VALIDATOR + 1], origin[LIMIT_ORIGIN + 1], proxy[IPC_PROXY_BYTES + 1];
        struct ipc_message m = start_message(), r;

        memset(validator, 'v', LIMIT_VALIDATOR);
        memset(origin, 'o', LIMIT_ORIGIN);
        memset(proxy, 'p', IPC_PROXY_BYTES);
        m.start.url = url;
        m.start.method = "12345678901234567890123456789012";
        m.start.headers = m.start.auth_headers = headers;
        m.start.etag = m.start.last_modified = m.start.encoding = validator;
        m.start.origin = origin;
        memset(credentials, 'c', LIMIT_CREDENTIALS);
        m.start.credentials = m.start.proxy_credentials = credentials;
        memset(certificate, '\n', LIMIT_CERTIFICATE);
        memset(key, 'k', LIMIT_CERTIFICATE_KEY);
        m.start.client_certificate = certificate;
        m.start.client_key = key;
        m.start.judge_certificate = true;
        m.start.n_accepted = LIMIT_ACCEPTED_CERTIFICATES;
        m.start.accepted = key;
        m.start.n_pieces = IPC_PIECES_MAX;
        m.start.n_proxies = IPC_PROXIES_MAX;
        for (size_t i = 0; i < IPC_PROXIES_MAX; i++)
                m.start.proxies[i] = proxy;
        assert_round_trip(&m, &r);
        assert_int_equal(strlen(r.start.headers), LIMIT_CUSTOM_HEADERS);
        assert_int_equal(r.start.pieces[499].local_offset, 2495);
}

static void what_is_over_a_limit_is_not_encoded(void **state) {
        struct ipc_message m = start_message();

        url[LIMIT_URL] = 'u';
        m.start.url = url;
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);
        url[LIMIT_URL] = 0;
        m = start_message();
        m.start.n_pieces = IPC_PIECES_MAX + 1;
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);
        m.start.n_pieces = 0;
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);
        m.start.n_pieces = 2;
        pieces[0].length = UINT64_MAX; /* only the last may be open */
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);
        pieces[0].length = 0;
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);
        m = start_message();
        m.start.url = NULL;
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);
        m.start.url = "http://h/\r\nX: y";
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);
}

static void certificates_have_limits(void **state) {
        static const uint8_t bytes[LIMIT_SERVER_CERTIFICATES + 1];
        struct ipc_message r, m = {
                .type = IPC_CERTIFICATE,
                .certificate = { .id = 1, .n_bytes = LIMIT_SERVER_CERTIFICATE, .bytes = bytes, .n_all = LIMIT_SERVER_CERTIFICATES, .all = bytes },
        };

        assert_round_trip(&m, &r);
        assert_int_equal(r.certificate.n_all, LIMIT_SERVER_CERTIFICATES);
        m.certificate.n_bytes++;
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);
        m.certificate.n_bytes = 0;
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);
        m.certificate.n_bytes = 1;
        m.certificate.n_all++;
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);

        m = start_message();
        m.start.judge_certificate = true;
        m.start.accepted = bytes;
        m.start.n_accepted = LIMIT_ACCEPTED_CERTIFICATES + 1;
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);
        m.start.n_accepted = 1;
        assert_round_trip(&m, &r);
        m.start.judge_certificate = false; /* accepted for what? */
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);
}

static void a_programs_strings_have_limits_and_ends(void **state) {
        static char strings[IPC_RUN_STRINGS_MAX + 1];
        struct ipc_message r, m = {
                .type = IPC_RUN,
                .run = { .timeout_usec = 1, .program = "/p", .n_arguments = IPC_RUN_STRINGS_MAX, .arguments = strings,
                         .n_environment = IPC_RUN_STRINGS_MAX, .environment = strings },
        };
        struct ipc_message ended = { .type = IPC_ENDED, .ended = { .value = 255 } };

        static_assert(IPC_RUN_STRINGS_MAX > 4 * LIMIT_NOTIFY_PARAMETERS + 1, "what a job may have");
        assert_round_trip(&m, &r);
        m.run.n_arguments++;
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);
        m.run.n_arguments = 3;
        m.run.arguments = "abc"; /* its NUL is not among the three */
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);
        m.run.n_arguments = 4;
        assert_round_trip(&m, &r);
        m.run.program = "p";
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);
        assert_round_trip(&ended, &r);
        ended.ended.value++;
        assert_int_equal(ipc_encode(&ended, frame), -EINVAL);
        ended.ended = (struct ipc_ended) { .outcome = IPC_RUN_OUTCOMES };
        assert_int_equal(ipc_encode(&ended, frame), -EINVAL);
}

static void what_there_is_of_a_line_has_limits(void **state) {
        static const struct ipc_line_use most = { IPC_LINE_RATE_MAX, IPC_LINE_RATE_MAX, IPC_LINE_PLACES_MAX, true };
        struct ipc_message r, m = { .type = IPC_LINE_USE, .line_use = most };

        assert_round_trip(&m, &r);
        m.line_use.high++;
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);
        m.line_use = most;
        m.line_use.n++;
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);
        m.line_use = most;
        m.line_use.high--; /* below the lowest */
        assert_int_equal(ipc_encode(&m, frame), -EINVAL);
}

static void a_cut_frame_is_refused_at_every_length(void **state) {
        struct ipc_message m = start_message(), r;
        ssize_t n = ipc_encode(&m, frame);

        for (ssize_t i = 0; i < n; i++)
                assert_int_equal(ipc_decode(frame, (size_t) i, &r), -EPROTO);
}

static void a_wrong_header_is_refused(void **state) {
        struct ipc_message m = { .type = IPC_STOP, .stop.id = 1 }, r;
        static const size_t positions[] = { 0, 4, 6, 8, 12 }; /* magic, type, descriptors, size, reserved */
        ssize_t n = ipc_encode(&m, frame);

        for (size_t i = 0; i < ELEMENTSOF(positions); i++) {
                frame[positions[i]] ^= 0x40;
                assert_int_equal(ipc_decode(frame, (size_t) n, &r), -EPROTO);
                frame[positions[i]] ^= 0x40;
        }
        assert_int_equal(ipc_decode(frame, (size_t) n, &r), n);
}

static void a_string_with_a_nul_inside_is_refused(void **state) {
        struct ipc_message m = { .type = IPC_RESOLVE, .resolve = { .id = 1, .host = "abcdef" } }, r;
        ssize_t n = ipc_encode(&m, frame);
        uint8_t *host = memmem(frame, (size_t) n, "abcdef", 6);

        assert_non_null(host);
        host[3] = 0;
        assert_int_equal(ipc_decode(frame, (size_t) n, &r), -EPROTO);
        host[3] = '\n';
        assert_int_equal(ipc_decode(frame, (size_t) n, &r), -EPROTO);
        host[3] = 'd';
        host[6] = 'g'; /* no NUL at the end */
        assert_int_equal(ipc_decode(frame, (size_t) n, &r), -EPROTO);
}

static void each_message_has_one_direction(void **state) {
        assert_true(ipc_type_is_allowed(IPC_START, IPC_ROLE_CORE, IPC_ROLE_TRANSFER));
        assert_false(ipc_type_is_allowed(IPC_START, IPC_ROLE_TRANSFER, IPC_ROLE_CORE));
        assert_true(ipc_type_is_allowed(IPC_EQUIP, IPC_ROLE_CORE, IPC_ROLE_RESOLVE));
        assert_false(ipc_type_is_allowed(IPC_EQUIP, IPC_ROLE_TRANSFER, IPC_ROLE_RESOLVE));
        assert_false(ipc_type_is_allowed(IPC_EQUIP, IPC_ROLE_CORE, IPC_ROLE_OWNER));
        assert_false(ipc_type_is_allowed(IPC_RESOLVED, IPC_ROLE_RESOLVE, IPC_ROLE_CORE));
        assert_true(ipc_type_is_allowed(IPC_RESOLVED, IPC_ROLE_RESOLVE, IPC_ROLE_TRANSFER));
        assert_false(ipc_type_is_allowed(IPC_SPAWN, IPC_ROLE_TRANSFER, IPC_ROLE_BROKER));
        assert_false(ipc_type_is_allowed(IPC_SPAWN, IPC_ROLE_OWNER, IPC_ROLE_BROKER));
        assert_false(ipc_type_is_allowed(IPC_CALL, IPC_ROLE_OWNER, IPC_ROLE_CORE));
        for (enum ipc_type t = 0; t < _IPC_TYPE_MAX; t++) {
                assert_non_null(ipc_type_name(t));
                assert_int_equal(ipc_type_fds(t), t == IPC_EQUIP || t == IPC_START || t == IPC_CALL_WITH || t == IPC_CALL_LARGE || t == IPC_ANSWER_WITH ||
                                                          t == IPC_ANSWER_LARGE || t == IPC_SPAWN);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_start_comes_back_as_it_was),
                cmocka_unit_test(every_other_message_comes_back_as_it_was),
                cmocka_unit_test(the_largest_start_fits_one_frame),
                cmocka_unit_test(what_is_over_a_limit_is_not_encoded),
                cmocka_unit_test(certificates_have_limits),
                cmocka_unit_test(a_programs_strings_have_limits_and_ends),
                cmocka_unit_test(what_there_is_of_a_line_has_limits),
                cmocka_unit_test(a_cut_frame_is_refused_at_every_length),
                cmocka_unit_test(a_wrong_header_is_refused),
                cmocka_unit_test(a_string_with_a_nul_inside_is_refused),
                cmocka_unit_test(each_message_has_one_direction),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
