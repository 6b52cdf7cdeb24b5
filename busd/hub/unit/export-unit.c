/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts an export (see export-unit.h): first the socket, whose bind proves the port, then the service,
 * before any client comes, so that the first one does not wait.
 */
#include "export-unit.h"

#include "unit-spec.h"
#include "unit/unit-job.h"

#include "cleanup.h"
#include "names.h"
#include "parse.h"

#include <errno.h>
#include <string.h>

typedef struct ExportStart {
        Units *units;
        char service[UNIT_NAME_SIZE];
        uint16_t port;
        UnitDone done;
        void *userdata;
} ExportStart;

static void export_finish(ExportStart *start, int error, const char *text)
{
        UnitDone done = start->done;
        void *userdata = start->userdata;

        free(start);
        if (done)
                done(error, text, userdata);
}

static void on_service(int error, const char *text, void *userdata)
{
        ExportStart *start = userdata;
        char words[256];

        if (error == -ENOEXEC) {
                (void) snprintf(words, sizeof(words),
                                "%s: qemu-nbd is missing or cannot be run; install the package "
                                "qemu-utils",
                                start->service);
                text = words;
        }
        export_finish(start, error, text);
}

static void on_socket(int error, const char *text, void *userdata)
{
        ExportStart *start = userdata;
        char words[256];
        int r = error;

        if (r == -EADDRINUSE) {
                (void) snprintf(words, sizeof(words),
                                "127.0.0.1:%u cannot be bound: another program has it (ss -ltnp "
                                "'sport = %u')",
                                start->port, start->port);
                text = words;
        }
        if (r == 0) {
                r = unit_job_start(start->units, start->service, on_service, start);
                if (r == 0)
                        return;
                text = "the service of an export cannot be started";
        }
        export_finish(start, r, text);
}

int export_unit_start(Units *units, const ExportUnit *export, UnitDone done, void *userdata)
{
        const UnitName service = { UNIT_EXPORT_SERVICE, export->job, export->disk_key, "" };
        ExportStart *start;
        json_t *spec;
        int r;

        r = unit_spec_export(export, &spec);
        if (r < 0)
                return r;
        start = malloc(sizeof(ExportStart));
        if (start) {
                *start = (ExportStart){
                        .units = units,
                        .port = export->port,
                        .done = done,
                        .userdata = userdata,
                };
                (void) unit_name_to_string(&service, start->service);
                r = unit_job_create(units, spec, UNIT_START_SEC * USEC_PER_SEC, on_socket, start);
        } else
                r = -ENOMEM;
        json_decref(spec);
        if (r < 0)
                free(start);
        return r;
}
