/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One handshake that trusts anybody and sends nothing after it (see certificate.h).
 */
#include "vsphere/certificate.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "utf8.h"
#include "vsphere/transport.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

enum {
        TEXT_SIZE = 512,
        NAMES_MAX = 100,
};

typedef struct Look {
        const char *host;
        json_t *found;
} Look;

static json_t *clean_text(char *text)
{
        utf8_make_line(text);
        return json_string(text);
}

static json_t *name_text(const X509_NAME *name)
{
        char text[TEXT_SIZE] = "";
        BIO *bio = BIO_new(BIO_s_mem());

        if (bio) {
                if (name &&
                    X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
                        (void) BIO_read(bio, text, sizeof(text) - 1);
                (void) BIO_free(bio);
        }
        return clean_text(text);
}

static json_t *time_text(const ASN1_TIME *at)
{
        char text[TEXT_SIZE] = "";
        struct tm tm = {};

        if (at && ASN1_TIME_to_tm(at, &tm) == 1)
                (void) strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
        return json_string(text);
}

static json_t *alternative_name(const GENERAL_NAME *name)
{
        char text[TEXT_SIZE] = "";
        int type;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);

        if (type == GEN_DNS)
                (void) snprintf(text, sizeof(text), "%.*s", ASN1_STRING_length(value),
                                (const char *) ASN1_STRING_get0_data(value));
        else if (type == GEN_IPADD && ASN1_STRING_length(value) == 4) {
                const unsigned char *b = ASN1_STRING_get0_data(value);

                (void) snprintf(text, sizeof(text), "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
        } else if (type == GEN_IPADD && ASN1_STRING_length(value) == 16) {
                const unsigned char *b = ASN1_STRING_get0_data(value);

                for (unsigned i = 0; i < 16; i += 2)
                        (void) snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%x",
                                        i > 0 ? ":" : "", (unsigned) b[i] << 8 | b[i + 1]);
        } else
                return NULL;
        return clean_text(text);
}

static json_t *names_of(X509 *leaf)
{
        GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
        json_t *list = json_array();

        for (int i = 0; names && i < sk_GENERAL_NAME_num(names) && i < NAMES_MAX; i++) {
                json_t *one = alternative_name(sk_GENERAL_NAME_value(names, i));

                if (one)
                        (void) json_array_append_new(list, one);
        }
        GENERAL_NAMES_free(names);
        return list;
}

static json_t *digest_text(X509 *leaf, const EVP_MD *kind)
{
        unsigned char digest[EVP_MAX_MD_SIZE];
        char text[TLS_FINGERPRINT_TEXT_SIZE] = "";
        unsigned size = 0;

        if (X509_digest(leaf, kind, digest, &size) == 1)
                tls_fingerprint(digest, size, text);
        return json_string(text);
}

static const char *why_not(X509_STORE_CTX *store, X509 *leaf, const char *host)
{
        if (X509_verify_cert(store) != 1)
                return X509_verify_cert_error_string(X509_STORE_CTX_get_error(store));
        if (X509_check_host(leaf, host, 0, 0, NULL) != 1 && X509_check_ip_asc(leaf, host, 0) != 1)
                return "the certificate is for other names";
        return NULL;
}

static int on_verify(X509_STORE_CTX *store, void *userdata)
{
        Look *look = userdata;
        X509 *leaf = X509_STORE_CTX_get0_cert(store);
        const char *why = leaf ? why_not(store, leaf, look->host) : "it shows none";

        if (leaf && !look->found)
                look->found = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:s}", "subject",
                                        name_text(X509_get_subject_name(leaf)), "issuer",
                                        name_text(X509_get_issuer_name(leaf)), "names",
                                        names_of(leaf), "not_before",
                                        time_text(X509_get0_notBefore(leaf)), "not_after",
                                        time_text(X509_get0_notAfter(leaf)), "sha256",
                                        digest_text(leaf, EVP_sha256()), "sha1",
                                        digest_text(leaf, EVP_sha1()), "verified", why == NULL,
                                        "why", why ? why : "");
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
}

static CURLcode on_context(CURL *curl, void *context, void *userdata)
{
        (void) curl;
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_cert_verify_callback(context, on_verify, userdata);
        return CURLE_OK;
}

int certificate_get(const char *host, uint16_t port, const char *ca_file, int cancel_fd,
                    json_t **ret, VSphereError *error)
{
        CLEANUP(transport_close) Transport transport = {};
        Look look = { .host = host };
        CURLcode code;
        int r;

        if (tls_init(&transport.tls, ca_file, NULL) < 0)
                return vsphere_error_errno(error, -EINVAL, "Cannot look at a certificate");
        r = transport_open(&transport, host, port, TRANSPORT_CONNECT_SEC, cancel_fd, error);
        if (r < 0)
                return r;
        (void) curl_easy_setopt(transport.curl, CURLOPT_SSL_CTX_FUNCTION, on_context);
        (void) curl_easy_setopt(transport.curl, CURLOPT_SSL_CTX_DATA, &look);
        (void) curl_easy_setopt(transport.curl, CURLOPT_SSL_VERIFYHOST, 0L);
        (void) curl_easy_setopt(transport.curl, CURLOPT_CONNECT_ONLY, 1L);
        (void) curl_easy_setopt(transport.curl, CURLOPT_TIMEOUT, (long) 2 * TRANSPORT_CONNECT_SEC);
        code = curl_easy_perform(transport.curl);
        if (look.found) {
                *ret = look.found;
                return 0;
        }
        if (code == CURLE_ABORTED_BY_CALLBACK)
                return vsphere_error_set(error, BUS_ERROR_CANCELLED, "cancelled");
        return vsphere_error_set(error, BUS_ERROR_VCENTER_UNREACHABLE, "no TLS with %s: %s", host,
                                 transport.message[0] ? transport.message
                                                      : curl_easy_strerror(code));
}
