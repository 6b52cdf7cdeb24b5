/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VMDK descriptors (see vmdk-descriptor.h): lines that are a comment, an extent, or key=value.
 */
#include "vmdk-descriptor.h"

#include "cleanup.h"
#include "parse.h"
#include "utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
        SECTOR_SIZE = 512,
        VERSION_MAX = 4,
        VALUE_SIZE = 128, /* of the few that are looked at; a longer one is none of theirs */
};

typedef struct Reader {
        VmdkDescriptor *descriptor;
        char *error;
        bool has_version, has_type, has_parent_id;
        unsigned n_extents;
} Reader;

static int refuse(Reader *reader, int error, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

/* What is quoted comes from the other machine. */
static int refuse(Reader *reader, int error, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(reader->error, VMDK_ERROR_SIZE, format, ap);
        va_end(ap);
        utf8_make_line(reader->error);
        return error;
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t';
}

static char *skip_blanks(char *text)
{
        while (is_blank(*text))
                text++;
        return text;
}

static void cut_blanks(char *text)
{
        size_t n = strlen(text);

        while (n > 0 && is_blank(text[n - 1]))
                text[--n] = '\0';
}

/* The word that begins here; *text goes on behind it. */
static char *next_word(char **text)
{
        char *word = skip_blanks(*text), *end = word;

        while (*end && !is_blank(*end))
                end++;
        *text = *end ? end + 1 : end;
        *end = '\0';
        return word;
}

/* Types of createType= whose one extent is the raw disk. Thick or thin is no matter. */
static int check_type(Reader *reader, const char *type)
{
        static const char *const flat[] = { "vmfs", "vmfsThin", "vmfsPreallocated",
                                            "vmfsEagerZeroedThick", "monolithicFlat" };

        if (reader->has_type)
                return refuse(reader, -EBADMSG, "its descriptor names its type twice");
        reader->has_type = true;
        for (size_t i = 0; i < ELEMENTSOF(flat); i++)
                if (strcmp(type, flat[i]) == 0)
                        return 0;
        return refuse(reader, -EOPNOTSUPP, "it is of the type \"%.60s\", not one flat file", type);
}

static int check_parent(Reader *reader, const char *id)
{
        if (reader->has_parent_id)
                return refuse(reader, -EBADMSG, "its descriptor names its parent twice");
        reader->has_parent_id = true;
        if (strcasecmp(id, "ffffffff") == 0)
                return 0;
        return refuse(reader, -EOPNOTSUPP, "it is a delta of another disk (parent %.60s)", id);
}

static int check_version(Reader *reader, const char *text)
{
        uint64_t version;

        if (reader->has_version)
                return refuse(reader, -EBADMSG, "its descriptor names its version twice");
        reader->has_version = true;
        if (parse_uint64(text, 1, VERSION_MAX, &version) >= 0)
                return 0;
        return refuse(reader, -EOPNOTSUPP, "its descriptor is of the unknown version \"%.60s\"",
                      text);
}

/* Filters of a host that only watch the data are known by name; one that is not may hold data back or
 * transform it. */
static int check_filters(Reader *reader, char *filters)
{
        for (char *name = filters, *end; *name; name = end) {
                end = name + strcspn(name, ",");
                if (*end)
                        *end++ = '\0';
                if (strstr(name, "vmwarevmcrypt"))
                        return refuse(reader, -EOPNOTSUPP, "it is encrypted");
                if (*name && !strstr(name, "VMW_spm_") && !strstr(name, "VMW_vmwarelwd_"))
                        return refuse(reader, -EOPNOTSUPP,
                                      "it has the I/O filter \"%.60s\", which may keep data "
                                      "elsewhere",
                                      name);
        }
        return 0;
}

/* "value" or value; what is quoted must end so. NULL: it does not. */
static char *unquote(char *text)
{
        char *value = skip_blanks(text);
        size_t n;

        cut_blanks(value);
        n = strlen(value);
        if (*value != '"')
                return value;
        if (n < 2 || value[n - 1] != '"')
                return NULL;
        value[n - 1] = '\0';
        return value + 1;
}

static int read_pair(Reader *reader, char *line, char *equals)
{
        char *value = unquote(equals + 1);

        *equals = '\0';
        cut_blanks(line);
        if (!value)
                return refuse(reader, -EBADMSG, "its descriptor has a broken value of \"%.60s\"",
                              line);
        if (strcmp(line, "version") == 0)
                return check_version(reader, value);
        if (strcmp(line, "createType") == 0)
                return check_type(reader, value);
        if (strcmp(line, "parentCID") == 0)
                return check_parent(reader, value);
        if (strcmp(line, "parentFileNameHint") == 0)
                return refuse(reader, -EOPNOTSUPP, "it is a delta of another disk (\"%.100s\")",
                              value);
        if (strncmp(line, "encryption.", strlen("encryption.")) == 0)
                return refuse(reader, -EOPNOTSUPP, "it is encrypted");
        if (strcmp(line, "ddb.iofilters") == 0)
                return check_filters(reader, value);
        return 0; /* geometry, change tracking, tools: no matter here */
}

static int check_extent_name(Reader *reader, const char *name)
{
        if (strncmp(name, "vsan://", 7) == 0)
                return refuse(reader, -EOPNOTSUPP, "it is an object of vSAN and no file");
        if (strncmp(name, "vvol://", 7) == 0)
                return refuse(reader, -EOPNOTSUPP, "it is a virtual volume (vVol) and no file");
        if (strstr(name, "://"))
                return refuse(reader, -EOPNOTSUPP, "its data is no file (\"%.100s\")", name);
        if (strchr(name, '/'))
                return refuse(reader, -EOPNOTSUPP,
                              "its data lies in another folder than its descriptor (\"%.100s\")",
                              name);
        if (!*name || strlen(name) >= VMDK_EXTENT_NAME_SIZE || strcmp(name, ".") == 0 ||
            strcmp(name, "..") == 0 || !utf8_is_valid(name))
                return refuse(reader, -EBADMSG, "the name of its data file is none");
        return 0;
}

static int check_extent_kind(Reader *reader, const char *access, const char *kind)
{
        if (strcmp(access, "RW") != 0 && strcmp(access, "RDONLY") != 0)
                return refuse(reader, -EOPNOTSUPP, "its data is marked %.60s", access);
        if (strcmp(kind, "VMFSSPARSE") == 0 || strcmp(kind, "SESPARSE") == 0 ||
            strcmp(kind, "SPARSE") == 0)
                return refuse(reader, -EOPNOTSUPP,
                              "its data is sparse (%s), as that of a snapshot's delta", kind);
        if (strcmp(kind, "VMFSRDM") == 0 || strcmp(kind, "VMFSRAW") == 0)
                return refuse(reader, -EOPNOTSUPP, "it is a raw device mapping (%s)", kind);
        if (strcmp(kind, "VMFS") != 0 && strcmp(kind, "FLAT") != 0)
                return refuse(reader, -EOPNOTSUPP, "its data is of the kind %.60s, not flat", kind);
        return 0;
}

/* access sectors KIND "name" [offset]; a name may hold quotes of its own, nothing escapes them. */
static int read_extent(Reader *reader, char *line)
{
        const char *access = next_word(&line), *sectors = next_word(&line),
                   *kind = next_word(&line);
        char *name = skip_blanks(line), *end = strrchr(name, '"');
        uint64_t n_sectors, offset = 0;
        int r;

        if (reader->n_extents++ > 0)
                return refuse(reader, -EOPNOTSUPP, "it has several extents, not one flat file");
        r = check_extent_kind(reader, access, kind);
        if (r < 0)
                return r;
        if (*name != '"' || end == name ||
            parse_uint64(sectors, 1, INT64_MAX / SECTOR_SIZE, &n_sectors) < 0)
                return refuse(reader, -EBADMSG, "its descriptor has a broken extent");
        *end++ = '\0';
        end = skip_blanks(end);
        cut_blanks(end);
        if (*end && parse_uint64(end, 0, UINT64_MAX, &offset) < 0)
                return refuse(reader, -EBADMSG, "its descriptor has a broken extent");
        if (offset > 0)
                return refuse(reader, -EOPNOTSUPP, "its data begins within its file, at sector %s",
                              end);
        r = check_extent_name(reader, ++name);
        if (r < 0)
                return r;
        (void) snprintf(reader->descriptor->extent, VMDK_EXTENT_NAME_SIZE, "%s", name);
        reader->descriptor->size_bytes = n_sectors * SECTOR_SIZE;
        return 0;
}

static int read_line(Reader *reader, char *line)
{
        static const char *const accesses[] = { "RW", "RDONLY", "NOACCESS" };
        char *equals;

        line = skip_blanks(line);
        if (!*line || *line == '#')
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(accesses); i++) {
                size_t n = strlen(accesses[i]);

                if (strncmp(line, accesses[i], n) == 0 && is_blank(line[n]))
                        return read_extent(reader, line);
        }
        equals = strchr(line, '=');
        return equals ? read_pair(reader, line, equals)
                      : refuse(reader, -EBADMSG, "its descriptor has a line that is no setting");
}

