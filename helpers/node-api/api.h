/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The routes of the node's HTTP API: each is one call of com.sendense.Node1.
 */
#pragma once

#include "http/http-route.h"

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

typedef struct Events Events;

/* What handlers get as their userdata. */
typedef struct Api {
        sd_bus *bus;
        Events *waiting; /* streams that have no first answer yet */
} Api;

extern const HttpRoute api_routes[];
extern const size_t api_n_routes;

/* GET …/events, in its own room: the states of a task until its end. */
void api_events(HttpRequest *request, void *userdata);

/* Forgets the streams that wait for a first answer, when no request will be answered any more. */
void api_events_forget(Api *api);

/* The job of the path. 0: none that makes sense; the request is answered then. */
uint64_t api_job(HttpRequest *request);
