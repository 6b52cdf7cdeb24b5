/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a column *_sealed holds, for tests that look for it elsewhere: `unseal HEX` with the hub's master key in
 * $CREDENTIALS_DIRECTORY prints the secret.
 */
#include "cleanup.h"
#include "log.h"
#include "seal.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char *argv[])
{
        CLEANUP(secret_free_p) Secret *key = NULL, *secret = NULL;
        int r;

        log_open("unseal");
        r = seal_key_read(SEAL_KEY_CREDENTIAL, &key);
        if (r >= 0)
                r = unseal(key, argc == 2 ? argv[1] : "", &secret);
        if (r < 0)
                return log_error(r, "Cannot unseal it: %m"), EXIT_FAILURE;
        return fputs(secret_data(secret), stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
