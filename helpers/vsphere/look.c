/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verbs that look at a vCenter and not at its VMs: certificate, test.
 */
#include "cleanup.h"
#include "spec.h"
#include "verbs.h"
#include "vsphere/certificate.h"

int verb_certificate(const Task *task, json_t **ret_result, VSphereError *error)
{
        static const JsonField fields[] = {
                { .key = "host", .kind = JSON_FIELD_TEXT, .min = 1, .max = 255 },
                { .key = "port",
                  .kind = JSON_FIELD_NUMBER,
                  .optional = true,
                  .min = 1,
                  .max = 65535 },
                { .key = "ca_file",
                  .kind = JSON_FIELD_TEXT,
                  .optional = true,
                  .min = 1,
                  .max = 4095 },
        };
        int r;

        r = spec_check(task->spec, fields, ELEMENTSOF(fields), error);
        if (r < 0)
                return r;
        return certificate_get(json_field_text(task->spec, "host"),
                               (uint16_t) json_field_number(task->spec, "port"),
                               json_field_text(task->spec, "ca_file"), task->cancel_fd, ret_result,
                               error);
}

int verb_test(const Task *task, json_t **ret_result, VSphereError *error)
{
        static const JsonField fields[] = {
                { .key = "vcenter", .kind = JSON_FIELD_OBJECT },
        };
        CLEANUP(login_spec_done) LoginSpec login = {};
        CLEANUP(vsphere_close_p) VSphere *v = NULL;
        const VSphereAbout *about;
        int r;

        r = spec_check(task->spec, fields, ELEMENTSOF(fields), error);
        if (r >= 0)
                r = spec_open(task, &login, &v, error);
        if (r >= 0)
                r = vsphere_keepalive(v, error); /* a call that only a session may make */
        if (r < 0)
                return r;
        about = vsphere_about(v);
        *ret_result = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", about->name, "version",
                                about->version, "build", about->build, "api_type", about->api_type,
                                "api_version", about->api_version, "instance_uuid",
                                about->instance_uuid);
        return 0;
}
