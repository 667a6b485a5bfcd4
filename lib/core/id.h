/* UUIDs: version 4 for what we send, version 5 (RFC 4122) for what must stay the same. */
#ifndef ABDM_CORE_ID_H
#define ABDM_CORE_ID_H

#include "core/buf.h"
#include "core/err.h"

enum { ABDM_UUID_TEXT = 37 }; /* 36 characters and the terminator */

abdm_err_t abdm_uuid4(char out[ABDM_UUID_TEXT]);
/* From SHA-1 of `space` (a UUID's text, else E_INTERNAL) and `name`, lower case. */
abdm_err_t abdm_uuid5(const char *space, abdm_str_t name, char out[ABDM_UUID_TEXT]);

/* Many of version 5 in one name space, much cheaper each. */
typedef struct abdm_uuid_maker_s abdm_uuid_maker_t;
abdm_err_t abdm_uuid_maker_new(const char *space, abdm_uuid_maker_t **out);
abdm_err_t abdm_uuid_make(abdm_uuid_maker_t *maker, abdm_str_t name, char out[ABDM_UUID_TEXT]);
void abdm_uuid_maker_free(abdm_uuid_maker_t *maker); /* NULL is allowed */

bool abdm_is_uuid(abdm_str_t s); /* 8-4-4-4-12 hex digits, any case, any version */

/* Lower-case hex SHA-256 with terminator, for keys of equality. E_CRYPTO leaves "". */
abdm_err_t abdm_sha256_hex(abdm_str_t s, char out[65]);

#endif
