/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Properties of transient units (see unit-property.h).
 */
#include "unit/unit-property.h"

#include "cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

/* Appends [name, signature, value]; takes value. NULL is what cannot be said: no path, no UTF-8. */
int unit_property(json_t *spec, const char *name, const char *signature, json_t *value)
{
        if (!value)
                return -EINVAL;
        return json_array_append_new(json_object_get(spec, "properties"),
                                     json_pack("[s,s,o]", name, signature, value)) < 0
                               ? -ENOMEM
                               : 0;
}

int unit_spec_new(const UnitName *name, json_t **ret_spec)
{
        char unit[UNIT_NAME_SIZE];
        int r = unit_name_to_string(name, unit);

        if (r < 0)
                return r;
        *ret_spec = json_pack("{s:s,s:[]}", "unit", unit, "properties");
        return *ret_spec ? 0 : -ENOMEM;
}

/* Absolute, and without what systemd 252 does not bring back from the file it writes of a call: quotes,
 * backslashes and control characters, of which a newline would even begin another setting. */
bool unit_path_is_sound(const char *path)
{
        size_t n = path ? strnlen(path, PATH_MAX) : 0;

        if (n <= 1 || n >= PATH_MAX || path[0] != '/')
                return false;
        for (const char *p = path; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f || *p == '"' || *p == '\\')
                        return false;
        return true;
}

json_t *unit_property_path(const char *path)
{
        return unit_path_is_sound(path) ? json_string(path) : NULL;
}

/* ExecStart: a program, and its one argument or NULL. A '$' would not come back either. */
int unit_property_command(json_t *spec, const char *program, const char *argument)
{
        const char *name = strrchr(program, '/');

        if (!unit_path_is_sound(program) || strpbrk(program, "$`"))
                return -EINVAL;
        return unit_property(spec, "ExecStart", "a(sasb)",
                             json_pack("[[s,[s,s*],b]]", program, name + 1, argument, false));
}

/* What ties a unit to its job, and its journal lines; a disk_key of 0 is none. */
int unit_property_job(json_t *spec, UnitKind kind, uint64_t job, uint32_t disk_key)
{
        const UnitName target_name = { .kind = unit_kind_target(kind), .job = job };
        const UnitName slice_name = { .kind = unit_kind_slice(kind), .job = job };
        char target[UNIT_NAME_SIZE], slice[UNIT_NAME_SIZE];
        char job_field[64], disk_field[64];
        int r;

        r = unit_name_to_string(&target_name, target);
        if (r >= 0)
                r = unit_name_to_string(&slice_name, slice);
        if (r >= 0)
                r = unit_property(spec, "PartOf", "as", json_pack("[s]", target));
        if (r >= 0)
                r = unit_property(spec, "Slice", "s", json_string(slice));
        if (r < 0 || unit_kind_service(kind) >= 0)
                return r;
        (void) snprintf(job_field, sizeof(job_field), "SENDENSE_JOB=%" PRIu64, job);
        (void) snprintf(disk_field, sizeof(disk_field), "SENDENSE_DISK=%" PRIu32, disk_key);
        return unit_property(spec, "LogExtraFields", "aay",
                             json_pack("[s,s*]", job_field, disk_key ? disk_field : NULL));
}

int unit_property_description(json_t *spec, const char *format, ...)
{
        char text[256];
        va_list args;

        va_start(args, format);
        (void) vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        return unit_property(spec, "Description", "s", json_string(text));
}

int unit_property_files(json_t *spec, const char *in_path, const char *out_path)
{
        int r;

        r = unit_property(spec, "StandardInputFile", "s", unit_property_path(in_path));
        if (r >= 0)
                r = unit_property(spec, "StandardOutputFileToTruncate", "s",
                                  unit_property_path(out_path));
        return r;
}
