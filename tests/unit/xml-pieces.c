/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * XML in pieces (see xml-pieces.h).
 */
#include "xml-pieces.h"

#include "unit.h"

#include "cleanup.h"

#include <string.h>

int xml_pieces_read(const char *text, size_t piece, const XmlEach *each, XmlDocument **ret_document)
{
        CLEANUP(xml_reader_free_p) XmlReader *reader = NULL;

        assert_int_equal(xml_reader_new(each, &reader), 0);
        for (size_t at = 0, size = strlen(text); at < size; at += piece)
                xml_reader_feed(reader, text + at, size - at < piece ? size - at : piece);
        return xml_reader_end(reader, ret_document);
}
