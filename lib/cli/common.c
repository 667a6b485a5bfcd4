/*
 * What the subcommands of `abdm` share: how a failure is said, and members of the library's
 * reports.
 */
#include <stdio.h>

#include "cli/cli.h"

int
cli_fail(abdm_err_t err, const char *text)
{
    fprintf(stderr, "abdm: %s: %s\n", abdm_error_row((size_t) err.code - 1)->name, text);
    return err.code == ABDM_E_USAGE ? MISUSED : FAILED;
}


const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}


long long
number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}
