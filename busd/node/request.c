/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strict reading of requests (see request.h): tables of fields, and what must fit together. Password and keys leave the
 * JSON before anything else is done with it.
 */
#include "request.h"

#include "request-keys.h"

#include "host-name.h"
#include "json-cleanup.h"
#include "json-fields.h"
#include "names.h"
#include "parse.h"
#include "result-file.h"
#include "utf8.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define USER_MUST "a text without control characters"

enum {
        JOBS_MAX = 1000,
        REASON_MAX = 4096,
};

static bool is_type(const char *text)
{
        return strcmp(text, "full") == 0 || strcmp(text, "incremental") == 0;
}

static bool is_quiesce(const char *text)
{
        return strcmp(text, "auto") == 0 || strcmp(text, "required") == 0 ||
               strcmp(text, "no") == 0;
}

bool request_is_uuid(const char *text)
{
        for (size_t i = 0; i < 36; i++)
                if (i == 8 || i == 13 || i == 18 || i == 23
                                    ? text[i] != '-'
                                    : !strchr("0123456789abcdef", text[i]) || !text[i])
                        return false;
        return text[36] == '\0';
}

static const JsonField request_fields[] = {
        { "job_id", JSON_FIELD_NUMBER, false, 1, INT64_MAX, NULL, NULL },
        { "attempt", JSON_FIELD_NUMBER, false, 1, INT32_MAX, NULL, NULL },
        { "vm_name", JSON_FIELD_TEXT, false, 1, 255, NULL, NULL },
        { "vm_path", JSON_FIELD_TEXT, false, 1, 1024, NULL, NULL },
        { "instance_uuid", JSON_FIELD_TEXT, false, 36, 36, request_is_uuid,
          "a UUID in lower case" },
        { "vcenter_host", JSON_FIELD_TEXT, false, 1, HOST_NAME_MAX_LENGTH, host_name_is_valid,
          HOST_NAME_MUST },
        { "vcenter_port", JSON_FIELD_NUMBER, true, 1, 65535, NULL, NULL },
        { "vcenter_user", JSON_FIELD_TEXT, false, 1, 255, utf8_is_line, USER_MUST },
        { "ca_file", JSON_FIELD_TEXT, true, 1, 1024, NULL, NULL },
        { "pin_sha256", JSON_FIELD_TEXT, true, 64, 95, NULL, NULL },
        { "backup_type", JSON_FIELD_TEXT, false, 4, 11, is_type, "full or incremental" },
        { "quiesce", JSON_FIELD_TEXT, true, 2, 8, is_quiesce, "auto, required or no" },
        { "nbd_targets", JSON_FIELD_OBJECT, false, 0, 0, NULL, NULL },
        { "excluded", JSON_FIELD_OBJECT, true, 0, 0, NULL, NULL },
        { "disks", JSON_FIELD_ARRAY, true, 0, REQUEST_DISKS_MAX, NULL, NULL },
};

static const JsonField disk_fields[] = {
        { "key", JSON_FIELD_NUMBER, false, 1, INT32_MAX, NULL, NULL },
        { "backing_uuid", JSON_FIELD_TEXT, true, 0, 64, NULL, NULL },
        { "capacity_bytes", JSON_FIELD_NUMBER, false, 1, INT64_MAX, NULL, NULL },
        { "change_id", JSON_FIELD_TEXT, true, 0, 255, NULL, NULL },
};

static int check_targets(const json_t *targets, char ret_error[static REQUEST_ERROR_SIZE])
{
        const char *key;
        json_t *value;

        if (json_object_size(targets) == 0)
                return json_fields_refuse(ret_error,
                                          "nbd_targets is empty, must name a target for each disk");
        if (json_object_size(targets) > REQUEST_DISKS_MAX)
                return json_fields_refuse(ret_error, "nbd_targets has more than %d disks",
                                          REQUEST_DISKS_MAX);
        json_object_foreach ((json_t *) targets, key, value) {
                uint64_t number;

                if (parse_uint64(key, 1, DISK_KEY_MAX, &number) < 0)
                        return json_fields_refuse(
                                        ret_error,
                                        "nbd_targets: a key must be a disk's number such as 2000");
                if (!json_is_string(value) || !request_export_is_valid(json_string_value(value)))
                        return json_fields_refuse(ret_error,
                                                  "nbd_targets: the target of disk %s must "
                                                  "be " REQUEST_EXPORT_MUST,
                                                  key);
        }
        return 0;
}

