/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl backup delete|tree: a backup goes, and what the backups of a VM are made of. Which layers are merged is the hub's
 * business.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "hub-client.h"
#include "job-begun.h"
#include "json-cleanup.h"
#include "names.h"
#include "options.h"
#include "parse.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

/* A layer that others stand below is drawn below its own. */
static char *cell_layer(const json_t *object, const char *key)
{
        _cleanup_free_ char *id = cell_text(object, key);

        if (!id || !*text_of(object, "ParentBackupId"))
                return TAKE(id);
        return text_format("└─ %s", id);
}

static char *cell_state(const json_t *object, const char *key)
{
        (void) key;
        return strdup(number_of(object, "DamagedUSec") > 0    ? "damaged"
                      : number_of(object, "VerifiedUSec") > 0 ? "verified"
                                                              : "-");
}

static const Column layer_columns[] = {
        { "DISK", "Key", cell_number, true },
        { "LAYER", "BackupId", cell_layer, false },
        { "BUILDS ON", "ParentBackupId", cell_text, false },
        { "HOLDS", "SizeBytes", cell_bytes, true },
        { "STATE", "DamagedUSec", cell_state, false },
        { "MADE", "CreatedUSec", cell_time, false },
        { "REPOSITORY", "Repository", cell_text, false },
};

ExitStatus verb_backup_tree(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *layers = NULL;
        ExitStatus s;

        (void) argc;
        s = hub_ask("GetChain", false, "aa{sv}", &layers, "sa{sv}", argv[0], 0);
        return s == CTL_OK ? show_list(layers, layer_columns, ELEMENTSOF(layer_columns),
                                       "This VM has no backup.")
                           : s;
}

ExitStatus verb_backup_delete(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *path = NULL;
        ExitStatus s;

        (void) argc;
        if (option_is_given(OPTION_FORCE))
                s = hub_ask("DeleteBackup", true, "o", &path, "sa{sv}", argv[0], 1, "force", "b",
                            1);
        else
                s = hub_ask("DeleteBackup", true, "o", &path, "sa{sv}", argv[0], 0);
        return s == CTL_OK ? job_begun(path, option_is_given(OPTION_WAIT)) : s;
}
