/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helpers/backup-client/hash-workers: every job is answered once with the right sums, or taken back and never answered.
 */
#include "unit.h"

#include "hash-workers.h"

#include <poll.h>
#include <string.h>

#include <openssl/evp.h>

enum {
        JOBS = 24,
};

typedef struct Work {
        HashJob job;
        Sum sum;
        unsigned n_answers;
} Work;

static uint8_t leaves[JOBS][LEAF_BYTES];
static Work works[JOBS];
static unsigned n_answers;

static void on_summed(void *userdata, int error)
{
        Work *one = userdata;

        assert_int_equal(error, 0);
        one->n_answers++;
        n_answers++;
}

static void give(HashWorkers *workers, unsigned i)
{
        works[i] = (Work){ .sum = { .offset = i * (uint64_t) LEAF_BYTES,
                                    .length = LEAF_BYTES,
                                    .kind = SUM_LEAF } };
        works[i].job = (HashJob){ .leaf = leaves[i],
                                  .sums = &works[i].sum,
                                  .n_sums = 1,
                                  .answer = on_summed,
                                  .userdata = &works[i] };
        memset(leaves[i], (int) i + 1, LEAF_BYTES);
        hash_workers_add(workers, &works[i].job);
}

static void wait_for_answers(HashWorkers *workers, unsigned n)
{
        while (n_answers < n) {
                struct pollfd fd = { .fd = hash_workers_fd(workers), .events = POLLIN };

                assert_int_equal(poll(&fd, 1, 20000), 1);
                hash_workers_dispatch(workers);
        }
}

static void assert_sum(unsigned i)
{
        uint8_t want[LEAF_SUM_BYTES];

        assert_true(EVP_Digest(leaves[i], LEAF_BYTES, want, NULL, EVP_sha256(), NULL));
        assert_memory_equal(works[i].sum.sum, want, sizeof(want));
}

static void answered_once(void **state)
{
        CLEANUP(hash_workers_free_p) HashWorkers *workers = NULL;

        (void) state;
        n_answers = 0;
        assert_int_equal(hash_workers_new(&workers), 0);
        for (unsigned i = 0; i < JOBS; i++)
                give(workers, i);
        wait_for_answers(workers, JOBS);
        for (unsigned i = 0; i < JOBS; i++) {
                assert_int_equal(works[i].n_answers, 1);
                assert_sum(i);
        }
}

/* Waiting, being summed, or done and not answered yet: whatever it is, its memory is the caller's again. */
static void taken_back(void **state)
{
        CLEANUP(hash_workers_free_p) HashWorkers *workers = NULL;

        (void) state;
        n_answers = 0;
        assert_int_equal(hash_workers_new(&workers), 0);
        for (unsigned i = 0; i < JOBS; i++)
                give(workers, i);
        for (unsigned i = 0; i < JOBS; i += 2) {
                hash_workers_take_back(workers, &works[i].job);
                memset(leaves[i], 0xff, LEAF_BYTES);
        }
        wait_for_answers(workers, JOBS / 2);
        for (unsigned i = 0; i < JOBS; i++)
                assert_int_equal(works[i].n_answers, i % 2);
        for (unsigned i = 1; i < JOBS; i += 2)
                assert_sum(i);
        give(workers, 0);
        wait_for_answers(workers, JOBS / 2 + 1);
        assert_sum(0);
        hash_workers_take_back(workers, &works[0].job); /* harmless */
}

/* Pieces of a leaf are told apart by their places. */
static void parts(void **state)
{
        CLEANUP(hash_workers_free_p) HashWorkers *workers = NULL;
        Sum sums[] = {
                { .offset = 5 * (uint64_t) LEAF_BYTES + 512, .length = 1024, .kind = SUM_PART },
                { .offset = 5 * (uint64_t) LEAF_BYTES + 4096, .length = 512, .kind = SUM_PART },
        };
        Work work = { .job = { .leaf = leaves[0],
                               .sums = sums,
                               .n_sums = 2,
                               .answer = on_summed,
                               .userdata = &work } };
        LeafHasher *hasher = NULL;
        uint8_t want[LEAF_SUM_BYTES];

        (void) state;
        n_answers = 0;
        for (size_t i = 0; i < LEAF_BYTES; i++)
                leaves[0][i] = (uint8_t) (i / 512);
        assert_int_equal(leaf_hasher_new(&hasher), 0);
        assert_int_equal(hash_workers_new(&workers), 0);
        hash_workers_add(workers, &work.job);
        wait_for_answers(workers, 1);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(leaf_hasher_sum_part(hasher, sums[i].offset,
                                                      leaves[0] + sums[i].offset % LEAF_BYTES,
                                                      (size_t) sums[i].length, want),
                                 0);
                assert_memory_equal(sums[i].sum, want, sizeof(want));
                memset(sums[i].sum, 0, sizeof(want));
        }
        /* The last ones again, without a thread. */
        assert_int_equal(hash_workers_sum(workers, &work.job), 0);
        assert_memory_equal(sums[1].sum, want, sizeof(want));
        assert_int_equal(n_answers, 1);
        (void) leaf_hasher_free(hasher);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(answered_once),
                cmocka_unit_test(taken_back),
                cmocka_unit_test(parts),
        };

        return RUN_TESTS(tests);
}
