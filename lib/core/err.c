/*
 * The table of errors, built from error.def so that codes, HTTP statuses, wire codes and the
 * texts for the operator can never disagree.
 */
#include "core/err.h"

#include <string.h>

static const abdm_error_info_t rows[ABDM_CODE_COUNT] = {
    [ABDM_OK] = {"OK", 200, "", "no error", ""},
#define ABDM_ERROR(name, http, wire, meaning, remedy)                                              \
    [ABDM_E_##name] = {"E_" #name, (http), (wire), (meaning), (remedy)},
#include "core/error.def"
#undef ABDM_ERROR
};


const abdm_error_info_t *
abdm_error_info(abdm_code_t code)
{
    if ((unsigned) code >= ABDM_CODE_COUNT)
        return &rows[ABDM_E_INTERNAL];
    return &rows[code];
}


abdm_code_t
abdm_error_by_name(const char *name)
{
    if (name == NULL)
        return ABDM_OK;
    for (int i = ABDM_OK + 1; i < ABDM_CODE_COUNT; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return (abdm_code_t) i;
    }
    return ABDM_OK;
}
