/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All objects of a type below another one (see properties.h): by a view of them, page by page.
 */
#include "vsphere/properties-internal.h"

#include "bus/bus-error.h"
#include "cleanup.h"

#include <errno.h>
#include <string.h>

enum {
        BEGINNINGS_MAX = 4, /* of a walk whose session dies again and again */
};

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
        properties_put_paths(f, walk->type, walk->paths, walk->n_paths);
        properties_put_object(f, view);
        (void) fprintf(f,
                       "<skip>true</skip><selectSet xsi:type=\"TraversalSpec\"><type>%s</type>"
                       "<path>view</path><skip>false</skip></selectSet></objectSet></specSet>"
                       "<options><maxObjects>%u</maxObjects></options>",
                       view->type, (unsigned) PROPERTIES_PAGE);
        if (fclose(f) != 0)
                return vsphere_error_errno(error, -ENOMEM, "Cannot read properties");
        return properties_retrieve(v, "RetrievePropertiesEx", arguments, ret, error);
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
        return properties_retrieve(v, "ContinueRetrievePropertiesEx", arguments, ret, error);
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
