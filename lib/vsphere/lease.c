/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Import leases (see lease.h).
 */
#include "vsphere/lease.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "vsphere/inventory.h"
#include "vsphere/properties.h"
#include "vsphere/task.h"

#include <errno.h>
#include <string.h>

enum {
        LOOK_FIRST_MSEC = 50,
        LOOK_LAST_MSEC = 2000,
        URLS_MAX = 1024,
        UNDO_LOOKS = 60,
        UNDO_LOOKS_UNSEEN = 4, /* a VM may appear after the answer that names its lease was lost */
        UNDO_WAIT_MSEC = 500,
};

void lease_done(Lease *lease)
{
        for (size_t i = 0; i < lease->n_urls; i++) {
                free(lease->urls[i].address);
                free(lease->urls[i].target);
                free(lease->urls[i].url);
                free(lease->urls[i].thumbprint);
        }
        free(lease->urls);
        *lease = (Lease){};
}

static void put_reference(FILE *f, const char *element, const VSphereRef *ref)
{
        if (!ref->value[0])
                return;
        (void) fprintf(f, "<%s type=\"%s\">", element, ref->type);
        xml_put(f, ref->value);
        (void) fprintf(f, "</%s>", element);
}

/* A fault says that nothing was made; a lost answer does not. */
int lease_begin(VSphere *v, const Place *place, const char *spec, Lease *lease, VSphereError *error)
{
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        _cleanup_free_ char *arguments = NULL;
        const XmlNode *answer = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&arguments, &size);
        int r;

        if (!f)
                return vsphere_error_errno(error, -errno, "Cannot ask for a VM");
        (void) fputs(spec, f);
        put_reference(f, "folder", &place->folder);
        put_reference(f, "host", &place->host);
        if (fclose(f) != 0)
                return vsphere_error_errno(error, -ENOMEM, "Cannot ask for a VM");
        error->fault[0] = '\0';
        lease->may_be = true;
        r = vsphere_call(v,
                         &(VSphereCall){ .method = "ImportVApp",
                                         .self = &place->pool,
                                         .arguments = arguments,
                                         .once = true },
                         &document, &answer, error);
        if (r < 0) {
                lease->may_be = error->fault[0] == '\0';
                if (vsphere_error_is_fault(error, "DuplicateName"))
                        return vsphere_error_prefix(error, BUS_ERROR_EXISTS, "the name is taken");
                return error->fault[0] ? vsphere_error_prefix(error, BUS_ERROR_TARGET_FAILED,
                                                              "vCenter does not make the VM")
                                       : r;
        }
        lease->generation = vsphere_generation(v);
        if (soap_reference(xml_child(answer, "returnval"), &lease->ref) < 0)
                return vsphere_error_set(error, BUS_ERROR_TARGET_FAILED,
                                         "vCenter answers an import without a lease");
        return 0;
}

/* 1: ready; 0: not yet. */
static int look(VSphere *v, const Lease *lease, VSphereError *error)
{
        static const char *const paths[] = { "state", "error" };
        CLEANUP(properties_free_p) Properties *found = NULL;
        const XmlNode *fault;
        const char *state;
        int r;

        r = properties_of(v, &lease->ref, paths, ELEMENTSOF(paths), &found, error);
        if (r < 0)
                return r;
        state = properties_text(found, 0, "state");
        if (state && strcmp(state, "initializing") == 0)
                return 0;
        if (state && strcmp(state, "ready") == 0)
                return 1;
        fault = properties_value(found, 0, "error");
        if (!fault)
                return vsphere_error_set(error, BUS_ERROR_TARGET_FAILED,
                                         "the import ended in the state '%s'", state ?: "");
        return soap_fault(xml_child(fault, "fault"), xml_text_at(fault, "localizedMessage"),
                          BUS_ERROR_TARGET_FAILED, error);
}

static char *copy(const char *text)
{
        return strdup(text ? text : "");
}

