/*
 * A record on its way through. Up to 256 KB it stays in memory; beyond, it goes in chunks to
 * an unlinked file, each chunk sealed with AES-256-GCM under a key drawn for this spool alone,
 * its number being the nonce. So what reaches the disk is unreadable once the process is gone,
 * chunks cannot be exchanged, and RAM holds one chunk per writer or reader.
 */
#include "engine/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"

enum {
    HEAD_MAX = 512,
    CHUNK = 65536,
    TAG = 16,
    SEALED = CHUNK + TAG, /* bytes of a full chunk in the file */
    MEMORY_MAX = 262144,
    KEY = 32,
    NONCE = 12,
};

struct abdm_spool_s {
    const char *dir; /* borrowed */
    uint64_t max;
    uint64_t length;
    abdm_buf_t mem; /* all bytes while fd is -1, else the chunk that fills up */
    int fd;
    uint64_t chunks; /* sealed so far */
    bool finished;
    bool failed; /* a write went wrong: what is here is not whole */
    uint8_t key[KEY];
    uint8_t head[HEAD_MAX];
    size_t head_len;
};

typedef struct {
    abdm_source_t base;
    const abdm_spool_t *spool; /* borrowed */
    uint64_t at;               /* bytes given */
    uint64_t loaded;           /* 1 + the number of the chunk in `chunk`; 0: none */
    size_t chunk_len;
    EVP_CIPHER_CTX *cipher; /* NULL when all is in memory */
    uint8_t chunk[SEALED];
} spool_source_t;


abdm_err_t
abdm_spool_new(const char *dir, uint64_t max, abdm_spool_t **out)
{
    abdm_spool_t *spool = calloc(1, sizeof *spool);

    *out = NULL;
    if (spool == NULL)
        return ABDM_ERR(MEMORY, "spool: its state");
    spool->dir = dir;
    spool->max = max;
    spool->fd = -1;
    *out = spool;
    return ABDM_NO_ERR;
}


void
abdm_spool_free(abdm_spool_t *spool)
{
    if (spool == NULL)
        return;
    abdm_buf_wipe_free(&spool->mem);
    if (spool->fd != -1)
        close(spool->fd);
    abdm_wipe(spool, sizeof *spool);
    free(spool);
}


/* A file without a name: at once where the file system can, else by unlinking. */
static int
open_unlinked(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    if (fd != -1 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;

    char path[4096];
    int n = snprintf(path, sizeof path, "%s/abdm-spool-XXXXXX", dir);
    if (n < 0 || (size_t) n >= sizeof path)
        return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd != -1 && unlink(path) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}


/* The chunk's number, little-endian: never used twice with the key of this spool. */
static void
make_nonce(uint64_t number, uint8_t nonce[NONCE])
{
    memset(nonce, 0, NONCE);
    for (int i = 0; i < 8; i++)
        nonce[i] = (uint8_t) (number >> (8 * i));
}


static abdm_err_t
write_all(int fd, const uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ABDM_ERR(SYSTEM, "spool file: write failed, is the disk full?");
        p += n;
        len -= (size_t) n;
    }
    return ABDM_NO_ERR;
}


static bool
seal(const uint8_t key[KEY], uint64_t number, const uint8_t *in, size_t len, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t nonce[NONCE];
    int n, rest;

    make_nonce(number, nonce);
    bool ok = ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
              EVP_EncryptUpdate(ctx, out, &n, in, (int) len) == 1 && n == (int) len &&
              EVP_EncryptFinal_ex(ctx, out + n, &rest) == 1 && rest == 0 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, out + len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}


static abdm_err_t
write_chunk(abdm_spool_t *spool, const void *p, size_t len)
{
    uint8_t *sealed = malloc(SEALED);

    if (sealed == NULL)
        return ABDM_ERR(MEMORY, "spool: a chunk");
    abdm_err_t err = seal(spool->key, spool->chunks, p, len, sealed)
                         ? write_all(spool->fd, sealed, len + TAG)
                         : ABDM_ERR(CRYPTO, "spool: sealing a chunk");
    free(sealed);
    spool->chunks++;
    return err;
}


