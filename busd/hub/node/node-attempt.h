/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which job a node is told of. It knows the numbers of some hundred jobs, and a catalog that was lost or put back begins again with
 * numbers of before. So what tells a node which job it is includes when it was made: a later job of the same number is to the node a
 * later attempt, whatever version it is of. Pure.
 */
#pragma once

#include <stdint.h>

uint64_t node_attempt(uint64_t created_usec, uint64_t attempt);
