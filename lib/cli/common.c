/*
 * What the subcommands of `abdm` share: how a failure is said, and the library's reports are
 * printed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

int
cli_fail(abdm_err_t err, const char *text)
{
    fprintf(stderr, "abdm: %s: %s\n", abdm_error_row((size_t) err.code - 1)->name, text);
    return err.code == ABDM_E_USAGE ? MISUSED : FAILED;
}


int
cli_print(char *json, bool as_json, cli_print_fn print)
{
    json_t *report;

    if (as_json) {
        puts(json);
        free(json);
        return DONE;
    }
    report = json_loads(json, 0, NULL);
    free(json);
    if (report == NULL) {
        fprintf(stderr, "abdm: E_INTERNAL: the report is not JSON\n");
        return FAILED;
    }
    print(report);
    json_decref(report);
    return DONE;
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
