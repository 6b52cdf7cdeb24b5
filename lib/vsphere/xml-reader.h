/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reading of XML as it arrives, piece by piece, within the bounds of xml.h. What an answer has many of can be taken from it element
 * by element, so that neither the text nor the tree of a long list is ever held whole. Pure.
 */
#pragma once

#include "vsphere/xml.h"

/* The elements at that path. Each is handed over when it has ended and is gone after that; the tree does not have it, nor any text that
 * stands beside it in its parent. */
typedef struct XmlEach {
        const char *const *path; /* names from the root on, ended by NULL */
        void (*begin)(void *userdata); /* a document begins: what one before it gave does not count */
        void (*take)(void *userdata, const XmlNode *element);
        void *userdata;
} XmlEach;

typedef struct XmlReader XmlReader;

/* each is borrowed, and may be NULL. -ENOMEM. */
int xml_reader_new(const XmlEach *each, XmlReader **ret_reader);
XmlReader *xml_reader_free(XmlReader *reader);
DEFINE_CLEANUP(XmlReader *, xml_reader_free)

/* What is wrong with it, the end tells. */
void xml_reader_feed(XmlReader *reader, const char *data, size_t size);

/* That was all. -EBADMSG: not well-formed; -EPERM: a document type; -EFBIG, -ELOOP, -E2BIG: size (of all, or of one text), depth,
 * number of elements; -ENOMEM. */
int xml_reader_end(XmlReader *reader, XmlDocument **ret_document);
