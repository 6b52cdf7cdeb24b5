/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helpers/tunnel/share: nothing more is read when all flows of a link hold too much, and again when they hold enough less; who takes
 * nothing for too long is given up then, the longest first, and as few as need be. Who takes something, however slowly, never is.
 */
#include "unit.h"

#include "cleanup.h"
#include "parse.h"
#include "share.h"

enum {
        N_FLOWS = 10,
        HOLD = 10 * 1000 * 1000,
        MIB = 1024 * 1024,
};

typedef struct Lot {
        Flow flows[N_FLOWS], *list[N_FLOWS];
        bool is_full;
} Lot;

/* Each holds that much, and took something last at its number. */
static void lot_init(Lot *lot, size_t each)
{
        *lot = (Lot){};
        for (size_t i = 0; i < N_FLOWS; i++) {
                lot->flows[i] = (Flow){
                        .state = FLOW_OPEN, .is_full = true, .n_buffered = each, .taken_usec = 1 + i
                };
                lot->list[i] = &lot->flows[i];
        }
}

static unsigned bound(Lot *lot, uint64_t now)
{
        return share_bound(lot->list, N_FLOWS, HOLD, now, &lot->is_full);
}

static uint64_t due(const Lot *lot)
{
        return share_due_usec(lot->list, N_FLOWS, HOLD);
}

static void bounds(void **state)
{
        Lot lot;

        (void) state;
        lot_init(&lot, 0);
        assert_int_equal(bound(&lot, UINT64_C(1000) * HOLD), 0);
        assert_false(lot.is_full);
        assert_true(due(&lot) == UINT64_MAX);
        lot.flows[3].n_buffered = SHARE_MAX;
        assert_int_equal(bound(&lot, UINT64_C(1000) * HOLD), 0); /* it alone, and not too much */
        assert_false(lot.is_full);
        lot.flows[4].n_buffered = 1;
        assert_int_equal(bound(&lot, HOLD), 0);
        assert_true(lot.is_full);
        assert_true(due(&lot) == HOLD + 4);
        /* It goes on when there is enough room, not at the first byte. */
        lot.flows[3].n_buffered = SHARE_ENOUGH;
        assert_int_equal(bound(&lot, HOLD), 0);
        assert_true(lot.is_full);
        lot.flows[4].n_buffered = 0;
        assert_int_equal(bound(&lot, HOLD), 0);
        assert_false(lot.is_full);
}

static void gives_up(void **state)
{
        Lot lot;

        (void) state;
        lot_init(&lot, MIB);
        lot.flows[0].taken_usec = 100; /* the last to be given up, if it came to that */
        assert_int_equal(bound(&lot, HOLD + 1), 0);
        assert_true(lot.is_full);
        assert_true(due(&lot) == HOLD + 2);
        assert_int_equal(bound(&lot, HOLD + 2), 1);
        assert_int_equal(lot.flows[1].state, FLOW_OVER);
        assert_true(lot.is_full);
        assert_int_equal(bound(&lot, HOLD + 3), 1);
        assert_int_equal(lot.flows[2].state, FLOW_OVER);
        /* Ten held ten: with two left it is enough. */
        assert_int_equal(bound(&lot, UINT64_C(1000) * HOLD), 6);
        assert_false(lot.is_full);
        for (size_t i = 0; i < N_FLOWS; i++)
                assert_int_equal(lot.flows[i].state, i >= 1 && i <= 8 ? FLOW_OVER : FLOW_OPEN);
        assert_int_equal(bound(&lot, UINT64_C(1000) * HOLD), 0);
}

static void spares(void **state)
{
        Lot lot;

        (void) state;
        lot_init(&lot, MIB);
        for (size_t i = 0; i < N_FLOWS; i++)
                lot.flows[i].is_full = false; /* they take, now */
        assert_int_equal(bound(&lot, UINT64_C(1000) * HOLD), 0);
        assert_true(lot.is_full);
        assert_true(due(&lot) == UINT64_MAX);
        /* One that has nothing to take stands in nobody's way. */
        lot.flows[5].is_full = true;
        lot.flows[5].n_buffered = 0;
        assert_int_equal(bound(&lot, UINT64_C(1000) * HOLD), 0);
        /* What was taken from libssh counts until the last byte of it has gone. */
        lot.flows[5].rest_at = MIB - 1;
        lot.flows[5].rest_size = 1;
        assert_int_equal(flow_held(&lot.flows[5]), MIB);
        assert_int_equal(bound(&lot, HOLD + 6), 1);
        assert_int_equal(lot.flows[5].state, FLOW_OVER);
        assert_int_equal(flow_held(&lot.flows[5]), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bounds),
                cmocka_unit_test(gives_up),
                cmocka_unit_test(spares),
        };

        return RUN_TESTS(tests);
}
