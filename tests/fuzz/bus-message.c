/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The generator behind bus-message.h: a random signature first, then random values for it, and a
 * few kinds of hostility that randomness alone would not find.
 */
#include "bus-message.h"

#include "bus-target.h"

#include "cleanup.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <systemd/sd-bus.h>

enum {
        DEPTH_MAX = 5,
        SIGNATURE_SIZE = 128,
        TEXT_SIZE = 512,
        HUGE_MAX = 32 * 1024 * 1024 - 4096, /* the limit of a system bus, less a header */
        NESTED_VARIANTS = 30,
};

static uint64_t state = 1;

void random_seed(uint64_t seed)
{
        state = seed ?: 1;
}

unsigned random_below(unsigned limit)
{
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (unsigned) (state >> 20) % limit;
}

static const BusTarget *target;

void bus_message_target(const BusTarget *new_target)
{
        target = new_target;
}

static const char *const paths[] = { "/",
                                     "/com",
                                     "/com/sendense",
                                     "/com/sendense/Hub1/job/1",
                                     "/com/sendense/Node1/task/1",
                                     "/com/sendense/Node1/task/18446744073709551616",
                                     "/org/freedesktop/DBus",
                                     "/x" };
static const char *const interfaces[] = { "com.sendense.Hub1.Job",
                                          "com.sendense.Node1.Task",
                                          "org.freedesktop.DBus.Properties",
                                          "org.freedesktop.DBus.ObjectManager",
                                          "org.freedesktop.DBus.Introspectable",
                                          "org.freedesktop.DBus.Peer",
                                          "a.b" };
static const char *const members[] = {
        "Get",        "GetAll", "Set",          "GetManagedObjects",
        "Introspect", "Ping",   "GetMachineId", "NameOwnerChanged",
        "getstatus",  "X",
};
/* Not one of them may start anything. */
static const char *const requests[] = {
        "",
        "{}",
        "[[[[[[[[",
        "{\"job_id\":1,\"job_id\":1}",
        "{\"job_id\":1,\"vcenter_password\":\"p\"}",
        "{\"job_id\":18446744073709551616,\"vcenter_password\":{}}",
        "{\"vcenter_password\":\"p\",\"vcenter_host\":\"h\",\"vcenter_user\":\"u\",\"job_ids\":7}",
        "\xff\xfe",
};
static const char *const words[] = {
        "",
        "info",
        "debug",
        "Version",
        "LogLevel",
        "com.sendense.Hub1.Manager",
        "com.sendense.Node1.Manager",
        "%s%n%s%n",
        "a\nPRIORITY=0",
        "\xc3\xbc",
        "../../etc/passwd",
        "' OR 1=1 --",
        "session",
};
#define PICK(list) ((list)[random_below(ELEMENTSOF(list))])

static const char *pick_path(void)
{
        return random_below(3) ? PICK(paths) : target->path;
}

static const char *pick_interface(void)
{
        return random_below(2) ? PICK(interfaces) : target->manager;
}

static const char *pick_member(void)
{
        return random_below(3) ? PICK(members)
                               : target->methods[random_below(target->n_methods)].name;
}

static void must(int r)
{
        if (r >= 0)
                return;
        printf("Bail out! Cannot build a message: %s\n", strerror(-r));
        exit(EXIT_FAILURE);
}

static void signature_add(char *signature, const char *text)
{
        size_t n = strlen(signature);

        (void) snprintf(signature + n, SIGNATURE_SIZE - n, "%s", text);
}

/* Appends one complete type to signature. */
static void random_type(char *signature, unsigned depth)
{
        static const char basic[] = "ybnqiuxtdsogh";
        unsigned kind = random_below(depth >= DEPTH_MAX || strlen(signature) > 64 ? 10 : 16);
        char one[2] = {};

        if (kind < 10) {
                one[0] = basic[random_below(sizeof(basic) - 1)];
                signature_add(signature, one);
        } else if (kind < 12)
                signature_add(signature, "v");
        else if (kind < 13)
                signature_add(signature, "a{sv}");
        else if (kind < 15) {
                signature_add(signature, "a");
                random_type(signature, depth + 1);
        } else {
                signature_add(signature, "(");
                for (unsigned n = 1 + random_below(3); n > 0; n--)
                        random_type(signature, depth + 1);
                signature_add(signature, ")");
        }
}

