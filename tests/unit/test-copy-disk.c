/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helpers/backup-client/disk: how long a target may be gone, what becomes of a write that could not even begin, and where a commit ends.
 * Source, target and time are the test's.
 */
#include "unit.h"

#include "clock.h"
#include "disk.h"

#include <errno.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define SEC (UINT64_C(1000) * 1000)

enum {
        AWAY_SEC = 600,
};

static uint64_t bench_bytes = 64 * MIB;

/* What the next calls answer. */
static int write_error, zero_error;
static bool is_away, knows_extents;
static unsigned n_writes;
static uint64_t asked_offset; /* of the last question for extents; they are all data */

static int open_source(Source *source, SourceAnswer answer, void *userdata)
{
        source->size_bytes = bench_bytes;
        source->knows_extents = knows_extents;
        answer(userdata, 0);
        return 0;
}

/* The second half of each leaf is zeroes. */
static int read_source(Source *source, void *buffer, size_t length, uint64_t offset,
                       SourceAnswer answer, void *userdata)
{
        (void) source;
        memset(buffer, offset % MIB < MIB / 2 ? 1 : 0, length);
        answer(userdata, 0);
        return 0;
}

/* Of the first window at once, of others never. */
static int ask_source(Source *source, uint64_t offset, uint64_t length, Extents *extents,
                      SourceAnswer answer, void *userdata)
{
        (void) source;
        asked_offset = offset;
        if (offset > 0)
                return 0;
        assert_int_equal(extents_add(extents, length, false), 1);
        answer(userdata, 0);
        return 0;
}

static void close_source(Source *source)
{
        (void) source;
}

static const SourceOps ops = {
        .open = open_source,
        .read = read_source,
        .ask_extents = ask_source,
        .close = close_source,
        .free = close_source,
};
static Source the_source = { .ops = &ops, .n_reads = 4, .read_bytes = SOURCE_READ_BYTES_USUAL };

int source_make(const CopySpec *spec, const DiskSpec *disk, Source **ret_source, Failure *failure)
{
        (void) spec;
        (void) disk;
        (void) failure;
        *ret_source = &the_source;
        return 0;
}

Source *source_free(Source *source)
{
        (void) source;
        return NULL;
}

int source_fail_opening(Source *source)
{
        return source_fail(source, -ETIMEDOUT, "too late");
}

int source_fail(Source *source, int error, const char *format, ...)
{
        (void) source;
        (void) format;
        return error;
}

void target_init(Target *target, const NbdUri *uri, uint64_t size_bytes, unsigned n_connections)
{
        *target = (Target){ .uri = uri, .size_bytes = size_bytes, .n_wanted = n_connections };
}

void target_open(Target *target)
{
        target->state = is_away ? TARGET_LOST : TARGET_OPEN;
        target->errnum = -ENOTCONN;
}

void target_close(Target *target)
{
        target->state = TARGET_CLOSED;
}

int target_write(Target *target, const void *data, size_t length, uint64_t offset,
                 TargetAnswer answer, void *userdata)
{
        (void) target;
        (void) data;
        (void) length;
        (void) offset;
        n_writes++;
        if (write_error < 0)
                return write_error;
        answer(userdata, 0);
        return 0;
}

int target_zero(Target *target, uint64_t length, uint64_t offset, TargetAnswer answer,
                void *userdata)
{
        (void) target;
        (void) length;
        (void) offset;
        if (zero_error < 0)
                return zero_error;
        answer(userdata, 0);
        return 0;
}

/* Never answers: nothing is ever committed. */
int target_flush(Target *target, TargetAnswer answer, void *userdata, unsigned *ret_n)
{
        (void) target;
        (void) answer;
        (void) userdata;
        *ret_n = 1;
        return 0;
}

size_t target_poll(const Target *target, struct pollfd *fds, uint64_t *deadline_usec)
{
        (void) target;
        (void) fds;
        (void) deadline_usec;
        return 0;
}

void target_dispatch(Target *target, const struct pollfd *fds, size_t n_fds)
{
        (void) target;
        (void) fds;
        (void) n_fds;
}

typedef struct Bench {
        CopySpec spec;
        DiskSpec what;
        Failure failure;
        Disk disk;
        uint64_t begun_usec;
} Bench;

static Bench bench;

static void make(bool parent, uint64_t bytes)
{
        memset(&bench, 0, sizeof(bench));
        write_error = zero_error = 0;
        is_away = knows_extents = false;
        n_writes = 0;
        bench_bytes = bytes;
        bench.spec = (CopySpec){ .target_away_sec = AWAY_SEC, .source_away_sec = AWAY_SEC };
        bench.what = (DiskSpec){ .disk_key = 2000, .capacity_bytes = bytes, .parent = parent };
}

