/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a new VM is to be: folder, resource pool, host, datastore and networks, found by the names that people give, before anything is
 * made. NotFound names what is not there, Exists a VM that is.
 */
#pragma once

#include "vsphere/import-plan.h"
#include "vsphere/session.h"

enum {
        PLACE_NAME_SIZE = 1024,
};

typedef struct PlaceWish {
        const char *name;
        const char *datastore; /* NULL: the only one of the datacenter */
        const char *folder; /* an inventory path, or NULL: the datacenter's own */
        const char *pool, *host; /* inventory paths; without both, a host of the datastore */
} PlaceWish;

typedef struct Place {
        VSphereRef datacenter, folder, pool;
        VSphereRef host; /* its value is empty: the pool's owner chooses */
        char datastore[PLACE_NAME_SIZE];
} Place;

/* TargetFailed: the host that is named, or every one that could be taken, is in maintenance mode or not connected to vCenter. */
int place_find(VSphere *v, const PlaceWish *wish, Place *ret_place, VSphereError *error);

/* The folder, pool, host and datacenter of a VM that is there; the datastore and the name are the wish's, which has nothing else. Where
 * its host takes nothing new now, another one of the same cluster. */
int place_beside(VSphere *v, const VSphereRef *vm, const PlaceWish *wish, Place *ret_place,
                 VSphereError *error);

/* The datacenter above an object that stands below one: a host, a folder, a pool. */
int place_datacenter(VSphere *v, const VSphereRef *from, VSphereRef *ret_datacenter,
                     VSphereError *error);

/* A host, and why it takes no new VM now. */
enum {
        PLACE_WHY_SIZE = 200,
};

typedef struct PlaceHost {
        VSphereRef ref, owner; /* owner: its cluster, or what stands for it alone */
        char why_not[PLACE_WHY_SIZE]; /* "the host x is in maintenance mode"; empty: it takes one */
} PlaceHost;
int place_host_read(VSphere *v, const VSphereRef *ref, PlaceHost *ret_host, VSphereError *error);

/* The first of a datastore's mounts that can write to it and takes a VM; owner: of that cluster only, or NULL. */
int place_host_of(VSphere *v, const XmlNode *mounts, const char *datastore, const VSphereRef *owner,
                  PlaceHost *ret_host, VSphereError *error);

/* A name as vCenter wants it: %, / and \ as %25, %2f and %5c, unless they are so already. For free(); NULL: no memory. */
char *place_escape(const char *name);

/* What the cards are plugged into: texts that the plan borrows afterwards. */
typedef struct PlaceNetwork {
        char *name, *portgroup_key,
                        *switch_uuid; /* the latter two of a distributed port group only */
} PlaceNetwork;

typedef struct PlaceNetworks {
        PlaceNetwork *networks;
        size_t n_networks;
} PlaceNetworks;

/* Fills the cards. map: object {old name or port group key or MAC: new name}, or NULL. leaves_out: a card whose network is not there is
 * left out and named in the plan, instead of refused. ret_networks is to be ended in any case. */
int place_networks(VSphere *v, const Place *place, ImportPlan *plan, const json_t *map,
                   bool leaves_out, PlaceNetworks *ret_networks, VSphereError *error);
void place_networks_done(PlaceNetworks *networks);
