/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A tree of libxml2's, read strictly, and the escapes of XML (see xml.h).
 */
#include "vsphere/xml.h"

#include "parse.h"
#include "utf8.h"

#include <errno.h>
#include <libxml/tree.h>
#include <string.h>

#define XSI_NAMESPACE "http://www.w3.org/2001/XMLSchema-instance"

XmlDocument *xml_free(XmlDocument *document)
{
        xmlFreeDoc(document);
        return NULL;
}

const XmlNode *xml_root(const XmlDocument *document)
{
        return xmlDocGetRootElement(document);
}

static const XmlNode *find_from(const XmlNode *node, const char *name, size_t length)
{
        for (; node; node = node->next)
                if (node->type == XML_ELEMENT_NODE &&
                    (!name || (strncmp((const char *) node->name, name, length) == 0 &&
                               node->name[length] == '\0')))
                        return node;
        return NULL;
}

const XmlNode *xml_child(const XmlNode *node, const char *name)
{
        return node ? find_from(node->children, name, name ? strlen(name) : 0) : NULL;
}

const XmlNode *xml_next(const XmlNode *node, const char *name)
{
        return node ? find_from(node->next, name, name ? strlen(name) : 0) : NULL;
}

const XmlNode *xml_find(const XmlNode *node, const char *path)
{
        while (node && *path) {
                size_t length = strcspn(path, "/");

                node = find_from(node->children, path, length);
                path += length + (path[length] == '/' ? 1 : 0);
        }
        return node;
}

const char *xml_name(const XmlNode *node)
{
        return (const char *) node->name;
}

const char *xml_text(const XmlNode *node)
{
        const char *text;

        if (!node)
                return NULL;
        if (!node->children)
                return "";
        if (node->children->type != XML_TEXT_NODE || node->children->next)
                return NULL;
        text = (const char *) node->children->content;
        return strnlen(text, XML_TEXT_MAX + 1) > XML_TEXT_MAX ? NULL : text;
}

const char *xml_text_at(const XmlNode *node, const char *path)
{
        return xml_text(xml_find(node, path));
}

int xml_uint64_at(const XmlNode *node, const char *path, uint64_t max, uint64_t *ret_value)
{
        const XmlNode *found = xml_find(node, path);
        const char *text = xml_text(found);
        int r;

        if (!found)
                return -ENOENT;
        r = text ? parse_uint64(text, 0, max, ret_value) : -EBADMSG;
        return r == -EINVAL ? -EBADMSG : r;
}

bool xml_is_true_at(const XmlNode *node, const char *path)
{
        const char *text = xml_text_at(node, path);

        return text && (strcmp(text, "true") == 0 || strcmp(text, "1") == 0);
}

static const char *attribute_text(const xmlAttr *attribute)
{
        const xmlNode *value = attribute->children;

        return value && value->type == XML_TEXT_NODE && !value->next ? (const char *) value->content
                                                                     : "";
}

const char *xml_type(const XmlNode *node)
{
        const char *text, *colon;

        for (const xmlAttr *a = node ? node->properties : NULL; a; a = a->next)
                if (a->ns && strcmp((const char *) a->name, "type") == 0 &&
                    strcmp((const char *) a->ns->href, XSI_NAMESPACE) == 0) {
                        text = attribute_text(a);
                        colon = strrchr(text, ':');
                        return colon ? colon + 1 : text;
                }
        return "";
}

const char *xml_reference_type(const XmlNode *node)
{
        for (const xmlAttr *a = node ? node->properties : NULL; a; a = a->next)
                if (!a->ns && strcmp((const char *) a->name, "type") == 0)
                        return attribute_text(a);
        return "";
}

static bool is_control(char c)
{
        return ((unsigned char) c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
}

/* U+FFFE and U+FFFF are the only ones of valid UTF-8 beyond ASCII that XML does not have. */
static bool is_noncharacter(const char *c)
{
        return (unsigned char) c[0] == 0xef && (unsigned char) c[1] == 0xbf &&
               ((unsigned char) c[2] == 0xbe || (unsigned char) c[2] == 0xbf);
}

bool xml_can_say(const char *text)
{
        if (!utf8_is_valid(text))
                return false;
        for (; *text; text++)
                if (is_control(*text) || is_noncharacter(text))
                        return false;
        return true;
}

size_t xml_escape(const char *text, size_t size, char *ret_text)
{
        static const struct {
                char c;
                const char *as;
        } escapes[] = {
                { '&', "&amp;" },  { '<', "&lt;" },   { '>', "&gt;" },   { '"', "&quot;" },
                { '\'', "&#39;" }, { '\r', "&#13;" }, { '\n', "&#10;" }, { '\t', "&#9;" },
        };
        char *to = ret_text;

        for (size_t i = 0; i < size; i++) {
                const char *as = NULL;

                for (size_t k = 0; k < ELEMENTSOF(escapes) && !as; k++)
                        if (text[i] == escapes[k].c)
                                as = escapes[k].as;
                if (as) {
                        (void) memcpy(to, as, strlen(as));
                        to += strlen(as);
                } else
                        *to++ = is_control(text[i]) ? '?' : text[i];
        }
        *to = '\0';
        return (size_t) (to - ret_text);
}

size_t xml_append(char *buffer, size_t size, size_t at, const char *text)
{
        size_t n = strlen(text);

        if (n > size - 1 - at)
                n = size - 1 - at;
        (void) memcpy(buffer + at, text, n);
        buffer[at + n] = '\0';
        return at + n;
}

void xml_put(FILE *f, const char *text)
{
        char one[XML_ESCAPED_MAX + 1];
        bool is_valid = utf8_is_valid(text);

        for (; *text; text++) {
                if (!is_valid && (unsigned char) *text >= 0x80)
                        (void) fputc('?', f);
                else
                        (void) fwrite(one, 1, xml_escape(text, 1, one), f);
        }
}
