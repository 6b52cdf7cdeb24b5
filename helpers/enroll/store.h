/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The node's files (lib/node-files.h) as an enrolment writes them: each by a new one that is renamed, in an order that a crash at any
 * time leaves for a repeat to mend. Everything says itself what is wrong.
 */
#pragma once

#include "answer.h"
#include "bundle.h"
#include "public-key.h"

#include <stdbool.h>

typedef struct Store {
        bool has_key; /* there is a tunnel's key */
        bool has_new_key; /* an enrolment was begun and not ended */
        bool has_hub; /* a hub may ask the node's API */
} Store;

/* From here to the end of the process nobody else enrols this machine. -EBUSY: somebody does. */
int store_lock(int *ret_fd);

int store_look(Store *ret_store);

/* The key of this enrolment: that of one that was begun, or a new one. */
int store_new_key(PublicKey *ret_key);

/* The same where there is no key: that one was begun. */
int store_no_key(void);

/* What the hub answered, the key last. */
int store_answer(const Bundle *bundle, const Answer *answer);

/* The last step: nothing is left to be mended. */
int store_end(void);
