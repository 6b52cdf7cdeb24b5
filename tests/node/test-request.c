/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * busd/node/request: what a request must hold, that the password leaves the JSON, and which requests are the same.
 */
#include "unit.h"

#include "cleanup.h"
#include "host-name.h"
#include "json-cleanup.h"
#include "request.h"

#include <errno.h>
#include <string.h>

#define UUID "11111111-2222-3333-4444-555555555555"

static json_t *good(void)
{
        json_t *object = json_pack("{s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s}, "
                                   "s:[{s:i, s:s, s:i, s:s}]}",
                                   "job_id", 7, "attempt", 1, "vm_name", "web", "vm_path",
                                   "DC0/vm/web", "instance_uuid", UUID, "vcenter_host", "vc",
                                   "vcenter_user", "u", "vcenter_password", "geheim", "backup_type",
                                   "full", "nbd_targets", "2000", "nbd://127.0.0.1:10100/a", "2001",
                                   "nbd://127.0.0.1:10101/b", "disks", "key", 2000, "backing_uuid",
                                   "x", "capacity_bytes", 512, "change_id", "a/1");

        assert_non_null(object);
        return object;
}

static int read_object(const json_t *object, Request *ret_request,
                       char error[static REQUEST_ERROR_SIZE])
{
        char *text = json_dumps(object, 0);
        int r = request_read(text, strlen(text), ret_request, error);

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
        assert_int_equal(request.job, 7);
        assert_int_equal(request.attempt, 1);
        assert_string_equal(secret_data(request.password), "geheim");
        text = json_dumps(request.public, 0);
        assert_null(strstr(text, "geheim"));
        free(text);

        /* Another password asks for the same; anything else does not. */
        assert_int_equal(json_object_set_new(object, "vcenter_password", json_string("other")), 0);
        assert_int_equal(read_object(object, &again, error), 0);
        assert_string_equal(again.digest, request.digest);
        request_done(&again);
        assert_int_equal(json_object_set_new(object, "backup_type", json_string("incremental")), 0);
        assert_int_equal(read_object(object, &again, error), 0);
        assert_string_not_equal(again.digest, request.digest);
}

static void refused(json_t *object, const char *word)
{
        CLEANUP(json_decref_p) json_t *owned = object;
        Request request = {};
        char error[REQUEST_ERROR_SIZE] = "";

        assert_int_equal(read_object(owned, &request, error), -EBADMSG);
        assert_null(request.public);
        assert_null(request.password);
        if (!strstr(error, word))
                fail_msg("'%s' does not name %s", error, word);
        assert_null(strstr(error, "geheim"));
}

static json_t *with(const char *key, json_t *value)
{
        json_t *object = good();

        assert_int_equal(json_object_set_new(object, key, value), 0);
        return object;
}

static json_t *without(const char *key)
{
        json_t *object = good();

        assert_int_equal(json_object_del(object, key), 0);
        return object;
}

static void members(void **state)
{
        static const char *const needed[] = { "job_id",          "attempt",       "vm_name",
                                              "vm_path",         "instance_uuid", "vcenter_host",
                                              "vcenter_user",    "backup_type",   "nbd_targets",
                                              "vcenter_password" };

        (void) state;
        for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
                refused(without(needed[i]), needed[i]);
        refused(with("job_id", json_integer(0)), "job_id");
        refused(with("job_id", json_string("7")), "job_id");
        refused(with("vcenter_password", json_string("")), "vcenter_password");
        refused(with("backup_type", json_string("differential")), "backup_type");
        refused(with("instance_uuid", json_string("11111111-2222-3333-4444-55555555555Z")),
                "instance_uuid");
        refused(with("surprise", json_true()), "surprise");
}

