/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/vmdk-descriptor: flat disks as hosts describe them, and one descriptor for each reason to refuse.
 */
#include "unit.h"

#include "cleanup.h"
#include "utf8.h"
#include "vmdk-descriptor.h"

#include <errno.h>
#include <string.h>

#define HEAD   "# Disk DescriptorFile\nversion=1\n"
#define WHOLE  HEAD "CID=fffffffe\nparentCID=ffffffff\ncreateType=\"vmfs\"\n"
#define EXTENT "RW 2048 VMFS \"a-flat.vmdk\"\n"

enum {
        CAPACITY = 1024 * 1024,
};

static int parse(const char *text, VmdkDescriptor *ret, char *error)
{
        return vmdk_descriptor_parse(text, strlen(text), CAPACITY, ret, error);
}

static void flat(void **state)
{
        static const struct {
                const char *text, *extent;
        } texts[] = {
                { WHOLE EXTENT, "a-flat.vmdk" },
                { HEAD
                  "encoding=\"UTF-8\"\nCID=12345678\nparentCID=FFFFFFFF\nisNativeSnapshot=\"no\"\n"
                  "createType=\"vmfs\"\n\n# Extent description\n"
                  "RW 2048 VMFS \"web [01] ü & %25-flat.vmdk\"\n\n"
                  "# Change Tracking File\nchangeTrackPath=\"web-ctk.vmdk\"\n\n"
                  "# The Disk Data Base \n#DDB\n\nddb.adapterType = \"lsilogic\"\n"
                  "ddb.thinProvisioned = \"1\"\nddb.uuid = \"60 00 C2 9b\"\n",
                  "web [01] ü & %25-flat.vmdk" },
                { "# Disk DescriptorFile\r\nversion=3\r\nparentCID=ffffffff\r\n"
                  "createType=\"monolithicFlat\"\r\nRW 2048 FLAT \"a-flat.vmdk\" 0\r\n",
                  "a-flat.vmdk" },
                { HEAD "parentCID = ffffffff\ncreateType = \"vmfsThin\"\n"
                       "  RDONLY\t2048  VMFS\t\"a-flat.vmdk\"  ",
                  "a-flat.vmdk" },
                { WHOLE EXTENT "ddb.iofilters = \"VMW_spm_1.0.0\"\n", "a-flat.vmdk" },
                { WHOLE "RW 2048 VMFS \"a \"b\" 7-flat.vmdk\" 0\n", "a \"b\" 7-flat.vmdk" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                VmdkDescriptor descriptor = {};
                char error[VMDK_ERROR_SIZE] = "";

                if (parse(texts[i].text, &descriptor, error) != 0)
                        fail_msg("%zu: %s", i, error);
                assert_string_equal(descriptor.extent, texts[i].extent);
                assert_int_equal(descriptor.size_bytes, CAPACITY);
                assert_string_equal(error, "");
        }
}

static void refused(void **state)
{
        static const struct {
                const char *text;
                int result;
                const char *error; /* a part of it */
        } texts[] = {
                { "KDMV\1\0\0\0", -EOPNOTSUPP, "a sparse one" },
                { "COWD\1\0\0\0", -EOPNOTSUPP, "a sparse one" },
                { "\xbe\xba\xfe\xca", -EOPNOTSUPP, "a sparse one" },
                { "", -EBADMSG, "not a descriptor" },
                { "<html>", -EBADMSG, "not a descriptor" },
                { HEAD "createType=\"vmfsSparse\"\n", -EOPNOTSUPP, "the type \"vmfsSparse\"" },
                { HEAD "createType=\"seSparse\"\n", -EOPNOTSUPP, "the type \"seSparse\"" },
                { HEAD "createType=\"twoGbMaxExtentFlat\"\n", -EOPNOTSUPP, "not one flat file" },
                { HEAD "createType=\"vmfsPassthroughRawDeviceMap\"\n", -EOPNOTSUPP, "RawDevice" },
                { HEAD "createType=\"\033[2J\"\n", -EBADMSG, "no text" },
                { HEAD "createType=\"\xc2\x9b\"\n", -EOPNOTSUPP, "\"  \"" },
                { HEAD "parentCID=1a2b3c4d\n", -EOPNOTSUPP, "delta of another disk (parent 1a2b" },
                { HEAD "parentFileNameHint=\"a.vmdk\"\n", -EOPNOTSUPP, "delta of another disk" },
                { WHOLE "RW 2048 VMFSSPARSE \"a-000001-delta.vmdk\"\n", -EOPNOTSUPP, "VMFSSPARSE" },
                { WHOLE "RW 2048 SESPARSE \"a-000001-sesparse.vmdk\"\n", -EOPNOTSUPP, "SESPARSE" },
                { WHOLE "RW 2048 SPARSE \"a-s001.vmdk\"\n", -EOPNOTSUPP, "sparse" },
                { WHOLE "RW 2048 VMFSRDM \"a-rdm.vmdk\"\n", -EOPNOTSUPP, "raw device" },
                { WHOLE "RW 2048 ZERO\n", -EOPNOTSUPP, "ZERO" },
                { WHOLE "NOACCESS 2048 VMFS \"a-flat.vmdk\"\n", -EOPNOTSUPP, "NOACCESS" },
                { WHOLE "RW 2048 VMFS \"vsan://8c5b-4a\"\n", -EOPNOTSUPP, "vSAN" },
                { WHOLE "RW 2048 VMFS \"vvol://8c5b-4a/\"\n", -EOPNOTSUPP, "vVol" },
                { WHOLE "RW 2048 VMFS \"http://x/y\"\n", -EOPNOTSUPP, "no file" },
                { WHOLE "RW 2048 VMFS \"/vmfs/volumes/b/a-flat.vmdk\"\n", -EOPNOTSUPP,
                  "another folder" },
                { WHOLE "RW 2048 VMFS \"..\"\n", -EBADMSG, "name of its data file" },
                { WHOLE "RW 2048 VMFS \"\"\n", -EBADMSG, "name of its data file" },
                { WHOLE "RW 2048 VMFS \"\xfc\"\n", -EBADMSG, "name of its data file" },
                { WHOLE "RW 2048 VMFS a-flat.vmdk\n", -EBADMSG, "broken extent" },
                { WHOLE "RW 2048 VMFS \"a-flat.vmdk\n", -EBADMSG, "broken extent" },
                { WHOLE "RW 0 VMFS \"a-flat.vmdk\"\n", -EBADMSG, "broken extent" },
                { WHOLE "RW -1 VMFS \"a-flat.vmdk\"\n", -EBADMSG, "broken extent" },
                { WHOLE "RW 36028797018963968 VMFS \"a-flat.vmdk\"\n", -EBADMSG, "broken extent" },
                { WHOLE "RW 2048 FLAT \"a-flat.vmdk\" x\n", -EBADMSG, "broken extent" },
                { WHOLE "RW 2048 FLAT \"a-flat.vmdk\" 128\n", -EOPNOTSUPP, "at sector 128" },
                { WHOLE EXTENT EXTENT, -EOPNOTSUPP, "several extents" },
                { WHOLE EXTENT "encryption.keySafe = \"vmware:key\"\n", -EOPNOTSUPP, "encrypted" },
                { WHOLE EXTENT "encryption.data=\"AAAA\"\n", -EOPNOTSUPP, "encrypted" },
                { WHOLE EXTENT "ddb.iofilters = \"vmwarevmcrypt\"\n", -EOPNOTSUPP, "encrypted" },
                { WHOLE EXTENT "ddb.iofilters = \"VMW_spm_1.0.0,VMW_vmwarevmcrypt_1.0.0\"\n",
                  -EOPNOTSUPP, "encrypted" },
                { WHOLE EXTENT "ddb.iofilters = \"ACME_cache_1\"\n", -EOPNOTSUPP, "ACME_cache_1" },
                { WHOLE EXTENT "createType=\"vmfs\"\n", -EBADMSG, "type twice" },
                { WHOLE EXTENT "parentCID=ffffffff\n", -EBADMSG, "parent twice" },
                { WHOLE EXTENT "version=1\n", -EBADMSG, "version twice" },
                { "# Disk DescriptorFile\nversion=5\n", -EOPNOTSUPP, "version \"5\"" },
                { "# Disk DescriptorFile\nversion=x\n", -EOPNOTSUPP, "version \"x\"" },
                { WHOLE EXTENT "nonsense\n", -EBADMSG, "no setting" },
                { WHOLE EXTENT "a=\"b\n", -EBADMSG, "broken value of \"a\"" },
                { WHOLE EXTENT "a=\"\n", -EBADMSG, "broken value of \"a\"" },
                { HEAD EXTENT, -EBADMSG, "not whole" },
                { HEAD "parentCID=ffffffff\n" EXTENT, -EBADMSG, "not whole" },
                { HEAD "createType=\"vmfs\"\n" EXTENT, -EBADMSG, "not whole" },
                { WHOLE, -EBADMSG, "not whole" },
                { WHOLE "RW 2047 VMFS \"a-flat.vmdk\"\n", -ERANGE,
                  "1048064 bytes, the virtual machine 1048576" },
                { WHOLE "RW 2049 VMFS \"a-flat.vmdk\"\n", -ERANGE, "1049088" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                VmdkDescriptor descriptor = { .size_bytes = 7 };
                char error[VMDK_ERROR_SIZE] = "", line[VMDK_ERROR_SIZE];

                assert_int_equal(parse(texts[i].text, &descriptor, error), texts[i].result);
                if (!strstr(error, texts[i].error))
                        fail_msg("%zu: \"%s\" has no \"%s\"", i, error, texts[i].error);
                assert_int_equal(descriptor.size_bytes, 7);
                (void) snprintf(line, sizeof(line), "%s", error);
                utf8_make_line(line);
                assert_string_equal(line, error);
        }
}

static void bounds(void **state)
{
        static const char head[] = WHOLE EXTENT "#";
        VmdkDescriptor descriptor = {};
        char error[VMDK_ERROR_SIZE] = "", *text = unit_repeat('x', VMDK_DESCRIPTOR_SIZE_MAX + 1);

        (void) state;
        memcpy(text, head, strlen(head));
        assert_int_equal(vmdk_descriptor_parse(text, VMDK_DESCRIPTOR_SIZE_MAX, CAPACITY,
                                               &descriptor, error),
                         0);
        assert_int_equal(vmdk_descriptor_parse(text, VMDK_DESCRIPTOR_SIZE_MAX + 1, CAPACITY,
                                               &descriptor, error),
                         -EBADMSG);
        text[strlen(head) + 9] = '\0';
        assert_int_equal(vmdk_descriptor_parse(text, VMDK_DESCRIPTOR_SIZE_MAX, CAPACITY,
                                               &descriptor, error),
                         -EBADMSG);
        free(text);
        for (size_t n = VMDK_EXTENT_NAME_SIZE - 1; n <= VMDK_EXTENT_NAME_SIZE; n++) {
                _cleanup_free_ char *long_name = unit_repeat('n', n), *long_text = NULL;

                assert_true(asprintf(&long_text, WHOLE "RW 2048 VMFS \"%s\"\n", long_name) > 0);
                assert_int_equal(parse(long_text, &descriptor, error),
                                 n < VMDK_EXTENT_NAME_SIZE ? 0 : -EBADMSG);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(flat),
                cmocka_unit_test(refused),
                cmocka_unit_test(bounds),
        };

        return RUN_TESTS(tests);
}
