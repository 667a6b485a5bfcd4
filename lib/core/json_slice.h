/* The bytes of one value within a JSON text, exactly as they stand there: what somebody signed. */
#ifndef ABDM_CORE_JSON_SLICE_H
#define ABDM_CORE_JSON_SLICE_H

#include "core/buf.h"

/* Finds the value at "a.b" below the text's own value; a segment of digits is an index where the
 * value is a list. The text must be one that abdm_json_parse takes. *out is borrowed, without blanks
 * around it. False: there is no such value, or the text is not JSON. */
bool abdm_json_slice(abdm_str_t text, const char *path, abdm_str_t *out);

#endif
