/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Results in words (see job-result.h).
 */
#include "job-result.h"

#include "cleanup.h"
#include "columns.h"
#include "format.h"
#include "json-cleanup.h"
#include "output.h"

#include <inttypes.h>
#include <string.h>

static void print_list(const json_t *list, const char *what)
{
        const json_t *item;
        size_t i;

        json_array_foreach (list, i, item)
                output_line("  %s %s", what, json_string_value(item) ?: "?");
}

/* What that means for whoever wants to start the VM. */
static const char *consequence(const char *type)
{
        if (strcmp(type, "NVRAM") == 0)
                return " (it starts with new ones: boot entries and enrolled keys are to be made "
                       "again if it does not start by itself)";
        if (strcmp(type, "encryption") == 0)
                return " (it lies at the datastore as anybody can read it: give it an encrypting "
                       "storage policy again)";
        return strcmp(type, "VirtualTPM") == 0
                               ? " (what was sealed with it, as BitLocker does, asks for its "
                                 "recovery key)"
                               : "";
}

static void print_left_out(const json_t *list)
{
        const json_t *item;
        size_t i;

        json_array_foreach (list, i, item)
                output_line("  left out: %s%s%s%s", text_of(item, "type"),
                            *text_of(item, "label") ? ", " : "", text_of(item, "label"),
                            consequence(text_of(item, "type")));
}

/* A VM, made anew or put back. */
static void print_vm(const json_t *result)
{
        bool is_in_place = json_is_true(json_object_get(result, "in_place"));

        output_line("%s %s (%" JSON_INTEGER_FORMAT " disks; instance UUID %s, %s)",
                    is_in_place ? "exchanged the disks of" : "made", text_of(result, "path"),
                    number_of(result, "disks"), text_of(result, "instance_uuid"),
                    text_of(result, "moref"));
        print_left_out(json_object_get(result, "left_out"));
        print_list(json_object_get(result, "kept_files"), "the disk that it had lies at");
        print_list(json_object_get(result, "warnings"), "warning:");
}

static void print_disk(const json_t *result)
{
        char capacity[FORMAT_SIZE], data[FORMAT_SIZE];

        output_line("restored %s, %s of them data, out of %" JSON_INTEGER_FORMAT " layers",
                    format_bytes((uint64_t) number_of(result, "capacity_bytes"), capacity),
                    format_bytes((uint64_t) number_of(result, "data_bytes"), data),
                    number_of(result, "layers"));
        if (number_of(result, "n_damaged") > 0)
                output_line("  %" JSON_INTEGER_FORMAT
                            " blocks are not what was backed up, and were written as they are",
                            number_of(result, "n_damaged"));
}

static void print_deletion(const json_t *result)
{
        char freed[FORMAT_SIZE], before[FORMAT_SIZE], after[FORMAT_SIZE];
        json_int_t n = json_integer_value(json_object_get(result, "freed_bytes"));

        if (!json_object_get(result, "freed_bytes")) {
                output_line("%s; what it gave back could not be counted",
                            text_of(result, "outcome"));
                return;
        }
        /* A full with several children goes into each of them. */
        output_line("%s; %s %s", text_of(result, "outcome"),
                    format_bytes((uint64_t) (n < 0 ? -n : n), freed),
                    n < 0 ? "more taken up" : "given back");
        if (json_object_get(result, "bytes_before"))
                output_line("  the backups of the VM take up %s there, before %s",
                            format_bytes((uint64_t) number_of(result, "bytes_after"), after),
                            format_bytes((uint64_t) number_of(result, "bytes_before"), before));
}

void job_result_print(const json_t *job)
{
        CLEANUP(json_decref_p)
        json_t *result = json_loads(text_of(job, "WorkResult"), JSON_REJECT_DUPLICATES, NULL);
        const char *type = text_of(job, "Type");

        if (!result || strcmp(text_of(job, "State"), "completed") != 0)
                return;
        if (strcmp(type, "restore") == 0 && json_object_get(result, "path"))
                print_vm(result);
        else if (strcmp(type, "restore") == 0 && json_object_get(result, "capacity_bytes"))
                print_disk(result);
        else if (strcmp(type, "delete") == 0 && json_object_get(result, "outcome"))
                print_deletion(result);
}
