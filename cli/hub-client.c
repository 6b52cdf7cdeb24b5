/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hub as sendensectl sees it (see hub-client.h). One table turns what can go wrong between two
 * processes into a sentence with a remedy.
 */
#include "hub-client.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "names.h"
#include "parse.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define HUB_UNIT "sendense-hub.service"

enum {
        VALUE_DEPTH_MAX = 4,
        CALL_TIMEOUT_SEC = 30,
        CALL_TIMEOUT_INTERACTIVE_SEC = 150, /* somebody types a password */
};

/* First match counts; a name that ends in '.' stands for all that begin with it. */
static const struct {
        const char *error;
        ExitStatus status;
        const char *remedy; /* follows "sendensectl: "; %s is the error's message */
} explanations[] = {
        { SD_BUS_ERROR_SERVICE_UNKNOWN, CTL_UNAVAILABLE,
          "the hub does not run. Start it: systemctl start " HUB_UNIT " (%s)" },
        { SD_BUS_ERROR_NAME_HAS_NO_OWNER, CTL_UNAVAILABLE,
          "the hub does not run. Start it: systemctl start " HUB_UNIT " (%s)" },
        { "org.freedesktop.DBus.Error.Spawn.", CTL_UNAVAILABLE,
          "the hub cannot be started: %s. Its journal says why: journalctl -xeu " HUB_UNIT },
        { "org.freedesktop.systemd1.NoSuchUnit", CTL_UNAVAILABLE,
          "the hub is disabled here, and the bus does not start it. Enable it: systemctl enable "
          "--now " HUB_UNIT " (%s)" },
        { "org.freedesktop.systemd1.", CTL_UNAVAILABLE,
          "the hub cannot be started: %s. Its journal says why: journalctl -xeu " HUB_UNIT },
        { "org.freedesktop.DBus.Error.TimedOut", CTL_UNAVAILABLE,
          "the hub cannot be started: %s. Its journal says why: journalctl -xeu " HUB_UNIT },
        { SD_BUS_ERROR_NO_REPLY, CTL_UNAVAILABLE,
          "the hub did not answer: %s. Its journal says why: journalctl -xeu " HUB_UNIT },
        { SD_BUS_ERROR_TIMEOUT, CTL_UNAVAILABLE,
          "the hub did not answer: %s. Its journal says why: journalctl -xeu " HUB_UNIT },
        { SD_BUS_ERROR_DISCONNECTED, CTL_UNAVAILABLE,
          "the bus closed the connection: %s. Look at it: systemctl status dbus.service" },
        { SD_BUS_ERROR_ACCESS_DENIED, CTL_DENIED,
          "%s. Be root, or get the right from polkit: see SECURITY in sendensectl(1)" },
        { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, CTL_DENIED,
          "%s. Be root, or get the right from polkit: see SECURITY in sendensectl(1)" },
        { SD_BUS_ERROR_UNKNOWN_METHOD, CTL_FAILED,
          "the running hub is of another version: %s. Compare: sendensectl version" },
        { SD_BUS_ERROR_UNKNOWN_INTERFACE, CTL_FAILED,
          "the running hub is of another version: %s. Compare: sendensectl version" },
        { SD_BUS_ERROR_UNKNOWN_OBJECT, CTL_FAILED,
          "the running hub is of another version: %s. Compare: sendensectl version" },
        { "System.Error.ETIMEDOUT", CTL_UNAVAILABLE,
          "the hub did not answer: %s. Its journal says why: journalctl -xeu " HUB_UNIT },
        { "System.Error.ECONNRESET", CTL_UNAVAILABLE,
          "the bus closed the connection: %s. Look at it: systemctl status dbus.service" },
        { "System.Error.ENOTCONN", CTL_UNAVAILABLE,
          "the bus closed the connection: %s. Look at it: systemctl status dbus.service" },
};

static bool is_error(const char *name, const char *pattern)
{
        size_t n = strlen(pattern);

        return pattern[n - 1] == '.' ? strncmp(name, pattern, n) == 0 : strcmp(name, pattern) == 0;
}

static ExitStatus explain(const sd_bus_error *error)
{
        const char *name = error->name ?: "?";
        const char *message = error->message ?: bus_error_sentence(name) ?: name;
        size_t n = strlen(message);

        while (n > 0 && message[n - 1] == '.')
                n--;
        for (size_t i = 0; i < ELEMENTSOF(explanations); i++) {
                const char *remedy = explanations[i].remedy, *at = strstr(remedy, "%s");

                if (!is_error(name, explanations[i].error))
                        continue;
                return complain(explanations[i].status, "%.*s%.*s%s", (int) (at - remedy), remedy,
                                (int) n, message, at + 2);
        }
        return complain(CTL_FAILED, "the hub refuses: %s", message);
}

ExitStatus hub_connect(sd_bus **ret_bus)
{
        int r;

        r = sd_bus_open_system_with_description(ret_bus, "sendensectl");
        if (r < 0)
                return complain(CTL_UNAVAILABLE,
                                "Cannot reach the system bus: %s. Start it: systemctl start "
                                "dbus.socket",
                                strerror(-r));
        return CTL_OK;
}

static ExitStatus complain_call(int error)
{
        return complain(CTL_FAILED, "Cannot make a call to the hub: %s", strerror(-error));
}

