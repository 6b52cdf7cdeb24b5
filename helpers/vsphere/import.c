/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb import: a VM is made anew at vCenter, and its disks go there from NBD exports. Everything that can be looked at is looked at
 * before vCenter is asked for anything. From then on every way out but success aborts the lease and looks, in a session of its own,
 * whether the VM is gone; it is known by an instance UUID that was chosen before: by the caller, who can then end what was killed.
 */
#include "announce.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "import-upload.h"
#include "nvram-restore.h"
#include "nvram.h"
#include "spec.h"
#include "text.h"
#include "verbs.h"
#include "vsphere/inventory.h"
#include "vsphere/lease.h"
#include "vsphere/task.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/timerfd.h>
#include <systemd/sd-id128.h>

enum {
        KEEPALIVE_MSEC = 15 * 1000, /* vCenter gives up a lease after some minutes of silence */
        KEEPALIVE_MAX_MSEC = 30 * 1000,
        LOOK_MSEC = 500,
        UNDO_SEC = 300,
        UNDO_MAX_SEC = 3600,
        TEXT_MAX = 255,
        PROGRESS_PATH_MAX = 107,
};

static bool is_absolute(const char *text)
{
        return text[0] == '/';
}

static bool is_uuid(const char *text)
{
        char again[SD_ID128_UUID_STRING_MAX];
        sd_id128_t id;

        return sd_id128_from_string(text, &id) >= 0 &&
               strcmp(sd_id128_to_uuid_string(id, again), text) == 0;
}

#define TEXT(k, is_optional)                                                              \
        {                                                                                 \
                .key = (k), .kind = JSON_FIELD_TEXT, .optional = (is_optional), .min = 1, \
                .max = VM_PATH_MAX                                                        \
        }
#define FLAG(k)                                                       \
        {                                                             \
                .key = (k), .kind = JSON_FIELD_BOOL, .optional = true \
        }

static const JsonField fields[] = {
        { .key = "vcenter", .kind = JSON_FIELD_OBJECT },
        { .key = "name", .kind = JSON_FIELD_TEXT, .min = 1, .max = 80 },
        TEXT("folder", true),
        TEXT("resource_pool", true),
        TEXT("host", true),
        { .key = "datastore",
          .kind = JSON_FIELD_TEXT,
          .optional = true,
          .min = 1,
          .max = TEXT_MAX },
        { .key = "instance_uuid",
          .kind = JSON_FIELD_TEXT,
          .optional = true,
          .min = 36,
          .max = 36,
          .is_valid = is_uuid,
          .must = "must be a UUID in lower case" },
        { .key = "beside",
          .kind = JSON_FIELD_TEXT,
          .optional = true,
          .min = 36,
          .max = 36,
          .is_valid = is_uuid,
          .must = "must be a UUID in lower case" },
        { .key = "networks", .kind = JSON_FIELD_OBJECT, .optional = true },
        FLAG("power_on"),
        FLAG("keep_macs"),
        FLAG("force"),
        { .key = "hardware", .kind = JSON_FIELD_OBJECT },
        { .key = "disks", .kind = JSON_FIELD_ARRAY, .max = IMPORT_DISKS_MAX },
        { .key = "job", .kind = JSON_FIELD_NUMBER, .optional = true, .min = 1, .max = INT64_MAX },
        { .key = "progress",
          .kind = JSON_FIELD_TEXT,
          .optional = true,
          .min = 1,
          .max = PROGRESS_PATH_MAX,
          .is_valid = is_absolute,
          .must = "must be an absolute path" },
        { .key = "keepalive_msec",
          .kind = JSON_FIELD_NUMBER,
          .optional = true,
          .min = 1,
          .max = KEEPALIVE_MAX_MSEC },
        { .key = "undo_sec",
          .kind = JSON_FIELD_NUMBER,
          .optional = true,
          .min = 1,
          .max = UNDO_MAX_SEC },
};

/* What one run of the verb has. */
typedef struct Import {
        const Task *task;
        LoginSpec login;
        VSphere *v;
        Place place;
        PlaceNetworks networks;
        ImportPlan plan;
        Lease lease;
        Uploads uploads;
        char instance_uuid[SD_ID128_UUID_STRING_MAX];
        char *name, *spec;
        void *nvram; /* what the VM's EFI is to start with; NULL: there is none */
        size_t nvram_size;
        json_t *warnings;
} Import;

