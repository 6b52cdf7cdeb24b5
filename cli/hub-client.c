/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hub as sendensectl sees it (see hub-client.h). One table turns what can go wrong between two
 * processes into a sentence with a remedy.
 */
#include "hub-client.h"

#include "bus/bus-error.h"
#include "bus/bus-value.h"
#include "cleanup.h"
#include "names.h"
#include "parse.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define HUB_UNIT "sendense-hub.service"

enum {
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
          "the hub does not run. Start it: systemctl start " HUB_UNIT
          " (%s; after a crash systemd does that by itself)" },
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
        { BUS_ERROR_DATABASE_UNAVAILABLE, CTL_FAILED,
          "the hub is without its database: %s. Look at it: systemctl status mariadb.service; have "
          "the hub try it now: sendensectl database probe" },
        { BUS_ERROR_SCHEMA_MISMATCH, CTL_FAILED,
          "the hub and its database do not fit: %s. Compare: sendensectl version" },
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

/* What to look at after a refusal: the first method that the call's begins with counts. */
static const struct {
        const char *error, *method, *remedy;
} lists[] = {
        { BUS_ERROR_NOT_FOUND, "StartBackup",
          "List what there is: sendensectl vm list; sendensectl repository list" },
        { BUS_ERROR_NOT_FOUND, "ListFiles", "List the backups: sendensectl backup list" },
        { BUS_ERROR_NOT_FOUND, "GetFiles", "List the backups: sendensectl backup list" },
        { BUS_ERROR_NOT_FOUND, "VerifyBackup", "List the backups: sendensectl backup list" },
        { BUS_ERROR_NOT_FOUND, "VerifyAll", "List the VMs: sendensectl vm list" },
        { BUS_ERROR_NOT_FOUND, "GetVm", "List the VMs: sendensectl vm list" },
        { BUS_ERROR_NOT_FOUND, "GetJob", "List the jobs: sendensectl job list" },
        { BUS_ERROR_NOT_FOUND, "CancelJob", "List the jobs: sendensectl job list" },
        { BUS_ERROR_NOT_FOUND, "ListJobs", "List the VMs: sendensectl vm list" },
        { BUS_ERROR_NOT_FOUND, "ListBackups",
          "List what there is: sendensectl vm list; sendensectl repository list" },
        { BUS_ERROR_NOT_FOUND, "GetNode", "List the nodes: sendensectl node list" },
        { BUS_ERROR_NOT_FOUND, "RotateNode", "List the nodes: sendensectl node list" },
        { BUS_ERROR_NOT_FOUND, "RemoveNode", "List the nodes: sendensectl node list" },
        { BUS_ERROR_NOT_FOUND, "GetVcenter", "List the vCenters: sendensectl vcenter list" },
        { BUS_ERROR_NOT_FOUND, "TestVcenter", "List the vCenters: sendensectl vcenter list" },
        { BUS_ERROR_NOT_FOUND, "RotateVcenter", "List the vCenters: sendensectl vcenter list" },
        { BUS_ERROR_NOT_FOUND, "RemoveVcenter", "List the vCenters: sendensectl vcenter list" },
        { BUS_ERROR_NOT_FOUND, "DiscoverVms", "List the vCenters: sendensectl vcenter list" },
        { BUS_ERROR_NOT_FOUND, "AddVcenter", "List the nodes: sendensectl node list" },
        { BUS_ERROR_NOT_FOUND, "ShowCertificate", "List the nodes: sendensectl node list" },
        { BUS_ERROR_EXISTS, "AddVcenter", "Another password for it: sendensectl vcenter rotate" },
        { "com.sendense.Error.VmMissing", "DiscoverVms",
          "List its VMs: sendensectl vm discover VCENTER" },
        { BUS_ERROR_EXISTS, "AddNode",
          "List the nodes: sendensectl node list; another bundle for it: sendensectl node rotate" },
        { BUS_ERROR_NOT_FOUND, "RevokeToken", "List the tokens: sendensectl token list" },
        { BUS_ERROR_EXISTS, "CreateToken", "List the tokens: sendensectl token list" },
        { BUS_ERROR_NOT_FOUND, "", "List the repositories: sendensectl repository list" },
        { "com.sendense.Error.VmBusy", "", "List the jobs: sendensectl job list" },
        { "com.sendense.Error.PortsExhausted", "", "See what has them: sendensectl port list" },
};

static const char *find_remedy(const char *error, const char *method)
{
        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                if (strcmp(lists[i].error, error) == 0 &&
                    (!*lists[i].method || strcmp(lists[i].method, method) == 0))
                        return lists[i].remedy;
        return NULL;
}