/* Appends to the chunk that fills up, writing it whenever it is full. */
static abdm_err_t
write_to_file(abdm_spool_t *spool, const uint8_t *p, size_t len)
{
    while (len > 0) {
        size_t n = CHUNK - spool->mem.len;
        if (n > len)
            n = len;
        abdm_buf_add(&spool->mem, p, n);
        if (spool->mem.failed)
            return ABDM_ERR(MEMORY, "spool: a chunk");
        p += n;
        len -= n;
        if (spool->mem.len == CHUNK) {
            ABDM_TRY(write_chunk(spool, spool->mem.p, CHUNK));
            spool->mem.len = 0;
        }
    }
    return ABDM_NO_ERR;
}


/* From memory to a file: what was held goes the way of all later bytes. */
static abdm_err_t
spill(abdm_spool_t *spool)
{
    abdm_buf_t held = spool->mem;

    if (RAND_bytes(spool->key, KEY) != 1)
        return ABDM_ERR(CRYPTO, "spool: no random bytes for its key");
    spool->fd = open_unlinked(spool->dir);
    if (spool->fd == -1)
        return ABDM_ERR(SYSTEM, "spool directory: no file can be made in it");
    spool->mem = (abdm_buf_t){0};
    abdm_err_t err = write_to_file(spool, (const uint8_t *) held.p, held.len);
    abdm_buf_wipe_free(&held);
    return err;
}


static abdm_err_t
append(abdm_spool_t *spool, const void *p, size_t len)
{
    if (spool->fd == -1 && len <= MEMORY_MAX - spool->mem.len) {
        abdm_buf_add(&spool->mem, p, len);
        return spool->mem.failed ? ABDM_ERR(MEMORY, "spool: its bytes") : ABDM_NO_ERR;
    }
    if (spool->fd == -1)
        ABDM_TRY(spill(spool));
    return write_to_file(spool, p, len);
}


abdm_err_t
abdm_spool_write(abdm_spool_t *spool, const void *p, size_t len)
{
    if (spool->finished || spool->failed)
        return ABDM_ERR(INTERNAL, "spool: written after its end");
    if (len > spool->max - spool->length) {
        spool->failed = true;
        return ABDM_ERR(ANSWER_TOO_LARGE, "spool: more bytes than its limit");
    }
    if (len == 0)
        return ABDM_NO_ERR;

    size_t n = HEAD_MAX - spool->head_len;
    if (n > len)
        n = len;
    memcpy(spool->head + spool->head_len, p, n);
    spool->head_len += n;

    abdm_err_t err = append(spool, p, len);
    spool->failed = abdm_failed(err);
    spool->length += len;
    return err;
}


abdm_err_t
abdm_spool_finish(abdm_spool_t *spool)
{
    if (spool->finished || spool->failed)
        return ABDM_ERR(INTERNAL, "spool: finished twice or after a failure");
    if (spool->fd != -1) {
        if (spool->mem.len > 0) {
            abdm_err_t err = write_chunk(spool, spool->mem.p, spool->mem.len);
            if (abdm_failed(err)) {
                spool->failed = true;
                return err;
            }
        }
        abdm_buf_wipe_free(&spool->mem);
    }
    spool->finished = true;
    return ABDM_NO_ERR;
}


uint64_t
abdm_spool_length(const abdm_spool_t *spool)
{
    return spool->length;
}


abdm_str_t
abdm_spool_head(const abdm_spool_t *spool)
{
    return (abdm_str_t){(const char *) spool->head, spool->head_len};
}


