/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A scan (see scan.h). The unit's output has a line for each backup; it is read in pieces between other
 * work of the loop, as fast as the store takes them.
 */
#include "repository/scan.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "image-run.h"
#include "result-file.h"
#include "store/store-call.h"
#include "store/store-catalog.h"
#include "unit/unit-files.h"

#include <errno.h>
#include <string.h>

enum {
        RECORDS_EACH_MAX = 32, /* in one transaction */
        TOLD_MAX = 1000, /* problems and strays in the answer */
};

typedef struct Scan {
        Store *store;
        uint64_t id, begun_usec;
        FILE *file;
        char *line; /* getline()'s */
        size_t line_size;
        json_t *problems, *strays;
        json_int_t n_backups, n_added, n_known;
        bool has_result;
        char unit[UNIT_NAME_SIZE];
        ScanDone done;
        void *userdata;
} Scan;

static Scan *scan_free(Scan *scan)
{
        if (!scan)
                return NULL;
        if (scan->file)
                (void) fclose(scan->file);
        free(scan->line);
        json_decref(scan->problems);
        json_decref(scan->strays);
        free(scan);
        return NULL;
}
DEFINE_CLEANUP(Scan *, scan_free)

static void next_batch(Scan *scan);

static void fail(Scan *scan, const char *name, const char *text)
{
        scan->done(NULL, name, text, scan->userdata);
        scan_free(scan);
}

static void finish(Scan *scan)
{
        CLEANUP(json_decrefp) json_t *answer = NULL;

        if (!scan->has_result) {
                fail(scan, BUS_ERROR_FAILED,
                     "The scan ended in the middle of its list; journalctl -u "
                     "'sendense-repository-*' shows its last words");
                return;
        }
        answer = json_pack("{s:I, s:I, s:I, s:O, s:O}", "Backups", scan->n_backups, "Added",
                           scan->n_added, "Known", scan->n_known, "Problems", scan->problems,
                           "Strays", scan->strays);
        scan->done(answer, BUS_ERROR_FAILED, "Out of memory", scan->userdata);
        scan_free(scan);
}

/* As many of them as anybody reads. */
static void add_texts(json_t *texts, const json_t *more)
{
        const json_t *text;
        size_t i;

        json_array_foreach (more, i, text)
                if (json_is_string(text) && json_array_size(texts) < TOLD_MAX)
                        (void) json_array_append(texts, (json_t *) text);
}

static void on_adopted(int error, const json_t *out, const char *name, const char *text,
                       void *userdata)
{
        Scan *scan = userdata;

        if (error < 0) {
                fail(scan, name, text);
                return;
        }
        scan->n_added += json_integer_value(json_object_get(out, "Added"));
        scan->n_known += json_integer_value(json_object_get(out, "Known"));
        add_texts(scan->problems, json_object_get(out, "Problems"));
        next_batch(scan);
}

/* Who adopts it is told whether it is that of a backup, or of one whose deletion has begun, and whether something is wrong with it,
 * whatever it says itself. */
static int add_record(Scan *scan, json_t *records, json_t *record, bool is_deleting, bool is_flawed)
{
        scan->n_backups++;
        if (json_is_object(record) &&
            (json_object_set_new(record, CATALOG_IS_DELETING, json_boolean(is_deleting)) < 0 ||
             json_object_set_new(record, CATALOG_IS_FLAWED, json_boolean(is_flawed)) < 0))
                return -ENOMEM;
        return json_array_append(records, record) < 0 ? -ENOMEM : 1;
}

/* 1: a record was added to records; 0: another kind of line; -ENODATA: no more. */
static int read_line(Scan *scan, json_t *records)
{
        CLEANUP(json_decrefp) json_t *object = NULL;
        ssize_t n = getline(&scan->line, &scan->line_size, scan->file);
        json_t *record, *deleting;

        if (n < 0)
                return -ENODATA;
        if (result_parse(scan->line, (size_t) n, &object) < 0) {
                if (json_array_size(scan->problems) < TOLD_MAX)
                        (void) json_array_append_new(
                                        scan->problems,
                                        json_string("a line of the scan cannot be read"));
                return 0;
        }
        add_texts(scan->problems, json_object_get(object, "problems"));
        record = json_object_get(object, "record");
        deleting = json_object_get(object, "deleting");
        if (record || deleting)
                return add_record(scan, records, record ?: deleting, !record,
                                  json_array_size(json_object_get(object, "problems")) > 0);
        if (json_object_get(object, "result")) {
                add_texts(scan->strays, json_object_get(object, "strays"));
                scan->has_result = true;
        }
        return 0;
}

static void next_batch(Scan *scan)
{
        CLEANUP(json_decrefp) json_t *records = json_array();
        int r = records ? 0 : -ENOMEM;

        for (unsigned n = 0; r >= 0 && n < RECORDS_EACH_MAX; n++)
                r = read_line(scan, records);
        if (r < 0 && r != -ENODATA) {
                fail(scan, BUS_ERROR_FAILED, "Out of memory");
                return;
        }
        if (r == -ENODATA && json_array_size(records) == 0) {
                finish(scan);
                return;
        }
        r = store_call(scan->store, store_catalog_adopt,
                       json_pack("{s:I, s:I, s:I, s:O}", "RepositoryId", (json_int_t) scan->id,
                                 "BegunUSec", (json_int_t) scan->begun_usec, "NowUSec",
                                 (json_int_t) clock_realtime_usec(), "Records", records),
                       on_adopted, scan);
        if (r < 0)
                fail(scan, BUS_ERROR_DATABASE_UNAVAILABLE, "The database is not there");
}

static void on_listed(const json_t *result, const char *unit, const char *name, const char *text,
                      void *userdata)
{
        char path[UNIT_FILE_PATH_SIZE];
        Scan *scan = userdata;

        if (!result) {
                fail(scan, name, text);
                return;
        }
        unit_file_path(unit, UNIT_FILE_OUT, path);
        scan->file = fopen(path, "re");
        if (!scan->file)
                fail(scan, BUS_ERROR_FAILED, "The list of the scan cannot be opened");
        else
                next_batch(scan);
}

int repository_scan(Units *units, Store *store, const json_t *row, uint64_t step_usec,
                    ScanDone done, void *userdata)
{
        const ImageTask task = {
                .repository_id = (uint64_t) json_integer_value(json_object_get(row, "Id")),
                .step = "scan",
                .verb = "scan",
                .write_path = json_string_value(json_object_get(row, "Path")),
                .by_lines = true,
                .timeout_usec = step_usec,
                .extends = true,
        };
        CLEANUP(scan_free_p) Scan *scan = malloc(sizeof(Scan));
        json_t *spec;
        int r;

        if (!scan)
                return -ENOMEM;
        *scan = (Scan){
                .store = store,
                .id = task.repository_id,
                .begun_usec = clock_realtime_usec(),
                .problems = json_array(),
                .strays = json_array(),
                .done = done,
                .userdata = userdata,
        };
        if (!scan->problems || !scan->strays)
                return -ENOMEM;
        spec = repository_place(row);
        if (spec &&
            json_object_set_new(spec, "step_usec", json_integer((json_int_t) step_usec)) < 0)
                json_decref(TAKE(spec));
        r = image_run(units, &task, spec, on_listed, scan);
        if (r < 0)
                return r;
        (void) TAKE(scan);
        return 0;
}
