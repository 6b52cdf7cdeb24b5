/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of a repository as tables of their fields (see manifest.h), and what no table can say.
 */
#include "manifest.h"

#include "cleanup.h"
#include "job-types.h"
#include "names.h"
#include "parse.h"
#include "result-file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define HEX "0123456789abcdef"

static bool backup_type_is_valid(const char *text)
{
        return backup_type_from_string(text) >= 0;
}

static bool algorithm_is_valid(const char *text)
{
        return strcmp(text, "sha256-tree") == 0;
}

#define FIELD_NUMBER(name, from, to)                                                 \
        {                                                                            \
                .key = (name), .kind = JSON_FIELD_NUMBER, .min = (from), .max = (to) \
        }
#define FIELD_TEXT(name, to)                                                  \
        {                                                                     \
                .key = (name), .kind = JSON_FIELD_TEXT, .min = 1, .max = (to) \
        }
#define FIELD_OPTIONAL_TEXT(name, to)                                                           \
        {                                                                                       \
                .key = (name), .kind = JSON_FIELD_TEXT, .optional = true, .min = 1, .max = (to) \
        }
#define FIELD_CHECKED(name, check, what)                                                 \
        {                                                                                \
                .key = (name), .kind = JSON_FIELD_TEXT, .max = 128, .is_valid = (check), \
                .must = (what)                                                           \
        }
#define FIELD_OPTIONAL_CHECKED(name, check, what)                                     \
        {                                                                             \
                .key = (name), .kind = JSON_FIELD_TEXT, .optional = true, .max = 128, \
                .is_valid = (check), .must = (what)                                   \
        }

#define FIELD_FORMAT FIELD_NUMBER("format", MANIFEST_FORMAT, MANIFEST_FORMAT)
#define FIELD_UUID(name) \
        FIELD_CHECKED(name, manifest_uuid_is_valid, "a UUID of 36 characters in lower case")
#define FIELD_BACKUP_ID FIELD_CHECKED("backup_id", backup_id_is_valid, "the id of a backup")
#define FIELD_PARENT \
        FIELD_OPTIONAL_CHECKED("parent_backup_id", backup_id_is_valid, "the id of a backup")
#define FIELD_BACKUP_TYPE FIELD_CHECKED("backup_type", backup_type_is_valid, "full or incremental")
#define FIELD_SHA256(name) \
        FIELD_CHECKED(name, manifest_sha256_is_valid, "64 hex digits in lower case")
#define FIELD_CAPACITY   FIELD_NUMBER("capacity_bytes", 512, MANIFEST_CAPACITY_MAX)
#define FIELD_KEY        FIELD_NUMBER("disk_key", 1, DISK_KEY_MAX)
#define FIELD_SIZE       FIELD_NUMBER("size_bytes", 1, INT64_MAX)
#define FIELD_USEC(name) FIELD_NUMBER(name, 1, INT64_MAX)

static const JsonField marker_fields[] = {
        FIELD_FORMAT,
        FIELD_UUID("repository_uuid"),
};

static const JsonField disk_fields[] = {
        FIELD_FORMAT,
        FIELD_BACKUP_ID,
        FIELD_UUID("instance_uuid"),
        FIELD_KEY,
        FIELD_BACKUP_TYPE,
        FIELD_PARENT,
        FIELD_CAPACITY,
        FIELD_OPTIONAL_TEXT("backing_uuid", 64),
        FIELD_OPTIONAL_TEXT("change_id", 255),
        FIELD_OPTIONAL_TEXT("reason", 1024),
        FIELD_SIZE,
        FIELD_USEC("created_usec"),
        { .key = "digest", .kind = JSON_FIELD_OBJECT },
};

static const JsonField record_fields[] = {
        FIELD_FORMAT,
        FIELD_BACKUP_ID,
        FIELD_UUID("instance_uuid"),
        FIELD_CHECKED("context_id", context_id_is_valid, "the id of a VM context"),
        FIELD_TEXT("vm_name", 255),
        FIELD_TEXT("vm_path", 1024),
        FIELD_BACKUP_TYPE,
        FIELD_USEC("created_usec"),
        FIELD_USEC("committed_usec"),
        FIELD_TEXT("principal", 255),
        FIELD_TEXT("version", 64),
        { .key = "disks", .kind = JSON_FIELD_ARRAY, .min = 1, .max = MANIFEST_DISKS_MAX },
        { .key = "excluded", .kind = JSON_FIELD_ARRAY, .max = MANIFEST_DISKS_MAX },
        { .key = "hardware", .kind = JSON_FIELD_OBJECT, .optional = true },
        { .key = "quiesced", .kind = JSON_FIELD_BOOL, .optional = true },
};

