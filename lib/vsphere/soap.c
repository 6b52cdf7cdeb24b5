/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SOAP as VMware speaks it (see soap.h). Faults come as HTTP 500 with a detail, or, for a task and for a
 * property that could not be read, as an element within a good answer.
 */
#include "vsphere/soap.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "utf8.h"

#include <errno.h>
#include <string.h>

static const struct {
        const char *fault, *name, *hint;
} faults[] = {
        { "InvalidLogin", BUS_ERROR_VCENTER_LOGIN,
          "; check user and password (the user with its domain: name@vsphere.local)" },
        { "NotAuthenticated", BUS_ERROR_VCENTER_SESSION, "" },
        { "NoPermission", BUS_ERROR_NOT_ALLOWED,
          "; the user's role at vCenter lacks a privilege, see sendense-vsphere(8)" },
        { "ManagedObjectNotFound", BUS_ERROR_NOT_FOUND, "" },
};

char *soap_request(const char *method, const VSphereRef *self, const char *arguments,
                   size_t *ret_size)
{
        char *text = NULL;
        FILE *f = open_memstream(&text, ret_size);

        if (!f)
                return NULL;
        (void) fprintf(f, SOAP_BEFORE "<%s xmlns=\"urn:vim25\"><_this type=\"", method);
        xml_put(f, self->type);
        (void) fputs("\">", f);
        xml_put(f, self->value);
        (void) fprintf(f, "</_this>%s</%s>" SOAP_AFTER, arguments ? arguments : "", method);
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

/* "NotAuthenticatedFault" and "NotAuthenticated" are the same. */
static void keep_fault_type(const XmlNode *fault, VSphereError *error)
{
        const char *type = fault ? xml_type(fault) : "";
        size_t length;

        if (fault && *type == '\0')
                type = xml_name(fault);
        (void) snprintf(error->fault, sizeof(error->fault), "%s", *type ? type : "Fault");
        utf8_make_line(error->fault);
        length = strlen(error->fault);
        if (length > 5 && strcmp(error->fault + length - 5, "Fault") == 0 &&
            strcmp(error->fault, "FileFault") != 0 && *xml_type(fault) == '\0')
                error->fault[length - 5] = '\0';
}

int soap_fault(const XmlNode *fault, const char *message, const char *name, VSphereError *error)
{
        const char *hint = "", *file, *property;
        int r;

        keep_fault_type(fault, error);
        for (size_t i = 0; i < ELEMENTSOF(faults); i++)
                if (vsphere_error_is_fault(error, faults[i].fault)) {
                        name = faults[i].name;
                        hint = faults[i].hint;
                }
        file = xml_text_at(fault, "file");
        property = xml_text_at(fault, "invalidProperty");
        if (!message || *message == '\0')
                message = xml_text_at(fault, "faultMessage/message");
        r = vsphere_error_set(error, name, "vCenter says %s: %.300s%s%.100s%s%.60s%s", error->fault,
                              message && *message ? message : "(no message)",
                              file && *file ? ", file " : "", file ? file : "",
                              property && *property ? ", property " : "", property ? property : "",
                              hint);
        return r;
}

static int read_fault(const XmlNode *fault, VSphereError *error)
{
        const XmlNode *detail = xml_child(xml_child(fault, "detail"), NULL);

        return soap_fault(detail, xml_text_at(fault, "faultstring"), BUS_ERROR_FAILED, error);
}

static int no_soap(long status, int r, VSphereError *error)
{
        const char *what = r == -EFBIG   ? "an answer that is too large"
                           : r == -E2BIG ? "XML with too many elements"
                           : r == -EPERM ? "XML with a document type, which VMware never sends"
                                         : "something that is no SOAP";

        error->fault[0] = '\0';
        if (r == -ELOOP)
                return vsphere_error_set(
                                error, BUS_ERROR_VCENTER_UNREACHABLE,
                                "the server answers HTTP %li and XML nested deeper than %i "
                                "elements, as of a VM with more than some 240 layers of a disk: "
                                "consolidate it. If there is none, is it a vCenter?",
                                status, XML_DEPTH_MAX);
        (void) vsphere_error_set(
                        error, BUS_ERROR_VCENTER_UNREACHABLE,
                        "the server answers HTTP %li and %s; is it a vCenter, and is it up?",
                        status, what);
        error->is_transient = r == -EBADMSG;
        error->is_too_large = r == -EFBIG || r == -E2BIG;
        return bus_error_to_errno(BUS_ERROR_VCENTER_UNREACHABLE);
}

static bool is_answer_to(const XmlNode *node, const char *method)
{
        const char *name = node ? xml_name(node) : "";
        size_t length = strlen(method);

        return strncmp(name, method, length) == 0 && strcmp(name + length, "Response") == 0;
}

int soap_answer(const char *method, long status, XmlReader *reader, XmlDocument **ret_document,
                const XmlNode **ret_answer, VSphereError *error)
{
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        const XmlNode *body, *first;
        int r;

        r = xml_reader_end(reader, &document);
        if (r == -ENOMEM)
                return vsphere_error_errno(error, r, "Cannot read an answer");
        if (r < 0)
                return no_soap(status, r, error);
        body = xml_child(xml_root(document), "Body");
        first = xml_child(body, NULL);
        if (strcmp(xml_name(xml_root(document)), "Envelope") != 0 || !first)
                return no_soap(status, -EBADMSG, error);
        if (strcmp(xml_name(first), "Fault") == 0)
                return read_fault(first, error);
        if (status != 200 || !is_answer_to(first, method))
                return no_soap(status, -EBADMSG, error);
        error->fault[0] = '\0';
        *ret_answer = first;
        *ret_document = TAKE(document);
        return 0;
}

int soap_reference(const XmlNode *node, VSphereRef *ret_ref)
{
        const char *type = xml_reference_type(node), *value = xml_text(node);

        if (!value || *value == '\0' || *type == '\0' || strlen(value) >= VSPHERE_MOREF_SIZE ||
            strlen(type) >= VSPHERE_TYPE_SIZE)
                return -EBADMSG;
        (void) memcpy(ret_ref->type, type, strlen(type) + 1);
        (void) memcpy(ret_ref->value, value, strlen(value) + 1);
        return 0;
}
