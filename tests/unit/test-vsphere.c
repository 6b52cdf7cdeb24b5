/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/vsphere, its pure rooms: what a line may hold, pages of changed areas, change ids, and the verdict on every
 * kind of disk. test-vsphere-xml.c has the bounds of XML.
 */
#include "unit.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "json-cleanup.h"
#include "text.h"
#include "vsphere/cbt.h"
#include "vsphere/device.h"
#include "vsphere/hardware.h"
#include "vsphere/login-spec.h"
#include "vsphere/snapshot.h"
#include "vsphere/soap.h"
#include "vsphere/tls.h"
#include "xml-pieces.h"

#include <errno.h>
#include <string.h>

#define XSI "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "

static void lines_are_clean(void **state)
{
        VSphereError error = {};

        (void) state;
        assert_int_equal(vsphere_error_set(&error, BUS_ERROR_FAILED, "%s",
                                           "ü\x1b[31m\xc2\x9b\r\n\xe2\x80\xae\xe2\x81\xa6\xff."),
                         -EBADE);
        assert_string_equal(error.text, "ü [31m          ?.");
        assert_int_equal(vsphere_error_prefix(&error, BUS_ERROR_SNAPSHOT_LEFT, "%s", "before"),
                         -ENOTEMPTY);
        assert_string_equal(error.text, "before: ü [31m          ?.");
        assert_string_equal(error.name, BUS_ERROR_SNAPSHOT_LEFT);
}

static void change_ids(void **state)
{
        const char *a = "52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/81",
                   *later = "52 DE C0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/99",
                   *other = "53 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/81";

        (void) state;
        assert_true(change_id_is_valid(a));
        assert_false(change_id_is_valid("*"));
        assert_false(change_id_is_valid(""));
        assert_false(change_id_is_valid("/1"));
        assert_false(change_id_is_valid("52 de/"));
        assert_false(change_id_is_valid("52 de/1x"));
        assert_false(change_id_is_valid("52 xy/1"));
        assert_true(change_id_is_comparable(a, later));
        assert_false(change_id_is_comparable(a, other));
        assert_false(change_id_is_comparable(a, ""));
        assert_true(change_id_is_before(a, later));
        assert_false(change_id_is_before(later, a));
        assert_false(change_id_is_before(a, a));
        assert_true(change_id_is_before("52 de/99", "52 de/100"));
        assert_false(change_id_is_before("52 de/100", "52 de/099"));
        assert_true(change_id_is_before("52 de/0", "52 de/1"));
        assert_true(change_id_is_before("52 de/18446744073709551615",
                                        "52 de/18446744073709551616"));
}

static int page(const char *inner, uint64_t asked, VSphereAreas *areas, uint64_t *ret_next)
{
        CLEANUP(areas_page_done) AreasPage page = { .asked = asked, .capacity = 1000 };
        const XmlEach each = areas_page_each(&page);
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        _cleanup_free_ char *text = text_format(
                        "<Envelope><Body><QueryChangedDiskAreasResponse><returnval>%s</returnval>"
                        "</QueryChangedDiskAreasResponse></Body></Envelope>",
                        inner);

        assert_non_null(text);
        assert_int_equal(xml_pieces_read(text, 100, &each, &document), 0);
        return areas_add_page(areas, &page,
                              xml_find(xml_root(document), "Body/QueryChangedDiskAreasResponse"),
                              ret_next);
}