static const JsonField record_disk_fields[] = {
        FIELD_KEY,
        FIELD_NUMBER("unit_number", 0, UINT32_MAX),
        FIELD_TEXT("controller", 64),
        FIELD_CAPACITY,
        FIELD_BACKUP_TYPE,
        FIELD_PARENT,
        FIELD_OPTIONAL_TEXT("backing_uuid", 64),
        FIELD_OPTIONAL_TEXT("change_id", 255),
        FIELD_OPTIONAL_TEXT("reason", 1024),
        FIELD_TEXT("file", MANIFEST_FILE_SIZE),
        FIELD_SIZE,
        FIELD_SHA256("manifest_sha256"),
};

static const JsonField record_excluded_fields[] = {
        FIELD_KEY,
        FIELD_NUMBER("unit_number", 0, UINT32_MAX),
        FIELD_TEXT("controller", 64),
        FIELD_CAPACITY,
        FIELD_TEXT("reason", 1024),
};

static const JsonField digest_fields[] = {
        FIELD_CHECKED("algorithm", algorithm_is_valid, "sha256-tree"),
        FIELD_NUMBER("leaf_bytes", MANIFEST_LEAF_BYTES, MANIFEST_LEAF_BYTES),
        FIELD_NUMBER("block_bytes", MANIFEST_BLOCK_BYTES_MIN, MANIFEST_CAPACITY_MAX),
        { .key = "blocks", .kind = JSON_FIELD_OBJECT },
};

static bool hex_is_valid(const char *text, size_t n)
{
        return strlen(text) == n && strspn(text, HEX) == n;
}

bool manifest_sha256_is_valid(const char *text)
{
        return hex_is_valid(text, 64);
}

bool manifest_uuid_is_valid(const char *text)
{
        static const char form[] = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";

        if (strlen(text) != strlen(form))
                return false;
        for (size_t i = 0; form[i]; i++)
                if (form[i] == '-' ? text[i] != '-' : !strchr(HEX, text[i]))
                        return false;
        return true;
}

uint64_t manifest_block_bytes(uint64_t capacity_bytes)
{
        uint64_t block = MANIFEST_BLOCK_BYTES_MIN;

        while (capacity_bytes > 0 && (capacity_bytes - 1) / block >= MANIFEST_BLOCKS_MAX)
                block *= 2;
        return block;
}

void manifest_file(const char *instance_uuid, uint32_t disk_key, const char *backup_id,
                   char ret_file[static MANIFEST_FILE_SIZE])
{
        (void) snprintf(ret_file, MANIFEST_FILE_SIZE, "%s/%" PRIu32 "/%s.qcow2", instance_uuid,
                        disk_key, backup_id);
}

int manifest_check_digest(const json_t *digest, uint64_t capacity_bytes,
                          char ret_error[static JSON_FIELDS_ERROR_SIZE])
{
        uint64_t block_bytes, index, n_blocks;
        const char *key;
        json_t *value;
        int r;

        r = json_fields_check(digest, digest_fields, ELEMENTSOF(digest_fields), "the digest",
                              ret_error);
        if (r < 0)
                return r;
        block_bytes = json_field_number(digest, "block_bytes");
        if (block_bytes != manifest_block_bytes(capacity_bytes))
                return json_fields_refuse(ret_error,
                                          "the digest: block_bytes is %" PRIu64 ", must be %" PRIu64
                                          " for this capacity",
                                          block_bytes, manifest_block_bytes(capacity_bytes));
        n_blocks = (capacity_bytes + block_bytes - 1) / block_bytes;
        json_object_foreach (json_object_get(digest, "blocks"), key, value) {
                if (parse_uint64(key, 0, n_blocks - 1, &index) < 0)
                        return json_fields_refuse(ret_error, "the digest: there is no block \"%s\"",
                                                  key);
                if (!json_is_string(value) || !manifest_sha256_is_valid(json_string_value(value)))
                        return json_fields_refuse(ret_error,
                                                  "the digest of block %s must be 64 hex digits in "
                                                  "lower case",
                                                  key);
        }
        return 0;
}

