/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names into objects (see place.h).
 */
#include "vsphere/place.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "vsphere/inventory.h"
#include "vsphere/properties.h"

#include <errno.h>
#include <string.h>

static bool is_a(const VSphereRef *ref, const char *type)
{
        return strcmp(ref->type, type) == 0;
}

static int read_reference(VSphere *v, const VSphereRef *ref, const char *path, VSphereRef *ret_ref,
                          VSphereError *error)
{
        CLEANUP(properties_free_p) Properties *found = NULL;
        int r;

        r = properties_of(v, ref, &path, 1, &found, error);
        if (r < 0)
                return r;
        if (!properties_reference(found, 0, path, ret_ref))
                return vsphere_error_set(error, BUS_ERROR_NOT_FOUND,
                                         "vCenter does not say the %s of %s %s", path, ref->type,
                                         ref->value);
        return 0;
}

int place_datacenter(VSphere *v, const VSphereRef *from, VSphereRef *ret_datacenter,
                     VSphereError *error)
{
        VSphereRef at = *from;
        int r;

        for (unsigned depth = 0; !is_a(&at, "Datacenter"); depth++) {
                if (depth == PATH_DEPTH_MAX)
                        return vsphere_error_set(error, BUS_ERROR_FAILED,
                                                 "an object stands in too many folders");
                r = read_reference(v, &at, "parent", &at, error);
                if (r < 0)
                        return r;
        }
        *ret_datacenter = at;
        return 0;
}

static int find(VSphere *v, const char *what, const char *path, VSphereRef *ret_ref,
                VSphereError *error)
{
        int r;

        r = inventory_find_object(v, path, ret_ref, error);
        return r > 0 ? vsphere_error_set(error, BUS_ERROR_NOT_FOUND,
                                         "vCenter knows no %s '%s'; give its inventory path", what,
                                         path)
                     : r;
}

static int take_datacenters(void *userdata, const Properties *page, VSphereError *error)
{
        VSphereRef *datacenter = userdata;

        for (size_t i = 0; i < properties_count(page); i++) {
                if (datacenter->value[0])
                        return vsphere_error_set(
                                        error, BUS_ERROR_INVALID_ARGUMENT,
                                        "vCenter has several datacenters: name a folder, a "
                                        "resource pool or a host");
                *datacenter = *properties_ref(page, i);
        }
        return 0;
}

static void forget_datacenter(void *userdata)
{
        *(VSphereRef *) userdata = (VSphereRef){};
}

static int only_datacenter(VSphere *v, VSphereRef *ret_datacenter, VSphereError *error)
{
        static const char *const paths[] = { "name" };
        const PropertiesWalk walk = {
                .root = vsphere_object(v, VSPHERE_ROOT_FOLDER),
                .type = "Datacenter",
                .paths = paths,
                .n_paths = ELEMENTSOF(paths),
                .on_begin = forget_datacenter,
                .on_page = take_datacenters,
                .userdata = ret_datacenter,
        };
        int r;

        r = properties_walk(v, &walk, error);
        if (r >= 0 && !ret_datacenter->value[0])
                r = vsphere_error_set(error, BUS_ERROR_NOT_FOUND, "vCenter has no datacenter");
        return r;
}

/* A pool's path may be that of a cluster: then it is the cluster's own pool. */
static int find_pool(VSphere *v, const PlaceWish *wish, Place *place, VSphereError *error)
{
        VSphereRef at = {};
        int r;

        r = wish->pool ? find(v, "resource pool", wish->pool, &at, error)
                       : find(v, "host", wish->host, &at, error);
        if (r < 0)
                return r;
        if (is_a(&at, "HostSystem")) {
                PlaceHost host;

                r = place_host_read(v, &at, &host, error);
                if (r >= 0 && host.why_not[0])
                        return vsphere_error_set(
                                        error, BUS_ERROR_TARGET_FAILED,
                                        "%s, and takes no new VM; end that, or name another host",
                                        host.why_not);
                if (r >= 0) {
                        place->host = at;
                        at = host.owner;
                }
        }
        if (r >= 0 && strstr(at.type, "ComputeResource"))
                return read_reference(v, &at, "resourcePool", &place->pool, error);
        if (r >= 0 && !is_a(&at, "ResourcePool") && !is_a(&at, "VirtualApp"))
                return vsphere_error_set(error, BUS_ERROR_NOT_FOUND,
                                         "'%s' is no resource pool, cluster or host but a %s",
                                         wish->pool ? wish->pool : wish->host, at.type);
        place->pool = at;
        return r;
}

