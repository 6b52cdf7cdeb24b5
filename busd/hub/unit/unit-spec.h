/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What each kind of transient unit is asked of systemd, as a value:
 *   {"unit": name, "properties": [[name, D-Bus signature, value], …], "aux": [{"unit", "properties"}, …]}
 * It holds only what varies; what all units of a kind have in common stands in units/sendense-*-.service.d.
 * Called by export-unit, mount-unit, image-unit, copy-unit and work-unit. Pure.
 */
#pragma once

#include "copy-unit.h"
#include "export-unit.h"
#include "image-unit.h"
#include "mount-unit.h"
#include "work-unit.h"

#include <jansson.h>

/* -EINVAL: a number out of bounds; an export name that is empty, too long or has control characters; a path
 * that is not absolute or has control characters, '"' or '\\', which systemd 252 does not keep over a
 * daemon-reload; no UTF-8. -ENOMEM. */
int unit_spec_export(const ExportUnit *export, json_t **ret_spec);
int unit_spec_mount(const MountUnit *mount, json_t **ret_spec);
int unit_spec_image(const ImageUnit *image, const char *program, json_t **ret_spec);
int unit_spec_copy(const CopyUnit *copy, json_t **ret_spec);
int unit_spec_work(const WorkUnit *work, json_t **ret_spec);
