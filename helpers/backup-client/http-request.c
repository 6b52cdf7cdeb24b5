/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GETs (see http-request.h).
 */
#include "http-request.h"

#include "http-range.h"

#include "cleanup.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
        ERROR_PAGE_MAX = 64 * 1024, /* swallowed, so that the connection can be used again */
        BUFFER_SIZE = 128 * 1024,
        STALL_BYTES_PER_SEC = 1024,
};

static int fail(HttpRequest *request, int error, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

/* The first reason counts. */
static int fail(HttpRequest *request, int error, const char *format, ...)
{
        va_list ap;

        if (request->error < 0)
                return request->error;
        va_start(ap, format);
        (void) vsnprintf(request->text, sizeof(request->text), format, ap);
        va_end(ap);
        utf8_make_line(request->text);
        request->error = error;
        return error;
}

/* NULL when it is not there, or there twice. */
static const char *header(const HttpRequest *request, const char *name)
{
        struct curl_header *found = NULL;

        if (curl_easy_header(request->curl, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK ||
            found->amount != 1)
                return NULL;
        return found->value;
}

static int check_tag(HttpRequest *request)
{
        const char *tag = header(request, "ETag");

        if (tag && strlen(tag) < sizeof(request->tag))
                (void) snprintf(request->tag, sizeof(request->tag), "%s", tag);
        if (request->ask.tag[0] && strcmp(request->ask.tag, request->tag) != 0)
                return fail(request, -ESTALE, "the file has changed while it was read (ETag)");
        return 0;
}

static int check_range(HttpRequest *request)
{
        const char *text = header(request, "Content-Range");
        const HttpAsk *ask = &request->ask;
        HttpRange range;

        if (!text || http_range_parse(text, &range) < 0)
                return fail(request, -EPROTO, "the answer does not say which range it is");
        if (ask->total > 0 && range.total != ask->total)
                return fail(request, -ESTALE, "the file has %" PRIu64 " bytes now, not %" PRIu64,
                            range.total, ask->total);
        if (range.first != ask->offset || range.last - range.first != ask->length - 1)
                return fail(request, -EPROTO,
                            "the answer is the range %" PRIu64 "-%" PRIu64
                            ", not the one asked for",
                            range.first, range.last);
        request->total = range.total;
        return 0;
}

static int check_status(HttpRequest *request, long status)
{
        const HttpAsk *ask = &request->ask;

        if (status == 401)
                return HTTP_WANTS_LOGIN;
        if (status == 403)
                return fail(request, -EACCES,
                            "HTTP 403: the user has no right to read files of the datastore");
        if (status == 404)
                return fail(request, -ENOENT, "HTTP 404: there is no such file");
        if (status == 416)
                return fail(request, -ESTALE, "HTTP 416: the file is shorter than the disk");
        if (status >= 300 && status < 400)
                return fail(request, -EOPNOTSUPP,
                            "HTTP %li: the server sends readers elsewhere, which is not followed",
                            status);
        if (status == 200 && !ask->is_whole)
                return fail(request, -EPROTO, "HTTP 200: the server ignores ranges");
        if (status != (ask->is_whole ? 200 : 206))
                return fail(request, -EIO, "HTTP %li", status);
        return 0;
}

/* When the headers are there: before the first byte is taken, or at the end of an answer without one. */
static void check_head(HttpRequest *request)
{
        long status = 0;
        int r;

        request->is_checked = true;
        (void) curl_easy_getinfo(request->curl, CURLINFO_RESPONSE_CODE, &status);
        r = check_status(request, status);
        request->is_error_page = status >= 400;
        if (r != 0)
                return;
        if (header(request, "Content-Encoding"))
                (void) fail(request, -EPROTO, "the answer is encoded, which was not asked for");
        else if (check_tag(request) >= 0 && !request->ask.is_whole)
                (void) check_range(request);
}

/* Anything but n ends the transfer. */
static size_t take(char *data, size_t one, size_t n, void *userdata)
{
        HttpRequest *request = userdata;

        (void) one;
        if (!request->is_checked)
                check_head(request);
        if (request->is_error_page) {
                request->n_swallowed += n;
                return request->n_swallowed <= ERROR_PAGE_MAX ? n : 0;
        }
        if (request->error < 0)
                return 0;
        if (n > request->ask.length - request->received) {
                request->is_more = true;
                if (!request->ask.is_whole)
                        (void) fail(request, -EPROTO, "the answer is longer than it says");
                return 0;
        }
        memcpy((char *) request->ask.buffer + request->received, data, n);
        request->received += n;
        return n;
}

int http_request_open(HttpRequest *request, const HttpTimeouts *timeouts)
{
        CURL *curl = curl_easy_init();

        if (!curl)
                return -ENOMEM;
        *request = (HttpRequest){ .curl = curl };
        (void) curl_easy_setopt(curl, CURLOPT_PRIVATE, request);
        (void) curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, request->curl_text);
        (void) curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 1L);
        /* HTTP/2 would put all requests into one connection. */
        (void) curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
        (void) curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
        (void) curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, (long) BUFFER_SIZE);
        (void) curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, timeouts->connect_msec);
        (void) curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, timeouts->stall_sec);
        (void) curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long) STALL_BYTES_PER_SEC);
        (void) curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
        (void) curl_easy_setopt(curl, CURLOPT_WRITEDATA, request);
        return 0;
}