static int find_folder(VSphere *v, const PlaceWish *wish, Place *place, VSphereError *error)
{
        int r;

        if (!wish->folder) {
                r = place->pool.value[0]
                                    ? place_datacenter(v, &place->pool, &place->datacenter, error)
                                    : only_datacenter(v, &place->datacenter, error);
                return r < 0 ? r
                             : read_reference(v, &place->datacenter, "vmFolder", &place->folder,
                                              error);
        }
        r = find(v, "folder", wish->folder, &place->folder, error);
        if (r >= 0 && is_a(&place->folder, "Datacenter"))
                r = read_reference(v, &place->folder, "vmFolder", &place->folder, error);
        if (r >= 0 && !is_a(&place->folder, "Folder"))
                return vsphere_error_set(error, BUS_ERROR_NOT_FOUND, "'%s' is no folder but a %s",
                                         wish->folder, place->folder.type);
        return r < 0 ? r : place_datacenter(v, &place->folder, &place->datacenter, error);
}

/* A host that can write to the datastore and takes a VM, when nobody has named one. Where the pool is known, one beside it. */
static int choose_host(VSphere *v, const XmlNode *mounts, const VSphereRef *owner, Place *place,
                       VSphereError *error)
{
        PlaceHost host;
        int r;

        r = place_host_of(v, mounts, place->datastore, owner, &host, error);
        if (r < 0)
                return r;
        place->host = host.ref;
        return owner ? 0 : read_reference(v, &host.owner, "resourcePool", &place->pool, error);
}

/* Goes through what a property of the datacenter lists. */
static const XmlNode *list_next(const XmlNode *at)
{
        return xml_next(at, "ManagedObjectReference");
}

/* A datastore that fits is taken. Without a name all fit, and a second one is one too many. */
static int take_datastore(VSphere *v, const PlaceWish *wish, const Properties *found,
                          const VSphereRef *owner, Place *place, VSphereError *error)
{
        const char *name = properties_text(found, 0, "name");

        if (!name || (wish->datastore && strcmp(name, wish->datastore) != 0))
                return 0;
        if (place->datastore[0])
                return vsphere_error_set(
                                error, BUS_ERROR_INVALID_ARGUMENT,
                                "the datacenter has several datastores ('%.80s', '%.80s'): "
                                "name one",
                                place->datastore, name);
        (void) snprintf(place->datastore, sizeof(place->datastore), "%s", name);
        return place->pool.value[0] && !owner ? 0
                                              : choose_host(v, properties_value(found, 0, "host"),
                                                            owner, place, error);
}

/* owner: a host of this one is wanted, whatever is known already; or NULL. */
static int find_datastore(VSphere *v, const PlaceWish *wish, const VSphereRef *owner, Place *place,
                          VSphereError *error)
{
        static const char *const edge[] = { "datastore" }, *const paths[] = { "name", "host" };
        CLEANUP(properties_free_p) Properties *all = NULL;
        int r;

        r = properties_of(v, &place->datacenter, edge, ELEMENTSOF(edge), &all, error);
        for (const XmlNode *at = r < 0 ? NULL
                                       : xml_child(properties_value(all, 0, "datastore"),
                                                   "ManagedObjectReference");
             at && r >= 0 && !(wish->datastore && place->datastore[0]); at = list_next(at)) {
                CLEANUP(properties_free_p) Properties *found = NULL;
                VSphereRef ref;

                if (soap_reference(at, &ref) < 0)
                        continue;
                r = properties_of(v, &ref, paths, ELEMENTSOF(paths), &found, error);
                if (r >= 0)
                        r = take_datastore(v, wish, found, owner, place, error);
        }
        if (r >= 0 && !place->datastore[0])
                return vsphere_error_set(error, BUS_ERROR_NOT_FOUND,
                                         "the datacenter has no datastore '%s'",
                                         wish->datastore ?: "");
        return r;
}

