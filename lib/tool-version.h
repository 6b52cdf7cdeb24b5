/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Versions of other people's programs, as these say them: "qemu-img version 7.2.22 (Debian …)", "qemu-nbd 7.2.22". Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Whether the first number with a dot in the first line of text is major.minor or more. */
bool tool_version_is_enough(const char *text, uint64_t major, uint64_t minor);
