/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs that were begun (see job-begun.h).
 */
#include "job-begun.h"

#include "columns.h"
#include "job-watch.h"
#include "names.h"
#include "parse.h"

#include <inttypes.h>
#include <string.h>

#define JOB_PATH_PREFIX HUB_BUS_PATH "/job/"

ExitStatus job_number(const json_t *path, uint64_t *ret_id)
{
        const char *text = json_string_value(path) ?: "";

        if (strncmp(text, JOB_PATH_PREFIX, strlen(JOB_PATH_PREFIX)) == 0 &&
            parse_uint64(text + strlen(JOB_PATH_PREFIX), 1, JOB_NUMBER_MAX, ret_id) >= 0)
                return CTL_OK;
        return complain(CTL_FAILED,
                        "the hub's answer cannot be read: %s is no job. Compare: sendensectl "
                        "version",
                        text);
}

ExitStatus job_begun(json_t *path, bool is_awaited)
{
        uint64_t id = 0;
        ExitStatus s = job_number(path, &id);

        if (s != CTL_OK)
                return s;
        if (is_awaited)
                return job_watch(id);
        return show_act("Job", json_incref(path),
                        "job %" PRIu64 ". Watch it: sendensectl job watch %" PRIu64, id, id);
}
