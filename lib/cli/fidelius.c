/*
 * `abdm fidelius`: a stand-in for fidelius-cli with its commands, order of parameters and JSON,
 * so that scripts and test benches written for that tool work unchanged. Where fidelius-cli
 * prints an empty result after an error, this prints nothing and exits with a status.
 */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abdm_fidelius.h"
#include "cli/cli.h"

enum {
    EXIT_USAGE = 2,
    PARAMETERS_MAX = 8,
    READ_STEP = 64 * 1024,
};

static const char usage[] =
    "usage: abdm fidelius gkm\n"
    "       abdm fidelius e  TEXT   SENDER_NONCE REQUESTER_NONCE SENDER_PRIVATE_KEY "
    "REQUESTER_PUBLIC_KEY\n"
    "       abdm fidelius se BASE64 SENDER_NONCE REQUESTER_NONCE SENDER_PRIVATE_KEY "
    "REQUESTER_PUBLIC_KEY\n"
    "       abdm fidelius d  [--raw] DATA REQUESTER_NONCE SENDER_NONCE REQUESTER_PRIVATE_KEY "
    "SENDER_PUBLIC_KEY\n"
    "       abdm fidelius -f FILE\n"
    "\n"
    "  gkm, generate-key-material  a new pair of keys and a new nonce\n"
    "  e,   encrypt                TEXT (- reads it from standard input, as bytes)\n"
    "  se,  sane-encrypt           the bytes that BASE64 stands for (- likewise)\n"
    "  d,   decrypt                DATA (- likewise); --raw writes bytes instead of JSON\n"
    "  -f,  --filepath FILE        command and parameters from FILE, one a line; other users of\n"
    "                              the machine cannot see them there, as they can see arguments\n";

typedef struct {
    char *p; /* terminated, owned */
    size_t len;
} text_t;

typedef struct {
    const char *v[PARAMETERS_MAX]; /* borrowed */
    int n;
    bool raw;
} parameters_t;

typedef struct {
    const char *name;
    const char *alias;
    int count;
    int (*run)(const parameters_t *p);
} command_t;


static int
fail(const char *what)
{
    fprintf(stderr, "abdm fidelius: %s\n", what);
    return EXIT_FAILURE;
}


static int
misused(const char *what)
{
    fprintf(stderr, "abdm fidelius: %s\n%s", what, usage);
    return EXIT_USAGE;
}


static void
text_free(text_t *t)
{
    abdm_fidelius_free(t->p, t->len);
    *t = (text_t){0};
}


/* Reads to the end; false with errno. Grows by copying, so that no secret is left behind. */
static bool
read_all(FILE *f, text_t *out)
{
    size_t cap = 0;

    *out = (text_t){0};
    for (;;) {
        if (cap - out->len < 2) {
            char *bigger = malloc(cap * 2 + READ_STEP);
            if (bigger == NULL)
                break;
            if (out->len != 0)
                memcpy(bigger, out->p, out->len);
            abdm_fidelius_free(out->p, out->len);
            out->p = bigger;
            cap = cap * 2 + READ_STEP;
        }
        size_t got = fread(out->p + out->len, 1, cap - out->len - 1, f);
        out->len += got;
        if (got == 0 && ferror(f))
            break;
        if (got == 0) {
            out->p[out->len] = '\0';
            return true;
        }
    }
    int saved = errno;
    text_free(out);
    errno = saved;
    return false;
}


static void
trim_end(text_t *t)
{
    while (t->len != 0 && strchr(" \t\r\n", t->p[t->len - 1]) != NULL)
        t->p[--t->len] = '\0';
}


/* The parameter itself, or standard input for "-". */
static bool
take_input(const char *parameter, text_t *out)
{
    if (strcmp(parameter, "-") == 0)
        return read_all(stdin, out);
    out->p = strdup(parameter);
    out->len = out->p == NULL ? 0 : strlen(out->p);
    return out->p != NULL;
}


/* Prints `object`, which may be NULL, and gives it back. */
static int
print_json(json_t *object)
{
    char *text = object == NULL ? NULL : json_dumps(object, JSON_INDENT(2));
    int status = EXIT_SUCCESS;

    json_decref(object);
    if (text == NULL)
        return fail("no memory");
    if (puts(text) == EOF || fflush(stdout) != 0)
        status = fail("standard output cannot be written");
    abdm_fidelius_free(text, strlen(text));
    return status;
}


static int
generate(const parameters_t *p)
{
    abdm_key_material_t m;
    abdm_err_t err = abdm_fidelius_key_material(&m);

    (void) p;
    if (abdm_failed(err))
        return fail(err.what);
    return print_json(json_pack("{s:s, s:s, s:s, s:s}", "privateKey", m.private_key, "publicKey",
                                m.public_key, "x509PublicKey", m.x509_public_key, "nonce",
                                m.nonce));
}


static abdm_fidelius_exchange_t
exchange_of(const parameters_t *p)
{
    return (abdm_fidelius_exchange_t){
        .own_nonce = p->v[1],
        .peer_nonce = p->v[2],
        .own_private_key = p->v[3],
        .peer_public_key = p->v[4],
    };
}


