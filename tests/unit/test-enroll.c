/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pure rooms of the enrolment: the file of a private key is one that libssh reads and means the same key, and an answer of the
 * hub's is read strictly.
 */
#include "unit.h"

#include "answer.h"
#include "cleanup.h"
#include "key-file.h"

#include <errno.h>
#include <libssh/libssh.h>
#include <stdlib.h>
#include <string.h>

#define SHA  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define REST "\"reverse_port\":9081,\"ports\":\"10100-10200\",\"api_token_sha256\":\"" SHA "\"}"
#define GOOD "{\"protocol\":1,\"name\":\"edge1\"," REST

static void key_files(void **state)
{
        unsigned char seed[PUBLIC_KEY_SEED_SIZE];

        (void) state;
        /* All byte values at all places. */
        for (unsigned i = 0; i < 256; i++) {
                CLEANUP(secret_free_p) Secret *text = NULL;
                char wanted[PUBLIC_KEY_TEXT_SIZE], *base64 = NULL;
                ssh_key key = NULL;
                PublicKey public_key;

                memset(seed, (int) i, sizeof(seed));
                assert_int_equal(key_file_format(seed, &text), 0);
                assert_int_equal(ssh_pki_import_privkey_base64(secret_data(text), NULL, NULL, NULL,
                                                               &key),
                                 SSH_OK);
                assert_int_equal(ssh_pki_export_pubkey_base64(key, &base64), SSH_OK);
                assert_int_equal(public_key_of_seed(seed, &public_key), 0);
                public_key_format(&public_key, wanted);
                assert_string_equal(base64, strchr(wanted, ' ') + 1);
                ssh_string_free_char(base64);
                ssh_key_free(key);
        }
}

static void answers(void **state)
{
        char error[ANSWER_ERROR_SIZE];
        Answer answer = {};

        (void) state;
        assert_int_equal(answer_parse(GOOD, strlen(GOOD), &answer, error), 0);
        assert_string_equal(answer.name, "edge1");
        assert_int_equal(answer.reverse_port, 9081);
        assert_int_equal(answer.ports.first, 10100);
        assert_int_equal(answer.ports.last, 10200);
        assert_string_equal(answer.api_token_sha256, SHA);
        assert_int_equal(answer_parse(GOOD "\n", strlen(GOOD) + 1, &answer, error), 0);
}

static void no_answers(void **state)
{
        static const char *const bad[] = {
                "",
                "Welcome\n" GOOD,
                GOOD GOOD,
                "[]",
                "{\"protocol\":2,\"name\":\"edge1\"," REST,
                "{\"protocol\":1,\"name\":\"edge1\\n[Tunnel]\"," REST,
                "{\"protocol\":1,\"name\":\"edge1\",\"reverse_port\":0,\"ports\":\"1-2\","
                "\"api_token_sha256\":\"" SHA "\"}",
                "{\"protocol\":1,\"name\":\"edge1\",\"reverse_port\":1,\"ports\":\"1-2\\nX=1\","
                "\"api_token_sha256\":\"" SHA "\"}",
                "{\"protocol\":1,\"name\":\"edge1\",\"reverse_port\":1,\"ports\":\"1-2\","
                "\"api_token_sha256\":\"" SHA "0\"}",
                "{\"protocol\":1,\"name\":\"edge1\",\"reverse_port\":1,\"ports\":\"1-2\"}",
        };
        static const char refusal[] = "{\"error\":{\"name\":\"com.sendense.Error.TokenInvalid\","
                                      "\"text\":\"no such\\u001b[1m token\"}}";
        char error[ANSWER_ERROR_SIZE];
        Answer answer = {};

        (void) state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_equal(answer_parse(bad[i], strlen(bad[i]), &answer, error), -EBADMSG);
        assert_int_equal(answer_parse(refusal, strlen(refusal), &answer, error), -EACCES);
        assert_string_equal(error, "no such?[1m token (com.sendense.Error.TokenInvalid)");
        assert_int_equal(answer_parse("{\"error\":{}}", 12, &answer, error), -EACCES);
        assert_int_equal(answer.reverse_port, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(key_files), cmocka_unit_test(answers),
                                            cmocka_unit_test(no_answers) };

        return RUN_TESTS(tests);
}
