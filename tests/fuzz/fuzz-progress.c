/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Progress datagrams of any content: numbers within their bounds that survive being made and read
 * again, or one of two refusals.
 */
#include "fuzz.h"

#include "progress.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Progress progress = {}, again = {};
        char text[PROGRESS_TEXT_SIZE];
        int r;

        r = progress_parse((const char *) data, size, &progress);
        MUST(r == 0 || r == -EBADMSG || r == -EMSGSIZE);
        if (r < 0) {
                MUST(progress.job == 0 && progress.bytes_total == 0);
                return 0;
        }
        MUST(progress.bytes_done <= progress.bytes_total);
        MUST(progress_make(&progress, text) == 0);
        MUST(progress_parse(text, strlen(text), &again) == 0);
        MUST(again.job == progress.job && again.disk_key == progress.disk_key);
        MUST(again.bytes_done == progress.bytes_done && again.bytes_total == progress.bytes_total);
        return 0;
}
