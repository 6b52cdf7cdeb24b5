/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/vsphere/import-plan: what a record of hardware becomes, word for word; what is refused, at the limits and one beyond; nothing of a
 * record gets into the XML but as text.
 */
#include "unit.h"

#include "cleanup.h"
#include "json-cleanup.h"
#include "vsphere/import-plan.h"

#include <errno.h>
#include <string.h>

#define HARDWARE                                                                                   \
        "{'version': 'vmx-13', 'guest_id': 'otherGuest64', 'firmware': 'efi', 'secure_boot': "     \
        "true,"                                                                                    \
        "'cpus': 2, 'cores_per_socket': 1, 'memory_mb': 2048, 'controllers': ["                    \
        "{'key': 200, 'type': 'VirtualIDEController', 'bus_number': 0},"                           \
        "{'key': 1001, 'type': 'ParaVirtualSCSIController', 'bus_number': 1},"                     \
        "{'key': 15000, 'type': 'VirtualAHCIController', 'bus_number': 0}],"                       \
        "'disks': [{'key': 2016, 'controller_key': 1001, 'unit_number': 3, 'mode': 'persistent'}," \
        "{'key': 3000, 'controller_key': 200, 'unit_number': 1},"                                  \
        "{'key': 16000, 'controller_key': 15000, 'unit_number': 0, 'label': 'Hard disk 3'}],"      \
        "'networks': [{'key': 4000, 'type': 'VirtualVmxnet3', 'network': 'a & b',"                 \
        "'mac': '00:50:56:01:02:03'}], 'others': [{'type': 'VirtualCdrom', 'label': 'CD'}]}"
#define DISKS                                                                   \
        "[{'disk_key': 2016, 'capacity_bytes': 1048576, 'source': 'nbd://a/'}," \
        " {'disk_key': 3000, 'capacity_bytes': 2048, 'source': 'nbd://b/'}]"

static json_t *parse(const char *text)
{
        _cleanup_free_ char *copy = strdup(text);
        json_t *json;

        assert_non_null(copy);
        for (char *c = copy; *c; c++)
                if (*c == '\'')
                        *c = '"';
        json = json_loads(copy, 0, NULL);
        assert_non_null(json);
        return json;
}

static int read_plan(ImportPlan *plan, const json_t *hardware, const json_t *disks, char *why)
{
        *plan = (ImportPlan){ .name = "<x>", .datastore = "ds & 1", .instance_uuid = "u" };
        return import_plan_read(plan, hardware, disks, true, why);
}

static void xml(void **state)
{
        CLEANUP(json_decref_p) json_t *hardware = parse(HARDWARE), *disks = parse(DISKS);
        CLEANUP(import_plan_done) ImportPlan plan;
        char why[IMPORT_WHY_SIZE] = "", address[IMPORT_ADDRESS_SIZE];
        _cleanup_free_ char *text = NULL;

        (void) state;
        assert_int_equal(read_plan(&plan, hardware, disks, why), 0);
        plan.cards[0].new_network = plan.cards[0].network;
        text = import_plan_xml(&plan);
        assert_string_equal(
                        text,
                        "<spec xsi:type=\"VirtualMachineImportSpec\"><configSpec>"
                        "<name>&lt;x&gt;</name><version>vmx-13</version>"
                        "<instanceUuid>u</instanceUuid><guestId>otherGuest64</guestId>"
                        "<files><vmPathName>[ds &amp; 1]</vmPathName></files>"
                        "<numCPUs>2</numCPUs><numCoresPerSocket>1</numCoresPerSocket>"
                        "<memoryMB>2048</memoryMB>"
                        "<deviceChange><operation>add</operation>"
                        "<device xsi:type=\"ParaVirtualSCSIController\"><key>-2</key>"
                        "<busNumber>1</busNumber><sharedBus>noSharing</sharedBus></device>"
                        "</deviceChange>"
                        "<deviceChange><operation>add</operation>"
                        "<device xsi:type=\"VirtualAHCIController\"><key>-3</key>"
                        "<busNumber>0</busNumber></device></deviceChange>"
                        "<deviceChange><operation>add</operation><fileOperation>create"
                        "</fileOperation><device xsi:type=\"VirtualDisk\"><key>-1000</key>"
                        "<backing xsi:type=\"VirtualDiskFlatVer2BackingInfo\">"
                        "<fileName>[ds &amp; 1]</fileName><diskMode>persistent</diskMode>"
                        "<thinProvisioned>true</thinProvisioned></backing>"
                        "<controllerKey>-2</controllerKey><unitNumber>3</unitNumber>"
                        "<capacityInKB>1024</capacityInKB>"
                        "<capacityInBytes>1048576</capacityInBytes></device></deviceChange>"
                        "<deviceChange><operation>add</operation><fileOperation>create"
                        "</fileOperation><device xsi:type=\"VirtualDisk\"><key>-1001</key>"
                        "<backing xsi:type=\"VirtualDiskFlatVer2BackingInfo\">"
                        "<fileName>[ds &amp; 1]</fileName><diskMode>persistent</diskMode>"
                        "<thinProvisioned>true</thinProvisioned></backing>"
                        "<controllerKey>200</controllerKey><unitNumber>1</unitNumber>"
                        "<capacityInKB>2</capacityInKB><capacityInBytes>2048</capacityInBytes>"
                        "</device></deviceChange>"
                        "<deviceChange><operation>add</operation>"
                        "<device xsi:type=\"VirtualVmxnet3\"><key>-2000</key>"
                        "<backing xsi:type=\"VirtualEthernetCardNetworkBackingInfo\">"
                        "<deviceName>a &amp; b</deviceName></backing>"
                        "<connectable><startConnected>true</startConnected>"
                        "<allowGuestControl>true</allowGuestControl><connected>false</connected>"
                        "</connectable><addressType>manual</addressType>"
                        "<macAddress>00:50:56:01:02:03</macAddress></device></deviceChange>"
                        "<bootOptions><efiSecureBootEnabled>true</efiSecureBootEnabled>"
                        "</bootOptions><firmware>efi</firmware></configSpec></spec>");
        import_disk_address(&plan.disks[0], address);
        assert_string_equal(address, "ParaVirtualSCSIController1:3");
        assert_string_equal(import_disk_adapter(&plan.disks[0]), "lsilogic");
        assert_string_equal(import_disk_adapter(&plan.disks[1]), "ide");
        /* The third disk, the drive, and the NVRAM of its EFI. */
        assert_int_equal(json_array_size(plan.left_out), 3);
}

