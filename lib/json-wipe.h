/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For programs whose JSON may hold a secret: what jansson frees is wiped first.
 */
#pragma once

/* Once, before any other use of jansson in the program. */
void json_wipe_freed(void);
