/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Beginning and end of such a stream (see files-stream.h). The end of what comes is no proof that it was all: only the job knows.
 */
#include "files-stream.h"

#include "cleanup.h"
#include "columns.h"
#include "format.h"
#include "hub-client.h"
#include "job-types.h"
#include "json-cleanup.h"
#include "names.h"
#include "options.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#define JOB_PATH_PREFIX HUB_BUS_PATH "/job/"

enum {
        ASK_AGAIN_SEC = 2, /* should a signal have been missed */
};

static ExitStatus newest_of(const char *vm, json_t **ret_backups, const char **ret_id)
{
        ExitStatus s = hub_ask("ListBackups", true, "aa{sv}", ret_backups, "a{sv}", 2, "vm", "s",
                               vm, "limit", "u", (uint32_t) 1);
        const json_t *newest = s == CTL_OK ? json_array_get(*ret_backups, 0) : NULL;
        char time[FORMAT_SIZE];

        if (s == CTL_OK && !newest)
                return complain(CTL_FAILED, "there is no backup of '%s'", vm);
        if (s != CTL_OK)
                return s;
        *ret_id = text_of(newest, "BackupId");
        /* Which one it is nobody has said; the output is the backup's alone. */
        return complain(CTL_OK, "the newest backup of %s is %s, of %s", vm, *ret_id,
                        format_time((uint64_t) number_of(newest, "CreatedUSec"), time));
}

static int append_call(sd_bus_message *message, const char *backup_id, char *paths[], int n_paths,
                       int fd)
{
        const char *filesystem = option_value(OPTION_FILESYSTEM);
        int r;

        r = sd_bus_message_append(message, "s", backup_id);
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'a', "s");
        for (int i = 0; r >= 0 && i < n_paths; i++)
                r = sd_bus_message_append(message, "s", paths[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(message);
        if (r >= 0)
                r = sd_bus_message_append(message, "h", fd);
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'a', "{sv}");
        if (r >= 0 && filesystem)
                r = sd_bus_message_append(message, "{sv}", "filesystem", "s", filesystem);
        if (r >= 0 && option_is_given(OPTION_FILESYSTEMS))
                r = sd_bus_message_append(message, "{sv}", "filesystems", "b", 1);
        if (r >= 0 && option_is_given(OPTION_RECURSIVE))
                r = sd_bus_message_append(message, "{sv}", "recursive", "b", 1);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static ExitStatus call(const char *method, const char *backup_id, char *paths[], int n_paths,
                       int fd, uint64_t *ret_job)
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        CLEANUP(json_decref_p) json_t *path = NULL;
        const char *text;
        ExitStatus s;
        int r;

        s = hub_connect(&bus);
        if (s == CTL_OK)
                s = hub_new_call(bus, method, true, &message);
        if (s != CTL_OK)
                return s;
        r = append_call(message, backup_id, paths, n_paths, fd);
        if (r < 0)
                return hub_complain_arguments(r);
        s = hub_call(bus, message, &reply);
        if (s == CTL_OK)
                s = hub_read_answer(reply, "o", &path);
        if (s != CTL_OK)
                return s;
        text = json_string_value(path) ?: "";
        if (strncmp(text, JOB_PATH_PREFIX, strlen(JOB_PATH_PREFIX)) == 0 &&
            parse_uint64(text + strlen(JOB_PATH_PREFIX), 1, JOB_NUMBER_MAX, ret_job) >= 0)
                return CTL_OK;
        return complain(CTL_FAILED,
                        "the hub's answer cannot be read: %s is no job. Compare: sendensectl "
                        "version",
                        text);
}

ExitStatus files_stream_open(FilesStream *stream, const char *method, const char *backup,
                             char *paths[], int n_paths)
{
        CLEANUP(json_decref_p) json_t *backups = NULL;
        _cleanup_close_ int ours = -1, theirs = -1;
        const char *backup_id = backup;
        ExitStatus s = CTL_OK;
        int fds[2];

        *stream = (FilesStream){ .fd = -1 };
        if (!backup_id_is_valid(backup))
                s = newest_of(backup, &backups, &backup_id);
        if (s != CTL_OK)
                return s;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return complain(CTL_FAILED, "cannot make a socket: %s", strerror(errno));
        ours = fds[0];
        theirs = fds[1];
        s = call(method, backup_id, paths, n_paths, theirs, &stream->job);
        if (s == CTL_OK)
                stream->fd = take_fd(&ours);
        return s;
}

void files_stream_done(FilesStream *stream)
{
        if (stream->fd >= 0)
                (void) close(take_fd(&stream->fd));
}

static bool is_final(const json_t *job)
{
        return job_state_is_final(job_state_from_string(text_of(job, "State")));
}

static int ignore(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        (void) m, (void) userdata, (void) error;
        return 0;
}

/* Its object changes when it ends. */
static ExitStatus wait_for_end(uint64_t id, json_t **ret_job)
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        char path[64];
        ExitStatus s = hub_connect(&bus);
        int r;

        if (s != CTL_OK)
                return s;
        (void) snprintf(path, sizeof(path), JOB_PATH_PREFIX "%" PRIu64, id);
        r = sd_bus_match_signal(bus, NULL, NULL, path, "org.freedesktop.DBus.Properties",
                                "PropertiesChanged", ignore, NULL);
        if (r < 0)
                return hub_complain_arguments(r);
        for (;;) {
                CLEANUP(json_decref_p) json_t *job = NULL;

                s = hub_ask_on(bus, "GetJob", true, "a{sv}", &job, "ta{sv}", id, 0);
                if (s != CTL_OK)
                        return s;
                if (is_final(job)) {
                        *ret_job = TAKE(job);
                        return CTL_OK;
                }
                r = sd_bus_wait(bus, ASK_AGAIN_SEC * USEC_PER_SEC);
                while (r > 0)
                        r = sd_bus_process(bus, NULL);
                if (r < 0)
                        return hub_complain_arguments(r);
        }
}

ExitStatus files_stream_end(FilesStream *stream)
{
        CLEANUP(json_decref_p) json_t *job = NULL;
        ExitStatus s;

        /* So that a job that would still send ends. */
        files_stream_done(stream);
        s = wait_for_end(stream->job, &job);
        if (s != CTL_OK)
                return s;
        if (job_state_from_string(text_of(job, "State")) == JOB_COMPLETED)
                return CTL_OK;
        return complain(CTL_FAILED, "%s (job %" PRIu64 " is %s)",
                        *text_of(job, "ErrorText") ? text_of(job, "ErrorText")
                                                   : "it was ended before it was done",
                        stream->job, text_of(job, "State"));
}
