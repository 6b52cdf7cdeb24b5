/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * busd/hub/unit/unit-spec: what a mounted disk asks of systemd, and what is refused.
 */
#include "unit.h"

#include "build-config.h"
#include "cleanup.h"
#include "unit-spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Value of a property of the unit, as JSON; "" when it has none. The caller frees it. */
static char *property(const json_t *spec, const char *name)
{
        const json_t *entry;
        size_t i;

        json_array_foreach (json_object_get(spec, "properties"), i, entry)
                if (strcmp(json_string_value(json_array_get(entry, 0)), name) == 0)
                        return json_dumps(json_array_get(entry, 2), JSON_COMPACT | JSON_ENCODE_ANY);
        return strdup("");
}

static void expect(const json_t *spec, const char *name, const char *want)
{
        _cleanup_free_ char *text = property(spec, name);

        assert_string_equal(text, want);
}

static const MountUnit a_mount = {
        .job = 7,
        .disk_key = 2000,
        .uid = 1000,
        .image_path = "/r/a b$c%d.qcow2",
        .error_path = "/run/e.err",
        .until_usec = 1763702276999999,
        .lasts_usec = 8000000,
};

static void for_a_user(void **state)
{
        json_t *spec = NULL;
        const json_t *service;

        (void) state;
        (void) unsetenv("RUNTIME_DIRECTORY");
        assert_int_equal(unit_spec_mount(&a_mount, &spec), 0);
        assert_string_equal(json_string_value(json_object_get(spec, "unit")),
                            "sendense-mount-7-2000.socket");
        expect(spec, "Listen", "[[\"Stream\",\"" SENDENSE_RUNTIME_DIR "/mounts/7-2000.sock\"]]");
        expect(spec, "SocketUser", "\"1000\"");
        expect(spec, "SocketGroup", "\"sendense\"");
        expect(spec, "SocketMode", "432");
        expect(spec, "RemoveOnStop", "true");
        expect(spec, "Wants", "[\"sendense-mount-7-2000.service\"]");
        expect(spec, "BindsTo", "");
        expect(spec, "PartOf", "[\"sendense-job@7.target\"]");
        expect(spec, "Slice", "\"sendense-jobs-7.slice\"");

        service = json_array_get(json_object_get(spec, "aux"), 0);
        assert_string_equal(json_string_value(json_object_get(service, "unit")),
                            "sendense-mount-7-2000.service");
        expect(service, "BindsTo", "[\"sendense-mount-7-2000.socket\"]");
        expect(service, "PartOf", "[\"sendense-job@7.target\"]");
        expect(service, "Slice", "\"sendense-jobs-7.slice\"");
        expect(service, "LogExtraFields", "[\"SENDENSE_JOB=7\",\"SENDENSE_DISK=2000\"]");
        expect(service, "StandardErrorFileToAppend", "\"/run/e.err\"");
        expect(service, "MemoryMax", "536870912");
        expect(service, "Restart", "\"on-failure\"");
        expect(service, "ReadWritePaths", "");
        expect(service, "Environment",
               "[\"SENDENSE_EXPORT_NAME=7-2000\",\"SENDENSE_IMAGE=/r/a b$c%d.qcow2\","
               "\"SENDENSE_ACCESS=--read-only\",\"SENDENSE_UNTIL=1763702276\",\"SENDENSE_TLS=\"]");
        expect(service, "RuntimeMaxUSec", "8000000");
        json_decref(spec);
}

static void writable_on_a_port(void **state)
{
        MountUnit mount = a_mount;
        json_t *spec = NULL;
        const json_t *service;

        (void) state;
        mount.is_writable = true;
        mount.port = 10100;
        mount.memory_max = 1;
        mount.until_usec = mount.lasts_usec = 0;
        assert_int_equal(unit_spec_mount(&mount, &spec), 0);
        expect(spec, "Listen", "[[\"Stream\",\"127.0.0.1:10100\"]]");
        expect(spec, "SocketUser", "");
        expect(spec, "Wants", "");
        expect(spec, "BindsTo", "[\"sendense-mount-7-2000.service\"]");
        service = json_array_get(json_object_get(spec, "aux"), 0);
        expect(service, "Restart", "\"no\"");
        expect(service, "MemoryMax", "1");
        expect(service, "Environment",
               "[\"SENDENSE_EXPORT_NAME=7-2000\",\"SENDENSE_IMAGE=/r/a b$c%d.qcow2\","
               "\"SENDENSE_ACCESS=--snapshot\",\"SENDENSE_UNTIL=9223372036854\",\"SENDENSE_TLS="
               "\"]");
        expect(service, "RuntimeMaxUSec", "");
        json_decref(spec);
}

static void addresses(void **state)
{
        char name[MOUNT_NAME_SIZE], uri[MOUNT_URI_SIZE];

        (void) state;
        mount_name(JOB_NUMBER_MAX, DISK_KEY_MAX, name);
        assert_string_equal(name, "9223372036854775807-2147483647");
        mount_uri(7, 2000, uri);
        assert_string_equal(uri, "nbd+unix:///7-2000?socket=" SENDENSE_RUNTIME_DIR
                                 "/mounts/7-2000.sock");
}

static void mounts_refused(void **state)
{
        const MountUnit good = { 7, 2000, 0, 0, "/r/a.qcow2", "/e", false, 0, 0, 0 };
        MountUnit bad[7] = { good, good, good, good, good, good, good };
        json_t *spec = NULL;

        (void) state;
        bad[0].job = 0;
        bad[1].disk_key = 0;
        bad[2].image_path = "r/a.qcow2";
        bad[3].image_path = "/r/a\n--allow-write";
        bad[4].error_path = NULL;
        bad[5].memory_max = UINT64_MAX;
        bad[6].lasts_usec = UINT64_MAX;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                assert_int_equal(unit_spec_mount(bad + i, &spec), -EINVAL);
                assert_null(spec);
        }
}

/* For a node that reads it by TLS: where the key is, and not what it is. */
static void with_key(void **state)
{
        MountUnit mount = a_mount;
        const json_t *service;
        json_t *spec = NULL;

        (void) state;
        mount.port = 10100;
        mount.psk_path = "/run/m.psk";
        assert_int_equal(unit_spec_mount(&mount, &spec), 0);
        service = json_array_get(json_object_get(spec, "aux"), 0);
        expect(service, "LoadCredential",
               "[[\"keys.psk\",\"/run/m.psk\"],[\"dh-params.pem\",\"" SENDENSE_DH_PARAMS "\"]]");
        expect(service, "Environment",
               "[\"SENDENSE_EXPORT_NAME=7-2000\",\"SENDENSE_IMAGE=/r/a b$c%d.qcow2\","
               "\"SENDENSE_ACCESS=--read-only\",\"SENDENSE_UNTIL=1763702276\","
               "\"SENDENSE_TLS=--object tls-creds-psk,id=tls,endpoint=server,"
               "dir=/run/credentials/sendense-mount-7-2000.service --tls-creds tls\"]");
        json_decref(spec);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(for_a_user), cmocka_unit_test(writable_on_a_port),
                cmocka_unit_test(addresses),  cmocka_unit_test(mounts_refused),
                cmocka_unit_test(with_key),
        };

        return RUN_TESTS(tests);
}