static abdm_err_t
memory_read(abdm_source_t *s, void *out, size_t cap, size_t *got)
{
    spool_source_t *src = (spool_source_t *) s;
    uint64_t left = s->length - src->at;
    size_t n = left < cap ? (size_t) left : cap;

    if (n > 0)
        memcpy(out, src->spool->mem.p + src->at, n);
    src->at += n;
    *got = n;
    return ABDM_NO_ERR;
}


static abdm_err_t
read_all(int fd, uint8_t *p, size_t len, uint64_t offset)
{
    while (len > 0) {
        ssize_t n = pread(fd, p, len, (off_t) offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ABDM_ERR(SYSTEM, "spool file: read failed");
        if (n == 0)
            return ABDM_ERR(SPOOL_LOST, "spool file: shorter than what was written");
        p += n;
        offset += (uint64_t) n;
        len -= (size_t) n;
    }
    return ABDM_NO_ERR;
}


/* Reads and opens chunk `number` in place; its bytes count only when its tag is right. */
static abdm_err_t
load_chunk(spool_source_t *src, uint64_t number)
{
    uint64_t left = src->base.length - number * CHUNK;
    size_t len = left < CHUNK ? (size_t) left : CHUNK;
    uint8_t nonce[NONCE];
    int n, rest;

    src->loaded = 0;
    ABDM_TRY(read_all(src->spool->fd, src->chunk, len + TAG, number * SEALED));
    make_nonce(number, nonce);
    if (EVP_DecryptInit_ex(src->cipher, EVP_aes_256_gcm(), NULL, src->spool->key, nonce) != 1 ||
        EVP_DecryptUpdate(src->cipher, src->chunk, &n, src->chunk, (int) len) != 1 ||
        EVP_CIPHER_CTX_ctrl(src->cipher, EVP_CTRL_GCM_SET_TAG, TAG, src->chunk + len) != 1)
        return ABDM_ERR(CRYPTO, "spool: opening a chunk");
    if (EVP_DecryptFinal_ex(src->cipher, src->chunk + len, &rest) != 1) {
        abdm_wipe(src->chunk, sizeof src->chunk);
        return ABDM_ERR(SPOOL_LOST, "spool file: altered since it was written");
    }
    src->loaded = number + 1;
    src->chunk_len = len;
    return ABDM_NO_ERR;
}


static abdm_err_t
file_read(abdm_source_t *s, void *out, size_t cap, size_t *got)
{
    spool_source_t *src = (spool_source_t *) s;
    uint64_t number = src->at / CHUNK;
    size_t offset = (size_t) (src->at % CHUNK);

    *got = 0;
    if (src->at == s->length)
        return ABDM_NO_ERR;
    if (src->loaded != number + 1)
        ABDM_TRY(load_chunk(src, number));

    size_t n = src->chunk_len - offset;
    if (n > cap)
        n = cap;
    memcpy(out, src->chunk + offset, n);
    src->at += n;
    *got = n;
    return ABDM_NO_ERR;
}


static void
source_close(abdm_source_t *s)
{
    spool_source_t *src = (spool_source_t *) s;

    EVP_CIPHER_CTX_free(src->cipher);
    abdm_wipe(src, sizeof *src);
    free(src);
}


abdm_err_t
abdm_spool_source(abdm_spool_t *spool, abdm_source_t **out)
{
    spool_source_t *src;

    *out = NULL;
    if (!spool->finished)
        return ABDM_ERR(INTERNAL, "spool: read before it is finished");
    src = calloc(1, sizeof *src);
    if (src == NULL)
        return ABDM_ERR(MEMORY, "spool: a source");
    src->base = (abdm_source_t){spool->length, memory_read, source_close, NULL};
    src->spool = spool;
    if (spool->fd != -1) {
        src->base.read = file_read;
        src->cipher = EVP_CIPHER_CTX_new();
        if (src->cipher == NULL) {
            free(src);
            return ABDM_ERR(MEMORY, "spool: a source");
        }
    }
    *out = &src->base;
    return ABDM_NO_ERR;
}