static int
print_encrypted(abdm_err_t err, char *content)
{
    if (abdm_failed(err))
        return fail(err.what);
    int status = print_json(json_pack("{s:s}", "encryptedData", content));
    abdm_fidelius_free(content, strlen(content));
    return status;
}


static int
encrypt(const parameters_t *p)
{
    abdm_fidelius_exchange_t x = exchange_of(p);
    char *content = NULL;
    text_t plain;

    if (!take_input(p->v[0], &plain))
        return fail("TEXT cannot be read");
    abdm_err_t err = abdm_fidelius_encrypt_bytes(&x, plain.p, plain.len, &content);
    text_free(&plain);
    return print_encrypted(err, content);
}


static int
encrypt_base64(const parameters_t *p)
{
    abdm_fidelius_exchange_t x = exchange_of(p);
    char *content = NULL;
    text_t plain;

    if (!take_input(p->v[0], &plain))
        return fail("BASE64 cannot be read");
    trim_end(&plain);
    abdm_err_t err = abdm_fidelius_encrypt_base64(&x, plain.p, &content);
    text_free(&plain);
    return print_encrypted(err, content);
}


static int
print_decrypted(const parameters_t *p, const char *plain, size_t len)
{
    json_t *value;

    if (p->raw) {
        if (fwrite(plain, 1, len, stdout) != len || fflush(stdout) != 0)
            return fail("standard output cannot be written");
        return EXIT_SUCCESS;
    }
    value = json_stringn(plain, len);
    if (value == NULL)
        return fail("the plaintext is not UTF-8, which JSON cannot carry: use --raw");
    return print_json(json_pack("{s:o}", "decryptedData", value));
}


static int
decrypt(const parameters_t *p)
{
    abdm_fidelius_exchange_t x = exchange_of(p);
    size_t len = 0;
    char *plain = NULL;
    text_t content;
    abdm_err_t err;
    int status;

    if (!take_input(p->v[0], &content))
        return fail("DATA cannot be read");
    trim_end(&content);
    err = abdm_fidelius_decrypt_bytes(&x, content.p, content.len, &plain, &len);
    text_free(&content);
    if (abdm_failed(err))
        return fail(err.what);
    status = print_decrypted(p, plain, len);
    abdm_fidelius_free(plain, len);
    return status;
}


static const command_t commands[] = {
    {"gkm", "generate-key-material", 0, generate},
    {"e", "encrypt", 5, encrypt},
    {"se", "sane-encrypt", 5, encrypt_base64},
    {"d", "decrypt", 5, decrypt},
};


/* argv[0] is the command's name. */
static int
run_command(int argc, char **argv)
{
    const command_t *command = NULL;
    parameters_t p = {0};

    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        if (strcmp(argv[0], commands[i].name) == 0 || strcmp(argv[0], commands[i].alias) == 0)
            command = &commands[i];
    }
    if (command == NULL)
        return misused("no such command");

    for (int i = 1; i < argc; i++) {
        if (command->run == decrypt && strcmp(argv[i], "--raw") == 0)
            p.raw = true;
        else if (p.n < PARAMETERS_MAX)
            p.v[p.n++] = argv[i];
    }
    if (p.n != command->count)
        return misused(p.n < command->count ? "a parameter is missing" : "too many parameters");
    return command->run(&p);
}


/* One parameter a line. Empty lines at the end are none; others are empty parameters. */
static int
run_file(const char *path)
{
    char *lines[PARAMETERS_MAX + 1];
    int n = 0, status;
    text_t text;
    size_t whole;
    FILE *f = fopen(path, "rb");

    if (f == NULL || !read_all(f, &text)) {
        fprintf(stderr, "abdm fidelius: %s: %s\n", path, strerror(errno));
        if (f != NULL)
            fclose(f);
        return EXIT_FAILURE;
    }
    fclose(f);

    whole = text.len;
    while (text.len != 0 && strchr("\r\n", text.p[text.len - 1]) != NULL)
        text.p[--text.len] = '\0';
    for (char *at = text.p; at != NULL && n <= PARAMETERS_MAX; n++) {
        char *line_end = strchr(at, '\n');
        lines[n] = at;
        at = line_end;
        if (line_end != NULL) {
            *line_end = '\0';
            at = line_end + 1;
            if (line_end > lines[n] && line_end[-1] == '\r')
                line_end[-1] = '\0';
        }
    }
    status = text.len == 0 ? misused("the file is empty") : run_command(n, lines);
    text.len = whole;
    text_free(&text);
    return status;
}


int
abdm_cli_fidelius(int argc, char **argv)
{
    if (argc < 2)
        return misused("a command is missing");
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp(argv[1], "-f") == 0 || strcmp(argv[1], "--filepath") == 0) {
        if (argc != 3)
            return misused("-f takes the name of one file and nothing else");
        return run_file(argv[2]);
    }
    return run_command(argc - 1, argv + 1);
}
