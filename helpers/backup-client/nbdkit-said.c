/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last words of nbdkit (see nbdkit-said.h).
 */
#include "nbdkit-said.h"

#include "cleanup.h"
#include "secret.h"
#include "utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum {
        LINE_SIZE = SECRET_SIZE_MAX + 2048, /* so that a password fits in */
        KEPT_SIZE = 220,
};

static const char hidden[] = "***";

struct NbdkitSaid {
        Secret *password;
        bool is_error; /* the line that is kept */
        size_t size; /* of the line that is coming in */
        char line[LINE_SIZE];
        char kept[KEPT_SIZE];
};

int nbdkit_said_new(const Secret *password, NbdkitSaid **ret_said)
{
        NbdkitSaid *said = calloc(1, sizeof(*said));
        int r = 0;

        if (!said)
                return -ENOMEM;
        if (password)
                r = secret_new(secret_data(password), secret_size(password), &said->password);
        if (r < 0) {
                (void) nbdkit_said_free(said);
                return r;
        }
        *ret_said = said;
        return 0;
}

NbdkitSaid *nbdkit_said_free(NbdkitSaid *said)
{
        if (!said)
                return NULL;
        (void) secret_free(said->password);
        explicit_bzero(said, sizeof(*said));
        free(said);
        return NULL;
}

/* A line that was too long may end within the password. */
static void cut_end(NbdkitSaid *said)
{
        size_t n = said->password ? secret_size(said->password) : 0;

        if (said->size < LINE_SIZE - 1)
                return;
        said->size -= n < said->size ? n : said->size;
        said->line[said->size] = '\0';
}

static void hide_password(NbdkitSaid *said)
{
        const char *password = said->password ? secret_data(said->password) : "";
        size_t n = strlen(password);
        char *to = said->line;

        if (n == 0)
                return;
        for (char *from = said->line; *from;) {
                if (strncmp(from, password, n) != 0) {
                        *to++ = *from++;
                        continue;
                }
                /* What hides it is not longer than what is hidden, or the line would not have the room. */
                for (size_t i = 0; i < strlen(hidden) && i < n; i++)
                        *to++ = hidden[i];
                from += n;
        }
        *to = '\0';
}

static void end_line(NbdkitSaid *said)
{
        const char *text = said->line;
        bool is_error;

        said->line[said->size] = '\0';
        cut_end(said);
        hide_password(said);
        utf8_make_line(said->line);
        said->size = 0;
        is_error = strstr(text, "error:");
        if (strncmp(text, "nbdkit: ", strlen("nbdkit: ")) == 0)
                text += strlen("nbdkit: ");
        while (*text == ' ')
                text++;
        if (*text && (is_error || !said->is_error)) {
                said->is_error = is_error;
                (void) snprintf(said->kept, sizeof(said->kept), "%.*s", KEPT_SIZE - 1, text);
                utf8_make_valid(said->kept);
        }
        explicit_bzero(said->line, sizeof(said->line));
}

void nbdkit_said_add(NbdkitSaid *said, const char *data, size_t size)
{
        for (size_t i = 0; i < size; i++)
                if (data[i] == '\n')
                        end_line(said);
                else if (data[i] != '\0' && said->size < LINE_SIZE - 1)
                        said->line[said->size++] = data[i];
        if (size == 0 && said->size > 0)
                end_line(said);
}

const char *nbdkit_said_last(const NbdkitSaid *said)
{
        return said->kept;
}
