/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * More at once out of the socket of an SSH session than libssh asks for. libssh reads 4 KiB at a time and calls poll() before each,
 * and neither can be set: half a million system calls for a GiB, which were a third of the time that the tunnel needed for it.
 * So the program has a recv() and a poll() of its own, which libssh calls instead of those of the C library. They differ from
 * those for one socket of each thread alone. A libssh that calls others is slower, and cannot be kept from reading.
 */
#pragma once

#include <stdbool.h>

/* For the calling thread, which alone reads that socket. Ends when begun for another one. */
void read_ahead_begin(int fd);

/* What was read and not yet asked for is lost. */
void read_ahead_end(void);

/* From now on nothing is said to have come for that socket, and nothing is read from it, until it is told that it may again. */
void read_ahead_hold(bool hold);
