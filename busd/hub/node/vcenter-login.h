/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vCenter's login, from its row to a node's request. The password is unsealed here and nowhere else; who sends the body frees
 * it, and jansson wipes what the hub frees.
 */
#pragma once

#include <jansson.h>

typedef struct Secret Secret;

/* row: as store_vcenter_get() answers it. Adds vcenter_host, vcenter_port, vcenter_user, vcenter_password, and pin_sha256 when a
 * certificate is pinned: without, the CAs of the node's system count. -ENOKEY: key is NULL; -EKEYREJECTED: it was sealed with
 * another master key; -EBADMSG: no such row, or damaged. */
int vcenter_login_add(const Secret *key, const json_t *row, json_t *body);
