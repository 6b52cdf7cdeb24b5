/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Private keys as OpenSSH writes them: what libssh, ssh and sendense-tunnel read. Pure.
 */
#pragma once

#include "public-key.h"
#include "secret.h"

/* The file of the key with this seed, without a passphrase. */
int key_file_format(const unsigned char seed[static PUBLIC_KEY_SEED_SIZE], Secret **ret_text);
