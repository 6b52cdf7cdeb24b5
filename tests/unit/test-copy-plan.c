/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helpers/backup-client/plan: whatever areas and extents there are, the chunks are in order, share no leaf, and
 * are exactly what is to be copied; and from any position that it had, it goes the same way again.
 */
#include "unit.h"

#include "cleanup.h"
#include "plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

enum {
        SECTOR = 512,
        SECTORS_MAX = 24 * 2048,
        ROUNDS = 300,
};

typedef enum Want {
        WANT_NOTHING,
        WANT_ZERO,
        WANT_DATA,
} Want;

static uint64_t random_state = 88172645463325252U;

static uint64_t random_below(uint64_t n)
{
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state % n;
}

static uint8_t want[SECTORS_MAX], got[SECTORS_MAX];

static void add_to_got(const PlanChunk *chunk, uint64_t *end)
{
        uint64_t bytes = 0;

        assert_true(chunk->offset % LEAF_BYTES == 0);
        assert_true(chunk->offset >= *end); /* no leaf twice */
        *end = (chunk->offset + chunk->length + LEAF_BYTES - 1) / LEAF_BYTES * LEAF_BYTES;
        if (chunk->zero) {
                assert_int_equal(chunk->n_segments, 0);
                memset(got + chunk->offset / SECTOR, WANT_ZERO, (size_t) (chunk->length / SECTOR));
                return;
        }
        assert_true(chunk->n_segments > 0 && chunk->length <= LEAF_BYTES);
        for (size_t i = 0; i < chunk->n_segments; i++) {
                const Segment *s = chunk->segments + i;

                assert_true(s->start % SECTOR == 0 && s->length % SECTOR == 0 && s->length > 0);
                assert_true(i == 0 || s->start >= s[-1].start + s[-1].length);
                assert_true(s->start + s->length <= chunk->length);
                bytes += s->length;
                memset(got + (chunk->offset + s->start) / SECTOR, s->zero ? WANT_ZERO : WANT_DATA,
                       s->length / SECTOR);
        }
        assert_true(chunk->bytes == bytes);
        assert_true(chunk->whole == (bytes == chunk->length));
}

/* The server's side: what it says of a window, sometimes less than was asked for. */
static void answer(Plan *plan)
{
        uint64_t offset, length;

        plan_window(plan, &offset, &length);
        length = length > SECTOR ? SECTOR * (1 + random_below(length / SECTOR)) : length;
        for (uint64_t at = offset; at < offset + length; at += SECTOR)
                assert_int_equal(
                                extents_add(&plan->extents, SECTOR, want[at / SECTOR] == WANT_ZERO),
                                1);
        assert_int_equal(plan_answered(plan, true), 0);
}

static void walk(Plan *plan)
{
        static PlanChunk chunk;
        uint64_t end = 0, back = random_below(4) == 0 ? random_below(10) : UINT64_MAX;
        uint64_t positions[16] = {}, n = 0;

        memset(got, WANT_NOTHING, sizeof(got));
        for (;;) {
                PlanOutcome outcome = plan_next(plan, &chunk);

                if (outcome == PLAN_END)
                        return;
                if (outcome == PLAN_ASK) {
                        answer(plan);
                        continue;
                }
                add_to_got(&chunk, &end);
                if (n < ELEMENTSOF(positions))
                        positions[n++] = plan->position;
                if (n == back && n > 0) {
                        back = UINT64_MAX;
                        plan_rewind(plan, positions[random_below(n)]);
                        end = plan->position;
                }
        }
}

static void fill_want(uint64_t n_sectors, Want other)
{
        memset(want, (int) other, n_sectors);
        for (uint64_t i = random_below(30); i > 0; i--) {
                uint64_t start = random_below(n_sectors);
                uint64_t length = 1 + random_below(random_below(2) ? 6000 : 100);

                for (uint64_t j = start; j < n_sectors && j < start + length; j++)
                        want[j] = WANT_DATA;
        }
}

