/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/vmdk-stream: what a source may do wrong, and bounds. What it writes is read by qemu-img in tests/vsphere/vmdk-stream.sh.
 */
#include "unit.h"

#include "cleanup.h"
#include "vmdk-stream.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

/* Says that there is data in one place, and gives ones. */
typedef struct Fake {
        uint64_t start, end, capacity;
        int find_result, read_result;
        uint64_t bytes_read, last_end;
        bool lies_behind, lies_empty;
} Fake;

static int find(void *userdata, uint64_t offset, uint64_t *ret_start, uint64_t *ret_end)
{
        const Fake *fake = userdata;

        if (fake->find_result < 0)
                return fake->find_result;
        if (fake->lies_behind) {
                *ret_start = 0;
                *ret_end = offset;
                return 0;
        }
        if (offset >= fake->end) {
                *ret_start = *ret_end = fake->capacity;
                return 0;
        }
        *ret_start = offset > fake->start ? offset : fake->start;
        *ret_end = fake->lies_empty ? *ret_start : fake->end;
        return 0;
}

static int read_at(void *userdata, uint64_t offset, void *data, size_t length)
{
        Fake *fake = userdata;

        assert_true(length > 0 && length <= VMDK_BATCH_BYTES);
        assert_true(offset >= fake->last_end);
        assert_true(offset + length <= fake->capacity);
        (void) memset(data, 1, length);
        fake->bytes_read += length;
        fake->last_end = offset + length;
        return fake->read_result;
}

/* The size of the whole file, or an error. */
static int64_t whole(Fake *fake)
{
        const VmdkSource source = { .find = find, .read = read_at, .userdata = fake };
        CLEANUP(vmdk_stream_free_p) VmdkStream *stream = NULL;
        uint64_t before = 0;
        char data[10000];
        int64_t size = 0;
        size_t n = 1;

        assert_int_equal(vmdk_stream_new(&source, fake->capacity, "lsilogic", &stream), 0);
        while (n > 0) {
                int r = vmdk_stream_read(stream, data, sizeof(data), &n);

                if (r < 0)
                        return r;
                assert_true(vmdk_stream_position(stream) >= before);
                before = vmdk_stream_position(stream);
                size += (int64_t) n;
        }
        assert_int_equal(before, fake->capacity);
        return size;
}

static void capacities(void **state)
{
        const VmdkSource source = { .find = find, .read = read_at };
        VmdkStream *stream = NULL;

        (void) state;
        assert_int_equal(vmdk_stream_new(&source, 0, "ide", &stream), -EINVAL);
        assert_int_equal(vmdk_stream_new(&source, 511, "ide", &stream), -EINVAL);
        assert_int_equal(vmdk_stream_new(&source, 513, "ide", &stream), -EINVAL);
        assert_int_equal(vmdk_stream_new(&source, VMDK_CAPACITY_MAX + 512, "ide", &stream), -EFBIG);
        assert_null(stream);
        assert_int_equal(vmdk_stream_new(&source, VMDK_CAPACITY_MAX, "ide", &stream), 0);
        assert_null(vmdk_stream_free(stream));
        assert_null(vmdk_stream_free(NULL));
}

static void reads_what_holds_something(void **state)
{
        Fake fake = { .start = 5 * MIB + 1, .end = 5 * MIB + 2, .capacity = 100 * MIB };

        (void) state;
        assert_true(whole(&fake) > 0);
        assert_int_equal(fake.bytes_read, VMDK_GRAIN_BYTES);
        fake = (Fake){ .start = 64 * 1024 - 1, .end = 64 * 1024 + 1, .capacity = MIB + 512 };
        assert_true(whole(&fake) > 0);
        assert_int_equal(fake.bytes_read, 2 * VMDK_GRAIN_BYTES);
        fake = (Fake){ .start = MIB, .end = MIB + 512, .capacity = MIB + 512 };
        assert_true(whole(&fake) > 0);
        assert_int_equal(fake.bytes_read, 512);
}

static void largest_disk_without_anything(void **state)
{
        Fake fake = { .capacity = VMDK_CAPACITY_MAX };

        (void) state;
        assert_int_equal(whole(&fake), 128 * 512 + 512 + (2 << 20) * 4 + 3 * 512);
        assert_int_equal(fake.bytes_read, 0);
}

static void sources_that_fail(void **state)
{
        Fake fake = { .end = MIB, .capacity = MIB, .find_result = -ENOLINK };

        (void) state;
        assert_int_equal(whole(&fake), -ENOLINK);
        fake = (Fake){ .end = MIB, .capacity = MIB, .read_result = -ECANCELED };
        assert_int_equal(whole(&fake), -ECANCELED);
        fake = (Fake){ .end = MIB, .capacity = MIB, .lies_empty = true };
        assert_int_equal(whole(&fake), -EIO);
        fake = (Fake){ .end = MIB, .capacity = MIB, .lies_behind = true };
        assert_int_equal(whole(&fake), -EIO);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(capacities),
                cmocka_unit_test(reads_what_holds_something),
                cmocka_unit_test(largest_disk_without_anything),
                cmocka_unit_test(sources_that_fail),
        };

        return RUN_TESTS(tests);
}
