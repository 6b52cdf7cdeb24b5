/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rows that a VM commit record stands for. For store-catalog.c alone, which judges what may be
 * written.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

typedef struct st_mysql MYSQL;

typedef struct CatalogPlace {
        MYSQL *database;
        uint64_t repository_id;
} CatalogPlace;

/* Writes VM, disks, job and layers of a backup that the catalog does not have. -ENODATA when a layer
 * below is not there; -EINVAL and -EEXIST when the catalog refuses a value. Then some rows may be written
 * already: the caller rolls back. */
int catalog_insert(const CatalogPlace *place, const json_t *record);