static void begin(void)
{
        bench.begun_usec = clock_monotonic_usec();
        assert_int_equal(disk_init(&bench.disk, &bench.spec, &bench.what, &bench.failure), 0);
        assert_int_equal(disk_start(&bench.disk, 1, 4, NULL), 0);
}

static void start(bool parent)
{
        make(parent, 64 * MIB);
        begin();
}

/* As often as the loop would at that time. */
static int step(uint64_t sec)
{
        int r;

        do
                r = disk_step(&bench.disk, bench.begun_usec + sec * SEC);
        while (r >= 0 && bench.disk.again);
        return r;
}

/* A server that went away, as its connections tell. */
static int lose(uint64_t sec)
{
        is_away = true;
        bench.disk.target.state = TARGET_LOST;
        bench.disk.target.errnum = -ENOTCONN;
        return disk_step(&bench.disk, bench.begun_usec + sec * SEC);
}

static int come_back(uint64_t sec)
{
        unsigned before = n_writes;
        int r;

        is_away = false;
        r = step(sec);
        if (r >= 0)
                assert_true(n_writes > before);
        return r;
}

/* Gone twice, and never for longer than it may be; then once for too long. */
static void gone_twice(void **state)
{
        (void) state;
        start(false);
        assert_int_equal(step(0), 0);
        assert_int_equal(lose(10), 0);
        assert_int_equal(come_back(500), 0);
        assert_int_equal(lose(550), 0);
        assert_int_equal(disk_step(&bench.disk, bench.begun_usec + 700 * SEC), 0);
        assert_int_equal(disk_step(&bench.disk, bench.begun_usec + 701 * SEC), 0);
        assert_int_equal(come_back(1100), 0);
        assert_int_equal(lose(1110), 0);
        assert_int_equal(disk_step(&bench.disk, bench.begun_usec + 1709 * SEC), 0);
        assert_int_equal(lose(1711), -ENOTCONN);
        assert_non_null(strstr(bench.failure.text, "the target is lost"));
        disk_done(&bench.disk);
}

/* Somebody who dies with each epoch is not tried for ever. */
static void comes_and_goes(void **state)
{
        uint64_t sec = 0;
        int r;

        (void) state;
        start(false);
        r = step(sec);
        while (r >= 0 && sec < UINT64_C(10) * AWAY_SEC) {
                r = lose(sec += 50);
                if (r >= 0)
                        r = come_back(sec += 50);
        }
        assert_int_equal(r, -ENOTCONN);
        assert_true(sec >= UINT64_C(3) * AWAY_SEC && sec < UINT64_C(4) * AWAY_SEC);
        assert_non_null(strstr(bench.failure.text, "comes and goes"));
        disk_done(&bench.disk);
}

/* No answer will ever come for it. */
static void no_memory(void **state)
{
        (void) state;
        start(true);
        write_error = -ENOMEM;
        assert_int_equal(step(0), -ENOMEM);
        disk_done(&bench.disk);
        start(true);
        zero_error = -ENOMEM;
        assert_int_equal(step(0), -ENOMEM);
        assert_non_null(strstr(bench.failure.text, "out of memory"));
        disk_done(&bench.disk);
}

/* The source is asked what it knows of an area that begins in the middle of a leaf: that leaf is not planned yet, and no part of
 * the commit that falls due meanwhile. */
static void commit_beside_question(void **state)
{
        const Area areas[] = { { .offset = 0, .length = 6 * MIB },
                               { .offset = 1024 * MIB + MIB / 2, .length = 8 * MIB } };

        (void) state;
        make(true, 2048 * MIB);
        bench.what.read = READ_CHANGED;
        bench.what.has_areas = true;
        for (size_t i = 0; i < ELEMENTSOF(areas); i++)
                assert_int_equal(area_list_add(&bench.what.areas, areas[i], 2048 * MIB, 10), 0);
        knows_extents = true;
        begin();
        assert_int_equal(step(0), 0);
        assert_true(asked_offset > 1000 * MIB);
        assert_true(n_writes > 0);
        assert_int_equal(bench.disk.epoch.barrier, UINT64_MAX);
        assert_int_equal(step(60), 0);
        assert_int_equal(bench.disk.epoch.barrier, 1024 * MIB);
        disk_done(&bench.disk);
        area_list_done(&bench.what.areas);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(gone_twice),
                cmocka_unit_test(comes_and_goes),
                cmocka_unit_test(no_memory),
                cmocka_unit_test(commit_beside_question),
        };

        return RUN_TESTS(tests);
}
