/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Headers of images with any content: refused, or with a version that exists and a link that ends.
 */
#include "fuzz.h"

#include "qcow2-header.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Qcow2Header header;
        int r;

        memset(&header, 0xff, sizeof(header));
        r = qcow2_header_parse(data, size, &header);
        MUST(r == 0 || r == -EBADMSG);
        if (r == 0) {
                MUST(header.version == 2 || header.version == 3);
                MUST(strnlen(header.backing, sizeof(header.backing)) < sizeof(header.backing));
                MUST(strnlen(header.backing_format, sizeof(header.backing_format)) <
                     sizeof(header.backing_format));
        } else
                MUST(header.version == UINT32_MAX);
        return 0;
}
