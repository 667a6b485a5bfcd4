/*
 * The poster as SVG: 2100 by 2970 units, tenths of a millimetre on A4. An SVG does not break
 * lines, so widths are estimated here, generously, and sizes chosen so that a text keeps to its
 * place whatever font the printer has.
 */
#include <string.h>

#include "cli/poster.h"

#define FONTS                                                                                      \
    "Noto Sans, Noto Sans Devanagari, Nirmala UI, Mangal, Lohit Devanagari, Arial, sans-serif"
#define DARK  "#12394a"
#define PALE  "#5b6b73"

enum {
    PAGE_WIDTH = 2100,
    PAGE_HEIGHT = 2970,
    MIDDLE = PAGE_WIDTH / 2,
    TEXT_WIDTH = 1860,
    LINES_MAX = 2,
    BAND = 370,
    CODE_TOP = 800,
    CODE_SIDE = 1100,
    QUIET = 4, /* modules of white around a code, as its standard wants */
    STEP_TOP = 2120,
    STEP_HEIGHT = 225,
};

typedef struct {
    const char *line[LINES_MAX];
    size_t len[LINES_MAX];
    int n;
    int size; /* of the font; 0: it fits in none */
} fitted_t;

typedef struct {
    int largest, smallest;
} sizes_t;

static const sizes_t name_sizes = {130, 56}, title_sizes = {120, 60};


/* In thousandths of the font's size. Bold capitals and Indian scripts are wide. */
static int
width_of(const char *p, size_t len)
{
    int width = 0;

    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char) p[i];

        if ((c & 0xC0) == 0x80)
            continue; /* the rest of a character */
        if (c >= 0x80)
            width += 720;
        else if (c == ' ')
            width += 300;
        else
            width += c >= 'A' && c <= 'Z' ? 740 : 610;
    }
    return width;
}


/* As many whole words as go into `width`; 0 when the first does not. */
static size_t
take_line(const char *p, int width)
{
    size_t taken = 0, end = 0;

    while (p[end] != '\0') {
        size_t next = end + strspn(p + end, " ");

        next += strcspn(p + next, " ");
        if (width_of(p, next) > width)
            break;
        end = taken = next;
    }
    return taken;
}


static bool
break_lines(const char *text, int size, fitted_t *out)
{
    const int width = (int) ((long) TEXT_WIDTH * 1000 / size);

    out->size = size;
    for (out->n = 0; out->n < LINES_MAX; out->n++) {
        text += strspn(text, " ");
        if (*text == '\0')
            return true;
        out->line[out->n] = text;
        out->len[out->n] = take_line(text, width);
        text += out->len[out->n];
    }
    return text[strspn(text, " ")] == '\0';
}


/* One line is better than two that are a little larger. */
static fitted_t
fit(const char *text, sizes_t sizes)
{
    fitted_t out = {.size = 0};
    const int one = sizes.largest * 2 / 3;

    for (int size = sizes.largest; size >= sizes.smallest; size -= 2) {
        if (break_lines(text, size, &out) && (out.n <= 1 || size < one))
            return out;
    }
    return (fitted_t){.size = 0};
}


bool
abdm_poster_fits(const char *text, bool is_name)
{
    return fit(text, is_name ? name_sizes : title_sizes).n > 0;
}


static void
write_escaped(FILE *to, const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        switch (p[i]) {
        case '&':
            fputs("&amp;", to);
            break;
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        default:
            putc(p[i], to);
        }
    }
}


/* Centred on the height `middle`. */
static void
write_fitted(FILE *to, const fitted_t *f, int middle, const char *colour)
{
    const int step = f->size * 5 / 4;
    int base = middle + f->size * 7 / 20 - step * (f->n - 1) / 2;

    for (int i = 0; i < f->n; i++, base += step) {
        fprintf(to, "<text x=\"%d\" y=\"%d\" font-size=\"%d\" font-weight=\"bold\" fill=\"%s\" "
                    "text-anchor=\"middle\">", MIDDLE, base, f->size, colour);
        write_escaped(to, f->line[i], f->len[i]);
        fputs("</text>\n", to);
    }
}


static void
write_head(FILE *to, const abdm_poster_text_t *text)
{
    fprintf(to,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"210mm\" height=\"297mm\" "
            "viewBox=\"0 0 %d %d\" font-family=\"" FONTS "\">\n<title>",
            PAGE_WIDTH, PAGE_HEIGHT);
    write_escaped(to, text->counter, strlen(text->counter));
    fputs("</title>\n<desc>", to);
    write_escaped(to, text->url, strlen(text->url));
    fprintf(to, "</desc>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", PAGE_WIDTH,
            PAGE_HEIGHT);
    fprintf(to, "<rect width=\"%d\" height=\"%d\" fill=\"" DARK "\"/>\n", PAGE_WIDTH, BAND);
}


