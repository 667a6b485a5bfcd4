/*
 * What the gateway says synchronously: session tokens, and errors in fourteen shapes (gateway
 * protocol 1.4, 6.1-6.3, 7.8). Decides whether a call is done, may be tried again, or is refused.
 */
#ifndef ABDM_GATEWAY_ANSWER_H
#define ABDM_GATEWAY_ANSWER_H

#include "core/err.h"
#include "core/buf.h"
#include "core/time.h"

typedef enum {
    ABDM_CALL_DONE,   /* any 2xx without an error in it, or "already answered" (1103-1108, 1113) */
    ABDM_CALL_AGAIN,  /* 5xx, 429, 408, 303001: later, with a fresh REQUEST-ID */
    ABDM_CALL_TOKEN,  /* 401 or 900901-900902: drop the session, once */
    ABDM_CALL_REFUSED /* any other 4xx: trying again would only make blocks */
} abdm_call_verdict_t;

typedef struct {
    abdm_call_verdict_t verdict;
    char code[24];  /* "1016", "900901": digits as in 6.1's normaliser, "" when none */
    char text[128]; /* its own words, cut, printable ASCII; to keep them: abdm_answer_said */
} abdm_call_answer_t;

void abdm_answer_judge(int status, const char *body, size_t len, abdm_call_answer_t *out);

/* The gateway's text with nothing left but words that its published messages are made of: for logs
 * and the audit, since it may repeat names and numbers. Terminated, cut at `cap`. */
void abdm_answer_said(const char *text, char *out, size_t cap);

/* The gateway has this link request already (1090, or 9999 with those words): it is under way or
 * done, so that asking again is of no use. Always refused. */
bool abdm_answer_is_duplicate_link(const abdm_call_answer_t *answer);

/* Does the answer say that there is no such call for us, or no right to it, and nothing about what
 * was asked? Never for what may pass: 5xx but 501, time-outs, limits. */
bool abdm_answer_is_unserved(int status, const char *code);

/* Session answer: access token (malloc'ed, caller wipes and frees) and life in ms. E_SESSION,
 * E_MEMORY. */
abdm_err_t abdm_answer_session(const char *body, size_t len, char **token, int64_t *life_ms);

#endif
