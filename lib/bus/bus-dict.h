/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The strict reader of `a{sv} options`, with which every mutating method of ours ends. A handler lists
 * what it knows; everything else is refused by name. Does not act and does not log.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

enum {
        BUS_OPTIONS_MAX = 32, /* known to one method, and so given in one call */
        BUS_OPTION_NAME_MAX = 64,
        BUS_OPTION_TEXT_MAX =
                        1024, /* bytes of one text of BUS_OPTION_KEY_TEXTS, _PAIRS and _TEXTS */
};

typedef enum BusOptionType {
        BUS_OPTION_STRING, /* s: const char *, borrowed from the message; max is bytes */
        BUS_OPTION_BOOL, /* b: bool */
        BUS_OPTION_UINT16, /* q: uint16_t; max is the largest value */
        BUS_OPTION_UINT32, /* u: uint32_t; max is the largest value */
        BUS_OPTION_UINT64, /* t: uint64_t; max is the largest value */
        BUS_OPTION_FD, /* h: int, borrowed from the message */
        BUS_OPTION_KEY_TEXTS, /* a{us}: json_t *, an object {"2000": "text"}, the caller's; max is
                                 entries */
        BUS_OPTION_PAIRS, /* a{ss}: json_t *, an object of texts, the caller's; max is entries */
        BUS_OPTION_NUMBERS, /* au: json_t *, an array of numbers, none twice, the caller's; max is entries */
        BUS_OPTION_TEXTS, /* as: json_t *, an array of texts, the caller's; max is entries */
        BUS_OPTION_TYPE_MAX,
        BUS_OPTION_TYPE_INVALID = -22,
} BusOptionType;

typedef struct BusOption {
        const char *name;
        BusOptionType type;
        uint64_t max;
        void *target; /* set when the option was given, untouched otherwise */
        bool *is_given; /* may be NULL */
} BusOption;

/* Reads the dictionary that comes next in message. 0, or a negative errno with error set to
 * UnknownOption (names the key and the known ones) or InvalidArgument (names the key and what would be
 * right); then no target was touched. */
int bus_options_read(sd_bus_message *message, const BusOption *options, size_t n_options,
                     sd_bus_error *error);

/* An option that every method of this program takes, and that another room reads (bus_options_passed()): a text of at most
 * BUS_OPTION_NAME_MAX bytes. name is borrowed for ever; once at the start of a program. */
void bus_options_pass(const char *name);

/* The value of that option, borrowed, from a message whose arguments were read before: it is rewound. *ret_text is NULL when it was
 * not given. */
int bus_options_passed(sd_bus_message *message, const char **ret_text);

/* The same for a method that knows no option yet. */
int bus_options_none(sd_bus_message *message, sd_bus_error *error);
