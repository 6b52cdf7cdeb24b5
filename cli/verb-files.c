/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl backup files ls|tar|get: what is on the disks of a backup.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "files-stream.h"
#include "format.h"
#include "json-cleanup.h"
#include "options.h"
#include "output.h"
#include "parse.h"
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
        COPY_SIZE = 256 * 1024,
};

/* ── ls ── */

static const char *mode_text(const json_t *entry, char ret_text[static 11])
{
        static const struct {
                const char *type;
                char letter;
        } letters[] = {
                { "file", '-' },      { "directory", 'd' }, { "symlink", 'l' }, { "block", 'b' },
                { "character", 'c' }, { "fifo", 'p' },      { "socket", 's' },
        };
        json_int_t mode = number_of(entry, "mode");

        (void) snprintf(ret_text, 11, "?rwxrwxrwx");
        for (size_t i = 0; i < ELEMENTSOF(letters); i++)
                if (strcmp(letters[i].type, text_of(entry, "type")) == 0)
                        ret_text[0] = letters[i].letter;
        for (int i = 0; i < 9; i++)
                if (!(mode & (0400 >> i)))
                        ret_text[1 + i] = '-';
        if (mode & 04000)
                ret_text[3] = mode & 0100 ? 's' : 'S';
        if (mode & 02000)
                ret_text[6] = mode & 0010 ? 's' : 'S';
        if (mode & 01000)
                ret_text[9] = mode & 0001 ? 't' : 'T';
        return ret_text;
}

static void show_long(const json_t *entry)
{
        bool is_link = strcmp(text_of(entry, "type"), "symlink") == 0;
        char mode[11], time[FORMAT_SIZE];

        output_line("%s %3" JSON_INTEGER_FORMAT " %5" JSON_INTEGER_FORMAT " %5" JSON_INTEGER_FORMAT
                    " %12" JSON_INTEGER_FORMAT " %19s %s%s%s",
                    mode_text(entry, mode), number_of(entry, "links"), number_of(entry, "uid"),
                    number_of(entry, "gid"), number_of(entry, "size"),
                    format_time((uint64_t) number_of(entry, "mtime_sec") * USEC_PER_SEC, time),
                    text_of(entry, "path"), is_link ? " -> " : "",
                    is_link ? text_of(entry, "target") : "");
}

static void show_filesystem(const json_t *entry)
{
        char size[FORMAT_SIZE], used[FORMAT_SIZE];
        bool is_known = json_object_get(entry, "capacity_bytes") != NULL;

        output_line("%-24s %-8s %10s %10s  %-16s %s", text_of(entry, "filesystem"),
                    text_of(entry, "type"),
                    is_known ? format_bytes((uint64_t) number_of(entry, "capacity_bytes"), size)
                             : "-",
                    is_known ? format_bytes((uint64_t) number_of(entry, "used_bytes"), used) : "-",
                    *text_of(entry, "label") ? text_of(entry, "label") : "-",
                    *text_of(entry, "uuid") ? text_of(entry, "uuid") : "-");
}

static ExitStatus show_line(const char *line)
{
        CLEANUP(json_decref_p) json_t *entry = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

        if (!json_is_object(entry))
                return complain(CTL_FAILED,
                                "the list cannot be read. Compare: sendensectl version");
        if (arg_json)
                return output_json_line(entry) < 0 ? complain(CTL_FAILED, "Out of memory") : CTL_OK;
        if (option_is_given(OPTION_FILESYSTEMS))
                show_filesystem(entry);
        else if (option_is_given(OPTION_LONG))
                show_long(entry);
        else
                output_line("%s", text_of(entry, "path"));
        return CTL_OK;
}

static ExitStatus show_lines(int fd)
{
        _cleanup_free_ char *line = NULL;
        _cleanup_fclose_ FILE *f = fdopen(dup(fd), "r");
        ExitStatus s = CTL_OK;
        size_t size = 0;

        if (!f)
                return complain(CTL_FAILED, "cannot read the list: %s", strerror(errno));
        if (option_is_given(OPTION_FILESYSTEMS) && !arg_json)
                output_line("%-24s %-8s %10s %10s  %-16s %s", "FILE SYSTEM", "TYPE", "SIZE", "USED",
                            "LABEL", "UUID");
        while (s == CTL_OK && getline(&line, &size, f) > 0)
                s = show_line(line);
        return s;
}

