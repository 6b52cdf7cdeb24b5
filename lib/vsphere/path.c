/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From an object up to the root folder (see path.h).
 */
#include "vsphere/path.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "text.h"
#include "utf8.h"
#include "vsphere/inventory.h"
#include "vsphere/properties.h"

#include <errno.h>
#include <string.h>

enum {
        NODES_MAX = 100 * 1000,
};

void paths_done(Paths *paths)
{
        for (size_t i = 0; i < paths->n_nodes; i++)
                free(paths->nodes[i].name);
        free(paths->nodes);
        *paths = (Paths){};
}

static const PathNode *find(const Paths *paths, const VSphereRef *ref)
{
        for (size_t i = 0; i < paths->n_nodes; i++)
                if (strcmp(paths->nodes[i].ref.value, ref->value) == 0 &&
                    strcmp(paths->nodes[i].ref.type, ref->type) == 0)
                        return &paths->nodes[i];
        return NULL;
}

static int add(Paths *paths, const VSphereRef *ref, const Properties *found, size_t i,
               VSphereError *error)
{
        const char *name = properties_text(found, i, "name");
        PathNode node = { .ref = *ref }, *larger;

        if (paths->n_nodes >= NODES_MAX)
                return vsphere_error_set(error, BUS_ERROR_FAILED, "vCenter has too many folders");
        larger = reallocarray(paths->nodes, paths->n_nodes + 1, sizeof(PathNode));
        if (!larger)
                return vsphere_error_errno(error, -ENOMEM, "Cannot read a folder");
        paths->nodes = larger;
        if (!properties_reference(found, i, "parent", &node.parent))
                (void) properties_reference(found, i, "parentFolder", &node.parent);
        node.name = strndup(name ? name : "?", 255);
        if (!node.name)
                return vsphere_error_errno(error, -ENOMEM, "Cannot read a folder");
        utf8_make_line(node.name);
        paths->nodes[paths->n_nodes++] = node;
        return 0;
}

/* One without a name is asked for by itself: then vCenter says why. */
int paths_take(Paths *paths, const Properties *found, VSphereError *error)
{
        int r = 0;

        for (size_t i = 0; i < properties_count(found) && r >= 0; i++) {
                const VSphereRef *ref = properties_ref(found, i);

                if ((strcmp(ref->type, "Folder") == 0 || strcmp(ref->type, "Datacenter") == 0) &&
                    properties_text(found, i, "name") && !find(paths, ref))
                        r = add(paths, ref, found, i, error);
        }
        return r;
}

static int get(Paths *paths, VSphere *v, const VSphereRef *ref, PathNode *ret_node,
               VSphereError *error)
{
        CLEANUP(properties_free_p) Properties *found = NULL;
        static const char *const names[] = { "name", "parent", "parentFolder" };
        const PathNode *known = find(paths, ref);
        size_t n_names = strcmp(ref->type, "VirtualApp") == 0 ? 3 : 2;
        int r = 0;

        if (!known) {
                r = properties_of(v, ref, names, n_names, &found, error);
                if (r >= 0)
                        r = add(paths, ref, found, 0, error);
                if (r < 0)
                        return r;
                known = &paths->nodes[paths->n_nodes - 1];
        }
        *ret_node = *known;
        return 0;
}

static int put_before(const char *name, char **path)
{
        char *longer = **path ? text_format("%s/%s", name, *path) : strdup(name);

        if (!longer)
                return -ENOMEM;
        free(*path);
        *path = longer;
        return strlen(longer) > VM_PATH_MAX ? -ENAMETOOLONG : 0;
}

int paths_of(Paths *paths, VSphere *v, const VSphereRef *parent, const char *name, char **ret_path,
             char **ret_datacenter, VSphereError *error)
{
        _cleanup_free_ char *path = strdup(name), *datacenter = strdup("");
        const VSphereRef *root = vsphere_object(v, VSPHERE_ROOT_FOLDER);
        VSphereRef at = *parent;
        bool in_datacenter = false;
        int r;

        if (!path || !datacenter)
                return vsphere_error_errno(error, -ENOMEM, "Cannot make a path");
        for (unsigned depth = 0; at.value[0] && strcmp(at.value, root->value) != 0; depth++) {
                PathNode node = {};

                r = depth < PATH_DEPTH_MAX ? get(paths, v, &at, &node, error)
                                           : vsphere_error_set(error, BUS_ERROR_FAILED,
                                                               "a VM stands in too many folders");
                if (r < 0)
                        return r;
                in_datacenter = in_datacenter || strcmp(at.type, "Datacenter") == 0;
                r = put_before(node.name, &path);
                if (r >= 0 && in_datacenter)
                        r = put_before(node.name, &datacenter);
                if (r < 0)
                        return vsphere_error_errno(error, r, "Cannot make a path");
                at = node.parent;
        }
        *ret_path = TAKE(path);
        *ret_datacenter = TAKE(datacenter);
        return 0;
}
