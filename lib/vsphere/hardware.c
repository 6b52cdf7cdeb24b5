/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hardware of a VM (see hardware.h).
 */
#include "vsphere/hardware.h"

#include "cleanup.h"
#include "datastore-path.h"
#include "json-cleanup.h"
#include "utf8.h"

#include <string.h>

/* Every VM has these, and they come by themselves. */
static const char *const given[] = {
        "VirtualPCIController",     "VirtualPS2Controller",  "VirtualSIOController",
        "VirtualKeyboard",          "VirtualPointingDevice", "VirtualMachineVideoCard",
        "VirtualMachineVMCIDevice",
};

static int add_text(json_t *object, const char *key, const char *text)
{
        _cleanup_free_ char *line = NULL;

        if (!text || !*text)
                return 0;
        line = strndup(text, HARDWARE_TEXT_MAX);
        if (!line)
                return -1;
        utf8_make_line(line);
        return json_object_set_new(object, key, json_string(line));
}

static int add_text_at(json_t *object, const char *key, const XmlNode *node, const char *path)
{
        return add_text(object, key, xml_text_at(node, path));
}

static int add_number_at(json_t *object, const char *key, const XmlNode *node, const char *path)
{
        uint64_t value;

        if (xml_uint64_at(node, path, INT64_MAX, &value) < 0)
                return 0;
        return json_object_set_new(object, key, json_integer((json_int_t) value));
}

/* One device of any kind: key and type, and then what the kind has. */
static json_t *device_new(const XmlNode *device)
{
        CLEANUP(json_decref_p) json_t *object = json_object();

        if (!object || add_number_at(object, "key", device, "key") < 0 ||
            add_text(object, "type", xml_type(device)) < 0)
                return NULL;
        return TAKE(object);
}

static json_t *show_controller(const XmlNode *device)
{
        CLEANUP(json_decref_p) json_t *object = device_new(device);
        const char *sharing = xml_text_at(device, "sharedBus");

        if (!object || add_number_at(object, "bus_number", device, "busNumber") < 0)
                return NULL;
        if (sharing && strcmp(sharing, "noSharing") != 0 &&
            add_text(object, "sharing", sharing) < 0)
                return NULL;
        return TAKE(object);
}

/* Where the disk lay: a restore that names no datastore goes there. */
static int add_datastore(json_t *object, const XmlNode *device)
{
        CLEANUP(datastore_path_done) DatastorePath path = {};
        const char *file = xml_text_at(device, "backing/fileName");

        if (!file || datastore_path_parse(file, &path) < 0)
                return 0;
        return add_text(object, "datastore", path.datastore);
}

static int add_encrypted(json_t *object, const XmlNode *key)
{
        return key ? json_object_set_new(object, "encrypted", json_true()) : 0;
}

static json_t *show_disk(const XmlNode *device)
{
        CLEANUP(json_decref_p) json_t *object = json_object();

        if (!object || add_number_at(object, "key", device, "key") < 0 ||
            add_number_at(object, "controller_key", device, "controllerKey") < 0 ||
            add_number_at(object, "unit_number", device, "unitNumber") < 0 ||
            add_text_at(object, "label", device, "deviceInfo/label") < 0 ||
            add_text_at(object, "mode", device, "backing/diskMode") < 0 ||
            add_datastore(object, device) < 0 ||
            add_encrypted(object, xml_find(device, "backing/keyId")) < 0)
                return NULL;
        return TAKE(object);
}

static json_t *show_network(const XmlNode *device)
{
        CLEANUP(json_decref_p) json_t *object = device_new(device);

        if (!object || add_text_at(object, "network", device, "backing/deviceName") < 0 ||
            add_text_at(object, "portgroup_key", device, "backing/port/portgroupKey") < 0 ||
            add_text_at(object, "mac", device, "macAddress") < 0 ||
            add_text_at(object, "mac_type", device, "addressType") < 0)
                return NULL;
        return TAKE(object);
}

static json_t *show_other(const XmlNode *device)
{
        CLEANUP(json_decref_p) json_t *object = json_object();

        if (!object || add_text(object, "type", xml_type(device)) < 0 ||
            add_text_at(object, "label", device, "deviceInfo/label") < 0)
                return NULL;
        return TAKE(object);
}

static bool is_given(const char *type)
{
        for (size_t i = 0; i < ELEMENTSOF(given); i++)
                if (strcmp(type, given[i]) == 0)
                        return true;
        return false;
}

/* A card is known by its address, a controller by its bus: types are added to vim25 now and then. */
static int add_device(json_t *object, const XmlNode *device)
{
        const char *type = xml_type(device);

        if (is_given(type))
                return 0;
        if (strcmp(type, "VirtualDisk") == 0)
                return json_array_append_new(json_object_get(object, "disks"), show_disk(device));
        if (xml_child(device, "macAddress"))
                return json_array_append_new(json_object_get(object, "networks"),
                                             show_network(device));
        if (xml_child(device, "busNumber"))
                return json_array_append_new(json_object_get(object, "controllers"),
                                             show_controller(device));
        return json_array_append_new(json_object_get(object, "others"), show_other(device));
}

json_t *hardware_show(const HardwareConfig *config)
{
        CLEANUP(json_decref_p)
        json_t *object = json_pack("{s:[], s:[], s:[], s:[]}", "controllers", "disks", "networks",
                                   "others");
        const XmlNode *devices = config->hardware;
        unsigned n = 0;
        int r = object ? 0 : -1;

        if (r >= 0)
                r = add_text(object, "version", config->version);
        if (r >= 0)
                r = add_text(object, "guest_id", config->guest_id);
        if (r >= 0)
                r = add_text(object, "firmware", config->firmware);
        if (r >= 0 && xml_child(config->boot_options, "efiSecureBootEnabled"))
                r = json_object_set_new(object, "secure_boot",
                                        json_boolean(xml_is_true_at(config->boot_options,
                                                                    "efiSecureBootEnabled")));
        if (r >= 0)
                r = add_encrypted(object, config->key_id);
        if (r >= 0)
                r = add_number_at(object, "cpus", config->hardware, "numCPU");
        if (r >= 0)
                r = add_number_at(object, "cores_per_socket", config->hardware,
                                  "numCoresPerSocket");
        if (r >= 0)
                r = add_number_at(object, "memory_mb", config->hardware, "memoryMB");
        for (const XmlNode *d = xml_child(devices, "device");
             d && r >= 0 && n < HARDWARE_DEVICES_MAX; d = xml_next(d, "device"), n++)
                r = add_device(object, d);
        return r < 0 ? NULL : TAKE(object);
}
