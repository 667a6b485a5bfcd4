/*
 * `abdm qr`: the QR code that patients scan at a counter, as a poster (SVG) or alone (PNG). What
 * it says is the library's matter (abdm_counter_url); libqrencode makes the code of it.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <png.h>
#include <qrencode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abdm.h"
#include "cli/cli.h"
#include "cli/poster.h"

enum { PNG_MODULE = 12, PNG_QUIET = 4 }; /* pixels; modules */

typedef struct {
    abdm_preset_t preset;
    const char *host;
    const char *name;
    const char *title;
    const char *file; /* NULL: standard output */
    bool png;
} options_t;


static int
help(FILE *to)
{
    fputs("usage: abdm qr FACILITY COUNTER [OPTION]...\n"
          "\n"
          "  The QR code of a counter, for patients who share their profile by scanning it.\n"
          "  FACILITY is the service id (HIP id); COUNTER has 1 to 20 letters and digits, and\n"
          "  stands in the facility's block of nginx.conf when that has directives counter.\n"
          "\n"
          "  --format svg|png     svg: a poster to print on A4 or A5, which tells in English and\n"
          "                       Hindi what to do (default); png: the code alone\n"
          "  --name TEXT          on the poster: the hospital (default: FACILITY)\n"
          "  --title TEXT         on the poster: the counter (default: COUNTER)\n"
          "  --production         the code leads to ABDM's production, not to its sandbox. The host\n"
          "                       https://phr.abdm.gov.in is assumed: ABDM has not published\n"
          "                       it, so try the code before printing many\n"
          "  --host URL           it leads there: https://host[:port]\n"
          "  -o, --output FILE    default: standard output\n",
          to);
    return to == stdout ? DONE : MISUSED;
}


/* --- the two forms --- */

static void
write_svg(FILE *to, const QRcode *code, const abdm_poster_text_t *text, uint8_t *dark)
{
    const abdm_poster_code_t squares = {dark, code->width};

    for (int i = 0; i < code->width * code->width; i++)
        dark[i] = code->data[i] & 1;
    abdm_poster_write(to, &squares, text);
}


static bool
write_png(FILE *to, const QRcode *code)
{
    const int side = (code->width + 2 * PNG_QUIET) * PNG_MODULE;
    png_image image = {
        .version = PNG_IMAGE_VERSION,
        .width = (png_uint_32) side,
        .height = (png_uint_32) side,
        .format = PNG_FORMAT_GRAY,
    };
    uint8_t *pixels = malloc((size_t) side * (size_t) side);
    bool written;

    if (pixels == NULL)
        return false;
    memset(pixels, 0xFF, (size_t) side * (size_t) side);
    for (int y = 0; y < code->width * PNG_MODULE; y++) {
        uint8_t *row = pixels + (size_t) (y + PNG_QUIET * PNG_MODULE) * (size_t) side;

        for (int x = 0; x < code->width * PNG_MODULE; x++) {
            if ((code->data[y / PNG_MODULE * code->width + x / PNG_MODULE] & 1) != 0)
                row[x + PNG_QUIET * PNG_MODULE] = 0;
        }
    }
    written = png_image_write_to_stdio(&image, to, 0, pixels, 0, NULL) != 0;
    free(pixels);
    return written;
}


/* A code that a quarter of dirt or glare does not spoil. */
static bool
write_all(FILE *to, const options_t *options, const abdm_poster_text_t *text)
{
    QRcode *code = QRcode_encodeString8bit(text->url, 0, QR_ECLEVEL_Q);
    uint8_t *dark = NULL;
    bool done = false;

    if (code == NULL)
        return false;
    if (options->png) {
        done = write_png(to, code);
    } else {
        dark = malloc((size_t) code->width * (size_t) code->width);
        done = dark != NULL;
        if (done)
            write_svg(to, code, text, dark);
    }
    free(dark);
    QRcode_free(code);
    return done && fflush(to) == 0 && !ferror(to);
}


static int
write_out(const options_t *options, const abdm_poster_text_t *text)
{
    FILE *to = options->file != NULL ? fopen(options->file, "wb") : stdout;
    bool done = to != NULL && write_all(to, options, text);
    int why = errno;

    if (to != NULL && to != stdout && fclose(to) != 0 && done) {
        done = false;
        why = errno;
    }
    if (done)
        return DONE;
    fprintf(stderr, "abdm: E_SYSTEM: %s: %s\n",
            options->file != NULL ? options->file : "standard output", strerror(why));
    return FAILED;
}


/* --- the command line --- */

static int
check_text(const char *option, const char *text, bool is_name)
{
    json_t *utf8 = text != NULL ? json_string(text) : NULL;
    const char *fault = NULL;

    if (text == NULL)
        return DONE;
    if (utf8 == NULL)
        fault = "it is not UTF-8";
    for (const char *p = text; fault == NULL && *p != '\0'; p++) {
        if ((unsigned char) *p < 0x20 || *p == 0x7F)
            fault = "it has control characters";
    }
    if (fault == NULL && !abdm_poster_fits(text, is_name))
        fault = "it is empty, or too long for the poster";
    json_decref(utf8);
    if (fault == NULL)
        return DONE;
    fprintf(stderr, "abdm: E_USAGE: %s: %s\n", option, fault);
    return MISUSED;
}


static int
make(const options_t *options, const char *facility, const char *counter)
{
    abdm_poster_text_t text = {
        .name = options->name,
        .title = options->title,
        .facility = facility,
        .counter = counter,
    };
    char problem[ABDM_PROBLEM], *url;
    abdm_err_t err;
    int status;

    if (check_text("--name", options->name, true) != DONE ||
        check_text("--title", options->title, false) != DONE)
        return MISUSED;
    if (options->png && options->file == NULL && isatty(STDOUT_FILENO)) {
        fputs("abdm: E_USAGE: a PNG is not for a terminal: give -o FILE\n", stderr);
        return MISUSED;
    }
    err = abdm_counter_url(options->preset, options->host, facility, counter, problem, &url);
    if (abdm_failed(err))
        return cli_fail(err, problem);
    text.url = url;
    status = write_out(options, &text);
    free(url);
    return status;
}


int
abdm_cli_qr(int argc, char **argv)
{
    static const struct option known[] = {
        {"format", required_argument, NULL, 'f'},
        {"name", required_argument, NULL, 'n'},
        {"title", required_argument, NULL, 't'},
        {"production", no_argument, NULL, 'p'},
        {"host", required_argument, NULL, 'u'},
        {"output", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    options_t options = {.preset = ABDM_GATEWAY_SANDBOX};
    int option;

    optind = 0;
    while ((option = getopt_long(argc, argv, "o:", known, NULL)) != -1) {
        switch (option) {
        case 'f':
            options.png = strcmp(optarg, "png") == 0;
            if (!options.png && strcmp(optarg, "svg") != 0)
                return help(stderr);
            break;
        case 'n':
            options.name = optarg;
            break;
        case 't':
            options.title = optarg;
            break;
        case 'p':
            options.preset = ABDM_GATEWAY_PRODUCTION;
            break;
        case 'u':
            options.host = optarg;
            break;
        case 'o':
            options.file = optarg;
            break;
        case 'h':
            return help(stdout);
        default:
            return help(stderr);
        }
    }
    if (argc - optind != 2)
        return help(stderr);
    return make(&options, argv[optind], argv[optind + 1]);
}
