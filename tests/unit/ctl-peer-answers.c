/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers and signals from JSON (see ctl-peer-answers.h).
 */
#include "ctl-peer-answers.h"

#include "cleanup.h"
#include "names.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

static sd_bus_message *late; /* the answer that is held back */

static void decref_p(json_t **value)
{
        json_decref(*value);
}

/* The type that the hub gives a key, when it is not the usual one of the JSON value. */
static const char *known_type(const char *key)
{
        static const struct {
                const char *key, *type;
        } types[] = {
                { "Key", "u" },           { "UnitNumber", "u" },
                { "Attempt", "u" },       { "Attempts", "u" },
                { "ProcessId", "u" },     { "DiskKey", "u" },
                { "Port", "q" },          { "Jobs", "u" },
                { "Obligations", "u" },   { "Match", "as" },
                { "Except", "as" },       { "Problems", "as" },
                { "Roles", "as" },        { "Strays", "as" },
                { "Progress", "d" },      { "DatabaseSchema", "u" },
                { "ProgramSchema", "u" },
        };

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if (strcmp(types[i].key, key) == 0)
                        return types[i].type;
        return NULL;
}

static const char *type_of(const char *key, json_t **value)
{
        const char *name = json_object_iter_key(json_object_iter(*value));

        if (name && name[0] == '@') {
                *value = json_object_get(*value, name);
                return name + 1;
        }
        switch (json_typeof(*value)) {
        case JSON_OBJECT:
                return "a{sv}";
        case JSON_ARRAY:
                return known_type(key) ?: "aa{sv}";
        case JSON_STRING:
                return "s";
        case JSON_REAL:
                return "d";
        case JSON_TRUE:
        case JSON_FALSE:
                return "b";
        case JSON_INTEGER:
                /* Disks is a number in a list of VMs, and a list elsewhere. */
                return strcmp(key, "Disks") == 0 ? "u" : known_type(key) ?: "t";
        case JSON_NULL:
                break;
        }
        return "";
}

static int append_number(sd_bus_message *message, char type, const json_t *value)
{
        json_int_t integer = json_integer_value(value);
        union {
                uint8_t y;
                uint16_t q;
                uint32_t u;
                uint64_t t;
                int b;
                double d;
        } number = { .t = (uint64_t) integer };

        if (type == 'd')
                number.d = json_number_value(value);
        if (type == 'b')
                number.b = json_is_true(value);
        return sd_bus_message_append_basic(message, type, &number);
}

static int append(sd_bus_message *message, const char *type, json_t *value);