static int read_all(Reader *reader, char *text)
{
        int r = 0;

        for (char *line = text, *next; r >= 0 && line; line = next) {
                size_t n = strcspn(line, "\n");

                next = line[n] ? line + n + 1 : NULL;
                line[n] = '\0';
                if (n > 0 && line[n - 1] == '\r')
                        line[n - 1] = '\0';
                if (strpbrk(line, "\r\v\f\033\177"))
                        return refuse(reader, -EBADMSG, "its descriptor is no text");
                r = read_line(reader, line);
        }
        return r;
}

/* Formats whose file holds descriptor and data, or no descriptor at all. */
static bool is_sparse_file(const char *data, size_t size)
{
        static const char sesparse[] = { (char) 0xbe, (char) 0xba, (char) 0xfe, (char) 0xca };

        return size >= 4 && (memcmp(data, "KDMV", 4) == 0 || memcmp(data, "COWD", 4) == 0 ||
                             memcmp(data, sesparse, 4) == 0);
}

static int check_whole(Reader *reader, uint64_t capacity_bytes)
{
        if (!reader->has_version || !reader->has_type || !reader->has_parent_id ||
            reader->n_extents == 0)
                return refuse(reader, -EBADMSG, "its descriptor is not whole");
        if (reader->descriptor->size_bytes != capacity_bytes)
                return refuse(reader, -ERANGE,
                              "its descriptor says %llu bytes, the virtual machine %llu",
                              (unsigned long long) reader->descriptor->size_bytes,
                              (unsigned long long) capacity_bytes);
        return 0;
}

