/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions about a vCenter (see ask-request.h).
 */
#include "ask-request.h"

#include "credentials.h"
#include "host-name.h"
#include "json-cleanup.h"
#include "json-fields.h"
#include "utf8.h"

#include <errno.h>
#include <string.h>

static const char *const words[ASK_KIND_MAX] = {
        [ASK_CERTIFICATE] = "certificate",
        [ASK_TEST] = "test",
        [ASK_DISCOVER] = "discover",
};

const char *ask_kind_to_string(AskKind kind)
{
        return kind >= 0 && kind < ASK_KIND_MAX ? words[kind] : NULL;
}

AskKind ask_kind_from_string(const char *text)
{
        for (size_t i = 0; i < ASK_KIND_MAX; i++)
                if (strcmp(text, words[i]) == 0)
                        return (AskKind) i;
        return ASK_KIND_INVALID;
}

enum {
        PLACE_FIELDS = 3, /* of a certificate */
        LOGIN_FIELDS = 5, /* of a test */
};

/* Each kind has those before it, and some more. */
static const JsonField fields[] = {
        { "vcenter_host", JSON_FIELD_TEXT, false, 1, HOST_NAME_MAX_LENGTH, host_name_is_valid,
          HOST_NAME_MUST },
        { "vcenter_port", JSON_FIELD_NUMBER, true, 1, 65535, NULL, NULL },
        { "ca_file", JSON_FIELD_TEXT, true, 1, 1024, NULL, NULL },

        { "vcenter_user", JSON_FIELD_TEXT, false, 1, 255, utf8_is_line,
          "a text without control characters" },
        { "pin_sha256", JSON_FIELD_TEXT, true, 64, 95, NULL, NULL },

        { "instance_uuid", JSON_FIELD_TEXT, true, 1, 64, NULL, NULL },
        { "path", JSON_FIELD_TEXT, true, 1, 1024, NULL, NULL },
        { "name", JSON_FIELD_TEXT, true, 1, 255, NULL, NULL },
};

static size_t n_fields(AskKind kind)
{
        return kind == ASK_CERTIFICATE ? PLACE_FIELDS
               : kind == ASK_TEST      ? LOGIN_FIELDS
                                       : ELEMENTSOF(fields);
}

static json_t *spec_of(AskKind kind, const json_t *object, const char *transport)
{
        json_t *host = json_object_get(object, "vcenter_host");
        json_t *port = json_object_get(object, "vcenter_port");
        json_t *ca_file = json_object_get(object, "ca_file");
        json_t *vcenter;

        if (kind == ASK_CERTIFICATE)
                return json_pack("{s:O, s:O*, s:O*}", "host", host, "port", port, "ca_file",
                                 ca_file);
        vcenter = json_pack("{s:O, s:O*, s:O*, s:O, s:s, s:O*}", "host", host, "port", port,
                            "ca_file", ca_file, "user", json_object_get(object, "vcenter_user"),
                            "password_credential", CREDENTIAL_VCENTER, "pin_sha256",
                            json_object_get(object, "pin_sha256"));
        if (kind == ASK_TEST)
                return json_pack("{s:o}", "vcenter", vcenter);
        return json_pack("{s:o, s:O*, s:O*, s:O*, s:s}", "vcenter", vcenter, "instance_uuid",
                         json_object_get(object, "instance_uuid"), "path",
                         json_object_get(object, "path"), "name", json_object_get(object, "name"),
                         "transport", transport);
}

int ask_request_read(AskKind kind, const char *text, size_t size, const char *transport,
                     AskRequest *ret_request, char ret_error[static REQUEST_ERROR_SIZE])
{
        CLEANUP(ask_request_done) AskRequest request = {};
        CLEANUP(json_decref_p) json_t *object = NULL;
        int r;

        r = request_parse(text, size, &object, ret_error);
        if (r >= 0 && kind != ASK_CERTIFICATE)
                r = request_take_password(object, &request.password, ret_error);
        if (r >= 0)
                r = json_fields_check(object, fields, n_fields(kind), "the request", ret_error);
        if (r < 0)
                return r;
        request.spec = spec_of(kind, object, transport);
        if (!request.spec)
                return -ENOMEM;
        *ret_request = request;
        request = (AskRequest){};
        return 0;
}

void ask_request_done(AskRequest *request)
{
        json_decref(request->spec);
        secret_free(request->password);
        *request = (AskRequest){};
}