static void targets(void **state)
{
        (void) state;
        refused(with("excluded", json_pack("{s:s}", "2000", "scratch")), "2000 has a target");
        refused(with("excluded", json_pack("{s:s}", "2009", "")), "2009 must be a text");
        refused(with("excluded", json_pack("{s:i}", "2009", 1)), "2009 must be a text");
        refused(with("excluded", json_pack("{s:s}", "scsi0", "scratch")), "number");
        refused(with("excluded", json_array()), "excluded");
        refused(with("nbd_targets", json_object()), "nbd_targets");
        refused(with("nbd_targets", json_pack("{s:s}", "scsi0", "nbd://h:1/a")), "number");
        refused(with("nbd_targets", json_pack("{s:s}", "2000", "http://h:1/a")), "2000");
        refused(with("nbd_targets", json_pack("{s:s}", "2000", "nbd://h:1/a b")), "2000");
        refused(with("nbd_targets", json_pack("{s:i}", "2000", 1)), "2000");
        refused(with("nbd_targets",
                     json_pack("{s:s, s:s}", "2000", "nbd://h:1/a", "2001", "nbd://h:1/a")),
                "same target");
}

#define KEY_A "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define KEY_B "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

/* A request whose exports have TLS, with these keys. */
static json_t *with_keys(json_t *keys)
{
        json_t *object = with("nbd_targets",
                              json_pack("{s:s, s:s}", "2000", "nbds://a-1@127.0.0.1:10100/a-1",
                                        "2001", "nbds://b-1@127.0.0.1:10101/b-1"));

        if (keys)
                assert_int_equal(json_object_set_new(object, "nbd_keys", keys), 0);
        return object;
}

static void keys(void **state)
{
        CLEANUP(json_decref_p)
        json_t *object = with_keys(json_pack("{s:s, s:s}", "2000", KEY_A, "2001", KEY_B));
        CLEANUP(request_done) Request request = {}, again = {};
        char error[REQUEST_ERROR_SIZE], *text;

        (void) state;
        assert_int_equal(read_object(object, &request, error), 0);
        assert_string_equal(secret_data(request.keys), "a-1:" KEY_A "\nb-1:" KEY_B "\n");
        text = json_dumps(request.public, 0);
        assert_null(strstr(text, KEY_A));
        assert_null(strstr(text, "nbd_keys"));
        free(text);

        /* Other keys of the same exports are the same request: its hub has told them before. */
        assert_int_equal(json_object_set_new(object, "nbd_keys",
                                             json_pack("{s:s, s:s}", "2000", KEY_B, "2001", KEY_A)),
                         0);
        assert_int_equal(read_object(object, &again, error), 0);
        assert_string_equal(again.digest, request.digest);
        request_done(&request);

        /* One of them alone. */
        assert_int_equal(json_object_set_new(object, "nbd_targets",
                                             json_pack("{s:s, s:s}", "2000",
                                                       "nbd://127.0.0.1:10100/a", "2001",
                                                       "nbds://b-1@127.0.0.1:10101/b-1")),
                         0);
        assert_int_equal(json_object_set_new(object, "nbd_keys", json_pack("{s:s}", "2001", KEY_B)),
                         0);
        assert_int_equal(read_object(object, &request, error), 0);
        assert_string_equal(secret_data(request.keys), "b-1:" KEY_B "\n");
        request_done(&request);

        json_decref(object);
        object = good();
        assert_int_equal(read_object(object, &request, error), 0);
        assert_null(request.keys);
}

static void wrong_keys(void **state)
{
        (void) state;
        refused(with_keys(NULL), "no key for disk 2000");
        refused(with_keys(json_pack("{s:s}", "2000", KEY_A)), "no key for disk 2001");
        refused(with_keys(json_pack("{s:s, s:s}", "2000", KEY_A, "2001", "geheim")),
                "the key of disk 2001");
        refused(with_keys(json_pack("{s:s, s:i}", "2000", KEY_A, "2001", 7)),
                "the key of disk 2001");
        refused(with_keys(json_pack("{s:s, s:s, s:s}", "2000", KEY_A, "2001", KEY_B, "2002",
                                    KEY_B)),
                "2002");
        refused(with_keys(json_array()), "nbd_keys");
        refused(with("nbd_keys", json_pack("{s:s}", "2000", KEY_A)), "'2000' is no disk with");
        refused(with("nbd_targets", json_pack("{s:s}", "2000", "nbds://127.0.0.1:1/a")), "2000");
}

