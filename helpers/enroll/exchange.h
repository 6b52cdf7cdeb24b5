/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The conversation of an enrolment: with the hub's sshd, or, on the hub's own machine, with the hub itself. Both say themselves
 * what goes wrong, where, why and what to do, and return a negative errno then.
 */
#pragma once

#include "answer.h"
#include "bundle.h"
#include "public-key.h"

/* Logs in with the bundle's token and has the hub take a key, which is asked for when the hub has let us in: what a bundle that is good for
 * nothing finds here stays as it is. */
int exchange_ssh(const Bundle *bundle, int (*get_key)(const Bundle *bundle, PublicKey *ret_key),
                 Answer *ret_answer);

/* Asks the hub of this machine, as root. */
int exchange_bus(const Bundle *bundle, Answer *ret_answer);
