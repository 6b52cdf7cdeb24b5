/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/vsphere/xml and xml-reader: bounds, and what stops the reading of an answer, in pieces of every size; elements that are taken out
 * while it comes; what is read of a tree, and what is written into one.
 */
#include "unit.h"

#include "cleanup.h"
#include "xml-pieces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XSI "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "

static int parse_pieces(const char *text, size_t piece)
{
        CLEANUP(xml_free_p) XmlDocument *document = NULL;

        return xml_pieces_read(text, piece, NULL, &document);
}

/* However it comes, it is the same. */
static int parse(const char *text)
{
        int r = parse_pieces(text, SIZE_MAX);

        for (size_t piece = 1; piece <= 16; piece++)
                assert_int_equal(parse_pieces(text, piece), r);
        return r;
}

static int parse_nested(unsigned depth)
{
        _cleanup_free_ char *text = calloc(depth + 1, 8);
        size_t at = 0;

        assert_non_null(text);
        for (unsigned i = 0; i < depth; i++)
                at = xml_append(text, (depth + 1) * 8UL, at, "<a>");
        for (unsigned i = 0; i < depth; i++)
                at = xml_append(text, (depth + 1) * 8UL, at, "</a>");
        return parse_pieces(text, 1000);
}

/* The layers of a disk, as vCenter shows them in a list of VMs. */
static int parse_layers(unsigned n)
{
        static const char above
                        [] = "<Envelope><Body><r><returnval><objects><propSet><val><d><backing>",
                   below[] = "</backing></d></val></propSet></objects></returnval></r></Body>"
                             "</Envelope>";
        const size_t size = n * 64UL + sizeof(above) + sizeof(below);
        _cleanup_free_ char *text = calloc(1, size);
        size_t at;

        assert_non_null(text);
        at = xml_append(text, size, 0, above);
        for (unsigned i = 0; i < n; i++)
                at = xml_append(text, size, at, "<parent>");
        at = xml_append(text, size, at, "<keyId><providerId><id>k</id></providerId></keyId>");
        for (unsigned i = 0; i < n; i++)
                at = xml_append(text, size, at, "</parent>");
        (void) xml_append(text, size, at, below);
        return parse_pieces(text, 1000);
}

static int parse_many(unsigned n)
{
        const size_t size = (n + 4) * 5UL;
        _cleanup_free_ char *text = calloc(1, size);
        size_t at;

        assert_non_null(text);
        at = xml_append(text, size, 0, "<x>");
        for (unsigned i = 1; i < n; i++)
                at = xml_append(text, size, at, "<y/>");
        (void) xml_append(text, size, at, "</x>");
        return parse_pieces(text, 16384);
}

static void xml_bounds(void **state)
{
        (void) state;
        assert_int_equal(parse("<a>b</a>"), 0);
        assert_int_equal(parse("<a>"), -EBADMSG);
        assert_int_equal(parse(""), -EBADMSG);
        assert_int_equal(parse("<a>&lt;&#65;</a>"), 0);
        assert_int_equal(parse("<a>&unknown;</a>"), -EBADMSG);
        assert_int_equal(parse("<a>\x01</a>"), -EBADMSG);
        assert_int_equal(parse("<a>\xff</a>"), -EBADMSG);
        assert_int_equal(parse("<a>ü\xe2\x82\xac\xf0\x9f\x92\xbe]]</a>"), 0);
        assert_int_equal(parse("<a>\xe2\x82</a>"), -EBADMSG);
        assert_int_equal(parse("\xef\xbb\xbf<a/>"), 0);
        assert_int_equal(parse("\xef\xbb<a/>"), -EBADMSG);
        assert_int_equal(parse("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<a>b\r\n</a>\r\n"),
                         0);
        assert_int_equal(parse("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xfc</a>"),
                         -EBADMSG);
        assert_int_equal(parse("<a/><b/>"), -EBADMSG);
        assert_int_equal(parse("<a/>text"), -EBADMSG);
        assert_int_equal(parse("<!DOCTYPE a><a/>"), -EPERM);
        assert_int_equal(parse("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>"), -EPERM);
        assert_int_equal(parse("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"), -EPERM);
        assert_int_equal(parse("<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"c\">"
                               "<!ENTITY d \"&b;&b;&b;&b;\">]><a>&d;</a>"),
                         -EPERM);
        assert_int_equal(parse_nested(XML_DEPTH_MAX), 0);
        assert_int_equal(parse_nested(XML_DEPTH_MAX + 1), -ELOOP);
        assert_int_equal(parse_nested(100000), -ELOOP);
        assert_int_equal(parse_layers(240), 0);
        assert_int_equal(parse_layers(255), -ELOOP);
        assert_int_equal(parse_many(XML_ELEMENTS_MAX), 0);
        assert_int_equal(parse_many(XML_ELEMENTS_MAX + 1), -E2BIG);
}

