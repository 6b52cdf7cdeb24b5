/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tunnel's counters in a file (see tunnel-counters.h).
 */
#include "tunnel-counters.h"

#include "cleanup.h"
#include "json-cleanup.h"
#include "json-fields.h"
#include "parse.h"
#include "small-file.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SILENT_AFTER_USEC (10 * USEC_PER_SEC)

#define COUNTER(name, top)                                         \
        {                                                          \
                name, JSON_FIELD_NUMBER, false, 0, top, NULL, NULL \
        }

static json_t *pack(const TunnelCounters *c)
{
        return json_pack("{s:s, s:i, s:I, s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, "
                         "s:I, s:I}",
                         "Hub", c->hub, "Port", (int) c->port, "Sessions",
                         (json_int_t) c->n_sessions, "SessionsWanted", (json_int_t) c->n_wanted,
                         "WayBack", c->has_way_back, "Connections", (json_int_t) c->n_connections,
                         "Held", (json_int_t) c->n_held, "Opened", (json_int_t) c->n_opened,
                         "Refused", (json_int_t) c->n_refused, "GivenUp",
                         (json_int_t) c->n_given_up, "Reconnects", (json_int_t) c->n_reconnects,
                         "BytesUp", (json_int_t) c->bytes_up, "BytesDown",
                         (json_int_t) c->bytes_down, "Error", c->error, "StartedUSec",
                         (json_int_t) c->started_usec, "WrittenUSec", (json_int_t) c->written_usec);
}

static int write_whole(const char *path, const char *text)
{
        _cleanup_close_ int fd = -1;
        size_t n = strlen(text);
        ssize_t written;

        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0 || fchmod(fd, 0644) < 0)
                return -errno;
        written = write(fd, text, n);
        if (written < 0)
                return -errno;
        return (size_t) written == n ? 0 : -EIO;
}

int tunnel_counters_write(const char *path, const TunnelCounters *counters)
{
        CLEANUP(json_decref_p) json_t *object = pack(counters);
        _cleanup_free_ char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
        _cleanup_free_ char *other = text_format("%s.partial", path);
        int r;

        if (!text || !other)
                return -ENOMEM;
        r = write_whole(other, text);
        if (r >= 0 && rename(other, path) < 0)
                r = -errno;
        if (r < 0)
                (void) unlink(other);
        return r;
}

static int check(const json_t *object)
{
        static const JsonField fields[] = {
                { "Hub", JSON_FIELD_TEXT, false, 1, 253, NULL, NULL },
                COUNTER("Port", UINT16_MAX),
                COUNTER("Sessions", 1000),
                COUNTER("SessionsWanted", 1000),
                { "WayBack", JSON_FIELD_BOOL, false, 0, 0, NULL, NULL },
                COUNTER("Connections", UINT32_MAX),
                COUNTER("Held", UINT32_MAX),
                COUNTER("Opened", INT64_MAX),
                COUNTER("Refused", INT64_MAX),
                COUNTER("GivenUp", INT64_MAX),
                COUNTER("Reconnects", INT64_MAX),
                COUNTER("BytesUp", INT64_MAX),
                COUNTER("BytesDown", INT64_MAX),
                { "Error", JSON_FIELD_TEXT, false, 0, TUNNEL_ERROR_SIZE, NULL, NULL },
                { "StartedUSec", JSON_FIELD_NUMBER, true, 0, INT64_MAX, NULL, NULL },
                COUNTER("WrittenUSec", INT64_MAX),
        };
        char error[JSON_FIELDS_ERROR_SIZE];

        return json_fields_check(object, fields, ELEMENTSOF(fields), "the tunnel's counters",
                                 error);
}

static const char *state_of(const json_t *object, uint64_t now_usec)
{
        uint64_t written_usec = json_field_number(object, "WrittenUSec");

        if (now_usec > written_usec && now_usec - written_usec > SILENT_AFTER_USEC)
                return "silent";
        if (json_field_number(object, "Sessions") == 0)
                return "connecting";
        return json_field_bool(object, "WayBack") ? "connected" : "one-way";
}

int tunnel_counters_read(const char *path, uint64_t now_usec, json_t **ret_counters)
{
        CLEANUP(json_decref_p) json_t *object = NULL;
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = small_file_read(path, TUNNEL_COUNTERS_MAX, &text, &size);
        if (r < 0)
                return r;
        object = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        if (!object || check(object) < 0)
                return -EBADMSG;
        if (json_object_set_new(object, "State", json_string(state_of(object, now_usec))) < 0)
                return -ENOMEM;
        *ret_counters = TAKE(object);
        return 0;
}
