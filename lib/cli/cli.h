/*
 * Subcommands of `abdm` that live in files of their own. argv[0] is the subcommand's name, and
 * the value is the exit status: 0, 1 when the work failed, 2 when the command line is wrong, and of
 * those that examine 3 when there are only warnings.
 */
#ifndef ABDM_CLI_CLI_H
#define ABDM_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>

#include "abdm.h"

enum { DONE, FAILED, MISUSED };

/* Says on stderr what is wrong; gives the exit status. */
int cli_fail(abdm_err_t err, const char *text);

/* Prints a report, takes it: as it is, or as `print` has it; gives the exit status. */
typedef void (*cli_print_fn)(const json_t *report);
int cli_print(char *json, bool as_json, cli_print_fn print);

/* A member of a report; "" and 0 when it has none. */
const char *text_of(const json_t *object, const char *key);
long long number_of(const json_t *object, const char *key);

int abdm_cli_fidelius(int argc, char **argv);
int abdm_cli_fhir(int argc, char **argv, bool json);
int abdm_cli_qr(int argc, char **argv);
int abdm_cli_audit(int argc, char **argv, const char *store, bool json);
int abdm_cli_doctor(int argc, char **argv, const char *store, bool json);
int abdm_cli_register(int argc, char **argv, const char *store, bool json);

#endif
