/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The XML that a vCenter answers, as a tree within strict bounds, and the writing of texts into ours. No document type
 * (and so no entities but the five), no network, UTF-8 only, bounded in size, depth and number of elements.
 * Namespaces are not looked at but for xsi:type: the peer chooses its prefixes. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cleanup.h"

enum {
        XML_SIZE_MAX = 32 * 1024 * 1024,
        XML_DEPTH_MAX = 256, /* what libxml2 takes: layers of a disk stand within each other */
        XML_ELEMENTS_MAX = 500 * 1000,
        XML_TEXT_MAX = 16 * 1024, /* of one element that somebody reads */
};

typedef struct _xmlDoc XmlDocument; /* xml-reader.h makes them */
typedef struct _xmlNode XmlNode;

XmlDocument *xml_free(XmlDocument *document);
DEFINE_CLEANUP(XmlDocument *, xml_free)

const XmlNode *xml_root(const XmlDocument *document);

/* The first child element of that local name (NULL: of any), and the next beside it. node may be NULL. */
const XmlNode *xml_child(const XmlNode *node, const char *name);
const XmlNode *xml_next(const XmlNode *node, const char *name);

/* Down a path of names: "backing/fileName". NULL when one is missing. */
const XmlNode *xml_find(const XmlNode *node, const char *path);

const char *xml_name(const XmlNode *node);

/* The text of an element without children; "" for an empty one; NULL when there is no such element, or it has
 * children, or it is longer than XML_TEXT_MAX. Borrowed from the document; valid UTF-8, of any characters. */
const char *xml_text(const XmlNode *node);
const char *xml_text_at(const XmlNode *node, const char *path);

/* Strict numbers and booleans ("true", "false", "1", "0"). -ENOENT: there is none; -EBADMSG, -ERANGE. */
int xml_uint64_at(const XmlNode *node, const char *path, uint64_t max, uint64_t *ret_value);
bool xml_is_true_at(const XmlNode *node, const char *path);

/* xsi:type without its prefix, and the plain attribute "type" that references have; "" when there is none. */
const char *xml_type(const XmlNode *node);
const char *xml_reference_type(const XmlNode *node);

/* Whether XML 1.0 can say it at all: valid UTF-8 without controls but tab and line ends. */
bool xml_can_say(const char *text);

/* Text as the content of an element. What XML cannot say becomes '?'. */
void xml_put(FILE *f, const char *text);

/* The same into memory of the caller's: ret_text gets at most XML_ESCAPED_MAX times size bytes and a NUL.
 * Returns what it wrote. */
enum {
        XML_ESCAPED_MAX = 6,
};
size_t xml_escape(const char *text, size_t size, char *ret_text);

/* Adds text at a place within buffer, as much of it as fits with a NUL; the place after it. */
size_t xml_append(char *buffer, size_t size, size_t at, const char *text);
