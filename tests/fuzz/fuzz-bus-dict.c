/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Method options of any shape: the bytes are a script that builds a message (known and unknown keys,
 * right and wrong types, broken nesting), which is then read. Either everything given was known, right
 * and once, or nothing was touched and the error has a name and a sentence.
 */
#include "fuzz.h"

#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "sealed-message.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

typedef struct Script {
        const uint8_t *data;
        size_t size;
} Script;

static uint8_t next(Script *script)
{
        if (script->size == 0)
                return 0;
        script->size--;
        return *script->data++;
}

/* Text from the script: what sd-bus refuses to send (no UTF-8) is not tried. */
static void next_text(Script *script, char ret_text[static 256])
{
        size_t n = next(script) % 256U;

        for (size_t i = 0; i < n; i++) {
                uint8_t byte = next(script) & 0x7f;

                ret_text[i] = byte ? (char) byte : 'x';
        }
        ret_text[n] = '\0';
}

static uint64_t next_number(Script *script)
{
        uint64_t value = 0;

        for (int i = 0; i < 8; i++)
                value = value << 8 | next(script);
        return value;
}

static int append_value(sd_bus_message *message, Script *script)
{
        char text[256];

        switch (next(script) % 9) {
        case 0:
                next_text(script, text);
                return sd_bus_message_append(message, "v", "s", text);
        case 1:
                return sd_bus_message_append(message, "v", "b", next(script) & 1);
        case 2:
                return sd_bus_message_append(message, "v", "u", (uint32_t) next_number(script));
        case 3:
                return sd_bus_message_append(message, "v", "t", next_number(script));
        case 4:
                return sd_bus_message_append(message, "v", "h", 0);
        case 5:
                return sd_bus_message_append(message, "v", "v", "s", "nested");
        case 6:
                return sd_bus_message_append(message, "v", "as", 2, "a", "b");
        case 7:
                return sd_bus_message_append(message, "v", "a{sv}", 1, "name", "s", "x");
        default:
                return sd_bus_message_append(message, "v", "(qq)", 1, 2);
        }
}

static int append_options(sd_bus_message *message, Script *script)
{
        static const char *const keys[] = { "name", "force", "small", "large", "fd" };
        unsigned n = next(script) % 12;
        int r;

        r = sd_bus_message_open_container(message, 'a', "{sv}");
        for (unsigned i = 0; r >= 0 && i < n; i++) {
                size_t key = next(script) % (ELEMENTSOF(keys) + 1);
                char text[256];

                r = sd_bus_message_open_container(message, 'e', "sv");
                if (key == ELEMENTSOF(keys))
                        next_text(script, text);
                if (r >= 0)
                        r = sd_bus_message_append(message, "s",
                                                  key < ELEMENTSOF(keys) ? keys[key] : text);
                if (r >= 0)
                        r = append_value(message, script);
                if (r >= 0)
                        r = sd_bus_message_close_container(message);
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static void read_options(sd_bus_message *message)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *name = NULL;
        bool force = false, given[5] = {};
        uint32_t small = 77;
        uint64_t large = 77;
        int fd = -1, r;
        const BusOption options[] = {
                { "name", BUS_OPTION_STRING, 20, &name, given },
                { "force", BUS_OPTION_BOOL, 0, &force, given + 1 },
                { "small", BUS_OPTION_UINT32, 1000, &small, given + 2 },
                { "large", BUS_OPTION_UINT64, UINT64_MAX / 2, &large, given + 3 },
                { "fd", BUS_OPTION_FD, 0, &fd, given + 4 },
        };

        r = bus_options_read(message, options, ELEMENTSOF(options), &error);
        if (r < 0) {
                MUST(r == bus_error_to_errno(error.name));
                MUST(strlen(error.message) < 300 && !strpbrk(error.message, "\n\x1b"));
                MUST(!name && !force && small == 77 && large == 77 && fd == -1);
                for (size_t i = 0; i < ELEMENTSOF(given); i++)
                        MUST(!given[i]);
                return;
        }
        MUST(r == 0 && !sd_bus_error_is_set(&error));
        MUST(given[0] == (name != NULL) && (!name || strlen(name) <= 20));
        MUST(!given[2] || small <= 1000);
        MUST(!given[3] || large <= UINT64_MAX / 2);
        MUST(given[4] == (fd >= 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP(sd_bus_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        Script script = { data, size };
        int r;

        MUST(sealed_message_begin(&bus, &message) >= 0);
        switch (next(&script) % 16) {
        case 0:
                r = append_value(message, &script);
                break;
        case 1:
                r = sd_bus_message_append(message, "a{ss}", 1, "name", "x");
                break;
        case 2:
                r = 0; /* nothing at all */
                break;
        default:
                r = append_options(message, &script);
                break;
        }
        MUST(r >= 0);
        MUST(sealed_message_end(message) >= 0);
        read_options(message);
        return 0;
}