int vmdk_descriptor_parse(const char *data, size_t size, uint64_t capacity_bytes,
                          VmdkDescriptor *ret_descriptor, char ret_error[static VMDK_ERROR_SIZE])
{
        static const char magic[] = "# Disk DescriptorFile";
        _cleanup_free_ char *text = NULL;
        VmdkDescriptor descriptor = {};
        Reader reader = { .descriptor = &descriptor, .error = ret_error };
        int r;

        if (is_sparse_file(data, size))
                return refuse(&reader, -EOPNOTSUPP, "its file is a sparse one, not a descriptor");
        if (size > VMDK_DESCRIPTOR_SIZE_MAX)
                return refuse(&reader, -EBADMSG, "its descriptor is longer than %i bytes",
                              VMDK_DESCRIPTOR_SIZE_MAX);
        if (size < strlen(magic) || memcmp(data, magic, strlen(magic)) != 0 ||
            memchr(data, '\0', size))
                return refuse(&reader, -EBADMSG, "its file is not a descriptor");
        text = strndup(data, size);
        if (!text)
                return refuse(&reader, -ENOMEM, "out of memory");
        r = read_all(&reader, text);
        if (r >= 0)
                r = check_whole(&reader, capacity_bytes);
        if (r < 0)
                return r;
        *ret_descriptor = descriptor;
        return 0;
}
