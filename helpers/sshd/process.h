/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The processes of a unit, as /proc shows them, and their end. For `sweep` alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Process {
        pid_t pid, parent, session;
        uid_t uid;
        char name[16];
        bool is_session; /* of sshd, by its title: neither one that has rights, nor what that has forked and makes another program */
        uint64_t start_ticks;
        uint64_t start_usec; /* CLOCK_BOOTTIME, rounded down */
} Process;

typedef struct ProcessList {
        Process *items;
        size_t n;
} ProcessList;

void process_list_done(ProcessList *list);

/* Those of the unit's cgroup. */
int process_list_read(const char *unit, ProcessList *ret_list);

/* Whether p is the leader, in his session, or a descendant of such a one. */
bool process_is_below(const ProcessList *list, const Process *p, const Process *leader);

/* Kills exactly that process and waits until it is gone. 0 also when it was gone before; -ETIMEDOUT. */
int process_end(const Process *p);
