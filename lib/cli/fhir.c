/*
 * `abdm fhir`: records and files as document bundles, what is wrong with a bundle, and a bundle as
 * a page to look at. Built on abdm_fhir.h alone.
 */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abdm.h"
#include "abdm_fhir.h"
#include "cli/cli.h"

enum { FILE_MAX = 512 * 1024 * 1024 };


static int
help(FILE *to)
{
    fputs(
        "usage: abdm fhir COMMAND ...\n"
        "\n"
        "  build [OPTION]... FILE     document bundles of a record (plain JSON), or of a PDF, "
        "JPEG,\n"
        "                             PNG or text, one a line\n"
        "      --type HITYPE          OPConsultation, Prescription, DiagnosticReport, ...\n"
        "      --facility ID          and --facility-name NAME: where the record is from\n"
        "      --patient REF          and --abha ADDRESS: of whom it is\n"
        "      --care-context REF     which visit it is of\n"
        "      --date DATE            of a file: when it was written\n"
        "      --title TEXT           of a file, and --content-type TYPE\n"
        "      --zone +hh:mm          of times that have none (default +05:30)\n"
        "      --conclusion TEXT      of a report that has none (default: refuse it)\n"
        "      --dosage TEXT          of a medicine that has none (default: refuse it)\n"
        "      --codes FILE           look-up table: field,local,system,code,display\n"
        "  check [--json] [--strict] FILE...\n"
        "                             what does not conform, one line each; the status is 1 when\n"
        "                             there are errors, with --strict also for warnings\n"
        "  findings [F_CODE]          every finding, or one: meaning and what to do\n"
        "  preview FILE               one HTML page without scripts, on standard output\n"
        "\n"
        "  FILE - is standard input\n",
        to);
    return to == stdout ? DONE : MISUSED;
}


static int
fail(const char *file, abdm_err_t err, const char *text)
{
    fprintf(stderr, "abdm: %s: %s: %s\n", file, abdm_error_row((size_t) err.code - 1)->name, text);
    return FAILED;
}


/* --- files --- */

typedef struct {
    char *p; /* terminated; owned */
    size_t len;
} bytes_t;


static int
read_stream(FILE *from, bytes_t *out)
{
    size_t cap = 64 * 1024, got;

    *out = (bytes_t){malloc(cap), 0};
    while (out->p != NULL && (got = fread(out->p + out->len, 1, cap - out->len - 1, from)) > 0) {
        out->len += got;
        if (out->len < cap - 1)
            continue;
        char *more = cap >= FILE_MAX ? NULL : realloc(out->p, cap * 2);
        if (more == NULL) {
            free(out->p);
            out->p = NULL;
        } else {
            out->p = more;
            cap *= 2;
        }
    }
    if (out->p == NULL || ferror(from)) {
        free(out->p);
        return FAILED;
    }
    out->p[out->len] = '\0';
    return DONE;
}


static int
read_file(const char *path, bytes_t *out)
{
    FILE *from = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    int status = FAILED;

    if (from != NULL)
        status = read_stream(from, out);
    if (from != NULL && from != stdin)
        fclose(from);
    if (status != DONE)
        fprintf(stderr, "abdm: %s: cannot be read, or is larger than 512 MB\n", path);
    return status;
}


/* --- check --- */

static void
print_findings(const char *file, const json_t *report)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(report, "findings"), i, row) {
        printf("%s: %s %s %s: %s\n", file, text_of(row, "severity"), text_of(row, "code"),
               text_of(row, "pointer")[0] != '\0' ? text_of(row, "pointer") : "(document)",
               text_of(row, "text"));
    }
}