static int append_dictionary(sd_bus_message *message, json_t *object)
{
        const char *key;
        json_t *value;
        int r;

        r = sd_bus_message_open_container(message, 'a', "{sv}");
        json_object_foreach (object, key, value) {
                const char *type = type_of(key, &value);

                if (r >= 0)
                        r = sd_bus_message_open_container(message, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append(message, "s", key);
                if (r >= 0)
                        r = sd_bus_message_open_container(message, 'v', type);
                if (r >= 0)
                        r = append(message, type, value);
                for (int i = 0; r >= 0 && i < 2; i++)
                        r = sd_bus_message_close_container(message);
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append(sd_bus_message *message, const char *type, json_t *value)
{
        json_t *item;
        size_t i;
        int r;

        if (!*type)
                return 0;
        if (strchr("sog", *type))
                return sd_bus_message_append_basic(message, *type, json_string_value(value));
        if (*type != 'a')
                return append_number(message, *type, value);
        if (type[1] == '{')
                return append_dictionary(message, value);
        r = sd_bus_message_open_container(message, 'a', type + 1);
        json_array_foreach (value, i, item)
                if (r >= 0)
                        r = append(message, type + 1, item);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static void say(const char *word, const char *what)
{
        (void) printf("%s%s%s\n", word, *what ? " " : "", what);
        (void) fflush(stdout);
}

static int keep_call(sd_bus_message *call, const char *folder, const char *method)
{
        _cleanup_fclose_ FILE *f = NULL;
        char path[4096];
        int r;

        (void) snprintf(path, sizeof(path), "%s/%s.call", folder, method);
        f = fopen(path, "we");
        if (!f)
                return -errno;
        (void) fprintf(f, "%s\n", sd_bus_message_get_signature(call, true));
        r = sd_bus_message_dump(call, f, SD_BUS_MESSAGE_DUMP_SUBTREE_ONLY);
        return r < 0 ? r : sd_bus_message_rewind(call, true);
}

static int on_call(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        CLEANUP(decref_p) json_t *answer = NULL;
        const char *folder = userdata, *method = sd_bus_message_get_member(call), *name;
        char path[4096];
        int r;

        (void) error;
        if (!sd_bus_message_is_method_call(call, HUB_MANAGER_INTERFACE, NULL))
                return 0;
        (void) snprintf(path, sizeof(path), "%s/%s.json", folder, method);
        answer = json_load_file(path, 0, NULL);
        if (!answer)
                return 0;
        r = keep_call(call, folder, method);
        if (r < 0)
                return r;
        name = json_string_value(json_object_get(answer, "error"));
        if (name)
                r = sd_bus_reply_method_errorf(call, name, "%s",
                                               json_string_value(json_object_get(answer, "text")));
        else if (!json_object_get(answer, "silent")) {
                r = sd_bus_message_new_method_return(call, &reply);
                if (r >= 0)
                        r = append(reply, json_string_value(json_object_get(answer, "signature")),
                                   json_object_get(answer, "value"));
                if (r >= 0 && json_object_get(answer, "late"))
                        late = sd_bus_message_ref(reply);
                else if (r >= 0)
                        r = sd_bus_send(NULL, reply, NULL);
        }
        say("asked", method);
        return r < 0 ? r : 1;
}

int answers_register(sd_bus *bus, const char *folder)
{
        return sd_bus_add_object(bus, NULL, HUB_BUS_PATH, on_call, (void *) folder);
}

static int announce(sd_bus *bus, const char *path, const char *interface, json_t *changed)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *signal = NULL;
        int r;

        r = sd_bus_message_new_signal(bus, &signal, path, "org.freedesktop.DBus.Properties",
                                      "PropertiesChanged");
        if (r >= 0 && !changed)
                r = sd_bus_message_append(signal, "si", interface, 5);
        else if (r >= 0) {
                r = sd_bus_message_append(signal, "s", interface);
                if (r >= 0)
                        r = append_dictionary(signal, changed);
                if (r >= 0)
                        r = sd_bus_message_append(signal, "as", 0);
        }
        return r < 0 ? r : sd_bus_send(bus, signal, NULL);
}

int answers_do(sd_bus *bus, const char *line)
{
        CLEANUP(decref_p) json_t *wanted = json_loads(line, 0, NULL);
        json_int_t job = json_integer_value(json_object_get(wanted, "job"));
        json_int_t removed = json_integer_value(json_object_get(wanted, "removed"));
        json_int_t gone = json_integer_value(json_object_get(wanted, "gone"));
        json_t *hub = json_object_get(wanted, "hub");
        char path[128];
        int r;

        if (!wanted)
                return -EBADMSG;
        (void) snprintf(path, sizeof(path), HUB_BUS_PATH "/job/%" JSON_INTEGER_FORMAT,
                        job + removed + gone);
        if (json_object_get(wanted, "release")) {
                r = sd_bus_send(NULL, late, NULL);
                late = sd_bus_message_unref(late);
        } else if (job > 0)
                r = announce(bus, path, HUB_BUS_NAME ".Job", json_object_get(wanted, "changed"));
        else if (gone > 0)
                r = sd_bus_emit_signal(bus, HUB_BUS_PATH, "org.freedesktop.DBus.ObjectManager",
                                       "InterfacesRemoved", "oas", path, 1, HUB_BUS_NAME ".Job");
        else if (hub)
                r = announce(bus, HUB_BUS_PATH, HUB_MANAGER_INTERFACE, hub);
        else
                r = sd_bus_emit_signal(bus, HUB_BUS_PATH, HUB_MANAGER_INTERFACE, "JobRemoved",
                                       "tos", (uint64_t) removed, path,
                                       json_string_value(json_object_get(wanted, "result")));
        if (r >= 0)
                r = sd_bus_flush(bus);
        say("done", "");
        return r;
}
