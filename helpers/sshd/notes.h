/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who asked for which key: one small file for each process of sshd, named by its number, one line a key:
 * "USEC USER TYPE KEY". Written before the nodes' files are read, so that whoever reads the notes after these files changed finds
 * every session that an older file let in. A line belongs to the process of that number that was there when it was written
 * (CLOCK_BOOTTIME); if the one of today is younger, it is another.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NOTES_FOLDER "/run/sendense-sshd-sessions"

enum {
        NOTES_KEYS_MAX = 32, /* in one session; sshd ends it long before */
        NOTE_LINE_MAX = 4096 + 128,
        NOTE_USER_MAX = 32,
};

typedef struct NoteLine {
        uint64_t usec;
        const char *user, *type, *key;
} NoteLine;

/* Adds a line to the note of process pid. Notes of processes that are gone go. -E2BIG: too many keys. */
int note_add(const char *folder, pid_t pid, const char *user, const char *type, const char *key);

/* Takes that line back: the key lets nobody in. */
int note_drop(const char *folder, pid_t pid, const char *user, const char *type, const char *key);

/* Calls back for each line of pid's note that is not older than since_usec. 0, or what the callback returned below 0; -ENOENT:
 * there is no note; -EBADMSG: one that nobody understands. */
typedef int (*NoteSeen)(const NoteLine *line, void *userdata);
int note_read(const char *folder, pid_t pid, uint64_t since_usec, NoteSeen seen, void *userdata);

void note_remove(const char *folder, pid_t pid);

/* Forgets those of processes that are gone. */
void notes_clean(const char *folder);
