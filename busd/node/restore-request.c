/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strict reading of what starts a restore (see request.h): the bounds here, what it means to vCenter in sendense-vsphere, which reads
 * hardware, disks and networks strictly.
 */
#include "request.h"

#include "request-keys.h"

#include "host-name.h"
#include "json-cleanup.h"
#include "json-fields.h"
#include "names.h"
#include "utf8.h"

#include <errno.h>
#include <string.h>

enum {
        PATH_MAX_CHARACTERS = 1024,
        NAME_MAX_CHARACTERS = 255,
        SOURCE_MAX = 512,
};

#define LINE_MUST "a text without control characters"

#define PLACE(k)                                                                        \
        {                                                                               \
                .key = (k), .kind = JSON_FIELD_TEXT, .optional = true, .min = 1,        \
                .max = PATH_MAX_CHARACTERS, .is_valid = utf8_is_line, .must = LINE_MUST \
        }
#define FLAG(k)                                                       \
        {                                                             \
                .key = (k), .kind = JSON_FIELD_BOOL, .optional = true \
        }

static const JsonField fields[] = {
        { "job_id", JSON_FIELD_NUMBER, false, 1, INT64_MAX, NULL, NULL },
        { "attempt", JSON_FIELD_NUMBER, false, 1, INT32_MAX, NULL, NULL },
        { "vm_name", JSON_FIELD_TEXT, false, 1, 80, utf8_is_line, LINE_MUST },
        { "vcenter_host", JSON_FIELD_TEXT, false, 1, HOST_NAME_MAX_LENGTH, host_name_is_valid,
          HOST_NAME_MUST },
        { "vcenter_port", JSON_FIELD_NUMBER, true, 1, 65535, NULL, NULL },
        { "vcenter_user", JSON_FIELD_TEXT, false, 1, NAME_MAX_CHARACTERS, utf8_is_line, LINE_MUST },
        { "ca_file", JSON_FIELD_TEXT, true, 1, 1024, NULL, NULL },
        { "pin_sha256", JSON_FIELD_TEXT, true, 64, 95, NULL, NULL },
        PLACE("folder"),
        PLACE("resource_pool"),
        PLACE("host"),
        PLACE("datastore"),
        FLAG("power_on"),
        FLAG("keep_macs"),
        FLAG("force"),
        { "networks", JSON_FIELD_OBJECT, true, 0, 0, NULL, NULL },
        { "in_place", JSON_FIELD_OBJECT, true, 0, 0, NULL, NULL },
        { "hardware", JSON_FIELD_OBJECT, false, 0, 0, NULL, NULL },
        { "disks", JSON_FIELD_ARRAY, false, 1, REQUEST_DISKS_MAX, NULL, NULL },
};

static const JsonField in_place_fields[] = {
        { "instance_uuid", JSON_FIELD_TEXT, false, 36, 36, request_is_uuid,
          "a UUID in lower case" },
        FLAG("keep_disks"),
};

static const JsonField disk_fields[] = {
        { "disk_key", JSON_FIELD_NUMBER, false, 1, DISK_KEY_MAX, NULL, NULL },
        { "capacity_bytes", JSON_FIELD_NUMBER, false, 1, INT64_MAX, NULL, NULL },
        { "source", JSON_FIELD_TEXT, false, 1, SOURCE_MAX, request_export_is_valid,
          REQUEST_EXPORT_MUST },
};

/* Into the VM that is there: then there is nothing to say of another one. */
static int check_in_place(const json_t *request, char ret_error[static REQUEST_ERROR_SIZE])
{
        static const char *const others[] = {
                "folder", "resource_pool", "host", "datastore", "networks", "keep_macs",
        };
        const json_t *in_place = json_object_get(request, "in_place");

        if (!in_place)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (json_is_true(json_object_get(request, others[i])) ||
                    json_is_string(json_object_get(request, others[i])) ||
                    json_object_size(json_object_get(request, others[i])) > 0)
                        return json_fields_refuse(ret_error, "in_place goes without %s", others[i]);
        return json_fields_check(in_place, in_place_fields, ELEMENTSOF(in_place_fields), "in_place",
                                 ret_error);
}

/* As a backup's request has them: by the key of the disk. NULL: no memory. */
static json_t *exports_of(const json_t *disks)
{
        CLEANUP(json_decref_p) json_t *exports = json_object();
        const json_t *disk;
        size_t i;

        json_array_foreach (disks, i, disk) {
                char key[24];

                (void) snprintf(key, sizeof(key), "%" JSON_INTEGER_FORMAT,
                                json_integer_value(json_object_get(disk, "disk_key")));
                if (json_object_set(exports, key, json_object_get(disk, "source")) < 0)
                        return NULL;
        }
        return TAKE(exports);
}

static int read_keys(const json_t *keys, Request *request,
                     char ret_error[static REQUEST_ERROR_SIZE])
{
        CLEANUP(json_decref_p)
        json_t *exports = exports_of(json_object_get(request->public, "disks"));

        return exports ? request_keys_read(keys, exports, &request->keys, ret_error) : -ENOMEM;
}

int restore_request_read(const char *text, size_t size, Request *ret_request,
                         char ret_error[static REQUEST_ERROR_SIZE])
{
        CLEANUP(request_done) Request request = {};
        CLEANUP(json_decref_p) json_t *keys = NULL;
        int r;

        r = request_parse(text, size, &request.public, ret_error);
        keys = request_keys_take(request.public);
        if (r >= 0)
                r = request_take_password(request.public, &request.password, ret_error);
        if (r >= 0)
                r = json_fields_check(request.public, fields, ELEMENTSOF(fields), "the request",
                                      ret_error);
        if (r >= 0)
                r = request_check_disks(json_object_get(request.public, "disks"), disk_fields,
                                        ELEMENTSOF(disk_fields), ret_error);
        if (r >= 0)
                r = read_keys(keys, &request, ret_error);
        if (r >= 0)
                r = check_in_place(request.public, ret_error);
        if (r >= 0)
                r = request_complete(&request);
        if (r < 0)
                return r;
        *ret_request = request;
        request = (Request){};
        return 0;
}
