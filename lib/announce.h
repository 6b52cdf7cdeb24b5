/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How far a copy is, told to who looks: numbers of each disk by datagrams to the daemon (lib/progress),
 * one line for `systemctl status`. Nobody needs to listen, and nothing waits for them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct Announcer {
        const char *path; /* of the daemon's socket; NULL: no datagrams */
        int fd;
        uint64_t job;
        uint64_t status_usec; /* when the last line was told */
} Announcer;

/* What was last told of a disk. Starts zeroed. */
typedef struct Announced {
        uint64_t at_usec;
        uint64_t bytes_done;
} Announced;

/* path is borrowed. A socket that cannot be made is a reason to be silent, not to fail. */
void announcer_init(Announcer *announcer, const char *path, uint64_t job);
void announcer_done(Announcer *announcer);

/* Tells how far a disk is, at most twice a second: when it has come further, and now and then anyway, for
 * a daemon that was started meanwhile. is_final: the last word, which is told in any case. */
void announce_disk(const Announcer *announcer, Announced *announced, uint32_t disk_key,
                   uint64_t bytes_done, uint64_t bytes_total, bool is_final);

/* Tells the line, at most once a second. */
void announce_status(Announcer *announcer, const char *line);
