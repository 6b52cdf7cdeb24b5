/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the two halves of an enrolment say to each other through SSH: one line of JSON each. The node asks
 *   {"protocol", "public_key", "version"}
 * and the hub answers
 *   {"protocol", "name", "reverse_port", "ports", "api_token_sha256"} or {"error": {"name", "text"}}.
 */
#pragma once

enum {
        ENROLL_PROTOCOL = 1,
        ENROLL_LINE_MAX = 8192, /* with its line feed */
        ENROLL_SHA256_LENGTH = 64, /* hexadecimal digits */
};
