/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Arguments and cells of the verbs about jobs (see job-words.h).
 */
#include "job-words.h"

#include "cleanup.h"
#include "columns.h"
#include "format.h"
#include "job-types.h"
#include "names.h"
#include "options.h"
#include "parse.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

ExitStatus job_id_parse(const char *text, uint64_t *ret_id)
{
        if (parse_uint64(text, 1, JOB_NUMBER_MAX, ret_id) < 0)
                return complain(CTL_USAGE,
                                "'%s' is no id of a job, which is a number. List the jobs: "
                                "sendensectl job list",
                                text);
        return CTL_OK;
}

ExitStatus limit_parse(uint32_t *ret_limit)
{
        const char *text = option_value(OPTION_LIMIT);
        uint64_t limit = LIST_LIMIT_DEFAULT;

        if (text && parse_uint64(text, 1, LIST_LIMIT_MAX, &limit) < 0)
                return complain(CTL_USAGE, "--limit=%s: must be a number from 1 to %d", text,
                                LIST_LIMIT_MAX);
        *ret_limit = (uint32_t) limit;
        return CTL_OK;
}

void limit_print(const json_t *list, uint32_t limit)
{
        if (!arg_json && json_array_size(list) == limit)
                (void) printf("\nThese are the newest %" PRIu32 "; --limit= shows %s.\n", limit,
                              limit < LIST_LIMIT_MAX ? "more" : "1000 at most");
}

char *cell_job_progress(const json_t *job, const char *key)
{
        uint64_t done = (uint64_t) number_of(job, "BytesDone");
        uint64_t total = (uint64_t) number_of(job, "BytesTotal");
        char *text;

        (void) key;
        if (job_state_from_string(text_of(job, "State")) == JOB_COMPLETED)
                return strdup("100 %");
        if (total == 0)
                return strdup("-");
        return asprintf(&text, "%d %%", (int) ((double) done / (double) total * 100)) < 0 ? NULL
                                                                                          : text;
}

char *cell_job_span(const json_t *job, const char *key)
{
        uint64_t start = (uint64_t) number_of(job, "StartedUSec");
        uint64_t end = (uint64_t) number_of(job, "FinishedUSec");
        char text[FORMAT_SIZE];
        struct timespec now;

        (void) key;
        if (end == 0 && !job_state_is_final(job_state_from_string(text_of(job, "State"))) &&
            clock_gettime(CLOCK_REALTIME, &now) == 0)
                end = (uint64_t) now.tv_sec * USEC_PER_SEC;
        if (start == 0 || end < start)
                return strdup("-");
        return strdup(format_span(end - start, text));
}

char *cell_job_state(const json_t *job, const char *key)
{
        const char *ending = text_of(job, "Ending");
        char *text;

        (void) key;
        if (!*ending || strcmp(ending, text_of(job, "State")) == 0)
                return cell_text(job, "State");
        return asprintf(&text, "%s, then %s", text_of(job, "State"), ending) < 0 ? NULL : text;
}
