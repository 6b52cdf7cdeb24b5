/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of the variables of an EFI when its VM is made anew: they go into the file that the VM will look for when it is switched
 * on for the first time. The verb import calls it.
 */
#pragma once

#include "vsphere/session.h"

#include <stddef.h>

/* vm is new and switched off. Read back and compared. Any error means that the VM may start with new variables. */
int nvram_restore(VSphere *v, const VSphereRef *vm, const void *data, size_t size,
                  VSphereError *error);
