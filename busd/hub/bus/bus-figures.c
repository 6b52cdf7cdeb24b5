/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a watcher of the hub counts, on the bus: of the whole database by the store, of this moment from memory. The HTTP API makes
 * health and metrics of it.
 */
#include "bus/bus-call.h"
#include "bus/bus-dict.h"
#include "bus/bus-methods.h"
#include "cleanup.h"
#include "hub-config.h"
#include "job/jobs.h"
#include "manager.h"
#include "store/store-figures.h"

#include <errno.h>

static int answer(Manager *manager, sd_bus_message *call, const json_t *out)
{
        CLEANUP(json_decrefp) json_t *figures = json_deep_copy(out);
        const PortRange *ports = &manager->config->export_ports;

        if (!figures ||
            json_object_set_new(figures, "LeasesMax",
                                json_integer(ports->last - ports->first + 1)) < 0 ||
            json_object_set_new(figures, "JobsOpen",
                                json_integer((json_int_t) jobs_n_open(manager->jobs))) < 0 ||
            json_object_set_new(figures, "DatabaseLosses",
                                json_integer((json_int_t) manager->database.n_losses)) < 0 ||
            job_figures_add(&manager->jobs->figures, figures) < 0)
                return -ENOMEM;
        return bus_reply_dict(call, figures);
}

static int act(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
               sd_bus_error *error)
{
        (void) principal;
        return bus_call_store(manager, call, store_figures, json_incref(request), answer, error);
}

int method_get_figures(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        int r = bus_options_none(call, error);

        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_INSPECT, json_object(), act, error);
}
