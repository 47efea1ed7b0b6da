/* The limits hold over all processes of an owner, and nobody is left out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "transfer/quota.h"

#define PROCESSES 4
#define HOSTS 3

/* A process that does what places.h says. */
struct process {
        struct quota_holder *holder;
        unsigned held[HOSTS], owed[HOSTS], busy[HOSTS], wanted[HOSTS];
        unsigned n_served[HOSTS];
        unsigned n_told;
};

struct world {
        struct quota *quota;
        struct process processes[PROCESSES];
        unsigned n_told;
};

static const char *const host_names[HOSTS] = { "http://a:80", "http://b:80", "https://c:443" };

static void begin(struct process *p, size_t host) {
        while (p->busy[host] < p->wanted[host] && p->busy[host] < p->held[host] - p->owed[host])
                p->busy[host]++;
}

static void on_told(void *userdata, const char *host, unsigned given, unsigned recalled) {
        struct process *process = userdata;

        process->n_told++;
        for (size_t i = 0; i < HOSTS; i++)
                if (strcmp(host, host_names[i]) == 0) {
                        process->held[i] += given;
                        begin(process, i);
                        process->owed[i] = MIN(process->owed[i] + recalled, process->held[i]);
                        return;
                }
        fail_msg("a host that nobody asked for");
}

static void world_init(struct world *w, unsigned per_owner, unsigned per_host) {
        const struct engine_limits limits = { per_owner, per_host };

        *w = (struct world) {};
        assert_int_equal(quota_new(&limits, on_told, &w->quota), 0);
        for (size_t i = 0; i < PROCESSES; i++)
                assert_int_equal(quota_join(w->quota, 1000, &w->processes[i], &w->processes[i].holder), 0);
}

static void world_done(struct world *w) {
        for (size_t i = 0; i < PROCESSES; i++)
                w->processes[i].holder = quota_leave(w->processes[i].holder);
        w->quota = quota_free(w->quota);
}

static void want(struct world *w, size_t process, size_t host, unsigned wanted) {
        struct process *p = &w->processes[process];

        p->wanted[host] = wanted;
        assert_int_equal(quota_want(p->holder, host_names[host], 0, wanted), 0);
}

static unsigned held_at(const struct world *w, size_t host) {
        unsigned n = 0;

        for (size_t i = 0; i < PROCESSES; i++)
                n += w->processes[i].held[host];
        return n;
}

static unsigned held(const struct world *w) {
        return held_at(w, 0) + held_at(w, 1) + held_at(w, 2);
}

/* Each process begins what it may, and returns what it was asked for and does not use. */
static void work(struct world *w) {
        for (size_t i = 0; i < PROCESSES; i++)
                for (size_t h = 0; h < HOSTS; h++) {
                        struct process *p = &w->processes[i];
                        unsigned returned;

                        begin(p, h);
                        returned = MIN(p->owed[h], p->held[h] - p->busy[h]);
                        if (returned == 0)
                                continue;
                        p->held[h] -= returned;
                        p->owed[h] -= returned;
                        assert_int_equal(quota_want(p->holder, host_names[h], returned, p->wanted[h]), 0);
                }
}

static void settle(struct world *w) {
        for (unsigned i = 0; i < 50; i++)
                work(w);
}

/* One exchange ends; its connection is idle now. */
static void end_one(struct world *w, size_t process, size_t host) {
        struct process *p = &w->processes[process];

        assert_true(p->busy[host] > 0);
        p->busy[host]--;
        p->n_served[host]++;
}

static void one_process_alone_gets_all_that_it_wants(void **state) {
        struct world w;

        world_init(&w, 64, 6);
        want(&w, 0, 0, 20);
        assert_int_equal(w.processes[0].held[0], 6);
        want(&w, 0, 1, 2);
        assert_int_equal(w.processes[0].held[1], 2);
        world_done(&w);
}

static void two_at_one_host_share_its_limit_as_exchanges_end(void **state) {
        struct world w;

        world_init(&w, 64, 6);
        want(&w, 0, 0, 20);
        settle(&w);
        want(&w, 1, 0, 20);
        settle(&w);
        assert_int_equal(w.processes[1].held[0], 0); /* all are in use */
        for (unsigned i = 0; i < 20; i++) {
                end_one(&w, 0, 0);
                settle(&w);
                assert_int_equal(held_at(&w, 0), 6);
        }
        assert_int_equal(w.processes[0].held[0], 3);
        assert_int_equal(w.processes[1].held[0], 3);
        world_done(&w);
}

