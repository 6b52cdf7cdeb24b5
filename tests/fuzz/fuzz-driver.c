/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a fuzz program as a plain test: first its corpus (tests/fuzz/corpus/NAME, files ending in .hex
 * are decoded), then mutations of it, the same in every run. The input that is running stands in
 * TEST_TMP/fuzz-input; --keep-tmp of tests/run keeps it. FUZZ_MUTATIONS=N in the environment makes
 * another number of them. With arguments, runs these files and nothing else.
 */
#include "fuzz.h"

#include "cleanup.h"
#include "parse.h"
#include "small-file.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum {
        INPUTS_MAX = 256,
        INPUT_SIZE_MAX = 128 * 1024,
        MUTATIONS = 4000,
};

typedef struct Input {
        uint8_t *data;
        size_t size;
} Input;

static Input corpus[INPUTS_MAX];
static size_t n_corpus;
static uint64_t random_state = UINT64_C(0x5e4de45e);

/* xorshift64*: the same numbers everywhere, which is all that is asked of it. */
static size_t random_below(size_t n)
{
        random_state ^= random_state >> 12;
        random_state ^= random_state << 25;
        random_state ^= random_state >> 27;
        return n > 0 ? (size_t) ((random_state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % n : 0;
}

/* Text of hex digits, blanks and # comments becomes bytes, in place. -EINVAL for other text. */
static int decode_hex(Input *input)
{
        static const char digits[] = "0123456789abcdef";
        size_t n = 0;
        int high = -1;

        for (size_t i = 0; i < input->size; i++) {
                const char *digit;

                if (input->data[i] == '#')
                        while (i < input->size && input->data[i] != '\n')
                                i++;
                if (i >= input->size || input->data[i] == ' ' || input->data[i] == '\n')
                        continue;
                digit = strchr(digits, input->data[i]);
                if (!digit || !*digit)
                        return -EINVAL;
                if (high < 0)
                        high = (int) (digit - digits);
                else {
                        input->data[n++] = (uint8_t) (high << 4 | (int) (digit - digits));
                        high = -1;
                }
        }
        input->size = n;
        return high < 0 ? 0 : -EINVAL;
}

static int load(const char *path)
{
        const char *suffix = strrchr(path, '.');
        Input input = {};
        int r;

        if (n_corpus >= INPUTS_MAX)
                return -E2BIG;
        r = small_file_read(path, INPUT_SIZE_MAX, (char **) &input.data, &input.size);
        if (r < 0)
                return r;
        if (suffix && strcmp(suffix, ".hex") == 0)
                r = decode_hex(&input);
        corpus[n_corpus++] = input;
        return r;
}

static int load_folder(const char *path)
{
        struct dirent **entries = NULL;
        int n, r = 0;

        n = scandir(path, &entries, NULL, alphasort); /* the order decides what is mutated how */
        if (n < 0)
                return -errno;
        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *file = NULL;

                if (entries[i]->d_name[0] != '.' && r == 0) {
                        if (asprintf(&file, "%s/%s", path, entries[i]->d_name) < 0) {
                                file = NULL;
                                r = -ENOMEM;
                        } else
                                r = load(file);
                        if (r < 0)
                                (void) fprintf(stderr, "%s: %s\n", entries[i]->d_name,
                                               strerror(-r));
                }
                free(entries[i]);
        }
        free(entries);
        return r;
}

/* Bytes that formats give a meaning to. */
static uint8_t special_byte(void)
{
        static const uint8_t bytes[] = "\0\x01\x04\x08\x7f\x80\xff\n\r\t []{}\"\\=-@./:,0159azAZ#;";

        return bytes[random_below(sizeof(bytes) - 1)];
}

static void mutate_once(Input *input)
{
        size_t at = random_below(input->size), n;

        switch (random_below(7)) {
        case 0: /* a bit */
                if (input->size > 0)
                        input->data[at] ^= (uint8_t) (1U << random_below(8));
                break;
        case 1: /* a byte */
                if (input->size > 0)
                        input->data[at] = special_byte();
                break;
        case 2: /* one more */
                if (input->size < INPUT_SIZE_MAX) {
                        memmove(input->data + at + 1, input->data + at, input->size - at);
                        input->data[at] = special_byte();
                        input->size++;
                }
                break;
        case 3: /* some fewer */
                n = random_below(1 + (input->size - at) / 2);
                memmove(input->data + at, input->data + at + n, input->size - at - n);
                input->size -= n;
                break;
        case 4: /* an end that is missing */
                input->size = at;
                break;
        case 5: /* a piece twice */
                n = random_below(1 + input->size - at);
                if (n <= INPUT_SIZE_MAX - input->size) {
                        memmove(input->data + at + n, input->data + at, input->size - at);
                        input->size += n;
                }
                break;
        case 6: { /* another one's end */
                const Input *other = corpus + random_below(n_corpus);
                size_t from = random_below(other->size);

                n = other->size - from;
                if (n <= INPUT_SIZE_MAX - at) {
                        memcpy(input->data + at, other->data + from, n);
                        input->size = at + n;
                }
                break;
        }
        default:
                break;
        }
}

static void run_input(const Input *input)
{
        static const char *folder;
        _cleanup_free_ char *path = NULL, *exact = NULL;
        FILE *f = NULL;

        folder = folder ? folder : getenv("TEST_TMP");
        if (folder && asprintf(&path, "%s/fuzz-input", folder) >= 0)
                f = fopen(path, "we");
        if (f) {
                (void) fwrite(input->data, 1, input->size, f);
                (void) fclose(f);
        }
        /* Of exactly its size, so that reading beyond it is seen. */
        exact = malloc(input->size > 0 ? input->size : 1);
        MUST(exact);
        memcpy(exact, input->data, input->size);
        (void) LLVMFuzzerTestOneInput((const uint8_t *) exact, input->size);
}

static void run_mutations(size_t n)
{
        Input input = { .data = malloc(INPUT_SIZE_MAX) };

        MUST(input.data);
        for (size_t i = 0; i < n; i++) {
                const Input *seed = corpus + random_below(n_corpus);
                size_t n_steps = 1 + random_below(6);

                memcpy(input.data, seed->data, seed->size);
                input.size = seed->size;
                for (size_t j = 0; j < n_steps; j++)
                        mutate_once(&input);
                run_input(&input);
        }
        free(input.data);
}

static int load_all(int argc, char *argv[])
{
        const char *source = getenv("SENDENSE_SRC"), *name = strstr(argv[0], "test-fuzz-");
        _cleanup_free_ char *folder = NULL;
        int r = 0;

        if (argc > 1) {
                for (int i = 1; r == 0 && i < argc; i++)
                        r = load(argv[i]);
                return r;
        }
        if (!source || !name)
                return -ENXIO;
        if (asprintf(&folder, "%s/tests/fuzz/corpus/%s", source, name + strlen("test-fuzz-")) < 0) {
                folder = NULL;
                return -ENOMEM;
        }
        return load_folder(folder);
}

int main(int argc, char *argv[])
{
        const char *wanted = getenv("FUZZ_MUTATIONS");
        uint64_t n_mutations = MUTATIONS;
        int r;

        (void) puts("1..2");
        r = load_all(argc, argv);
        if (r == 0 && n_corpus == 0)
                r = -ENODATA;
        if (r == 0 && wanted)
                r = parse_uint64(wanted, 0, UINT32_MAX, &n_mutations);
        if (r < 0) {
                (void) printf("Bail out! no corpus: %s; is SENDENSE_SRC the tree?\n", strerror(-r));
                return EXIT_FAILURE;
        }

        for (size_t i = 0; i < n_corpus; i++)
                run_input(corpus + i);
        (void) printf("ok 1 - %zu inputs of the corpus\n", n_corpus);
        (void) fflush(stdout);
        if (argc == 1)
                run_mutations(n_mutations);
        (void) printf("ok 2 - %zu mutations of them\n", argc == 1 ? (size_t) n_mutations : 0);

        for (size_t i = 0; i < n_corpus; i++)
                free(corpus[i].data);
        return EXIT_SUCCESS;
}
