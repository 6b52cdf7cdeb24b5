/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Specifications of transient units (see unit-spec.h).
 */
#include "unit-spec.h"

#include "unit/unit-files.h"
#include "unit/unit-property.h"

#include "build-config.h"
#include "cleanup.h"
#include "json-cleanup.h"
#include "names.h"
#include "parse.h"
#include "tls-psk.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define COPY_PROGRAM SENDENSE_LIBEXEC_DIR "/sendense-import"

enum { EXPORT_NAME_MAX = 255 };

/* The folder where systemd puts the credentials of a unit. */
#define CREDENTIALS_FOLDER "/run/credentials/"

enum { TLS_OPTIONS_SIZE = UNIT_NAME_SIZE + 128 };

/* Where qemu-nbd finds its key, when there is one. */
static void write_tls(const char *psk_path, const char *unit, char ret_tls[static TLS_OPTIONS_SIZE])
{
        (void) snprintf(ret_tls, TLS_OPTIONS_SIZE, "SENDENSE_TLS=");
        if (psk_path)
                (void) snprintf(ret_tls, TLS_OPTIONS_SIZE,
                                "SENDENSE_TLS=--object tls-creds-psk,id=tls,endpoint=server,"
                                "dir=" CREDENTIALS_FOLDER "%s --tls-creds tls",
                                unit);
}

/* What 20-serve.conf makes arguments of. */
static int add_export(json_t *spec, const ExportUnit *export, const char *unit)
{
        char tls[TLS_OPTIONS_SIZE];

        write_tls(export->psk_path, unit, tls);
        return unit_property(spec, "Environment", "as",
                             json_pack("[s+,s+,s,s]", "SENDENSE_EXPORT_NAME=", export->export_name,
                                       "SENDENSE_IMAGE=", export->image_path,
                                       export->direct ? "SENDENSE_CACHE=none"
                                                      : "SENDENSE_CACHE=writeback",
                                       tls));
}

/* Paths, and never the keys themselves: who may ask systemd about a unit may be anybody. */
static int add_psk(json_t *spec, const char *path, bool is_server)
{
        json_t *list;

        if (!path)
                return 0;
        list = json_pack("[[s,o]]", TLS_PSK_FILE, unit_property_path(path));
        /* Or qemu-nbd makes a group of its own before it serves. */
        if (is_server && json_array_append_new(list, json_pack("[s,s]", "dh-params.pem",
                                                               SENDENSE_DH_PARAMS)) < 0) {
                json_decref(list);
                return -EINVAL;
        }
        return unit_property(spec, "LoadCredential", "a(ss)", list);
}

/* '-': that the image is missing is for qemu-nbd to say, which does it in words. */
static int add_image_path(json_t *spec, const char *path)
{
        if (!unit_path_is_sound(path))
                return -EINVAL;
        return unit_property(spec, "ReadWritePaths", "as", json_pack("[s+]", "-", path));
}

static int spec_export_service(const ExportUnit *export, const char *socket, json_t **ret_spec)
{
        const UnitName name = { UNIT_EXPORT_SERVICE, export->job, export->disk_key, "" };
        uint64_t memory_max = export->memory_max ?: EXPORT_MEMORY_DEFAULT;
        char unit[UNIT_NAME_SIZE];
        CLEANUP(json_decref_p) json_t *spec = NULL;
        int r;

        r = unit_spec_new(&name, &spec);
        if (r >= 0)
                r = unit_property_description(spec,
                                              "Sendense Export of Disk %" PRIu32 ", Job %" PRIu64,
                                              export->disk_key, export->job);
        if (r >= 0)
                r = unit_property_job(spec, UNIT_EXPORT_SERVICE, export->job, export->disk_key);
        if (r >= 0)
                r = unit_property(spec, "BindsTo", "as", json_pack("[s]", socket));
        if (r >= 0)
                r = add_image_path(spec, export->image_path);
        if (r >= 0)
                r = unit_property(spec, "StandardErrorFileToAppend", "s",
                                  unit_property_path(export->error_path));
        if (r >= 0)
                r = unit_property(spec, "MemoryMax", "t", json_integer((json_int_t) memory_max));
        if (r >= 0)
                r = add_psk(spec, export->psk_path, true);
        if (r >= 0)
                r = unit_name_to_string(&name, unit);
        if (r >= 0)
                r = add_export(spec, export, unit);
        if (r >= 0)
                *ret_spec = TAKE(spec);
        return r;
}

