/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Options of lists (see bus-list.h).
 */
#include "bus/bus-list.h"

#include "bus/bus-call.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "job-types.h"

#include <errno.h>

int bus_list_read(sd_bus_message *call, unsigned filters, json_t **ret_request, sd_bus_error *error)
{
        CLEANUP(json_decrefp) json_t *request = NULL;
        const char *state = NULL, *vm = NULL, *repository = NULL;
        uint32_t limit = filters & LIST_IS_WHOLE ? UINT32_MAX : LIST_LIMIT_DEFAULT;
        uint64_t after = 0;
        BusOption options[5] = {
                { "limit", BUS_OPTION_UINT32, LIST_LIMIT_MAX, &limit, NULL },
                { "after", BUS_OPTION_UINT64, INT64_MAX, &after, NULL },
        };
        size_t n = 2;
        int r;

        if (filters & LIST_BY_STATE)
                options[n++] = (BusOption){ "state", BUS_OPTION_STRING, LIST_FILTER_MAX, &state,
                                            NULL };
        if (filters & LIST_BY_VM)
                options[n++] = (BusOption){ "vm", BUS_OPTION_STRING, LIST_FILTER_MAX, &vm, NULL };
        if (filters & LIST_BY_REPOSITORY)
                options[n++] = (BusOption){ "repository", BUS_OPTION_STRING, LIST_FILTER_MAX,
                                            &repository, NULL };
        r = bus_options_read(call, options, n, error);
        if (r < 0)
                return r;
        if (limit == 0)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option limit must be from 1 to %d", LIST_LIMIT_MAX);
        if (state && job_state_from_string(state) == JOB_STATE_INVALID)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option state must be a state of a job, such as copying or "
                                      "completed");
        request = json_object();
        if (!request)
                return -ENOMEM;
        if (limit <= LIST_LIMIT_MAX)
                r = json_object_set_new(request, "Limit", json_integer((json_int_t) limit));
        if (r >= 0 && after > 0)
                r = json_object_set_new(request, "After", json_integer((json_int_t) after));
        if (r >= 0)
                r = request_add_text(request, "State", state);
        if (r >= 0)
                r = request_add_text(request, "Vm", vm);
        if (r >= 0)
                r = request_add_text(request, "Repository", repository);
        if (r < 0)
                return -ENOMEM;
        *ret_request = TAKE(request);
        return 0;
}
