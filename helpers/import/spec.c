/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reader of the spec (see spec.h).
 */
#include "spec.h"

#include "names.h"
#include "result-file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define CAPACITY_BYTES_MAX ((uint64_t) INT64_MAX)

/* Where a value stands, for the text: "disks[1]" or "the spec". */
typedef struct Place {
        const json_t *object;
        char text[32];
        Failure *failure;
} Place;

static int complain(const Place *place, const char *key, const char *must)
{
        (void) failure_set(place->failure, -EINVAL, FAILURE_INVALID, 0, "%s: \"%s\" must be %s",
                           place->text, key, must);
        return -EINVAL;
}

static int check_keys(const Place *place, const char *const keys[], size_t n_keys)
{
        const char *key;
        json_t *value;

        if (!json_is_object(place->object))
                return failure_set(place->failure, -EINVAL, FAILURE_INVALID, 0,
                                   "%s must be an object", place->text);
        json_object_foreach ((json_t *) place->object, key, value) {
                bool known = false;

                for (size_t i = 0; i < n_keys; i++)
                        known |= strcmp(key, keys[i]) == 0;
                if (!known)
                        return failure_set(place->failure, -EINVAL, FAILURE_INVALID, 0,
                                           "%s: unknown key \"%.64s\"", place->text, key);
        }
        return 0;
}

static int read_number(const Place *place, const char *key, uint64_t max, uint64_t *ret_value)
{
        const json_t *value = json_object_get(place->object, key);
        json_int_t number = json_integer_value(value);
        char must[64];

        if (!json_is_integer(value) || number < 1 || (uint64_t) number > max) {
                (void) snprintf(must, sizeof(must), "a whole number from 1 to %" PRIu64, max);
                return complain(place, key, must);
        }
        *ret_value = (uint64_t) number;
        return 0;
}

/* nbdcopy takes what does not begin like this for the name of a file, or for a program to start. Only a target, which the hub
 * has made, may be nbds: such a URI names a file with keys. */
static bool uri_is_fine(const char *uri, bool is_target)
{
        static const char *const schemes[] = { "nbd://", "nbd+unix://", SPEC_TLS_SCHEME };
        bool known = false;

        for (size_t i = 0; i < ELEMENTSOF(schemes) - !is_target; i++)
                known |= strncmp(uri, schemes[i], strlen(schemes[i])) == 0;
        if (!known || strlen(uri) > SPEC_URI_MAX)
                return false;
        for (const char *p = uri; *p; p++)
                if ((unsigned char) *p <= ' ' || (unsigned char) *p >= 0x7f)
                        return false;
        return true;
}

static int read_uri(const Place *place, const char *key, bool is_target, const char **ret_uri)
{
        const char *uri = json_string_value(json_object_get(place->object, key));

        if (!uri || !uri_is_fine(uri, is_target))
                return complain(place, key,
                                is_target ? "a URI that begins with nbd://, nbds:// or nbd+unix://"
                                          : "a URI that begins with nbd:// or nbd+unix://");
        *ret_uri = uri;
        return 0;
}

static int read_invocation_id(const Place *place, const char **ret_id)
{
        const char *id = json_string_value(json_object_get(place->object, "invocation_id"));

        if (!id || strlen(id) != INVOCATION_ID_LENGTH ||
            strspn(id, "0123456789abcdef") != INVOCATION_ID_LENGTH)
                return complain(place, "invocation_id", "32 digits of 0-9 and a-f");
        *ret_id = id;
        return 0;
}

static int read_disk(const Place *place, DiskSpec *ret_disk)
{
        static const char *const keys[] = { "disk_key", "source", "target", "capacity_bytes",
                                            "invocation_id" };
        DiskSpec disk = {};
        uint64_t disk_key = 0;
        int r;

        r = check_keys(place, keys, ELEMENTSOF(keys));
        if (r >= 0)
                r = read_number(place, "disk_key", DISK_KEY_MAX, &disk_key);
        if (r >= 0)
                r = read_uri(place, "source", false, &disk.source);
        if (r >= 0)
                r = read_uri(place, "target", true, &disk.target);
        if (r >= 0)
                r = read_number(place, "capacity_bytes", CAPACITY_BYTES_MAX, &disk.capacity_bytes);
        if (r >= 0)
                r = read_invocation_id(place, &disk.invocation_id);
        if (r < 0)
                return r;
        disk.disk_key = (uint32_t) disk_key;
        *ret_disk = disk;
        return 0;
}

