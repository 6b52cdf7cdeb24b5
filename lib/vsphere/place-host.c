/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hosts that take a new VM (see place.h). A datastore stays mounted at a host in maintenance mode, and at one that is not connected it
 * stays listed as it was last seen: so each is asked for its own state.
 */
#include "vsphere/place.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "vsphere/properties.h"

#include <string.h>

/* What the user may not see of it says nothing against it. */
int place_host_read(VSphere *v, const VSphereRef *ref, PlaceHost *ret_host, VSphereError *error)
{
        static const char *const paths[] = { "name", "parent", "runtime.connectionState",
                                             "runtime.inMaintenanceMode" };
        CLEANUP(properties_free_p) Properties *found = NULL;
        const char *connection, *name, *why = NULL;
        PlaceHost host = { .ref = *ref };
        int r;

        r = properties_of(v, ref, paths, ELEMENTSOF(paths), &found, error);
        if (r < 0)
                return r;
        if (!properties_reference(found, 0, "parent", &host.owner))
                return vsphere_error_set(error, BUS_ERROR_NOT_FOUND,
                                         "vCenter does not say the parent of %s %s", ref->type,
                                         ref->value);
        name = properties_text(found, 0, "name");
        connection = properties_text(found, 0, "runtime.connectionState");
        if (connection && strcmp(connection, "connected") != 0)
                why = "is not connected to vCenter";
        else if (properties_is_true(found, 0, "runtime.inMaintenanceMode"))
                why = "is in maintenance mode";
        if (why)
                (void) snprintf(host.why_not, sizeof(host.why_not), "the host %.120s %s",
                                name ? name : ref->value, why);
        *ret_host = host;
        return 0;
}

static bool can_write(const XmlNode *mount)
{
        const char *mode = xml_text_at(mount, "mountInfo/accessMode");

        return (!mode || strcmp(mode, "readOnly") != 0) &&
               (!xml_find(mount, "mountInfo/accessible") ||
                xml_is_true_at(mount, "mountInfo/accessible"));
}

int place_host_of(VSphere *v, const XmlNode *mounts, const char *datastore, const VSphereRef *owner,
                  PlaceHost *ret_host, VSphereError *error)
{
        char why[PLACE_WHY_SIZE] = "";

        for (const XmlNode *m = xml_child(mounts, "DatastoreHostMount"); m;
             m = xml_next(m, "DatastoreHostMount")) {
                PlaceHost host = {};
                VSphereRef ref = {};
                int r;

                if (!can_write(m) || soap_reference(xml_child(m, "key"), &ref) < 0)
                        continue;
                r = place_host_read(v, &ref, &host, error);
                if (r < 0)
                        return r;
                if (owner && strcmp(owner->value, host.owner.value) != 0)
                        continue;
                if (!host.why_not[0]) {
                        *ret_host = host;
                        return 0;
                }
                if (!why[0])
                        (void) snprintf(why, sizeof(why), "%s", host.why_not);
        }
        if (!why[0])
                return vsphere_error_set(
                                error, BUS_ERROR_NOT_FOUND,
                                "no host can write to the datastore '%s'; name a host or a "
                                "resource pool",
                                datastore);
        return vsphere_error_set(error, BUS_ERROR_TARGET_FAILED,
                                 "no host that can write to the datastore '%s' takes a new VM now: "
                                 "%s; end that, or %s",
                                 datastore, why,
                                 owner ? "move the VM to a cluster with a host that does"
                                       : "name a host, a resource pool or another datastore");
}