static bool export_name_is_sound(const char *name)
{
        if (!name || !name[0] || strlen(name) > EXPORT_NAME_MAX)
                return false;
        for (const char *p = name; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        return false;
        return true;
}

int unit_spec_export(const ExportUnit *export, json_t **ret_spec)
{
        const UnitName name = { UNIT_EXPORT_SOCKET, export->job, export->disk_key, "" };
        CLEANUP(json_decref_p) json_t *spec = NULL, *service = NULL;
        char address[32], unit[UNIT_NAME_SIZE];
        int r;

        if (export->port == 0 || !export_name_is_sound(export->export_name) ||
            export->memory_max > INT64_MAX)
                return -EINVAL;
        (void) snprintf(address, sizeof(address), "127.0.0.1:%u", export->port);

        r = unit_spec_new(&name, &spec);
        if (r >= 0)
                r = unit_name_to_string(&name, unit);
        if (r >= 0)
                r = unit_property_description(spec,
                                              "Sendense Socket of Disk %" PRIu32 ", Job %" PRIu64,
                                              export->disk_key, export->job);
        if (r >= 0)
                r = unit_property_job(spec, UNIT_EXPORT_SOCKET, export->job, 0);
        if (r >= 0)
                r = unit_property(spec, "Listen", "a(ss)", json_pack("[[s,s]]", "Stream", address));
        if (r >= 0)
                r = spec_export_service(export, unit, &service);
        if (r >= 0 && json_object_set_new(spec, "aux", json_pack("[O]", service)) < 0)
                r = -ENOMEM;
        if (r >= 0)
                *ret_spec = TAKE(spec);
        return r;
}

/* What 20-serve.conf of mounts makes arguments of. */
static int add_mount(json_t *spec, const MountUnit *mount, const char *unit,
                     const char *export_name)
{
        const char *access = mount->is_writable ? "--snapshot" : "--read-only";
        char until[32], tls[TLS_OPTIONS_SIZE];
        int r = -EINVAL;

        write_tls(mount->psk_path, unit, tls);
        (void) snprintf(until, sizeof(until), "%" PRIu64,
                        (mount->until_usec ?: INT64_MAX) / USEC_PER_SEC);
        if (unit_path_is_sound(mount->image_path))
                r = unit_property(spec, "Environment", "as",
                                  json_pack("[s+,s+,s+,s+,s]", "SENDENSE_EXPORT_NAME=", export_name,
                                            "SENDENSE_IMAGE=", mount->image_path,
                                            "SENDENSE_ACCESS=", access, "SENDENSE_UNTIL=", until,
                                            tls));
        if (r >= 0 && mount->lasts_usec > 0)
                r = unit_property(spec, "RuntimeMaxUSec", "t",
                                  json_integer((json_int_t) mount->lasts_usec));
        /* What was written is gone with the server: another one would show the backup as it was. */
        if (r >= 0)
                r = unit_property(spec, "Restart", "s",
                                  json_string(mount->is_writable ? "no" : "on-failure"));
        return r;
}

static int spec_mount_service(const MountUnit *mount, const UnitName *name, const char *socket,
                              json_t **ret_spec)
{
        uint64_t memory_max = mount->memory_max ?: EXPORT_MEMORY_DEFAULT;
        CLEANUP(json_decref_p) json_t *spec = NULL;
        char export_name[MOUNT_NAME_SIZE], unit[UNIT_NAME_SIZE];
        int r;

        mount_name(mount->job, mount->disk_key, export_name);
        r = unit_spec_new(name, &spec);
        if (r >= 0)
                r = unit_property_description(spec,
                                              "Sendense Mount of Disk %" PRIu32 ", Job %" PRIu64,
                                              mount->disk_key, mount->job);
        if (r >= 0)
                r = unit_property_job(spec, UNIT_MOUNT_SERVICE, mount->job, mount->disk_key);
        if (r >= 0)
                r = unit_property(spec, "BindsTo", "as", json_pack("[s]", socket));
        if (r >= 0)
                r = unit_property(spec, "StandardErrorFileToAppend", "s",
                                  unit_property_path(mount->error_path));
        if (r >= 0)
                r = unit_property(spec, "MemoryMax", "t", json_integer((json_int_t) memory_max));
        if (r >= 0)
                r = add_psk(spec, mount->psk_path, true);
        if (r >= 0)
                r = unit_name_to_string(name, unit);
        if (r >= 0)
                r = add_mount(spec, mount, unit, export_name);
        if (r >= 0)
                *ret_spec = TAKE(spec);
        return r;
}

/* One of them: qemu-nbd takes no second socket. Who may connect to a path: root, the hub, and the one that it is for. */
static int add_mount_listener(json_t *spec, const MountUnit *mount)
{
        char path[UNIT_FILE_PATH_SIZE], address[32], uid[16];
        int r;

        mount_socket_path(mount->job, mount->disk_key, path);
        (void) snprintf(uid, sizeof(uid), "%" PRIu32, mount->uid);
        (void) snprintf(address, sizeof(address), "127.0.0.1:%u", mount->port);
        r = unit_property(spec, "Listen", "a(ss)",
                          json_pack("[[s,s]]", "Stream", mount->port > 0 ? address : path));
        if (r < 0 || mount->port > 0)
                return r;
        r = unit_property(spec, "SocketUser", "s", json_string(uid));
        if (r >= 0)
                r = unit_property(spec, "SocketGroup", "s", json_string("sendense"));
        if (r >= 0)
                r = unit_property(spec, "SocketMode", "u", json_integer(0660));
        if (r >= 0)
                r = unit_property(spec, "RemoveOnStop", "b", json_true());
        return r;
}

int unit_spec_mount(const MountUnit *mount, json_t **ret_spec)
{
        const UnitName name = { UNIT_MOUNT_SOCKET, mount->job, mount->disk_key, "" };
        const UnitName service_name = { UNIT_MOUNT_SERVICE, mount->job, mount->disk_key, "" };
        CLEANUP(json_decref_p) json_t *spec = NULL, *service = NULL;
        char unit[UNIT_NAME_SIZE], service_unit[UNIT_NAME_SIZE];
        int r;

        if (mount->memory_max > INT64_MAX || mount->lasts_usec > INT64_MAX)
                return -EINVAL;
        r = unit_spec_new(&name, &spec);
        if (r >= 0)
                r = unit_name_to_string(&name, unit);
        if (r >= 0)
                r = unit_name_to_string(&service_name, service_unit);
        if (r >= 0)
                r = unit_property_description(
                                spec, "Sendense Socket of Mounted Disk %" PRIu32 ", Job %" PRIu64,
                                mount->disk_key, mount->job);
        if (r >= 0)
                r = unit_property_job(spec, UNIT_MOUNT_SOCKET, mount->job, 0);
        if (r >= 0)
                r = add_mount_listener(spec, mount);
        /* Both in one go: the first client is the hub, which asks at once. And where writes would be lost, nobody
         * is served by a second server. */
        if (r >= 0)
                r = unit_property(spec, mount->is_writable ? "BindsTo" : "Wants", "as",
                                  json_pack("[s]", service_unit));
        if (r >= 0)
                r = spec_mount_service(mount, &service_name, unit, &service);
        if (r >= 0 && json_object_set_new(spec, "aux", json_pack("[O]", service)) < 0)
                r = -ENOMEM;
        if (r >= 0)
                *ret_spec = TAKE(spec);
        return r;
}

/* The key at the end of a step as in "create-2000"; 0 when there is none. */
static uint32_t step_disk_key(const char *step)
{
        const char *dash = strrchr(step, '-');
        uint64_t key = 0;

        if (!dash || parse_uint64(dash + 1, 1, DISK_KEY_MAX, &key) < 0)
                return 0;
        return (uint32_t) key;
}

static int add_write_paths(json_t *spec, const char *const *write_paths, size_t n)
{
        json_t *paths = json_array();
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n; i++)
                /* '-': a folder that is missing is for the program to name. */
                if (!unit_path_is_sound(write_paths[i]) ||
                    json_array_append_new(paths, json_pack("s+", "-", write_paths[i])) < 0)
                        r = -EINVAL;
        if (r >= 0)
                return unit_property(spec, "ReadWritePaths", "as", paths);
        json_decref(paths);
        return r;
}

