/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Exports in a request, and the keys of those that are reached by TLS: {"2000": "nbds://NAME@127.0.0.1:10100/…"} and "nbd_keys":
 * {"2000": "64 hexadecimal digits"}. The keys leave the JSON before anything else is done with it. Pure.
 */
#pragma once

#include "request.h"

/* "nbd://…", "nbd+unix:///…" or "nbds://NAME@…", without what could hide something else; who copies reads it as a whole. */
bool request_export_is_valid(const char *text);
#define REQUEST_EXPORT_MUST "an nbd:// or nbds:// address"

/* Moves "nbd_keys" out of object; NULL when it has none. Whatever it is: request_keys_read() judges. */
json_t *request_keys_take(json_t *object);

/* Of the keys (may be NULL) and the address of each disk, of which each is valid: *ret_lines is what the credential of a unit holds
 * (tls-psk.h), or NULL when no address is one by TLS. -EBADMSG unless each that is has a key, and no other. */
int request_keys_read(const json_t *keys, const json_t *exports, Secret **ret_lines,
                      char ret_error[static REQUEST_ERROR_SIZE]);
