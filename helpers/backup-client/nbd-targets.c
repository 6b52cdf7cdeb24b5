/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Targets on a command line (see nbd-targets.h).
 */
#include "nbd-targets.h"

#include "cleanup.h"
#include "names.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static bool is_same(const char *one, const char *other)
{
        NbdUri a, b;

        return nbd_uri_parse(one, &a) >= 0 && nbd_uri_parse(other, &b) >= 0 &&
               nbd_uri_is_same(&a, &b);
}

static int check_other(const NbdTargets *targets, const NbdTarget *target, Failure *failure)
{
        for (size_t i = 0; i < targets->n; i++) {
                const NbdTarget *other = targets->list + i;

                if (other->disk_key == target->disk_key)
                        return failure_set(failure, -EINVAL, FAILURE_INVALID, target->disk_key,
                                           "two targets for disk %" PRIu32, target->disk_key);
                if (is_same(other->uri, target->uri))
                        return failure_set(failure, -EINVAL, FAILURE_INVALID, target->disk_key,
                                           "the disks %" PRIu32 " and %" PRIu32
                                           " have the same target %.200s",
                                           other->disk_key, target->disk_key, target->uri);
        }
        return 0;
}

/* KEY:URI of n characters. */
static int parse_one(const char *text, size_t n, NbdTargets *targets, Failure *failure)
{
        NbdTarget *target = targets->list + targets->n;
        const char *colon = memchr(text, ':', n);
        char number[16] = "";
        uint64_t key;
        NbdUri uri;

        if (colon && (size_t) (colon - text) < sizeof(number))
                memcpy(number, text, (size_t) (colon - text));
        if (!colon || parse_uint64(number, 1, DISK_KEY_MAX, &key) < 0)
                return failure_set(
                                failure, -EINVAL, FAILURE_INVALID, 0,
                                "the target \"%.*s\" does not begin with the key of a disk and a "
                                "colon, as 2000:nbd://127.0.0.1:10100/export does",
                                (int) (n < 200 ? n : 200), text);
        n -= (size_t) (colon + 1 - text);
        if (n < sizeof(target->uri)) {
                memcpy(target->uri, colon + 1, n);
                target->uri[n] = '\0';
        }
        if (n >= sizeof(target->uri) || nbd_uri_parse(target->uri, &uri) < 0)
                return failure_set(failure, -EINVAL, FAILURE_INVALID, (uint32_t) key,
                                   "\"%.*s\" is no target for disk %" PRIu64
                                   ": it must be nbd://HOST:PORT/EXPORT or "
                                   "nbd+unix:///EXPORT?socket=PATH",
                                   (int) (n < 200 ? n : 200), colon + 1, key);
        target->disk_key = (uint32_t) key;
        return check_other(targets, target, failure);
}

int nbd_targets_parse(const char *text, NbdTargets *ret_targets, Failure *failure)
{
        CLEANUP(nbd_targets_done) NbdTargets targets = {};
        size_t n_max = 1;

        if (strlen(text) > NBD_TARGETS_SIZE_MAX)
                return failure_set(failure, -EINVAL, FAILURE_INVALID, 0,
                                   "the list of targets is too long");
        for (const char *p = text; *p; p++)
                n_max += *p == ',';
        if (n_max > NBD_TARGETS_MAX)
                return failure_set(failure, -EINVAL, FAILURE_INVALID, 0, "more than %i targets",
                                   NBD_TARGETS_MAX);
        targets.list = calloc(n_max, sizeof(*targets.list));
        if (!targets.list)
                return failure_set(failure, -ENOMEM, FAILURE_OTHER, 0, "out of memory");
        for (const char *at = text;;) {
                size_t n = strcspn(at, ",");
                int r = parse_one(at, n, &targets, failure);

                if (r < 0)
                        return r;
                targets.n++;
                if (!at[n])
                        break;
                at += n + 1;
        }
        *ret_targets = (NbdTargets){ TAKE(targets.list), targets.n };
        return 0;
}

void nbd_targets_done(NbdTargets *targets)
{
        free(targets->list);
        *targets = (NbdTargets){};
}

const char *nbd_targets_find(const NbdTargets *targets, uint32_t disk_key)
{
        for (size_t i = 0; i < targets->n; i++)
                if (targets->list[i].disk_key == disk_key)
                        return targets->list[i].uri;
        return NULL;
}
