/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NVRAM as JSON (see nvram.h). The same file is the same text, so that whoever compares two records finds them equal.
 */
#define ZLIB_CONST
#include "nvram.h"

#include "cleanup.h"

#include <errno.h>
#include <sodium.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

enum {
        GZIP_WINDOW_BITS = 15 + 16, /* zlib's way to say gzip, which people can unpack by hand */
        MEMORY_LEVEL = 9,
        SHA256_HEX_SIZE = crypto_hash_sha256_BYTES * 2 + 1,
};

static void sum(const void *data, size_t size, char ret_hex[static SHA256_HEX_SIZE])
{
        unsigned char hash[crypto_hash_sha256_BYTES];

        (void) crypto_hash_sha256(hash, data, size);
        (void) sodium_bin2hex(ret_hex, SHA256_HEX_SIZE, hash, sizeof(hash));
}

/* The caller's memory. */
static int deflate_all(const void *data, size_t size, void **ret_packed, size_t *ret_size)
{
        _cleanup_free_ void *packed = NULL;
        z_stream z = { .next_in = data, .avail_in = (uInt) size };
        size_t room;
        int r;

        if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, MEMORY_LEVEL,
                         Z_DEFAULT_STRATEGY) != Z_OK)
                return -ENOMEM;
        room = deflateBound(&z, size);
        packed = malloc(room);
        z.next_out = packed;
        z.avail_out = (uInt) room;
        r = packed && deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : -ENOMEM;
        *ret_size = z.total_out;
        (void) deflateEnd(&z);
        if (r >= 0)
                *ret_packed = TAKE(packed);
        return r;
}

bool nvram_is_plain(const void *data, size_t size)
{
        static const char magic[] = { 'M', 'R', 'V', 'N' };

        return size >= sizeof(magic) && memcmp(data, magic, sizeof(magic)) == 0;
}

int nvram_pack(const void *data, size_t size, json_t **ret_object)
{
        _cleanup_free_ void *packed = NULL;
        _cleanup_free_ char *text = NULL;
        char hex[SHA256_HEX_SIZE];
        size_t packed_size = 0, text_size;
        json_t *object;
        int r;

        if (size == 0)
                return -ENODATA;
        if (size > NVRAM_SIZE_MAX)
                return -EFBIG;
        r = deflate_all(data, size, &packed, &packed_size);
        if (r < 0)
                return r;
        text_size = sodium_base64_encoded_len(packed_size, sodium_base64_VARIANT_ORIGINAL);
        if (text_size - 1 > NVRAM_PACKED_MAX)
                return -EFBIG;
        text = malloc(text_size);
        if (!text)
                return -ENOMEM;
        (void) sodium_bin2base64(text, text_size, packed, packed_size,
                                 sodium_base64_VARIANT_ORIGINAL);
        sum(data, size, hex);
        object = json_pack("{s:I, s:s, s:s}", "bytes", (json_int_t) size, "sha256", hex, "gzip",
                           text);
        if (!object)
                return -ENOMEM;
        *ret_object = object;
        return 0;
}

/* Exactly so many bytes, and nothing behind them. */
static int inflate_all(void *packed, size_t packed_size, void *data, size_t size)
{
        z_stream z = { .next_in = packed, .avail_in = (uInt) packed_size };
        int r;

        if (inflateInit2(&z, GZIP_WINDOW_BITS) != Z_OK)
                return -ENOMEM;
        z.next_out = data;
        z.avail_out = (uInt) size;
        r = inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_out == 0 && z.avail_in == 0 ? 0
                                                                                         : -EBADMSG;
        (void) inflateEnd(&z);
        return r;
}

int nvram_unpack(const json_t *object, void **ret_data, size_t *ret_size)
{
        json_int_t size = json_integer_value(json_object_get(object, "bytes"));
        const char *want = json_string_value(json_object_get(object, "sha256"));
        const char *text = json_string_value(json_object_get(object, "gzip"));
        size_t text_size = text ? strlen(text) : 0, packed_size = 0;
        _cleanup_free_ void *packed = NULL, *data = NULL;
        char hex[SHA256_HEX_SIZE];
        int r;

        if (size < 1 || size > NVRAM_SIZE_MAX || !want || text_size == 0 ||
            text_size > NVRAM_PACKED_MAX)
                return -EBADMSG;
        packed = malloc(text_size);
        data = malloc((size_t) size);
        if (!packed || !data)
                return -ENOMEM;
        if (sodium_base642bin(packed, text_size, text, text_size, NULL, &packed_size, NULL,
                              sodium_base64_VARIANT_ORIGINAL) != 0)
                return -EBADMSG;
        r = inflate_all(packed, packed_size, data, (size_t) size);
        if (r < 0)
                return r;
        sum(data, (size_t) size, hex);
        if (strcmp(hex, want) != 0)
                return -EBADMSG;
        *ret_data = TAKE(data);
        *ret_size = (size_t) size;
        return 0;
}
