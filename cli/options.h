/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options of sendensectl: one table with their words, read by getopt, checked against what the verb
 * knows, shown by --help. Values live as long as argv.
 */
#pragma once

#include "ctl.h"

#include <stddef.h>
#include <stdint.h>

enum {
        OPTION_REPEATS_MAX = 256, /* given in one call; a VM has fewer disks */
};

/* Reads argv, leaving the words that are no option from *ret_first on. CTL_USAGE after a complaint. */
ExitStatus options_parse(int argc, char *argv[], int *ret_first);

/* Complains when an option was given that the verb does not know. */
ExitStatus options_check(const Verb *verb);

/* NULL when the option was not given; the i-th value of one that may be repeated. */
bool option_is_given(Option option);
const char *option_value(Option option);
const char *option_nth(Option option, size_t i);

/* Lines for --help: all options, or those that a verb knows. */
void options_print(const Verb *verb);