/* Two disks on one target would be each other's ruin. */
static int check_distinct(const json_t *targets, char ret_error[static REQUEST_ERROR_SIZE])
{
        const char *key, *other_key;
        json_t *value, *other;

        json_object_foreach ((json_t *) targets, key, value)
                json_object_foreach ((json_t *) targets, other_key, other)
                        if (value != other && json_equal(value, other))
                                return json_fields_refuse(
                                                ret_error,
                                                "nbd_targets: disks %s and %s have the same target",
                                                key, other_key);
        return 0;
}

/* Whoever leaves a disk out says why, and gives it no target. */
static int check_excluded(const json_t *excluded, const json_t *targets,
                          char ret_error[static REQUEST_ERROR_SIZE])
{
        const char *key;
        json_t *value;

        if (json_object_size(excluded) > REQUEST_DISKS_MAX)
                return json_fields_refuse(ret_error, "excluded has more than %d disks",
                                          REQUEST_DISKS_MAX);
        json_object_foreach ((json_t *) excluded, key, value) {
                uint64_t number;

                if (parse_uint64(key, 1, DISK_KEY_MAX, &number) < 0)
                        return json_fields_refuse(
                                        ret_error,
                                        "excluded: a key must be a disk's number such as 2000");
                if (json_object_get(targets, key))
                        return json_fields_refuse(ret_error,
                                                  "excluded: disk %s has a target in nbd_targets",
                                                  key);
                if (!json_is_string(value) || json_string_length(value) == 0 ||
                    json_string_length(value) > REASON_MAX)
                        return json_fields_refuse(
                                        ret_error,
                                        "excluded: the reason of disk %s must be a text of 1 to %d "
                                        "bytes",
                                        key, REASON_MAX);
        }
        return 0;
}

int request_check_disks(const json_t *disks, const JsonField *fields, size_t n_fields,
                        char ret_error[static REQUEST_ERROR_SIZE])
{
        const char *key = fields[0].key;
        json_t *disk;
        size_t i;

        json_array_foreach (disks, i, disk) {
                int r = json_fields_check(disk, fields, n_fields, "a disk", ret_error);

                if (r < 0)
                        return r;
                for (size_t j = 0; j < i; j++)
                        if (json_field_number(disk, key) ==
                            json_field_number(json_array_get(disks, j), key))
                                return json_fields_refuse(ret_error, "disks: the same key twice");
        }
        return 0;
}

int request_take_password(json_t *object, Secret **ret_password,
                          char ret_error[static REQUEST_ERROR_SIZE])
{
        const json_t *text = json_object_get(object, "vcenter_password");
        int r;

        if (!json_is_string(text) || json_string_length(text) == 0)
                return json_fields_refuse(ret_error, "vcenter_password is missing");
        r = secret_new(json_string_value(text), json_string_length(text), ret_password);
        if (r == -EFBIG)
                return json_fields_refuse(ret_error, "vcenter_password is too long");
        if (r >= 0)
                (void) json_object_del(object, "vcenter_password");
        return r;
}

int request_parse(const char *text, size_t size, json_t **ret_object,
                  char ret_error[static REQUEST_ERROR_SIZE])
{
        int r = result_parse_within(text, size, REQUEST_SIZE_MAX, ret_object);

        if (r == -EBADMSG || r == -EFBIG || r == -ELOOP)
                return json_fields_refuse(ret_error,
                                          "The request must be one JSON object of at most %d bytes "
                                          "without repeated keys",
                                          REQUEST_SIZE_MAX);
        return r;
}

int request_complete(Request *request)
{
        unsigned char digest[crypto_hash_sha256_BYTES];
        _cleanup_free_ char *text = json_dumps(request->public, JSON_COMPACT | JSON_SORT_KEYS);

        if (!text)
                return -ENOMEM;
        (void) crypto_hash_sha256(digest, (const unsigned char *) text, strlen(text));
        (void) sodium_bin2hex(request->digest, sizeof(request->digest), digest, sizeof(digest));
        request->job = json_field_number(request->public, "job_id");
        request->attempt = json_field_number(request->public, "attempt");
        return 0;
}

