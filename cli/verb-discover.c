/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl vm discover: the VMs that a vCenter has, what can be backed up of them, and one or all of them entered.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "hub-client.h"
#include "json-cleanup.h"
#include "options.h"

#include <stdio.h>
#include <string.h>

static char *cell_disks(const json_t *object, const char *key)
{
        char text[24];

        (void) snprintf(text, sizeof(text), "%zu", json_array_size(json_object_get(object, key)));
        return strdup(text);
}

/* How much of it a backup would have. */
static char *cell_verdict(const json_t *object, const char *key)
{
        const json_t *disk;
        size_t i, n_full = 0, n_no = 0;

        if (*text_of(object, "Reason"))
                return strdup("no");
        json_array_foreach (json_object_get(object, key), i, disk) {
                n_full += strcmp(text_of(disk, "Verdict"), "full") == 0;
                n_no += strcmp(text_of(disk, "Verdict"), "no") == 0;
        }
        return strdup(n_no > 0 ? "not all disks" : n_full > 0 ? "full" : "incremental");
}

static char *cell_known(const json_t *object, const char *key)
{
        const char *reason = text_of(object, "Reason");

        return *reason ? strdup(reason) : strdup(json_object_get(object, key) ? "yes" : "no");
}

static const Column vm_columns[] = {
        { "NAME", "Name", cell_text, false },
        { "POWER", "PowerState", cell_text, false },
        { "DISKS", "Disks", cell_disks, true },
        { "BACKUP", "Disks", cell_verdict, false },
        { "KNOWN", "ContextId", cell_known, false },
        { "INSTANCE", "InstanceUuid", cell_text, false },
        { "PATH", "Path", cell_text, false },
};

static const Column vm_fields[] = {
        { "Name", "Name", cell_text, false },
        { "Path", "Path", cell_text, false },
        { "Instance", "InstanceUuid", cell_text, false },
        { "Power", "PowerState", cell_text, false },
        { "Context", "ContextId", cell_text, false },
        { "Cannot be entered", "Reason", cell_text, false },
};

static const Column disk_columns[] = {
        { "KEY", "Key", cell_number, true },
        { "LABEL", "Label", cell_text, false },
        { "CAPACITY", "CapacityBytes", cell_bytes, true },
        { "BACKUP", "Verdict", cell_text, false },
        { "BECAUSE", "Reason", cell_text, false },
};

static ExitStatus show_one(const json_t *vm)
{
        ExitStatus s = show_object(vm, vm_fields, ELEMENTSOF(vm_fields));

        if (s != CTL_OK || arg_json)
                return s;
        (void) putchar('\n');
        return show_list(json_object_get(vm, "Disks"), disk_columns, ELEMENTSOF(disk_columns),
                         "It has no disk.");
}

ExitStatus verb_vm_discover(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *list = NULL;
        ExitStatus s;

        if (argc > 1)
                s = hub_ask("DiscoverVms", true, "aa{sv}", &list, "sa{sv}", argv[0], 1, "vm", "s",
                            argv[1]);
        else
                s = hub_ask("DiscoverVms", true, "aa{sv}", &list, "sa{sv}", argv[0], 1, "enter",
                            "b", option_is_given(OPTION_ENTER));
        if (s != CTL_OK)
                return s;
        return argc > 1 ? show_one(json_array_get(list, 0))
                        : show_list(list, vm_columns, ELEMENTSOF(vm_columns),
                                    "This vCenter shows its user no VM.");
}
