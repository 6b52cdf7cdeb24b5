/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sessions (see session.h). A login whose answer was lost may have left a session that nobody knows: it is
 * found by the user agent, which is another one in each process, and ended.
 */
#include "vsphere/session.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "vsphere/service.h"
#include "vsphere/transport.h"
#include "wipe.h"

#include <curl/curl.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
        TRIES_MAX = 5,
        LOGOUT_TRIES_MAX = 2,
        FIRST_WAIT_MSEC = 200,
        USER_AGENT_SIZE = 64,
};

struct VSphere {
        VSphereLogin login;
        Transport transport;
        Service service;
        char user_agent[USER_AGENT_SIZE];
        char *cookie;
        char thumbprint[TLS_FINGERPRINT_TEXT_SIZE];
        unsigned generation;
        bool is_in;
};

static void on_answer(void *userdata, const char *data, size_t size)
{
        xml_reader_feed(userdata, data, size);
}

static int post(VSphere *v, const VSphereCall *call, const char *body, size_t size,
                bool *ret_may_have_arrived, XmlDocument **ret_document, const XmlNode **ret_answer,
                VSphereError *error)
{
        CLEANUP(xml_reader_free_p) XmlReader *reader = NULL;
        TransportRequest request = {
                .body = body, .size = size, .once = call->once, .take = on_answer
        };
        long status = 0;
        int r;

        *ret_may_have_arrived = false;
        r = xml_reader_new(call->each, &reader);
        if (r < 0)
                return vsphere_error_errno(error, r, "Cannot ask vCenter");
        request.userdata = reader;
        r = transport_post(&v->transport, &request, ret_may_have_arrived, &status, error);
        if (r < 0)
                return r;
        return soap_answer(call->method, status, reader, ret_document, ret_answer, error);
}

/* Again and again while the reason is of the network and asking twice does no harm. */
static int post_patiently(VSphere *v, const VSphereCall *call, const char *body, size_t size,
                          bool *ret_was_lost, XmlDocument **ret_document,
                          const XmlNode **ret_answer, VSphereError *error)
{
        unsigned wait = FIRST_WAIT_MSEC;

        for (unsigned i = 1;; i++) {
                bool may_have_arrived;
                int r;

                r = post(v, call, body, size, &may_have_arrived, ret_document, ret_answer, error);
                if (r >= 0 || !error->is_transient)
                        return r;
                if (may_have_arrived && ret_was_lost)
                        *ret_was_lost = true;
                if (i == TRIES_MAX || (call->once && may_have_arrived))
                        return r;
                if (transport_wait(&v->transport, wait, error) < 0)
                        return -ECANCELED;
                wait *= 2;
        }
}

static int call_once(VSphere *v, const VSphereCall *call, XmlDocument **ret_document,
                     const XmlNode **ret_answer, VSphereError *error)
{
        _cleanup_free_ char *body = NULL;
        size_t size = 0;

        body = soap_request(call->method, call->self, call->arguments, &size);
        if (!body)
                return vsphere_error_errno(error, -ENOMEM, "Cannot ask vCenter");
        return post_patiently(v, call, body, size, NULL, ret_document, ret_answer, error);
}

static int read_service(VSphere *v, VSphereError *error)
{
        static const VSphereRef instance = { "ServiceInstance", "ServiceInstance" };
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        const XmlNode *answer = NULL;
        int r;

        r = call_once(v, &(VSphereCall){ .method = "RetrieveServiceContent", .self = &instance },
                      &document, &answer, error);
        if (r < 0)
                return r;
        return service_read(xml_child(answer, "returnval"), &v->service, error);
}

/* The request with the password, in memory that is wiped. NULL when out of memory. */
static char *login_request(const VSphere *v, size_t *ret_size)
{
        const VSphereRef *manager = &v->service.objects[VSPHERE_SESSION_MANAGER];
        size_t user = strlen(v->login.user), password = secret_size(v->login.password);
        size_t value = strlen(manager->value), size;
        size_t at = 0;
        char *text;

        size = 1024 + XML_ESCAPED_MAX * (user + password + value + strlen(manager->type));
        text = sodium_malloc(size);
        if (!text)
                return NULL;
        at = xml_append(text, size, at,
                        SOAP_BEFORE "<Login xmlns=\"urn:vim25\"><_this type=\"SessionManager\">");
        at += xml_escape(manager->value, value, text + at);
        at = xml_append(text, size, at, "</_this><userName>");
        at += xml_escape(v->login.user, user, text + at);
        at = xml_append(text, size, at, "</userName><password>");
        at += xml_escape(secret_data(v->login.password), password, text + at);
        at = xml_append(text, size, at, "</password></Login>" SOAP_AFTER);
        *ret_size = at;
        return text;
}

