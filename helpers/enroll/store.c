/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The node's files (see store.h). key.new is there from before the hub is asked until all is done: while it is there an enrolment
 * may be repeated, with the same key, so that the hub takes it for the same node. On the hub's own machine, where there is no key,
 * it is empty.
 */
#include "store.h"

#include "cleanup.h"
#include "fault-point.h"
#include "key-file.h"
#include "log.h"
#include "node-files.h"
#include "small-file.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <libssh/libssh.h>
#include <sodium.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum {
        TOKENS_SIZE_MAX = 256 * 1024,
        KEY_FILE_MAX = 4096,
};

#define HUB_TOKEN "hub "
#define LOCK_FILE "/run/sendense-enroll.lock"

static int complain_path(int error, const char *what, const char *path)
{
        return log_error(error,
                         "Cannot %s %s: %m. Remedy: mend that, then repeat this with the same "
                         "bundle",
                         what, path);
}

static int read_tokens(char **ret_text)
{
        size_t size;
        int r;

        r = small_file_read(NODE_API_TOKENS, TOKENS_SIZE_MAX, ret_text, &size);
        if (r != -ENOENT)
                return r < 0 ? complain_path(r, "read", NODE_API_TOKENS) : 0;
        *ret_text = strdup("");
        return *ret_text ? 0 : log_oom();
}

