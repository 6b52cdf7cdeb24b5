/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * busd/node/restore-request: what the start of a restore must hold, that the password leaves the JSON, and what is refused.
 */
#include "unit.h"

#include "cleanup.h"
#include "json-cleanup.h"
#include "request.h"

#include <errno.h>
#include <string.h>

static json_t *good(void)
{
        json_t *object = json_pack(
                        "{s:i, s:i, s:s, s:s, s:s, s:s, s:b, s:{s:s}, s:{}, s:[{s:i, s:i, s:s}, "
                        "{s:i, s:i, s:s}]}",
                        "job_id", 8, "attempt", 1, "vm_name", "web back", "vcenter_host", "vc",
                        "vcenter_user", "u", "vcenter_password", "geheim", "power_on", 1,
                        "networks", "old", "new", "hardware", "disks", "disk_key", 2000,
                        "capacity_bytes", 512, "source", "nbd://127.0.0.1:10100/a", "disk_key",
                        2001, "capacity_bytes", 512, "source", "nbd://127.0.0.1:10101/b");

        assert_non_null(object);
        return object;
}

static int read_object(const json_t *object, Request *ret_request,
                       char error[static REQUEST_ERROR_SIZE])
{
        char *text = json_dumps(object, 0);
        int r = restore_request_read(text, strlen(text), ret_request, error);

        free(text);
        return r;
}

static void complete(void **state)
{
        CLEANUP(json_decref_p) json_t *object = good();
        CLEANUP(request_done) Request request = {}, again = {};
        char error[REQUEST_ERROR_SIZE], *text;

        (void) state;
        assert_int_equal(read_object(object, &request, error), 0);
        assert_int_equal(request.job, 8);
        assert_int_equal(request.attempt, 1);
        assert_string_equal(secret_data(request.password), "geheim");
        text = json_dumps(request.public, 0);
        assert_null(strstr(text, "geheim"));
        free(text);

        assert_int_equal(json_object_set_new(object, "vcenter_password", json_string("other")), 0);
        assert_int_equal(read_object(object, &again, error), 0);
        assert_string_equal(again.digest, request.digest);
        request_done(&again);
        assert_int_equal(json_object_set_new(object, "vm_name", json_string("other")), 0);
        assert_int_equal(read_object(object, &again, error), 0);
        assert_string_not_equal(again.digest, request.digest);
}

static void refused(json_t *object, const char *word)
{
        CLEANUP(json_decref_p) json_t *owned = object;
        char error[REQUEST_ERROR_SIZE] = "";
        Request request = {};

        assert_int_equal(read_object(owned, &request, error), -EBADMSG);
        if (!strstr(error, word))
                fail_msg("'%s' does not name %s", error, word);
        assert_null(request.public);
}

static json_t *without(const char *key)
{
        json_t *object = good();

        assert_int_equal(json_object_del(object, key), 0);
        return object;
}

static json_t *with(const char *key, json_t *value)
{
        json_t *object = good();

        assert_int_equal(json_object_set_new(object, key, value), 0);
        return object;
}

static json_t *with_disk(const char *key, json_t *value)
{
        json_t *object = good();

        assert_int_equal(json_object_set_new(json_array_get(json_object_get(object, "disks"), 1),
                                             key, value),
                         0);
        return object;
}

static void members(void **state)
{
        static const char *const needed[] = { "job_id",       "attempt",      "vm_name",
                                              "vcenter_host", "vcenter_user", "vcenter_password",
                                              "hardware",     "disks" };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(needed); i++)
                refused(without(needed[i]), needed[i]);
        refused(with("colour", json_true()), "colour");
        refused(with("instance_uuid", json_string("x")), "instance_uuid");
        refused(with("folder", json_string("")), "folder");
        refused(with("folder", json_string("a\nb")), "folder");
        refused(with("power_on", json_integer(1)), "power_on");
        refused(with("disks", json_array()), "disks");
}

static void disks(void **state)
{
        (void) state;
        refused(with_disk("disk_key", json_integer(2000)), "twice");
        refused(with_disk("source", json_string("/dev/sda")), "nbd://");
        refused(with_disk("source", json_string("nbd://h/a b")), "nbd://");
        refused(with_disk("capacity_bytes", json_integer(0)), "capacity_bytes");
        refused(with_disk("colour", json_true()), "colour");
}

/* As of a backup: with each disk's address, and out of what the ledger keeps. */
static void keys(void **state)
{
        static const char key[] =
                        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        json_t *object = with_disk("source", json_string("nbds://8-2001@127.0.0.1:10101/8-2001"));
        CLEANUP(request_done) Request request = {};
        char error[REQUEST_ERROR_SIZE], *text;

        (void) state;
        assert_int_equal(json_object_set_new(object, "nbd_keys", json_pack("{s:s}", "2001", key)),
                         0);
        assert_int_equal(read_object(object, &request, error), 0);
        assert_int_equal(strncmp(secret_data(request.keys), "8-2001:", 7), 0);
        assert_int_equal(strncmp(secret_data(request.keys) + 7, key, sizeof(key) - 1), 0);
        text = json_dumps(request.public, 0);
        assert_null(strstr(text, key));
        free(text);
        assert_int_equal(json_object_set_new(object, "nbd_keys", json_pack("{s:s}", "2000", key)),
                         0);
        refused(object, "'2000' is no disk with");
        refused(with_disk("source", json_string("nbds://8-2001@127.0.0.1:10101/8-2001")),
                "no key for disk 2001");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(complete),
                cmocka_unit_test(members),
                cmocka_unit_test(disks),
                cmocka_unit_test(keys),
        };

        return RUN_TESTS(tests);
}
