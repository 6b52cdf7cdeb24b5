/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The node's part of sendensectl doctor (see doctor-node.h). The node diagnoses nothing itself: what can be wrong lies in
 * files that the caller may be able to read, and what he may not read is said to be so.
 */
#include "doctor-node.h"

#include "build-config.h"
#include "cleanup.h"
#include "json-cleanup.h"
#include "node-config.h"
#include "text.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKENS_FILE SENDENSE_CONFIG_DIR "/node-api.tokens"
#define CA_FILE     "/etc/ssl/certs/ca-certificates.crt"
#define NBDKIT      "/usr/bin/nbdkit"

/* Takes text, which may be NULL for want of memory. */
static int add(json_t *verdicts, const char *check, const char *verdict, char *text,
               const char *remedy)
{
        _cleanup_free_ char *mine = text;
        bool ok = strcmp(verdict, "ok") == 0;

        return mine && json_array_append_new(verdicts,
                                             json_pack("{s:s, s:s, s:s, s:s*}", "Check", check,
                                                       "Verdict", verdict, "Text", mine, "Remedy",
                                                       ok ? NULL : remedy)) == 0
                               ? 0
                               : -ENOMEM;
}

static int judge_config(json_t *verdicts, NodeConfig *config, bool *ret_valid)
{
        _cleanup_free_ char *error = NULL;
        int r = node_config_load(config, NULL, &error);

        *ret_valid = r >= 0;
        return r < 0 ? add(verdicts, "node settings", "bad",
                           text_format("%s", error ?: strerror(-r)),
                           "Mend that line; try it: sendensectl config check --node")
                     : add(verdicts, "node settings", "ok",
                           text_format(NODE_CONFIG_FILE " and its drop-ins"), NULL);
}

/* They are digests of tokens, but whoever can write them can start backups. */
static int judge_tokens(json_t *verdicts)
{
        static const char check[] = "node tokens";
        struct stat st;

        if (lstat(TOKENS_FILE, &st) < 0 && errno == ENOENT)
                return add(verdicts, check, "warning",
                           text_format("there is no " TOKENS_FILE
                                       ": nobody may use the node's API"),
                           "Enrol the node with its hub, or see TOKENS in sendense-node-api(8)");
        if (lstat(TOKENS_FILE, &st) < 0)
                return add(verdicts, check, "warning",
                           text_format(TOKENS_FILE ": %s", strerror(errno)), "Ask as root");
        if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022) != 0)
                return add(verdicts, check, "bad",
                           text_format(TOKENS_FILE " can be written by others than root"),
                           "chown root: " TOKENS_FILE "; chmod 0600 " TOKENS_FILE);
        return add(verdicts, check, "ok", text_format(TOKENS_FILE), NULL);
}

static int judge_transport(json_t *verdicts, const NodeConfig *config)
{
        static const char check[] = "node sources";

        if (strcmp(config->copy_transport, "vddk") != 0)
                return add(verdicts, check, "ok",
                           text_format("disks are read over HTTPS, which needs nothing else"),
                           NULL);
        if (access(NBDKIT, X_OK) < 0)
                return add(verdicts, check, "bad",
                           text_format("Transport=vddk, and " NBDKIT ": %s", strerror(errno)),
                           "apt-get install nbdkit");
        return add(verdicts, check, "ok", text_format("disks are read by VDDK with " NBDKIT), NULL);
}

static int judge_trust(json_t *verdicts)
{
        static const char check[] = "node trust";

        return access(CA_FILE, R_OK) < 0
                               ? add(verdicts, check, "warning",
                                     text_format(CA_FILE ": %s", strerror(errno)),
                                     "apt-get install ca-certificates, or give each vCenter a CA "
                                     "file or a pin of its own")
                               : add(verdicts, check, "ok", text_format(CA_FILE), NULL);
}

int doctor_node(json_t *verdicts)
{
        CLEANUP(node_config_done) NodeConfig config = {};
        bool is_valid;
        int r;

        r = judge_config(verdicts, &config, &is_valid);
        if (r >= 0)
                r = judge_tokens(verdicts);
        if (r >= 0 && is_valid)
                r = judge_transport(verdicts, &config);
        if (r >= 0)
                r = judge_trust(verdicts);
        return r;
}
