/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What nbdkit and its plugin write on stderr, kept as the one line that says why: the last that calls itself
 * an error, else the last one. Nothing of a password, no control character and no line of any length
 * gets through. Pure.
 */
#pragma once

#include <stddef.h>

typedef struct NbdkitSaid NbdkitSaid;
typedef struct Secret Secret;

/* The password (NULL: none) is copied. */
int nbdkit_said_new(const Secret *password, NbdkitSaid **ret_said);
NbdkitSaid *nbdkit_said_free(NbdkitSaid *said);

/* The next piece, cut anywhere; 0 bytes are the end of all. */
void nbdkit_said_add(NbdkitSaid *said, const char *data, size_t size);

/* Borrowed until the next call; "" while nothing was said. */
const char *nbdkit_said_last(const NbdkitSaid *said);
