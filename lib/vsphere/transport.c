/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * HTTPS to one vCenter by one libcurl handle (see transport.h).
 */
#include "vsphere/transport.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "host-name.h"
#include "parse.h"
#include "text.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

static bool is_cancelled(const Transport *transport)
{
        struct pollfd fd = { .fd = transport->cancel_fd, .events = POLLIN };

        return transport->cancel_fd > 0 && poll(&fd, 1, 0) > 0;
}

static int on_progress(void *userdata, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
        Transport *transport = userdata;
        uint64_t now = clock_monotonic_usec();

        (void) down_total;
        (void) down;
        (void) up_total;
        (void) up;
        if (!is_cancelled(transport))
                return 0;
        if (transport->cancelled_usec == 0)
                transport->cancelled_usec = now;
        return !transport->is_patient ||
               now - transport->cancelled_usec > TRANSPORT_PATIENCE_SEC * USEC_PER_SEC;
}

/* Bytes that are never acknowledged, because the peer has gone without a word, end the connection. */
static int on_socket(void *userdata, curl_socket_t fd, curlsocktype purpose)
{
        unsigned msec = 2 * TRANSPORT_CONNECT_SEC * 1000;

        (void) userdata;
        (void) purpose;
        (void) setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &msec, sizeof(msec));
        return CURL_SOCKOPT_OK;
}

void transport_set_haste(Transport *transport, bool is_hasty)
{
        unsigned connect_sec = is_hasty ? TRANSPORT_HASTE_CONNECT_SEC : TRANSPORT_CONNECT_SEC;
        unsigned stall_sec = is_hasty && transport->stall_sec > TRANSPORT_HASTE_STALL_SEC
                                             ? TRANSPORT_HASTE_STALL_SEC
                                             : transport->stall_sec;

        (void) curl_easy_setopt(transport->curl, CURLOPT_CONNECTTIMEOUT, (long) connect_sec);
        (void) curl_easy_setopt(transport->curl, CURLOPT_LOW_SPEED_TIME, (long) stall_sec);
}

static void set_options(Transport *transport, const char *url)
{
        CURL *curl = transport->curl;

        tls_setup(&transport->tls, curl);
        (void) curl_easy_setopt(curl, CURLOPT_URL, url);
        (void) curl_easy_setopt(curl, CURLOPT_HTTPHEADER, transport->headers);
        (void) curl_easy_setopt(curl, CURLOPT_COOKIEFILE, "");
        (void) curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transport->message);
        (void) curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        transport_set_haste(transport, false);
        (void) curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
        (void) curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, 20L);
        (void) curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, 10L);
        (void) curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, on_socket);
        (void) curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
        (void) curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
        (void) curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transport);
}

int transport_open(Transport *transport, const char *host, uint16_t port, unsigned stall_sec,
                   int cancel_fd, VSphereError *error)
{
        static const char *const headers[] = {
                "Content-Type: text/xml; charset=utf-8",
                "SOAPAction: \"urn:vim25/6.5\"", /* the first with NVMe controllers */
                "Expect:",
        };
        _cleanup_free_ char *url = NULL;

        if (!host_name_is_valid(host))
                return vsphere_error_set(error, BUS_ERROR_INVALID_ARGUMENT,
                                         "'%s' is no name and no address of a vCenter", host);
        transport->cancel_fd = cancel_fd;
        transport->host = strdup(host);
        transport->curl = curl_easy_init();
        url = text_format(strchr(host, ':') ? "https://[%s]:%u/sdk" : "https://%s:%u/sdk", host,
                          port > 0 ? (unsigned) port : 443U);
        for (size_t i = 0; i < ELEMENTSOF(headers); i++) {
                struct curl_slist *list = curl_slist_append(transport->headers, headers[i]);

                if (!list)
                        return vsphere_error_errno(error, -ENOMEM, "Cannot reach vCenter");
                transport->headers = list;
        }
        if (!transport->curl || !url || !transport->host)
                return vsphere_error_errno(error, -ENOMEM, "Cannot reach vCenter");
        transport->stall_sec = stall_sec > 0 ? stall_sec : TRANSPORT_STALL_SEC;
        set_options(transport, url);
        return 0;
}

void transport_close(Transport *transport)
{
        if (transport->curl)
                curl_easy_cleanup(transport->curl);
        curl_slist_free_all(transport->headers);
        free(transport->host);
        *transport = (Transport){};
}

int transport_name(Transport *transport, const char *user_agent)
{
        return curl_easy_setopt(transport->curl, CURLOPT_USERAGENT, user_agent) == CURLE_OK
                               ? 0
                               : -ENOMEM;
}

