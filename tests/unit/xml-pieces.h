/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For tests of what reads XML: a text as it comes from a peer that sends so much at a time.
 */
#pragma once

#include "vsphere/xml-reader.h"

/* piece: SIZE_MAX is all at once. each may be NULL. What xml_reader_end() says. */
int xml_pieces_read(const char *text, size_t piece, const XmlEach *each,
                    XmlDocument **ret_document);