/* The length of the complete type that signature begins with. */
static size_t type_length(const char *signature)
{
        size_t n = 0;
        int depth = 0;

        while (signature[n] == 'a')
                n++;
        do {
                if (strchr("({", signature[n]))
                        depth++;
                else if (strchr(")}", signature[n]))
                        depth--;
                n++;
        } while (depth > 0);
        return n;
}

static void append_text(sd_bus_message *m)
{
        char text[TEXT_SIZE];
        size_t n = random_below(TEXT_SIZE);

        if (random_below(3) > 0) {
                must(sd_bus_message_append(m, "s", PICK(words)));
                return;
        }
        for (size_t i = 0; i < n; i++)
                text[i] = (char) (1 + random_below(127));
        text[n] = '\0';
        must(sd_bus_message_append(m, "s", text));
}

/* Descriptors that are no request, and ones that nearly are. */
static void append_descriptor(sd_bus_message *m)
{
        _cleanup_close_ int fd = -1;

        if (random_below(2)) {
                const char *text = PICK(requests);

                must(secret_make_memfd(text, strlen(text), &fd));
        } else
                fd = random_below(2) ? eventfd(0, EFD_CLOEXEC) : open("/", O_PATH | O_CLOEXEC);
        must(sd_bus_message_append(m, "h", fd));
}

static void append_basic(sd_bus_message *m, char type)
{
        uint64_t value = 0;

        switch (type) {
        case 's':
                append_text(m);
                break;
        case 'o':
                must(sd_bus_message_append(m, "o", pick_path()));
                break;
        case 'g':
                must(sd_bus_message_append(m, "g", random_below(2) ? "a{sv}" : ""));
                break;
        case 'h':
                append_descriptor(m);
                break;
        case 'b':
                must(sd_bus_message_append(m, "b", (int) random_below(2)));
                break;
        default:
                if (random_below(4) > 0)
                        value = (uint64_t) random_below(UINT32_MAX) << random_below(33);
                must(sd_bus_message_append_basic(m, type, &value));
        }
}

static void append_value(sd_bus_message *m, const char *type, unsigned depth);

/* All types of a signature, one after the other. */
static void append_values(sd_bus_message *m, const char *signature, unsigned depth)
{
        char type[SIGNATURE_SIZE];

        while (*signature) {
                size_t n = type_length(signature);

                (void) snprintf(type, sizeof(type), "%.*s", (int) n, signature);
                append_value(m, type, depth);
                signature += n;
        }
}

static void append_container(sd_bus_message *m, char kind, const char *contents, unsigned n,
                             unsigned depth)
{
        must(sd_bus_message_open_container(m, kind, contents));
        while (n-- > 0)
                append_values(m, contents, depth + 1);
        must(sd_bus_message_close_container(m));
}

static void append_value(sd_bus_message *m, const char *type, unsigned depth)
{
        char contents[SIGNATURE_SIZE] = "";
        size_t n = strlen(type);

        switch (*type) {
        case 'a':
                append_container(m, 'a', type + 1, random_below(depth > 2 ? 2 : 4), depth);
                break;
        case '(':
        case '{':
                (void) snprintf(contents, sizeof(contents), "%.*s", (int) n - 2, type + 1);
                append_container(m, *type == '(' ? 'r' : 'e', contents, 1, depth);
                break;
        case 'v':
                random_type(contents, depth + 1);
                append_container(m, 'v', contents, 1, depth);
                break;
        default:
                append_basic(m, *type);
        }
}

static void append_random_body(sd_bus_message *m)
{
        char signature[SIGNATURE_SIZE] = "";

        for (unsigned n = random_below(4); n > 0; n--)
                random_type(signature, 0);
        append_values(m, signature, 0);
}

