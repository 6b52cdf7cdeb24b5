/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ServiceContent, and the search for a session that a lost answer left behind (see service.h).
 */
#include "vsphere/service.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "utf8.h"
#include "vsphere/properties.h"

#include <errno.h>
#include <string.h>

static const struct {
        const char *element;
        VSphereObject object;
        bool is_optional; /* who needs it says so: its reference is empty */
} managers[] = {
        { "sessionManager", VSPHERE_SESSION_MANAGER, false },
        { "propertyCollector", VSPHERE_PROPERTY_COLLECTOR, false },
        { "searchIndex", VSPHERE_SEARCH_INDEX, false },
        { "viewManager", VSPHERE_VIEW_MANAGER, false },
        { "rootFolder", VSPHERE_ROOT_FOLDER, false },
        { "virtualDiskManager", VSPHERE_VIRTUAL_DISK_MANAGER, true },
        { "fileManager", VSPHERE_FILE_MANAGER, true },
};

static int read_about(const XmlNode *about, Service *service)
{
        static const char *const elements[] = { "name",    "version",    "build",
                                                "apiType", "apiVersion", "instanceUuid" };
        const char **to[] = { &service->about.name,        &service->about.version,
                              &service->about.build,       &service->about.api_type,
                              &service->about.api_version, &service->about.instance_uuid };

        for (size_t i = 0; i < ELEMENTSOF(elements); i++) {
                const char *text = xml_text_at(about, elements[i]);

                service->texts[i] = strndup(text ? text : "", 255);
                if (!service->texts[i])
                        return -ENOMEM;
                utf8_make_line(service->texts[i]);
                *to[i] = service->texts[i];
        }
        return 0;
}

int service_read(const XmlNode *content, Service *service, VSphereError *error)
{
        service->objects[VSPHERE_SERVICE_INSTANCE] =
                        (VSphereRef){ "ServiceInstance", "ServiceInstance" };
        for (size_t i = 0; i < ELEMENTSOF(managers); i++)
                if (soap_reference(xml_child(content, managers[i].element),
                                   &service->objects[managers[i].object]) < 0 &&
                    !managers[i].is_optional)
                        return vsphere_error_set(error, BUS_ERROR_VCENTER_UNREACHABLE,
                                                 "the server says nothing of its %s: it is no "
                                                 "vCenter and no ESXi host",
                                                 managers[i].element);
        if (read_about(xml_child(content, "about"), service) < 0)
                return vsphere_error_errno(error, -ENOMEM, "Cannot open a session");
        return 0;
}

void service_done(Service *service)
{
        for (size_t i = 0; i < ELEMENTSOF(service->texts); i++)
                free(service->texts[i]);
        *service = (Service){};
}

static void end_session(VSphere *v, const char *key)
{
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        _cleanup_free_ char *arguments = NULL;
        const XmlNode *answer;
        VSphereError error = {};
        size_t size = 0;
        FILE *f = open_memstream(&arguments, &size);

        if (!f)
                return;
        (void) fputs("<sessionId>", f);
        xml_put(f, key);
        (void) fputs("</sessionId>", f);
        if (fclose(f) == 0)
                (void) vsphere_call(
                                v,
                                &(VSphereCall){ .method = "TerminateSession",
                                                .self = vsphere_object(v, VSPHERE_SESSION_MANAGER),
                                                .arguments = arguments },
                                &document, &answer, &error);
}

void service_end_twins(VSphere *v, const char *user_agent, const char *key)
{
        CLEANUP(properties_free_p) Properties *properties = NULL;
        const char *const paths[] = { "sessionList" };
        VSphereError error = {};

        if (!key || properties_of(v, vsphere_object(v, VSPHERE_SESSION_MANAGER), paths, 1,
                                  &properties, &error) < 0)
                return; /* the role may not look: then it dies of idleness */
        for (const XmlNode *session =
                             xml_child(properties_value(properties, 0, "sessionList"), NULL);
             session; session = xml_next(session, NULL)) {
                const char *its_agent = xml_text_at(session, "userAgent");
                const char *its_key = xml_text_at(session, "key");

                if (its_agent && its_key && strcmp(its_agent, user_agent) == 0 &&
                    strcmp(its_key, key) != 0)
                        end_session(v, its_key);
        }
}