static void pages_of_areas(void **state)
{
        static const char *const doubtful[] = {
                "",
                "<startOffset>0</startOffset>",
                "<startOffset>0</startOffset><length>0</length>",
                "<startOffset>0</startOffset><length>1001</length>",
                "<startOffset>1</startOffset><length>999</length>",
                "<startOffset>0</startOffset><length>-5</length>",
                "<startOffset>0</startOffset><length>10</length><changedArea><start>0</start></"
                "changedArea>",
                "<startOffset>0</startOffset><length>10</length><changedArea><start>0</"
                "start><length>0</length></changedArea>",
                "<startOffset>0</startOffset><length>10</length><changedArea><start>5</"
                "start><length>6</length></changedArea>",
                "<startOffset>0</startOffset><length>10</length><changedArea><start>10</"
                "start><length>1</length></changedArea>",
                "<startOffset>0</startOffset><length>10</length><changedArea><start>9</"
                "start><length>9223372036854775807</length></changedArea>",
                "<startOffset>0</startOffset><length>10</length><changedArea><start>4</"
                "start><length>4</length></changedArea>"
                "<changedArea><start>2</start><length>1</length></changedArea>",
                "<changedArea><start>4</start><length>7</length></changedArea>"
                "<startOffset>0</startOffset><length>10</length>",
                "<startOffset>0</startOffset><length>10</length><changedArea/>",
        };
        CLEANUP(areas_done) VSphereAreas areas = {};
        uint64_t next = 7;

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(doubtful); i++) {
                assert_int_equal(page(doubtful[i], 0, &areas, &next), AREAS_WHOLE_DISK);
                assert_true(areas.n_areas == 0 && *areas.reason && next == 7);
                areas_done(&areas);
        }
        assert_int_equal(page("<startOffset>0</startOffset><length>600</length>"
                              "<changedArea><start>500</start><length>100</length></changedArea>",
                              0, &areas, &next),
                         0);
        assert_int_equal(next, 600);
        assert_int_equal(page("<startOffset>600</startOffset><length>300</length>", 600, &areas,
                              &next),
                         0);
        assert_int_equal(page("<startOffset>900</startOffset><length>100</length>"
                              "<changedArea><start>900</start><length>50</length></changedArea>"
                              "<changedArea><start>950</start><length>50</length></changedArea>",
                              900, &areas, &next),
                         0);
        assert_int_equal(next, 1000);
        assert_int_equal(areas.n_areas, 2); /* what touches is one */
        assert_true(areas.bytes == 200 && areas.areas[1].offset == 900 &&
                    areas.areas[1].length == 100);
}

/* An answer that breaks off is asked for again, and what it had named does not count twice. */
static void page_begins_anew(void **state)
{
        CLEANUP(areas_page_done) AreasPage page = { .capacity = 1000 };
        const XmlEach each = areas_page_each(&page);
        CLEANUP(areas_done) VSphereAreas areas = {};
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        uint64_t next = 0;
#define BEFORE                                                                                   \
        "<Envelope><Body><QueryChangedDiskAreasResponse><returnval><startOffset>0</startOffset>" \
        "<length>1000</length><changedArea><start>7</start><length>3</length></changedArea>"

        (void) state;
        assert_int_equal(xml_pieces_read(BEFORE "<changedArea><start>1</start>", 10, &each,
                                         &document),
                         -EBADMSG);
        assert_int_equal(xml_pieces_read(BEFORE "<changedArea><start>1</start><length>1</length></"
                                                "changedArea>",
                                         10, &each, &document),
                         -EBADMSG);
        assert_int_equal(page.r, AREAS_WHOLE_DISK);
        assert_int_equal(xml_pieces_read(BEFORE
                                         "</returnval></QueryChangedDiskAreasResponse></Body></"
                                         "Envelope>",
                                         10, &each, &document),
                         0);
        assert_int_equal(areas_add_page(&areas, &page,
                                        xml_find(xml_root(document),
                                                 "Body/QueryChangedDiskAreasResponse"),
                                        &next),
                         0);
        assert_true(next == 1000 && areas.n_areas == 1 && areas.bytes == 3);
#undef BEFORE
}

static void few_areas(void **state)
{
        const uint64_t kib = 1024, ends[] = { 0, 100 * kib, 200 * kib, 900 * kib };
        CLEANUP(areas_done)
        VSphereAreas areas = { .areas = calloc(ELEMENTSOF(ends), sizeof(VSphereArea)) };

        (void) state;
        assert_non_null(areas.areas);
        for (size_t i = 0; i < ELEMENTSOF(ends); i++)
                areas.areas[areas.n_areas++] = (VSphereArea){ ends[i], 40 * kib };
        areas.bytes = 160 * kib;
        areas_limit(&areas, 4);
        assert_true(areas.n_areas == 4 && areas.bytes == 160 * kib);
        /* Two gaps of 60 KiB: one is enough. */
        areas_limit(&areas, 3);
        assert_true(areas.n_areas == 3 && areas.bytes == 220 * kib);
        assert_true(areas.areas[0].length == 140 * kib && areas.areas[1].offset == 200 * kib);
        areas_limit(&areas, 2);
        assert_true(areas.n_areas == 2 && areas.bytes == 280 * kib);
        assert_true(areas.areas[0].length == 240 * kib && areas.areas[1].offset == 900 * kib);
        areas_limit(&areas, 1);
        assert_true(areas.n_areas == 1 && areas.bytes == 940 * kib);
        assert_true(areas.areas[0].offset == 0 && areas.areas[0].length == 940 * kib);
        areas_limit(&areas, 1);
        assert_true(areas.n_areas == 1 && areas.bytes == 940 * kib);
}