/* A call that reaches a handler: one in two goes on to the question who asks. */
static sd_bus_message *new_right_call(sd_bus *bus)
{
        const BusTargetMethod *method = &target->methods[random_below(target->n_methods)];
        const char *arguments = method->arguments;
        sd_bus_message *m = NULL;

        must(sd_bus_message_new_method_call(bus, &m, target->name, target->path, target->manager,
                                            method->name));
        if (strcmp(arguments, "s") == 0 && random_below(2))
                must(sd_bus_message_append(m, "s", random_below(2) ? "info" : "debug"));
        else
                append_values(m, arguments, 0);
        if (random_below(2))
                must(sd_bus_message_append(m, "a{sv}", 0));
        else
                append_value(m, "a{sv}", 0);
        return m;
}

static void append_nested_variants(sd_bus_message *m)
{
        for (unsigned i = 0; i < NESTED_VARIANTS; i++)
                must(sd_bus_message_open_container(m, 'v', i + 1 < NESTED_VARIANTS ? "v" : "y"));
        must(sd_bus_message_append(m, "y", 1));
        for (unsigned i = 0; i < NESTED_VARIANTS; i++)
                must(sd_bus_message_close_container(m));
}

/* One text of the given size, where a level or the key of an option belongs, or plain bytes. */
static void append_huge(sd_bus_message *m, size_t size, unsigned kind)
{
        _cleanup_free_ char *text = malloc(size + 1);

        if (!text)
                must(-ENOMEM);
        (void) memset(text, 'x', size);
        text[size] = '\0';

        if (kind == 0)
                must(sd_bus_message_append(m, "sa{sv}", text, 0));
        else if (kind == 1)
                must(sd_bus_message_append(m, "a{sv}", 1, text, "b", true));
        else if (kind == 2)
                must(sd_bus_message_append(m, "sa{sv}", "info", 1, "x", "s", text));
        else
                must(sd_bus_message_append_array(m, 'y', text, size));
}

sd_bus_message *bus_message_at_limit(sd_bus *bus)
{
        sd_bus_message *m = NULL;

        must(sd_bus_message_new_method_call(bus, &m, target->name, target->path, target->manager,
                                            target->methods[0].name));
        append_huge(m, HUGE_MAX, 0);
        return m;
}

static sd_bus_message *new_wrong_call(sd_bus *bus)
{
        const char *interface = random_below(12) ? pick_interface() : NULL;
        unsigned kind = random_below(1000);
        sd_bus_message *m = NULL;

        must(sd_bus_message_new_method_call(bus, &m, target->name, pick_path(), interface,
                                            pick_member()));

        if (kind < 5)
                append_huge(m, random_below(HUGE_MAX), random_below(4));
        else if (kind < 40)
                append_huge(m, random_below(1U << random_below(20)), random_below(4));
        else if (kind < 60)
                append_nested_variants(m);
        else if (kind < 200)
                append_value(m, "a{sv}", 0);
        else if (kind < 950)
                append_random_body(m);
        return m;
}

sd_bus_message *bus_message_random_call(sd_bus *bus)
{
        sd_bus_message *m = random_below(2) ? new_right_call(bus) : new_wrong_call(bus);

        must(sd_bus_message_set_allow_interactive_authorization(m, (int) random_below(2)));
        return m;
}

/* Signals sent to the target alone, some of which look like the ones it listens to. */
static sd_bus_message *random_signal(sd_bus *bus)
{
        sd_bus_message *m = NULL;

        if (random_below(2)) {
                must(sd_bus_message_new_signal(bus, &m, "/org/freedesktop/DBus",
                                               "org.freedesktop.DBus", "NameOwnerChanged"));
                must(sd_bus_message_append(m, "sss", ":1.2", ":1.2", ""));
        } else {
                must(sd_bus_message_new_signal(bus, &m, pick_path(), pick_interface(),
                                               pick_member()));
                append_random_body(m);
        }
        must(sd_bus_message_set_destination(m, target->name));
        return m;
}

sd_bus_message *bus_message_random(sd_bus *bus)
{
        sd_bus_message *m;

        if (random_below(25) == 0)
                return random_signal(bus);
        m = bus_message_random_call(bus);
        if (random_below(10) == 0)
                must(sd_bus_message_set_expect_reply(m, false));
        return m;
}
