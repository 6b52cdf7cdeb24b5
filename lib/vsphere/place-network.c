/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The networks of a datacenter and the cards of a new VM (see place.h).
 */
#include "vsphere/place.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "vsphere/properties.h"

#include <errno.h>
#include <string.h>

enum {
        NETWORKS_MAX = 10 * 1000,
};

void place_networks_done(PlaceNetworks *networks)
{
        for (size_t i = 0; i < networks->n_networks; i++) {
                free(networks->networks[i].name);
                free(networks->networks[i].portgroup_key);
                free(networks->networks[i].switch_uuid);
        }
        free(networks->networks);
        *networks = (PlaceNetworks){};
}

static int copy(const char *text, char **ret_copy)
{
        char *made = text ? strdup(text) : NULL;

        *ret_copy = made;
        return text && !made ? -ENOMEM : 0;
}

static int read_switch(VSphere *v, const Properties *found, PlaceNetwork *network,
                       VSphereError *error)
{
        static const char *const paths[] = { "uuid" };
        CLEANUP(properties_free_p) Properties *of_switch = NULL;
        VSphereRef ref;
        int r;

        if (!properties_reference(found, 0, "config.distributedVirtualSwitch", &ref))
                return 0;
        r = properties_of(v, &ref, paths, ELEMENTSOF(paths), &of_switch, error);
        if (r >= 0 && copy(properties_text(of_switch, 0, "uuid"), &network->switch_uuid) < 0)
                r = vsphere_error_errno(error, -ENOMEM, "Cannot read a network");
        return r;
}

/* One without a name, or a port group whose switch is not shown, is as good as none. */
static int read_one(VSphere *v, const VSphereRef *ref, PlaceNetworks *networks, VSphereError *error)
{
        static const char *const paths[] = { "name", "key", "config.distributedVirtualSwitch" };
        bool is_distributed = strcmp(ref->type, "DistributedVirtualPortgroup") == 0;
        CLEANUP(properties_free_p) Properties *found = NULL;
        PlaceNetwork network = {};
        int r;

        if (!is_distributed && strcmp(ref->type, "Network") != 0)
                return 0;
        r = properties_of(v, ref, paths, is_distributed ? ELEMENTSOF(paths) : 1, &found, error);
        if (r < 0)
                return r;
        if (copy(properties_text(found, 0, "name"), &network.name) < 0 ||
            copy(properties_text(found, 0, "key"), &network.portgroup_key) < 0)
                r = vsphere_error_errno(error, -ENOMEM, "Cannot read a network");
        else if (is_distributed)
                r = read_switch(v, found, &network, error);
        networks->networks[networks->n_networks++] = network;
        return r;
}

static int read_all(VSphere *v, const Place *place, PlaceNetworks *networks, VSphereError *error)
{
        static const char *const edge[] = { "network" };
        CLEANUP(properties_free_p) Properties *all = NULL;
        const XmlNode *list;
        size_t n = 0;
        int r;

        r = properties_of(v, &place->datacenter, edge, ELEMENTSOF(edge), &all, error);
        if (r < 0)
                return r;
        list = properties_value(all, 0, "network");
        for (const XmlNode *at = xml_child(list, "ManagedObjectReference"); at && n < NETWORKS_MAX;
             at = xml_next(at, "ManagedObjectReference"))
                n++;
        networks->networks = calloc(n > 0 ? n : 1, sizeof(PlaceNetwork));
        if (!networks->networks)
                return vsphere_error_errno(error, -ENOMEM, "Cannot read the networks");
        for (const XmlNode *at = xml_child(list, "ManagedObjectReference"); at && n > 0 && r >= 0;
             at = xml_next(at, "ManagedObjectReference"), n--) {
                VSphereRef ref;

                if (soap_reference(at, &ref) >= 0)
                        r = read_one(v, &ref, networks, error);
        }
        return r;
}

static const char *mapped(const json_t *map, const char *key)
{
        return key ? json_string_value(json_object_get(map, key)) : NULL;
}

static bool is_same(const char *a, const char *b)
{
        return a && b && strcmp(a, b) == 0;
}

static const PlaceNetwork *choose(const PlaceNetworks *networks, const char *name, const char *key)
{
        for (size_t i = 0; i < networks->n_networks; i++) {
                const PlaceNetwork *network = &networks->networks[i];
                bool is_whole = !network->portgroup_key || network->switch_uuid;

                if (is_whole &&
                    (is_same(network->name, name) || is_same(network->portgroup_key, key)))
                        return network;
        }
        return NULL;
}

static int plug(ImportCard *card, const char *mac, const json_t *map, const PlaceNetworks *networks,
                VSphereError *error)
{
        const char *wanted = mapped(map, mac) ?: mapped(map, card->network)
                                              ?: mapped(map, card->portgroup_key);
        const PlaceNetwork *network = wanted ? choose(networks, wanted, NULL)
                                             : choose(networks, card->network, card->portgroup_key);

        if (!network)
                return vsphere_error_set(error, BUS_ERROR_NOT_FOUND,
                                         "the datacenter has no network '%s', to which the card %s "
                                         "is to be plugged; give another one in \"networks\"",
                                         wanted                ? wanted
                                         : card->network       ? card->network
                                         : card->portgroup_key ? card->portgroup_key
                                                               : "",
                                         mac ? mac : card->type);
        card->new_network = network->name;
        card->new_portgroup_key = network->portgroup_key;
        card->new_switch = network->switch_uuid;
        return 0;
}

int place_networks(VSphere *v, const Place *place, ImportPlan *plan, const json_t *map,
                   bool leaves_out, PlaceNetworks *ret_networks, VSphereError *error)
{
        const json_t *cards = json_object_get(plan->hardware, "networks");
        int r = 0;

        if (plan->n_cards > 0)
                r = read_all(v, place, ret_networks, error);
        for (size_t i = 0; i < plan->n_cards && r >= 0; i++) {
                const char *mac =
                                json_string_value(json_object_get(json_array_get(cards, i), "mac"));

                r = plug(&plan->cards[i], mac, map, ret_networks, error);
                if (r >= 0 || !leaves_out)
                        continue;
                plan->cards[i].is_left_out = true;
                r = json_array_append_new(plan->left_out,
                                          json_pack("{s:s, s:s}", "type", plan->cards[i].type,
                                                    "label", plan->cards[i].network ?: ""));
                if (r < 0)
                        r = vsphere_error_errno(error, -ENOMEM, "Cannot plan a VM");
        }
        return r;
}
