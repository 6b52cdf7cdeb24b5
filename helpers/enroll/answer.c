/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers (see answer.h). The hub is trusted with what it says, but not to be of the same version, nor that nothing of sshd's
 * stands before its line.
 */
#include "answer.h"

#include "cleanup.h"
#include "json-cleanup.h"
#include "json-fields.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_sha256(const char *text)
{
        return strlen(text) == ENROLL_SHA256_LENGTH &&
               strspn(text, "0123456789abcdef") == ENROLL_SHA256_LENGTH;
}

int answer_set(Answer *ret_answer, const char *name, uint64_t reverse_port, const char *ports,
               const char *sha256)
{
        static const ConfigKey range = { .max = 1000 };
        Answer answer = {};

        if (!node_name_is_valid(name) || reverse_port < 1 || reverse_port > UINT16_MAX ||
            config_parse_port_range(&range, ports, &answer.ports) < 0 || !is_sha256(sha256))
                return -EBADMSG;
        (void) snprintf(answer.name, sizeof(answer.name), "%s", name);
        (void) snprintf(answer.api_token_sha256, sizeof(answer.api_token_sha256), "%s", sha256);
        answer.reverse_port = (uint16_t) reverse_port;
        *ret_answer = answer;
        return 0;
}

static int read_error(const json_t *error, char ret_error[static ANSWER_ERROR_SIZE])
{
        const char *name = json_field_text(error, "name"), *text = json_field_text(error, "text");

        (void) snprintf(ret_error, ANSWER_ERROR_SIZE, "%s (%s)", text ?: "it does not say why",
                        name ?: "no name");
        /* It came through the network, and goes to a terminal. */
        for (char *c = ret_error; *c; c++)
                if ((unsigned char) *c < ' ' || *c == 0x7f)
                        *c = '?';
        return -EACCES;
}

int answer_parse(const char *line, size_t size, Answer *ret_answer,
                 char ret_error[static ANSWER_ERROR_SIZE])
{
        static const JsonField fields[] = {
                { "protocol", JSON_FIELD_NUMBER, false, ENROLL_PROTOCOL, ENROLL_PROTOCOL, NULL,
                  NULL },
                { "name", JSON_FIELD_TEXT, false, 1, NODE_NAME_SIZE - 1, node_name_is_valid,
                  "must be a node's name" },
                { "reverse_port", JSON_FIELD_NUMBER, false, 1, UINT16_MAX, NULL, NULL },
                { "ports", JSON_FIELD_TEXT, false, 1, 16, NULL, NULL },
                { "api_token_sha256", JSON_FIELD_TEXT, false, ENROLL_SHA256_LENGTH,
                  ENROLL_SHA256_LENGTH, is_sha256, "must be a SHA-256" },
        };
        CLEANUP(json_decref_p) json_t *answer = NULL;
        char why[JSON_FIELDS_ERROR_SIZE];
        const json_t *error;
        json_error_t no_json;

        answer = json_loadb(line, size, JSON_REJECT_DUPLICATES, &no_json);
        error = json_object_get(answer, "error");
        if (error)
                return read_error(error, ret_error);
        if (!answer)
                return (void) snprintf(ret_error, ANSWER_ERROR_SIZE, "its answer is no JSON"),
                       -EBADMSG;
        if (json_fields_check(answer, fields, ELEMENTSOF(fields), "its answer", why) < 0)
                return (void) snprintf(ret_error, ANSWER_ERROR_SIZE, "%s", why), -EBADMSG;
        if (answer_set(ret_answer, json_field_text(answer, "name"),
                       json_field_number(answer, "reverse_port"), json_field_text(answer, "ports"),
                       json_field_text(answer, "api_token_sha256")) < 0)
                return (void) snprintf(ret_error, ANSWER_ERROR_SIZE,
                                       "its answer names ports that are none"),
                       -EBADMSG;
        return 0;
}
