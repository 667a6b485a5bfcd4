/*
 * `abdm audit`: verifies the chain, writes the rows out, and sums them up, for a regulator or after
 * a breach. Exit status 1 also when the chain is not as it was written.
 */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abdm.h"
#include "cli/cli.h"

typedef struct {
    const char *store;
    bool json;
    const char *key, *anchor;
    bool csv, breach;
    abdm_audit_query_t query;
} options_t;


static int
help(FILE *to)
{
    fputs("usage: abdm [--store URL] [--json] audit COMMAND ...\n"
          "\n"
          "  verify --key FILE [--anchor NUMBER:MAC]\n"
          "                 is every row there as it was written? An anchor is a line of the log\n"
          "  export [--format jsonl|csv] [--since TIME] [--until TIME] [--hip FACILITY]\n"
          "  report [--breach] [--since TIME] [--until TIME] [--hip FACILITY]\n"
          "                 how often what happened; what left, to whom, under which consent\n"
          "  restart --key FILE\n"
          "                 begins a new chain, after the old one was found altered (E_AUDIT)\n"
          "\n"
          "  --key FILE     the secret key of the store\n"
          "  TIME           2026-03-05T09:00:00Z, 2026-03-05, or how long ago: 6h, 72h, 90d\n",
          to);
    return to == stdout ? DONE : MISUSED;
}


static int
open_store(const options_t *o, abdm_admin_t **admin)
{
    char problem[ABDM_PROBLEM];
    abdm_err_t err = abdm_admin_open_with(o->store, o->key, problem, admin);

    return abdm_failed(err) ? cli_fail(err, problem) : DONE;
}


/* --- text --- */

static void
print_verdict(const json_t *v)
{
    printf("rows verified: %lld", number_of(v, "rows"));
    if (number_of(v, "rows") > 0 && json_is_true(json_object_get(v, "good"))) {
        printf(", %lld to %lld", number_of(v, "first"), number_of(v, "last"));
    }
    printf("\n");
    if (number_of(v, "begins") > 1) {
        printf("begins with row %lld since %s\n", number_of(v, "begins"),
               text_of(v, "beginsSince"));
    }
    if (number_of(v, "outside") > 0) {
        printf("rows outside of the chain: %lld\n", number_of(v, "outside"));
    }
    if (json_is_true(json_object_get(v, "anchorPruned"))) {
        printf("the row of the anchor was past its time and is gone\n");
    }
    if (json_is_true(json_object_get(v, "good"))) {
        printf("good\nanchor %s\n", text_of(v, "anchor"));
    } else if (number_of(v, "row") == 0) {
        printf("FAULT: %s\n", text_of(v, "fault"));
    } else {
        printf("FAULT: row %lld %s", number_of(v, "row"), text_of(v, "fault"));
        if (number_of(v, "standsAt") > 0) {
            printf(": it stands as row %lld", number_of(v, "standsAt"));
        }
        printf("\n");
    }
}


static void
print_kinds(const json_t *list)
{
    size_t i;
    json_t *kind;

    json_array_foreach(list, i, kind)
    {
        printf("%8lld  %-20s  %s%s%s\n", number_of(kind, "times"), text_of(kind, "facility"),
               text_of(kind, "what"), text_of(kind, "code")[0] != '\0' ? ": " : "",
               text_of(kind, "code"));
    }
}


static void
print_report(const json_t *report)
{
    const json_t *shared = json_object_get(report, "transfers");
    size_t i;
    json_t *t;

    printf("from %s to %s\n", text_of(report, "since"), text_of(report, "until"));
    if (shared == NULL) {
        print_kinds(json_object_get(report, "kinds"));
        return;
    }
    printf("%lld documents left in %lld transfers\n", number_of(report, "documentCount"),
           number_of(report, "transferCount"));
    json_array_foreach(shared, i, t)
    {
        printf("  %s to %s\n    facility %s, transaction %s\n    consent %s\n"
               "    requester %s, documents %lld\n",
               text_of(t, "first"), text_of(t, "last"), text_of(t, "facility"),
               text_of(t, "transactionId"), text_of(t, "consentId"),
               text_of(t, "requester")[0] != '\0' ? text_of(t, "requester") : "not named",
               number_of(t, "documents"));
    }
    printf("refused or failed: %lld\n", number_of(report, "refusalCount"));
    print_kinds(json_object_get(report, "refusals"));
}