/* One disk with this in its backing and this beside it, judged. */
static VSphereDisk judge(const char *type, const char *backing, const char *controller,
                         const DiskPolicy *policy)
{
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        CLEANUP(disks_done) VSphereDisks disks = {};
        _cleanup_free_ char *text = NULL;
        VSphereError error = {};
        VSphereDisk judged;

        text = text_format("<val " XSI
                           "><VirtualDevice xsi:type=\"%s\"><key>1000</key><busNumber>2</busNumber>"
                           "<sharedBus>noSharing</sharedBus></VirtualDevice><VirtualDevice "
                           "xsi:type=\"VirtualDisk\">"
                           "<key>2000</key><backing "
                           "xsi:type=\"%s\"><diskMode>persistent</diskMode>%s</backing>"
                           "<controllerKey>1000</controllerKey><unitNumber>3</unitNumber>"
                           "<capacityInKB>8</capacityInKB></VirtualDevice></val>",
                           controller, type, backing);
        assert_int_equal(xml_pieces_read(text, SIZE_MAX, NULL, &document), 0);
        assert_int_equal(disks_read(xml_root(document), &disks, &error), 0);
        assert_int_equal(disks.n_disks, 1);
        disks_judge(&disks, policy);
        judged = disks.disks[0];
        assert_int_equal(judged.capacity_bytes, 8192);
        assert_int_equal(judged.unit_number, 3);
        return judged; /* its texts are gone */
}

