/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The common beginning of all verbs (see spec.h).
 */
#include "spec.h"

#include "bus/bus-error.h"

int spec_check(const json_t *spec, const JsonField *fields, size_t n_fields, VSphereError *error)
{
        char why[JSON_FIELDS_ERROR_SIZE];

        if (json_fields_check(spec, fields, n_fields, "the spec", why) < 0)
                return vsphere_error_set(error, BUS_ERROR_INVALID_ARGUMENT, "%s", why);
        return 0;
}

int spec_open(const Task *task, LoginSpec *ret_login, VSphere **ret, VSphereError *error)
{
        CLEANUP(login_spec_done) LoginSpec login = {};
        int r;

        r = login_spec_read(json_object_get(task->spec, "vcenter"), task->password_file, &login,
                            error);
        if (r < 0)
                return r;
        login.login.cancel_fd = task->cancel_fd;
        r = vsphere_open(&login.login, ret, error);
        if (r < 0)
                return r;
        *ret_login = login;
        login = (LoginSpec){};
        return 0;
}