static int keep_cookie(VSphere *v, VSphereError *error)
{
        char *cookie = NULL;
        int r;

        r = transport_cookie(&v->transport, &cookie);
        if (r < 0)
                return vsphere_error_set(error, BUS_ERROR_VCENTER_LOGIN,
                                         "vCenter %s took the login and gave no session",
                                         v->login.host);
        if (v->cookie)
                explicit_bzero(v->cookie, strlen(v->cookie));
        free(v->cookie);
        v->cookie = cookie;
        tls_fingerprint(v->transport.tls.sha1, TLS_SHA1_SIZE, v->thumbprint);
        return 0;
}

/* Whatever it answers: the session is gone, or dies of idleness. Nobody can cancel it, and what is done waits for it to be told, so it
 * is short. */
static void log_out(VSphere *v)
{
        const VSphereCall call = { .method = "Logout",
                                   .self = &v->service.objects[VSPHERE_SESSION_MANAGER] };
        _cleanup_free_ char *body = NULL;
        int cancel_fd = v->transport.cancel_fd, r = -1;
        size_t size = 0;

        if (!v->is_in)
                return;
        v->is_in = false;
        v->transport.cancel_fd = -1;
        transport_set_haste(&v->transport, true);
        body = soap_request(call.method, call.self, NULL, &size);
        for (unsigned i = 0; body && r < 0 && i < LOGOUT_TRIES_MAX; i++) {
                CLEANUP(xml_free_p) XmlDocument *document = NULL;
                const XmlNode *answer;
                VSphereError error = {};
                bool may_have_arrived;

                r = post(v, &call, body, size, &may_have_arrived, &document, &answer, &error);
                if (vsphere_error_is_fault(&error, "NotAuthenticated"))
                        break;
        }
        transport_set_haste(&v->transport, false);
        v->transport.cancel_fd = cancel_fd;
        transport_forget_cookies(&v->transport);
}

/* A login may have been answered with a session and then with nonsense. */
static void end_half_login(VSphere *v)
{
        _cleanup_free_ char *cookie = NULL;

        v->is_in = transport_cookie(&v->transport, &cookie) >= 0;
        log_out(v);
}

static int log_in(VSphere *v, VSphereError *error)
{
        const VSphereCall call = { .method = "Login", .once = true };
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        const XmlNode *answer;
        bool was_lost = false;
        size_t size = 0;
        char *body;
        int r = 0;

        for (unsigned i = 0; i < TRIES_MAX; i++) {
                bool is_lost = false;

                transport_forget_cookies(&v->transport);
                body = login_request(v, &size);
                if (!body)
                        return vsphere_error_errno(error, -ENOMEM, "Cannot log in");
                v->transport.is_patient = true; /* an answer that nobody reads leaves a session */
                r = post_patiently(v, &call, body, size, &is_lost, &document, &answer, error);
                v->transport.is_patient = false;
                sodium_free(body);
                was_lost = was_lost || is_lost;
                if (r >= 0 || !is_lost || !error->is_transient)
                        break;
                if (transport_wait(&v->transport, (unsigned) FIRST_WAIT_MSEC << i, error) < 0)
                        return -ECANCELED;
        }
        if (r < 0) {
                end_half_login(v);
                return vsphere_error_prefix(error, error->name, "login as %s at %s", v->login.user,
                                            v->login.host);
        }
        v->is_in = true;
        v->generation++;
        r = keep_cookie(v, error);
        if (was_lost)
                service_end_twins(v, v->user_agent,
                                  xml_text_at(xml_child(answer, "returnval"), "key"));
        return r;
}

static int check_login(const VSphereLogin *login, VSphereError *error)
{
        if (!login->user || *login->user == '\0' || !xml_can_say(login->user))
                return vsphere_error_set(error, BUS_ERROR_INVALID_ARGUMENT,
                                         "the user of the vCenter is empty or no text");
        if (!login->password || !xml_can_say(secret_data(login->password)) ||
            strlen(secret_data(login->password)) != secret_size(login->password))
                return vsphere_error_set(
                                error, BUS_ERROR_INVALID_ARGUMENT,
                                "the password for the vCenter has characters that no login "
                                "can have: it must be UTF-8 without controls");
        return 0;
}

