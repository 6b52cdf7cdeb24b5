/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The folders of sendense-files: where the appliance lies, which sendense-appliance.service makes and all jobs read, and what it has found
 * out about this machine since the boot.
 */
#pragma once

#define FILES_APPLIANCE_DIR "/var/cache/sendense-files/appliance"
#define FILES_STATE_FILE    "/run/sendense-appliance/state.json"

enum {
        FILES_STATE_SIZE_MAX = 4096,
};
