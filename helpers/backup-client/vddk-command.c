/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nbdkit's words for VDDK (see vddk-command.h).
 */
#include "vddk-command.h"

#include "text.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define NBDKIT_PATH "/usr/bin/nbdkit"
#define PLUGIN      "vddk"

enum {
        VALUE_MAX = 1024,
};

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/* A value that goes on as it is: a path, a list of transports. */
static bool is_value(const char *text)
{
        size_t n = strlen(text);

        for (size_t i = 0; i < n; i++)
                if ((unsigned char) text[i] < ' ' || text[i] == 0x7f)
                        return false;
        return n > 0 && n <= VALUE_MAX && utf8_is_valid(text);
}

static bool is_path(const char *text)
{
        return text[0] == '/' && is_value(text);
}

/* A name that nbdkit looks up in its own folder, or the path of a plugin. */
static bool is_plugin(const char *text)
{
        size_t n = strspn(text, letters);

        if (text[0] == '/')
                return is_value(text);
        return n > 0 &&
               text[n + strspn(text + n, "-_.abcdefghijklmnopqrstuvwxyz0123456789")] == '\0';
}

/* A managed object's reference is opaque, but never a sentence. */
static bool is_moref(const char *text)
{
        size_t n = strlen(text);

        for (size_t i = 0; i < n; i++)
                if (!strchr(letters, text[i]) && !strchr("-_.:", text[i]))
                        return false;
        return n > 0 && n <= 128 && text[0] != '-';
}

static const struct {
        const char *key;
        bool (*is_valid)(const char *text);
        bool is_parameter; /* of the plugin */
} settings[] = {
        { "nbdkit", is_path, false },      { "plugin", is_plugin, false },
        { "libdir", is_path, true },       { "transports", is_value, true },
        { "compression", is_value, true }, { "config", is_path, true },
};

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

static bool is_known(const char *key)
{
        for (size_t i = 0; i < ELEMENTSOF(settings); i++)
                if (strcmp(settings[i].key, key) == 0)
                        return true;
        return false;
}

static int check_settings(const json_t *vddk, uint32_t disk_key, Failure *failure)
{
        const char *key;
        json_t *value;

        if (vddk && !json_is_object(vddk))
                return failure_set(failure, -EINVAL, FAILURE_INVALID, disk_key,
                                   "\"vddk\" must be an object");
        json_object_foreach ((json_t *) vddk, key, value)
                if (!is_known(key))
                        return failure_set(failure, -EINVAL, FAILURE_INVALID, disk_key,
                                           "\"vddk\" has the unknown member \"%.60s\"", key);
        for (size_t i = 0; i < ELEMENTSOF(settings); i++) {
                const json_t *set = json_object_get(vddk, settings[i].key);

                if (set && (!json_is_string(set) || !settings[i].is_valid(json_string_value(set))))
                        return failure_set(failure, -EINVAL, FAILURE_INVALID, disk_key,
                                           "\"%s\" of \"vddk\" cannot be that", settings[i].key);
        }
        return 0;
}

int vddk_command_check(const json_t *vm, const json_t *vddk, uint32_t disk_key, Failure *failure)
{
        const char *moref = text_of(vm, "moref"), *snapshot = text_of(vm, "snapshot_moref");

        if (!moref || !snapshot || !is_moref(moref) || !is_moref(snapshot))
                return failure_set(failure, -EINVAL, FAILURE_INVALID, disk_key,
                                   "disk %" PRIu32 ": VDDK needs \"vm\" with the references of a "
                                   "virtual machine and its snapshot",
                                   disk_key);
        return check_settings(vddk, disk_key, failure);
}

int vddk_command_make(const json_t *vm, const json_t *vddk, const VddkPlace *place,
                      VddkCommand *ret_command)
{
        VddkCommand command = {
                .program = text_of(vddk, "nbdkit") ?: NBDKIT_PATH,
                .plugin = text_of(vddk, "plugin") ?: PLUGIN,
                .parameters = {
                        text_format("server=%s", place->host),
                        text_format("port=%u", place->port),
                        text_format("user=%s", place->user),
                        text_format("thumbprint=%s", place->thumbprint),
                        text_format("vm=moref=%s", text_of(vm, "moref")),
                        text_format("snapshot=%s", text_of(vm, "snapshot_moref")),
                        text_format("file=%s", place->datastore_path),
                },
        };
        size_t n = 7;

        for (size_t i = 0; i < ELEMENTSOF(settings); i++)
                if (settings[i].is_parameter && text_of(vddk, settings[i].key))
                        command.parameters[n++] = text_format("%s=%s", settings[i].key,
                                                              text_of(vddk, settings[i].key));
        for (size_t i = 0; i < n; i++)
                if (!command.parameters[i]) {
                        for (size_t j = 0; j < n; j++)
                                free(command.parameters[j]);
                        return -ENOMEM;
                }
        *ret_command = command;
        return 0;
}

void vddk_command_done(VddkCommand *command)
{
        for (size_t i = 0; command->parameters[i]; i++)
                free(command->parameters[i]);
        *command = (VddkCommand){};
}
