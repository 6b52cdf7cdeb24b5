/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Properties of one object, or of all objects of a view, by RetrievePropertiesEx and as many
 * ContinueRetrievePropertiesEx as it takes. A session that died is noticed in the fault and in missingSet.
 */
#pragma once

#include "vsphere/session.h"

enum {
        PROPERTIES_PAGE = 50, /* objects asked for at once */
        PROPERTIES_OBJECTS_MAX = 100 * 1000,
        PROPERTIES_PAGES_MAX = 20 * 1000,
};

typedef struct Properties Properties;

/* Reads paths of one object. NotFound when it is gone. A path that may not be read, or that this version does
 * not know, is simply not there. */
int properties_of(VSphere *v, const VSphereRef *ref, const char *const *paths, size_t n_paths,
                  Properties **ret, VSphereError *error);

/* The same, and names and parents of the folders and datacenters above it, as far as vCenter shows them in the same answer:
 * then there are more objects, and *ret_at says which one is ref. */
int properties_and_parents(VSphere *v, const VSphereRef *ref, const char *const *paths,
                           size_t n_paths, Properties **ret, size_t *ret_at, VSphereError *error);

/* Reads the property edge of ref, and paths of all objects, of that type, that it names; ref is one of the objects. 1: vCenter
 * does not give all of them together; they must be asked for one by one. */
int properties_behind(VSphere *v, const VSphereRef *ref, const char *edge, const char *type,
                      const char *const *paths, size_t n_paths, Properties **ret,
                      VSphereError *error);

/* Reads paths of all objects of a type below root, page by page: on_page is called for each page and returns 0,
 * a negative errno with error set, or 1 to stop. After a session that died in between it begins anew, with
 * on_begin first. */
typedef struct PropertiesWalk {
        const VSphereRef *root;
        const char *type;
        const char *const *paths;
        size_t n_paths;
        void (*on_begin)(void *userdata);
        int (*on_page)(void *userdata, const Properties *page, VSphereError *error);
        void *userdata;
} PropertiesWalk;
int properties_walk(VSphere *v, const PropertiesWalk *walk, VSphereError *error);

Properties *properties_free(Properties *properties);
DEFINE_CLEANUP(Properties *, properties_free)

size_t properties_count(const Properties *properties);
const VSphereRef *properties_ref(const Properties *properties, size_t i);

/* Whether vCenter says that it does not tell this path, or what it is a part of: then it is not known whether it is set. */
bool properties_is_missing(const Properties *properties, size_t i, const char *path);

/* The element <val> of a path, NULL when it is not set; its text, number and so on by xml.h. */
const XmlNode *properties_value(const Properties *properties, size_t i, const char *path);
const char *properties_text(const Properties *properties, size_t i, const char *path); /* or NULL */
bool properties_is_true(const Properties *properties, size_t i, const char *path);
bool properties_reference(const Properties *properties, size_t i, const char *path,
                          VSphereRef *ret_ref);
