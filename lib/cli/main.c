/*
 * The `abdm` command: what an operator asks of a store, keys, the table of errors, FHIR documents,
 * posters of counters, and a stand-in for NHA's fidelius-cli. Built on abdm.h and its sisters
 * alone.
 */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abdm.h"
#include "cli/cli.h"

#define DEFAULT_STORE "sqlite:/var/lib/ngx_abdm/abdm.db"

static int
help(FILE *to)
{
    fputs("usage: abdm [--store URL] [--json] COMMAND ...\n"
          "\n"
          "  transfers [N]        the newest N transfers (default 20)\n"
          "  doctor [OPTION]...   what is wrong with the installation, and how to mend it\n"
          "  register OPTION...   tells ABDM the bridge URL, and links a facility to the bridge\n"
          "  callbacks [N]        the newest N callbacks that nothing here answers\n"
          "  explain ID           one transfer or consent: its state, every step, which rule\n"
          "                       refused and why\n"
          "  audit COMMAND ...    the audit: verify, export, report\n"
          "  errors [E_CODE]      every error, or one: meaning and what to do\n"
          "  secret-key FILE      makes a new key file for abdm_secret_key\n"
          "  fhir build FILE      a record (plain JSON) or file as document bundles\n"
          "  fhir check FILE...   what is wrong with document bundles\n"
          "  fhir preview FILE    a bundle as one HTML page\n"
          "  qr FACILITY COUNTER  the poster of a counter, with its QR code\n"
          "  fidelius COMMAND ... keys, encryption and decryption as NHA's fidelius-cli has them\n"
          "  version\n"
          "\n"
          "  --store URL          default: " DEFAULT_STORE "\n"
          "  --json               print JSON instead of text\n",
          to);
    return to == stdout ? DONE : MISUSED;
}


/* --- text of reports --- */

static void
print_transfer(const json_t *t)
{
    printf("%-24s  %s  %-9s  %lld/%lld  %s\n", text_of(t, "requestedAt"),
           text_of(t, "transactionId"), text_of(t, "state"), number_of(t, "delivered"),
           number_of(t, "pages"), text_of(t, "reason"));
}


static void
print_transfers(const json_t *report)
{
    const json_t *list = json_object_get(report, "transfers");
    size_t i;
    json_t *t;

    printf("%-24s  %-36s  %-9s  pages\n", "requested", "transaction", "state");
    json_array_foreach(list, i, t)
    {
        print_transfer(t);
    }
}


static void
print_callbacks(const json_t *report)
{
    size_t i;
    json_t *c;

    printf("%-24s  %-36s  bytes  path\n", "received", "request");
    json_array_foreach(json_object_get(report, "callbacks"), i, c)
    {
        printf("%-24s  %-36s  %5lld  %s\n", text_of(c, "receivedAt"), text_of(c, "requestId"),
               number_of(c, "bytes"), text_of(c, "path"));
    }
}


static void
print_reason(const json_t *object)
{
    if (text_of(object, "reason")[0] != '\0') {
        printf("  %s: %s\n      do: %s\n", text_of(object, "reason"), text_of(object, "meaning"),
               text_of(object, "remedy"));
    }
}


static void
print_explanation(const json_t *report)
{
    size_t i;
    json_t *row;

    json_array_foreach(json_object_get(report, "transfer"), i, row)
    {
        printf("transfer %s of %s\n  consent %s\n  state %s, %lld care contexts, %lld of %lld "
               "pages delivered\n",
               text_of(row, "transactionId"), text_of(row, "facility"), text_of(row, "consentId"),
               text_of(row, "state"), number_of(row, "careContexts"), number_of(row, "delivered"),
               number_of(row, "pages"));
        print_reason(row);
    }
    json_array_foreach(json_object_get(report, "consent"), i, row)
    {
        printf("consent of %s\n  status %s, records %s to %s, until %s\n", text_of(row, "facility"),
               text_of(row, "status"), text_of(row, "from"), text_of(row, "to"),
               text_of(row, "dataEraseAt"));
    }
    json_array_foreach(json_object_get(report, "careContexts"), i, row)
    {
        printf("care context %s: %s\n", text_of(row, "careContextReference"),
               text_of(row, "state"));
        print_reason(row);
    }
    json_array_foreach(json_object_get(report, "pages"), i, row)
    {
        printf("page %lld: %s, %s, attempts %lld\n", number_of(row, "page"),
               text_of(row, "hiType"), text_of(row, "state"), number_of(row, "attempts"));
        print_reason(row);
    }
    json_array_foreach(json_object_get(report, "waiting"), i, row)
    {
        printf("waits for %s (then %s), due %s, attempts %lld\n", text_of(row, "waitsFor"),
               text_of(row, "then"), text_of(row, "dueAt"), number_of(row, "attempts"));
    }
    printf("history\n");
    json_array_foreach(json_object_get(report, "history"), i, row)
    {
        printf("  %s  %s%s%s\n", text_of(row, "at"), text_of(row, "what"),
               text_of(row, "detail")[0] != '\0' ? ": " : "", text_of(row, "detail"));
        print_reason(row);
    }
}


