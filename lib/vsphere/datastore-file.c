/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Small files of a datastore (see datastore-file.h): one request each by a handle of its own.
 */
#include "vsphere/datastore-file.h"

#include "bus/bus-error.h"
#include "cleanup.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum {
        CONNECT_SEC = 30,
        WHOLE_SEC = 120, /* small files: a VM runs on its snapshot meanwhile */
        STALL_SEC = 60, /* a snapshot may be held meanwhile */
        FIRST_ROOM = 64 * 1024,
        STATUS_UNAUTHORIZED = 401,
        TRIES_MAX = 3, /* against a network that drops a connection */
        WAIT_MSEC = 300,
};

/* One request and what comes of it. */
typedef struct Transfer {
        int cancel_fd;
        /* What is sent; NULL: nothing. */
        const char *body;
        size_t body_size, sent;
        /* What is received. */
        char *data;
        size_t size, room, max_size;
        bool is_too_large, has_no_memory;
        char message[CURL_ERROR_SIZE];
        long status;
} Transfer;

static bool is_cancelled(const Transfer *transfer)
{
        struct pollfd fd = { .fd = transfer->cancel_fd, .events = POLLIN };

        return transfer->cancel_fd > 0 && poll(&fd, 1, 0) > 0;
}

/* curl asks at least once a second. */
static int on_progress(void *userdata, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
        (void) down_total;
        (void) down;
        (void) up_total;
        (void) up;
        return is_cancelled(userdata);
}

static size_t on_data(char *data, size_t one, size_t size, void *userdata)
{
        Transfer *transfer = userdata;

        (void) one; /* always 1 */
        if (size > transfer->max_size - transfer->size) {
                transfer->is_too_large = true;
                return 0;
        }
        while (transfer->room - transfer->size < size) {
                size_t room = transfer->room > 0 ? transfer->room * 2 : FIRST_ROOM;
                char *larger = realloc(transfer->data, room);

                if (!larger) {
                        transfer->has_no_memory = true;
                        return 0;
                }
                transfer->data = larger;
                transfer->room = room;
        }
        (void) memcpy(transfer->data + transfer->size, data, size);
        transfer->size += size;
        return size;
}

static size_t on_read(char *data, size_t one, size_t size, void *userdata)
{
        Transfer *transfer = userdata;
        size_t n = transfer->body_size - transfer->sent;

        n = one * size < n ? one * size : n;
        (void) memcpy(data, transfer->body + transfer->sent, n);
        transfer->sent += n;
        return n;
}

static int on_seek(void *userdata, curl_off_t offset, int origin)
{
        Transfer *transfer = userdata;

        if (origin != SEEK_SET || offset < 0 || (size_t) offset > transfer->body_size)
                return CURL_SEEKFUNC_FAIL;
        transfer->sent = (size_t) offset;
        return CURL_SEEKFUNC_OK;
}

static void set_options(VSphere *v, CURL *curl, const char *url, Transfer *transfer,
                        struct curl_slist *headers)
{
        vsphere_curl_tls(v, curl);
        (void) curl_easy_setopt(curl, CURLOPT_URL, url);
        (void) curl_easy_setopt(curl, CURLOPT_COOKIE, vsphere_cookie(v));
        (void) curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        (void) curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->message);
        (void) curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long) CONNECT_SEC);
        (void) curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long) WHOLE_SEC);
        (void) curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        (void) curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long) STALL_SEC);
        (void) curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
        (void) curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
        (void) curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
        (void) curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
        (void) curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
        if (!transfer->body)
                return;
        (void) curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        (void) curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t) transfer->body_size);
        (void) curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
        (void) curl_easy_setopt(curl, CURLOPT_READDATA, transfer);
        (void) curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
        (void) curl_easy_setopt(curl, CURLOPT_SEEKDATA, transfer);
}