static const JsonField part_fields[] = {
        FIELD_NUMBER("count", 1, MANIFEST_CAPACITY_MAX),
        FIELD_SHA256("sum"),
        { .key = "pieces",
          .kind = JSON_FIELD_TEXT,
          .optional = true,
          .min = 1,
          .max = MANIFEST_PIECES_MAX },
};

static int check_parts(const json_t *digest, uint64_t capacity_bytes, char *error)
{
        uint64_t block_bytes = manifest_block_bytes(capacity_bytes), index;
        json_t *parts = json_object_get(digest, "parts"), *part;
        const char *key;

        if (parts && !json_is_object(parts))
                return json_fields_refuse(error, "the digest: parts must be an object");
        json_object_foreach (parts, key, part) {
                if (parse_uint64(key, 0, (capacity_bytes - 1) / block_bytes, &index) < 0)
                        return json_fields_refuse(error,
                                                  "the digest: there are parts of no block \"%s\"",
                                                  key);
                if (json_fields_check(part, part_fields, ELEMENTSOF(part_fields),
                                      "the parts of a block", error) < 0)
                        return -EBADMSG;
        }
        return 0;
}

int manifest_check_sent(const json_t *digest, uint64_t capacity_bytes,
                        char ret_error[static JSON_FIELDS_ERROR_SIZE])
{
        json_t *plain = json_copy((json_t *) digest);
        int r;

        (void) json_object_del(plain, "parts");
        r = manifest_check_digest(plain, capacity_bytes, ret_error);
        json_decref(plain);
        return r < 0 ? r : check_parts(digest, capacity_bytes, ret_error);
}

/* What a layer's manifest and a disk of a record have in common. */
static int check_layer(const json_t *layer, const char *backup_id, const char *where, char *error)
{
        const char *parent = json_field_text(layer, "parent_backup_id");
        BackupType type = backup_type_from_string(json_field_text(layer, "backup_type"));

        if ((type == BACKUP_INCREMENTAL) != (parent != NULL))
                return json_fields_refuse(
                                error,
                                "%s: an incremental layer has a parent_backup_id, and no other has",
                                where);
        if (parent && strcmp(parent, backup_id) == 0)
                return json_fields_refuse(error, "%s: a layer is not its own parent", where);
        if (json_field_number(layer, "capacity_bytes") % 512 != 0)
                return json_fields_refuse(error, "%s: capacity_bytes is no multiple of 512", where);
        return 0;
}

static int check_record_disk(const json_t *record, const json_t *disk, char *error)
{
        const char *backup_id = json_field_text(record, "backup_id");
        char file[MANIFEST_FILE_SIZE], where[64];
        int r;

        r = json_fields_check(disk, record_disk_fields, ELEMENTSOF(record_disk_fields),
                              "a disk of the record", error);
        if (r < 0)
                return r;
        (void) snprintf(where, sizeof(where), "disk %" PRIu64 " of the record",
                        json_field_number(disk, "disk_key"));
        r = check_layer(disk, backup_id, where, error);
        if (r < 0)
                return r;
        if (strcmp(json_field_text(record, "backup_type"), "full") == 0 &&
            strcmp(json_field_text(disk, "backup_type"), "full") != 0)
                return json_fields_refuse(error, "%s: incremental in a full backup", where);
        manifest_file(json_field_text(record, "instance_uuid"),
                      (uint32_t) json_field_number(disk, "disk_key"), backup_id, file);
        if (strcmp(json_field_text(disk, "file"), file) != 0)
                return json_fields_refuse(error, "%s: file must be %s", where, file);
        return 0;
}

/* Counts how often a key stands in both lists. */
static size_t count_key(const json_t *record, uint64_t disk_key)
{
        static const char *const lists[] = { "disks", "excluded" };
        size_t n = 0, j;
        json_t *disk;

        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                json_array_foreach (json_object_get(record, lists[i]), j, disk)
                        n += json_field_number(disk, "disk_key") == disk_key;
        return n;
}

