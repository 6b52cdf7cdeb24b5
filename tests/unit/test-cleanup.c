/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/cleanup: what is handed over is not destroyed, what is not is, and errno survives.
 */
#include "unit.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

static int n_freed;

typedef struct Thing {
        int number;
} Thing;

static Thing *thing_free(Thing *thing)
{
        n_freed++;
        free(thing);
        return NULL;
}
DEFINE_CLEANUP(Thing *, thing_free)

static Thing *make(bool hand_over)
{
        CLEANUP(thing_free_p) Thing *thing = calloc(1, sizeof(Thing)), *none = NULL;

        assert_non_null(thing);
        assert_null(none);
        return hand_over ? TAKE(thing) : NULL;
}

static void handed_over(void **state)
{
        Thing *thing;

        (void) state;
        n_freed = 0;
        assert_null(make(false));
        assert_int_equal(n_freed, 1);
        thing = make(true);
        assert_non_null(thing);
        assert_int_equal(n_freed, 1);
        thing_free(thing);
}

static void descriptors(void **state)
{
        int kept = -1, closed = -1;

        (void) state;
        {
                _cleanup_close_ int a = open("/dev/null", O_RDONLY | O_CLOEXEC), b = dup(a),
                                    none = -1;
                _cleanup_fclose_ FILE *f = fopen("/dev/null", "re"), *no_file = NULL;

                assert_true(a >= 0 && b >= 0 && f && !no_file && none < 0);
                closed = a;
                kept = take_fd(&b);
                assert_int_equal(b, -1);
        }
        assert_int_equal(fcntl(closed, F_GETFD), -1);
        assert_true(fcntl(kept, F_GETFD) >= 0);
        (void) close(kept);
}

static int fail_with_cleanup(void)
{
        _cleanup_close_ int wrong = 1000000; /* its close() fails with EBADF */

        errno = ENOSPC;
        return wrong > 0 ? -1 : 0;
}

static void errno_survives(void **state)
{
        (void) state;
        assert_int_equal(fail_with_cleanup(), -1);
        assert_int_equal(errno, ENOSPC);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(handed_over),
                cmocka_unit_test(descriptors),
                cmocka_unit_test(errno_survives),
        };

        return RUN_TESTS(tests);
}
