/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a new VM is to be made of (see import-plan.h). Elements come in the order of vim25's types: vCenter wants them so.
 */
#include "vsphere/import-plan.h"

#include "cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
        BUS_MAX = 31,
        UNIT_MAX = 255,
        KEY_IDE = 200, /* of the first of the two that every VM has */
        KEY_CONTROLLER = -1, /* and downwards: keys that vCenter replaces */
        KEY_DISK = -1000,
        KEY_CARD = -2000,
};

static int refuse(char *ret_why, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int refuse(char *ret_why, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(ret_why, IMPORT_WHY_SIZE, format, ap);
        va_end(ap);
        return -EINVAL;
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

static bool number_of(const json_t *object, const char *key, uint64_t max, uint64_t *ret_value)
{
        const json_t *value = json_object_get(object, key);

        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            (uint64_t) json_integer_value(value) > max)
                return false;
        *ret_value = (uint64_t) json_integer_value(value);
        return true;
}

/* A type goes into the XML as an attribute, and into no vocabulary of ours. */
static bool read_type(const json_t *device, char ret_type[static IMPORT_TYPE_SIZE])
{
        const char *type = text_of(device, "type");
        size_t length = type ? strspn(type, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789")
                             : 0;

        if (length == 0 || type[length] != '\0' || length >= IMPORT_TYPE_SIZE)
                return false;
        (void) memcpy(ret_type, type, length + 1);
        return true;
}

static int leave_out(ImportPlan *plan, const char *type, const char *label)
{
        return json_array_append_new(plan->left_out, json_pack("{s:s, s:s}", "type", type, "label",
                                                               label ? label : "")) < 0
                               ? -ENOMEM
                               : 0;
}

static int read_controllers(ImportPlan *plan, char *ret_why)
{
        const json_t *list = json_object_get(plan->hardware, "controllers"), *device;
        size_t i;

        json_array_foreach (list, i, device) {
                ImportController *to = &plan->controllers[plan->n_controllers];
                uint64_t bus = 0;

                if (i >= IMPORT_CONTROLLERS_MAX)
                        return refuse(ret_why, "hardware: more than %i controllers",
                                      IMPORT_CONTROLLERS_MAX);
                if (!read_type(device, to->type) ||
                    !number_of(device, "key", INT32_MAX, &to->old_key) ||
                    !number_of(device, "bus_number", BUS_MAX, &bus))
                        return refuse(ret_why,
                                      "hardware: the controller number %zu has no key, type or bus "
                                      "number within the limits",
                                      i + 1);
                to->bus = (unsigned) bus;
                to->sharing = text_of(device, "sharing");
                plan->n_controllers++;
        }
        return 0;
}

static const ImportController *find_controller(const ImportPlan *plan, uint64_t key)
{
        for (size_t i = 0; i < plan->n_controllers; i++)
                if (plan->controllers[i].old_key == key)
                        return &plan->controllers[i];
        return NULL;
}

static const json_t *find_by_key(const json_t *list, uint64_t wanted)
{
        const json_t *device;
        uint64_t key;
        size_t i;

        json_array_foreach (list, i, device)
                if (number_of(device, "key", INT32_MAX, &key) && key == wanted)
                        return device;
        return NULL;
}

static int read_disk(ImportPlan *plan, const json_t *wanted, char *ret_why)
{
        ImportDisk *to = &plan->disks[plan->n_disks];
        uint64_t key = 0, controller_key = 0, unit = 0;
        const json_t *device;

        if (!number_of(wanted, "disk_key", INT32_MAX, &key) || key == 0 ||
            !number_of(wanted, "capacity_bytes", INT64_MAX, &to->capacity_bytes) ||
            !text_of(wanted, "source"))
                return refuse(ret_why, "disks: each needs a disk_key, capacity_bytes and a source");
        if (to->capacity_bytes == 0 || to->capacity_bytes % 1024 != 0)
                return refuse(ret_why,
                              "the disk %" PRIu64 " has %" PRIu64
                              " bytes, and vCenter counts in KiB",
                              key, to->capacity_bytes);
        device = find_by_key(json_object_get(plan->hardware, "disks"), key);
        if (!device || !number_of(device, "controller_key", INT32_MAX, &controller_key) ||
            !number_of(device, "unit_number", UNIT_MAX, &unit))
                return refuse(ret_why, "hardware says nothing of the disk %" PRIu64, key);
        to->controller = find_controller(plan, controller_key);
        if (!to->controller)
                return refuse(ret_why,
                              "hardware: the disk %" PRIu64 " is at a controller that is not there",
                              key);
        for (size_t i = 0; i < plan->n_disks; i++)
                if (plan->disks[i].disk_key == key ||
                    (plan->disks[i].controller == to->controller && plan->disks[i].unit == unit))
                        return refuse(ret_why, "the disk %" PRIu64 " or its place is there twice",
                                      key);
        to->disk_key = (uint32_t) key;
        to->unit = (unsigned) unit;
        to->source = text_of(wanted, "source");
        to->mode = text_of(device, "mode");
        to->datastore = text_of(wanted, "datastore");
        plan->n_disks++;
        return 0;
}

static int read_disks(ImportPlan *plan, const json_t *disks, char *ret_why)
{
        const json_t *all = json_object_get(plan->hardware, "disks"), *disk;
        uint64_t key;
        size_t i;
        int r = 0;

        json_array_foreach (disks, i, disk) {
                r = i < IMPORT_DISKS_MAX ? read_disk(plan, disk, ret_why)
                                         : refuse(ret_why, "more than %i disks", IMPORT_DISKS_MAX);
                if (r < 0)
                        return r;
        }
        json_array_foreach (all, i, disk) {
                bool is_wanted = false;

                for (size_t k = 0; k < plan->n_disks; k++)
                        is_wanted = is_wanted || (number_of(disk, "key", INT32_MAX, &key) &&
                                                  key == plan->disks[k].disk_key);
                if (!is_wanted && r >= 0)
                        r = leave_out(plan, "VirtualDisk", text_of(disk, "label"));
        }
        return r;
}

/* 12 hex digits in pairs. */
static bool is_mac(const char *text)
{
        for (size_t i = 0; i < 17; i++)
                if (i % 3 == 2 ? text[i] != ':'
                               : !text[i] || !strchr("0123456789abcdefABCDEF", text[i]))
                        return false;
        return text[17] == '\0';
}

static int read_cards(ImportPlan *plan, bool keeps_macs, char *ret_why)
{
        const json_t *list = json_object_get(plan->hardware, "networks"), *device;
        size_t i;

        json_array_foreach (list, i, device) {
                ImportCard *to = &plan->cards[plan->n_cards];
                const char *mac = text_of(device, "mac");

                if (i >= IMPORT_CARDS_MAX)
                        return refuse(ret_why, "hardware: more than %i cards", IMPORT_CARDS_MAX);
                if (!read_type(device, to->type) || (mac && !is_mac(mac)))
                        return refuse(ret_why,
                                      "hardware: the card number %zu has no type, or a MAC that is "
                                      "none",
                                      i + 1);
                to->mac = keeps_macs ? mac : NULL;
                to->network = text_of(device, "network");
                to->portgroup_key = text_of(device, "portgroup_key");
                plan->n_cards++;
        }
        return 0;
}

/* What the backup has is what the guest reads: it goes to new files as that. */
static int leave_encryption(ImportPlan *plan)
{
        const json_t *all = json_object_get(plan->hardware, "disks"), *disk;
        int r = 0;

        for (size_t i = 0; i < plan->n_disks && r >= 0; i++) {
                disk = find_by_key(all, plan->disks[i].disk_key);
                if (json_is_true(json_object_get(disk, "encrypted")))
                        r = leave_out(plan, "encryption", text_of(disk, "label"));
        }
        if (r >= 0 && json_is_true(json_object_get(plan->hardware, "encrypted")))
                r = leave_out(plan, "encryption", "the VM's own files");
        return r;
}

int import_plan_read(ImportPlan *plan, const json_t *hardware, const json_t *disks, bool keeps_macs,
                     char ret_why[static IMPORT_WHY_SIZE])
{
        const json_t *other;
        size_t i;
        int r;

        plan->hardware = hardware;
        plan->left_out = json_array();
        if (!plan->left_out)
                return -ENOMEM;
        r = read_controllers(plan, ret_why);
        if (r >= 0)
                r = read_disks(plan, disks, ret_why);
        if (r >= 0)
                r = read_cards(plan, keeps_macs, ret_why);
        json_array_foreach (json_object_get(hardware, "others"), i, other)
                if (r >= 0)
                        r = leave_out(plan, text_of(other, "type") ?: "", text_of(other, "label"));
        if (r >= 0 && strcmp(text_of(hardware, "firmware") ?: "", "efi") == 0 &&
            !json_object_get(hardware, "nvram"))
                r = import_plan_leave_nvram(plan);
        return r < 0 ? r : leave_encryption(plan);
}

/* No device, and yet something that the VM had: where it starts from, and whom it trusts. */
int import_plan_leave_nvram(ImportPlan *plan)
{
        return leave_out(plan, "NVRAM", "variables of its EFI");
}

void import_plan_done(ImportPlan *plan)
{
        json_decref(plan->left_out);
        *plan = (ImportPlan){};
}

static bool is_ide(const ImportController *controller)
{
        return strcmp(controller->type, "VirtualIDEController") == 0;
}

static bool is_scsi(const ImportController *controller)
{
        return strstr(controller->type, "SCSI") || strstr(controller->type, "Lsi") ||
               strstr(controller->type, "BusLogic");
}

const char *import_disk_adapter(const ImportDisk *disk)
{
        if (is_ide(disk->controller))
                return "ide";
        return strstr(disk->controller->type, "BusLogic") ? "buslogic" : "lsilogic";
}

void import_disk_address(const ImportDisk *disk, char ret_text[static IMPORT_ADDRESS_SIZE])
{
        (void) snprintf(ret_text, IMPORT_ADDRESS_SIZE, "%s%u:%u", disk->controller->type,
                        disk->controller->bus, disk->unit);
}

static void put_text(FILE *f, const char *element, const char *text)
{
        if (!text)
                return;
        (void) fprintf(f, "<%s>", element);
        xml_put(f, text);
        (void) fprintf(f, "</%s>", element);
}

static void put_number(FILE *f, const ImportPlan *plan, const char *element, const char *key)
{
        uint64_t value;

        if (number_of(plan->hardware, key, INT32_MAX, &value))
                (void) fprintf(f, "<%s>%" PRIu64 "</%s>", element, value, element);
}

static int controller_key(const ImportPlan *plan, const ImportController *controller)
{
        return is_ide(controller) ? KEY_IDE + (int) controller->bus
                                  : KEY_CONTROLLER - (int) (controller - plan->controllers);
}

static void put_controller(FILE *f, const ImportPlan *plan, const ImportController *controller)
{
        (void) fprintf(f,
                       "<deviceChange><operation>add</operation><device "
                       "xsi:type=\"%s\"><key>%i</key>"
                       "<busNumber>%u</busNumber>",
                       controller->type, controller_key(plan, controller), controller->bus);
        if (is_scsi(controller))
                put_text(f, "sharedBus", controller->sharing ? controller->sharing : "noSharing");
        (void) fputs("</device></deviceChange>", f);
}

static void put_disk(FILE *f, const ImportPlan *plan, size_t i)
{
        const ImportDisk *disk = &plan->disks[i];

        (void) fprintf(f,
                       "<deviceChange><operation>add</operation><fileOperation>create"
                       "</fileOperation><device xsi:type=\"VirtualDisk\"><key>%i</key>"
                       "<backing xsi:type=\"VirtualDiskFlatVer2BackingInfo\"><fileName>[",
                       KEY_DISK - (int) i);
        xml_put(f, disk->datastore ? disk->datastore : plan->datastore);
        (void) fputs("]</fileName>", f);
        put_text(f, "diskMode", disk->mode ? disk->mode : "persistent");
        (void) fprintf(f,
                       "<thinProvisioned>true</thinProvisioned></backing><controllerKey>%i"
                       "</controllerKey><unitNumber>%u</unitNumber><capacityInKB>%" PRIu64
                       "</capacityInKB><capacityInBytes>%" PRIu64 "</capacityInBytes></device>"
                       "</deviceChange>",
                       controller_key(plan, disk->controller), disk->unit,
                       disk->capacity_bytes / 1024, disk->capacity_bytes);
}

static void put_card(FILE *f, const ImportPlan *plan, size_t i)
{
        const ImportCard *card = &plan->cards[i];

        if (card->is_left_out)
                return;
        (void) fprintf(f,
                       "<deviceChange><operation>add</operation><device xsi:type=\"%s\"><key>%i"
                       "</key>",
                       card->type, KEY_CARD - (int) i);
        if (card->new_switch) {
                (void) fputs("<backing xsi:type=\"VirtualEthernetCardDistributedVirtualPort"
                             "BackingInfo\"><port>",
                             f);
                put_text(f, "switchUuid", card->new_switch);
                put_text(f, "portgroupKey", card->new_portgroup_key);
                (void) fputs("</port></backing>", f);
        } else {
                (void) fputs("<backing xsi:type=\"VirtualEthernetCardNetworkBackingInfo\">", f);
                put_text(f, "deviceName", card->new_network);
                (void) fputs("</backing>", f);
        }
        (void) fputs("<connectable><startConnected>true</startConnected><allowGuestControl>true"
                     "</allowGuestControl><connected>false</connected></connectable>",
                     f);
        put_text(f, "addressType", card->mac ? "manual" : "generated");
        put_text(f, "macAddress", card->mac);
        (void) fputs("</device></deviceChange>", f);
}

char *import_plan_xml(const ImportPlan *plan)
{
        const json_t *secure_boot = json_object_get(plan->hardware, "secure_boot");
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        (void) fputs("<spec xsi:type=\"VirtualMachineImportSpec\"><configSpec>", f);
        put_text(f, "name", plan->name);
        put_text(f, "version", text_of(plan->hardware, "version"));
        put_text(f, "instanceUuid", plan->instance_uuid);
        put_text(f, "guestId", text_of(plan->hardware, "guest_id"));
        (void) fputs("<files><vmPathName>[", f);
        xml_put(f, plan->datastore);
        (void) fputs("]</vmPathName></files>", f);
        put_number(f, plan, "numCPUs", "cpus");
        put_number(f, plan, "numCoresPerSocket", "cores_per_socket");
        put_number(f, plan, "memoryMB", "memory_mb");
        for (size_t i = 0; i < plan->n_controllers; i++)
                if (!is_ide(&plan->controllers[i]))
                        put_controller(f, plan, &plan->controllers[i]);
        for (size_t i = 0; i < plan->n_disks; i++)
                put_disk(f, plan, i);
        for (size_t i = 0; i < plan->n_cards; i++)
                put_card(f, plan, i);
        if (json_is_boolean(secure_boot))
                (void) fprintf(f,
                               "<bootOptions><efiSecureBootEnabled>%s</efiSecureBootEnabled>"
                               "</bootOptions>",
                               json_is_true(secure_boot) ? "true" : "false");
        put_text(f, "firmware", text_of(plan->hardware, "firmware"));
        (void) fputs("</configSpec></spec>", f);
        if (fclose(f) == 0)
                return text;
        free(text);
        return NULL;
}
