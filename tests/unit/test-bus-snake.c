/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/bus/bus-snake: the names of the bus in JSON, at every depth.
 */
#include "unit.h"

#include "bus/bus-snake.h"
#include "json-cleanup.h"

#include <errno.h>

static void names(void **state)
{
        CLEANUP(json_decref_p)
        json_t *value = json_loads("{\"Id\": 7, \"BytesDone\": 1, \"StartedUSec\": 2, \"VmId\": 3, "
                                   "\"already_so\": 4,"
                                   " \"2000\": {\"PID\": 5}, \"Disks\": [{\"BackupType\": "
                                   "{\"DeepDown\": 6}}, [[]], 8]}",
                                   0, NULL);
        CLEANUP(json_decref_p)
        json_t *want = json_loads("{\"id\": 7, \"bytes_done\": 1, \"started_usec\": 2, \"vm_id\": "
                                  "3, \"already_so\": 4,"
                                  " \"2000\": {\"pid\": 5}, \"disks\": [{\"backup_type\": "
                                  "{\"deep_down\": 6}}, [[]], 8]}",
                                  0, NULL);

        (void) state;
        assert_non_null(value);
        assert_int_equal(bus_snake_names(value), 0);
        assert_true(json_equal(value, want));
}

static void two_of_one_name(void **state)
{
        CLEANUP(json_decref_p) json_t *value = json_loads("{\"VmId\": 1, \"vm_id\": 2}", 0, NULL);

        (void) state;
        assert_int_equal(bus_snake_names(value), -EEXIST);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names),
                cmocka_unit_test(two_of_one_name),
        };

        return RUN_TESTS(tests);
}