static void compare(uint64_t n_sectors, bool exact)
{
        for (uint64_t i = 0; i < n_sectors; i++)
                if (got[i] != want[i] && (exact || got[i] != WANT_DATA || want[i] != WANT_ZERO))
                        fail_msg("sector %llu: got %i, want %i", (unsigned long long) i, got[i],
                                 want[i]);
}

static void areas(void **state)
{
        (void) state;
        for (int round = 0; round < ROUNDS; round++) {
                uint64_t n = 1 + random_below(SECTORS_MAX);
                CLEANUP(area_list_done) AreaList list = {};
                bool rest = round % 2;
                Plan plan = { .capacity_bytes = n * SECTOR,
                              .areas = &list,
                              .rest_is_zero = rest,
                              .zeroes_max = (1 + random_below(4)) * MIB };

                fill_want(n, rest ? WANT_ZERO : WANT_NOTHING);
                for (uint64_t i = 0; i < n; i++)
                        if (want[i] == WANT_DATA)
                                assert_int_equal(area_list_add(&list, (Area){ i * SECTOR, SECTOR },
                                                               n * SECTOR, 100000),
                                                 0);
                walk(&plan);
                compare(n, !rest);
                plan_done(&plan);
        }
}

static void extents(void **state)
{
        (void) state;
        for (int round = 0; round < ROUNDS; round++) {
                uint64_t n = 1 + random_below(SECTORS_MAX);
                Plan plan = { .capacity_bytes = n * SECTOR,
                              .ask = true,
                              .zeroes_max = (1 + random_below(4)) * MIB };

                fill_want(n, WANT_ZERO);
                walk(&plan);
                compare(n, false);
                plan_done(&plan);
        }
}

/* Of what has changed the source knows zeroes; of what has not it says anything, and that is left alone. */
static void areas_and_extents(void **state)
{
        unsigned n_asked = 0;

        (void) state;
        for (int round = 0; round < ROUNDS; round++) {
                uint64_t n = 1 + random_below(SECTORS_MAX);
                CLEANUP(area_list_done) AreaList list = {};
                Plan plan = { .capacity_bytes = n * SECTOR,
                              .areas = &list,
                              .ask = true,
                              .zeroes_max = (1 + random_below(4)) * MIB };

                fill_want(n, WANT_NOTHING);
                for (uint64_t start = 0; start < n; start += 1 + random_below(5000))
                        for (uint64_t i = start, end = start + random_below(3000); i < n && i < end;
                             i++)
                                if (want[i] == WANT_DATA)
                                        want[i] = WANT_ZERO;
                for (uint64_t i = 0; i < n; i++)
                        if (want[i] != WANT_NOTHING)
                                assert_int_equal(area_list_add(&list, (Area){ i * SECTOR, SECTOR },
                                                               n * SECTOR, 100000),
                                                 0);
                walk(&plan);
                compare(n, false);
                n_asked += plan.asked > 0;
                plan_done(&plan);
        }
        assert_true(n_asked > 0 && n_asked < ROUNDS);
}

