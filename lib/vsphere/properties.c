/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The property collector (see properties.h).
 */
#include "vsphere/properties.h"

#include "bus/bus-error.h"
#include "cleanup.h"

#include <errno.h>
#include <string.h>

enum {
        BEGINNINGS_MAX = 4, /* of a walk whose session dies again and again */
};

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

Properties *properties_free(Properties *properties)
{
        if (!properties)
                return NULL;
        (void) xml_free(properties->document);
        free(properties->objects);
        free(properties);
        return NULL;
}

size_t properties_count(const Properties *properties)
{
        return properties->n_objects;
}

const VSphereRef *properties_ref(const Properties *properties, size_t i)
{
        return &properties->objects[i].ref;
}

const XmlNode *properties_value(const Properties *properties, size_t i, const char *path)
{
        for (const XmlNode *set = xml_child(properties->objects[i].node, "propSet"); set;
             set = xml_next(set, "propSet")) {
                const char *name = xml_text_at(set, "name");

                if (name && strcmp(name, path) == 0)
                        return xml_child(set, "val");
        }
        return NULL;
}

const char *properties_text(const Properties *properties, size_t i, const char *path)
{
        return xml_text(properties_value(properties, i, path));
}

bool properties_is_true(const Properties *properties, size_t i, const char *path)
{
        const char *text = properties_text(properties, i, path);

        return text && (strcmp(text, "true") == 0 || strcmp(text, "1") == 0);
}

bool properties_reference(const Properties *properties, size_t i, const char *path,
                          VSphereRef *ret_ref)
{
        return soap_reference(properties_value(properties, i, path), ret_ref) >= 0;
}

/* The form of a dead session that comes with HTTP 200: every property is missing for that reason. */
static bool has_lost_session(const XmlNode *returnval)
{
        for (const XmlNode *o = xml_child(returnval, "objects"); o; o = xml_next(o, "objects"))
                for (const XmlNode *m = xml_child(o, "missingSet"); m;
                     m = xml_next(m, "missingSet"))
                        if (strcmp(xml_type(xml_find(m, "fault/fault")), "NotAuthenticated") == 0)
                                return true;
        return false;
}

static int take_objects(Properties *properties, const XmlNode *returnval)
{
        size_t n = 0;

        for (const XmlNode *o = xml_child(returnval, "objects"); o; o = xml_next(o, "objects"))
                n++;
        properties->objects = calloc(n > 0 ? n : 1, sizeof(Object));
        if (!properties->objects)
                return -ENOMEM;
        for (const XmlNode *o = xml_child(returnval, "objects"); o; o = xml_next(o, "objects")) {
                Object *object = &properties->objects[properties->n_objects];

                if (soap_reference(xml_child(o, "obj"), &object->ref) < 0)
                        return -EBADMSG;
                object->node = o;
                properties->n_objects++;
        }
        properties->token = xml_text_at(returnval, "token");
        return 0;
}

/* 1: the session has died, in the form that is no fault. */
static int retrieve(VSphere *v, const char *method, const char *arguments, Properties **ret,
                    VSphereError *error)
{
        CLEANUP(properties_free_p) Properties *properties = calloc(1, sizeof(Properties));
        const XmlNode *answer, *returnval;
        int r;

        if (!properties)
                return vsphere_error_errno(error, -ENOMEM, "Cannot read properties");
        r = vsphere_call(v,
                         &(VSphereCall){ .method = method,
                                         .self = vsphere_object(v, VSPHERE_PROPERTY_COLLECTOR),
                                         .arguments = arguments },
                         &properties->document, &answer, error);
        if (r < 0)
                return r;
        returnval = xml_child(answer, "returnval");
        if (has_lost_session(returnval))
                return 1;
        r = take_objects(properties, returnval);
        if (r == -EBADMSG)
                return vsphere_error_set(error, BUS_ERROR_FAILED,
                                         "vCenter answers properties of an object without a name");
        if (r < 0)
                return vsphere_error_errno(error, r, "Cannot read properties");
        *ret = TAKE(properties);
        return 0;
}

