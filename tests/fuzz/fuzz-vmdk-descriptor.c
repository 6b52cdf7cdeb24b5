/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VMDK descriptors of any bytes: refused with one printable line, or a file name in the same folder and the
 * size that was asked for.
 */
#include "fuzz.h"

#include "utf8.h"
#include "vmdk-descriptor.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char error[VMDK_ERROR_SIZE] = "", line[VMDK_ERROR_SIZE];
        VmdkDescriptor descriptor = { .size_bytes = 7 };
        int r;

        r = vmdk_descriptor_parse((const char *) data, size, 8192, &descriptor, error);
        MUST(r == 0 || r == -EOPNOTSUPP || r == -EBADMSG || r == -ERANGE);
        if (r == 0) {
                MUST(descriptor.size_bytes == 8192);
                MUST(descriptor.extent[0] && !strchr(descriptor.extent, '/'));
                MUST(utf8_is_valid(descriptor.extent));
        } else {
                MUST(descriptor.size_bytes == 7);
                MUST(error[0]);
                memcpy(line, error, sizeof(line));
                utf8_make_line(line);
                MUST(strcmp(line, error) == 0);
        }
        return 0;
}
