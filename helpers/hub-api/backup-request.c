/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading (see backup-request.h).
 */
#include "backup-request.h"

#include "cleanup.h"
#include "parse.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static bool is_type(const char *text)
{
        return strcmp(text, "full") == 0 || strcmp(text, "incremental") == 0;
}

static const JsonField fields[] = {
        { "vm_name", JSON_FIELD_TEXT, false, 1, 255, utf8_is_line, "one line of text" },
        { "backup_type", JSON_FIELD_TEXT, true, 4, 11, is_type, "full or incremental" },
        { "node", JSON_FIELD_TEXT, true, 1, 64, utf8_is_line, "one line of text" },
        { "exclude", JSON_FIELD_OBJECT, true, 0, 0, NULL, NULL },
        { "sources", JSON_FIELD_OBJECT, true, 0, 0, NULL, NULL },
};

/* Brackets that are open at once, outside of texts; jansson itself would go 2048 deep. */
static bool is_too_deep(const char *text, size_t size)
{
        unsigned depth = 0;
        bool in_text = false;

        for (size_t i = 0; i < size; i++) {
                if (in_text) {
                        if (text[i] == '\\')
                                i++;
                        else if (text[i] == '"')
                                in_text = false;
                } else if (text[i] == '"')
                        in_text = true;
                else if (text[i] == '{' || text[i] == '[') {
                        if (++depth > BACKUP_REQUEST_DEPTH_MAX)
                                return true;
                } else if ((text[i] == '}' || text[i] == ']') && depth > 0)
                        depth--;
        }
        return false;
}

/* A name, or a number, as text or as a number. */
static int take_repository(json_t *object, BackupRequest *request, char *ret_error)
{
        const json_t *value = json_object_get(object, "repository_id");
        const char *text = json_string_value(value);

        if (!value)
                return 0;
        if (json_is_integer(value) && json_integer_value(value) > 0)
                (void) snprintf(request->repository, sizeof(request->repository),
                                "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (text && *text && strlen(text) < sizeof(request->repository) && utf8_is_line(text))
                (void) snprintf(request->repository, sizeof(request->repository), "%s", text);
        else
                return json_fields_refuse(ret_error,
                                          "repository_id must be the name or the id of a "
                                          "repository, as text or as a number");
        return json_object_del(object, "repository_id");
}

static int check_texts(const json_t *object, const char *where, char *ret_error)
{
        const char *key;
        json_t *value;

        if (!object)
                return 0;
        if (json_object_size(object) > BACKUP_REQUEST_KEYS_MAX)
                return json_fields_refuse(ret_error, "%s must have %d disks at most", where,
                                          BACKUP_REQUEST_KEYS_MAX);
        json_object_foreach ((json_t *) object, key, value) {
                const char *text = json_string_value(value);
                uint64_t number;

                if (parse_uint64(key, 1, INT32_MAX, &number) < 0 || *key == '0')
                        return json_fields_refuse(ret_error,
                                                  "%s must have disk keys for names, such as "
                                                  "\"2000\"",
                                                  where);
                if (!text || strlen(text) > BACKUP_REQUEST_TEXT_MAX || !utf8_is_line(text))
                        return json_fields_refuse(ret_error,
                                                  "%s: disk %s must have one line of text of %d "
                                                  "bytes at most",
                                                  where, key, BACKUP_REQUEST_TEXT_MAX);
        }
        return 0;
}

static int parse(json_t *object, BackupRequest *request, char *ret_error)
{
        int r;

        if (json_object_get(object, "disk_id"))
                return json_fields_refuse(ret_error,
                                          "disk_id is not taken: a backup is of a whole VM, all "
                                          "disks at one moment. Leave disks out by \"exclude\": "
                                          "{\"KEY\": \"REASON\"}");
        r = json_is_object(object) ? take_repository(object, request, ret_error) : 0;
        if (r >= 0)
                r = json_fields_check(object, fields, ELEMENTSOF(fields), "the body", ret_error);
        if (r < 0)
                return r;
        request->vm = json_field_text(object, "vm_name");
        request->type = json_field_text(object, "backup_type");
        request->node = json_field_text(object, "node");
        request->exclude = json_object_get(object, "exclude");
        request->sources = json_object_get(object, "sources");
        r = check_texts(request->exclude, "exclude", ret_error);
        return r < 0 ? r : check_texts(request->sources, "sources", ret_error);
}

int backup_request_parse(const char *text, size_t size, BackupRequest *ret_request,
                         char ret_error[static JSON_FIELDS_ERROR_SIZE])
{
        json_error_t error;
        int r;

        *ret_request = (BackupRequest){};
        if (is_too_deep(text, size))
                return json_fields_refuse(ret_error, "The body is nested deeper than %d levels",
                                          BACKUP_REQUEST_DEPTH_MAX);
        ret_request->object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
        if (!ret_request->object)
                return json_fields_refuse(ret_error, "The body is no JSON (line %d): %s",
                                          error.line, error.text);
        r = parse(ret_request->object, ret_request, ret_error);
        if (r < 0)
                backup_request_done(ret_request);
        return r < 0 ? -EBADMSG : 0;
}

void backup_request_done(BackupRequest *request)
{
        json_decref(request->object);
        *request = (BackupRequest){};
}
