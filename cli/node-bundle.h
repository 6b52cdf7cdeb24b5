/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a bundle is made of at the hub: a one-time key that is made here, what hub.conf says, the hub's host key. Nothing secret
 * leaves this process but in the bundle.
 */
#pragma once

#include "bundle.h"
#include "ctl.h"

#include <jansson.h>

/* Fills hub, ssh_port, host_key, ports and seed, and for nobody but the caller *ret_token, the public half of the seed as text; a
 * local bundle gets none of them, and "". Complains. */
ExitStatus node_bundle_prepare(Bundle *bundle, const char *name, bool local,
                               char ret_token[static PUBLIC_KEY_TEXT_SIZE]);

/* After the hub has the token: prints the bundle, or writes it to --output=. node is what the hub says of it. Complains. */
ExitStatus node_bundle_give(Bundle *bundle, const json_t *node);
