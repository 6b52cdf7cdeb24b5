/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * map-cat FILE CAPACITY: writes the disk of an image to stdout as the reader of tables sees it, zeroes as it tells them and
 * the rest as it reads it, in pieces of a size that fits nothing. Exit status 3: the image is left to qemu.
 */
#include "chain-map.h"
#include "cleanup.h"
#include "parse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
        PIECE_BYTES = 200 * 1024,
        EXIT_LEFT = 3,
};

static int print(const ChainMap *map, uint64_t offset, uint64_t end, bool zero)
{
        _cleanup_free_ void *buffer = NULL;

        if (posix_memalign(&buffer, 4096, PIECE_BYTES) != 0)
                return -ENOMEM;
        while (offset < end) {
                size_t n = end - offset < PIECE_BYTES ? (size_t) (end - offset) : PIECE_BYTES;
                int r = 0;

                if (zero)
                        memset(buffer, 0, n);
                else
                        r = chain_map_read(map, buffer, n, offset);
                if (r < 0)
                        return r;
                if (fwrite(buffer, 1, n, stdout) != n)
                        return -EIO;
                offset += n;
        }
        return 0;
}

int main(int argc, char *argv[])
{
        CLEANUP(chain_map_done) ChainMap map = {};
        uint64_t capacity;
        int r;

        if (argc != 3 || parse_uint64(argv[2], 0, INT64_MAX, &capacity) < 0)
                return EXIT_FAILURE;
        r = chain_map_open(&map, AT_FDCWD, argv[1], capacity);
        if (r == -EOPNOTSUPP)
                return EXIT_LEFT;
        for (uint64_t offset = 0, end; offset < capacity && r >= 0; offset = end) {
                bool zero;

                end = chain_map_find_end(&map, offset, capacity, &zero);
                r = print(&map, offset, end, zero);
        }
        if (r < 0)
                fprintf(stderr, "map-cat: %s\n", strerror(-r));
        return r < 0 || fclose(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
