/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any answer of a vCenter: refused with a clean line, or read within its bounds. The same bytes are tried as every
 * answer that somebody takes apart, and as a change id.
 */
#include "fuzz.h"

#include "cleanup.h"
#include "utf8.h"
#include "vsphere/cbt.h"
#include "vsphere/device.h"
#include "vsphere/soap.h"

#include <string.h>

static void must_be_clean(const char *text)
{
        MUST(utf8_is_valid(text));
        for (const unsigned char *c = (const unsigned char *) text; *c; c++)
                MUST(*c >= ' ' && *c != 0x7f && !(c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f));
}

static void try_disks(const XmlNode *list)
{
        CLEANUP(disks_done) VSphereDisks disks = {};
        VSphereError error = {};

        if (disks_read(list, &disks, &error) < 0) {
                must_be_clean(error.text);
                return;
        }
        disks_judge(&disks, &(DiskPolicy){ .cbt_enabled = true });
        for (size_t i = 0; i < disks.n_disks; i++) {
                MUST(disks.disks[i].capacity_bytes > 0 && disks.disks[i].key > 0);
                MUST(disks_find(&disks, disks.disks[i].key) == &disks.disks[i]);
                must_be_clean(disks.disks[i].label);
                must_be_clean(disks.disks[i].file_name);
                must_be_clean(disks.disks[i].controller);
        }
}

static void try_page(const XmlNode *page)
{
        const uint64_t asked[] = { 0, 65536, 1 << 20 }, capacity = 64 << 20;

        for (size_t i = 0; i < ELEMENTSOF(asked); i++) {
                CLEANUP(areas_done) VSphereAreas areas = {};
                uint64_t next = 0, at = asked[i];

                if (areas_add_page(&areas, page, asked[i], capacity, &next) != 0) {
                        MUST(areas.n_areas == 0 && *areas.reason);
                        must_be_clean(areas.reason);
                        continue;
                }
                MUST(next > asked[i] && next <= capacity);
                for (size_t k = 0; k < areas.n_areas; k++) {
                        MUST(areas.areas[k].offset >= at && areas.areas[k].length > 0);
                        at = areas.areas[k].offset + areas.areas[k].length;
                        MUST(at <= next);
                }
        }
}

static void try_answer(const char *method, long status, const char *data, size_t size)
{
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        const XmlNode *answer = NULL;
        VSphereError error = {};
        VSphereRef ref;

        if (soap_answer(method, status, data, size, &document, &answer, &error) < 0) {
                MUST(error.name && *error.text && !document);
                must_be_clean(error.text);
                must_be_clean(error.fault);
                return;
        }
        try_page(xml_child(answer, "returnval"));
        try_disks(xml_find(answer, "returnval/objects/propSet/val"));
        if (soap_reference(xml_child(answer, "returnval"), &ref) == 0)
                MUST(*ref.type && *ref.value);
}

static void try_change_id(const char *data, size_t size)
{
        _cleanup_free_ char *text = strndup(data, size);

        MUST(text);
        if (change_id_is_valid(text)) {
                MUST(change_id_is_comparable(text, text) && strlen(text) <= CHANGE_ID_MAX);
                must_be_clean(text);
        }
        utf8_make_line(text);
        must_be_clean(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        try_answer("RetrievePropertiesEx", 200, (const char *) data, size);
        try_answer("QueryChangedDiskAreas", 200, (const char *) data, size);
        try_answer("CreateSnapshot_Task", 500, (const char *) data, size);
        try_change_id((const char *) data, size);
        return 0;
}
