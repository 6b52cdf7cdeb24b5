/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the hub answered to an enrolment: read strictly, whichever way it came. Pure.
 */
#pragma once

#include "config-value.h"
#include "enroll-wire.h"
#include "node-keys.h"

#include <stddef.h>

enum {
        ANSWER_ERROR_SIZE = 2048,
};

typedef struct Answer {
        char name[NODE_NAME_SIZE];
        uint16_t reverse_port;
        PortRange ports;
        char api_token_sha256[ENROLL_SHA256_LENGTH + 1];
} Answer;

/* Fills answer from its parts. -EBADMSG: one of them is not what it must be. */
int answer_set(Answer *ret_answer, const char *name, uint64_t reverse_port, const char *ports,
               const char *sha256);

/* Reads the line that came through SSH. -EBADMSG: no answer; -EACCES: the hub refuses; both with text in ret_error. */
int answer_parse(const char *line, size_t size, Answer *ret_answer,
                 char ret_error[static ANSWER_ERROR_SIZE]);