ExitStatus verb_files_ls(int argc, char *argv[])
{
        char *top[] = { (char[]){ "/" } };
        bool filesystems = option_is_given(OPTION_FILESYSTEMS);
        CLEANUP(files_stream_done) FilesStream stream = { .fd = -1 };
        ExitStatus s, end;

        if (filesystems &&
            (argc > 1 || option_is_given(OPTION_RECURSIVE) || option_is_given(OPTION_FILESYSTEM)))
                return complain(CTL_USAGE, "--filesystems goes with a backup alone");
        if (filesystems)
                s = files_stream_open(&stream, "ListFiles", argv[0], NULL, 0);
        else
                s = argc > 1 ? files_stream_open(&stream, "ListFiles", argv[0], argv + 1, argc - 1)
                             : files_stream_open(&stream, "ListFiles", argv[0], top, 1);
        if (s != CTL_OK)
                return s;
        s = show_lines(stream.fd);
        end = files_stream_end(&stream);
        return s == CTL_OK ? end : s;
}

/* ── tar ── */

static ExitStatus copy_out(int fd)
{
        _cleanup_free_ char *data = malloc(COPY_SIZE);

        if (!data)
                return complain(CTL_FAILED, "Out of memory");
        for (;;) {
                ssize_t n = read(fd, data, COPY_SIZE);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return complain(CTL_FAILED, "cannot read the stream: %s", strerror(errno));
                if (n == 0)
                        break;
                if (fwrite(data, 1, (size_t) n, stdout) != (size_t) n)
                        return complain(CTL_FAILED, "cannot write: %s", strerror(errno));
        }
        return fflush(stdout) == 0 ? CTL_OK
                                   : complain(CTL_FAILED, "cannot write: %s", strerror(errno));
}

ExitStatus verb_files_tar(int argc, char *argv[])
{
        CLEANUP(files_stream_done) FilesStream stream = { .fd = -1 };
        ExitStatus s, end;

        if (isatty(STDOUT_FILENO))
                return complain(CTL_USAGE, "a tar stream is not for a terminal; send it to a file "
                                           "or a program: > FILE, | tar -x");
        s = files_stream_open(&stream, "GetFiles", argv[0], argv + 1, argc - 1);
        if (s != CTL_OK)
                return s;
        s = copy_out(stream.fd);
        end = files_stream_end(&stream);
        return s == CTL_OK ? end : s;
}

/* ── get ── */

static ExitStatus open_target(int *ret_fd)
{
        const char *path = option_value(OPTION_INTO) ?: ".";

        *ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (*ret_fd < 0)
                return complain(CTL_FAILED, "--into=%s: %s", path, strerror(errno));
        return CTL_OK;
}

static ExitStatus tell(const Unpack *unpack)
{
        char bytes[FORMAT_SIZE];

        if (unpack->devices_left_out > 0)
                (void) complain(CTL_OK,
                                "%" PRIu64 " device nodes were left out; --devices makes them",
                                unpack->devices_left_out);
        if (!arg_json)
                output_line("%" PRIu64 " files, %s, below %s", unpack->files,
                            format_bytes(unpack->bytes, bytes), option_value(OPTION_INTO) ?: ".");
        else {
                CLEANUP(json_decref_p)
                json_t *result = json_pack("{s:I, s:I, s:I, s:I}", "Files",
                                           (json_int_t) unpack->files, "Bytes",
                                           (json_int_t) unpack->bytes, "Refused",
                                           (json_int_t) unpack->refused, "DevicesLeftOut",
                                           (json_int_t) unpack->devices_left_out);

                if (!result || output_json(result) < 0)
                        return complain(CTL_FAILED, "Out of memory");
        }
        return unpack->refused > 0 ? CTL_FAILED : CTL_OK;
}

ExitStatus verb_files_get(int argc, char *argv[])
{
        CLEANUP(files_stream_done) FilesStream stream = { .fd = -1 };
        _cleanup_close_ int folder = -1;
        Unpack unpack = { .devices = option_is_given(OPTION_DEVICES), .is_root = geteuid() == 0 };
        ExitStatus s = open_target(&folder), end;
        int r;

        if (s == CTL_OK)
                s = files_stream_open(&stream, "GetFiles", argv[0], argv + 1, argc - 1);
        if (s != CTL_OK)
                return s;
        unpack.folder = folder;
        r = unpack_stream(&unpack, stream.fd);
        end = files_stream_end(&stream);
        if (end != CTL_OK)
                return end;
        if (r < 0)
                return complain(CTL_FAILED, "the stream cannot be unpacked: %s",
                                r == -EBADMSG ? "it is no tar of sendense-files" : strerror(-r));
        return tell(&unpack);
}
