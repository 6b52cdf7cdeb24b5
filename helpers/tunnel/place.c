/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys (see place.h).
 */
#include "place.h"

#include "cleanup.h"
#include "log.h"
#include "secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
        KEY_FILE_MAX = 16 * 1024,
        PUBLIC_KEY_MAX = 4096,
};

/* What the unit has for a credential whose file is not there. */
#define MISSING "none"

static int read_own_key(ssh_key *ret_key)
{
        CLEANUP(secret_free_p) Secret *text = NULL;
        int r;

        r = secret_read_credential("key", KEY_FILE_MAX, &text);
        if (r == -ENXIO)
                r = secret_read_file(TUNNEL_KEY_FILE, KEY_FILE_MAX, &text);
        else if (r >= 0 && strcmp(secret_data(text), MISSING) == 0)
                r = -ENOENT;
        if (r < 0)
                return log_error(
                                r,
                                "Cannot read this node's key %s: %m. sendense-node enroll makes it",
                                TUNNEL_KEY_FILE);
        if (ssh_pki_import_privkey_base64(secret_data(text), NULL, NULL, NULL, ret_key) != SSH_OK)
                return log_error(-EBADMSG, "%s is no private key without a passphrase",
                                 TUNNEL_KEY_FILE);
        return 0;
}

static int read_hub_line(char ret_line[static PUBLIC_KEY_MAX])
{
        const char *folder = getenv("CREDENTIALS_DIRECTORY");
        _cleanup_fclose_ FILE *file = NULL;
        char path[4096];

        (void) snprintf(path, sizeof(path), "%s/hub-key", folder ?: TUNNEL_FOLDER);
        file = fopen(path, "re");
        if (!file)
                return log_error(-errno,
                                 "Cannot read the hub's key %s: %m. sendense-node enroll stores it",
                                 HUB_KEY_FILE);
        if (!fgets(ret_line, PUBLIC_KEY_MAX, file))
                return log_error(-ENODATA, "%s is empty", HUB_KEY_FILE);
        if (folder && strcmp(ret_line, MISSING) == 0)
                return log_error(-ENOENT,
                                 "Cannot read the hub's key %s: %m. sendense-node enroll stores it",
                                 HUB_KEY_FILE);
        return 0;
}

/* "ssh-ed25519 AAAA… comment" */
static int read_hub_key(ssh_key *ret_key)
{
        char line[PUBLIC_KEY_MAX], *rest = line;
        const char *type, *base64;
        int r;

        r = read_hub_line(line);
        if (r < 0)
                return r;
        type = strsep(&rest, " \t\n");
        base64 = strsep(&rest, " \t\n");
        if (!base64 ||
            ssh_pki_import_pubkey_base64(base64, ssh_key_type_from_name(type), ret_key) != SSH_OK)
                return log_error(-EBADMSG, "%s is no public key of the form 'ssh-ed25519 AAAA…'",
                                 HUB_KEY_FILE);
        return 0;
}

int place_read_keys(SessionPlace *place)
{
        int r;

        r = read_own_key(&place->own_key);
        return r < 0 ? r : read_hub_key(&place->hub_key);
}
