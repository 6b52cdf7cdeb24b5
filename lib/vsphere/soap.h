/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The envelope of a SOAP call and what is in an answer: the answer's own element, or VMware's fault as an
 * error. Pure.
 */
#pragma once

#include "vsphere/error.h"
#include "vsphere/xml-reader.h"

#include <stddef.h>

enum {
        VSPHERE_TYPE_SIZE = 64,
        VSPHERE_MOREF_SIZE = 256,
};

/* A managed object: "VirtualMachine", "vm-28". The value is opaque, and may be any text. */
typedef struct VSphereRef {
        char type[VSPHERE_TYPE_SIZE];
        char value[VSPHERE_MOREF_SIZE];
} VSphereRef;

#define SOAP_BEFORE                                                    \
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope " \
        "xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" " \
        "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "     \
        "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"><soapenv:Body>"
#define SOAP_AFTER "</soapenv:Body></soapenv:Envelope>"

/* arguments: XML that is put in as it is, or NULL. NULL when out of memory. */
char *soap_request(const char *method, const VSphereRef *self, const char *arguments,
                   size_t *ret_size);

/* What stands in a fault of VMware's, wherever one is: its type without prefix and its message. fault may be
 * NULL, message as well. Fills error->fault, and gives the error the name that belongs to the type, or name. */
int soap_fault(const XmlNode *fault, const char *message, const char *name, VSphereError *error);

/* What a reader was fed, as an answer to method. status is HTTP's. *ret_answer (in document) is the element METHODResponse. 0, or a
 * negative errno with error set; is_transient when it was no SOAP at all, is_too_large when it was too much of it. */
int soap_answer(const char *method, long status, XmlReader *reader, XmlDocument **ret_document,
                const XmlNode **ret_answer, VSphereError *error);

/* -EBADMSG when node is no reference of bearable lengths. */
int soap_reference(const XmlNode *node, VSphereRef *ret_ref);
