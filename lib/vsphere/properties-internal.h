/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What answers of the property collector look like inside, and how one question is asked: for properties.c, which reads
 * single objects, and properties-walk.c, which reads all of a view. Nobody else includes it.
 */
#pragma once

#include "vsphere/properties.h"

#include <stdio.h>

typedef struct Object {
        VSphereRef ref;
        const XmlNode *node;
} Object;

struct Properties {
        XmlDocument *document;
        Object *objects;
        size_t n_objects;
        const char *token; /* in the document */
};

/* One question. 1: the session has died, in the form that is no fault. */
int properties_retrieve(VSphere *v, const char *method, const char *arguments, Properties **ret,
                        VSphereError *error);

/* The beginning of a filter, with the paths of one type; the beginning of an object in it. */
void properties_put_paths(FILE *f, const char *type, const char *const *paths, size_t n_paths);
void properties_put_object(FILE *f, const VSphereRef *ref);
