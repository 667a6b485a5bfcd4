/* `abdm doctor` and `abdm register`: the command lines; what is done is the library's matter. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abdm_doctor.h"
#include "cli/cli.h"
#include "cli/findings.h"


/* `file` NULL: that of the store. */
static int
open_description(const char *file, const char *store, abdm_description_t **out)
{
    char *beside = file == NULL ? abdm_description_file(store) : NULL;
    char problem[ABDM_PROBLEM];
    abdm_err_t err;

    if (file == NULL && beside == NULL) {
        fprintf(stderr, "abdm: E_USAGE: --store %s: sqlite:/absolute/path is expected\n", store);
        return MISUSED;
    }
    err = abdm_description_open(file != NULL ? file : beside, problem, out);
    free(beside);
    return abdm_failed(err) ? cli_fail(err, problem) : DONE;
}


/* --- abdm doctor --- */

static int
doctor_help(FILE *to)
{
    fputs("usage: abdm [--store URL] [--json] doctor [OPTION]...\n"
          "\n"
          "  Examines the installation that nginx last loaded and says what to mend:\n"
          "  configuration, files, store, network, clock, gateway, registration, callbacks, HMIS,\n"
          "  SMS. To be run as root, or as the user that starts nginx. It changes nothing, and\n"
          "  prints nothing personal.\n"
          "\n"
          "  --config FILE        the description that nginx left (default: beside the store)\n"
          "  --url URL            the bridge URL that should be registered; it is called too\n"
          "  --facility ID        this facility alone\n"
          "  --patient REF        the HMIS's number of a patient: asks for care contexts and\n"
          "                       records, tells only how many\n"
          "  --sms MOBILE         sends one test message there by each facility's provider\n"
          "  --offline            looks at this machine alone\n"
          "\n"
          "  The status is 0 when all is good, 3 when there are only warnings, 1 when something\n"
          "  is wrong.\n",
          to);
    return to == stdout ? DONE : MISUSED;
}


static bool
is_mobile(const char *text)
{
    return strlen(text) == 10 && strspn(text, "0123456789") == 10 && text[0] >= '6';
}


int
abdm_cli_doctor(int argc, char **argv, const char *store, bool json)
{
    static const struct option known[] = {
        {"config", required_argument, NULL, 'c'},   {"url", required_argument, NULL, 'u'},
        {"facility", required_argument, NULL, 'f'}, {"patient", required_argument, NULL, 'p'},
        {"sms", required_argument, NULL, 's'},      {"offline", no_argument, NULL, 'o'},
        {"json", no_argument, NULL, 'j'},           {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    abdm_doctor_options_t options = {.url = NULL};
    abdm_description_t *description;
    const char *file = NULL;
    abdm_findings_t findings;
    int option, status;

    optind = 0;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'c':
            file = optarg;
            break;
        case 'u':
            options.url = optarg;
            break;
        case 'f':
            options.facility = optarg;
            break;
        case 'p':
            options.patient = optarg;
            break;
        case 's':
            options.sms = optarg;
            break;
        case 'o':
            options.offline = true;
            break;
        case 'j':
            json = true;
            break;
        case 'h':
            return doctor_help(stdout);
        default:
            return doctor_help(stderr);
        }
    }
    if (optind != argc)
        return doctor_help(stderr);
    if (options.sms != NULL && !is_mobile(options.sms)) {
        fputs("abdm: E_USAGE: --sms: ten digits are expected, without +91\n", stderr);
        return MISUSED;
    }
    if (options.url != NULL && strncmp(options.url, "https://", 8) != 0) {
        fputs("abdm: E_USAGE: --url: https://host[:port][/path] is expected\n", stderr);
        return MISUSED;
    }
    status = open_description(file, store, &description);
    if (status != DONE)
        return status;
    signal(SIGPIPE, SIG_IGN);
    abdm_findings_begin(&findings, json);
    abdm_doctor(description, &options, abdm_findings_take, &findings);
    abdm_description_close(description);
    return abdm_findings_end(&findings);
}


/* --- abdm register --- */

static int
register_help(FILE *to)
{
    fputs("usage: abdm [--store URL] [--json] register [OPTION]...\n"
          "\n"
          "  Tells ABDM where this bridge is, and links a facility to it; then reads both back.\n"
          "\n"
          "  --url URL            https://host[:port][/path]: the path is that of abdm_callback\n"
          "  --force              also when another URL is registered: whatever is there gets no\n"
          "                       callbacks any more\n"
          "  --facility ID        in the facility registry: IN and ten digits\n"
          "  --facility-name NAME exactly as the registry has it\n"
          "  --hip-name SHORT     1 to 15 letters, digits and blanks, unique for the bridge\n"
          "  --registry URL       its host (default: that of the sandbox; needed for production)\n"
          "  --config FILE        the description that nginx left (default: beside the store)\n"
          "\n"
          "  The status is 0 when all is registered, 3 when something is left to do here, 1 when\n"
          "  ABDM refused something.\n",
          to);
    return to == stdout ? DONE : MISUSED;
}


static int
carry_out(const abdm_registration_t *wish, const abdm_description_t *description, bool json)
{
    char problem[ABDM_PROBLEM];
    abdm_findings_t findings;
    abdm_err_t err;

    signal(SIGPIPE, SIG_IGN);
    abdm_findings_begin(&findings, json);
    err = abdm_register(description, wish, problem, abdm_findings_take, &findings);
    if (abdm_failed(err)) {
        json_decref(findings.list);
        return cli_fail(err, problem);
    }
    return abdm_findings_end(&findings);
}


int
abdm_cli_register(int argc, char **argv, const char *store, bool json)
{
    static const struct option known[] = {
        {"config", required_argument, NULL, 'c'},
        {"url", required_argument, NULL, 'u'},
        {"force", no_argument, NULL, 'F'},
        {"facility", required_argument, NULL, 'f'},
        {"facility-name", required_argument, NULL, 'n'},
        {"hip-name", required_argument, NULL, 'i'},
        {"registry", required_argument, NULL, 'r'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    abdm_registration_t wish = {.url = NULL};
    abdm_description_t *description;
    const char *file = NULL;
    int option, status;

    optind = 0;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'c':
            file = optarg;
            break;
        case 'u':
            wish.url = optarg;
            break;
        case 'F':
            wish.force = true;
            break;
        case 'f':
            wish.facility = optarg;
            break;
        case 'n':
            wish.facility_name = optarg;
            break;
        case 'i':
            wish.hip_name = optarg;
            break;
        case 'r':
            wish.registry = optarg;
            break;
        case 'j':
            json = true;
            break;
        case 'h':
            return register_help(stdout);
        default:
            return register_help(stderr);
        }
    }
    if (optind != argc)
        return register_help(stderr);
    status = open_description(file, store, &description);
    if (status != DONE)
        return status;
    status = carry_out(&wish, description, json);
    abdm_description_close(description);
    return status;
}
