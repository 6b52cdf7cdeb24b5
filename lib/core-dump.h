/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For programs through whose memory passwords go: no core dump of them, or of what they start, holds any memory,
 * whatever the limits of their unit say. Memory of a Secret is kept out of dumps anyway; that of libraries is not.
 */
#pragma once

/* Call it first in main(), before a secret is read. It cannot be taken back, and children inherit what they can: the limit
 * and the filter. One that may not be set is ignored, as the next one holds too. */
void core_dump_never(void);
