/* Whose turn it is among places that others have crowded out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transfer/turns.h"

#define N 4

struct world {
        struct turns turns;
        struct turn places[N];
        uint64_t now;
};

static struct world *world_of(struct world *world) {
        *world = (struct world) { .now = USEC_PER_HOUR };
        for (size_t i = 0; i < N; i++)
                turns_join(&world->turns, &world->places[i]);
        return world;
}

static void note(struct world *world, size_t i, enum turn_news news) {
        turns_note(&world->turns, &world->places[i], news, world->now);
}

/* A bit for each. */
static unsigned waiting(const struct world *world) {
        unsigned bits = 0;

        for (size_t i = 0; i < N; i++)
                bits |= (unsigned) world->places[i].waits << i;
        return bits;
}

static void who_is_not_crowded_out_never_waits(void **state) {
        struct world storage, *world = world_of(&storage);

        note(world, 0, TURN_CROWDED_OUT);
        assert_int_equal(waiting(world), 0); /* it alone is */
        note(world, 1, TURN_NOTHING_NEW);
        note(world, 2, TURN_HAS_ROOM);
        assert_int_equal(waiting(world), 0);
        note(world, 3, TURN_CROWDED_OUT);
        assert_int_equal(waiting(world), 0x8);
}

static void each_has_its_turn_and_all_turns_are_as_long(void **state) {
        struct world storage, *world = world_of(&storage);
        unsigned had[N] = {};

        for (size_t i = 0; i < N; i++)
                note(world, i, TURN_CROWDED_OUT);
        assert_int_equal(waiting(world), 0xe);
        for (unsigned k = 0; k < 3 * N; k++) {
                unsigned before = waiting(world);

                world->now += turn_length(N) - 1;
                note(world, k % N, TURN_NOTHING_NEW);
                assert_int_equal(waiting(world), before);
                world->now++;
                note(world, k % N, TURN_CROWDED_OUT);
                assert_int_not_equal(waiting(world), before);
                for (size_t i = 0; i < N; i++)
                        had[i] += !world->places[i].waits;
        }
        for (size_t i = 0; i < N; i++)
                assert_int_equal(had[i], 3);
}

static void nobody_waits_for_longer_than_servers_are_patient(void **state) {
        for (unsigned n = 1; n <= 256; n++)
                assert_true(turn_length(n) > 0 && (n - 1) * turn_length(n) <= TURN_WAIT_USEC);
}

static void room_of_the_one_who_is_awake_is_room_for_all(void **state) {
        struct world storage, *world = world_of(&storage);

        for (size_t i = 0; i < 3; i++)
                note(world, i, TURN_CROWDED_OUT);
        note(world, 3, TURN_HAS_ROOM); /* another line's */
        assert_int_equal(waiting(world), 0x6);
        note(world, 1, TURN_HAS_ROOM); /* what it knew before it was silent */
        assert_int_equal(waiting(world), 0x6);
        note(world, 0, TURN_HAS_ROOM);
        assert_int_equal(waiting(world), 0);
}

static void the_turn_of_one_who_leaves_is_the_next_ones(void **state) {
        struct world storage, *world = world_of(&storage);

        for (size_t i = 0; i < 3; i++)
                note(world, i, TURN_CROWDED_OUT);
        turns_leave(&world->turns, &world->places[0], world->now);
        assert_int_equal(waiting(world), 0x4);
        turns_leave(&world->turns, &world->places[1], world->now);
        assert_int_equal(waiting(world), 0);
        turns_leave(&world->turns, &world->places[2], world->now);
        assert_null(world->turns.awake);
        turns_join(&world->turns, &world->places[0]); /* it has forgotten that it was crowded out */
        note(world, 3, TURN_CROWDED_OUT);
        assert_int_equal(waiting(world), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(who_is_not_crowded_out_never_waits),
                cmocka_unit_test(each_has_its_turn_and_all_turns_are_as_long),
                cmocka_unit_test(nobody_waits_for_longer_than_servers_are_patient),
                cmocka_unit_test(room_of_the_one_who_is_awake_is_room_for_all),
                cmocka_unit_test(the_turn_of_one_who_leaves_is_the_next_ones),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
