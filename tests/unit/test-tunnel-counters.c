/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/tunnel-counters: what is written is read back, with the state that follows from it, and what is almost such a file is none.
 */
#include "unit.h"

#include "cleanup.h"
#include "json-cleanup.h"
#include "json-fields.h"
#include "parse.h"
#include "tunnel-counters.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define NOW_USEC (UINT64_C(1795280000) * USEC_PER_SEC)

static const TunnelCounters counters = {
        .hub = "backup.example",
        .port = 443,
        .n_sessions = 3,
        .n_wanted = 4,
        .has_way_back = true,
        .n_connections = 7,
        .n_held = 1,
        .n_opened = 20000,
        .n_refused = 12,
        .n_given_up = 2,
        .n_reconnects = 5,
        .bytes_up = UINT64_C(1) << 50,
        .bytes_down = 42,
        .started_usec = NOW_USEC - 7,
        .written_usec = NOW_USEC,
};

static void state_is(const char *path, uint64_t now_usec, const char *state)
{
        CLEANUP(json_decref_p) json_t *read = NULL;

        assert_int_equal(tunnel_counters_read(path, now_usec, &read), 0);
        assert_string_equal(json_field_text(read, "State"), state);
}

static void there_and_back(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "counters");
        CLEANUP(json_decref_p) json_t *read = NULL;
        TunnelCounters down = counters;
        struct stat st;

        (void) state;
        assert_int_equal(tunnel_counters_write(path, &counters), 0);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0644);
        assert_int_equal(tunnel_counters_read(path, NOW_USEC, &read), 0);
        assert_string_equal(json_field_text(read, "Hub"), "backup.example");
        assert_int_equal(json_field_number(read, "Port"), 443);
        assert_int_equal(json_field_number(read, "Sessions"), 3);
        assert_int_equal(json_field_number(read, "SessionsWanted"), 4);
        assert_true(json_field_bool(read, "WayBack"));
        assert_int_equal(json_field_number(read, "Connections"), 7);
        assert_int_equal(json_field_number(read, "Held"), 1);
        assert_int_equal(json_field_number(read, "Opened"), 20000);
        assert_int_equal(json_field_number(read, "Refused"), 12);
        assert_int_equal(json_field_number(read, "GivenUp"), 2);
        assert_int_equal(json_field_number(read, "Reconnects"), 5);
        assert_int_equal(json_field_number(read, "StartedUSec"), NOW_USEC - 7);
        assert_true(json_field_number(read, "BytesUp") == UINT64_C(1) << 50);
        assert_int_equal(json_field_number(read, "BytesDown"), 42);
        assert_string_equal(json_field_text(read, "Error"), "");
        assert_true(json_field_number(read, "WrittenUSec") == NOW_USEC);

        state_is(path, NOW_USEC, "connected");
        state_is(path, NOW_USEC + 10 * USEC_PER_SEC, "connected");
        state_is(path, NOW_USEC + 10 * USEC_PER_SEC + 1, "silent");
        /* A clock that was set back is no silence. */
        state_is(path, NOW_USEC - USEC_PER_SEC, "connected");
        /* However many sessions carry data: the hub does not reach this node. */
        down.has_way_back = false;
        assert_int_equal(tunnel_counters_write(path, &down), 0);
        state_is(path, NOW_USEC, "one-way");
        state_is(path, NOW_USEC + 10 * USEC_PER_SEC + 1, "silent");
        down.n_sessions = 0;
        (void) snprintf(down.error, sizeof(down.error), "Connection refused");
        assert_int_equal(tunnel_counters_write(path, &down), 0);
        state_is(path, NOW_USEC, "connecting");
}

static void none(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "counters"),
                            *far = unit_path(folder, "no/counters");
        json_t *read = NULL;

        (void) state;
        assert_int_equal(tunnel_counters_read(path, NOW_USEC, &read), -ENOENT);
        assert_int_equal(tunnel_counters_write(far, &counters), -ENOENT);
        assert_null(read);
}

static void almost(void **state)
{
        static const char *const texts[] = {
                "",
                "{}",
                "[]",
                "{\"Hub\":\"h\"}",
                "no JSON",
                /* a number that is none, a boolean, a number below zero, a port that is none, and one thing too many */
                "{\"Hub\":\"h\",\"Port\":443,\"Sessions\":\"3\",\"SessionsWanted\":4,\"WayBack\":"
                "true,"
                "\"Connections\":0,\"Held\":0,"
                "\"Opened\":0,\"Refused\":0,\"GivenUp\":0,\"Reconnects\":0,\"BytesUp\":0,"
                "\"BytesDown\":0,"
                "\"Error\":\"\",\"WrittenUSec\":1}",
                "{\"Hub\":\"h\",\"Port\":443,\"Sessions\":1,\"SessionsWanted\":4,\"WayBack\":1,"
                "\"Connections\":0,\"Held\":0,"
                "\"Opened\":0,\"Refused\":0,\"GivenUp\":0,\"Reconnects\":0,\"BytesUp\":0,"
                "\"BytesDown\":0,"
                "\"Error\":\"\",\"WrittenUSec\":1}",
                "{\"Hub\":\"h\",\"Port\":443,\"Sessions\":-1,\"SessionsWanted\":4,\"WayBack\":true,"
                "\"Connections\":"
                "0,\"Held\":0,"
                "\"Opened\":0,\"Refused\":0,\"GivenUp\":0,\"Reconnects\":0,\"BytesUp\":0,"
                "\"BytesDown\":0,"
                "\"Error\":\"\",\"WrittenUSec\":1}",
                "{\"Hub\":\"h\",\"Port\":65536,\"Sessions\":1,\"SessionsWanted\":4,\"WayBack\":"
                "true,\"Connections\":"
                "0,\"Held\":0,"
                "\"Opened\":0,\"Refused\":0,\"GivenUp\":0,\"Reconnects\":0,\"BytesUp\":0,"
                "\"BytesDown\":0,"
                "\"Error\":\"\",\"WrittenUSec\":1}",
                "{\"Hub\":\"h\",\"Port\":443,\"Sessions\":1,\"SessionsWanted\":4,\"WayBack\":true,"
                "\"Connections\":0,"
                "\"Held\":0,"
                "\"Opened\":0,\"Refused\":0,\"GivenUp\":0,\"Reconnects\":0,\"BytesUp\":0,"
                "\"BytesDown\":0,"
                "\"Error\":\"\",\"WrittenUSec\":1,\"State\":\"connected\"}",
        };
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "counters"),
                            *large = unit_repeat(' ', TUNNEL_COUNTERS_MAX + 1);
        json_t *read = NULL;

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                unit_write(path, texts[i], strlen(texts[i]), 0644);
                assert_int_equal(tunnel_counters_read(path, NOW_USEC, &read), -EBADMSG);
        }
        unit_write(path, large, strlen(large), 0644);
        assert_int_equal(tunnel_counters_read(path, NOW_USEC, &read), -EFBIG);
        assert_null(read);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(there_and_back),
                cmocka_unit_test(none),
                cmocka_unit_test(almost),
        };

        return RUN_TESTS(tests);
}
