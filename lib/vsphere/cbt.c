/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QueryChangedDiskAreas, every page of it (see cbt.h). A page says which part of the disk it describes; it may
 * name no area in it, and the next question is asked where it ends, never at the end of the disk. A page may
 * name a hundred thousand areas, so each is taken from the answer as it comes.
 */
#include "vsphere/cbt.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

static int doubt(VSphereAreas *areas, const char *format, ...)
                __attribute__((format(printf, 2, 3)));

static int doubt(VSphereAreas *areas, const char *format, ...)
{
        va_list ap;

        areas_done(areas);
        va_start(ap, format);
        (void) vsnprintf(areas->reason, sizeof(areas->reason), format, ap);
        va_end(ap);
        utf8_make_line(areas->reason);
        return AREAS_WHOLE_DISK;
}

void areas_done(VSphereAreas *areas)
{
        free(areas->areas);
        *areas = (VSphereAreas){};
}

static size_t uuid_length(const char *change_id)
{
        size_t length = strspn(change_id, "0123456789abcdefABCDEF -");

        return change_id[length] == '/' ? length : 0;
}

bool change_id_is_valid(const char *change_id)
{
        size_t length = uuid_length(change_id);
        const char *sequence = change_id + length + 1;

        return length > 0 && strlen(change_id) <= CHANGE_ID_MAX && *sequence &&
               sequence[strspn(sequence, "0123456789")] == '\0';
}

bool change_id_is_comparable(const char *a, const char *b)
{
        return change_id_is_valid(a) && change_id_is_valid(b) && uuid_length(a) == uuid_length(b) &&
               strncasecmp(a, b, uuid_length(a)) == 0;
}

/* Numbers of any length. */
static const char *sequence_of(const char *change_id)
{
        const char *sequence = change_id + uuid_length(change_id) + 1;

        return sequence + strspn(sequence, "0");
}

bool change_id_is_before(const char *a, const char *b)
{
        const char *x = sequence_of(a), *y = sequence_of(b);

        return strlen(x) != strlen(y) ? strlen(x) < strlen(y) : strcmp(x, y) < 0;
}

/* Areas come in order, so one that touches the last becomes part of it. */
static int add_area(VSphereAreas *areas, uint64_t offset, uint64_t length)
{
        VSphereArea *last = areas->n_areas > 0 ? &areas->areas[areas->n_areas - 1] : NULL;

        areas->bytes += length;
        if (last && last->offset + last->length == offset) {
                last->length += length;
                return 0;
        }
        if (areas->n_areas == AREAS_MAX)
                return doubt(areas, "more than %u areas have changed", (unsigned) AREAS_MAX);
        if (!areas->areas || areas->n_areas == 0 ||
            (areas->n_areas >= 16 && (areas->n_areas & (areas->n_areas - 1)) == 0)) {
                size_t n = areas->n_areas == 0 ? 16 : areas->n_areas * 2;
                VSphereArea *larger = reallocarray(areas->areas, n, sizeof(VSphereArea));

                if (!larger)
                        return -ENOMEM;
                areas->areas = larger;
        }
        areas->areas[areas->n_areas++] = (VSphereArea){ offset, length };
        return 0;
}

/* Those with at most that much between them, as long as they are too many. */
static void join(VSphereAreas *areas, uint64_t gap, size_t n_max)
{
        size_t n_left = areas->n_areas, at = 0;

        for (size_t i = 1; i < areas->n_areas; i++) {
                VSphereArea *last = &areas->areas[at];
                const VSphereArea *next = &areas->areas[i];
                uint64_t between = next->offset - last->offset - last->length;

                if (n_left > n_max && between <= gap) {
                        last->length += between + next->length;
                        areas->bytes += between;
                        n_left--;
                } else
                        areas->areas[++at] = *next;
        }
        areas->n_areas = n_left;
}

void areas_limit(VSphereAreas *areas, size_t n_max)
{
        for (uint64_t gap = AREAS_GAP_MIN; areas->n_areas > n_max && areas->n_areas > 1; gap *= 2)
                join(areas, gap, n_max);
}

/* ── A page ── */

static void begin_page(void *userdata)
{
        AreasPage *page = userdata;

        areas_page_done(page);
        page->end = page->asked;
        page->r = 0;
}

static void take_area(void *userdata, const XmlNode *area)
{
        AreasPage *page = userdata;
        uint64_t offset, size;

        if (page->r != 0)
                return;
        if (xml_uint64_at(area, "start", INT64_MAX, &offset) < 0 ||
            xml_uint64_at(area, "length", INT64_MAX, &size) < 0 || size == 0) {
                page->r = doubt(&page->areas,
                                "vCenter names an area without an offset or a length");
                return;
        }
        if (offset < page->end || offset >= page->capacity || size > page->capacity - offset) {
                page->r = doubt(&page->areas,
                                "vCenter names an area of %" PRIu64 " bytes at %" PRIu64
                                ", where %" PRIu64 " to %" PRIu64 " is possible",
                                size, offset, page->end, page->capacity);
                return;
        }
        page->r = add_area(&page->areas, offset, size);
        page->end = offset + size;
}

XmlEach areas_page_each(AreasPage *page)
{
        static const char *const path[] = {
                "Envelope",  "Body",        "QueryChangedDiskAreasResponse",
                "returnval", "changedArea", NULL
        };

        return (XmlEach){ .path = path, .begin = begin_page, .take = take_area, .userdata = page };
}

void areas_page_done(AreasPage *page)
{
        areas_done(&page->areas);
}