static void import_done(Import *import)
{
        uploads_done(&import->uploads);
        (void) vsphere_close(import->v);
        login_spec_done(&import->login);
        place_networks_done(&import->networks);
        import_plan_done(&import->plan);
        lease_done(&import->lease);
        free(import->name);
        free(import->spec);
        free(import->nvram);
        json_decref(import->warnings);
}

static int no_memory(VSphereError *error)
{
        return vsphere_error_errno(error, -ENOMEM, "Cannot import a VM");
}

static void warn(Import *import, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void warn(Import *import, const char *format, ...)
{
        _cleanup_free_ char *line = NULL;
        va_list ap;

        va_start(ap, format);
        line = text_vformat(format, ap);
        va_end(ap);
        (void) json_array_append_new(import->warnings, json_string(line ? line : ""));
}

/* A VM without it is better than none. */
static int leave_nvram(Import *import, const char *why)
{
        warn(import, "the variables of its EFI (NVRAM) are not put back: %s", why);
        return import_plan_leave_nvram(&import->plan);
}

static int read_nvram(Import *import)
{
        const json_t *hardware = json_object_get(import->task->spec, "hardware");
        const json_t *nvram = json_object_get(hardware, "nvram");
        int r;

        if (!nvram || json_field_text(import->task->spec, "beside"))
                return 0; /* the VM that gets the disks keeps its own */
        r = nvram_unpack(nvram, &import->nvram, &import->nvram_size);
        if (r == -EBADMSG)
                return leave_nvram(import, "what the record of the backup has of them is not what "
                                           "its SHA-256 says");
        if (r < 0 || (nvram_is_plain(import->nvram, import->nvram_size) &&
                      !json_is_true(json_object_get(hardware, "encrypted"))))
                return r;
        free(TAKE(import->nvram));
        return leave_nvram(import, "the backup has them as vSphere had encrypted them, and only "
                                   "the old VM could read that");
}

static int read_plan(Import *import, VSphereError *error)
{
        const json_t *spec = import->task->spec;
        const char *chosen;
        char why[IMPORT_WHY_SIZE] = "";
        sd_id128_t id;
        int r;

        r = spec_check(spec, fields, ELEMENTSOF(fields), error);
        if (r < 0)
                return r;
        chosen = json_field_text(spec, "instance_uuid");
        import->warnings = json_array();
        import->name = place_escape(json_field_text(spec, "name"));
        if (!import->name || !import->warnings || sd_id128_randomize(&id) < 0)
                return no_memory(error);
        (void) sd_id128_to_uuid_string(id, import->instance_uuid);
        if (chosen)
                (void) snprintf(import->instance_uuid, sizeof(import->instance_uuid), "%s", chosen);
        import->plan.name = import->name;
        import->plan.instance_uuid = import->instance_uuid;
        r = import_plan_read(&import->plan, json_object_get(spec, "hardware"),
                             json_object_get(spec, "disks"), json_field_bool(spec, "keep_macs"),
                             why);
        if (r == -EINVAL)
                return vsphere_error_set(error, BUS_ERROR_INVALID_ARGUMENT, "%s", why);
        if (json_field_text(spec, "beside"))
                import->plan.n_cards = 0; /* it only brings disks */
        if (r >= 0)
                r = read_nvram(import);
        return r < 0 ? no_memory(error) : 0;
}

/* A source that is not there, or is another disk, is noticed before vCenter is asked for anything. */
static int open_sources(Import *import, VSphereError *error)
{
        int r;

        r = uploads_init(&import->uploads, import->plan.n_disks);
        if (r < 0)
                return vsphere_error_errno(error, r, "Cannot upload disks");
        for (size_t i = 0; i < import->plan.n_disks; i++) {
                const ImportDisk *disk = &import->plan.disks[i];
                Upload *upload = &import->uploads.uploads[i];

                upload->disk = disk;
                r = import_source_open(&upload->source, disk->source, disk->capacity_bytes,
                                       import->task->cancel_fd);
                if (r == -ECANCELED)
                        return vsphere_error_set(error, BUS_ERROR_CANCELLED, "cancelled");
                if (r < 0)
                        return vsphere_error_set(error,
                                                 r == -EINVAL ? BUS_ERROR_INVALID_ARGUMENT
                                                              : BUS_ERROR_SOURCE_FAILED,
                                                 "the disk %" PRIu32 " cannot be read: %s",
                                                 disk->disk_key, upload->source.why);
                upload->source.stop_fd = import->uploads.stop_fd;
        }
        return 0;
}

/* The one that is named, or else where the first disk lay that is known to have lain anywhere. */
static const char *datastore_of(const json_t *spec)
{
        const char *name = json_field_text(spec, "datastore");
        const json_t *disk;
        size_t i;

        json_array_foreach (json_object_get(json_object_get(spec, "hardware"), "disks"), i, disk)
                if (!name)
                        name = json_string_value(json_object_get(disk, "datastore"));
        return name;
}

static int find_place(Import *import, const PlaceWish *wish, VSphereError *error)
{
        const char *beside = json_field_text(import->task->spec, "beside");
        VSphereRef vm = {};
        int r;

        if (!beside)
                return place_find(import->v, wish, &import->place, error);
        if (!wish->datastore)
                return vsphere_error_set(error, BUS_ERROR_INVALID_ARGUMENT,
                                         "the spec says \"beside\", and no datastore");
        r = inventory_find_uuid(import->v, beside, &vm, error);
        return r < 0 ? r : place_beside(import->v, &vm, wish, &import->place, error);
}

static int prepare(Import *import, VSphereError *error)
{
        const json_t *spec = import->task->spec;
        const PlaceWish wish = {
                .name = import->name,
                .datastore = datastore_of(spec),
                .folder = json_field_text(spec, "folder"),
                .pool = json_field_text(spec, "resource_pool"),
                .host = json_field_text(spec, "host"),
        };
        int r;

        r = spec_open(import->task, &import->login, &import->v, error);
        if (r >= 0)
                r = find_place(import, &wish, error);
        import->plan.datastore = import->place.datastore;
        if (r >= 0)
                r = place_networks(import->v, &import->place, &import->plan,
                                   json_object_get(spec, "networks"),
                                   json_field_bool(spec, "force"), &import->networks, error);
        if (r < 0)
                return r;
        import->spec = import_plan_xml(&import->plan);
        return import->spec ? 0 : no_memory(error);
}

/* An URL names a host by '*' when it is the one that was asked. Another host is known by what vCenter says of its certificate. */
static int take_url(Import *import, const LeaseUrl *url, Upload *upload, VSphereError *error)
{
        const VSphereLogin *login = &import->login.login;
        static const char any[] = "https://*/";
        bool is_six = strchr(login->host, ':') != NULL;
        int n;

        vsphere_tls(import->v, &upload->tls);
        if (strncmp(url->url, any, strlen(any)) == 0) {
                n = snprintf(upload->url, sizeof(upload->url), "https://%s%s%s:%u/%s",
                             is_six ? "[" : "", login->host, is_six ? "]" : "",
                             login->port > 0 ? (unsigned) login->port : 443U,
                             url->url + strlen(any));
        } else {
                n = snprintf(upload->url, sizeof(upload->url), "%s", url->url);
                if (*url->thumbprint && tls_pin_sha1(&upload->tls, url->thumbprint) < 0)
                        n = -1;
        }
        if (n < 0 || (size_t) n >= sizeof(upload->url) || strncmp(upload->url, "https://", 8) != 0)
                return vsphere_error_set(error, BUS_ERROR_TARGET_FAILED,
                                         "vCenter gives the disk %" PRIu32
                                         " an URL that cannot be used",
                                         upload->disk->disk_key);
        for (char *c = upload->url; *c; c++) /* names of files stand in it as they are */
                if ((unsigned char) *c <= ' ')
                        return vsphere_error_set(error, BUS_ERROR_TARGET_FAILED,
                                                 "vCenter gives the disk %" PRIu32
                                                 " an URL with blanks",
                                                 upload->disk->disk_key);
        return 0;
}

/* A disk that went into another one's place would be worse than none: without its name there is no guessing, but for the only one. */
static int match_urls(Import *import, VSphereError *error)
{
        const Lease *lease = &import->lease;
        int r = 0;

        for (size_t i = 0; i < import->uploads.n_uploads && r >= 0; i++) {
                Upload *upload = &import->uploads.uploads[i];
                char address[IMPORT_ADDRESS_SIZE];
                const LeaseUrl *found = NULL;

                import_disk_address(upload->disk, address);
                for (size_t k = 0; k < lease->n_urls; k++)
                        if (strcmp(lease->urls[k].address, address) == 0)
                                found = &lease->urls[k];
                if (!found && lease->n_urls == 1 && import->uploads.n_uploads == 1)
                        found = &lease->urls[0];
                r = found ? take_url(import, found, upload, error)
                          : vsphere_error_set(error, BUS_ERROR_TARGET_FAILED,
                                              "vCenter's lease has no URL for the disk %" PRIu32
                                              " at %s",
                                              upload->disk->disk_key, address);
        }
        return r;
}

static void announce(Import *import, Announcer *announcer, Announced *announced, bool is_final,
                     unsigned *ret_percent)
{
        uint64_t done = 0, total = 0;

        for (size_t i = 0; i < import->uploads.n_uploads; i++) {
                const Upload *upload = &import->uploads.uploads[i];
                uint64_t position = upload->position;

                announce_disk(announcer, &announced[i], upload->disk->disk_key, position,
                              upload->disk->capacity_bytes, is_final);
                done += position >> 16;
                total += upload->disk->capacity_bytes >> 16;
        }
        *ret_percent = total > 0 ? (unsigned) (done * 100 / total) : 0;
        if (announcer->path) {
                char line[64];

                (void) snprintf(line, sizeof(line), "uploading disks: %u %%", *ret_percent);
                announce_status(announcer, line);
        }
}

/* Keeps the lease while the threads upload. */
static int watch(Import *import, Announcer *announcer, Announced *announced, VSphereError *error)
{
        uint64_t keepalive = json_field_number(import->task->spec, "keepalive_msec");
        unsigned percent = 0;
        int r = 0;

        keepalive = (keepalive > 0 ? keepalive : KEEPALIVE_MSEC) * 1000;
        for (uint64_t told = 0; r >= 0 && !uploads_are_over(&import->uploads);) {
                struct pollfd fds[] = {
                        { .fd = import->uploads.done_fd, .events = POLLIN },
                        { .fd = import->task->cancel_fd, .events = POLLIN },
                };
                uint64_t now = clock_monotonic_usec();

                announce(import, announcer, announced, false, &percent);
                if (now - told >= keepalive) {
                        r = lease_tell(import->v, &import->lease, percent, error);
                        told = now;
                }
                if (r >= 0 &&
                    poll(fds, ELEMENTSOF(fds),
                         keepalive < LOOK_MSEC * UINT64_C(1000) ? (int) (keepalive / 1000)
                                                                : LOOK_MSEC) > 0 &&
                    fds[1].revents)
                        r = vsphere_error_set(error, BUS_ERROR_CANCELLED, "cancelled");
        }
        return r;
}

static int upload(Import *import, VSphereError *error)
{
        _cleanup_free_ Announced *announced =
                        calloc(import->uploads.n_uploads + 1, sizeof(Announced));
        const char *path = json_field_text(import->task->spec, "progress");
        const Upload *failed;
        Announcer announcer;
        unsigned percent;
        int r;

        if (!announced)
                return no_memory(error);
        announcer_init(&announcer, path, json_field_number(import->task->spec, "job"));
        r = uploads_start(&import->uploads);
        if (r < 0)
                r = vsphere_error_errno(error, r, "Cannot start a thread");
        else
                r = watch(import, &announcer, announced, error);
        uploads_stop(&import->uploads);
        failed = r >= 0 ? uploads_failed(&import->uploads) : NULL;
        if (failed) {
                *error = failed->error;
                r = failed->r;
        }
        if (r >= 0)
                announce(import, &announcer, announced, true, &percent);
        announcer_done(&announcer);
        return r;
}

/* The VM is there and whole: what goes wrong from here on is a warning. */
static void power_on(Import *import)
{
        VSphereError error = {};

        if (task_run(import->v, "PowerOnVM_Task", &import->lease.vm, NULL, NULL, &error) < 0)
                warn(import, "the VM could not be switched on: %s", error.text);
}

/* Before it is switched on for the first time, which makes new ones where there are none. */
static int put_nvram(Import *import)
{
        VSphereError error = {};

        if (!import->nvram || nvram_restore(import->v, &import->lease.vm, import->nvram,
                                            import->nvram_size, &error) >= 0)
                return 0;
        return leave_nvram(import, error.text);
}

/* Where vCenter has made it: at its place, whatever the key is. */
static const char *file_of(const VSphereVm *vm, const ImportDisk *disk)
{
        char controller[sizeof(vm->disks.disks->controller)];

        (void) snprintf(controller, sizeof(controller), "%s%u",
                        controller_kind(disk->controller->type), disk->controller->bus);
        for (size_t i = 0; i < vm->disks.n_disks; i++)
                if (strcmp(vm->disks.disks[i].controller, controller) == 0 &&
                    vm->disks.disks[i].unit_number == disk->unit)
                        return vm->disks.disks[i].file_name;
        return NULL;
}

static json_t *show(Import *import)
{
        json_t *disks = json_array(), *result;
        CLEANUP(vm_done) VSphereVm vm = {};
        VSphereError error = {};

        if (inventory_read(import->v, &import->lease.vm, &vm, &error) < 0)
                (void) json_array_append_new(import->warnings, json_string(error.text));
        for (size_t i = 0; i < import->uploads.n_uploads; i++) {
                const Upload *upload = &import->uploads.uploads[i];

                (void) json_array_append_new(
                                disks, json_pack("{s:I, s:I, s:I, s:s*}", "disk_key",
                                                 (json_int_t) upload->disk->disk_key, "bytes",
                                                 (json_int_t) upload->disk->capacity_bytes,
                                                 "sent_bytes", (json_int_t) upload->sent,
                                                 "datastore_path", file_of(&vm, upload->disk)));
        }
        result = json_pack("{s:s, s:s, s:s, s:s, s:o, s:O, s:O}", "vm_moref",
                           import->lease.vm.value, "instance_uuid",
                           vm.instance_uuid ? vm.instance_uuid : import->instance_uuid, "path",
                           vm.path ? vm.path : import->name, "power_state",
                           vm.power_state ? vm.power_state : "", "disks", disks, "left_out",
                           import->plan.left_out, "warnings", import->warnings);
        return result;
}

static int import_vm(Import *import, VSphereError *error)
{
        int r;

        r = lease_begin(import->v, &import->place, import->spec, &import->lease, error);
        if (r >= 0)
                r = lease_wait(import->v, &import->lease, error);
        if (r >= 0)
                r = match_urls(import, error);
        if (r >= 0)
                r = upload(import, error);
        if (r >= 0)
                r = lease_tell(import->v, &import->lease, 100, error);
        return r < 0 ? r : lease_complete(import->v, &import->lease, error);
}

/* The error stays what it was, unless the VM does stay. */
static int undo(Import *import, int failed, VSphereError *error)
{
        uint64_t sec = json_field_number(import->task->spec, "undo_sec");
        const struct itimerspec after = { .it_value.tv_sec = (time_t) (sec > 0 ? sec : UNDO_SEC) };
        _cleanup_close_ int clock_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        CLEANUP(vsphere_close_p) VSphere *v = NULL;
        VSphereLogin again = import->login.login;
        VSphereError why = {};
        int r;

        if (clock_fd >= 0)
                (void) timerfd_settime(clock_fd, 0, &after, NULL);
        vsphere_set_cancel(import->v, clock_fd); /* a signal has been obeyed: this is how */
        lease_abort(import->v, &import->lease);
        import->v = vsphere_close(import->v);
        again.cancel_fd = clock_fd;
        r = vsphere_open(&again, &v, &why);
        if (r >= 0)
                r = import_undo(v, import->instance_uuid, import->lease.vm.value,
                                !import->lease.ref.value[0], &why);
        if (r < 0)
                return vsphere_error_prefix(
                                error, BUS_ERROR_VM_LEFT,
                                "a VM '%s' may be left, because it could not be removed "
                                "(%.200s); it was to be removed after this",
                                json_field_text(import->task->spec, "name"), why.text);
        return failed;
}

int verb_import(const Task *task, json_t **ret_result, VSphereError *error)
{
        CLEANUP(import_done)
        Import import = { .task = task, .uploads = { .stop_fd = -1, .done_fd = -1 } };
        int r;

        r = read_plan(&import, error);
        if (r >= 0)
                r = open_sources(&import, error);
        if (r >= 0)
                r = prepare(&import, error);
        if (r < 0)
                return r;
        r = import_vm(&import, error);
        if (r >= 0 && put_nvram(&import) < 0)
                r = no_memory(error);
        if (r < 0)
                return import.lease.may_be ? undo(&import, r, error) : r;
        if (json_field_bool(task->spec, "power_on"))
                power_on(&import);
        *ret_result = show(&import);
        return *ret_result ? 0 : no_memory(error);
}