ExitStatus hub_explain(const sd_bus_error *error, const char *method)
{
        const char *name = error->name ?: "?", *other;
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
        other = find_remedy(name, method ?: "");
        return complain(CTL_FAILED, "the hub refuses: %.*s%s%s", (int) n, message,
                        other ? ". " : "", other ?: "");
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

uint64_t hub_call_timeout_usec(sd_bus_message *message)
{
        /* What waits for a disk. The hub has limits of its own; a hub that dies is answered for. */
        static const struct {
                const char *method;
                uint64_t sec;
        } slow[] = {
                { "AddRepository", 300 },
                { "CheckRepository", 300 },
                { "Diagnose", 150 },
                { "Cleanup", 3600 },
                { "ScanRepository", 3600 },
                { "RemoveNode", 150 },
                /* A node takes six minutes at most, and may have to be asked twice. */
                { "AddVcenter", 800 },
                { "RotateVcenter", 800 },
                { "TestVcenter", 400 },
                { "DiscoverVms", 800 },
                { "ShowCertificate", 400 },
        };
        const char *member = sd_bus_message_get_member(message);

        for (size_t i = 0; i < ELEMENTSOF(slow); i++)
                if (member && strcmp(slow[i].method, member) == 0)
                        return slow[i].sec * USEC_PER_SEC;
        if (sd_bus_message_get_allow_interactive_authorization(message) > 0)
                return CALL_TIMEOUT_INTERACTIVE_SEC * USEC_PER_SEC;
        return CALL_TIMEOUT_SEC * USEC_PER_SEC;
}

ExitStatus hub_call(sd_bus *bus, sd_bus_message *message, sd_bus_message **ret_reply)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_call(bus, message, hub_call_timeout_usec(message), &error, ret_reply);
        if (r >= 0)
                return CTL_OK;
        if (!sd_bus_error_is_set(&error))
                (void) sd_bus_error_set_errno(&error, r);
        return hub_explain(&error, sd_bus_message_get_member(message));
}

ExitStatus hub_read_answer(sd_bus_message *reply, const char *signature, json_t **ret_answer)
{
        int r;

        if (!sd_bus_message_has_signature(reply, signature))
                return complain(CTL_FAILED,
                                "the hub's answer cannot be read: it is of the type '%s', not "
                                "'%s'. "
                                "Compare: sendensectl version",
                                sd_bus_message_get_signature(reply, true), signature);
        r = bus_value_read(reply, ret_answer);
        if (r < 0)
                return complain(CTL_FAILED,
                                "the hub's answer cannot be read: %s. Compare: sendensectl version",
                                strerror(-r));
        return CTL_OK;
}

ExitStatus hub_complain_arguments(int r)
{
        if (r == -EINVAL)
                return complain(CTL_USAGE, "an argument cannot be sent: it is not UTF-8 text");
        return complain_call(r);
}

static ExitStatus ask(sd_bus *bus, const char *method, bool may_start, const char *signature,
                      json_t **ret_answer, const char *types, va_list ap)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        ExitStatus s;
        int r;

        s = hub_new_call(bus, method, may_start, &message);
        if (s != CTL_OK)
                return s;
        r = sd_bus_message_appendv(message, types, ap);
        if (r < 0)
                return hub_complain_arguments(r);
        s = hub_call(bus, message, &reply);
        return s == CTL_OK && ret_answer ? hub_read_answer(reply, signature, ret_answer) : s;
}

ExitStatus hub_ask_on(sd_bus *bus, const char *method, bool may_start, const char *signature,
                      json_t **ret_answer, const char *types, ...)
{
        ExitStatus s;
        va_list ap;

        va_start(ap, types);
        s = ask(bus, method, may_start, signature, ret_answer, types, ap);
        va_end(ap);
        return s;
}

ExitStatus hub_ask(const char *method, bool may_start, const char *signature, json_t **ret_answer,
                   const char *types, ...)
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        ExitStatus s;
        va_list ap;

        s = hub_connect(&bus);
        if (s != CTL_OK)
                return s;
        va_start(ap, types);
        s = ask(bus, method, may_start, signature, ret_answer, types, ap);
        va_end(ap);
        return s;
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
                return hub_read_answer(reply, "a{sv}", ret_properties);
        if (sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
            sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
                *ret_reason = "not running";
                return CTL_UNAVAILABLE;
        }
        if (!sd_bus_error_is_set(&error))
                (void) sd_bus_error_set_errno(&error, r);
        *ret_reason = "no answer";
        return hub_explain(&error, NULL);
}