static bool has_tls(const DiskSpec *disk)
{
        return strncmp(disk->target, SPEC_TLS_SCHEME, strlen(SPEC_TLS_SCHEME)) == 0;
}

/* A disk's data goes to its own target: none may stand for two. */
static int check_apart(const DiskSpec *disks, size_t n, Failure *failure)
{
        const DiskSpec *last = &disks[n - 1];

        if (has_tls(last) != has_tls(disks))
                return failure_set(failure, -EINVAL, FAILURE_INVALID, last->disk_key,
                                   "disks %" PRIu32 " and %" PRIu32
                                   ": one target has TLS and the other has not",
                                   disks->disk_key, last->disk_key);
        for (size_t i = 0; i + 1 < n; i++) {
                if (disks[i].disk_key == last->disk_key)
                        return failure_set(failure, -EINVAL, FAILURE_INVALID, last->disk_key,
                                           "disk_key %" PRIu32 " stands twice in the spec",
                                           last->disk_key);
                if (strcmp(disks[i].target, last->target) == 0 ||
                    strcmp(disks[i].invocation_id, last->invocation_id) == 0)
                        return failure_set(failure, -EINVAL, FAILURE_INVALID, last->disk_key,
                                           "disks %" PRIu32 " and %" PRIu32 " have the same target",
                                           disks[i].disk_key, last->disk_key);
        }
        return 0;
}

static int read_disks(ImportSpec *spec, Failure *failure)
{
        const json_t *list = json_object_get(spec->json, "disks");
        int r = 0;

        if (!json_is_array(list) || json_array_size(list) < 1 ||
            json_array_size(list) > SPEC_DISKS_MAX)
                return failure_set(failure, -EINVAL, FAILURE_INVALID, 0,
                                   "the spec: \"disks\" must be a list of 1 to %i objects",
                                   SPEC_DISKS_MAX);
        spec->disks = calloc(json_array_size(list), sizeof(*spec->disks));
        if (!spec->disks)
                return -ENOMEM;
        for (size_t i = 0; i < json_array_size(list) && r >= 0; i++) {
                Place place = { .object = json_array_get(list, i), .failure = failure };

                (void) snprintf(place.text, sizeof(place.text), "disks[%zu]", i);
                r = read_disk(&place, &spec->disks[i]);
                spec->n_disks = i + 1;
                if (r >= 0)
                        r = check_apart(spec->disks, spec->n_disks, failure);
        }
        return r;
}

static int read_top(ImportSpec *spec, Failure *failure)
{
        static const char *const keys[] = { "job", "progress", "compare", "disks" };
        const Place place = { .object = spec->json, .text = "the spec", .failure = failure };
        const json_t *compare = json_object_get(spec->json, "compare");
        const json_t *progress = json_object_get(spec->json, "progress");
        int r;

        r = check_keys(&place, keys, ELEMENTSOF(keys));
        if (r >= 0)
                r = read_number(&place, "job", JOB_NUMBER_MAX, &spec->job);
        if (r < 0)
                return r;
        if (compare && !json_is_boolean(compare))
                return complain(&place, "compare", "true or false");
        spec->compare = !compare || json_is_true(compare);
        spec->progress = json_string_value(progress);
        if (progress &&
            (!spec->progress || *spec->progress != '/' || strlen(spec->progress) > SPEC_PATH_MAX))
                return complain(&place, "progress", "an absolute path of at most 107 bytes");
        return 0;
}

int spec_parse(const char *text, size_t size, ImportSpec *ret_spec, Failure *failure)
{
        CLEANUP(spec_done) ImportSpec spec = {};
        int r;

        r = result_parse(text, size, &spec.json);
        if (r < 0)
                return failure_set(failure, -EINVAL, FAILURE_INVALID, 0,
                                   "the spec is not one JSON object of at most %i bytes",
                                   RESULT_SIZE_MAX);
        r = read_top(&spec, failure);
        if (r >= 0)
                r = read_disks(&spec, failure);
        if (r < 0)
                return r;
        *ret_spec = spec;
        spec = (ImportSpec){};
        return 0;
}

void spec_done(ImportSpec *spec)
{
        free(spec->disks);
        json_decref(spec->json);
        *spec = (ImportSpec){};
}
