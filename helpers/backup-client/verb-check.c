/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb check: of a VM's disks as `sendense-vsphere discover` shows them, says whether they can be read over
 * HTTPS, before anybody makes a snapshot; and whether the targets that they name are there. The spec is
 * {"vcenter":{…},"disks":[…]}; with "targets_only":true the descriptors are not looked at.
 */
#include "cleanup.h"
#include "log.h"
#include "look.h"
#include "result-file.h"
#include "verb-end.h"
#include "verbs.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

static int read_spec(json_t **ret_spec, Failure *failure)
{
        json_error_t error;
        const json_t *only;
        json_t *spec = json_loadf(stdin, JSON_REJECT_DUPLICATES, &error);

        if (!spec)
                return failure_set(failure, -EINVAL, FAILURE_INVALID, 0, "the spec is no JSON: %s",
                                   error.text);
        only = json_object_get(spec, "targets_only");
        if (!json_is_object(json_object_get(spec, "vcenter")) ||
            !json_is_array(json_object_get(spec, "disks")) || (only && !json_is_boolean(only)) ||
            json_object_size(spec) != (only ? 3 : 2)) {
                json_decref(spec);
                return failure_set(failure, -EINVAL, FAILURE_INVALID, 0,
                                   "the spec must be an object with \"vcenter\", \"disks\" and, if "
                                   "at all, \"targets_only\"");
        }
        *ret_spec = spec;
        return 0;
}

int verb_check(int argc, char *argv[])
{
        _cleanup_close_ int signal_fd = -1;
        Failure failure = {};
        json_t *spec = NULL;
        int r;

        if (argc > 1) {
                (void) fprintf(stderr,
                               "sendense-backup-client: check takes no arguments, got '%s'\n",
                               argv[1]);
                return EX_USAGE;
        }
        log_open("sendense-backup-client");
        r = read_spec(&spec, &failure);
        if (r >= 0)
                r = verb_signals(&signal_fd);
        if (r >= 0)
                r = look_at_targets(json_object_get(spec, "disks"), signal_fd, &failure);
        if (r >= 0 && !json_is_true(json_object_get(spec, "targets_only")))
                r = look_at_disks(json_object_get(spec, "vcenter"), json_object_get(spec, "disks"),
                                  signal_fd, &failure);
        if (r < 0)
                (void) failure_set(&failure, r, FAILURE_OTHER, 0, "%s", strerror(-r));
        json_decref(spec);
        return verb_end(0, failure.name ? NULL : json_pack("{s:s}", "result", "ok"), &failure);
}