/* --- commands --- */

typedef struct {
    const char *store;
    bool json;
} options_t;


typedef abdm_err_t (*newest_fn)(abdm_admin_t *admin, int limit, char **json);

static int
newest(const options_t *options, int argc, char **argv, newest_fn ask,
       cli_print_fn print)
{
    char problem[ABDM_PROBLEM], *json, *end;
    long limit = 20;
    abdm_admin_t *admin;
    abdm_err_t err;

    if (argc > 1) {
        limit = strtol(argv[1], &end, 10);
        if (*end != '\0' || limit < 1 || limit > 1000000) {
            return help(stderr);
        }
    }
    err = abdm_admin_open(options->store, problem, &admin);
    if (abdm_failed(err)) {
        return cli_fail(err, problem);
    }
    err = ask(admin, (int) limit, &json);
    abdm_admin_close(admin);
    return abdm_failed(err) ? cli_fail(err, err.what) : cli_print(json, options->json, print);
}


static int
transfers(const options_t *options, int argc, char **argv)
{
    return newest(options, argc, argv, abdm_admin_transfers, print_transfers);
}


static int
callbacks(const options_t *options, int argc, char **argv)
{
    return newest(options, argc, argv, abdm_admin_callbacks, print_callbacks);
}


static int
explain(const options_t *options, int argc, char **argv)
{
    char problem[ABDM_PROBLEM], *json;
    abdm_admin_t *admin;
    abdm_err_t err;

    if (argc != 2) {
        return help(stderr);
    }
    err = abdm_admin_open(options->store, problem, &admin);
    if (abdm_failed(err)) {
        return cli_fail(err, problem);
    }
    err = abdm_admin_explain(admin, argv[1], &json);
    abdm_admin_close(admin);
    return abdm_failed(err) ? cli_fail(err, err.what)
                            : cli_print(json, options->json, print_explanation);
}


static int
errors(const options_t *options, int argc, char **argv)
{
    const abdm_error_info_t *row;
    int found = 0;

    (void) options;
    for (size_t i = 0; (row = abdm_error_row(i)) != NULL; i++) {
        if (argc > 1 && strcmp(row->name, argv[1]) != 0) {
            continue;
        }
        printf("%s\n    %s\n    do: %s\n", row->name, row->meaning, row->remedy);
        found++;
    }
    if (found == 0) {
        fprintf(stderr, "abdm: E_NOT_FOUND: no error is called %s\n", argv[1]);
        return FAILED;
    }
    return DONE;
}


static int
secret_key(const options_t *options, int argc, char **argv)
{
    char problem[ABDM_PROBLEM];
    abdm_err_t err;

    (void) options;
    if (argc != 2) {
        return help(stderr);
    }
    err = abdm_secret_key_make(argv[1], problem);
    return abdm_failed(err) ? cli_fail(err, problem) : DONE;
}


static int
version(const options_t *options, int argc, char **argv)
{
    (void) options;
    (void) argc;
    (void) argv;
    printf("%s\n", abdm_version());
    return DONE;
}


static int
fidelius(const options_t *options, int argc, char **argv)
{
    (void) options;
    return abdm_cli_fidelius(argc, argv);
}


static int
fhir(const options_t *options, int argc, char **argv)
{
    return abdm_cli_fhir(argc, argv, options->json);
}


static int
audit(const options_t *options, int argc, char **argv)
{
    return abdm_cli_audit(argc, argv, options->store, options->json);
}


static int
qr(const options_t *options, int argc, char **argv)
{
    (void) options;
    return abdm_cli_qr(argc, argv);
}


static int
doctor(const options_t *options, int argc, char **argv)
{
    return abdm_cli_doctor(argc, argv, options->store, options->json);
}


static int
enrol(const options_t *options, int argc, char **argv)
{
    return abdm_cli_register(argc, argv, options->store, options->json);
}


static const struct {
    const char *name;
    int (*run)(const options_t *options, int argc, char **argv);
} commands[] = {
    {"transfers", transfers},   {"callbacks", callbacks},   {"explain", explain},
    {"errors", errors},         {"secret-key", secret_key}, {"fhir", fhir},
    {"qr", qr},                 {"fidelius", fidelius},     {"version", version},
    {"doctor", doctor},         {"register", enrol},        {"audit", audit},
};


int
main(int argc, char **argv)
{
    static const struct option known[] = {
        {"store", required_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    options_t options = {.store = DEFAULT_STORE};
    int option;

    while ((option = getopt_long(argc, argv, "+", known, NULL)) != -1) {
        switch (option) {
        case 's':
            options.store = optarg;
            break;
        case 'j':
            options.json = true;
            break;
        case 'h':
            return help(stdout);
        default:
            return help(stderr);
        }
    }
    for (size_t i = 0; optind < argc && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[optind], commands[i].name) == 0) {
            return commands[i].run(&options, argc - optind, argv + optind);
        }
    }
    return help(stderr);
}
