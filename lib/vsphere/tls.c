/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * TLS towards vCenter and its hosts (see tls.h). The pin is compared in OpenSSL's own verification step, so a
 * connection to anybody else ends in the handshake.
 */
#include "vsphere/tls.h"

#include "bus/bus-error.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <string.h>

static int digit_of(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int parse_pin(const char *text, size_t size, unsigned char *ret_pin)
{
        for (size_t i = 0; i < size; i++) {
                int high, low;

                if (i > 0 && *text == ':')
                        text++;
                high = digit_of(text[0]);
                low = high < 0 ? -1 : digit_of(text[1]);
                if (low < 0)
                        return -EINVAL;
                ret_pin[i] = (unsigned char) (high * 16 + low);
                text += 2;
        }
        return *text == '\0' ? 0 : -EINVAL;
}

int tls_init(VSphereTls *tls, const char *ca_file, const char *pin)
{
        *tls = (VSphereTls){ .ca_file = ca_file, .is_pinned = pin != NULL };
        return pin ? parse_pin(pin, sizeof(tls->pin), tls->pin) : 0;
}

int tls_pin_sha1(VSphereTls *tls, const char *pin)
{
        *tls = (VSphereTls){ .is_pinned = true, .is_sha1 = true };
        return parse_pin(pin, TLS_SHA1_SIZE, tls->pin);
}

static bool is_the_pinned(const VSphereTls *tls)
{
        return tls->is_sha1 ? memcmp(tls->sha1, tls->pin, sizeof(tls->sha1)) == 0
                            : memcmp(tls->sha256, tls->pin, sizeof(tls->pin)) == 0;
}

static int on_verify(X509_STORE_CTX *store, void *userdata)
{
        VSphereTls *tls = userdata;
        X509 *leaf = X509_STORE_CTX_get0_cert(store);

        tls->is_seen = leaf && X509_digest(leaf, EVP_sha256(), tls->sha256, NULL) == 1 &&
                       X509_digest(leaf, EVP_sha1(), tls->sha1, NULL) == 1;
        if (!tls->is_pinned)
                return X509_verify_cert(store);
        if (tls->is_seen && is_the_pinned(tls)) {
                X509_STORE_CTX_set_error(store, X509_V_OK);
                return 1;
        }
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
        return 0;
}

static CURLcode on_context(CURL *curl, void *context, void *userdata)
{
        (void) curl;
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_cert_verify_callback(context, on_verify, userdata);
        return CURLE_OK;
}

void tls_setup(VSphereTls *tls, CURL *curl)
{
        (void) curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
        (void) curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
        (void) curl_easy_setopt(curl, CURLOPT_PROXY, "");
        (void) curl_easy_setopt(curl, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
        (void) curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        (void) curl_easy_setopt(curl, CURLOPT_VERBOSE, 0L);
        (void) curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
        (void) curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
        (void) curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, tls->is_pinned ? 0L : 1L);
        (void) curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, tls->is_pinned ? 0L : 2L);
        if (tls->ca_file) {
                (void) curl_easy_setopt(curl, CURLOPT_CAINFO, tls->ca_file);
                (void) curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* this CA and no other */
        }
        if (curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, tls) == CURLE_OK &&
            curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, on_context) == CURLE_OK)
                return;
        /* A libcurl that is not on OpenSSL: nobody would look at the pin, so the chain must do. */
        (void) curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
        (void) curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
}

bool tls_explain(const VSphereTls *tls, CURLcode code, const char *reason, const char *host,
                 VSphereError *error)
{
        char pinned[TLS_FINGERPRINT_TEXT_SIZE], seen[TLS_FINGERPRINT_TEXT_SIZE];

        if (code == CURLE_SSL_CACERT_BADFILE) {
                (void) vsphere_error_set(error, BUS_ERROR_CERTIFICATE_INVALID,
                                         "the CA file '%s' cannot be read, or holds no certificate",
                                         tls->ca_file ? tls->ca_file : "of the system");
                return true;
        }
        if (!tls->is_seen || (code != CURLE_PEER_FAILED_VERIFICATION &&
                              code != CURLE_SSL_CONNECT_ERROR && code != CURLE_SSL_CERTPROBLEM))
                return false;
        if (tls->is_sha1 && !is_the_pinned(tls)) {
                (void) vsphere_error_set(error, BUS_ERROR_CERTIFICATE_CHANGED,
                                         "the certificate of %s is not the one that vCenter knows "
                                         "of it",
                                         host);
                return true;
        }
        tls_fingerprint(tls->sha256, sizeof(tls->sha256), seen);
        if (tls->is_pinned && !is_the_pinned(tls)) {
                tls_fingerprint(tls->pin, sizeof(tls->pin), pinned);
                (void) vsphere_error_set(
                                error, BUS_ERROR_CERTIFICATE_CHANGED,
                                "the certificate of %s is not the pinned one: pinned %s, now %s; "
                                "if it was renewed, and the vCenter itself shows this SHA-256, pin "
                                "it: sendensectl vcenter rotate NAME --accept-certificate, or the "
                                "option --vmware-pin-sha256= of a copy by hand",
                                host, pinned, seen);
                return true;
        }
        if (tls->is_pinned || code != CURLE_PEER_FAILED_VERIFICATION)
                return false;
        (void) vsphere_error_set(error, BUS_ERROR_CERTIFICATE_INVALID,
                                 "the certificate of %s cannot be trusted: %s; give the CA that "
                                 "signed it, or pin its SHA-256 %s after comparing it",
                                 host, *reason ? reason : curl_easy_strerror(code), seen);
        return true;
}

void tls_fingerprint(const unsigned char *digest, size_t size,
                     char ret_text[static TLS_FINGERPRINT_TEXT_SIZE])
{
        static const char digits[] = "0123456789ABCDEF";
        char *to = ret_text;

        for (size_t i = 0; i < size && i < TLS_SHA256_SIZE; i++) {
                if (i > 0)
                        *to++ = ':';
                *to++ = digits[digest[i] >> 4];
                *to++ = digits[digest[i] & 15];
        }
        *to = '\0';
}
