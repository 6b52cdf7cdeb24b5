/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What --status prints: each migration and where it stands, for people or as JSON. Called by main.c;
 * changes nothing.
 */
#pragma once

#include "plan.h"

#include <stdbool.h>

/* 0, -ENOMEM, or -EIO when stdout cannot be written. */
int status_print(const Plan *plan, const Record *records, size_t n_records,
                 const char *database_name, const char *program_version, bool json);
