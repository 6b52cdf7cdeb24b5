/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verbs of sendense-sshd-config, one a room. Each says itself what is wrong and returns an exit status.
 */
#pragma once

#define PROGRAM "sendense-sshd-config"

typedef struct Files {
        const char *config; /* NULL: hub.conf */
        const char *keys, *tokens;
        const char *notes; /* the folder of notes.h */
} Files;

/* Prints the sshd_config of this hub. */
int verb_config(const Files *files);

/* sshd's AuthorizedKeysCommand: prints the line of who may log in as user with this key, or nothing. */
int verb_keys(const Files *files, const char *user, const char *type, const char *key);

/* Ends the sessions of keys that stand in no file any more. */
int verb_sweep(const Files *files);