static void who_goes_elsewhere_does_not_wait(void **state) {
        struct world w;

        world_init(&w, 64, 6);
        want(&w, 0, 0, 20);
        settle(&w);
        want(&w, 1, 1, 20);
        assert_int_equal(w.processes[1].held[1], 6);
        assert_int_equal(w.processes[0].held[0], 6);
        assert_int_equal(w.processes[0].owed[0], 0);
        world_done(&w);
}

static void idle_connections_make_room_at_once(void **state) {
        struct world w;

        world_init(&w, 6, 6);
        want(&w, 0, 0, 6);
        for (unsigned i = 0; i < 6; i++)
                end_one(&w, 0, 0);
        want(&w, 0, 0, 0); /* nothing returned */
        assert_int_equal(w.processes[0].held[0], 6);
        want(&w, 1, 1, 4); /* another host, but the owner has no more */
        settle(&w);
        assert_int_equal(w.processes[0].held[0], 2);
        assert_int_equal(w.processes[1].held[1], 4);
        world_done(&w);
}

static void more_processes_than_places_take_turns(void **state) {
        struct world w;

        world_init(&w, 64, 1);
        for (size_t i = 0; i < PROCESSES; i++)
                want(&w, i, 0, 100);
        for (unsigned n = 0; n < 40; n++) {
                settle(&w);
                assert_int_equal(held_at(&w, 0), 1);
                for (size_t i = 0; i < PROCESSES; i++)
                        if (w.processes[i].busy[0] > 0)
                                end_one(&w, i, 0);
        }
        for (size_t i = 0; i < PROCESSES; i++)
                assert_in_range(w.processes[i].n_served[0], 9, 11);
        world_done(&w);
}

static void hosts_take_turns_where_the_owner_has_too_few_for_all(void **state) {
        struct world w;

        world_init(&w, 2, 2);
        for (size_t h = 0; h < HOSTS; h++)
                want(&w, 0, h, 100);
        for (unsigned n = 0; n < 30; n++) {
                settle(&w);
                assert_true(held(&w) <= 2);
                for (size_t i = 0; i < HOSTS; i++)
                        if (w.processes[0].busy[(n + i) % HOSTS] > 0) {
                                end_one(&w, 0, (n + i) % HOSTS);
                                break;
                        }
        }
        for (size_t h = 0; h < HOSTS; h++)
                assert_in_range(w.processes[0].n_served[h], 5, 16);
        world_done(&w);
}

static void what_a_dead_process_held_is_free(void **state) {
        struct world w;

        world_init(&w, 64, 6);
        want(&w, 0, 0, 6);
        want(&w, 1, 0, 6);
        assert_int_equal(w.processes[1].held[0], 0);
        w.processes[0].holder = quota_leave(w.processes[0].holder);
        assert_int_equal(w.processes[1].held[0], 6);
        world_done(&w);
}

static void owners_have_nothing_to_do_with_each_other(void **state) {
        struct process other = {};
        struct world w;

        world_init(&w, 6, 6);
        want(&w, 0, 0, 6);
        assert_int_equal(quota_join(w.quota, 1001, &other, &other.holder), 0);
        assert_int_equal(quota_want(other.holder, host_names[0], 0, 6), 0);
        assert_int_equal(other.held[0], 6);
        assert_int_equal(w.processes[0].owed[0], 0);
        (void) quota_leave(other.holder);
        world_done(&w);
}

static void a_smaller_limit_recalls_what_is_too_much_and_a_larger_one_gives_more(void **state) {
        struct world w;

        world_init(&w, 64, 6);
        want(&w, 0, 0, 6);
        want(&w, 1, 1, 6);
        settle(&w);
        quota_set_limits(w.quota, &(struct engine_limits) { 5, 4 });
        assert_int_equal(w.processes[0].owed[0] + w.processes[1].owed[1], 12 - 5);
        quota_set_limits(w.quota, &(struct engine_limits) { 64, 64 });
        want(&w, 2, 2, 64);
        settle(&w);
        assert_int_equal(w.processes[2].held[2], 52);
        assert_int_equal(held(&w), 64);
        world_done(&w);
}