static void disks(void **state)
{
        json_t *twice = json_pack("[{s:i, s:i}, {s:i, s:i}]", "key", 2000, "capacity_bytes", 512,
                                  "key", 2000, "capacity_bytes", 512);

        (void) state;
        refused(with("disks", twice), "twice");
        refused(with("disks", json_pack("[{s:i}]", "key", 2000)), "capacity_bytes");
        refused(with("disks", json_pack("[i]", 1)), "disk");
}

static void no_object(void **state)
{
        static const char *const texts[] = { "", "[]", "{", "7", "{\"job_id\":1,\"job_id\":2}" };
        char error[REQUEST_ERROR_SIZE];
        Request request = {};

        (void) state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_int_equal(request_read(texts[i], strlen(texts[i]), &request, error),
                                 -EBADMSG);
}

static void logins(void **state)
{
        static const char text[] = "{\"vcenter_host\":\"vc\",\"vcenter_user\":\"u\",\"vcenter_"
                                   "password\":\"p\","
                                   "\"job_ids\":[7,9],\"outcome\":\"committed\"}";
        static const char *const bad[] = {
                "{\"vcenter_host\":\"vc\",\"vcenter_user\":\"u\"}",
                "{\"vcenter_user\":\"u\",\"vcenter_password\":\"p\"}",
                "{\"vcenter_host\":\"vc\",\"vcenter_user\":\"u\",\"vcenter_password\":\"p\",\"job_"
                "ids\":7}",
                "{\"vcenter_host\":\"vc\",\"vcenter_user\":\"u\",\"vcenter_password\":\"p\",\"job_"
                "ids\":[\"a\"]}",
        };
        static const char placed[] = "{\"vcenter_host\":\"vc\",\"vcenter_user\":\"u\",\"vcenter_"
                                     "password\":\"p\",\"vcenter_port\":8443,\"outcome\":\"x\"}";
        static const char *const misplaced[] = {
                "{\"vcenter_password\":\"p\",\"vcenter_port\":0}",
                "{\"vcenter_password\":\"p\",\"vcenter_port\":\"443\"}",
                "{\"vcenter_password\":\"p\",\"pin_sha256\":\"ab\"}",
        };
        static const char alone[] = "{\"outcome\":\"committed\",\"vcenter_password\":\"p\"}";
        char error[REQUEST_ERROR_SIZE];
        Login login = {};

        (void) state;
        assert_int_equal(login_read(text, strlen(text), NULL, NULL, &login, error), 0);
        assert_string_equal(login.host, "vc");
        assert_string_equal(secret_data(login.password), "p");
        assert_int_equal(login.n_jobs, 2);
        assert_int_equal(login.jobs[1], 9);
        login_done(&login);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_equal(login_read(bad[i], strlen(bad[i]), NULL, NULL, &login, error),
                                 -EBADMSG);
        assert_int_equal(login_read(alone, strlen(alone), "vc", "u", &login, error), 0);
        assert_string_equal(login.host, "vc");
        assert_string_equal(login.user, "u");
        assert_string_equal(secret_data(login.password), "p");
        assert_int_equal(json_object_size(login.place), 2);
        login_done(&login);
        assert_int_equal(login_read(placed, strlen(placed), NULL, NULL, &login, error), 0);
        assert_int_equal(json_integer_value(json_object_get(login.place, "vcenter_port")), 8443);
        assert_int_equal(json_object_size(login.place), 3);
        login_done(&login);
        for (size_t i = 0; i < sizeof(misplaced) / sizeof(misplaced[0]); i++)
                assert_int_equal(login_read(misplaced[i], strlen(misplaced[i]), "vc", "u", &login,
                                            error),
                                 -EBADMSG);
}

