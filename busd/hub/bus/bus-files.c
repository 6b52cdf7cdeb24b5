/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files out of a backup on the bus: what there is, and a tar of it. Both go into a socket that the caller gives and the job's unit gets;
 * the call is answered when the job is written down, and the job tells the end of it.
 */
#include "build-config.h"
#include "bus/bus-begin.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-job.h"
#include "bus/bus-methods.h"
#include "cleanup.h"
#include "job/jobs.h"
#include "log.h"
#include "manager.h"
#include "names.h"
#include "path-text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

enum {
        PATHS_MAX = 256,
        PATH_MAX_BYTES = 4096,
        FILESYSTEM_MAX = 255,
};

static int read_paths(sd_bus_message *call, json_t **ret_paths, sd_bus_error *error)
{
        CLEANUP(json_decrefp) json_t *paths = json_array();
        const char *path;
        int r;

        r = sd_bus_message_enter_container(call, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read(call, "s", &path)) > 0) {
                _cleanup_free_ char *bytes = NULL;

                if (strlen(path) > PATH_MAX_BYTES || path_text_to_bytes(path, &bytes) == -EINVAL)
                        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                              "Argument paths: '%.100s' is no path: a '\\' must "
                                              "begin \\\\, \\n, \\t or \\xHH, and %d bytes are "
                                              "the most",
                                              path, PATH_MAX_BYTES);
                if (json_array_size(paths) >= PATHS_MAX)
                        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                              "Argument paths has more than %d elements",
                                              PATHS_MAX);
                if (json_array_append_new(paths, json_string(path)) < 0)
                        return -ENOMEM;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(call);
        if (r < 0)
                return r;
        *ret_paths = TAKE(paths);
        return 0;
}

/* Of a pipe nobody can tell the end while systemd has it open. */
static bool is_stream_socket(int fd)
{
        socklen_t size = sizeof(int);
        int type;

        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

/* The caller's, borrowed from his message. */
static int read_stream(sd_bus_message *call, int *ret_fd)
{
        const char *backup_id;
        int r = sd_bus_message_rewind(call, 1);

        if (r >= 0)
                r = sd_bus_message_read(call, "s", &backup_id);
        if (r >= 0)
                r = sd_bus_message_skip(call, "as");
        return r < 0 ? r : sd_bus_message_read(call, "h", ret_fd);
}

static void on_begun(int error, const char *name, const char *text, uint64_t id, const Job *job,
                     void *userdata)
{
        BusWait *wait = userdata;
        Job *begun = job ? jobs_find(wait->manager->jobs, id) : NULL;
        char path[JOB_OBJECT_PATH_SIZE];
        int fd, r;

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        if (begun && read_stream(wait->call, &fd) >= 0)
                begun->stream = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        bus_job_path(id, path);
        r = sd_bus_reply_method_return(wait->call, "o", path);
        if (r < 0)
                (void) log_warning(r, "Cannot answer who asked for files: %m");
        bus_wait_free(wait);
}

static int act_files(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                     sd_bus_error *error)
{
        BusWait *wait;
        int r;

        if (!manager->jobs->is_loaded)
                return bus_error_setf(error, BUS_ERROR_DATABASE_UNAVAILABLE,
                                      "The hub has not taken up its jobs yet (%s); try again",
                                      *manager->database.error ? manager->database.error
                                                               : "it has just started");
        if (access(SENDENSE_LIBEXEC_DIR "/sendense-files", X_OK) < 0)
                return bus_error_setf(error, BUS_ERROR_TOOL_MISSING,
                                      "The package sendense-files is not installed at the hub, "
                                      "which reads file systems with libguestfs");
        r = request_add_text(request, "Principal", principal);
        if (r < 0)
                return r;
        wait = bus_wait_new(manager, call, NULL);
        if (!wait)
                return -ENOMEM;
        r = job_begin_work(manager->jobs, request, on_begun, wait);
        if (r >= 0)
                return 0;
        bus_wait_free(wait);
        return bus_refuse_store(manager, r, error);
}

/* work (taken) gets the paths. */
static int begin(Manager *manager, sd_bus_message *call, const char *backup_id, json_t *paths,
                 json_t *work, sd_bus_error *error)
{
        if (!work || json_object_set(work, "paths", paths) < 0) {
                json_decref(work);
                return -ENOMEM;
        }
        if (!backup_id_is_valid(backup_id)) {
                json_decref(work);
                return bus_error_setf(
                                error, BUS_ERROR_INVALID_ARGUMENT,
                                "Argument backup_id must be the id of a backup, as sendensectl "
                                "backup list shows it");
        }
        return bus_call_check(manager, call, ACTION_RESTORE,
                              json_pack("{s:s, s:s, s:o}", "Type", job_type_to_string(JOB_FILES),
                                        "BackupId", backup_id, "Work", work),
                              act_files, error);
}

/* What both methods begin with. */
static int read_arguments(sd_bus_message *call, const char **ret_backup_id, json_t **ret_paths,
                          sd_bus_error *error)
{
        int fd, r;

        r = sd_bus_message_read(call, "s", ret_backup_id);
        if (r >= 0)
                r = read_paths(call, ret_paths, error);
        if (r >= 0)
                r = sd_bus_message_read(call, "h", &fd);
        if (r >= 0 && !is_stream_socket(fd))
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument out must be one end of a stream socket");
        return r;
}

int method_list_files(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        CLEANUP(json_decrefp) json_t *paths = NULL;
        const char *backup_id, *filesystem = NULL;
        bool recursive = false, filesystems = false;
        const BusOption options[] = {
                { "filesystem", BUS_OPTION_STRING, FILESYSTEM_MAX, &filesystem, NULL },
                { "filesystems", BUS_OPTION_BOOL, 0, &filesystems, NULL },
                { "recursive", BUS_OPTION_BOOL, 0, &recursive, NULL },
        };
        int r = read_arguments(call, &backup_id, &paths, error);

        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        if (!filesystems && json_array_size(paths) == 0)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument paths is empty; / is the top of the file system");
        return begin(userdata, call, backup_id, paths,
                     json_pack("{s:s, s:b, s:s*}", "what", filesystems ? "filesystems" : "list",
                               "recursive", recursive, "filesystem", filesystem),
                     error);
}

int method_get_files(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        CLEANUP(json_decrefp) json_t *paths = NULL;
        const char *backup_id, *filesystem = NULL;
        const BusOption options[] = {
                { "filesystem", BUS_OPTION_STRING, FILESYSTEM_MAX, &filesystem, NULL },
        };
        int r = read_arguments(call, &backup_id, &paths, error);

        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        if (json_array_size(paths) == 0)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument paths is empty; / is the top of the file system");
        return begin(userdata, call, backup_id, paths,
                     json_pack("{s:s, s:s*}", "what", "get", "filesystem", filesystem), error);
}
