/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Units of questions about a vCenter (see ask-unit.h).
 */
#include "ask-unit.h"

#include "build-config.h"
#include "cleanup.h"
#include "credentials.h"
#include "json-cleanup.h"
#include "unit/unit-files.h"
#include "unit/unit-property.h"

#define VSPHERE_PROGRAM SENDENSE_LIBEXEC_DIR "/sendense-vsphere"

int ask_unit_name(uint64_t slot, char ret_unit[static UNIT_NAME_SIZE])
{
        const UnitName name = { .kind = UNIT_VSPHERE_SERVICE, .job = slot, .step = "ask" };

        return unit_name_to_string(&name, ret_unit);
}

int ask_unit_spec(const char *unit, AskKind kind, bool has_password, json_t **ret_spec)
{
        char in[UNIT_FILE_PATH_SIZE], out[UNIT_FILE_PATH_SIZE];
        CLEANUP(json_decref_p) json_t *spec = NULL;
        UnitName name;
        int r;

        unit_file_path(unit, UNIT_FILE_IN, in);
        unit_file_path(unit, UNIT_FILE_OUT, out);
        r = unit_name_from_string(unit, &name);
        if (r >= 0)
                r = unit_spec_new(&name, &spec);
        if (r >= 0)
                r = unit_property_description(spec, "Sendense Question for a vCenter");
        if (r >= 0)
                r = unit_property(spec, "Slice", "s", json_string("sendense-tasks.slice"));
        if (r >= 0)
                r = unit_property_files(spec, in, out);
        if (r >= 0 && has_password)
                r = unit_property(spec, "LoadCredential", "a(ss)",
                                  json_pack("[[s,s]]", CREDENTIAL_VCENTER, CREDENTIALS_SOCKET));
        if (r >= 0)
                r = unit_property_command(spec, VSPHERE_PROGRAM, ask_kind_to_string(kind));
        if (r >= 0)
                *ret_spec = TAKE(spec);
        return r;
}
