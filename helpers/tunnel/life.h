/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signs of life on one SSH session: those of the hub are looked for, and ours are sent, because the hub ends whoever is silent for 24 s.
 * Belongs to a link and its thread.
 */
#pragma once

#include <libssh/libssh.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Life {
        uint64_t asked_usec, heard_usec, heard_bytes;
} Life;

/* Of a session that has just been opened and of which nothing was counted yet. */
void life_begin(Life *life);

/* Asks when it is time. in_bytes: what has come on the session so far; is_held: nothing is read from it now. -ETIMEDOUT: nobody has
 * answered for too long. */
int life_look(Life *life, ssh_session session, uint64_t in_bytes, bool is_held);

/* When to look again. */
uint64_t life_due_usec(const Life *life);