char *place_escape(const char *name)
{
        size_t size = 3 * strlen(name) + 1, at = 0;
        char *text = calloc(1, size);

        for (; text && *name; name++) {
                bool is_escape = strncasecmp(name, "%2f", 3) == 0 ||
                                 strncasecmp(name, "%5c", 3) == 0 || strncmp(name, "%25", 3) == 0;

                at = xml_append(text, size, at,
                                *name == '/'                 ? "%2f"
                                : *name == '\\'              ? "%5c"
                                : *name == '%' && !is_escape ? "%25"
                                                             : (const char[]){ *name, '\0' });
        }
        return text;
}

static int check_name(VSphere *v, const PlaceWish *wish, const Place *place, VSphereError *error)
{
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        _cleanup_free_ char *arguments = NULL, *name = place_escape(wish->name);
        const XmlNode *answer = NULL;
        VSphereRef found;
        size_t size = 0;
        FILE *f = open_memstream(&arguments, &size);
        int r;

        if (!f || !name) {
                if (f)
                        (void) fclose(f);
                return vsphere_error_errno(error, -ENOMEM, "Cannot look for a name");
        }
        (void) fputs("<entity type=\"Folder\">", f);
        xml_put(f, place->folder.value);
        (void) fputs("</entity><name>", f);
        xml_put(f, name);
        (void) fputs("</name>", f);
        if (fclose(f) != 0)
                return vsphere_error_errno(error, -ENOMEM, "Cannot look for a name");
        r = vsphere_call(v,
                         &(VSphereCall){ .method = "FindChild",
                                         .self = vsphere_object(v, VSPHERE_SEARCH_INDEX),
                                         .arguments = arguments },
                         &document, &answer, error);
        if (r >= 0 && soap_reference(xml_child(answer, "returnval"), &found) >= 0)
                return vsphere_error_set(error, BUS_ERROR_EXISTS,
                                         "there is '%s' in that folder already; choose another "
                                         "name or folder",
                                         wish->name);
        return r;
}

/* Its own host when that takes a VM; the pool's owner has others, maybe, to which the datastore is mounted. */
static int find_host_beside(VSphere *v, const PlaceWish *wish, Place *place, VSphereError *error)
{
        PlaceHost host;
        int r;

        r = place_host_read(v, &place->host, &host, error);
        return r < 0 || !host.why_not[0] ? r : find_datastore(v, wish, &host.owner, place, error);
}

int place_beside(VSphere *v, const VSphereRef *vm, const PlaceWish *wish, Place *ret_place,
                 VSphereError *error)
{
        static const char *const paths[] = { "parent", "resourcePool", "runtime.host" };
        CLEANUP(properties_free_p) Properties *found = NULL;
        Place place = {};
        int r;

        r = properties_of(v, vm, paths, ELEMENTSOF(paths), &found, error);
        if (r < 0)
                return r;
        if (!properties_reference(found, 0, "runtime.host", &place.host) ||
            !properties_reference(found, 0, "resourcePool", &place.pool))
                return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                         "vCenter does not say on which host and in which resource "
                                         "pool the VM is");
        r = place_datacenter(v, &place.host, &place.datacenter, error);
        /* One of a vApp is in no folder. */
        if (r >= 0 && !properties_reference(found, 0, "parent", &place.folder))
                r = read_reference(v, &place.datacenter, "vmFolder", &place.folder, error);
        if (r < 0)
                return r;
        if (is_a(&place.pool, "VirtualApp")) {
                VSphereRef owner = {};

                r = read_reference(v, &place.host, "parent", &owner, error);
                if (r >= 0)
                        r = read_reference(v, &owner, "resourcePool", &place.pool, error);
        }
        if (r >= 0)
                r = find_host_beside(v, wish, &place, error);
        (void) snprintf(place.datastore, sizeof(place.datastore), "%s", wish->datastore);
        if (r >= 0)
                r = check_name(v, wish, &place, error);
        if (r >= 0)
                *ret_place = place;
        return r;
}

int place_find(VSphere *v, const PlaceWish *wish, Place *ret_place, VSphereError *error)
{
        Place place = {};
        int r = 0;

        if (wish->pool || wish->host)
                r = find_pool(v, wish, &place, error);
        if (r >= 0)
                r = find_folder(v, wish, &place, error);
        if (r >= 0)
                r = find_datastore(v, wish, NULL, &place, error);
        if (r >= 0)
                r = check_name(v, wish, &place, error);
        if (r >= 0)
                *ret_place = place;
        return r;
}