/* It can be put back: it is no device that is left out, unless who puts it back cannot. */
static void nvram(void **state)
{
        CLEANUP(json_decref_p) json_t *hardware = parse(HARDWARE), *disks = parse(DISKS);
        CLEANUP(import_plan_done) ImportPlan plan;
        char why[IMPORT_WHY_SIZE] = "";

        (void) state;
        assert_int_equal(json_object_set_new(hardware, "nvram", json_object()), 0);
        assert_int_equal(read_plan(&plan, hardware, disks, why), 0);
        assert_int_equal(json_array_size(plan.left_out), 2);
        assert_int_equal(import_plan_leave_nvram(&plan), 0);
        assert_string_equal(json_string_value(json_object_get(json_array_get(plan.left_out, 2),
                                                              "type")),
                            "NVRAM");
}

/* Of a disk that is not restored it is not missed. */
static void encryption(void **state)
{
        CLEANUP(json_decref_p) json_t *hardware = parse(HARDWARE), *disks = parse(DISKS);
        CLEANUP(import_plan_done) ImportPlan plan;
        char why[IMPORT_WHY_SIZE] = "";
        json_t *disk;
        size_t i, n = 0;

        (void) state;
        assert_int_equal(json_object_set_new(hardware, "encrypted", json_true()), 0);
        json_array_foreach (json_object_get(hardware, "disks"), i, disk)
                assert_int_equal(json_object_set_new(disk, "encrypted", json_true()), 0);
        assert_int_equal(json_array_size(json_object_get(hardware, "disks")), 3);
        assert_int_equal(read_plan(&plan, hardware, disks, why), 0);
        assert_int_equal(plan.n_disks, 2);
        json_array_foreach (plan.left_out, i, disk)
                n += strcmp(json_string_value(json_object_get(disk, "type")), "encryption") == 0;
        assert_int_equal(n, 3); /* of two disks and of the VM */
}

static void port_groups(void **state)
{
        CLEANUP(json_decref_p) json_t *hardware = parse(HARDWARE), *disks = json_array();
        CLEANUP(import_plan_done) ImportPlan plan;
        char why[IMPORT_WHY_SIZE] = "";
        _cleanup_free_ char *text = NULL, *without = NULL;

        (void) state;
        assert_int_equal(read_plan(&plan, hardware, disks, why), 0);
        plan.cards[0].new_network = "ignored";
        plan.cards[0].new_portgroup_key = "dvportgroup-1";
        plan.cards[0].new_switch = "50 0a";
        plan.cards[0].mac = NULL;
        text = import_plan_xml(&plan);
        assert_non_null(strstr(text,
                               "<port><switchUuid>50 0a</switchUuid><portgroupKey>dvportgroup-1"
                               "</portgroupKey></port></backing>"));
        assert_non_null(strstr(text, "<addressType>generated</addressType></device>"));
        assert_null(strstr(text, "ignored"));
        plan.cards[0].is_left_out = true;
        without = import_plan_xml(&plan);
        assert_null(strstr(without, "VirtualVmxnet3"));
}