/* To whom an image unit belongs. The packaged sandbox of repository units names their user. */
static int add_image_owner(json_t *spec, const ImageUnit *image)
{
        int r;

        if (image->job == 0) {
                r = unit_property_description(spec, "Sendense Repository %" PRIu64 ", %s",
                                              image->repository_id, image->step);
                return r < 0 ? r
                             : unit_property(spec, "Slice", "s",
                                             json_string("sendense-jobs.slice"));
        }
        r = unit_property_description(spec, "Sendense Image Work of Job %" PRIu64 ", %s",
                                      image->job, image->step);
        if (r >= 0)
                r = unit_property_job(spec, UNIT_IMAGE_SERVICE, image->job,
                                      step_disk_key(image->step));
        if (r >= 0)
                r = unit_property(spec, "User", "s",
                                  json_string(image->as_export_user ? "sendense-export"
                                                                    : "sendense"));
        return r;
}

static bool verb_is_sound(const char *verb)
{
        return verb && verb[0] && verb[strspn(verb, "abcdefghijklmnopqrstuvwxyz-")] == '\0';
}

int unit_spec_image(const ImageUnit *image, const char *program, json_t **ret_spec)
{
        CLEANUP(json_decref_p) json_t *spec = NULL;
        json_int_t timeout_usec = image->timeout_usec ? (json_int_t) image->timeout_usec : -1;
        UnitName name = {
                .kind = image->job ? UNIT_IMAGE_SERVICE : UNIT_REPOSITORY_SERVICE,
                .job = image->job ?: image->repository_id,
        };
        int r;

        if (!image->step || strlen(image->step) > UNIT_STEP_MAX || !verb_is_sound(image->verb) ||
            image->timeout_usec > INT64_MAX || (image->job == 0 && image->as_export_user))
                return -EINVAL;
        (void) snprintf(name.step, sizeof(name.step), "%s", image->step);

        r = unit_spec_new(&name, &spec);
        if (r >= 0)
                r = add_image_owner(spec, image);
        if (r >= 0)
                r = add_write_paths(spec, image->write_paths, image->n_write_paths);
        if (r >= 0)
                r = unit_property_files(spec, image->in_path, image->out_path);
        if (r >= 0)
                r = unit_property(spec, "TimeoutStartUSec", "t", json_integer(timeout_usec));
        if (r >= 0)
                r = unit_property_command(spec, program, image->verb);
        if (r >= 0)
                *ret_spec = TAKE(spec);
        return r;
}