/* A question costs what some reads do: it is for windows in which much has changed. */
static void few_areas(void **state)
{
        static PlanChunk chunk;

        (void) state;
        for (uint64_t bytes = PLAN_ASK_BYTES - 512; bytes <= PLAN_ASK_BYTES; bytes += 512) {
                CLEANUP(area_list_done) AreaList list = {};
                Plan plan = { .capacity_bytes = 3 * PLAN_WINDOW_BYTES,
                              .areas = &list,
                              .ask = true,
                              .zeroes_max = MIB };
                uint64_t offset, length, end = 0;

                for (unsigned i = 0; i < 2; i++)
                        assert_int_equal(area_list_add(&list,
                                                       (Area){ PLAN_WINDOW_BYTES * 2 * i, bytes },
                                                       plan.capacity_bytes, 2),
                                         0);
                for (unsigned i = 0; i < 2; i++) {
                        PlanOutcome outcome = plan_next(&plan, &chunk);

                        if (bytes == PLAN_ASK_BYTES) {
                                assert_int_equal(outcome, PLAN_ASK);
                                plan_window(&plan, &offset, &length);
                                assert_true(offset == PLAN_WINDOW_BYTES * 2 * i);
                                assert_true(length == PLAN_WINDOW_BYTES);
                                assert_int_equal(extents_add(&plan.extents, length, true), 1);
                                assert_int_equal(plan_answered(&plan, true), 0);
                                outcome = plan_next(&plan, &chunk);
                        }
                        for (end = 0; end < bytes; end += chunk.bytes) {
                                assert_int_equal(end == 0 ? outcome : plan_next(&plan, &chunk),
                                                 PLAN_CHUNK);
                                assert_true(chunk.zero == (bytes == PLAN_ASK_BYTES));
                        }
                }
                assert_int_equal(plan_next(&plan, &chunk), PLAN_END);
                plan_done(&plan);
        }
}

static void all(void **state)
{
        Plan plan = { .capacity_bytes = 3 * MIB + 512, .zeroes_max = MIB };

        (void) state;
        memset(want, WANT_DATA, 3 * 2048 + 1);
        walk(&plan);
        compare(3 * 2048 + 1, true);
        plan_done(&plan);
}

/* A source that cannot say is read. */
static void unknown(void **state)
{
        static PlanChunk chunk;
        Plan plan = { .capacity_bytes = 2 * MIB, .ask = true, .zeroes_max = MIB };
        uint64_t offset, length;

        (void) state;
        assert_int_equal(plan_next(&plan, &chunk), PLAN_ASK);
        plan_window(&plan, &offset, &length);
        assert_int_equal(plan_answered(&plan, false), 0);
        assert_int_equal(plan_next(&plan, &chunk), PLAN_CHUNK);
        assert_true(!chunk.zero && chunk.whole && chunk.n_segments == 1);
        assert_int_equal(plan_next(&plan, &chunk), PLAN_CHUNK);
        assert_int_equal(plan_next(&plan, &chunk), PLAN_END);
        plan_done(&plan);
}

static void area_lists(void **state)
{
        CLEANUP(area_list_done) AreaList list = {};

        (void) state;
        assert_int_equal(area_list_add(&list, (Area){ 512, 512 }, 4096, 2), 0);
        assert_int_equal(area_list_add(&list, (Area){ 1024, 512 }, 4096, 2), 0);
        assert_int_equal(list.n, 1); /* neighbours */
        assert_int_equal(area_list_add(&list, (Area){ 1024, 512 }, 4096, 2), -EINVAL);
        assert_int_equal(area_list_add(&list, (Area){ 2049, 512 }, 4096, 2), -EINVAL);
        assert_int_equal(area_list_add(&list, (Area){ 2048, 100 }, 4096, 2), -EINVAL);
        assert_int_equal(area_list_add(&list, (Area){ 2048, 0 }, 4096, 2), -EINVAL);
        assert_int_equal(area_list_add(&list, (Area){ 4096, 512 }, 4096, 2), -ERANGE);
        assert_int_equal(area_list_add(&list, (Area){ 3584, 1024 }, 4096, 2), -ERANGE);
        assert_int_equal(area_list_add(&list, (Area){ UINT64_MAX - 511, 512 }, 4096, 2), -ERANGE);
        assert_int_equal(area_list_add(&list, (Area){ 2048, 512 }, 4096, 2), 0);
        assert_int_equal(area_list_add(&list, (Area){ 3584, 512 }, 4096, 2), -E2BIG);
        assert_int_equal(list.bytes, 1536);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(areas),
                cmocka_unit_test(extents),
                cmocka_unit_test(areas_and_extents),
                cmocka_unit_test(few_areas),
                cmocka_unit_test(all),
                cmocka_unit_test(unknown),
                cmocka_unit_test(area_lists),
        };

        return RUN_TESTS(tests);
}
