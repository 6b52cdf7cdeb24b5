/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of the variables of an EFI when its VM is made anew: they go into the file that the VM will look for when it is switched
 * on for the first time. The verb import calls it, and import-end for what an import has left that was killed.
 */
#pragma once

#include "vsphere/session.h"

#include <stddef.h>

/* vm is new and switched off. They get their place when they were read back whole: after any error the VM has none or all of them, and
 * the error names a file that could not be removed again. */
int nvram_restore(VSphere *v, const VSphereRef *vm, const void *data, size_t size,
                  VSphereError *error);

/* Removes what was on its way to the place of such a VM. 0 also when there was nothing. */
int nvram_restore_undo(VSphere *v, const VSphereRef *vm, VSphereError *error);