static int read_url(const XmlNode *device, LeaseUrl *ret_url)
{
        const char *key = xml_text_at(device, "importKey"), *slash;

        if (!key)
                key = xml_text_at(device, "key");
        slash = key ? strrchr(key, '/') : NULL;
        ret_url->address = copy(slash ? slash + 1 : key);
        ret_url->target = copy(xml_text_at(device, "targetId"));
        ret_url->url = copy(xml_text_at(device, "url"));
        ret_url->thumbprint = copy(xml_text_at(device, "sslThumbprint"));
        return ret_url->address && ret_url->target && ret_url->url && ret_url->thumbprint ? 0
                                                                                          : -ENOMEM;
}

static int read_info(VSphere *v, Lease *lease, VSphereError *error)
{
        static const char *const paths[] = { "info" };
        CLEANUP(properties_free_p) Properties *found = NULL;
        const XmlNode *info;
        size_t n = 0;
        int r;

        r = properties_of(v, &lease->ref, paths, ELEMENTSOF(paths), &found, error);
        if (r < 0)
                return r;
        info = properties_value(found, 0, "info");
        if (soap_reference(xml_child(info, "entity"), &lease->vm) < 0)
                return vsphere_error_set(error, BUS_ERROR_TARGET_FAILED,
                                         "vCenter's lease names no VM");
        for (const XmlNode *d = xml_child(info, "deviceUrl"); d && n < URLS_MAX;
             d = xml_next(d, "deviceUrl"))
                n++;
        lease->urls = calloc(n > 0 ? n : 1, sizeof(LeaseUrl));
        r = lease->urls ? 0 : -ENOMEM;
        for (const XmlNode *d = xml_child(info, "deviceUrl"); d && n > 0 && r >= 0;
             d = xml_next(d, "deviceUrl"), n--)
                if (!xml_child(d, "disk") || xml_is_true_at(d, "disk")) {
                        LeaseUrl url = {};

                        r = read_url(d, &url);
                        lease->urls[lease->n_urls++] = url;
                }
        return r < 0 ? vsphere_error_errno(error, r, "Cannot read a lease") : 0;
}

/* A lease is unknown to every session but its own. */
static int explain(VSphere *v, const Lease *lease, int r, VSphereError *error)
{
        if (r >= 0 || lease->generation == vsphere_generation(v))
                return r;
        return vsphere_error_prefix(error, BUS_ERROR_VCENTER_SESSION,
                                    "the session at vCenter ended, and the import with it");
}

int lease_wait(VSphere *v, Lease *lease, VSphereError *error)
{
        unsigned wait = LOOK_FIRST_MSEC;
        int r;

        for (;;) {
                r = look(v, lease, error);
                if (r != 0)
                        break;
                if (vsphere_wait(v, wait, error) < 0)
                        return -ECANCELED;
                wait = wait * 2 > LOOK_LAST_MSEC ? LOOK_LAST_MSEC : wait * 2;
        }
        if (r >= 0)
                r = read_info(v, lease, error);
        return explain(v, lease, r, error);
}

int lease_tell(VSphere *v, const Lease *lease, unsigned percent, VSphereError *error)
{
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        const XmlNode *answer;
        char arguments[64];
        int r;

        (void) snprintf(arguments, sizeof(arguments), "<percent>%u</percent>",
                        percent > 100 ? 100 : percent);
        r = vsphere_call(v,
                         &(VSphereCall){ .method = "HttpNfcLeaseProgress",
                                         .self = &lease->ref,
                                         .arguments = arguments },
                         &document, &answer, error);
        return explain(v, lease, r, error);
}

static int end(VSphere *v, const char *method, const Lease *lease, VSphereError *error)
{
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        const XmlNode *answer;

        return vsphere_call(v,
                            &(VSphereCall){ .method = method, .self = &lease->ref, .once = true },
                            &document, &answer, error);
}

/* After a lost answer: the lease says itself that it is done, or is gone with its session alive, and the VM is still there: a lease
 * that was aborted would have taken it along. */
static int look_back(VSphere *v, const Lease *lease, VSphereError *error)
{
        static const char *const of_lease[] = { "state" }, *const of_vm[] = { "name" };
        CLEANUP(properties_free_p) Properties *state = NULL, *vm = NULL;
        const char *text;
        int r;

        r = properties_of(v, &lease->ref, of_lease, ELEMENTSOF(of_lease), &state, error);
        if (lease->generation != vsphere_generation(v))
                return -ENOLINK;
        if (r >= 0) {
                text = properties_text(state, 0, "state");
                return text && strcmp(text, "done") == 0 ? 0
                       : text && strcmp(text, "ready") == 0
                                       ? end(v, "HttpNfcLeaseComplete", lease, error)
                                       : -EIO;
        }
        if (!vsphere_error_is_fault(error, "ManagedObjectNotFound"))
                return r;
        return properties_of(v, &lease->vm, of_vm, ELEMENTSOF(of_vm), &vm, error);
}

