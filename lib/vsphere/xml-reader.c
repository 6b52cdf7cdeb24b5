/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strict XML on libxml2's push parser (see xml-reader.h): what is too deep, too much or declares a type stops the parser at once, before
 * it has built anything of it.
 */
#include "vsphere/xml-reader.h"

#include <errno.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <string.h>

enum {
        PIECE_MAX = 64 * 1024,
        TEXT_MAX = 8 * 1024 *
                   1024, /* libxml2 takes 10 million bytes, and says of more only that memory is short */
};

/* May stand before a text in UTF-8, and says nothing. */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

struct XmlReader {
        xmlParserCtxt *parser;
        const XmlEach *each;
        size_t size;
        unsigned n_mark; /* bytes of the mark that came */
        size_t text_size; /* of the text that is coming */
        unsigned depth, n_elements;
        unsigned n_path; /* names of each->path; 0: nothing is taken */
        unsigned n_matched; /* of them, that are open */
        int error;
};

static XmlReader *reader_of(void *parser)
{
        return ((xmlParserCtxt *) parser)->_private;
}

static void stop(XmlReader *reader, int error)
{
        if (reader->error == 0)
                reader->error = error;
        xmlStopParser(reader->parser);
}

static void on_doctype(void *parser, const xmlChar *name, const xmlChar *id, const xmlChar *system)
{
        (void) name;
        (void) id;
        (void) system;
        stop(reader_of(parser), -EPERM);
}

static void on_start(void *parser, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int n_namespaces, const xmlChar **namespaces, int n_attributes,
                     int n_defaulted, const xmlChar **attributes)
{
        XmlReader *reader = reader_of(parser);

        if (reader->error < 0)
                return;
        reader->text_size = 0;
        if (reader->n_matched == reader->depth && reader->n_matched < reader->n_path &&
            strcmp((const char *) name, reader->each->path[reader->n_matched]) == 0)
                reader->n_matched++;
        if (++reader->depth > XML_DEPTH_MAX)
                stop(reader, -ELOOP);
        else if (++reader->n_elements > XML_ELEMENTS_MAX)
                stop(reader, -E2BIG);
        else
                xmlSAX2StartElementNs(parser, name, prefix, uri, n_namespaces, namespaces,
                                      n_attributes, n_defaulted, attributes);
}

static void on_end(void *parser, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
        XmlReader *reader = reader_of(parser);
        xmlNode *node = reader->parser->node;
        bool is_taken;

        if (reader->error < 0)
                return;
        is_taken = reader->n_path > 0 && reader->depth == reader->n_path &&
                   reader->n_matched == reader->n_path;
        reader->text_size = 0;
        reader->depth--;
        if (reader->n_matched > reader->depth)
                reader->n_matched = reader->depth;
        xmlSAX2EndElementNs(parser, name, prefix, uri);
        if (!is_taken || !node)
                return;
        reader->each->take(reader->each->userdata, node);
        xmlUnlinkNode(node);
        xmlFreeNode(node);
}

/* libxml2 adds to a text as if nothing could have gone from behind it, so beside what is taken there must be none. */
static void on_text(void *parser, const xmlChar *text, int size)
{
        XmlReader *reader = reader_of(parser);

        if (reader->error < 0 || (reader->n_path > 0 && reader->depth == reader->n_path - 1 &&
                                  reader->n_matched == reader->depth))
                return;
        reader->text_size += (size_t) size;
        if (reader->text_size > TEXT_MAX)
                stop(reader, -EFBIG);
        else
                xmlSAX2Characters(parser, text, size);
}

static void on_error(void *parser, const char *format, ...)
{
        (void) parser;
        (void) format;
}

static void set_callbacks(xmlSAXHandler *sax)
{
        sax->internalSubset = on_doctype;
        sax->externalSubset = on_doctype;
        sax->startElementNs = on_start;
        sax->endElementNs = on_end;
        sax->characters = on_text;
        sax->ignorableWhitespace = on_text;
        sax->comment = NULL; /* so that they cannot cut a text in two */
        sax->processingInstruction = NULL;
        sax->warning = on_error;
        sax->error = on_error;
        sax->serror = NULL;
}

int xml_reader_new(const XmlEach *each, XmlReader **ret_reader)
{
        CLEANUP(xml_reader_free_p) XmlReader *reader = malloc(sizeof(XmlReader));

        if (!reader)
                return -ENOMEM;
        *reader = (XmlReader){ .each = each,
                               .parser = xmlCreatePushParserCtxt(NULL, NULL, NULL, 0, NULL) };
        if (!reader->parser)
                return -ENOMEM;
        reader->parser->_private = reader;
        (void) xmlCtxtUseOptions(reader->parser,
                                 XML_PARSE_NONET | XML_PARSE_NOCDATA | XML_PARSE_COMPACT |
                                                 XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                                 XML_PARSE_IGNORE_ENC);
        set_callbacks(reader->parser->sax);
        if (xmlSwitchEncoding(reader->parser, XML_CHAR_ENCODING_UTF8) < 0)
                return -ENOMEM;
        while (each && each->path[reader->n_path])
                reader->n_path++;
        if (each)
                each->begin(each->userdata);
        *ret_reader = TAKE(reader);
        return 0;
}

XmlReader *xml_reader_free(XmlReader *reader)
{
        if (!reader)
                return NULL;
        if (reader->parser) {
                xmlFreeDoc(reader->parser->myDoc);
                xmlFreeParserCtxt(reader->parser);
        }
        free(reader);
        return NULL;
}

/* How much of it is the mark, of which a part may have come before. */
static size_t skip_mark(XmlReader *reader, const char *data, size_t size)
{
        size_t n = 0;

        if (reader->size > reader->n_mark)
                return 0;
        while (n < size && reader->n_mark < strlen(BYTE_ORDER_MARK) &&
               data[n] == BYTE_ORDER_MARK[reader->n_mark]) {
                reader->n_mark++;
                n++;
        }
        if (n < size && reader->n_mark > 0 && reader->n_mark < strlen(BYTE_ORDER_MARK))
                stop(reader, -EBADMSG);
        return n;
}

void xml_reader_feed(XmlReader *reader, const char *data, size_t size)
{
        size_t n = skip_mark(reader, data, size);

        if (size > XML_SIZE_MAX - reader->size) {
                stop(reader, -EFBIG);
                return;
        }
        reader->size += size;
        for (; n < size && reader->error == 0; n += PIECE_MAX)
                (void) xmlParseChunk(reader->parser, data + n,
                                     (int) (size - n < PIECE_MAX ? size - n : PIECE_MAX), 0);
}

int xml_reader_end(XmlReader *reader, XmlDocument **ret_document)
{
        xmlParserCtxt *parser = reader->parser;

        if (reader->error == 0)
                (void) xmlParseChunk(parser, NULL, 0, 1);
        if (reader->error < 0)
                return reader->error;
        /* Without memory libxml2 gives up in the middle, and calls what there is well-formed. */
        if (parser->errNo == XML_ERR_NO_MEMORY)
                return -ENOMEM;
        if (parser->disableSAX || !parser->wellFormed || !parser->myDoc ||
            !xmlDocGetRootElement(parser->myDoc))
                return -EBADMSG;
        *ret_document = TAKE(parser->myDoc);
        return 0;
}