/* {"vcenter_host": host, "vcenter_user": user, "vcenter_password"}; a member that is NULL is not there. */
static int read_place(const char *host, const char *user, char error[static REQUEST_ERROR_SIZE])
{
        CLEANUP(json_decref_p)
        json_t *object = json_pack("{s:s*, s:s*, s:s}", "vcenter_host", host, "vcenter_user", user,
                                   "vcenter_password", "geheim");
        _cleanup_free_ char *text = json_dumps(object, 0);
        Login login = {};
        int r;

        assert_non_null(text);
        r = login_read(text, strlen(text), "vc", "u", &login, error);
        login_done(&login);
        return r;
}

/* Where and who are bounded the same in a request and in a login. */
static void places(void **state)
{
        static const char *const hosts[] = { "",         "vc\n",          "vc/sdk",
                                             "-vc",      "vc example",    "ü",
                                             "u@vc:443", "[::1]",         "vc.example:8443",
                                             "::1:vc",   "192.0.2.7:443", "fe80::1%eth0",
                                             ":" };
        static const char *const users[] = { "", "u\n", "u\x1b[2J", "\x7f", "\xc2\x9b" };
        char error[REQUEST_ERROR_SIZE], host[HOST_NAME_MAX_LENGTH + 2], user[257];
        char long_user[2 * 255 + 1] = "";

        (void) state;
        (void) memset(host, 'a', sizeof(host));
        (void) memset(user, 'u', sizeof(user));
        host[HOST_NAME_MAX_LENGTH + 1] = user[256] = '\0';
        for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
                refused(with("vcenter_host", json_string(hosts[i])), "vcenter_host");
                assert_int_equal(read_place(hosts[i], NULL, error), -EBADMSG);
                assert_non_null(strstr(error, "vcenter_host"));
        }
        for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
                refused(with("vcenter_user", json_string(users[i])), "vcenter_user");
                assert_int_equal(read_place(NULL, users[i], error), -EBADMSG);
                assert_non_null(strstr(error, "vcenter_user"));
        }
        assert_int_equal(read_place(host, NULL, error), -EBADMSG);
        assert_int_equal(read_place(host + 1, NULL, error), 0);
        assert_int_equal(read_place(NULL, user, error), -EBADMSG);
        assert_non_null(strstr(error, "must have 1 to 255"));
        assert_int_equal(read_place(NULL, user + 1, error), 0);
        assert_int_equal(read_place("fd00::7", "backup@vsphere.local", error), 0);
        /* Characters are counted, and not bytes. */
        for (size_t i = 0; i < 255; i++)
                for (size_t j = 0; j < 2; j++)
                        long_user[2 * i + j] = "ü"[j];
        assert_int_equal(read_place(NULL, long_user, error), 0);
}

/* What is there and is no text does not stand for what is known already. */
static void no_texts(void **state)
{
        static const char text[] = "{\"vcenter_host\":7,\"vcenter_password\":\"p\"}";
        char error[REQUEST_ERROR_SIZE];
        Login login = {};

        (void) state;
        assert_int_equal(login_read(text, strlen(text), "vc", "u", &login, error), -EBADMSG);
        assert_non_null(strstr(error, "vcenter_host"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(complete),   cmocka_unit_test(members),
                cmocka_unit_test(targets),    cmocka_unit_test(keys),
                cmocka_unit_test(wrong_keys), cmocka_unit_test(disks),
                cmocka_unit_test(no_object),  cmocka_unit_test(logins),
                cmocka_unit_test(places),     cmocka_unit_test(no_texts),
        };

        return RUN_TESTS(tests);
}
