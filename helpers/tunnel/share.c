/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The share of one link (see share.h).
 */
#include "share.h"

#include "parse.h"

static size_t held(Flow *const *flows, size_t n_flows)
{
        size_t n = 0;

        for (size_t i = 0; i < n_flows; i++)
                n += flow_held(flows[i]);
        return n;
}

/* The one that stands still for the longest. */
static Flow *find_still(Flow *const *flows, size_t n_flows)
{
        uint64_t longest = UINT64_MAX;
        Flow *still = NULL;

        for (size_t i = 0; i < n_flows; i++) {
                uint64_t since = flow_still_usec(flows[i]);

                if (since < longest) {
                        longest = since;
                        still = flows[i];
                }
        }
        return still;
}

unsigned share_bound(Flow *const *flows, size_t n_flows, uint64_t hold_usec, uint64_t now_usec,
                     bool *is_full)
{
        unsigned n = 0;
        Flow *still;

        *is_full = held(flows, n_flows) > (*is_full ? SHARE_ENOUGH : SHARE_MAX);
        for (size_t i = 0; *is_full && i < n_flows; i++)
                flow_look(flows[i]);
        while (*is_full && (still = find_still(flows, n_flows)) &&
               now_usec >= flow_still_usec(still) + hold_usec) {
                still->state = FLOW_OVER;
                *is_full = held(flows, n_flows) > SHARE_ENOUGH;
                n++;
        }
        return n;
}

uint64_t share_due_usec(Flow *const *flows, size_t n_flows, uint64_t hold_usec, uint64_t now_usec)
{
        const Flow *still = find_still(flows, n_flows);
        uint64_t due, look = now_usec + SHARE_LOOK_MSEC * USEC_PER_MSEC;

        if (!still)
                return UINT64_MAX;
        due = flow_still_usec(still) + hold_usec;
        return due < look ? due : look;
}
