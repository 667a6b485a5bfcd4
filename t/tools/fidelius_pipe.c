/*
 * The library's side of t/fidelius_roundtrip.t: one request a line on standard input, one answer
 * a line on standard output, all values base64.
 *   encrypt PEER_KEY PEER_NONCE PLAIN   -> KEY NONCE CONTENT   (new pair and nonce, as a sender)
 *   pair                                -> KEY NONCE           (kept, as a requester)
 *   decrypt PEER_KEY PEER_NONCE CONTENT -> PLAIN               (with the pair kept last)
 * A failure answers "error TEXT".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/fidelius.h"

enum { WORDS = 4, POOL_SIZE = 8 };

typedef struct {
    abdm_key_pool_t *pool;
    abdm_key_pair_t own;
    uint8_t own_nonce[ABDM_NONCE_LEN];
} state_t;


static void
print_key(const uint8_t point[ABDM_POINT_LEN], abdm_key_form_t form, const uint8_t *nonce)
{
    char key[ABDM_KEY_TEXT], nonce_text[ABDM_NONCE_TEXT];

    abdm_public_key_encode(point, form, key);
    abdm_nonce_encode(nonce, nonce_text);
    printf("%s %s", key, nonce_text);
}


static abdm_err_t
read_peer(char **word, abdm_public_key_t *peer, uint8_t nonce[ABDM_NONCE_LEN])
{
    ABDM_TRY(abdm_public_key_decode(abdm_str(word[1]), peer));
    return abdm_nonce_decode(abdm_str(word[2]), nonce);
}


static abdm_err_t
do_encrypt(state_t *s, char **word)
{
    abdm_public_key_t peer;
    abdm_fidelius_sender_t sender;
    abdm_source_t *stream = NULL;
    abdm_buf_t plain = {0}, content = {0};
    uint8_t nonce[ABDM_NONCE_LEN];
    size_t room = strlen(word[3]), made;
    abdm_err_t err;

    ABDM_TRY(read_peer(word, &peer, nonce));
    ABDM_TRY(abdm_key_pool_refill(s->pool, 1, &made));
    if (!abdm_buf_reserve(&plain, room)
        || !abdm_base64_decode(abdm_str(word[3]), (uint8_t *) plain.p, room, &plain.len))
    {
        abdm_buf_free(&plain);
        return ABDM_ERR(FIELD, "plaintext: not base64");
    }
    err = abdm_fidelius_encrypt(s->pool, &peer, nonce, abdm_source_take_buf(&plain), &sender,
                                &stream);
    if (!abdm_failed(err))
        err = abdm_source_read_all(stream, SIZE_MAX, &content);
    if (!abdm_failed(err)) {
        print_key(sender.point, ABDM_KEY_X509, sender.nonce);
        printf(" %.*s\n", (int) content.len, content.p);
    }
    abdm_source_close(stream);
    abdm_buf_free(&content);
    return err;
}


static abdm_err_t
do_pair(state_t *s, char **word)
{
    (void) word;
    ABDM_TRY(abdm_key_pair_generate(&s->own));
    ABDM_TRY(abdm_nonce_generate(s->own_nonce));
    print_key(s->own.point, ABDM_KEY_RAW, s->own_nonce);
    putchar('\n');
    return ABDM_NO_ERR;
}


static abdm_err_t
do_decrypt(state_t *s, char **word)
{
    abdm_public_key_t peer;
    abdm_buf_t plain = {0};
    uint8_t nonce[ABDM_NONCE_LEN];
    abdm_err_t err;
    char *text;

    ABDM_TRY(read_peer(word, &peer, nonce));
    err = abdm_fidelius_decrypt(&s->own, s->own_nonce, &peer, nonce, abdm_str(word[3]), &plain);
    if (!abdm_failed(err)) {
        text = malloc(abdm_base64_len(plain.len) + 1);
        if (text == NULL) {
            err = ABDM_ERR(MEMORY, "plaintext");
        } else {
            text[abdm_base64_encode(plain.p, plain.len, text)] = '\0';
            puts(text);
            free(text);
        }
    }
    abdm_buf_free(&plain);
    return err;
}


static abdm_err_t
answer(state_t *s, char *line)
{
    static const struct {
        const char *name;
        int words;
        abdm_err_t (*run)(state_t *s, char **word);
    } requests[] = {{"encrypt", 4, do_encrypt}, {"pair", 1, do_pair}, {"decrypt", 4, do_decrypt}};
    char *word[WORDS] = {0};
    int n = 0;

    /* An empty plaintext is an empty word, so every single space counts. */
    for (char *at = line; at != NULL && n < WORDS; n++)
        word[n] = strsep(&at, " ");
    for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
        if (n == requests[i].words && strcmp(word[0], requests[i].name) == 0)
            return requests[i].run(s, word);
    }
    return ABDM_ERR(USAGE, "no such request");
}


int
main(void)
{
    state_t s = {.pool = abdm_key_pool_new(POOL_SIZE)};
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;

    if (s.pool == NULL)
        return EXIT_FAILURE;
    while ((len = getline(&line, &cap, stdin)) > 0) {
        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        abdm_err_t err = answer(&s, line);
        if (abdm_failed(err))
            printf("error %s\n", err.what);
        if (fflush(stdout) != 0)
            return EXIT_FAILURE;
    }
    free(line);
    abdm_key_pool_free(s.pool);
    return EXIT_SUCCESS;
}
