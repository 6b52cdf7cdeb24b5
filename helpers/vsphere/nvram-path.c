/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The place of an NVRAM (see nvram-path.h): as vCenter lists the VM's files, as its configuration names it, or as VMware names it.
 */
#include "nvram-path.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "text.h"
#include "vsphere/properties.h"

#include <errno.h>
#include <string.h>

void nvram_path_done(NvramPath *path)
{
        datastore_path_done(&path->path);
        *path = (NvramPath){};
}

/* In a list of elements, the text of one child where another child has that text. NULL: nowhere. */
static const char *find_text(const XmlNode *list, const char *where, const char *is,
                             const char *what)
{
        for (const XmlNode *item = xml_child(list, NULL); item; item = xml_next(item, NULL)) {
                const char *text = xml_text_at(item, where);

                if (text && strcmp(text, is) == 0)
                        return xml_text_at(item, what);
        }
        return NULL;
}

/* "web.vmx" has "web.nvram". */
static char *default_name(const DatastorePath *vmx)
{
        const char *slash = strrchr(vmx->file, '/');
        const char *name = slash ? slash + 1 : vmx->file;
        const char *dot = strrchr(name, '.');

        return text_format("%.*s.nvram", (int) (dot ? (size_t) (dot - name) : strlen(name)), name);
}

static int beside(const char *vmx_path, const char *configured, DatastorePath *ret_path)
{
        CLEANUP(datastore_path_done) DatastorePath vmx = {};
        _cleanup_free_ char *made = NULL;
        int r;

        r = datastore_path_parse(vmx_path, &vmx);
        if (r < 0)
                return r;
        if (configured && *configured)
                return datastore_path_beside(&vmx, configured, ret_path);
        made = default_name(&vmx);
        return made ? datastore_path_beside(&vmx, made, ret_path) : -ENOMEM;
}

int nvram_path_find(VSphere *v, const VSphereRef *vm, NvramPath *ret_path, VSphereError *error)
{
        static const char *const paths[] = { "layoutEx.file", "config.files.vmPathName",
                                             "config.extraConfig" };
        CLEANUP(properties_free_p) Properties *found = NULL;
        const char *listed, *configured, *vmx;
        NvramPath path = {};
        int r;

        r = properties_of(v, vm, paths, ELEMENTSOF(paths), &found, error);
        if (r < 0)
                return r;
        listed = find_text(properties_value(found, 0, "layoutEx.file"), "type", "nvram", "name");
        configured = find_text(properties_value(found, 0, "config.extraConfig"), "key", "nvram",
                               "value");
        vmx = properties_text(found, 0, "config.files.vmPathName");
        path.is_listed = listed != NULL;
        if (listed)
                r = datastore_path_parse(listed, &path.path);
        else
                r = vmx ? beside(vmx, configured, &path.path) : -EINVAL;
        if (r == -ENOMEM)
                return vsphere_error_errno(error, r, "Cannot name the NVRAM of a VM");
        if (r < 0)
                return vsphere_error_set(error, BUS_ERROR_SOURCE_FAILED,
                                         "vCenter names no place for it that can be ('%.100s', "
                                         "'%.100s', '%.100s')",
                                         listed ? listed : "", vmx ? vmx : "",
                                         configured ? configured : "");
        *ret_path = path;
        return 0;
}