static void who_returns_what_it_has_not_lies(void **state) {
        struct world w;

        world_init(&w, 64, 6);
        assert_int_equal(quota_want(w.processes[0].holder, host_names[0], 1, 1), -EPROTO);
        want(&w, 0, 0, 2);
        assert_int_equal(quota_want(w.processes[0].holder, host_names[0], 3, 1), -EPROTO);
        world_done(&w);
}

static void a_process_may_name_so_many_hosts_and_no_more(void **state) {
        char name[32];
        struct world w;

        world_init(&w, 1, 1);
        want(&w, 0, 0, 1); /* it has all that there is */
        for (unsigned i = 1; i < QUOTA_HOSTS_MAX; i++) {
                snprintf(name, sizeof(name), "http://%u:80", i);
                assert_int_equal(quota_want(w.processes[0].holder, name, 0, 0), 0); /* forgotten at once */
        }
        assert_int_equal(quota_want(w.processes[0].holder, "http://last:80", 0, 0), 0);
        world_done(&w);
}

/* Whatever they ask for in whatever order, with messages late: the limits hold, and in the end everybody was served. */
static void limits_hold_whatever_happens(void **state) {
        for (unsigned seed = 1; seed <= 50; seed++) {
                unsigned per_owner = 1 + seed % 9, per_host = 1 + seed % 4;
                struct world w;

                srand(seed);
                world_init(&w, per_owner, per_host);
                for (unsigned n = 0; n < 2000; n++) {
                        size_t i = (size_t) rand() % PROCESSES, h = (size_t) rand() % HOSTS;
                        struct process *p = &w.processes[i];

                        if (rand() % 3 == 0)
                                want(&w, i, h, p->busy[h] + (unsigned) rand() % 5);
                        else if (rand() % 2 == 0 && p->busy[h] > 0)
                                end_one(&w, i, h);
                        else
                                work(&w);
                        assert_true(held(&w) <= per_owner);
                        for (size_t host = 0; host < HOSTS; host++)
                                assert_true(held_at(&w, host) <= per_host);
                }
                for (size_t i = 0; i < PROCESSES; i++)
                        for (size_t h = 0; h < HOSTS; h++) {
                                w.processes[i].n_served[h] = 0;
                                want(&w, i, h, 50);
                        }
                for (unsigned n = 0; n < 400; n++) {
                        settle(&w);
                        for (size_t i = 0; i < PROCESSES; i++)
                                for (size_t h = 0; h < HOSTS; h++)
                                        if (w.processes[i].busy[h] > 0)
                                                end_one(&w, i, h);
                }
                for (size_t i = 0; i < PROCESSES; i++)
                        for (size_t h = 0; h < HOSTS; h++)
                                assert_true(w.processes[i].n_served[h] > 0);
                world_done(&w);
        }
}

static void who_wants_more_is_answered_even_if_there_is_none(void **state) {
        struct world w;

        world_init(&w, 2, 1);
        want(&w, 0, 0, 1);
        assert_int_equal(w.processes[0].held[0], 1);
        assert_int_equal(w.processes[0].n_told, 1);
        want(&w, 0, 0, 2);
        assert_int_equal(w.processes[0].held[0], 1);
        assert_int_equal(w.processes[0].n_told, 2);
        want(&w, 0, 0, 1); /* it has that */
        assert_int_equal(w.processes[0].n_told, 2);
        world_done(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_process_alone_gets_all_that_it_wants),
                cmocka_unit_test(two_at_one_host_share_its_limit_as_exchanges_end),
                cmocka_unit_test(who_goes_elsewhere_does_not_wait),
                cmocka_unit_test(idle_connections_make_room_at_once),
                cmocka_unit_test(more_processes_than_places_take_turns),
                cmocka_unit_test(hosts_take_turns_where_the_owner_has_too_few_for_all),
                cmocka_unit_test(what_a_dead_process_held_is_free),
                cmocka_unit_test(owners_have_nothing_to_do_with_each_other),
                cmocka_unit_test(a_smaller_limit_recalls_what_is_too_much_and_a_larger_one_gives_more),
                cmocka_unit_test(who_returns_what_it_has_not_lies),
                cmocka_unit_test(a_process_may_name_so_many_hosts_and_no_more),
                cmocka_unit_test(who_wants_more_is_answered_even_if_there_is_none),
                cmocka_unit_test(limits_hold_whatever_happens),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
