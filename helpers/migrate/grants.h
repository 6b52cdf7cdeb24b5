/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hub's user in MariaDB and its rights: rows, never tables. Compared first and changed only
 * where they differ, so that a second run writes nothing. Called by main.c after the migrations.
 */
#pragma once

#include "server.h"

/* Makes the user when it is missing. -EUCLEAN: there is one, and it logs in another way. Positive:
 * something was changed. Logs what it did and what failed. */
int grants_apply(Server *server);