static int check_page(VSphereAreas *areas, const AreasPage *page, const XmlNode *answer,
                      uint64_t *ret_next)
{
        const XmlNode *returned = xml_child(answer, "returnval");
        uint64_t start, length;

        if (xml_uint64_at(returned, "startOffset", INT64_MAX, &start) < 0 ||
            xml_uint64_at(returned, "length", INT64_MAX, &length) < 0)
                return doubt(areas,
                             "vCenter's answer about %" PRIu64 " is no page of changed areas",
                             page->asked);
        if (start != page->asked)
                return doubt(areas, "asked about %" PRIu64 ", vCenter answers about %" PRIu64,
                             page->asked, start);
        if (start > page->capacity || length == 0 || length > page->capacity - start)
                return doubt(areas,
                             "vCenter describes %" PRIu64 " bytes from %" PRIu64
                             " on, of a disk of %" PRIu64,
                             length, start, page->capacity);
        if (page->r == AREAS_WHOLE_DISK)
                return doubt(areas, "%s", page->areas.reason);
        if (page->r < 0)
                return page->r;
        if (page->end > start + length)
                return doubt(areas,
                             "vCenter names areas up to %" PRIu64 " in what ends at %" PRIu64,
                             page->end, start + length);
        *ret_next = start + length;
        return 0;
}

int areas_add_page(VSphereAreas *areas, AreasPage *page, const XmlNode *answer, uint64_t *ret_next)
{
        uint64_t next = 0;
        int r;

        r = check_page(areas, page, answer, &next);
        if (r == 0 && areas->n_areas == 0) {
                areas_done(areas);
                *areas = page->areas;
                page->areas = (VSphereAreas){};
        }
        for (size_t i = 0; r == 0 && i < page->areas.n_areas; i++)
                r = add_area(areas, page->areas.areas[i].offset, page->areas.areas[i].length);
        if (r == 0)
                *ret_next = next;
        return r;
}

/* ── All pages ── */

static int ask_page(VSphere *v, const VSphereAreasRequest *request, AreasPage *page,
                    XmlDocument **ret_document, const XmlNode **ret_answer, VSphereError *error)
{
        const XmlEach each = areas_page_each(page);
        _cleanup_free_ char *arguments = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&arguments, &size);

        if (!f)
                return vsphere_error_errno(error, -errno, "Cannot ask for changed areas");
        (void) fputs("<snapshot type=\"VirtualMachineSnapshot\">", f);
        xml_put(f, request->snapshot->value);
        (void) fprintf(f,
                       "</snapshot><deviceKey>%" PRIu32 "</deviceKey><startOffset>%" PRIu64
                       "</startOffset><changeId>",
                       request->disk_key, page->asked);
        xml_put(f, request->change_id);
        (void) fputs("</changeId>", f);
        if (fclose(f) != 0)
                return vsphere_error_errno(error, -ENOMEM, "Cannot ask for changed areas");
        return vsphere_call(v,
                            &(VSphereCall){ .method = "QueryChangedDiskAreas",
                                            .self = request->vm,
                                            .arguments = arguments,
                                            .each = &each },
                            ret_document, ret_answer, error);
}

/* A fault is about the tracking of this disk, unless it says that the object is not there at all. A list that is too long
 * will be so the next time. */
static bool is_doubt(const VSphereError *error)
{
        if (error->is_too_large)
                return true;
        return error->fault[0] != '\0' && !vsphere_error_is_fault(error, "ManagedObjectNotFound") &&
               !vsphere_error_is_fault(error, "NotAuthenticated") &&
               !vsphere_error_is_fault(error, "InvalidLogin");
}

static int check_change_id(const VSphereAreasRequest *request, VSphereAreas *areas)
{
        if (strcmp(request->change_id, "*") == 0)
                return 0;
        if (*request->change_id == '\0')
                return doubt(areas, "the last backup knows no change id of this disk");
        if (!change_id_is_valid(request->change_id))
                return doubt(areas, "the change id of the last backup is none");
        if (!request->change_id_now)
                return 0;
        if (*request->change_id_now == '\0')
                return doubt(areas, "the changes of this disk are not tracked");
        if (!change_id_is_comparable(request->change_id, request->change_id_now))
                return doubt(areas, "tracking of this disk began anew since the last backup");
        /* A disk that went back to an old snapshot has changes that nobody counted. */
        if (change_id_is_before(request->change_id_now, request->change_id))
                return doubt(areas, "the disk was set back to a state from before the last backup");
        return 0;
}

int vsphere_changed_areas(VSphere *v, const VSphereAreasRequest *request, VSphereAreas *ret,
                          VSphereError *error)
{
        CLEANUP(areas_done) VSphereAreas areas = {};
        unsigned n_pages = 0;
        int r;

        r = check_change_id(request, &areas);
        for (uint64_t offset = 0; r == 0 && offset < request->capacity;) {
                CLEANUP(areas_page_done)
                AreasPage page = { .asked = offset, .capacity = request->capacity };
                CLEANUP(xml_free_p) XmlDocument *document = NULL;
                const XmlNode *answer = NULL;

                r = ask_page(v, request, &page, &document, &answer, error);
                if (r < 0 && is_doubt(error))
                        r = doubt(&areas, "%s", error->text);
                else if (r < 0)
                        return error->name ? vsphere_error_prefix(error, error->name,
                                                                  "changed areas of disk %" PRIu32,
                                                                  request->disk_key)
                                           : r;
                else
                        r = areas_add_page(&areas, &page, answer, &offset);
                if (r == 0 && ++n_pages == AREAS_PAGES_MAX)
                        r = doubt(&areas, "vCenter answers in more than %u pages",
                                  (unsigned) AREAS_PAGES_MAX);
        }
        if (r < 0)
                return vsphere_error_errno(error, r, "Cannot keep the changed areas");
        areas.n_pages = n_pages;
        *ret = areas;
        areas = (VSphereAreas){};
        return r;
}
