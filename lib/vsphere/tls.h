/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whom we speak to, decided during the handshake and before a byte of ours is sent: a certificate of the given
 * CA (or the system's) with the name of the host, or one certificate alone, pinned by its SHA-256, of which
 * neither chain nor name are asked then.
 */
#pragma once

#include "vsphere/error.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        TLS_SHA256_SIZE = 32,
        TLS_SHA1_SIZE = 20,
        TLS_FINGERPRINT_TEXT_SIZE = 3 * TLS_SHA256_SIZE, /* "AA:BB:…" with its NUL */
};

/* Must stay where it is as long as a handle uses it. */
typedef struct VSphereTls {
        const char *ca_file; /* NULL: the system's; borrowed */
        bool is_pinned, is_sha1; /* the pin is a SHA-1, as vCenter tells of its hosts */
        unsigned char pin[TLS_SHA256_SIZE];
        bool is_seen; /* the peer has shown a certificate, namely: */
        unsigned char sha256[TLS_SHA256_SIZE];
        unsigned char sha1[TLS_SHA1_SIZE];
} VSphereTls;

/* pin: 32 bytes in hex, with or without colons, or NULL. -EINVAL when it is none. */
int tls_init(VSphereTls *tls, const char *ca_file, const char *pin);

/* Pins another peer by the SHA-1 that vCenter told of it: 20 bytes in hex. -EINVAL when it is none. */
int tls_pin_sha1(VSphereTls *tls, const char *pin);

/* Sets everything of a handle that says to whom it may speak, and how: https only, no proxy, no redirects, no
 * signals, TLS 1.2 or later. */
void tls_setup(VSphereTls *tls, CURL *curl);

/* What it means that curl failed with this, when it was the certificate: sets the error and returns true. reason:
 * libcurl's own words. */
bool tls_explain(const VSphereTls *tls, CURLcode code, const char *reason, const char *host,
                 VSphereError *error);

void tls_fingerprint(const unsigned char *digest, size_t size,
                     char ret_text[static TLS_FINGERPRINT_TEXT_SIZE]);