/* The hospital on the band and the counter below it. */
static void
write_names(FILE *to, const abdm_poster_text_t *text)
{
    const char *title = text->title != NULL ? text->title : text->counter;
    fitted_t fitted = fit(text->name != NULL ? text->name : text->facility, name_sizes);

    write_fitted(to, &fitted, BAND / 2, "#ffffff");
    fitted = fit(title, title_sizes);
    write_fitted(to, &fitted, BAND + 130, DARK);
    fprintf(to,
            "<g font-size=\"60\" fill=\"" DARK "\" text-anchor=\"middle\">\n"
            "<text x=\"%d\" y=\"%d\">Scan to share your ABHA profile</text>\n"
            "<text x=\"%d\" y=\"%d\">अपनी ABHA प्रोफ़ाइल साझा करने के लिए स्कैन करें</text>\n</g>\n",
            MIDDLE, CODE_TOP - 145, MIDDLE, CODE_TOP - 60);
}


/* One path; neighbours in a row are one rectangle, so that no hair lines show between them. */
static void
write_code(FILE *to, const abdm_poster_code_t *code)
{
    const int across = code->side + 2 * QUIET;

    fprintf(to,
            "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"40\" fill=\"#ffffff\" "
            "stroke=\"" DARK "\" stroke-width=\"8\"/>\n",
            MIDDLE - CODE_SIDE / 2 - 20, CODE_TOP - 20, CODE_SIDE + 40, CODE_SIDE + 40);
    fprintf(to,
            "<path id=\"code\" transform=\"translate(%d %d) scale(%.6f)\" fill=\"#000000\" "
            "shape-rendering=\"crispEdges\" d=\"",
            MIDDLE - CODE_SIDE / 2, CODE_TOP, (double) CODE_SIDE / across);
    for (int y = 0; y < code->side; y++) {
        const uint8_t *row = code->dark + (size_t) y * (size_t) code->side;

        for (int x = 0, n; x < code->side; x += n) {
            for (n = 1; x + n < code->side && row[x + n] == row[x]; n++)
                ;
            if (row[x] != 0)
                fprintf(to, "M%d %dh%dv1h-%dz", x + QUIET, y + QUIET, n, n);
        }
    }
    fputs("\"/>\n", to);
}


static void
write_steps(FILE *to)
{
    static const struct {
        const char *english, *hindi;
    } steps[] = {
        {"Open your ABHA or health app and scan this code.",
         "अपना ABHA या हेल्थ ऐप खोलें और यह कोड स्कैन करें।"},
        {"Check your details and agree to share them with us.",
         "अपना विवरण जाँचें और उसे हमारे साथ साझा करने की सहमति दें।"},
        {"Note your token number and wait until it is called.",
         "अपना टोकन नंबर याद रखें और उसके पुकारे जाने तक प्रतीक्षा करें।"},
    };

    for (int i = 0; i < (int) (sizeof(steps) / sizeof(steps[0])); i++) {
        const int y = STEP_TOP + i * STEP_HEIGHT;

        fprintf(to,
                "<circle cx=\"220\" cy=\"%d\" r=\"72\" fill=\"" DARK "\"/>\n"
                "<text x=\"220\" y=\"%d\" font-size=\"84\" font-weight=\"bold\" fill=\"#ffffff\" "
                "text-anchor=\"middle\">%d</text>\n"
                "<text x=\"345\" y=\"%d\" font-size=\"56\" fill=\"#000000\">%s</text>\n"
                "<text x=\"345\" y=\"%d\" font-size=\"56\" fill=\"#000000\">%s</text>\n",
                y, y + 30, i + 1, y - 16, steps[i].english, y + 64, steps[i].hindi);
    }
}


static void
write_foot(FILE *to, const abdm_poster_text_t *text)
{
    fprintf(to,
            "<text x=\"%d\" y=\"%d\" font-size=\"50\" fill=\"" DARK "\" text-anchor=\"middle\">"
            "No phone? Ask at the counter. · फ़ोन नहीं है? काउंटर पर पूछें।</text>\n",
            MIDDLE, PAGE_HEIGHT - 155);
    fprintf(to,
            "<text x=\"%d\" y=\"%d\" font-size=\"38\" fill=\"" PALE "\" text-anchor=\"middle\">",
            MIDDLE, PAGE_HEIGHT - 70);
    write_escaped(to, text->facility, strlen(text->facility));
    fputs(" · ", to);
    write_escaped(to, text->counter, strlen(text->counter));
    fputs("</text>\n</svg>\n", to);
}


void
abdm_poster_write(FILE *to, const abdm_poster_code_t *code, const abdm_poster_text_t *text)
{
    write_head(to, text);
    write_names(to, text);
    write_code(to, code);
    write_steps(to);
    write_foot(to, text);
}
