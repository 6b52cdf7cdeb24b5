/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The node's files (see store.h). key.new is there from before the hub is asked until all is done: while it is there an enrolment
 * may be repeated, with the same key, so that the hub takes it for the same node. Its last line names the bundle that it belongs to:
 * with another one a new key is made. On the hub's own machine, where there is no key, that line is all.
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
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define HUB_TOKEN "hub "
#define MARK      "bundle " /* behind the key, where OpenSSH and libssh read no more */
#define LOCK_FILE "/run/sendense-enroll.lock"

enum {
        TOKENS_SIZE_MAX = 256 * 1024,
        KEY_FILE_MAX = 4096,
        MARK_SIZE = sizeof(MARK) + NODE_NAME_SIZE + PUBLIC_KEY_TEXT_SIZE + 2,
};

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

/* ── The key ── */

/* A bundle by what the hub's file of tokens has of it. */
static int format_mark(const Bundle *bundle, char ret_mark[static MARK_SIZE])
{
        char text[PUBLIC_KEY_TEXT_SIZE] = "local";
        PublicKey token;

        if (!bundle->local) {
                int r = public_key_of_seed(bundle->seed, &token);

                if (r < 0)
                        return r;
                public_key_format(&token, text);
        }
        (void) snprintf(ret_mark, MARK_SIZE, MARK "%s %s", bundle->node, text);
        return 0;
}

/* What stands before the mark of this bundle in key.new; -ENOENT: there is none, or another's. One without a mark is of a version that made
 * none. */
static int read_marked(const Bundle *bundle, Secret **ret_text, size_t *ret_size)
{
        CLEANUP(secret_free_p) Secret *text = NULL;
        char mark[MARK_SIZE];
        const char *data;
        size_t length;
        int r;

        r = secret_read_file(TUNNEL_NEW_KEY_FILE, KEY_FILE_MAX, &text);
        if (r == -ENODATA && bundle->local) {
                *ret_size = 0;
                return 0;
        }
        if (r == -ENODATA || r == -EFBIG)
                return -ENOENT;
        if (r >= 0)
                r = format_mark(bundle, mark);
        if (r < 0)
                return r;
        data = secret_data(text);
        length = strlen(data);
        if (strncmp(data, MARK, sizeof(MARK) - 1) != 0 && !strstr(data, "\n" MARK) &&
            !bundle->local) {
                *ret_text = TAKE(text);
                *ret_size = length;
                return 0;
        }
        while (length > 0 && data[length - 1] == '\n')
                length--;
        if (length < strlen(mark) || strncmp(data + length - strlen(mark), mark, strlen(mark)) != 0)
                return -ENOENT;
        length -= strlen(mark);
        if (length > 0 && data[length - 1] != '\n')
                return -ENOENT;
        *ret_text = TAKE(text);
        *ret_size = length;
        return 0;
}

int store_look(const Bundle *bundle, Store *ret_store)
{
        CLEANUP(secret_free_p) Secret *key = NULL;
        _cleanup_free_ char *tokens = NULL;
        size_t size;
        int r;

        r = read_tokens(&tokens);
        if (r < 0)
                return r;
        r = read_marked(bundle, &key, &size);
        if (r < 0 && r != -ENOENT)
                return complain_path(r, "read", TUNNEL_NEW_KEY_FILE);
        ret_store->is_begun = r >= 0;
        ret_store->is_begun_by_other = r < 0 && access(TUNNEL_NEW_KEY_FILE, F_OK) == 0;
        ret_store->has_hub = find_hub(tokens);
        ret_store->has_key = access(TUNNEL_KEY_FILE, F_OK) == 0;
        return 0;
}

static int read_new_key(const Bundle *bundle, PublicKey *ret_key)
{
        CLEANUP(secret_free_p) Secret *text = NULL;
        char *base64 = NULL;
        ssh_key key = NULL;
        size_t size;
        int r;

        r = read_marked(bundle, &text, &size);
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

static int write_marked(const Bundle *bundle, const char *key)
{
        char mark[MARK_SIZE], text[KEY_FILE_MAX];
        int n, r;

        r = format_mark(bundle, mark);
        if (r < 0)
                return r;
        n = snprintf(text, sizeof(text), "%s%s\n", key, mark);
        r = n < (int) sizeof(text) ? small_file_write(TUNNEL_NEW_KEY_FILE, 0600, text, (size_t) n)
                                   : -EFBIG;
        sodium_memzero(text, sizeof(text));
        return r;
}

static int make_new_key(const Bundle *bundle, PublicKey *ret_key)
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
        return r < 0 ? r : write_marked(bundle, secret_data(text));
}

static int make_folder(void)
{
        return mkdir(TUNNEL_FOLDER, 0755) < 0 && errno != EEXIST
                               ? complain_path(-errno, "make", TUNNEL_FOLDER)
                               : 0;
}

int store_new_key(const Bundle *bundle, PublicKey *ret_key)
{
        int r;

        r = make_folder();
        if (r < 0)
                return r;
        r = read_new_key(bundle, ret_key);
        /* What is no key was never shown to a hub, and another bundle's is not this node's. */
        if (r == -ENOENT || r == -EBADMSG)
                r = make_new_key(bundle, ret_key);
        return r < 0 ? complain_path(r, "make this node's key", TUNNEL_NEW_KEY_FILE) : 0;
}

int store_no_key(const Bundle *bundle)
{
        int r;

        r = make_folder();
        if (r < 0)
                return r;
        r = write_marked(bundle, "");
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

static int copy_key(const Bundle *bundle)
{
        CLEANUP(secret_free_p) Secret *text = NULL;
        size_t size;
        int r;

        r = read_marked(bundle, &text, &size);
        if (r >= 0)
                r = small_file_write(TUNNEL_KEY_FILE, 0600, secret_data(text), size);
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
                r = copy_key(bundle);
        fault_point("enroll.stored");
        return r;
}

int store_end(void)
{
        return remove_file(TUNNEL_NEW_KEY_FILE);
}