static void put_paths(FILE *f, const char *type, const char *const *paths, size_t n_paths)
{
        (void) fprintf(f,
                       "<specSet xsi:type=\"PropertyFilterSpec\"><propSet "
                       "xsi:type=\"PropertySpec\"><type>%s</type>",
                       type);
        for (size_t i = 0; i < n_paths; i++)
                (void) fprintf(f, "<pathSet>%s</pathSet>", paths[i]);
        (void) fputs("</propSet>", f);
}

static void put_object(FILE *f, const VSphereRef *ref)
{
        (void) fputs("<objectSet xsi:type=\"ObjectSpec\"><obj type=\"", f);
        xml_put(f, ref->type);
        (void) fputs("\">", f);
        xml_put(f, ref->value);
        (void) fputs("</obj>", f);
}

int properties_of(VSphere *v, const VSphereRef *ref, const char *const *paths, size_t n_paths,
                  Properties **ret, VSphereError *error)
{
        CLEANUP(properties_free_p) Properties *properties = NULL;
        _cleanup_free_ char *arguments = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&arguments, &size);
        int r;

        if (!f)
                return vsphere_error_errno(error, -errno, "Cannot read properties");
        put_paths(f, ref->type, paths, n_paths);
        put_object(f, ref);
        (void) fputs("</objectSet></specSet><options/>", f);
        if (fclose(f) != 0)
                return vsphere_error_errno(error, -ENOMEM, "Cannot read properties");

        r = retrieve(v, "RetrievePropertiesEx", arguments, &properties, error);
        if (r > 0) {
                r = vsphere_again(v, error);
                if (r >= 0)
                        r = retrieve(v, "RetrievePropertiesEx", arguments, &properties, error);
                if (r > 0)
                        r = vsphere_error_set(error, BUS_ERROR_VCENTER_SESSION,
                                              "vCenter forgets each new session at once");
        }
        if (r < 0 || !properties)
                return r < 0 ? r : vsphere_error_errno(error, -ENOMEM, "Cannot read properties");
        if (properties->n_objects != 1 || properties->token ||
            strcmp(properties->objects[0].ref.value, ref->value) != 0)
                return vsphere_error_set(error, BUS_ERROR_NOT_FOUND,
                                         "vCenter answers %zu objects for %s %s",
                                         properties->n_objects, ref->type, ref->value);
        *ret = TAKE(properties);
        return 0;
}

static int create_view(VSphere *v, const PropertiesWalk *walk, VSphereRef *ret_view,
                       VSphereError *error)
{
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        _cleanup_free_ char *arguments = NULL;
        const XmlNode *answer;
        size_t size = 0;
        FILE *f = open_memstream(&arguments, &size);
        int r;

        if (!f)
                return vsphere_error_errno(error, -errno, "Cannot make a view");
        (void) fputs("<container type=\"", f);
        xml_put(f, walk->root->type);
        (void) fputs("\">", f);
        xml_put(f, walk->root->value);
        (void) fprintf(f, "</container><type>%s</type><recursive>true</recursive>", walk->type);
        if (fclose(f) != 0)
                return vsphere_error_errno(error, -ENOMEM, "Cannot make a view");
        r = vsphere_call(v,
                         &(VSphereCall){ .method = "CreateContainerView",
                                         .self = vsphere_object(v, VSPHERE_VIEW_MANAGER),
                                         .arguments = arguments },
                         &document, &answer, error);
        if (r >= 0 && soap_reference(xml_child(answer, "returnval"), ret_view) < 0)
                r = vsphere_error_set(error, BUS_ERROR_FAILED,
                                      "vCenter makes a view without a name");
        return r;
}

static void destroy_view(VSphere *v, const VSphereRef *view)
{
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        const XmlNode *answer;
        VSphereError error = {};

        (void) vsphere_call(v, &(VSphereCall){ .method = "DestroyView", .self = view }, &document,
                            &answer, &error);
}

