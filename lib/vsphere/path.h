/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inventory paths, made by going from an object to its parents; each folder is asked for once. Only
 * inventory.c calls it.
 */
#pragma once

#include "vsphere/properties.h"
#include "vsphere/session.h"

typedef struct PathNode {
        VSphereRef ref, parent; /* parent.value is empty at the top */
        char *name;
} PathNode;

typedef struct Paths {
        PathNode *nodes;
        size_t n_nodes;
} Paths;

void paths_done(Paths *paths);

/* Takes the folders and datacenters of an answer, so that they need not be asked for. */
int paths_take(Paths *paths, const Properties *found, VSphereError *error);

/* The path of an object of that name below parent, and that of the datacenter above it (empty when there is
 * none). Both are the caller's. */
int paths_of(Paths *paths, VSphere *v, const VSphereRef *parent, const char *name, char **ret_path,
             char **ret_datacenter, VSphereError *error);
