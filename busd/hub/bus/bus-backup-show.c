/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One backup on the bus: what its job says, and what that does now.
 */
#include "bus/bus-call.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-job.h"
#include "bus/bus-methods.h"
#include "cleanup.h"
#include "manager.h"
#include "names.h"
#include "store/store-backup.h"

#include <errno.h>

static int answer(Manager *manager, sd_bus_message *call, const json_t *out)
{
        CLEANUP(json_decrefp) json_t *row = json_deep_copy(out);

        if (!row)
                return -ENOMEM;
        bus_job_add_live(manager->jobs, row);
        return bus_reply_dict(call, row);
}

static int act(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
               sd_bus_error *error)
{
        (void) principal;
        return bus_call_store(manager, call, store_backup_get, json_incref(request), answer, error);
}

int method_get_backup(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *id;
        int r;

        r = sd_bus_message_read(call, "s", &id);
        if (r >= 0)
                r = bus_options_none(call, error);
        if (r < 0)
                return r;
        return bus_call_check(userdata, call, ACTION_INSPECT,
                              json_pack("{s:s}", "BackupId", backup_id_is_valid(id) ? id : ""), act,
                              error);
}