/* --- commands --- */

static int
verify(const options_t *o)
{
    abdm_admin_t *admin;
    char *json = NULL;
    bool good = false;
    abdm_err_t err;

    if (o->key == NULL) {
        fprintf(stderr, "abdm: E_USAGE: audit verify needs --key, the secret key of the store\n");
        return MISUSED;
    }
    if (open_store(o, &admin) != DONE) {
        return FAILED;
    }
    err = abdm_admin_audit_verify(admin, o->anchor, &good, &json);
    abdm_admin_close(admin);
    if (abdm_failed(err)) {
        return cli_fail(err, err.what);
    }
    if (cli_print(json, o->json, print_verdict) != DONE || !good) {
        return FAILED;
    }
    return DONE;
}


static int
restart(const options_t *o)
{
    abdm_admin_t *admin;
    abdm_err_t err;

    if (o->key == NULL) {
        fprintf(stderr, "abdm: E_USAGE: audit restart needs --key, the secret key of the store\n");
        return MISUSED;
    }
    if (open_store(o, &admin) != DONE) {
        return FAILED;
    }
    err = abdm_admin_audit_restart(admin);
    abdm_admin_close(admin);
    return abdm_failed(err) ? cli_fail(err, err.what) : DONE;
}


static bool
to_stdout(void *ctx, const char *p, size_t len)
{
    (void) ctx;
    return fwrite(p, 1, len, stdout) == len;
}


static int
export(const options_t *o)
{
    abdm_admin_t *admin;
    abdm_err_t err;

    if (open_store(o, &admin) != DONE) {
        return FAILED;
    }
    err = abdm_admin_audit_export(admin, &o->query, o->csv, to_stdout, NULL);
    abdm_admin_close(admin);
    if (!abdm_failed(err) && fflush(stdout) != 0) {
        err = ABDM_ERR(SYSTEM, "the export cannot be written");
    }
    return abdm_failed(err) ? cli_fail(err, err.what) : DONE;
}


static int
report(const options_t *o)
{
    abdm_admin_t *admin;
    char *json = NULL;
    abdm_err_t err;

    if (open_store(o, &admin) != DONE) {
        return FAILED;
    }
    err = abdm_admin_audit_report(admin, &o->query, o->breach, &json);
    abdm_admin_close(admin);
    return abdm_failed(err) ? cli_fail(err, err.what) : cli_print(json, o->json, print_report);
}


static bool
read_options(int argc, char **argv, options_t *o)
{
    static const struct option known[] = {
        {"key", required_argument, NULL, 'k'},   {"anchor", required_argument, NULL, 'a'},
        {"format", required_argument, NULL, 'f'}, {"since", required_argument, NULL, 's'},
        {"until", required_argument, NULL, 'u'}, {"hip", required_argument, NULL, 'h'},
        {"breach", no_argument, NULL, 'b'},      {NULL, 0, NULL, 0},
    };
    int option;

    optind = 0; /* the list of `abdm` itself was read before */
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'k':
            o->key = optarg;
            break;
        case 'a':
            o->anchor = optarg;
            break;
        case 'f':
            o->csv = strcmp(optarg, "csv") == 0;
            if (!o->csv && strcmp(optarg, "jsonl") != 0) {
                return false;
            }
            break;
        case 's':
            o->query.since = optarg;
            break;
        case 'u':
            o->query.until = optarg;
            break;
        case 'h':
            o->query.facility = optarg;
            break;
        case 'b':
            o->breach = true;
            break;
        default:
            return false;
        }
    }
    return optind == argc;
}


int
abdm_cli_audit(int argc, char **argv, const char *store, bool json)
{
    static const struct {
        const char *name;
        int (*run)(const options_t *options);
    } commands[] = {
        {"verify", verify}, {"export", export}, {"report", report}, {"restart", restart},
    };
    options_t options = {.store = store, .json = json};

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        return help(stdout);
    }
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return read_options(argc - 1, argv + 1, &options) ? commands[i].run(&options)
                                                              : help(stderr);
        }
    }
    return help(stderr);
}
