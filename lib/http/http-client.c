/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcurl's multi interface in an sd-event loop (see http-client.h). What curl asks for while it runs are sources of the loop; what
 * has ended is told after it has returned, so that a callback may ask again, cancel, or end the client.
 */
#include "http/http-client.h"

#include "json-cleanup.h"
#include "parse.h"
#include "wipe.h"

#include <curl/curl.h>
#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct HttpClient {
        sd_event *event;
        CURLM *multi;
        sd_event_source *timer, *ended;
        HttpCall *calls;
        unsigned n_calls;
};

struct HttpCall {
        HttpClient *client;
        HttpCall *next;
        CURL *curl;
        struct curl_slist *headers;
        char *body; /* asked with */
        char *text; /* answered */
        size_t size, room;
        bool is_too_long;
        HttpAnswered done;
        void *userdata;
        char curl_text[CURL_ERROR_SIZE];
};

/* It is in no list. */
static HttpCall *call_drop(HttpCall *call)
{
        if (call->curl) {
                (void) curl_multi_remove_handle(call->client->multi, call->curl);
                curl_easy_cleanup(call->curl);
        }
        for (const struct curl_slist *header = call->headers; header; header = header->next)
                sodium_memzero(header->data, strlen(header->data));
        curl_slist_free_all(call->headers);
        wipe_free(call->body);
        wipe_free(call->text);
        free(call);
        return NULL;
}

DEFINE_CLEANUP(HttpCall *, call_drop)

static HttpCall *call_free(HttpCall *call)
{
        for (HttpCall **link = &call->client->calls; *link; link = &(*link)->next)
                if (*link == call) {
                        *link = call->next;
                        call->client->n_calls--;
                        break;
                }
        return call_drop(call);
}

HttpCall *http_call_cancel(HttpCall *call)
{
        return call ? call_free(call) : NULL;
}

static int fail(HttpAnswer *answer, int error, const char *why)
{
        answer->error = error;
        answer->why = why;
        return error;
}

static int judge(const HttpCall *call, CURLcode code, HttpAnswer *ret_answer)
{
        long status = 0;

        if (call->is_too_long)
                return fail(ret_answer, -EMSGSIZE, "The answer is too long");
        if (code == CURLE_OPERATION_TIMEDOUT)
                return fail(ret_answer, -ETIMEDOUT,
                            call->curl_text[0] ? call->curl_text : "No answer in time");
        if (code == CURLE_COULDNT_CONNECT)
                return fail(ret_answer, -ECONNREFUSED, "Nobody listens there");
        if (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_PARTIAL_FILE)
                return fail(ret_answer, -ECONNRESET,
                            "The connection was closed before the answer was there");
        if (code != CURLE_OK)
                return fail(ret_answer, -EIO,
                            call->curl_text[0] ? call->curl_text : curl_easy_strerror(code));
        (void) curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
        ret_answer->status = (unsigned) status;
        return 0;
}

static void tell(HttpCall *call, CURLcode code)
{
        CLEANUP(json_decref_p) json_t *body = NULL;
        HttpAnswer answer = { .why = "" };
        char why[CURL_ERROR_SIZE];
        HttpAnswered done = call->done;
        void *userdata = call->userdata;

        if (judge(call, code, &answer) >= 0 && call->size > 0) {
                body = json_loadb(call->text, call->size, JSON_REJECT_DUPLICATES, NULL);
                if (!body)
                        (void) fail(&answer, -EBADMSG, "The answer is no JSON");
                answer.body = body;
        }
        (void) snprintf(why, sizeof(why), "%s", answer.why);
        answer.why = why;
        call_free(call);
        done(&answer, userdata);
}

/* One at a time: a callback may end the client. */
static int on_ended(sd_event_source *source, void *userdata)
{
        HttpClient *client = userdata;
        CURLMsg *message;
        int n_left;

        while ((message = curl_multi_info_read(client->multi, &n_left))) {
                CURLcode code = message->data.result;
                HttpCall *call = NULL;

                if (message->msg != CURLMSG_DONE)
                        continue;
                (void) curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &call);
                tell(call, code);
                return 0;
        }
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