int vsphere_open(const VSphereLogin *login, VSphere **ret, VSphereError *error)
{
        CLEANUP(vsphere_close_p) VSphere *v = NULL;
        int r;

        /* What it sends it copies into buffers of its own that grow: with them, the password. */
        if (sodium_init() < 0 || curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wipe_free,
                                                      wipe_realloc, strdup, calloc) != CURLE_OK)
                return vsphere_error_errno(error, -EIO, "Cannot start libsodium and libcurl");
        r = check_login(login, error);
        if (r < 0)
                return r;
        v = malloc(sizeof(VSphere));
        if (!v)
                return vsphere_error_errno(error, -ENOMEM, "Cannot open a session");
        *v = (VSphere){ .login = *login };
        if (tls_init(&v->transport.tls, login->ca_file, login->pin_sha256) < 0)
                return vsphere_error_set(
                                error, BUS_ERROR_INVALID_ARGUMENT,
                                "the pin is no SHA-256 of a certificate: 32 bytes in hex, as "
                                "sendensectl vcenter show and openssl x509 -fingerprint -sha256 "
                                "print them");
        r = transport_open(&v->transport, login->host, login->port, login->stall_sec,
                           login->cancel_fd, error);
        if (r < 0)
                return r;
        (void) snprintf(v->user_agent, sizeof(v->user_agent), "Sendense (%08x%08x)",
                        randombytes_random(), randombytes_random());
        r = transport_name(&v->transport, v->user_agent);
        if (r < 0)
                return vsphere_error_errno(error, r, "Cannot open a session");
        r = read_service(v, error);
        if (r >= 0)
                r = log_in(v, error);
        if (r < 0)
                return r;
        *ret = TAKE(v);
        return 0;
}

VSphere *vsphere_close(VSphere *v)
{
        if (!v)
                return NULL;
        log_out(v);
        transport_close(&v->transport);
        service_done(&v->service);
        if (v->cookie)
                explicit_bzero(v->cookie, strlen(v->cookie));
        free(v->cookie);
        free(v);
        return NULL;
}

void vsphere_set_cancel(VSphere *v, int cancel_fd)
{
        v->login.cancel_fd = cancel_fd;
        v->transport.cancel_fd = cancel_fd;
}

int vsphere_again(VSphere *v, VSphereError *error)
{
        log_out(v);
        return log_in(v, error);
}

int vsphere_call(VSphere *v, const VSphereCall *call, XmlDocument **ret_document,
                 const XmlNode **ret_answer, VSphereError *error)
{
        int r;

        r = call_once(v, call, ret_document, ret_answer, error);
        if (r >= 0 || !vsphere_error_is_fault(error, "NotAuthenticated"))
                return r;
        v->is_in = false; /* nothing to log out of */
        r = log_in(v, error);
        return r < 0 ? r : call_once(v, call, ret_document, ret_answer, error);
}

int vsphere_keepalive(VSphere *v, VSphereError *error)
{
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        const XmlNode *answer;

        return vsphere_call(v,
                            &(VSphereCall){ .method = "CurrentTime",
                                            .self = vsphere_object(v, VSPHERE_SERVICE_INSTANCE) },
                            &document, &answer, error);
}

int vsphere_wait(const VSphere *v, unsigned msec, VSphereError *error)
{
        return transport_wait(&v->transport, msec, error);
}

const VSphereLogin *vsphere_login(const VSphere *v)
{
        return &v->login;
}

const VSphereAbout *vsphere_about(const VSphere *v)
{
        return &v->service.about;
}

bool vsphere_is_vcenter(const VSphere *v)
{
        return strcmp(v->service.about.api_type, "VirtualCenter") == 0;
}

const char *vsphere_cookie(const VSphere *v)
{
        return v->cookie;
}

unsigned vsphere_generation(const VSphere *v)
{
        return v->generation;
}

void vsphere_curl_tls(VSphere *v, CURL *curl)
{
        tls_setup(&v->transport.tls, curl);
}

void vsphere_tls(const VSphere *v, VSphereTls *ret_tls)
{
        *ret_tls = v->transport.tls;
}

const char *vsphere_thumbprint(const VSphere *v)
{
        return v->thumbprint;
}

const VSphereRef *vsphere_object(const VSphere *v, VSphereObject object)
{
        return &v->service.objects[object];
}