int unit_spec_copy(const CopyUnit *copy, json_t **ret_spec)
{
        const char *program = copy->program ?: COPY_PROGRAM;
        const UnitName name = { .kind = UNIT_IMPORT_SERVICE, .job = copy->job };
        CLEANUP(json_decref_p) json_t *spec = NULL;
        int r;

        r = unit_spec_new(&name, &spec);
        if (r >= 0)
                r = unit_property_description(spec, "Sendense Copy of Job %" PRIu64, copy->job);
        if (r >= 0)
                r = unit_property_job(spec, UNIT_IMPORT_SERVICE, copy->job, 0);
        if (r >= 0)
                r = unit_property_files(spec, copy->in_path, copy->out_path);
        if (r >= 0)
                r = add_psk(spec, copy->psk_path, false);
        if (r >= 0)
                r = unit_property_command(spec, program, NULL);
        if (r >= 0)
                *ret_spec = TAKE(spec);
        return r;
}

/* What a unit of the kind does, for people who look at it. */
static const char *work_words(UnitKind kind)
{
        switch ((int) kind) {
        case UNIT_VERIFY_SERVICE:
                return "Verification";
        case UNIT_RESTORE_SERVICE:
                return "Restore";
        case UNIT_DELETE_SERVICE:
                return "Deletion";
        case UNIT_FILES_SERVICE:
                return "Files";
        default:
                return NULL;
        }
}

