/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chains on the bus: which layers a VM's backups are made of, and the deletion of a backup.
 */
#include "bus/bus-begin.h"
#include "bus/bus-call.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-methods.h"
#include "cleanup.h"
#include "manager.h"
#include "store/store-delete.h"

#include <string.h>

enum {
        NAME_MAX_BYTES = 255,
        LAYERS_DEFAULT = 10000,
        LAYERS_MAX = 20000, /* a message of the bus has its limit */
};

int method_delete_backup(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        bool force = false;
        const BusOption options[] = { { "force", BUS_OPTION_BOOL, 0, &force, NULL } };
        const char *backup_id;
        int r;

        r = sd_bus_message_read(call, "s", &backup_id);
        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        return bus_begin_work(userdata, call, ACTION_DELETE, JOB_DELETE, backup_id,
                              json_pack("{s:b}", "force", (int) force), NULL, error);
}

static int answer_chain(Manager *manager, sd_bus_message *call, const json_t *out)
{
        (void) manager;
        return bus_reply_dicts(call, json_object_get(out, "Layers"));
}

static int act_chain(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                     sd_bus_error *error)
{
        (void) principal;
        return bus_call_store(manager, call, store_chain_get, json_incref(request), answer_chain,
                              error);
}

int method_get_chain(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        uint32_t limit = LAYERS_DEFAULT;
        const BusOption options[] = { { "limit", BUS_OPTION_UINT32, LAYERS_MAX, &limit, NULL } };
        const char *vm;
        int r;

        r = sd_bus_message_read(call, "s", &vm);
        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        if (*vm == '\0' || strlen(vm) > NAME_MAX_BYTES)
                return bus_error_setf(
                                error, BUS_ERROR_INVALID_ARGUMENT,
                                "Argument vm must be a name, context id or instance UUID of 1 "
                                "to %d bytes",
                                NAME_MAX_BYTES);
        return bus_call_check(userdata, call, ACTION_INSPECT,
                              json_pack("{s:s, s:I}", "Vm", vm, "Limit", (json_int_t) limit),
                              act_chain, error);
}
