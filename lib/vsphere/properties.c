/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The property collector (see properties.h).
 */
#include "vsphere/properties-internal.h"

#include "bus/bus-error.h"
#include "cleanup.h"

#include <errno.h>
#include <string.h>

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

bool properties_is_missing(const Properties *properties, size_t i, const char *path)
{
        for (const XmlNode *m = xml_child(properties->objects[i].node, "missingSet"); m;
             m = xml_next(m, "missingSet")) {
                const char *name = xml_text_at(m, "path") ?: "";
                size_t length = strlen(name);

                if (length > 0 && strncmp(path, name, length) == 0 &&
                    (path[length] == '\0' || path[length] == '.'))
                        return true;
        }
        return false;
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

int properties_retrieve(VSphere *v, const char *method, const char *arguments, Properties **ret,
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

static void put_set(FILE *f, const char *type, const char *const *paths, size_t n_paths)
{
        (void) fprintf(f, "<propSet xsi:type=\"PropertySpec\"><type>%s</type>", type);
        for (size_t i = 0; i < n_paths; i++)
                (void) fprintf(f, "<pathSet>%s</pathSet>", paths[i]);
        (void) fputs("</propSet>", f);
}

void properties_put_paths(FILE *f, const char *type, const char *const *paths, size_t n_paths)
{
        (void) fputs("<specSet xsi:type=\"PropertyFilterSpec\">", f);
        put_set(f, type, paths, n_paths);
}

void properties_put_object(FILE *f, const VSphereRef *ref)
{
        (void) fputs("<objectSet xsi:type=\"ObjectSpec\"><obj type=\"", f);
        xml_put(f, ref->type);
        (void) fputs("\">", f);
        xml_put(f, ref->value);
        (void) fputs("</obj>", f);
}

/* With one new login when the session has died in the form that is no fault. */
static int retrieve_again(VSphere *v, const char *arguments, Properties **ret, VSphereError *error)
{
        int r;

        r = properties_retrieve(v, "RetrievePropertiesEx", arguments, ret, error);
        if (r <= 0)
                return r;
        r = vsphere_again(v, error);
        if (r >= 0)
                r = properties_retrieve(v, "RetrievePropertiesEx", arguments, ret, error);
        if (r > 0)
                r = vsphere_error_set(error, BUS_ERROR_VCENTER_SESSION,
                                      "vCenter forgets each new session at once");
        return r;
}

static int no_memory(VSphereError *error)
{
        return vsphere_error_errno(error, -ENOMEM, "Cannot read properties");
}

/* Asks what was written into f, whose text is *arguments. */
static int finish(VSphere *v, FILE *f, char **arguments, Properties **ret, VSphereError *error)
{
        return fclose(f) == 0 ? retrieve_again(v, *arguments, ret, error) : no_memory(error);
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
                return no_memory(error);
        properties_put_paths(f, ref->type, paths, n_paths);
        properties_put_object(f, ref);
        (void) fputs("</objectSet></specSet><options/>", f);
        r = finish(v, f, &arguments, &properties, error);
        if (r < 0 || !properties)
                return r < 0 ? r : no_memory(error);
        if (properties->n_objects != 1 || properties->token ||
            strcmp(properties->objects[0].ref.value, ref->value) != 0)
                return vsphere_error_set(error, BUS_ERROR_NOT_FOUND,
                                         "vCenter answers %zu objects for %s %s",
                                         properties->n_objects, ref->type, ref->value);
        *ret = TAKE(properties);
        return 0;
}

static const Object *find_object(const Properties *properties, const VSphereRef *ref)
{
        for (size_t i = 0; i < properties->n_objects; i++)
                if (strcmp(properties->objects[i].ref.value, ref->value) == 0 &&
                    strcmp(properties->objects[i].ref.type, ref->type) == 0)
                        return &properties->objects[i];
        return NULL;
}

/* ref itself, and each that its property names: an answer without them says nothing. */
static bool has_all_behind(const Properties *properties, const VSphereRef *ref, const char *edge)
{
        const Object *from = find_object(properties, ref);
        const XmlNode *list;

        if (!from)
                return false;
        list = properties_value(properties, (size_t) (from - properties->objects), edge);
        for (const XmlNode *node = xml_child(list, NULL); node; node = xml_next(node, NULL)) {
                VSphereRef one;

                if (soap_reference(node, &one) < 0 || !find_object(properties, &one))
                        return false;
        }
        return true;
}

int properties_and_parents(VSphere *v, const VSphereRef *ref, const char *const *paths,
                           size_t n_paths, Properties **ret, size_t *ret_at, VSphereError *error)
{
        static const char *const of_parents[] = { "name", "parent" };
        CLEANUP(properties_free_p) Properties *properties = NULL;
        _cleanup_free_ char *arguments = NULL;
        const Object *found;
        size_t size = 0;
        FILE *f = open_memstream(&arguments, &size);
        int r;

        if (!f)
                return no_memory(error);
        properties_put_paths(f, ref->type, paths, n_paths);
        put_set(f, "Folder", of_parents, ELEMENTSOF(of_parents));
        put_set(f, "Datacenter", of_parents, ELEMENTSOF(of_parents));
        properties_put_object(f, ref);
        (void) fputs("<skip>false</skip><selectSet xsi:type=\"TraversalSpec\"><name>up</name>"
                     "<type>ManagedEntity</type><path>parent</path><skip>false</skip>"
                     "<selectSet xsi:type=\"SelectionSpec\"><name>up</name></selectSet></selectSet>"
                     "</objectSet></specSet><options/>",
                     f);
        r = finish(v, f, &arguments, &properties, error);
        if (r < 0 && !vsphere_error_is_fault(error, "ManagedObjectNotFound"))
                return r;
        if (r >= 0 && !properties)
                return no_memory(error);
        found = properties ? find_object(properties, ref) : NULL;
        if (found) {
                *ret_at = (size_t) (found - properties->objects);
                *ret = TAKE(properties);
                return 0;
        }
        *ret_at = 0; /* it comes in parts, of which this is none; or something above it is gone, or it is itself */
        return properties_of(v, ref, paths, n_paths, ret, error);
}

int properties_behind(VSphere *v, const VSphereRef *ref, const char *edge, const char *type,
                      const char *const *paths, size_t n_paths, Properties **ret,
                      VSphereError *error)
{
        CLEANUP(properties_free_p) Properties *properties = NULL;
        _cleanup_free_ char *arguments = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&arguments, &size);
        int r;

        if (!f)
                return no_memory(error);
        properties_put_paths(f, ref->type, &edge, 1);
        put_set(f, type, paths, n_paths);
        properties_put_object(f, ref);
        (void) fprintf(f,
                       "<skip>false</skip><selectSet xsi:type=\"TraversalSpec\"><type>%s</type>"
                       "<path>%s</path><skip>false</skip></selectSet></objectSet></specSet>"
                       "<options/>",
                       ref->type, edge);
        r = finish(v, f, &arguments, &properties, error);
        if (r < 0)
                return error->fault[0] == '\0' ? r : 1;
        if (!properties)
                return no_memory(error);
        if (properties->token || !has_all_behind(properties, ref, edge))
                return 1;
        *ret = TAKE(properties);
        return 0;
}