/* A text longer than libxml2 takes, in an answer that is still growing, and one beyond all bounds. */
static void xml_is_bounded(void **state)
{
        CLEANUP(xml_reader_free_p) XmlReader *reader = NULL, *large = NULL;
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        enum { MIB = 1024 * 1024 };
        _cleanup_free_ char *blanks = malloc(MIB);

        (void) state;
        assert_non_null(blanks);
        memset(blanks, ' ', MIB);
        assert_int_equal(xml_reader_new(NULL, &reader), 0);
        xml_reader_feed(reader, "<a>", 3);
        for (unsigned i = 0; i < XML_SIZE_MAX / MIB - 1; i++)
                xml_reader_feed(reader, blanks, MIB);
        xml_reader_feed(reader, "</a>", 4);
        assert_int_equal(xml_reader_end(reader, &document), -EFBIG);

        assert_int_equal(xml_reader_new(NULL, &large), 0);
        xml_reader_feed(large, "<a/>", 4);
        for (unsigned i = 0; i < XML_SIZE_MAX / MIB; i++)
                xml_reader_feed(large, blanks, MIB);
        assert_int_equal(xml_reader_end(large, &document), -EFBIG);
}

/* What is taken, as text. */
typedef struct Taken {
        char text[256];
        size_t at;
        unsigned n_begun;
} Taken;

static void begin_taking(void *userdata)
{
        Taken *taken = userdata;

        taken->at = 0;
        taken->n_begun++;
}

static void take_one(void *userdata, const XmlNode *element)
{
        Taken *taken = userdata;

        taken->at = xml_append(taken->text, sizeof(taken->text), taken->at,
                               xml_text_at(element, "v") ?: "");
        taken->at = xml_append(taken->text, sizeof(taken->text), taken->at, " ");
}

/* Elements of a list are given away and leave nothing; what is beside them, and what only looks like them, stays. */
static void xml_takes(void **state)
{
        static const char *const path[] = { "a", "list", "item", NULL };
        Taken taken = {};
        const XmlEach each = {
                .path = path, .begin = begin_taking, .take = take_one, .userdata = &taken
        };
        const char *text =
                        "<n:a xmlns:n=\"x\"> <item><v>not</v></item>\n <list>\n  <first>1</first>\n"
                        "  <item><v>one</v></item>\n  <n:item q=\"1\"><v>t<!-- cut -->wo</v> "
                        "<w/></n:item>"
                        "long enough for memory of its "
                        "own<item><v><item><v>inner</v></item></v></item>"
                        "<item xmlns=\"y\"><v>&#52;</v></item> <last>9</last></list>"
                        "<other><item><v>nor</v></item></other><list><item><v>five</v></item></"
                        "list></n:a>";

        (void) state;
        for (size_t piece = 1; piece <= strlen(text); piece++) {
                CLEANUP(xml_free_p) XmlDocument *document = NULL;
                const XmlNode *list;

                assert_int_equal(xml_pieces_read(text, piece, &each, &document), 0);
                assert_string_equal(taken.text, "one two  4 five ");
                assert_int_equal(taken.n_begun, piece);
                list = xml_child(xml_root(document), "list");
                assert_null(xml_child(list, "item"));
                assert_string_equal(xml_text_at(list, "first"), "1");
                assert_string_equal(xml_text_at(list, "last"), "9");
                assert_string_equal(xml_text_at(xml_root(document), "item/v"), "not");
                assert_string_equal(xml_text_at(xml_root(document), "other/item/v"), "nor");
        }
}

static void xml_reads(void **state)
{
        CLEANUP(xml_free_p) XmlDocument *document = NULL;
        const char *text = "<a " XSI
                           "xsi:type=\"ns:Kind\" type=\"Plain\"><b>1<!-- cut -->2</b><c><d/></c>"
                           "<n>18446744073709551615</n><m>-1</m><t>true</t></a>";
        uint64_t n = 0;

        (void) state;
        assert_int_equal(xml_pieces_read(text, SIZE_MAX, NULL, &document), 0);
        assert_string_equal(xml_type(xml_root(document)), "Kind");
        assert_string_equal(xml_reference_type(xml_root(document)), "Plain");
        assert_string_equal(xml_text_at(xml_root(document), "b"), "12");
        assert_string_equal(xml_text_at(xml_root(document), "c/d"), "");
        assert_null(xml_text_at(xml_root(document), "c"));
        assert_null(xml_text_at(xml_root(document), "c/e"));
        assert_int_equal(xml_uint64_at(xml_root(document), "n", UINT64_MAX, &n), 0);
        assert_true(n == UINT64_MAX);
        assert_int_equal(xml_uint64_at(xml_root(document), "n", INT64_MAX, &n), -ERANGE);
        assert_int_equal(xml_uint64_at(xml_root(document), "m", INT64_MAX, &n), -EBADMSG);
        assert_int_equal(xml_uint64_at(xml_root(document), "x", INT64_MAX, &n), -ENOENT);
        assert_true(xml_is_true_at(xml_root(document), "t"));
}

static void xml_escapes(void **state)
{
        char text[64];

        (void) state;
        (void) xml_escape("a&<>\"'\r\n\t\x01z", 11, text);
        assert_string_equal(text, "a&amp;&lt;&gt;&quot;&#39;&#13;&#10;&#9;?z");
        assert_true(xml_can_say("ü\t&"));
        assert_false(xml_can_say("\x01"));
        assert_false(xml_can_say("\x7f"));
        assert_false(xml_can_say("\xff"));
        assert_false(xml_can_say("\xef\xbf\xbf"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(xml_bounds),  cmocka_unit_test(xml_is_bounded),
                cmocka_unit_test(xml_takes),   cmocka_unit_test(xml_reads),
                cmocka_unit_test(xml_escapes),
        };

        return RUN_TESTS(tests);
}
