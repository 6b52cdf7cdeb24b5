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
        bool is_begun; /* an enrolment with this bundle was begun and not ended */
        bool is_begun_by_other; /* the same of another bundle */
        bool has_hub; /* a hub may ask the node's API */
} Store;

/* From here to the end of the process nobody else enrols this machine. -EBUSY: somebody does. */
int store_lock(int *ret_fd);

int store_look(const Bundle *bundle, Store *ret_store);

/* The key of this enrolment: that of one that was begun with the same bundle, or a new one. */
int store_new_key(const Bundle *bundle, PublicKey *ret_key);

/* The same where there is no key: that one was begun. */
int store_no_key(const Bundle *bundle);

/* What the hub answered, the key last. */
int store_answer(const Bundle *bundle, const Answer *answer);

/* The last step: nothing is left to be mended. */
int store_end(void);
