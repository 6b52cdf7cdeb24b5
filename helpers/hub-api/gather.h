/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a watcher wants to know of the hub, asked one after the other in the name of who asks, for /health and /metrics.
 */
#pragma once

#include "hub-task.h"

/* {"status": …, "repositories": […], "nodes": […], "figures": {…}} with the names of JSON, borrowed; what the hub cannot tell without its
 * database is missing. The task is the callee's. */
typedef void (*Gathered)(HubTask *task, const json_t *gathered);

void gather_start(HttpRequest *request, Api *api, Gathered done);