static void refused(const char *path, const char *value, const char *text)
{
        CLEANUP(json_decref_p) json_t *hardware = parse(HARDWARE), *disks = parse(DISKS);
        CLEANUP(json_decref_p) json_t *changed = json_loads(value, JSON_DECODE_ANY, NULL);
        CLEANUP(import_plan_done) ImportPlan plan;
        _cleanup_free_ char *names = strdup(path);
        char why[IMPORT_WHY_SIZE] = "", *rest = NULL;
        json_t *at = hardware, *parent = NULL;
        size_t index;
        const char *name = strtok_r(names, "/", &rest), *last = name;

        assert_non_null(changed);
        if (strcmp(name, "wanted") == 0) {
                at = disks;
                name = strtok_r(NULL, "/", &rest);
        }
        for (; name; name = strtok_r(NULL, "/", &rest)) {
                parent = at;
                last = name;
                index = json_is_array(at) ? (size_t) (name[0] - '0') : 0;
                at = json_is_array(at) ? json_array_get(at, index) : json_object_get(at, name);
        }
        assert_int_equal(json_object_set(parent, last, changed), 0);
        assert_int_equal(read_plan(&plan, hardware, disks, why), -EINVAL);
        if (!strstr(why, text))
                fail_msg("%s: %s", path, why);
}

static void refusals(void **state)
{
        (void) state;
        refused("controllers/1/type", "\"\"", "controller number 2");
        refused("controllers/1/type", "\"a b\"", "controller number 2");
        refused("controllers/1/type", "\"a\\\"\"", "controller number 2");
        refused("controllers/1/bus_number", "32", "controller number 2");
        refused("controllers/1/bus_number", "-1", "controller number 2");
        refused("controllers/1/key", "\"1001\"", "controller number 2");
        refused("disks/0/unit_number", "256", "nothing of the disk 2016");
        refused("disks/0/controller_key", "7", "controller that is not there");
        refused("networks/0/type", "\"<\"", "card number 1");
        refused("networks/0/mac", "\"00:50:56:01:02\"", "card number 1");
        refused("networks/0/mac", "\"00:50:56:01:02:03:04\"", "card number 1");
        refused("networks/0/mac", "\"00-50-56-01-02-03\"", "card number 1");
        refused("wanted/0/disk_key", "0", "each needs");
        refused("wanted/0/disk_key", "3000", "there twice");
        refused("wanted/0/capacity_bytes", "0", "counts in KiB");
        refused("wanted/0/capacity_bytes", "1023", "counts in KiB");
        refused("wanted/0/source", "7", "each needs");
}

static void twice_in_one_place(void **state)
{
        CLEANUP(json_decref_p) json_t *hardware = parse(HARDWARE), *disks = parse(DISKS);
        json_t *second = json_array_get(json_object_get(hardware, "disks"), 1);
        CLEANUP(import_plan_done) ImportPlan plan;
        char why[IMPORT_WHY_SIZE] = "";

        (void) state;
        (void) json_object_set_new(second, "controller_key", json_integer(1001));
        (void) json_object_set_new(second, "unit_number", json_integer(3));
        assert_int_equal(read_plan(&plan, hardware, disks, why), -EINVAL);
        assert_non_null(strstr(why, "or its place is there twice"));
}

/* n copies of the first element. */
static int with_many(const char *list, size_t n)
{
        CLEANUP(json_decref_p) json_t *hardware = parse(HARDWARE), *disks = json_array();
        CLEANUP(import_plan_done) ImportPlan plan;
        char why[IMPORT_WHY_SIZE] = "";
        json_t *array = json_object_get(hardware, list);
        json_t *first = json_array_get(array, 0);

        while (json_array_size(array) < n)
                (void) json_array_append(array, first);
        return read_plan(&plan, hardware, disks, why);
}

static void limits(void **state)
{
        (void) state;
        assert_int_equal(with_many("controllers", IMPORT_CONTROLLERS_MAX), 0);
        assert_int_equal(with_many("controllers", IMPORT_CONTROLLERS_MAX + 1), -EINVAL);
        assert_int_equal(with_many("networks", IMPORT_CARDS_MAX), 0);
        assert_int_equal(with_many("networks", IMPORT_CARDS_MAX + 1), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(xml),        cmocka_unit_test(nvram),
                cmocka_unit_test(encryption), cmocka_unit_test(port_groups),
                cmocka_unit_test(refusals),   cmocka_unit_test(twice_in_one_place),
                cmocka_unit_test(limits),
        };

        return RUN_TESTS(tests);
}
