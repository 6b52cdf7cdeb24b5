/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What sendensectl doctor finds out about the node of this machine.
 */
#pragma once

#include <jansson.h>

/* Adds verdicts like those of the hub's Diagnose (Check, Verdict, Text, Remedy) to the list: settings, tokens, and what a
 * copy needs. 0, or -ENOMEM. */
int doctor_node(json_t *verdicts);
