/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verbs of sendense-backup-client. Each reads its own command line, argv[0] being the verb, and returns the
 * exit status.
 */
#pragma once

int verb_copy(int argc, char *argv[]);
int verb_check(int argc, char *argv[]);
int verb_migrate(int argc, char *argv[]);