/* What is on its way from the peer to who asked. */
typedef struct Passage {
        const TransportRequest *request;
        size_t size;
        bool is_too_large; /* there was more than TRANSPORT_SIZE_MAX */
} Passage;

static size_t on_data(char *data, size_t one, size_t size, void *userdata)
{
        Passage *passage = userdata;

        (void) one; /* always 1 */
        if (size > TRANSPORT_SIZE_MAX - passage->size) {
                passage->is_too_large = true;
                return 0;
        }
        passage->size += size;
        passage->request->take(passage->request->userdata, data, size);
        return size;
}

/* The peer has seen nothing of a request that failed like this. */
static bool is_before_sending(CURLcode code)
{
        return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT ||
               code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION ||
               code == CURLE_SSL_CACERT_BADFILE;
}

static int explain(Transport *transport, CURLcode code, const Passage *passage, VSphereError *error)
{
        int r;

        error->fault[0] = '\0';
        if (code == CURLE_ABORTED_BY_CALLBACK)
                return vsphere_error_set(error, BUS_ERROR_CANCELLED, "cancelled");
        if (code == CURLE_OUT_OF_MEMORY)
                return vsphere_error_errno(error, -ENOMEM, "Cannot ask vCenter");
        if (tls_explain(&transport->tls, code, transport->message, transport->host, error))
                return bus_error_to_errno(error->name);
        if (passage->is_too_large) {
                r = vsphere_error_set(
                                error, BUS_ERROR_VCENTER_UNREACHABLE,
                                "%s answers more than %i MiB to one question (%zu bytes so far)",
                                transport->host, TRANSPORT_SIZE_MAX >> 20, passage->size);
                error->is_too_large = true;
                return r;
        }
        r = vsphere_error_set(
                        error, BUS_ERROR_VCENTER_UNREACHABLE,
                        "no answer of vCenter %s: %s; is the name right, and port 443 open from "
                        "here?",
                        transport->host,
                        transport->message[0] ? transport->message : curl_easy_strerror(code));
        error->is_transient = true;
        return r;
}

int transport_post(Transport *transport, const TransportRequest *request,
                   bool *ret_may_have_arrived, long *ret_status, VSphereError *error)
{
        Passage passage = { .request = request };
        CURL *curl = transport->curl;
        CURLcode code;

        *ret_may_have_arrived = false;
        transport->cancelled_usec = 0;
        if (is_cancelled(transport))
                return vsphere_error_set(error, BUS_ERROR_CANCELLED, "cancelled");
        transport->message[0] = '\0';
        (void) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
        (void) curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) request->size);
        (void) curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, request->once ? 1L : 0L);
        (void) curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
        (void) curl_easy_setopt(curl, CURLOPT_WRITEDATA, &passage);
        code = curl_easy_perform(curl);
        (void) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, NULL);
        *ret_may_have_arrived = !is_before_sending(code);
        if (code != CURLE_OK)
                return explain(transport, code, &passage, error);
        (void) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
        return 0;
}

int transport_wait(const Transport *transport, unsigned msec, VSphereError *error)
{
        struct pollfd fd = { .fd = transport->cancel_fd > 0 ? transport->cancel_fd : -1,
                             .events = POLLIN };

        if (poll(&fd, 1, (int) msec) > 0)
                return vsphere_error_set(error, BUS_ERROR_CANCELLED, "cancelled");
        return 0;
}

/* curl's list has the seven columns of Netscape's file: name and value are the last two. */
static char *cookie_of_line(const char *line)
{
        const char *name = line, *value;

        for (unsigned i = 0; i < 5 && name; i++) {
                name = strchr(name, '\t');
                name = name ? name + 1 : NULL;
        }
        value = name ? strchr(name, '\t') : NULL;
        if (!value || strncmp(name, "vmware_soap_session\t", (size_t) (value - name) + 1) != 0)
                return NULL;
        return text_format("vmware_soap_session=%s", value + 1);
}

int transport_cookie(const Transport *transport, char **ret_cookie)
{
        struct curl_slist *list = NULL;
        int r = -ENOENT;

        if (curl_easy_getinfo(transport->curl, CURLINFO_COOKIELIST, &list) != CURLE_OK)
                return -ENOMEM;
        for (const struct curl_slist *i = list; i && r < 0; i = i->next) {
                char *cookie = cookie_of_line(i->data);

                if (cookie) {
                        *ret_cookie = cookie;
                        r = 0;
                }
        }
        curl_slist_free_all(list);
        return r;
}

void transport_forget_cookies(Transport *transport)
{
        (void) curl_easy_setopt(transport->curl, CURLOPT_COOKIELIST, "ALL");
}
