/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helpers/backup-client/epoch: when a commit is due, what one keeps, and what the loss of an epoch takes away.
 */
#include "unit.h"

#include "epoch.h"

#include <errno.h>

#define MIB (UINT64_C(1) << 20)
#define SEC (UINT64_C(1000) * 1000)

static void due(void **state)
{
        Epoch epoch;

        (void) state;
        epoch_init(&epoch, NULL, 100 * SEC);
        assert_false(epoch_is_due(&epoch, 200 * SEC)); /* nothing was written */
        epoch.bytes = 1;
        assert_false(epoch_is_due(&epoch, 110 * SEC - 1));
        assert_true(epoch_is_due(&epoch, 110 * SEC));
        epoch.bytes = EPOCH_BYTES_MAX - 1;
        assert_false(epoch_is_due(&epoch, 101 * SEC));
        epoch.bytes = EPOCH_BYTES_MAX;
        assert_true(epoch_is_due(&epoch, 101 * SEC));
        epoch_close(&epoch, 5 * MIB);
        assert_false(epoch_is_due(&epoch, 500 * SEC)); /* it is being done */
        assert_int_equal(epoch_commit(&epoch, 120 * SEC), 0);
        assert_true(epoch.committed == 5 * MIB && epoch.n_commits == 1);
        assert_false(epoch_is_due(&epoch, 130 * SEC));
        epoch_done(&epoch);
}

/* After a loss commits come soon, so that a server that dies again and again does not stop everything. */
static void sooner_after_loss(void **state)
{
        Epoch epoch;

        (void) state;
        epoch_init(&epoch, NULL, 0);
        epoch_lose(&epoch, 10 * SEC);
        epoch.bytes = 1;
        assert_true(epoch_due_usec(&epoch) == 10 * SEC + EPOCH_INTERVAL_FIRST);
        for (unsigned i = 0; i < 20; i++) {
                epoch_close(&epoch, (i + 1) * MIB);
                assert_int_equal(epoch_commit(&epoch, (20 + i) * SEC), 0);
        }
        epoch.bytes = 1;
        assert_true(epoch_due_usec(&epoch) == 39 * SEC + EPOCH_INTERVAL_USEC);
        epoch_done(&epoch);
}

static void add(Epoch *epoch, uint64_t offset, uint64_t length)
{
        const Sum sum = { .offset = offset, .length = length, .kind = SUM_ZEROES };

        assert_int_equal(epoch_add_sum(epoch, &sum), 0);
}

static json_t *finish(BlockDigest *digest)
{
        json_t *object = NULL;

        assert_int_equal(block_digest_finish(digest, &object), 0);
        (void) block_digest_free(digest);
        return object;
}

/* Sums come in any order, those behind the barrier wait for the next commit, and a lost epoch leaves none. */
static void sums(void **state)
{
        BlockDigest *digest;
        json_t *object;
        Epoch epoch;

        (void) state;
        assert_int_equal(block_digest_new(12 * MIB, &digest), 0);
        epoch_init(&epoch, digest, 0);
        epoch.now.sent = 1;
        add(&epoch, 3 * MIB, MIB);
        add(&epoch, 5 * MIB, MIB);
        add(&epoch, 0, 3 * MIB);
        epoch_close(&epoch, 4 * MIB);
        epoch.at_barrier = epoch.now;
        assert_int_equal(epoch_commit(&epoch, SEC), 0);
        assert_int_equal(epoch.n_sums, 1);
        assert_int_equal(epoch.at_commit.sent, 1);
        epoch.now.sent = 9;
        epoch_lose(&epoch, SEC);
        assert_int_equal(epoch.n_sums, 0);
        assert_int_equal(epoch.now.sent, 1);
        assert_true(epoch.committed == 4 * MIB);
        add(&epoch, 8 * MIB, 4 * MIB);
        add(&epoch, 4 * MIB, 4 * MIB);
        epoch_close(&epoch, 12 * MIB);
        assert_int_equal(epoch_commit(&epoch, 2 * SEC), 0);
        epoch_done(&epoch);
        object = finish(digest);
        assert_int_equal(json_object_size(json_object_get(object, "blocks")), 3);
        assert_null(json_object_get(object, "parts"));
        json_decref(object);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(due),
                cmocka_unit_test(sooner_after_loss),
                cmocka_unit_test(sums),
        };

        return RUN_TESTS(tests);
}