/* A card is known by its address, a controller by its bus, whatever their types are called; what comes by itself is left out. */
static void hardware(void **state)
{
        static const char text[] =
                        "<config " XSI "><hardware><numCPU>4</numCPU><memoryMB>8192</memoryMB>"
                        "<device "
                        "xsi:type=\"VirtualPCIController\"><key>100</key><busNumber>0</busNumber></"
                        "device>"
                        "<device "
                        "xsi:type=\"VirtualFutureController\"><key>1000</key><busNumber>2</"
                        "busNumber>"
                        "<sharedBus>physicalSharing</sharedBus></device>"
                        "<device "
                        "xsi:type=\"VirtualDisk\"><key>2000</key><deviceInfo><label>a\nb</label></"
                        "deviceInfo>"
                        "<backing><fileName>[ds 1] "
                        "a/b.vmdk</fileName><diskMode>persistent</diskMode>"
                        "<keyId><keyId>k</keyId></keyId></"
                        "backing><controllerKey>1000</"
                        "controllerKey>"
                        "<unitNumber>3</unitNumber></device>"
                        "<device "
                        "xsi:type=\"VirtualFutureCard\"><key>4000</key><backing><deviceName>VM "
                        "Network"
                        "</deviceName></backing><macAddress>00:50:56:00:00:01</macAddress>"
                        "<addressType>assigned</addressType></device>"
                        "<device "
                        "xsi:type=\"VirtualTPM\"><key>11000</key><deviceInfo><label>TPM</label></"
                        "deviceInfo>"
                        "</device></hardware><bootOptions><efiSecureBootEnabled>true</"
                        "efiSecureBootEnabled>"
                        "</bootOptions><keyId><keyId>k</keyId></keyId></config>";
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        CLEANUP(json_decref_p) json_t *shown = NULL;
        _cleanup_free_ char *said = NULL;
        HardwareConfig config = { .version = "vmx-19", .guest_id = "", .firmware = NULL };

        (void) state;
        assert_int_equal(xml_pieces_read(text, SIZE_MAX, NULL, &document), 0);
        config.hardware = xml_find(xml_root(document), "hardware");
        config.boot_options = xml_find(xml_root(document), "bootOptions");
        config.key_id = xml_find(xml_root(document), "keyId");
        shown = hardware_show(&config);
        said = json_dumps(shown, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(said, "{\"controllers\":[{\"bus_number\":2,\"key\":1000,\"sharing\":"
                                  "\"physicalSharing\","
                                  "\"type\":\"VirtualFutureController\"}],\"cpus\":4,\"disks\":[{"
                                  "\"controller_key\":1000,\"datastore\":\"ds 1\","
                                  "\"encrypted\":true,\"key\":2000,\"label\":\"a "
                                  "b\",\"mode\":\"persistent\",\"unit_number\":3}],"
                                  "\"encrypted\":true,\"memory_mb\":8192,\"networks\":[{\"key\":"
                                  "4000,\"mac\":\"00:50:"
                                  "56:00:00:01\","
                                  "\"mac_type\":\"assigned\",\"network\":\"VM "
                                  "Network\",\"type\":\"VirtualFutureCard\"}],"
                                  "\"others\":[{\"label\":\"TPM\",\"type\":\"VirtualTPM\"}],"
                                  "\"secure_boot\":true,"
                                  "\"version\":\"vmx-19\"}");
}

static void verdicts(void **state)
{
        const DiskPolicy tracked = { .cbt_enabled = true }, untracked = { .cbt_possible = true },
                         template = { .is_template = true },
                         mirrored = { .is_fault_tolerant = true },
                         bound = { .cbt_enabled = true, .is_bound = true },
                         vddk = { .cbt_enabled = true, .reads_deltas = true };
        const struct {
                const char *type, *backing;
                const DiskPolicy *policy;
                DiskVerdict verdict;
        } cases[] = {
                { "VirtualDiskFlatVer2BackingInfo", "", &tracked, DISK_INCREMENTAL },
                { "VirtualDiskFlatVer2BackingInfo", "", &untracked, DISK_FULL },
                { "VirtualDiskFlatVer2BackingInfo", "", &template, DISK_NO },
                { "VirtualDiskFlatVer2BackingInfo", "", &mirrored, DISK_NO },
                { "VirtualDiskFlatVer2BackingInfo", "", &bound, DISK_NO },
                { "VirtualDiskFlatVer2BackingInfo", "<sharing>sharingMultiWriter</sharing>",
                  &tracked, DISK_NO },
                { "VirtualDiskFlatVer2BackingInfo", "<sharing>sharingNone</sharing>", &tracked,
                  DISK_INCREMENTAL },
                { "VirtualDiskFlatVer2BackingInfo", "<parent><fileName>x</fileName></parent>",
                  &tracked, DISK_NO },
                { "VirtualDiskFlatVer2BackingInfo", "<parent><fileName>x</fileName></parent>",
                  &vddk, DISK_INCREMENTAL },
                { "VirtualDiskSeSparseBackingInfo", "", &tracked, DISK_NO },
                { "VirtualDiskRawDiskMappingVer1BackingInfo",
                  "<compatibilityMode>physicalMode</compatibilityMode>", &vddk, DISK_NO },
                { "VirtualDiskRawDiskMappingVer1BackingInfo", "", &vddk, DISK_NO },
                { "VirtualDiskRawDiskMappingVer1BackingInfo",
                  "<compatibilityMode>virtualMode</compatibilityMode>", &vddk, DISK_INCREMENTAL },
                { "VirtualDiskRawDiskVer2BackingInfo", "", &vddk, DISK_NO },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                VSphereDisk disk = judge(cases[i].type, cases[i].backing,
                                         "VirtualLsiLogicController", cases[i].policy);

                assert_int_equal(disk.verdict, cases[i].verdict);
                assert_true((disk.reason == NULL) == (cases[i].verdict == DISK_INCREMENTAL));
                assert_string_equal(disk.controller, "scsi2");
        }
        /* vCenter has snapshots of it for backups: what stands in the way is ours, and there is a way out. */
        assert_non_null(strstr(judge("x", "", "VirtualNVMEController", &mirrored).reason,
                               "turn Fault Tolerance off for its backup"));
        assert_string_equal(judge("x", "", "VirtualNVMEController", &tracked).controller, "nvme2");
        assert_string_equal(judge("x", "", "VirtualAHCIController", &tracked).controller, "sata2");
        assert_string_equal(judge("x", "", "VirtualIDEController", &tracked).controller, "ide2");
        assert_string_equal(judge("x", "", "VirtualFutureController", &tracked).controller,
                            "other2");
}

static bool has_host_device(const char *type, const char *backing)
{
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        _cleanup_free_ char *text = text_format(
                        "<val " XSI "><VirtualDevice xsi:type=\"VirtualE1000\"/><VirtualDevice "
                        "xsi:type=\"%s\"><backing xsi:type=\"%s\"/></VirtualDevice></val>",
                        type, backing);

        assert_non_null(text);
        assert_int_equal(xml_pieces_read(text, SIZE_MAX, NULL, &document), 0);
        return devices_are_of_host(xml_root(document));
}

static void passed_through(void **state)
{
        (void) state;
        assert_true(has_host_device("VirtualPCIPassthrough",
                                    "VirtualPCIPassthroughDeviceBackingInfo"));
        assert_true(has_host_device("vim25:VirtualPCIPassthrough",
                                    "vim25:VirtualPCIPassthroughDynamicBackingInfo"));
        assert_false(has_host_device("VirtualPCIPassthrough",
                                     "VirtualPCIPassthroughVmiopBackingInfo"));
        assert_false(has_host_device("VirtualTPM", ""));
}

static void refuse_devices(const char *devices, const char *words)
{
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        _cleanup_free_ char *text = text_format("<val " XSI ">%s</val>", devices);
        VSphereDisks disks = {};
        VSphereError error = {};

        assert_int_equal(xml_pieces_read(text, SIZE_MAX, NULL, &document), 0);
        assert_true(disks_read(xml_root(document), &disks, &error) < 0);
        assert_string_equal(error.name, BUS_ERROR_VM_NOT_USABLE);
        assert_non_null(strstr(error.text, words));
}

static void wrong_devices(void **state)
{
#define DISK(key, capacity)                                          \
        "<VirtualDevice xsi:type=\"VirtualDisk\"><key>" key "</key>" \
        "<capacityInBytes>" capacity "</capacityInBytes></VirtualDevice>"
        (void) state;
        refuse_devices(DISK("2000", "512") DISK("2000", "1024"), "two disks with the key 2000");
        refuse_devices(DISK("2000", "0"), "without a capacity");
        refuse_devices(DISK("-1", "512"), "without a key");
        refuse_devices(DISK("4294967296", "512"), "without a key");
        refuse_devices(DISK("2000", "9223372036854775808"), "without a capacity");
#undef DISK
}

static int answer_of(long status, const char *text, XmlDocument **ret_document,
                     const XmlNode **ret_answer, VSphereError *error)
{
        CLEANUP(xml_reader_free_p) XmlReader *reader = NULL;

        assert_int_equal(xml_reader_new(NULL, &reader), 0);
        xml_reader_feed(reader, text, strlen(text));
        return soap_answer("X", status, reader, ret_document, ret_answer, error);
}

static void faults(void **state)
{
        const char *text = "<e:Envelope xmlns:e=\"x\"><e:Body><e:Fault><faultstring>no \x1b? "
                           "session</faultstring>"
                           "<detail><NotAuthenticatedFault " XSI
                           "xsi:type=\"vim:NotAuthenticated\"/></detail>"
                           "</e:Fault></e:Body></e:Envelope>";
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        char clean[512] = "";
        const XmlNode *answer;
        VSphereError error = {};

        (void) state;
        assert_true(strlen(text) < sizeof(clean));
        memcpy(clean, text, strlen(text) + 1);
        for (char *p = clean; *p; p++)
                if (*p == '\x1b')
                        *p = '!';
        assert_int_equal(answer_of(500, clean, &document, &answer, &error), -EKEYEXPIRED);
        assert_true(vsphere_error_is_fault(&error, "NotAuthenticated"));
        assert_int_equal(answer_of(500, text, &document, &answer, &error), -EHOSTUNREACH);
        assert_true(error.is_transient && !*error.fault);
        assert_int_equal(answer_of(503, "", &document, &answer, &error), -EHOSTUNREACH);
}

static void names(void **state)
{
        const SnapshotChoice exact = { .name = "sendense-a-1" },
                             prefix = { .prefix = "sendense-a-" };

        (void) state;
        assert_true(snapshot_name_is_ours("sendense-a-1.b_2"));
        assert_false(snapshot_name_is_ours("sendense-"));
        assert_false(snapshot_name_is_ours("mine"));
        assert_false(snapshot_name_is_ours("sendense-a/b"));
        assert_false(snapshot_name_is_ours("sendense-a b"));
        assert_true(snapshot_is_chosen(&exact, "sendense-a-1"));
        assert_true(snapshot_is_chosen(&exact, "sendense-a-1.cbt"));
        assert_false(snapshot_is_chosen(&exact, "sendense-a-11"));
        assert_false(snapshot_is_chosen(&exact, "before sendense-a-1"));
        assert_true(snapshot_is_chosen(&prefix, "sendense-a-99"));
        assert_false(snapshot_is_chosen(&prefix, "sendense-b-1"));
        assert_false(snapshot_is_chosen(&(SnapshotChoice){}, ""));
}

static void pins(void **state)
{
        char text[TLS_FINGERPRINT_TEXT_SIZE];
        VSphereTls tls;

        (void) state;
        assert_int_equal(tls_init(&tls, NULL,
                                  "00:11:22:33:44:55:66:77:88:99:aa:BB:cc:dd:ee:ff:00:11:22:33:44:"
                                  "55:66:77:88:99:aa:bb:cc:dd:ee:ff"),
                         0);
        tls_fingerprint(tls.pin, sizeof(tls.pin), text);
        assert_string_equal(text, "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:"
                                  "55:66:77:88:99:AA:BB:CC:DD:EE:FF");
        assert_int_equal(tls_init(&tls, NULL,
                                  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeef"
                                  "f"),
                         0);
        assert_int_equal(
                        tls_init(&tls, NULL,
                                 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeef"),
                        -EINVAL);
        assert_int_equal(tls_init(&tls, NULL,
                                  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
                                  "0"),
                         -EINVAL);
        assert_int_equal(tls_init(&tls, NULL, ""), -EINVAL);
        assert_int_equal(tls_init(&tls, NULL, NULL), 0);
        assert_false(tls.is_pinned);
}

static void refuse_login(const char *host, const char *user, const char *word)
{
        CLEANUP(json_decref_p)
        json_t *spec = json_pack("{s:s, s:s, s:s}", "host", host, "user", user,
                                 "password_credential", "vcenter");
        VSphereError error = {};
        LoginSpec login = {};

        assert_non_null(spec);
        assert_int_equal(login_spec_read(spec, NULL, &login, &error), -EINVAL);
        if (!strstr(error.text, word))
                fail_msg("'%s' does not say %s", error.text, word);
        for (const char *c = error.text; *c; c++)
                assert_false((unsigned char) *c < ' ');
}

/* Each is refused by its name, before a credential is read. */
static void logins(void **state)
{
        char text[300];

        (void) state;
        (void) memset(text, 'a', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        refuse_login(text, "u", "host has 299 characters");
        refuse_login("vc\n", "u", "host \"vc?\" must be");
        refuse_login("-vc", "u", "host \"-vc\" must be");
        refuse_login("vc/sdk?x", "u", "must be a name or an address");
        refuse_login("vc", text, "user has 299 characters");
        refuse_login("vc", "u\x1b[2J", "user \"u?[2J\" must be");
        refuse_login("vc", "u\xc2\x85x", "must be a text without control characters");
        refuse_login("vc", "u", "the unit has no credentials");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lines_are_clean), cmocka_unit_test(change_ids),
                cmocka_unit_test(pages_of_areas),  cmocka_unit_test(page_begins_anew),
                cmocka_unit_test(few_areas),       cmocka_unit_test(hardware),
                cmocka_unit_test(verdicts),        cmocka_unit_test(passed_through),
                cmocka_unit_test(wrong_devices),   cmocka_unit_test(faults),
                cmocka_unit_test(names),           cmocka_unit_test(pins),
                cmocka_unit_test(logins),
        };

        return RUN_TESTS(tests);
}
