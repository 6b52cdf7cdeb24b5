/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads who logs in where (see login-spec.h).
 */
#include "vsphere/login-spec.h"

#include "bus/bus-error.h"
#include "host-name.h"
#include "json-fields.h"
#include "utf8.h"

#include <errno.h>
#include <string.h>

enum {
        PASSWORD_MAX = 1024,
        USER_MAX = 255,
};

static const JsonField fields[] = {
        { .key = "host",
          .kind = JSON_FIELD_TEXT,
          .min = 1,
          .max = HOST_NAME_MAX_LENGTH,
          .is_valid = host_name_is_valid,
          .must = HOST_NAME_MUST },
        { .key = "port", .kind = JSON_FIELD_NUMBER, .optional = true, .min = 1, .max = 65535 },
        { .key = "user",
          .kind = JSON_FIELD_TEXT,
          .min = 1,
          .max = USER_MAX,
          .is_valid = utf8_is_line,
          .must = "a text without control characters" },
        { .key = "password_credential",
          .kind = JSON_FIELD_TEXT,
          .optional = true,
          .min = 1,
          .max = CREDENTIAL_NAME_MAX },
        { .key = "ca_file", .kind = JSON_FIELD_TEXT, .optional = true, .min = 1, .max = 4095 },
        { .key = "pin_sha256", .kind = JSON_FIELD_TEXT, .optional = true, .min = 64, .max = 95 },
};

static int strip_line_feed(Secret *whole, Secret **ret_password)
{
        size_t size = secret_size(whole);
        int r;

        if (secret_data(whole)[size - 1] != '\n') {
                *ret_password = whole;
                return 0;
        }
        r = secret_new(secret_data(whole), size - 1, ret_password);
        (void) secret_free(whole);
        return r;
}

static int read_password(const char *credential, const char *password_file, Secret **ret_password,
                         VSphereError *error)
{
        Secret *whole = NULL;
        const char *what = password_file ? "the password file" : "the credential";
        int r;

        r = password_file ? secret_read_file(password_file, PASSWORD_MAX, &whole)
                          : secret_read_credential(credential, PASSWORD_MAX, &whole);
        if (r >= 0)
                r = strip_line_feed(whole, ret_password);
        if (r >= 0)
                return 0;
        if (r == -ENODATA)
                return vsphere_error_set(error, BUS_ERROR_INVALID_ARGUMENT, "%s '%s' is empty",
                                         what, password_file ? password_file : credential);
        if (r == -EPERM)
                return vsphere_error_set(
                                error, BUS_ERROR_INVALID_ARGUMENT,
                                "%s '%s' is not private: chmod 0600, and owned by who runs this",
                                what, password_file ? password_file : credential);
        return vsphere_error_set(error, BUS_ERROR_INVALID_ARGUMENT, "%s '%s' cannot be read: %s",
                                 what, password_file ? password_file : credential,
                                 r == -ENXIO ? "the unit has no credentials" : strerror(-r));
}

int login_spec_read(const json_t *vcenter, const char *password_file, LoginSpec *ret_spec,
                    VSphereError *error)
{
        char why[JSON_FIELDS_ERROR_SIZE];
        const char *credential;
        Secret *password = NULL;
        int r;

        if (vcenter && json_object_get(vcenter, "password"))
                return vsphere_error_set(error, BUS_ERROR_INVALID_ARGUMENT,
                                         "no password belongs into a spec: name a credential in "
                                         "\"password_credential\"");
        if (json_fields_check(vcenter, fields, ELEMENTSOF(fields), "vcenter", why) < 0)
                return vsphere_error_set(error, BUS_ERROR_INVALID_ARGUMENT, "%s", why);
        credential = json_field_text(vcenter, "password_credential");
        if (!credential && !password_file)
                return vsphere_error_set(error, BUS_ERROR_INVALID_ARGUMENT,
                                         "vcenter: \"password_credential\" is missing, and no "
                                         "--password-file is given");
        r = read_password(credential, password_file, &password, error);
        if (r < 0)
                return r;
        *ret_spec = (LoginSpec){
                .password = password,
                .login = { .host = json_field_text(vcenter, "host"),
                           .port = (uint16_t) json_field_number(vcenter, "port"),
                           .user = json_field_text(vcenter, "user"),
                           .password = password,
                           .ca_file = json_field_text(vcenter, "ca_file"),
                           .pin_sha256 = json_field_text(vcenter, "pin_sha256") },
        };
        return 0;
}

void login_spec_done(LoginSpec *spec)
{
        (void) secret_free(spec->password);
        *spec = (LoginSpec){};
}