int lease_complete(VSphere *v, const Lease *lease, VSphereError *error)
{
        VSphereError why = {};
        int r;

        r = end(v, "HttpNfcLeaseComplete", lease, error);
        if (r < 0 && error->is_transient && look_back(v, lease, &why) >= 0)
                r = 0;
        if (r < 0 && lease->generation == vsphere_generation(v) && error->fault[0])
                return vsphere_error_prefix(error, BUS_ERROR_TARGET_FAILED,
                                            "vCenter does not take the VM");
        return explain(v, lease, r, error);
}

void lease_abort(VSphere *v, const Lease *lease)
{
        VSphereError error = {};

        if (lease->ref.value[0] && lease->generation == vsphere_generation(v))
                (void) end(v, "HttpNfcLeaseAbort", lease, &error);
}

/* One that was switched on, or suspended since, is somebody's. */
static int check_unused(VSphere *v, const VSphereRef *vm, VSphereError *error)
{
        static const char *const wanted[] = { "runtime.powerState" };
        CLEANUP(properties_free_p) Properties *state = NULL;
        const char *text;
        int r = properties_of(v, vm, wanted, ELEMENTSOF(wanted), &state, error);

        if (r < 0)
                return r;
        text = properties_text(state, 0, "runtime.powerState") ?: "";
        return strcmp(text, "poweredOff") == 0
                               ? 0
                               : vsphere_error_set(error, BUS_ERROR_VM_LEFT,
                                                   "the VM is not switched off (%.40s), so it is "
                                                   "somebody's",
                                                   text);
}

/* A moref may be another VM's after a vCenter was set up anew: nobody's is destroyed by that alone. */
int import_find(VSphere *v, const char *instance_uuid, const char *moref, VSphereRef *ret_vm,
                VSphereError *error)
{
        VSphereRef vm = {};
        int r = inventory_find_again(v, instance_uuid, moref, &vm, error);

        if (r > 0)
                return vsphere_error_set(error, BUS_ERROR_VM_LEFT,
                                         "the VM %s has another instance UUID by now, so it is "
                                         "somebody's",
                                         vm.value);
        if (r == 0)
                *ret_vm = vm;
        return r;
}

int import_undo(VSphere *v, const char *instance_uuid, const char *moref, bool may_appear,
                VSphereError *error)
{
        bool was_seen = false;
        VSphereRef vm = {};
        int r;

        for (unsigned i = 0;; i++) {
                r = import_find(v, instance_uuid, was_seen ? vm.value : moref, &vm, error);
                if (r < 0 && strcmp(error->name, BUS_ERROR_VM_MISSING) == 0) {
                        if (was_seen || !may_appear || i + 1 >= UNDO_LOOKS_UNSEEN)
                                return 0;
                } else if (r < 0 && (strcmp(error->name, BUS_ERROR_VM_LEFT) == 0 ||
                                     strcmp(error->name, BUS_ERROR_VM_NOT_USABLE) == 0)) {
                        if (i + 1 >= UNDO_LOOKS_UNSEEN)
                                return r; /* it does not come back by being waited for */
                } else if (r >= 0) {
                        was_seen = true;
                        r = check_unused(v, &vm, error);
                        if (r < 0 && strcmp(error->name, BUS_ERROR_VM_LEFT) == 0)
                                return r;
                        if (r >= 0)
                                r = task_run(v, "Destroy_Task", &vm, NULL, NULL, error);
                }
                if (r == -ECANCELED || i == UNDO_LOOKS)
                        break;
                if ((r < 0 || !was_seen) && vsphere_wait(v, UNDO_WAIT_MSEC, error) < 0)
                        return -ECANCELED;
        }
        return r < 0 ? r
                     : vsphere_error_set(error, BUS_ERROR_VM_LEFT, "vCenter still shows the VM");
}