/* Root reads sealed layers as one of their group: it has no power over files that are not its own. */
static int add_user(json_t *spec, const char *user)
{
        int r;

        if (!user)
                return 0;
        r = unit_property(spec, "User", "s", json_string(user));
        if (r < 0 || strcmp(user, "root") != 0)
                return r;
        return unit_property(spec, "SupplementaryGroups", "as",
                             json_pack("[s]", "sendense-export"));
}

/* A restore sees a device only when that is its target; what others see is packaged. */
static int add_device(json_t *spec, const WorkUnit *work)
{
        int r;

        if (work->kind != UNIT_RESTORE_SERVICE)
                return work->device ? -EINVAL : 0;
        r = unit_property(spec, "PrivateDevices", "b", json_boolean(!work->device));
        if (r < 0 || !work->device)
                return r;
        return unit_property(spec, "DeviceAllow", "a(ss)",
                             unit_path_is_sound(work->device)
                                             ? json_pack("[[s, s]]", work->device, "rw")
                                             : NULL);
}

/* Standard input is taken by the socket, so its task comes as a credential. */
static int add_stream(json_t *spec, const WorkUnit *work)
{
        json_t *path = unit_property_path(work->in_path);
        int r;

        r = unit_property(spec, "StandardInputFileDescriptor", "h", json_integer(work->stream));
        if (r >= 0)
                r = unit_property(spec, "LoadCredential", "a(ss)",
                                  json_pack("[[s, o]]", "spec", path));
        else
                json_decref(path);
        if (r >= 0)
                r = unit_property(spec, "StandardOutputFileToTruncate", "s",
                                  unit_property_path(work->out_path));
        return r;
}

int unit_spec_work(const WorkUnit *work, json_t **ret_spec)
{
        const UnitName name = { .kind = work->kind, .job = work->job };
        const char *words = work_words(work->kind);
        CLEANUP(json_decref_p) json_t *spec = NULL;
        int r;

        if (!words || (work->verb && !verb_is_sound(work->verb)))
                return -EINVAL;
        r = unit_spec_new(&name, &spec);
        if (r >= 0)
                r = unit_property_description(spec, "Sendense %s of Job %" PRIu64, words,
                                              work->job);
        if (r >= 0)
                r = unit_property_job(spec, work->kind, work->job, 0);
        if (r >= 0)
                r = add_user(spec, work->user);
        if (r >= 0)
                r = add_write_paths(spec, work->write_paths, work->n_write_paths);
        if (r >= 0)
                r = add_device(spec, work);
        if (r >= 0)
                r = work->kind == UNIT_FILES_SERVICE
                                    ? add_stream(spec, work)
                                    : unit_property_files(spec, work->in_path, work->out_path);
        if (r >= 0)
                r = unit_property_command(spec, work->program, work->verb);
        if (r >= 0)
                *ret_spec = TAKE(spec);
        return r;
}
