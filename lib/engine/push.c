/*
 * The data push: where it may go, and what it carries. The host of dataPushUrl is looked up, every
 * address of it is judged, and the connection is pinned to those addresses, so a name that
 * changes its mind between the check and the call gains nothing (threat model 4.3).
 */
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "engine/document.h"
#include "engine/push.h"
#include "gateway/outbound.h"

enum { KEY_LIFE = 24 * 60 * 60 * 1000, ADDRESSES_MAX = 64 };


/* "+host:port:address,address": what curl is to believe instead of looking the name up again; the
 * plus lets it forget after a minute, so that a pin never outlives its transfer for long. */
static abdm_err_t
pin_to(abdm_task_t *task, const char *host, const char *port, const struct addrinfo *found)
{
    char text[NI_MAXHOST];
    abdm_buf_t pin = {0};

    abdm_buf_addf(&pin, "+%s:%s:", host, port);
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {
        bool v6 = a->ai_family == AF_INET6;

        if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST)
            != 0) {
            abdm_buf_free(&pin);
            return ABDM_ERR(RESOLVE, "address of dataPushUrl");
        }
        abdm_buf_addf(&pin, "%s%s%s%s", v6 ? "[" : "", text, v6 ? "]" : "",
                      a->ai_next != NULL ? "," : "");
    }
    task->call.resolve = abdm_buf_take(&pin);
    return task->call.resolve == NULL ? ABDM_ERR(MEMORY, "address") : ABDM_NO_ERR;
}


abdm_err_t
abdm_push_pin(abdm_task_t *task, const abdm_push_allow_t *allow)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
    const struct sockaddr *addrs[ADDRESSES_MAX];
    char host[ABDM_URL_HOST + 1], port[8];
    struct addrinfo *a;
    abdm_url_t url;
    abdm_err_t err;
    size_t n = 0;

    ABDM_TRY(abdm_push_check_url(abdm_str(task->transfer.push_url), allow, &url));
    if (url.kind != ABDM_HOST_NAME) {
        return ABDM_NO_ERR; /* an address: judged as it stands, nothing to look up */
    }
    snprintf(host, sizeof(host), "%.*s", (int) url.host.len, url.host.p);
    snprintf(port, sizeof(port), "%u", url.port);
    if (getaddrinfo(host, port, &hints, &found) != 0 || found == NULL) {
        return ABDM_ERR(RESOLVE, "host of dataPushUrl");
    }
    for (a = found; a != NULL && n < ADDRESSES_MAX; a = a->ai_next) {
        addrs[n++] = a->ai_addr;
    }
    err = a != NULL ? ABDM_ERR(PUSH_ADDRESS, "host of dataPushUrl has too many addresses")
                    : abdm_push_check_addrs(addrs, n, allow);
    if (!abdm_failed(err)) {
        err = pin_to(task, host, port, found);
    }
    freeaddrinfo(found);
    return err;
}


abdm_err_t
abdm_push_body(abdm_task_t *task, const abdm_engine_facility_t *facility, abdm_key_pool_t *pairs)
{
    char key_text[ABDM_KEY_TEXT], nonce_text[ABDM_NONCE_TEXT];
    uint8_t peer_nonce[ABDM_NONCE_LEN];
    abdm_source_t *plain, *digested, *cipher;
    abdm_fidelius_sender_t sender;
    abdm_public_key_t peer;
    abdm_push_page_t page = {
        .page_number = task->page.number,
        .page_count = task->transfer.n_pages,
        .transaction_id = task->transfer.id,
        .care_context_ref = task->context.care_context_ref,
        .curve = task->transfer.curve,
        .public_key = key_text,
        .nonce = nonce_text,
        .key_expiry = abdm_time_now() + KEY_LIFE,
    };

    ABDM_TRY(abdm_public_key_decode(abdm_str(task->transfer.public_key), &peer));
    ABDM_TRY(abdm_nonce_decode(abdm_str(task->transfer.nonce), peer_nonce));
    ABDM_TRY(abdm_task_document_source(task, facility, &plain));
    ABDM_TRY(abdm_digest_new(plain, &task->digest, &digested));
    ABDM_TRY(abdm_fidelius_encrypt(pairs, &peer, peer_nonce, digested, &sender, &cipher));
    abdm_public_key_encode(sender.point, ABDM_KEY_X509, key_text);
    abdm_nonce_encode(sender.nonce, nonce_text);
    return abdm_out_push(&page, cipher, abdm_digest_bytes(task->digest), &task->call.body);
}