static int explain(VSphere *v, const Transfer *transfer, CURLcode code, const char *name,
                   VSphereError *error)
{
        const char *reason = transfer->message[0] ? transfer->message : curl_easy_strerror(code);
        VSphereTls tls;
        int r;

        *error = (VSphereError){};
        if (transfer->has_no_memory || code == CURLE_OUT_OF_MEMORY)
                return vsphere_error_errno(error, -ENOMEM, "Cannot keep a file of a datastore");
        if (is_cancelled(transfer))
                return vsphere_error_set(error, BUS_ERROR_CANCELLED, "cancelled");
        if (transfer->is_too_large) {
                (void) vsphere_error_set(error, name, "it has more than %zu bytes",
                                         transfer->max_size);
                return -EFBIG;
        }
        vsphere_tls(v, &tls);
        if (tls_explain(&tls, code, reason, vsphere_login(v)->host, error))
                return bus_error_to_errno(error->name);
        r = vsphere_error_set(error, name, "%s", reason);
        error->is_transient = true;
        return r;
}

/* Only what the status says is left. */
static int judge(const Transfer *transfer, const char *name, VSphereError *error)
{
        int r;

        *error = (VSphereError){};
        if (transfer->status == 404)
                return vsphere_error_set(error, BUS_ERROR_NOT_FOUND,
                                         "HTTP 404: there is no such file");
        if (transfer->status == 403 || transfer->status == STATUS_UNAUTHORIZED)
                return vsphere_error_set(error, name,
                                         "HTTP %li: the user has no right to the files of the "
                                         "datastore",
                                         transfer->status);
        if (transfer->status >= 200 && transfer->status < 300)
                return 0;
        r = vsphere_error_set(error, name, "HTTP %li", transfer->status);
        error->is_transient = transfer->status >= 500;
        return r;
}

/* 0 with a status, whatever it is. */
static int perform(VSphere *v, const char *url, Transfer *transfer, const char *name,
                   VSphereError *error)
{
        struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
        CURL *curl = curl_easy_init();
        CURLcode code;
        int r = 0;

        transfer->size = transfer->sent = 0;
        if (curl && headers) {
                set_options(v, curl, url, transfer, headers);
                code = curl_easy_perform(curl);
                (void) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &transfer->status);
                if (code != CURLE_OK)
                        r = explain(v, transfer, code, name, error);
        } else
                r = vsphere_error_errno(error, -ENOMEM, "Cannot ask for a file of a datastore");
        if (curl)
                curl_easy_cleanup(curl);
        curl_slist_free_all(headers);
        return r;
}

/* The session may have died since its last call. */
static int run_once(VSphere *v, const char *url, Transfer *transfer, const char *name,
                    VSphereError *error)
{
        int r = perform(v, url, transfer, name, error);

        if (r >= 0 && transfer->status == STATUS_UNAUTHORIZED) {
                r = vsphere_again(v, error);
                if (r >= 0)
                        r = perform(v, url, transfer, name, error);
        }
        return r < 0 ? r : judge(transfer, name, error);
}

static int run(VSphere *v, const DatastorePath *path, const char *datacenter, Transfer *transfer,
               const char *name, VSphereError *error)
{
        const VSphereLogin *login = vsphere_login(v);
        _cleanup_free_ char *url = NULL;
        int r;

        transfer->cancel_fd = login->cancel_fd;
        r = datastore_path_url(path, login->host, login->port > 0 ? login->port : 443, datacenter,
                               &url);
        if (r < 0)
                return vsphere_error_set(error, name, "its address cannot be made of '%.200s'",
                                         path->file);
        for (unsigned i = 1;; i++) {
                r = run_once(v, url, transfer, name, error);
                if (r >= 0 || !error->is_transient || i == TRIES_MAX)
                        return r;
                if (vsphere_wait(v, WAIT_MSEC, error) < 0)
                        return -ECANCELED;
        }
}

int datastore_file_get(VSphere *v, const DatastorePath *path, const char *datacenter,
                       size_t max_size, void **ret_data, size_t *ret_size, VSphereError *error)
{
        Transfer transfer = { .max_size = max_size };
        int r = run(v, path, datacenter, &transfer, BUS_ERROR_SOURCE_FAILED, error);

        if (r < 0) {
                free(transfer.data);
                return r;
        }
        *ret_data = transfer.data;
        *ret_size = transfer.size;
        return 0;
}

int datastore_file_put(VSphere *v, const DatastorePath *path, const char *datacenter,
                       const void *data, size_t size, VSphereError *error)
{
        Transfer transfer = { .body = data, .body_size = size, .max_size = FIRST_ROOM };
        int r = run(v, path, datacenter, &transfer, BUS_ERROR_TARGET_FAILED, error);

        free(transfer.data); /* a page for people */
        return r;
}
