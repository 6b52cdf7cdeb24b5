/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Applies what is missing, statement by statement, each one counted in the database, so that a run
 * that dies anywhere is taken up by the next. Logs what it did and what failed. Called by main.c,
 * which holds the lock.
 */
#pragma once

#include "plan.h"
#include "server.h"

/* Whether this program's own migrations follow the rules; logs which does not. -EBADMSG. */
int apply_check(void);

/* Makes the database and the table of the books, if they are missing, and chooses the database.
 * -EUCLEAN: it holds tables, and they are not ours. */
int apply_prepare(Server *server);

/* Applies everything from plan->first on. */
int apply_plan(Server *server, const Plan *plan, const char *program_version);
