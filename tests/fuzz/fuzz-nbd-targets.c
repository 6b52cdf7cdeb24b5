/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lists of targets of any bytes: refused with a line of text, or as many targets as there are commas and one, no key and no
 * target twice.
 */
#include "fuzz.h"

#include "cleanup.h"
#include "names.h"
#include "nbd-targets.h"
#include "utf8.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *) data, size);
        CLEANUP(nbd_targets_done) NbdTargets targets = {};
        Failure failure = {};
        size_t n = 1;
        int r;

        MUST(text);
        r = nbd_targets_parse(text, &targets, &failure);
        MUST(r == 0 || r == -EINVAL);
        if (r < 0) {
                MUST(failure.name && failure.text[0] && utf8_is_valid(failure.text));
                MUST(!strchr(failure.text, '\n') && targets.n == 0);
                return 0;
        }
        for (const char *p = text; *p; p++)
                n += *p == ',';
        MUST(targets.n == n && n <= NBD_TARGETS_MAX && !failure.name);
        for (size_t i = 0; i < n; i++) {
                NbdUri uri;

                MUST(targets.list[i].disk_key >= 1 && targets.list[i].disk_key <= DISK_KEY_MAX);
                MUST(nbd_uri_parse(targets.list[i].uri, &uri) == 0);
                MUST(nbd_targets_find(&targets, targets.list[i].disk_key) == targets.list[i].uri);
        }
        return 0;
}
