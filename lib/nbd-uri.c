/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reader of NBD URIs (see nbd-uri.h).
 */
#include "nbd-uri.h"

#include "parse.h"
#include "utf8.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int hex_value(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes %xx up to end. */
static int decode(const char *text, const char *end, char *ret_text, size_t size)
{
        size_t n = 0;

        while (text < end) {
                unsigned char c = (unsigned char) *text++;

                if (c == '%') {
                        int high = text < end ? hex_value(text[0]) : -1;
                        int low = high >= 0 && text + 1 < end ? hex_value(text[1]) : -1;

                        if (low < 0)
                                return -EINVAL;
                        c = (unsigned char) (high * 16 + low);
                        text += 2;
                } else if (c <= ' ' || c >= 0x7f || strchr("?#&\"<>\\^`{|}", c))
                        return -EINVAL;
                if (c < ' ' || c == 0x7f || n + 1 >= size)
                        return -EINVAL;
                ret_text[n++] = (char) c;
        }
        ret_text[n] = '\0';
        return utf8_is_valid(ret_text) ? 0 : -EINVAL;
}

static int copy_host(const char *text, size_t length, NbdUri *uri)
{
        if (length < 1 || length >= sizeof(uri->host))
                return -EINVAL;
        memcpy(uri->host, text, length);
        uri->host[length] = '\0';
        return 0;
}

/* Sets *ret_rest behind the host. */
static int parse_host(const char *text, NbdUri *uri, const char **ret_rest)
{
        struct in6_addr address;
        const char *end = text;
        int r;

        if (*text == '[') {
                end = strchr(text, ']');
                if (!end)
                        return -EINVAL;
                r = copy_host(text + 1, (size_t) (end - text - 1), uri);
                if (r < 0 || inet_pton(AF_INET6, uri->host, &address) != 1)
                        return -EINVAL;
                *ret_rest = end + 1;
                return 0;
        }
        while (isascii(*end) && (isalnum((unsigned char) *end) || *end == '.' || *end == '-'))
                end++;
        *ret_rest = end;
        return *text == '-' || *text == '.' ? -EINVAL : copy_host(text, (size_t) (end - text), uri);
}

static int parse_port_part(const char *text, NbdUri *uri, const char **ret_rest)
{
        size_t length = strspn(text, "0123456789");
        uint16_t port;

        if (length < 1 || length >= sizeof(uri->port))
                return -EINVAL;
        memcpy(uri->port, text, length);
        uri->port[length] = '\0';
        *ret_rest = text + length;
        return parse_port(uri->port, &port);
}

static int parse_tcp(const char *text, NbdUri *uri)
{
        int r;

        (void) snprintf(uri->port, sizeof(uri->port), "%i", NBD_PORT);
        r = parse_host(text, uri, &text);
        if (r >= 0 && *text == ':')
                r = parse_port_part(text + 1, uri, &text);
        if (r < 0 || *text != '/')
                return -EINVAL;
        text++;
        return decode(text, text + strlen(text), uri->export_name, sizeof(uri->export_name));
}

static int parse_unix(const char *text, NbdUri *uri)
{
        const char *question = strchr(text, '?');
        int r;

        if (!question || strncmp(question, "?socket=", 8) != 0)
                return -EINVAL;
        r = decode(text, question, uri->export_name, sizeof(uri->export_name));
        if (r >= 0)
                r = decode(question + 8, question + strlen(question), uri->socket,
                           sizeof(uri->socket));
        return r < 0 || *uri->socket != '/' ? -EINVAL : 0;
}

static int parse_tls(const char *text, NbdUri *uri)
{
        const char *at = strchr(text, '@');
        size_t length = at ? (size_t) (at - text) : 0;

        if (length < 1 || length >= sizeof(uri->tls_name))
                return -EINVAL;
        memcpy(uri->tls_name, text, length);
        uri->tls_name[length] = '\0';
        return tls_psk_name_is_fine(uri->tls_name) ? parse_tcp(at + 1, uri) : -EINVAL;
}

bool nbd_uri_is_same(const NbdUri *a, const NbdUri *b)
{
        return strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0 &&
               strcmp(a->socket, b->socket) == 0 && strcmp(a->export_name, b->export_name) == 0;
}

static int parse(const char *text, bool with_tls, NbdUri *ret_uri)
{
        NbdUri uri = {};
        int r = -EINVAL;

        if (strnlen(text, NBD_URI_SIZE) >= NBD_URI_SIZE)
                return -EINVAL;
        if (strncmp(text, "nbd://", 6) == 0)
                r = parse_tcp(text + 6, &uri);
        else if (with_tls && strncmp(text, "nbds://", 7) == 0)
                r = parse_tls(text + 7, &uri);
        else if (strncmp(text, "nbd+unix:///", 12) == 0)
                r = parse_unix(text + 12, &uri);
        if (r < 0)
                return -EINVAL;
        *ret_uri = uri;
        return 0;
}

int nbd_uri_parse(const char *text, NbdUri *ret_uri)
{
        return parse(text, false, ret_uri);
}

int nbd_uri_parse_tls(const char *text, NbdUri *ret_uri)
{
        return parse(text, true, ret_uri);
}
