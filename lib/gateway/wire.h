/*
 * What the readers and writers of the gateway's messages share: fields with their limits, the
 * gateway's form of errors, and the pieces that stand in many bodies (gateway protocol 3.0, 3.1,
 * 6.1, 6.2). For this room alone.
 */
#ifndef ABDM_GATEWAY_WIRE_H
#define ABDM_GATEWAY_WIRE_H

#include <jansson.h>

#include "core/err.h"
#include "core/json.h"
#include "core/time.h"

enum {
    ABDM_WIRE_ID = 255,   /* bytes of ids, references and displays */
    ABDM_WIRE_NAME = 128, /* characters of a person's name, in any script */
    ABDM_WIRE_YEAR_FIRST = 1900,
    ABDM_WIRE_YEAR_LAST = 2200,
};

/* --- reading: `fault` is the static text of E_FIELD; results are owned by the caller --- */

/* 1 to `max` bytes without control characters: such texts reach log lines and headers. */
bool abdm_in_is_plain(abdm_str_t s, size_t max);

abdm_err_t abdm_in_take_text(const json_t *root, const char *path, size_t max, const char *fault,
                             char **out);
/* Ids of the gateway's own making are what our logs and audit call things by, so they are nothing
 * but UUIDs: a person's number in their place gets nowhere. */
abdm_err_t abdm_in_take_uuid(const json_t *root, const char *path, const char *fault, char **out);
abdm_err_t abdm_in_optional_uuid(const json_t *root, const char *path, const char *fault,
                                 char **out);
/* Absent, null and "" leave *out as it is. */
abdm_err_t abdm_in_optional_text(const json_t *root, const char *path, size_t max,
                                 const char *fault, char **out);
abdm_err_t abdm_in_take_time(const json_t *root, const char *path, const char *fault,
                             abdm_ms_t *out);

/* The full path is for the error's text; `path` is read below `root`. */
#define ABDM_IN_TAKE_ID(root, above, path, out)                                                    \
    abdm_in_take_text(root, path, ABDM_WIRE_ID, above path ": text of 1 to 255 bytes expected", out)
#define ABDM_IN_OPTIONAL_ID(root, above, path, out)                                                \
    abdm_in_optional_text(root, path, ABDM_WIRE_ID,                                                \
                          above path ": text of 1 to 255 bytes expected", out)

#define ABDM_IN_TAKE_UUID(root, above, path, out)                                                  \
    abdm_in_take_uuid(root, path, above path ": a UUID expected", out)

/* A value that is text on the wire, or (some senders) an integer: as text without blanks around
 * it, in `digits` when it was a number. Absent and null are empty. False for anything else. */
enum { ABDM_IN_DIGITS = 24 };
bool abdm_in_scalar(const json_t *value, char digits[ABDM_IN_DIGITS], abdm_str_t *out);

/* In the normal forms of core/abha.h. Absent, null and "" leave *out as it is. */
abdm_err_t abdm_in_optional_address(const json_t *root, const char *path, const char *fault,
                                    char **out);
abdm_err_t abdm_in_optional_number(const json_t *root, const char *path, const char *fault,
                                   char **out);
abdm_err_t abdm_in_take_name(const json_t *root, const char *path, const char *fault, char **out);
/* Absent gives "U", a wrong type E_FIELD. */
abdm_err_t abdm_in_take_gender(const json_t *root, const char *path, const char *fault,
                               const char **out);
/* Absent, null, "" and 0 give 0: not told. */
abdm_err_t abdm_in_optional_int(const json_t *root, const char *path, int min, int max,
                                const char *fault, int *out);

/* --- the gateway's errors --- */

/* Printable ASCII, cut to the space there is, without blanks around it; what is not printable
 * becomes a space. */
void abdm_wire_text(abdm_str_t s, char *out, size_t cap);
/* "ABDM-1016: " → "1016"; numbers as their digits; other codes ("HIS-1070") as they are; "" when
 * it is no code. */
void abdm_wire_code(const json_t *code, char *out, size_t cap);
/* `message`, or else `description`, of an error's object */
void abdm_wire_message(const json_t *error, char *out, size_t cap);

/* --- writing --- */

/* "error": {code, message}: `wire` and meaning of err.code, see abdm_out_error. */
void abdm_out_write_error(abdm_jw_t *w, abdm_err_t err);
/* As v0.5 has it: the code is a number. */
void abdm_out_write_old_error(abdm_jw_t *w, abdm_err_t err);
/* "response" (V3) or "resp" (v0.5): {"requestId"} */
void abdm_out_write_echo(abdm_jw_t *w, const char *member, const char *request_id);

#endif