/* Where the hub's line begins; NULL: there is none. */
static const char *find_hub(const char *text)
{
        for (const char *line = text; line && *line;
             line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
                if (strncmp(line, HUB_TOKEN, sizeof(HUB_TOKEN) - 1) == 0)
                        return line;
        return NULL;
}

int store_lock(int *ret_fd)
{
        _cleanup_close_ int fd = -1;

        fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return complain_path(-errno, "open", LOCK_FILE);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK
                                       ? log_error(-EBUSY,
                                                   "Another sendense-node enroll is at work on "
                                                   "this machine. Remedy: wait until it has ended, "
                                                   "and repeat this if it has failed")
                                       : complain_path(-errno, "lock", LOCK_FILE);
        *ret_fd = take_fd(&fd);
        return 0;
}

int store_look(Store *ret_store)
{
        _cleanup_free_ char *tokens = NULL;
        int r;

        r = read_tokens(&tokens);
        if (r < 0)
                return r;
        ret_store->has_hub = find_hub(tokens);
        ret_store->has_key = access(TUNNEL_KEY_FILE, F_OK) == 0;
        ret_store->has_new_key = access(TUNNEL_NEW_KEY_FILE, F_OK) == 0;
        return 0;
}

/* ── The key ── */

static int read_new_key(PublicKey *ret_key)
{
        CLEANUP(secret_free_p) Secret *text = NULL;
        char *base64 = NULL;
        ssh_key key = NULL;
        int r;

        r = secret_read_file(TUNNEL_NEW_KEY_FILE, KEY_FILE_MAX, &text);
        if (r < 0)
                return r;
        if (ssh_pki_import_privkey_base64(secret_data(text), NULL, NULL, NULL, &key) != SSH_OK)
                return -EBADMSG;
        r = ssh_pki_export_pubkey_base64(key, &base64) == SSH_OK ? 0 : -EBADMSG;
        if (r >= 0) {
                _cleanup_free_ char *line = text_format(PUBLIC_KEY_TYPE " %s", base64);

                r = line && public_key_parse(line, ret_key) >= 0 ? 0 : -EBADMSG;
        }
        ssh_string_free_char(base64);
        ssh_key_free(key);
        return r;
}

static int make_new_key(PublicKey *ret_key)
{
        unsigned char seed[PUBLIC_KEY_SEED_SIZE];
        CLEANUP(secret_free_p) Secret *text = NULL;
        int r;

        if (sodium_init() < 0)
                return -EIO;
        randombytes_buf(seed, sizeof(seed));
        r = public_key_of_seed(seed, ret_key);
        if (r >= 0)
                r = key_file_format(seed, &text);
        sodium_memzero(seed, sizeof(seed));
        return r < 0 ? r
                     : small_file_write(TUNNEL_NEW_KEY_FILE, 0600, secret_data(text),
                                        secret_size(text));
}

static int make_folder(void)
{
        return mkdir(TUNNEL_FOLDER, 0755) < 0 && errno != EEXIST
                               ? complain_path(-errno, "make", TUNNEL_FOLDER)
                               : 0;
}

int store_new_key(PublicKey *ret_key)
{
        int r;

        r = make_folder();
        if (r < 0)
                return r;
        r = read_new_key(ret_key);
        /* What is no key was never shown to a hub. */
        if (r == -ENOENT || r == -ENODATA || r == -EBADMSG)
                r = make_new_key(ret_key);
        return r < 0 ? complain_path(r, "make this node's key", TUNNEL_NEW_KEY_FILE) : 0;
}

int store_no_key(void)
{
        int r;

        r = make_folder();
        if (r < 0)
                return r;
        r = small_file_write(TUNNEL_NEW_KEY_FILE, 0600, "", 0);
        return r < 0 ? complain_path(r, "write", TUNNEL_NEW_KEY_FILE) : 0;
}

/* ── What the hub answered ── */

static int write_text(const char *path, mode_t mode, char *text)
{
        _cleanup_free_ char *mine = text;
        int r;

        if (!mine)
                return log_oom();
        r = small_file_write(path, mode, mine, strlen(mine));
        return r < 0 ? complain_path(r, "write", path) : 0;
}

static int remove_file(const char *path)
{
        fault_point("enroll.remove.before");
        if (unlink(path) < 0 && errno != ENOENT)
                return complain_path(-errno, "remove", path);
        fault_point("enroll.remove.after");
        return 0;
}

/* The line of the hub anew, at the end; the others stay as they are. */
static int write_tokens(const Answer *answer)
{
        _cleanup_free_ char *text = NULL;
        const char *old, *rest;
        int r;

        r = read_tokens(&text);
        if (r < 0)
                return r;
        old = find_hub(text) ?: text + strlen(text);
        rest = strchr(old, '\n') ? strchr(old, '\n') + 1 : old + strlen(old);
        return write_text(NODE_API_TOKENS, 0600,
                          text_format("%.*s%s%s%s" HUB_TOKEN "%s\n", (int) (old - text), text,
                                      old > text && old[-1] != '\n' ? "\n" : "", rest,
                                      *rest && rest[strlen(rest) - 1] != '\n' ? "\n" : "",
                                      answer->api_token_sha256));
}

static int write_config(const Bundle *bundle, const Answer *answer)
{
        return write_text(NODE_HUB_CONFIG, 0644,
                          text_format("# Written by sendense-node enroll for node \"%s\"; another "
                                      "file beside it may override it.\n"
                                      "[Tunnel]\n"
                                      "Hub=%s\n"
                                      "SshPort=%u\n"
                                      "ReversePort=%u\n"
                                      "Ports=%u-%u\n",
                                      answer->name, bundle->hub, bundle->ssh_port,
                                      answer->reverse_port, answer->ports.first,
                                      answer->ports.last));
}

static int copy_key(void)
{
        CLEANUP(secret_free_p) Secret *text = NULL;
        int r;

        r = secret_read_file(TUNNEL_NEW_KEY_FILE, KEY_FILE_MAX, &text);
        if (r >= 0)
                r = small_file_write(TUNNEL_KEY_FILE, 0600, secret_data(text), secret_size(text));
        return r < 0 ? complain_path(r, "write", TUNNEL_KEY_FILE) : 0;
}

/* A node that moved to its hub needs no tunnel any more. */
static int remove_tunnel(void)
{
        int r = remove_file(NODE_HUB_CONFIG);

        if (r >= 0)
                r = remove_file(TUNNEL_KEY_FILE);
        return r < 0 ? r : remove_file(HUB_KEY_FILE);
}

int store_answer(const Bundle *bundle, const Answer *answer)
{
        int r;

        fault_point("enroll.answer");
        r = write_tokens(answer);
        if (r < 0)
                return r;
        if (bundle->local)
                return remove_tunnel();
        r = write_text(HUB_KEY_FILE, 0644, text_format("%s\n", bundle->host_key));
        if (r >= 0)
                r = write_config(bundle, answer);
        if (r >= 0)
                r = copy_key();
        fault_point("enroll.stored");
        return r;
}

int store_end(void)
{
        return remove_file(TUNNEL_NEW_KEY_FILE);
}