void http_request_close(HttpRequest *request)
{
        if (request->curl)
                curl_easy_cleanup(request->curl);
        request->curl = NULL;
}

int http_request_prepare(HttpRequest *request, const HttpAsk *ask, const char *cookie)
{
        char range[48];

        request->ask = *ask;
        request->received = request->n_swallowed = 0;
        request->total = 0;
        request->tag[0] = request->text[0] = request->curl_text[0] = '\0';
        request->is_more = request->is_checked = request->is_error_page = false;
        request->error = 0;
        (void) snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64, ask->offset,
                        ask->offset + ask->length - 1);
        if (curl_easy_setopt(request->curl, CURLOPT_URL, ask->url) != CURLE_OK ||
            curl_easy_setopt(request->curl, CURLOPT_COOKIE, cookie) != CURLE_OK ||
            curl_easy_setopt(request->curl, CURLOPT_RANGE, ask->is_whole ? NULL : range) !=
                            CURLE_OK)
                return -ENOMEM;
        return 0;
}

static int judge_curl(HttpRequest *request, CURLcode code)
{
        const char *why = request->curl_text[0] ? request->curl_text : curl_easy_strerror(code);

        if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_PINNEDPUBKEYNOTMATCH)
                return fail(request, -EACCES, "the server's certificate is not trusted: %.120s",
                            why);
        if (code == CURLE_OUT_OF_MEMORY)
                return fail(request, -ENOMEM, "out of memory");
        if (code == CURLE_OPERATION_TIMEDOUT)
                return fail(request, -ETIMEDOUT, "%.160s", why);
        return fail(request, -EIO, "%.160s", why);
}

int http_request_judge(HttpRequest *request, CURLcode code)
{
        long status = 0;

        /* An error page may break off: what counts is its status. */
        if (!request->is_checked && code == CURLE_OK)
                check_head(request);
        if (request->error < 0)
                return request->error;
        (void) curl_easy_getinfo(request->curl, CURLINFO_RESPONSE_CODE, &status);
        if (request->is_checked && status == 401)
                return HTTP_WANTS_LOGIN;
        if (request->ask.is_whole && request->is_more)
                return 0;
        if (code != CURLE_OK)
                return judge_curl(request, code);
        if (!request->ask.is_whole && request->received != request->ask.length)
                return fail(request, -EPROTO, "the answer has %zu bytes, not the %zu it says",
                            request->received, request->ask.length);
        return 0;
}