static int first_page(VSphere *v, const PropertiesWalk *walk, const VSphereRef *view,
                      Properties **ret, VSphereError *error)
{
        _cleanup_free_ char *arguments = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&arguments, &size);

        if (!f)
                return vsphere_error_errno(error, -errno, "Cannot read properties");
        put_paths(f, walk->type, walk->paths, walk->n_paths);
        put_object(f, view);
        (void) fprintf(f,
                       "<skip>true</skip><selectSet xsi:type=\"TraversalSpec\"><type>%s</type>"
                       "<path>view</path><skip>false</skip></selectSet></objectSet></specSet>"
                       "<options><maxObjects>%u</maxObjects></options>",
                       view->type, (unsigned) PROPERTIES_PAGE);
        if (fclose(f) != 0)
                return vsphere_error_errno(error, -ENOMEM, "Cannot read properties");
        return retrieve(v, "RetrievePropertiesEx", arguments, ret, error);
}

static int next_page(VSphere *v, const char *token, Properties **ret, VSphereError *error)
{
        _cleanup_free_ char *arguments = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&arguments, &size);

        if (!f)
                return vsphere_error_errno(error, -errno, "Cannot read properties");
        (void) fputs("<token>", f);
        xml_put(f, token);
        (void) fputs("</token>", f);
        if (fclose(f) != 0)
                return vsphere_error_errno(error, -ENOMEM, "Cannot read properties");
        return retrieve(v, "ContinueRetrievePropertiesEx", arguments, ret, error);
}

/* All pages of one view. 1: a session was lost. */
static int walk_view(VSphere *v, const PropertiesWalk *walk, const VSphereRef *view,
                     VSphereError *error)
{
        CLEANUP(properties_free_p) Properties *page = NULL;
        size_t n_objects = 0;
        int r;

        r = first_page(v, walk, view, &page, error);
        for (unsigned i = 0; r == 0 && page; i++) {
                Properties *next = NULL;

                n_objects += page->n_objects;
                if (i > PROPERTIES_PAGES_MAX || n_objects > PROPERTIES_OBJECTS_MAX)
                        return vsphere_error_set(error, BUS_ERROR_FAILED,
                                                 "vCenter has more than %u objects, or answers "
                                                 "without an end",
                                                 (unsigned) PROPERTIES_OBJECTS_MAX);
                r = walk->on_page(walk->userdata, page, error);
                if (r != 0)
                        return r < 0 ? r : 0;
                if (!page->token || *page->token == '\0')
                        return 0;
                r = next_page(v, page->token, &next, error);
                if (r == 0) {
                        (void) properties_free(page);
                        page = next;
                }
        }
        return r;
}

/* View and token die with their session, and a new one knows neither: whether that is why. */
static bool is_void(VSphere *v, unsigned generation, int r, VSphereError *error)
{
        if (r == 1)
                return vsphere_again(v, error) >= 0;
        return r != -ECANCELED && (generation != vsphere_generation(v) ||
                                   vsphere_error_is_fault(error, "ManagedObjectNotFound") ||
                                   vsphere_error_is_fault(error, "InvalidArgument"));
}

int properties_walk(VSphere *v, const PropertiesWalk *walk, VSphereError *error)
{
        for (unsigned i = 0;; i++) {
                VSphereRef view;
                unsigned generation;
                int r;

                if (walk->on_begin)
                        walk->on_begin(walk->userdata);
                r = create_view(v, walk, &view, error);
                if (r < 0)
                        return r;
                generation = vsphere_generation(v);
                r = walk_view(v, walk, &view, error);
                if (r != 0 && i < BEGINNINGS_MAX && is_void(v, generation, r, error))
                        continue;
                if (generation == vsphere_generation(v))
                        destroy_view(v, &view);
                return r > 0 ? vsphere_error_set(error, BUS_ERROR_VCENTER_SESSION,
                                                 "vCenter forgets each new session at once")
                             : r;
        }
}
