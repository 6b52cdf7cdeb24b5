/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A session at one vCenter: login, calls, one new login when it has died, logout in any case. All of it waits
 * for the network; one thread at a time. Programs of one job call it, never a daemon.
 */
#pragma once

#include "secret.h"
#include "vsphere/error.h"
#include "vsphere/soap.h"
#include "vsphere/tls.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

/* Everything is borrowed until vsphere_close(). */
typedef struct VSphereLogin {
        const char *host;
        uint16_t port; /* 0: 443 */
        const char *user;
        const Secret *password;
        const char *ca_file; /* NULL: the system's CAs */
        const char *pin_sha256; /* NULL: not pinned; with it, ca_file is not asked */
        unsigned stall_sec; /* 0: the default; how long a transfer may stand still */
        int cancel_fd; /* > 0: when it becomes readable, every call ends with -ECANCELED */
} VSphereLogin;

typedef struct VSphere VSphere;

typedef struct VSphereAbout {
        const char *name, *version, *build, *api_type, *api_version,
                        *instance_uuid; /* never NULL */
} VSphereAbout;

/* 0, or a negative errno with error set: VCenterUnreachable, VCenterLogin, CertificateChanged,
 * CertificateInvalid, InvalidArgument, Cancelled. */
int vsphere_open(const VSphereLogin *login, VSphere **ret, VSphereError *error);

/* Logs out, also when cancelled, and frees. NULL in, NULL out. */
VSphere *vsphere_close(VSphere *v);
DEFINE_CLEANUP(VSphere *, vsphere_close)

/* As it was opened with; the password is in it. */
const VSphereLogin *vsphere_login(const VSphere *v);

const VSphereAbout *vsphere_about(const VSphere *v);
bool vsphere_is_vcenter(const VSphere *v); /* false: a single host */

/* "vmware_soap_session=…" for the Cookie header of HTTPS reads, verbatim; valid until the next call. Another
 * one after each new login. */
const char *vsphere_cookie(const VSphere *v);

/* From now on that descriptor, when it is readable, ends every call. */
void vsphere_set_cancel(VSphere *v, int cancel_fd);

/* Ends the session and begins another: after an HTTP 401, say. */
int vsphere_again(VSphere *v, VSphereError *error);

/* How many logins there were: a view or a token of before the last one is void. */
unsigned vsphere_generation(const VSphere *v);

/* Makes any other handle trust exactly whom the session trusts; v must outlive it. */
void vsphere_curl_tls(VSphere *v, CURL *curl);

/* The same for a handle of another thread: whom the session trusts, in memory of the caller's, for tls_setup(). */
void vsphere_tls(const VSphere *v, VSphereTls *ret_tls);

/* SHA-1 of the certificate that the peer showed, "AA:BB:…", as VDDK wants it. */
const char *vsphere_thumbprint(const VSphere *v);

/* Tells vCenter that we are there; logs in again when the session has died. Every few minutes. */
int vsphere_keepalive(VSphere *v, VSphereError *error);

/* Waits, or returns -ECANCELED. */
int vsphere_wait(const VSphere *v, unsigned msec, VSphereError *error);

typedef enum VSphereObject {
        VSPHERE_SERVICE_INSTANCE,
        VSPHERE_SESSION_MANAGER,
        VSPHERE_PROPERTY_COLLECTOR,
        VSPHERE_SEARCH_INDEX,
        VSPHERE_VIEW_MANAGER,
        VSPHERE_ROOT_FOLDER,
        VSPHERE_VIRTUAL_DISK_MANAGER, /* its value is empty where there is none */
        VSPHERE_FILE_MANAGER, /* the same */
        _VSPHERE_OBJECT_MAX,
} VSphereObject;
const VSphereRef *vsphere_object(const VSphere *v, VSphereObject object);

typedef struct VSphereCall {
        const char *method;
        const VSphereRef *self;
        const char *arguments; /* XML, or NULL */
        bool once; /* changes something: never sent twice unless vCenter surely did not act on it */
        const XmlEach *each; /* what is taken from the answer as it comes; NULL: nothing */
} VSphereCall;

/* Calls, with a new login and a second try when the session has died, and with patience towards a network that
 * drops calls that may be repeated. *ret_answer lives in *ret_document. */
int vsphere_call(VSphere *v, const VSphereCall *call, XmlDocument **ret_document,
                 const XmlNode **ret_answer, VSphereError *error);
