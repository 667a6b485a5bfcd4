/*
 * One way to fail. A function that can fail returns an abdm_err_t; its code is one row of
 * error.def, stable for ever, and `what` says which input was wrong and how. Both strings
 * are static: an error owns nothing and may be copied freely.
 */
#ifndef ABDM_CORE_ERR_H
#define ABDM_CORE_ERR_H

typedef enum {
    ABDM_OK = 0,
#define ABDM_ERROR(name, http, wire, meaning, remedy) ABDM_E_##name,
#include "core/error.def"
#undef ABDM_ERROR
    ABDM_CODE_COUNT
} abdm_code_t;

typedef struct {
    abdm_code_t code;
    const char *what;  /* static: "hiRequest.keyMaterial.nonce: 32 bytes expected" */
    const char *where; /* static: "fidelius.c:120" */
} abdm_err_t;

#define ABDM_STR1(x)       #x
#define ABDM_STR(x)        ABDM_STR1(x)
#define ABDM_ERR(name, w)  ((abdm_err_t){ABDM_E_##name, (w), __FILE__ ":" ABDM_STR(__LINE__)})
#define ABDM_NO_ERR        ((abdm_err_t){ABDM_OK, "", ""})
#define abdm_failed(err)   ((err).code != ABDM_OK)

/* Returns from the calling function when `expr` fails. */
#define ABDM_TRY(expr)                                                                             \
    do {                                                                                           \
        abdm_err_t abdm_try_err_ = (expr);                                                         \
        if (abdm_failed(abdm_try_err_))                                                            \
            return abdm_try_err_;                                                                  \
    } while (0)

typedef struct {
    const char *name;    /* "E_TOKEN_EXPIRED" */
    int http;            /* status when this is the answer to an HTTP request of ours */
    const char *wire;    /* "ABDM-1062": code sent to the gateway, "" when it is never told */
    const char *meaning; /* one line */
    const char *remedy;  /* what the operator should do */
} abdm_error_info_t;

/* The row of error.def for `code`; never NULL. Static. */
const abdm_error_info_t *abdm_error_info(abdm_code_t code);

/* The code whose name is `name` ("E_..."), or ABDM_OK when there is none. */
abdm_code_t abdm_error_by_name(const char *name);

#endif
