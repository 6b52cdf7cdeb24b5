/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which user speaks for others. manager.c tells it to what decides about calls.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

bool bus_session_speaks_for_others(uint32_t uid);
