/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any answer of a vCenter, in pieces: refused with a clean line, or read within its bounds. The same bytes are tried
 * as every answer that somebody takes apart, and as a change id.
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

/* As it comes: in pieces that its own first byte decides. */
static XmlReader *feed(const XmlEach *each, const char *data, size_t size)
{
        size_t piece = size > 0 ? 1 + (unsigned char) data[0] % 61 * 7UL : 1;
        XmlReader *reader = NULL;

        MUST(xml_reader_new(each, &reader) >= 0);
        for (size_t at = 0; at < size; at += piece)
                xml_reader_feed(reader, data + at, size - at < piece ? size - at : piece);
        return reader;
}

static void try_page(uint64_t asked, const char *data, size_t size)
{
        CLEANUP(areas_page_done) AreasPage page = { .asked = asked, .capacity = 64 << 20 };
        const XmlEach each = areas_page_each(&page);
        CLEANUP(xml_reader_free_p) XmlReader *reader = feed(&each, data, size);
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        CLEANUP(areas_done) VSphereAreas areas = {};
        uint64_t next = 0, at = asked;
        const XmlNode *answer = NULL;
        VSphereError error = {};

        if (soap_answer("QueryChangedDiskAreas", 200, reader, &document, &answer, &error) < 0)
                return;
        if (areas_add_page(&areas, &page, answer, &next) != 0) {
                MUST(areas.n_areas == 0 && *areas.reason);
                must_be_clean(areas.reason);
                return;
        }
        MUST(next > asked && next <= page.capacity);
        for (size_t i = 0; i < areas.n_areas; i++) {
                MUST(areas.areas[i].offset >= at && areas.areas[i].length > 0);
                at = areas.areas[i].offset + areas.areas[i].length;
                MUST(at <= next);
        }
}

static void try_answer(const char *method, long status, const char *data, size_t size)
{
        CLEANUP(xml_reader_free_p) XmlReader *reader = feed(NULL, data, size);
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        const XmlNode *answer = NULL;
        VSphereError error = {};
        VSphereRef ref;

        if (soap_answer(method, status, reader, &document, &answer, &error) < 0) {
                MUST(error.name && *error.text && !document);
                must_be_clean(error.text);
                must_be_clean(error.fault);
                return;
        }
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
        const uint64_t asked[] = { 0, 65536, 1 << 20 };

        for (size_t i = 0; i < ELEMENTSOF(asked); i++)
                try_page(asked[i], (const char *) data, size);
        try_answer("RetrievePropertiesEx", 200, (const char *) data, size);
        try_answer("QueryChangedDiskAreas", 200, (const char *) data, size);
        try_answer("CreateSnapshot_Task", 500, (const char *) data, size);
        try_change_id((const char *) data, size);
        return 0;
}
