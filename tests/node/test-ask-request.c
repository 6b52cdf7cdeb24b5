/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * busd/node/ask-request: what each question must hold, what it becomes for sendense-vsphere, and that the password is in none.
 */
#include "unit.h"

#include "ask-request.h"
#include "cleanup.h"
#include "json-cleanup.h"

#include <errno.h>
#include <string.h>

#define PIN                                                                                       \
        "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:" \
        "77:88:99"
#define LOGIN                                                                             \
        "\"vcenter_host\":\"vc\",\"vcenter_port\":8443,\"vcenter_user\":\"u\",\"vcenter_" \
        "password\":"                                                                     \
        "\"geheim\",\"pin_sha256\":\"" PIN "\""

static int read_text(AskKind kind, const char *text, AskRequest *ret_request,
                     char error[static REQUEST_ERROR_SIZE])
{
        return ask_request_read(kind, text, strlen(text), "vddk", ret_request, error);
}

static void words(void **state)
{
        (void) state;
        for (size_t i = 0; i < ASK_KIND_MAX; i++)
                assert_int_equal(ask_kind_from_string(ask_kind_to_string((AskKind) i)), i);
        assert_int_equal(ask_kind_from_string("snapshot"), ASK_KIND_INVALID);
        assert_int_equal(ask_kind_from_string(""), ASK_KIND_INVALID);
        assert_null(ask_kind_to_string(ASK_KIND_MAX));
}

static void becomes(AskKind kind, const char *text, const char *spec)
{
        CLEANUP(json_decref_p) json_t *wanted = json_loads(spec, 0, NULL);
        CLEANUP(ask_request_done) AskRequest request = {};
        char error[REQUEST_ERROR_SIZE] = "", *dumped;

        assert_non_null(wanted);
        if (read_text(kind, text, &request, error) < 0)
                fail_msg("%s: %s", text, error);
        dumped = json_dumps(request.spec, JSON_SORT_KEYS);
        if (!json_equal(request.spec, wanted))
                fail_msg("%s instead of %s", dumped, spec);
        assert_null(strstr(dumped, "geheim"));
        free(dumped);
        if (kind == ASK_CERTIFICATE)
                assert_null(request.password);
        else
                assert_string_equal(secret_data(request.password), "geheim");
}

static void specs(void **state)
{
        static const char vcenter[] =
                        "\"vcenter\":{\"host\":\"vc\",\"port\":8443,\"user\":\"u\","
                        "\"password_credential\":\"vcenter\",\"pin_sha256\":\"" PIN "\"}";
        char spec[1024];

        (void) state;
        becomes(ASK_CERTIFICATE, "{\"vcenter_host\":\"vc\"}", "{\"host\":\"vc\"}");
        becomes(ASK_CERTIFICATE, "{\"vcenter_host\":\"vc\",\"vcenter_port\":1,\"ca_file\":\"/c\"}",
                "{\"host\":\"vc\",\"port\":1,\"ca_file\":\"/c\"}");
        (void) snprintf(spec, sizeof(spec), "{%s}", vcenter);
        becomes(ASK_TEST, "{" LOGIN "}", spec);
        (void) snprintf(spec, sizeof(spec), "{%s,\"transport\":\"vddk\"}", vcenter);
        becomes(ASK_DISCOVER, "{" LOGIN "}", spec);
        (void) snprintf(spec, sizeof(spec), "{%s,\"transport\":\"vddk\",\"name\":\"w\"}", vcenter);
        becomes(ASK_DISCOVER, "{" LOGIN ",\"name\":\"w\"}", spec);
        (void) snprintf(spec, sizeof(spec),
                        "{%s,\"transport\":\"vddk\",\"instance_uuid\":\"5\",\"path\":\"/a\"}",
                        vcenter);
        becomes(ASK_DISCOVER, "{" LOGIN ",\"instance_uuid\":\"5\",\"path\":\"/a\"}", spec);
}

static void refusals(void **state)
{
        static const struct {
                AskKind kind;
                const char *text, *word;
        } bad[] = {
                { ASK_CERTIFICATE, "", "JSON" },
                { ASK_CERTIFICATE, "[]", "JSON" },
                { ASK_CERTIFICATE, "{}", "vcenter_host" },
                { ASK_CERTIFICATE, "{\"vcenter_host\":7}", "vcenter_host" },
                { ASK_CERTIFICATE, "{\"vcenter_host\":\"a b\"}", "vcenter_host" },
                { ASK_CERTIFICATE, "{\"vcenter_host\":\"vc\",\"vcenter_port\":65536}",
                  "vcenter_port" },
                { ASK_CERTIFICATE, "{\"vcenter_host\":\"vc\",\"vcenter_user\":\"u\"}",
                  "vcenter_user" },
                { ASK_CERTIFICATE, "{" LOGIN "}", "vcenter_" },
                { ASK_TEST, "{\"vcenter_host\":\"vc\",\"vcenter_user\":\"u\"}",
                  "vcenter_password" },
                { ASK_TEST, "{\"vcenter_host\":\"vc\",\"vcenter_password\":\"geheim\"}",
                  "vcenter_user" },
                { ASK_TEST, "{" LOGIN ",\"path\":\"/a\"}", "path" },
                { ASK_TEST, "{" LOGIN ",\"vcenter_user\":\"v\"}", "JSON" },
                { ASK_DISCOVER, "{" LOGIN ",\"name\":\"\"}", "name" },
                { ASK_DISCOVER, "{" LOGIN ",\"surprise\":1}", "surprise" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                AskRequest request = {};
                char error[REQUEST_ERROR_SIZE] = "";

                assert_int_equal(read_text(bad[i].kind, bad[i].text, &request, error), -EBADMSG);
                if (!strstr(error, bad[i].word))
                        fail_msg("%s: '%s' does not name %s", bad[i].text, error, bad[i].word);
                assert_null(strstr(error, "geheim"));
                assert_null(request.spec);
                assert_null(request.password);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(words),
                cmocka_unit_test(specs),
                cmocka_unit_test(refusals),
        };

        return RUN_TESTS(tests);
}