int request_read(const char *text, size_t size, Request *ret_request,
                 char ret_error[static REQUEST_ERROR_SIZE])
{
        CLEANUP(request_done) Request request = {};
        CLEANUP(json_decref_p) json_t *keys = NULL;
        int r;

        r = request_parse(text, size, &request.public, ret_error);
        keys = request_keys_take(request.public);
        if (r >= 0)
                r = request_take_password(request.public, &request.password, ret_error);
        if (r >= 0)
                r = json_fields_check(request.public, request_fields, ELEMENTSOF(request_fields),
                                      "the request", ret_error);
        if (r >= 0)
                r = check_targets(json_object_get(request.public, "nbd_targets"), ret_error);
        if (r >= 0)
                r = check_distinct(json_object_get(request.public, "nbd_targets"), ret_error);
        if (r >= 0)
                r = check_excluded(json_object_get(request.public, "excluded"),
                                   json_object_get(request.public, "nbd_targets"), ret_error);
        if (r >= 0)
                r = request_check_disks(json_object_get(request.public, "disks"), disk_fields,
                                        ELEMENTSOF(disk_fields), ret_error);
        if (r >= 0)
                r = request_keys_read(keys, json_object_get(request.public, "nbd_targets"),
                                      &request.keys, ret_error);
        if (r >= 0)
                r = request_complete(&request);
        if (r < 0)
                return r;
        *ret_request = request;
        request = (Request){};
        return 0;
}

void request_done(Request *request)
{
        json_decref(request->public);
        secret_free(request->password);
        secret_free(request->keys);
        *request = (Request){};
}

static int read_jobs(const json_t *list, Login *login, char ret_error[static REQUEST_ERROR_SIZE])
{
        size_t n = json_array_size(list);

        if (!list)
                return 0;
        if (!json_is_array(list) || n > JOBS_MAX)
                return json_fields_refuse(ret_error, "job_ids must be a list of at most %d numbers",
                                          JOBS_MAX);
        login->jobs = calloc(n + 1, sizeof(uint64_t));
        if (!login->jobs)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                json_int_t job = json_integer_value(json_array_get(list, i));

                if (job < 1)
                        return json_fields_refuse(ret_error,
                                                  "job_ids must be a list of numbers of jobs");
                login->jobs[login->n_jobs++] = (uint64_t) job;
        }
        return 0;
}

static const JsonField login_fields[] = {
        { "vcenter_host", JSON_FIELD_TEXT, false, 1, HOST_NAME_MAX_LENGTH, host_name_is_valid,
          HOST_NAME_MUST },
        { "vcenter_port", JSON_FIELD_NUMBER, true, 1, 65535, NULL, NULL },
        { "vcenter_user", JSON_FIELD_TEXT, false, 1, 255, utf8_is_line, USER_MUST },
        { "pin_sha256", JSON_FIELD_TEXT, true, 64, 95, NULL, NULL },
};

/* A member of object, or else the default, which may be NULL. */
static json_t *text_or(const json_t *object, const char *key, const char *text)
{
        json_t *value = json_object_get(object, key);

        return value ? json_deep_copy(value) : text ? json_string(text) : NULL;
}

/* Where and who, by the same bounds as in a request. */
static int read_place(const json_t *object, const char *default_host, const char *default_user,
                      Login *login, char ret_error[static REQUEST_ERROR_SIZE])
{
        CLEANUP(json_decref_p) json_t *place = NULL;
        int r;

        place = json_pack("{s:o*, s:o*, s:o*, s:o*}", "vcenter_host",
                          text_or(object, "vcenter_host", default_host), "vcenter_user",
                          text_or(object, "vcenter_user", default_user), "vcenter_port",
                          text_or(object, "vcenter_port", NULL), "pin_sha256",
                          text_or(object, "pin_sha256", NULL));
        if (!place)
                return -ENOMEM;
        r = json_fields_check(place, login_fields, ELEMENTSOF(login_fields), "the login",
                              ret_error);
        if (r < 0)
                return r;
        login->host = json_field_text(place, "vcenter_host");
        login->user = json_field_text(place, "vcenter_user");
        login->place = TAKE(place);
        return 0;
}

int login_read(const char *text, size_t size, const char *default_host, const char *default_user,
               Login *ret_login, char ret_error[static REQUEST_ERROR_SIZE])
{
        CLEANUP(login_done) Login login = {};
        CLEANUP(json_decref_p) json_t *object = NULL;
        int r;

        r = request_parse(text, size, &object, ret_error);
        if (r < 0)
                return r;
        r = read_place(object, default_host, default_user, &login, ret_error);
        if (r >= 0)
                r = request_take_password(object, &login.password, ret_error);
        if (r >= 0)
                r = read_jobs(json_object_get(object, "job_ids"), &login, ret_error);
        if (r < 0)
                return r;
        *ret_login = login;
        login = (Login){};
        return 0;
}

void login_done(Login *login)
{
        json_decref(login->place);
        free(login->jobs);
        secret_free(login->password);
        *login = (Login){};
}
