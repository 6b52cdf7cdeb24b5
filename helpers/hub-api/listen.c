/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sockets and certificates (see listen.h).
 */
#include "listen.h"

#include "cleanup.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

enum {
        PEM_MAX = 64 * 1024, /* a chain of certificates */
};

bool listen_is_beyond(int fd)
{
        union {
                struct sockaddr any;
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
                struct sockaddr_storage storage;
        } address = {};
        socklen_t size = sizeof(address);

        if (getsockname(fd, &address.any, &size) < 0)
                return true;
        switch (address.any.sa_family) {
        case AF_UNIX:
                return false;
        case AF_INET:
                return ntohl(address.in.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET;
        case AF_INET6:
                return !IN6_IS_ADDR_LOOPBACK(&address.in6.sin6_addr);
        default:
                return true;
        }
}

int listen_read_tls(Secret **ret_certificate, Secret **ret_key)
{
        CLEANUP(secret_free_p) Secret *certificate = NULL;
        int r;

        r = secret_read_credential("tls-certificate", PEM_MAX, &certificate);
        if (r >= 0)
                r = secret_read_credential("tls-key", PEM_MAX, ret_key);
        if (r < 0)
                return r;
        *ret_certificate = TAKE(certificate);
        return 0;
}
