/*
 * Subcommands of `abdm` that live in files of their own. argv[0] is the subcommand's name, and
 * the value is the exit status: 0, 1 when the work failed, 2 when the command line is wrong, and of
 * those that examine 3 when there are only warnings.
 */
#ifndef ABDM_CLI_CLI_H
#define ABDM_CLI_CLI_H

#include <stdbool.h>

int abdm_cli_fidelius(int argc, char **argv);
int abdm_cli_fhir(int argc, char **argv, bool json);
int abdm_cli_qr(int argc, char **argv);
int abdm_cli_audit(int argc, char **argv, const char *store, bool json);
int abdm_cli_doctor(int argc, char **argv, const char *store, bool json);
int abdm_cli_register(int argc, char **argv, const char *store, bool json);

#endif
