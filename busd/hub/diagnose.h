/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What `sendensectl doctor` shows: one verdict for each thing that must be right before a backup can
 * work, with what to do about it. Asks systemd where it must, and answers when all are known.
 */
#pragma once

#include <jansson.h>

typedef struct Manager Manager;

/* rows: {Check, Verdict "ok|warning|bad", Text, Remedy?}; repositories is the list with its health.
 * Borrowed. */
typedef void (*DiagnoseDone)(const json_t *rows, void *userdata);

int diagnose(Manager *manager, const json_t *repositories, const json_t *policies,
             DiagnoseDone done, void *userdata);
