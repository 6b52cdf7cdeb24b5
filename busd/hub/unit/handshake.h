/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether an export serves: one NBD handshake with a port of loopback or a unix socket, which shows the
 * export's size and description. systemd's "started" says nothing of the image, and a listener may accept and never answer, so
 * there is a deadline of its own. The job runner calls it. Must not block, and writes nothing.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

typedef struct Handshake Handshake;

typedef struct HandshakeRequest {
        uint16_t port; /* of 127.0.0.1 */
        const char *socket_path; /* borrowed for the call; NULL: the port */
        const char *export_name; /* borrowed for the call */
        uint64_t timeout_usec;
        const char *psk_path; /* borrowed; NULL: without TLS, else the file of the export's key */
} HandshakeRequest;

/* Once, unless it was freed first: 0 with size and description ("" when it has none), which are borrowed;
 * or a negative errno and one line: -ECONNREFUSED: nobody listens; -ETIMEDOUT: no answer in time;
 * -ECONNRESET: closed in the middle; -ENOENT: no such export; -EPROTO: not NBD, or TLS that does not come about. May free the handshake, and
 * the caller must. */
typedef void (*HandshakeDone)(int error, const char *text, uint64_t size_bytes,
                              const char *description, void *userdata);

int handshake_start(sd_event *event, const HandshakeRequest *request, HandshakeDone done,
                    void *userdata, Handshake **ret_handshake);

/* Gives it up when it is not over. NULL. */
Handshake *handshake_free(Handshake *handshake);
