/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attempts (see node-attempt.h).
 */
#include "node/node-attempt.h"

#include "parse.h"

/* 2020-01-01: a node takes attempts up to 2^31 - 1, which is a second of 2088. */
#define ATTEMPTS_BEGIN_SEC UINT64_C(1577836800)

uint64_t node_attempt(uint64_t created_usec, uint64_t attempt)
{
        uint64_t made_sec = created_usec / USEC_PER_SEC;

        return (made_sec > ATTEMPTS_BEGIN_SEC ? made_sec - ATTEMPTS_BEGIN_SEC : 0) + attempt;
}