static int
print_report(const char *file, json_t *report, bool json)
{
    if (!json) {
        print_findings(file, report);
        return DONE;
    }
    char *text = NULL;
    json_t *name = json_string(file);
    if (name != NULL && json_object_set_new(report, "file", name) == 0)
        text = json_dumps(report, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (text == NULL)
        return FAILED;
    puts(text);
    free(text);
    return DONE;
}


/* DONE when there is nothing to find. */
static int
check_file(const char *file, bool json, bool strict)
{
    bytes_t bytes;
    char *text;

    if (read_file(file, &bytes) != DONE)
        return MISUSED;
    abdm_err_t err = abdm_fhir_check(bytes.p, bytes.len, &text);
    free(bytes.p);
    if (abdm_failed(err))
        return fail(file, err, err.what);
    json_t *report = json_loads(text, 0, NULL);
    free(text);
    int status = report == NULL ? FAILED : print_report(file, report, json);
    if (json_integer_value(json_object_get(report, "errors")) > 0 ||
        (strict && json_integer_value(json_object_get(report, "warnings")) > 0))
        status = FAILED;
    json_decref(report);
    return status;
}


static int
check(int argc, char **argv, bool json)
{
    static const struct option known[] = {
        {"json", no_argument, NULL, 'j'},
        {"strict", no_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    bool strict = false;
    int option, status = DONE;

    optind = 0;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == '?')
            return help(stderr);
        json = json || option == 'j';
        strict = strict || option == 's';
    }
    if (optind == argc)
        return help(stderr);
    for (int i = optind; i < argc; i++) {
        int one = check_file(argv[i], json, strict);
        status = one > status ? one : status;
    }
    return status;
}


static int
findings(int argc, char **argv, bool json)
{
    const char *name, *severity, *meaning, *remedy;
    int found = 0;

    (void) json;
    for (size_t i = 0; (name = abdm_fhir_finding(i, &severity, &meaning, &remedy)) != NULL; i++) {
        if (argc > 1 && strcmp(name, argv[1]) != 0)
            continue;
        printf("%s (%s)\n    %s\n    do: %s\n", name, severity, meaning, remedy);
        found++;
    }
    if (found == 0) {
        fprintf(stderr, "abdm: E_NOT_FOUND: no finding is called %s\n", argv[1]);
        return FAILED;
    }
    return DONE;
}


/* --- preview --- */

static int
preview(int argc, char **argv, bool json)
{
    bytes_t bytes;
    char *html;

    (void) json;
    if (argc != 2)
        return help(stderr);
    if (read_file(argv[1], &bytes) != DONE)
        return MISUSED;
    abdm_err_t err = abdm_fhir_preview(bytes.p, bytes.len, &html);
    free(bytes.p);
    if (abdm_failed(err))
        return fail(argv[1], err, err.what);
    int status = fputs(html, stdout) < 0 || fflush(stdout) != 0 ? FAILED : DONE;
    free(html);
    return status;
}


/* --- build --- */

static int
build_file(const char *file, const abdm_fhir_options_t *options)
{
    abdm_fhir_bundles_t bundles;
    char problem[512];
    bytes_t bytes;

    if (read_file(file, &bytes) != DONE)
        return MISUSED;
    abdm_err_t err = abdm_fhir_build(bytes.p, bytes.len, options, &bundles, problem);
    free(bytes.p);
    if (abdm_failed(err))
        return fail(file, err, problem);
    for (size_t i = 0; i < bundles.n; i++)
        puts(bundles.texts[i]);
    if (bundles.unknown > 0)
        fprintf(stderr, "abdm: %s: %zu members of the record are read by nothing\n", file,
                bundles.unknown);
    abdm_fhir_bundles_free(&bundles);
    return fflush(stdout) != 0 ? FAILED : DONE;
}


static int
build(int argc, char **argv, bool json)
{
    static const struct option known[] = {
        {"type", required_argument, NULL, 't'},
        {"facility", required_argument, NULL, 'f'},
        {"facility-name", required_argument, NULL, 'n'},
        {"patient", required_argument, NULL, 'p'},
        {"abha", required_argument, NULL, 'a'},
        {"care-context", required_argument, NULL, 'c'},
        {"date", required_argument, NULL, 'd'},
        {"title", required_argument, NULL, 'i'},
        {"content-type", required_argument, NULL, 'y'},
        {"zone", required_argument, NULL, 'z'},
        {"conclusion", required_argument, NULL, 'o'},
        {"dosage", required_argument, NULL, 'g'},
        {"codes", required_argument, NULL, 'k'},
        {NULL, 0, NULL, 0},
    };
    abdm_fhir_options_t o = {0};
    const struct {
        int option;
        const char **to;
    } texts[] = {
        {'t', &o.hi_type},     {'f', &o.facility_id},  {'n', &o.facility_name},
        {'p', &o.patient_ref}, {'a', &o.abha_address}, {'c', &o.care_context},
        {'d', &o.authored_on}, {'i', &o.title},        {'y', &o.content_type},
        {'z', &o.zone},        {'o', &o.conclusion},   {'g', &o.dosage},
    };
    bytes_t codes = {NULL, 0};
    int option, status = DONE;

    (void) json;
    optind = 0;
    while (status == DONE && (option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            if (texts[i].option == option)
                *texts[i].to = optarg;
        }
        if (option == '?')
            status = help(stderr);
        else if (option == 'k' && codes.p == NULL)
            status = read_file(optarg, &codes) == DONE ? DONE : MISUSED;
    }
    o.codes_csv = codes.p;
    if (status == DONE)
        status = argc - optind == 1 ? build_file(argv[optind], &o) : help(stderr);
    free(codes.p);
    return status;
}


int
abdm_cli_fhir(int argc, char **argv, bool json)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv, bool json);
    } commands[] = {
        {"build", build},
        {"check", check},
        {"findings", findings},
        {"preview", preview},
    };

    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return help(stdout);
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1, json);
    }
    return help(stderr);
}
