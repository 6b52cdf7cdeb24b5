/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the methods for vCenters have in common: bus-vcenter.c shows, asks and forgets, bus-vcenter-login.c takes passwords,
 * bus-discover.c finds VMs.
 */
#pragma once

#include "bus/bus-call.h"
#include "node/vcenter-ask.h"
#include "store/store-call.h"

#include <jansson.h>
#include <stdint.h>

enum {
        VCENTER_NAME_MAX = 64, /* bytes, as the columns have it */
        VCENTER_USER_MAX = 255,
        VCENTER_PORT = 443,
};

/* The first argument, a vCenter's name or id. */
int bus_vcenter_read(sd_bus_message *call, const char **ret_vcenter, sd_bus_error *error);

int bus_vcenter_check_name(const char *name, sd_bus_error *error);
int bus_vcenter_check_host(const char *host, uint16_t port, sd_bus_error *error);

/* The id of the node that the request's Node names; 0 when it names none. NotFound also for one that is not enrolled. */
int bus_vcenter_node(const Manager *manager, const json_t *request, uint64_t *ret_id,
                     sd_bus_error *error);

/* Hands a copy of request to the store; answer has a BusWait with the request as its userdata. */
int bus_vcenter_begin(Manager *manager, sd_bus_message *call, json_t *request, StoreWork work,
                      StoreAnswer answer, sd_bus_error *error);

/* Asks with the login of row, at the row's node; more (may be NULL) is merged into the question. When there is no way to, the wait is
 * ended with an error: negative then, and answered is not called. */
int bus_vcenter_ask(BusWait *wait, const json_t *row, const char *question, const json_t *more,
                    VcenterAnswered answered, void *userdata);

/* For journal lines: "vCenter NAME WHAT by PRINCIPAL". */
void bus_vcenter_log(const BusWait *wait, const char *vcenter, const char *what);

/* After the answer was sent, r of sd-bus. */
void bus_vcenter_end(BusWait *wait, int r);
