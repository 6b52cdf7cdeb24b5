/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a vCenter says of itself before anybody logs in: its version and the objects that everything goes
 * through. Only session.c calls it.
 */
#pragma once

#include "vsphere/session.h"

typedef struct Service {
        VSphereRef objects[_VSPHERE_OBJECT_MAX];
        VSphereAbout about;
        char *texts[6]; /* what about points at */
} Service;

/* content is the answer's returnval. To be freed in any case. */
int service_read(const XmlNode *content, Service *service, VSphereError *error);
void service_done(Service *service);

/* Ends every session of this user agent but the one of that key (NULL: nothing is done). */
void service_end_twins(VSphere *v, const char *user_agent, const char *key);
