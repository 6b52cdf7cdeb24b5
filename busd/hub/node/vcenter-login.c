/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A row of a vCenter as the login of a request (see vcenter-login.h).
 */
#include "node/vcenter-login.h"

#include "cleanup.h"
#include "seal.h"
#include "secret.h"

#include <errno.h>

int vcenter_login_add(const Secret *key, const json_t *row, json_t *body)
{
        const char *sealed = json_string_value(json_object_get(row, "PasswordSealed"));
        json_t *host = json_object_get(row, "Host"), *port = json_object_get(row, "Port");
        json_t *user = json_object_get(row, "User");
        json_t *pin = json_object_get(row, "CertificateSha256");
        CLEANUP(secret_free_p) Secret *password = NULL;
        int r;

        if (!key)
                return -ENOKEY;
        if (!sealed || !json_is_string(host) || !json_is_integer(port) || !json_is_string(user))
                return -EBADMSG;
        r = unseal(key, sealed, &password);
        if (r < 0)
                return r;
        if (json_object_set(body, "vcenter_host", host) < 0 ||
            json_object_set(body, "vcenter_port", port) < 0 ||
            json_object_set(body, "vcenter_user", user) < 0 ||
            (pin && json_object_set(body, "pin_sha256", pin) < 0) ||
            json_object_set_new(body, "vcenter_password",
                                json_stringn(secret_data(password), secret_size(password))) < 0)
                return -ENOMEM;
        return 0;
}
