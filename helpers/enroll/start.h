/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an enrolment enables and starts: the node, its API, and the tunnel with the settings that were just written.
 */
#pragma once

#include <stdbool.h>

/* Waits until all are up. Negative after saying what is wrong; for a tunnel that does not come up, its preflight says it. */
int start_node(bool with_tunnel);