ExitStatus hub_new_call(sd_bus *bus, const char *method, bool may_start,
                        sd_bus_message **ret_message)
{
        int r;

        r = sd_bus_message_new_method_call(bus, ret_message, HUB_BUS_NAME, HUB_BUS_PATH,
                                           HUB_MANAGER_INTERFACE, method);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(*ret_message, may_start);
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(*ret_message,
                                                                       isatty(STDIN_FILENO));
        return r < 0 ? complain_call(r) : CTL_OK;
}

ExitStatus hub_call(sd_bus *bus, sd_bus_message *message, sd_bus_message **ret_reply)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        bool interactive = sd_bus_message_get_allow_interactive_authorization(message) > 0;
        int r;

        r = sd_bus_call(bus, message,
                        (interactive ? CALL_TIMEOUT_INTERACTIVE_SEC : CALL_TIMEOUT_SEC) *
                                        USEC_PER_SEC,
                        &error, ret_reply);
        if (r >= 0)
                return CTL_OK;
        if (!sd_bus_error_is_set(&error))
                (void) sd_bus_error_set_errno(&error, r);
        return explain(&error);
}

ExitStatus hub_get_properties(sd_bus *bus, json_t **ret_properties, const char **ret_reason)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &message, HUB_BUS_NAME, HUB_BUS_PATH,
                                           "org.freedesktop.DBus.Properties", "GetAll");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(message, false);
        if (r >= 0)
                r = sd_bus_message_append(message, "s", HUB_MANAGER_INTERFACE);
        if (r < 0)
                return complain_call(r);

        r = sd_bus_call(bus, message, CALL_TIMEOUT_SEC * USEC_PER_SEC, &error, &reply);
        if (r >= 0)
                return hub_read_dictionary(reply, ret_properties);
        if (sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
            sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
                *ret_reason = "not running";
                return CTL_UNAVAILABLE;
        }
        if (!sd_bus_error_is_set(&error))
                (void) sd_bus_error_set_errno(&error, r);
        *ret_reason = "no answer";
        return explain(&error);
}

static int read_value(sd_bus_message *message, unsigned depth, json_t **ret_value);

static int read_basic(sd_bus_message *message, char type, json_t **ret_value)
{
        union {
                const char *string;
                int boolean;
                uint16_t uint16;
                int32_t int32;
                uint32_t uint32;
                int64_t int64;
                uint64_t uint64;
        } value;
        int r;

        if (!strchr("sogbqiuxt", type))
                return -EOPNOTSUPP;
        r = sd_bus_message_read_basic(message, type, &value);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;

        if (strchr("sog", type))
                *ret_value = json_string(value.string);
        else if (type == 'b')
                *ret_value = json_boolean(value.boolean);
        else if (type == 'q')
                *ret_value = json_integer(value.uint16);
        else if (type == 'i')
                *ret_value = json_integer(value.int32);
        else if (type == 'u')
                *ret_value = json_integer(value.uint32);
        else if (type == 'x')
                *ret_value = json_integer(value.int64);
        else
                *ret_value = value.uint64 > INT64_MAX ? NULL
                                                      : json_integer((json_int_t) value.uint64);
        return *ret_value ? 0 : -ERANGE;
}

/* A structure or an array becomes a JSON array. */
static int read_list(sd_bus_message *message, char type, const char *contents, unsigned depth,
                     json_t **ret_list)
{
        json_t *list = json_array();
        int r;

        r = list ? sd_bus_message_enter_container(message, type, contents) : -ENOMEM;
        while (r >= 0 && (r = sd_bus_message_at_end(message, false)) == 0) {
                json_t *value = NULL;

                r = read_value(message, depth + 1, &value);
                if (r >= 0)
                        r = json_array_append_new(list, value) < 0 ? -ENOMEM : 0;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(message);
        if (r < 0) {
                json_decref(list);
                return r;
        }
        *ret_list = list;
        return 0;
}

static int read_value(sd_bus_message *message, unsigned depth, json_t **ret_value)
{
        const char *contents;
        char type;
        int r;

        if (depth > VALUE_DEPTH_MAX)
                return -EOPNOTSUPP;
        r = sd_bus_message_peek_type(message, &type, &contents);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        if (type == SD_BUS_TYPE_STRUCT || type == SD_BUS_TYPE_ARRAY)
                return read_list(message, type, contents, depth, ret_value);
        return read_basic(message, type, ret_value);
}

static int read_entry(sd_bus_message *message, json_t *object)
{
        const char *name, *contents;
        json_t *value = NULL;
        int r;

        r = sd_bus_message_read_basic(message, 's', &name);
        if (r >= 0)
                r = sd_bus_message_peek_type(message, NULL, &contents);
        if (r >= 0)
                r = sd_bus_message_enter_container(message, 'v', contents);
        if (r >= 0)
                r = read_value(message, 0, &value);
        if (r >= 0)
                r = json_object_set_new(object, name, value) < 0 ? -ENOMEM : 0;
        return r < 0 ? r : sd_bus_message_exit_container(message);
}

ExitStatus hub_read_dictionary(sd_bus_message *message, json_t **ret_object)
{
        json_t *object = json_object();
        int r;

        r = object ? sd_bus_message_enter_container(message, 'a', "{sv}") : -ENOMEM;
        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                r = read_entry(message, object);
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
        }
        if (r < 0) {
                json_decref(object);
                return complain(CTL_FAILED,
                                "the hub's answer cannot be read: %s. Compare: sendensectl version",
                                strerror(-r));
        }
        *ret_object = object;
        return CTL_OK;
}
