/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options that the lists have in common: how many, from where on, and what they are narrowed to.
 */
#pragma once

#include <jansson.h>
#include <systemd/sd-bus.h>

enum {
        LIST_LIMIT_DEFAULT = 100,
        LIST_LIMIT_MAX = 1000,
        LIST_FILTER_MAX = 255, /* bytes */
};

typedef enum ListFilter {
        LIST_BY_STATE = 1 << 0,
        LIST_BY_VM = 1 << 1,
        LIST_BY_REPOSITORY = 1 << 2,
        LIST_IS_WHOLE = 1 << 3, /* no filter: without a limit it is all there is */
} ListFilter;

/* Reads the options of a list; filters are the ListFilter it has. *ret_request is {Limit?, After?,
 * State?, Vm?, Repository?} and the caller's. */
int bus_list_read(sd_bus_message *call, unsigned filters, json_t **ret_request,
                  sd_bus_error *error);