static int check_record(const json_t *record, char *error)
{
        json_t *disk;
        size_t i;
        int r;

        json_array_foreach (json_object_get(record, "disks"), i, disk) {
                r = check_record_disk(record, disk, error);
                if (r < 0)
                        return r;
        }
        json_array_foreach (json_object_get(record, "excluded"), i, disk) {
                r = json_fields_check(disk, record_excluded_fields,
                                      ELEMENTSOF(record_excluded_fields),
                                      "an excluded disk of the record", error);
                if (r < 0)
                        return r;
                if (count_key(record, json_field_number(disk, "disk_key")) != 1)
                        return json_fields_refuse(error,
                                                  "the record: disk %" PRIu64 " stands in it twice",
                                                  json_field_number(disk, "disk_key"));
        }
        json_array_foreach (json_object_get(record, "disks"), i, disk)
                if (count_key(record, json_field_number(disk, "disk_key")) != 1)
                        return json_fields_refuse(error,
                                                  "the record: disk %" PRIu64 " stands in it twice",
                                                  json_field_number(disk, "disk_key"));
        return 0;
}

static int check_disk(const json_t *manifest, char *error)
{
        int r = check_layer(manifest, json_field_text(manifest, "backup_id"), "the manifest",
                            error);

        return r < 0 ? r
                     : manifest_check_digest(json_object_get(manifest, "digest"),
                                             json_field_number(manifest, "capacity_bytes"), error);
}

static const struct {
        const char *what;
        const JsonField *fields;
        size_t n_fields;
} kinds[] = {
        [MANIFEST_MARKER] = { "the marker", marker_fields, ELEMENTSOF(marker_fields) },
        [MANIFEST_DISK] = { "the manifest", disk_fields, ELEMENTSOF(disk_fields) },
        [MANIFEST_RECORD] = { "the record", record_fields, ELEMENTSOF(record_fields) },
};

int manifest_check(ManifestKind kind, const json_t *object,
                   char ret_error[static JSON_FIELDS_ERROR_SIZE])
{
        const char *what = kinds[kind].what;
        int r;

        /* A newer format may have other fields, so it is looked at first. */
        if (json_field_number(object, "format") > MANIFEST_FORMAT) {
                (void) json_fields_refuse(ret_error,
                                          "%s has format %" PRIu64
                                          ", this version reads up to %d: install a newer one",
                                          what, json_field_number(object, "format"),
                                          MANIFEST_FORMAT);
                return -EPROTONOSUPPORT;
        }
        r = json_fields_check(object, kinds[kind].fields, kinds[kind].n_fields, what, ret_error);
        if (r < 0)
                return r;
        switch (kind) {
        case MANIFEST_MARKER:
                return 0;
        case MANIFEST_DISK:
                return check_disk(object, ret_error);
        case MANIFEST_RECORD:
                return check_record(object, ret_error);
        }
        return -EINVAL;
}

int manifest_parse(ManifestKind kind, const char *text, size_t size, json_t **ret_object,
                   char ret_error[static JSON_FIELDS_ERROR_SIZE])
{
        json_t *object;
        int r;

        r = result_parse_within(text, size, MANIFEST_SIZE_MAX, &object);
        if (r < 0) {
                (void) json_fields_refuse(ret_error, "%s is %s", kinds[kind].what,
                                          r == -EBADMSG  ? "not one JSON object"
                                          : r == -ENOMEM ? "more than memory holds"
                                                         : "too large or too deep");
                return r;
        }
        r = manifest_check(kind, object, ret_error);
        if (r < 0) {
                json_decref(object);
                return r;
        }
        *ret_object = object;
        return 0;
}

int manifest_format(ManifestKind kind, const json_t *object, char **ret_text,
                    char ret_error[static JSON_FIELDS_ERROR_SIZE])
{
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = manifest_check(kind, object, ret_error);
        if (r < 0)
                return r;
        text = json_dumps(object, JSON_INDENT(2) | JSON_SORT_KEYS);
        if (!text || asprintf(ret_text, "%s\n", text) < 0) {
                (void) json_fields_refuse(ret_error, "no memory for the text of %s",
                                          kinds[kind].what);
                return -ENOMEM;
        }
        size = strlen(*ret_text);
        if (size > MANIFEST_SIZE_MAX) {
                free(TAKE(*ret_text));
                (void) json_fields_refuse(ret_error, "%s would be %zu bytes, at most %d are read",
                                          kinds[kind].what, size, MANIFEST_SIZE_MAX);
                return -EFBIG;
        }
        return 0;
}