static void work(HttpClient *client, curl_socket_t fd, int events)
{
        int n_running;

        (void) curl_multi_socket_action(client->multi, fd, events, &n_running);
        (void) sd_event_source_set_enabled(client->ended, SD_EVENT_ON);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        int events = 0;

        (void) source;
        if (revents & (EPOLLIN | EPOLLHUP))
                events |= CURL_CSELECT_IN;
        if (revents & EPOLLOUT)
                events |= CURL_CSELECT_OUT;
        if (revents & EPOLLERR)
                events |= CURL_CSELECT_ERR;
        work(userdata, fd, events);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void) source, (void) usec;
        work(userdata, CURL_SOCKET_TIMEOUT, 0);
        return 0;
}

static int set_timer(CURLM *multi, long msec, void *userdata)
{
        HttpClient *client = userdata;

        (void) multi;
        if (msec < 0)
                return sd_event_source_set_enabled(client->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
        if (sd_event_source_set_time_relative(client->timer, (uint64_t) msec * USEC_PER_MSEC) < 0)
                return -1;
        return sd_event_source_set_enabled(client->timer, SD_EVENT_ONESHOT) < 0 ? -1 : 0;
}

static int set_socket(CURL *curl, curl_socket_t fd, int what, void *userdata, void *known)
{
        HttpClient *client = userdata;
        sd_event_source *source = known;
        uint32_t events = 0;

        (void) curl;
        if (what == CURL_POLL_REMOVE) {
                sd_event_source_disable_unref(source);
                return 0;
        }
        if (what & CURL_POLL_IN)
                events |= EPOLLIN;
        if (what & CURL_POLL_OUT)
                events |= EPOLLOUT;
        if (source)
                return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
        if (sd_event_add_io(client->event, &source, fd, events, on_io, client) < 0)
                return -1;
        if (curl_multi_assign(client->multi, fd, source) == CURLM_OK)
                return 0;
        sd_event_source_disable_unref(source);
        return -1;
}

int http_client_new(sd_event *event, HttpClient **ret_client)
{
        CLEANUP(http_client_free_p) HttpClient *client = malloc(sizeof(*client));
        int r;

        if (!client)
                return -ENOMEM;
        *client = (HttpClient){ .event = sd_event_ref(event) };
        /* What it sends it copies into buffers of its own that grow: with them, passwords. */
        if (curl_global_init_mem(CURL_GLOBAL_NOTHING, malloc, wipe_free, wipe_realloc, strdup,
                                 calloc) != CURLE_OK)
                return -ENOMEM;
        client->multi = curl_multi_init();
        if (!client->multi)
                return -ENOMEM;
        r = sd_event_add_time(event, &client->timer, CLOCK_MONOTONIC, 0, 0, on_timer, client);
        if (r >= 0)
                r = sd_event_source_set_enabled(client->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(event, &client->ended, on_ended, client);
        if (r >= 0)
                r = sd_event_source_set_enabled(client->ended, SD_EVENT_OFF);
        if (r < 0)
                return r;
        (void) curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
        (void) curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
        (void) curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_timer);
        (void) curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
        *ret_client = TAKE(client);
        return 0;
}

HttpClient *http_client_free(HttpClient *client)
{
        if (!client)
                return NULL;
        for (HttpCall *call = client->calls, *next; call; call = next) {
                next = call->next;
                call_drop(call);
        }
        if (client->multi)
                (void) curl_multi_cleanup(client->multi);
        sd_event_source_disable_unref(client->timer);
        sd_event_source_disable_unref(client->ended);
        sd_event_unref(client->event);
        free(client);
        return NULL;
}

/* Grows by doubling; what held a part of it before is wiped. Anything but n ends the transfer. */
static size_t take(char *data, size_t one, size_t n, void *userdata)
{
        HttpCall *call = userdata;

        (void) one;
        if (call->size + n > HTTP_CLIENT_ANSWER_MAX) {
                call->is_too_long = true;
                return 0;
        }
        if (call->size + n > call->room) {
                size_t room = call->room > 0 ? call->room : 1024;
                char *text;

                while (room < call->size + n)
                        room *= 2;
                text = wipe_realloc(call->text, room);
                if (!text)
                        return 0;
                call->text = text;
                call->room = room;
        }
        memcpy(call->text + call->size, data, n);
        call->size += n;
        return n;
}

static int add_header(HttpCall *call, const char *text)
{
        struct curl_slist *list = curl_slist_append(call->headers, text);

        if (!list)
                return -ENOMEM;
        call->headers = list;
        return 0;
}

static int prepare_headers(HttpCall *call, const HttpAsked *asked)
{
        char text[512];
        int r, n;

        r = add_header(call, "Accept: application/json");
        if (r >= 0 && asked->body)
                r = add_header(call, "Content-Type: application/json");
        if (r >= 0)
                r = add_header(call, "Expect:"); /* the body goes with the request */
        if (r < 0 || !asked->token)
                return r;
        n = snprintf(text, sizeof(text), "Authorization: Bearer %s", asked->token);
        r = n < (int) sizeof(text) ? add_header(call, text) : -EINVAL;
        sodium_memzero(text, sizeof(text));
        return r;
}

static int prepare_options(HttpCall *call, const HttpAsked *asked)
{
        _cleanup_free_ char *url = NULL;
        CURL *curl = call->curl;

        if (asprintf(&url, "http://127.0.0.1:%u%s", asked->port, asked->path) < 0)
                return -ENOMEM;
        if (curl_easy_setopt(curl, CURLOPT_URL, url) != CURLE_OK ||
            curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, asked->method) != CURLE_OK ||
            curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http") != CURLE_OK ||
            /* A proxy of the environment has no business with loopback. */
            curl_easy_setopt(curl, CURLOPT_PROXY, "") != CURLE_OK)
                return -ENOMEM;
        /* A POST without a body says so by its length, too. */
        if (call->body || strcmp(asked->method, "POST") == 0) {
                const char *body = call->body ?: "";

                (void) curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                                        (curl_off_t) strlen(body));
                (void) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        }
        (void) curl_easy_setopt(curl, CURLOPT_PRIVATE, call);
        (void) curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, call->curl_text);
        (void) curl_easy_setopt(curl, CURLOPT_HTTPHEADER, call->headers);
        (void) curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
        (void) curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        (void) curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 1L);
        (void) curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
        (void) curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                                (long) (asked->timeout_usec / USEC_PER_MSEC));
        (void) curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
        (void) curl_easy_setopt(curl, CURLOPT_WRITEDATA, call);
        return 0;
}

int http_client_ask(HttpClient *client, const HttpAsked *asked, HttpCall **ret_call)
{
        CLEANUP(call_drop_p) HttpCall *call = NULL;
        int r;

        if (client->n_calls >= HTTP_CLIENT_CALLS_MAX)
                return -EBUSY;
        call = malloc(sizeof(*call));
        if (!call)
                return -ENOMEM;
        *call = (HttpCall){
                .client = client,
                .curl = curl_easy_init(),
                .done = asked->done,
                .userdata = asked->userdata,
        };
        if (!call->curl)
                return -ENOMEM;
        if (asked->body) {
                call->body = json_dumps(asked->body, JSON_COMPACT);
                if (!call->body)
                        return -ENOMEM;
        }
        r = prepare_headers(call, asked);
        if (r >= 0)
                r = prepare_options(call, asked);
        if (r < 0)
                return r;
        if (curl_multi_add_handle(client->multi, call->curl) != CURLM_OK)
                return -EIO;
        call->next = client->calls;
        client->calls = call;
        client->n_calls++;
        if (ret_call)
                *ret_call = call;
        (void) TAKE(call);
        return 0;
}
