/*
 * Values of FHIR's data types as HTML. They are told by their members, not by their names, so that
 * elements of any resource can be shown.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "fhir/preview_internal.h"

enum { TEXT_FILE_MAX = 256 * 1024, MAGIC = 12, LABEL_MAX = 240 };


/* --- text --- */

static void
add_char(abdm_buf_t *out, char c)
{
    switch (c) {
    case '&':
        abdm_buf_addz(out, "&amp;");
        break;
    case '<':
        abdm_buf_addz(out, "&lt;");
        break;
    case '>':
        abdm_buf_addz(out, "&gt;");
        break;
    case '"':
        abdm_buf_addz(out, "&quot;");
        break;
    case '\'':
        abdm_buf_addz(out, "&#39;");
        break;
    default:
        if ((unsigned char) c >= 0x20 || c == '\n' || c == '\t')
            abdm_buf_add(out, &c, 1);
    }
}


static void
add_bytes(abdm_buf_t *out, const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        add_char(out, p[i]);
}


void
abdm_preview_text(abdm_preview_t *p, const char *text)
{
    add_bytes(p->out, text, strlen(text));
}


/* Whether the tag at z (behind its "<" or "</") is called `name`. */
static bool
is_tag(const char *z, const char *name)
{
    size_t n = strlen(name);

    return strncasecmp(z, name, n) == 0 && !isalnum((unsigned char) z[n]);
}


/* Behind the tag that begins at z ("<..."); a quoted ">" does not end it. */
static const char *
skip_tag(const char *z)
{
    char quote = '\0';

    for (; *z != '\0'; z++) {
        if (quote != '\0') {
            quote = *z == quote ? '\0' : quote;
        } else if (*z == '"' || *z == '\'') {
            quote = *z;
        } else if (*z == '>') {
            return z + 1;
        }
    }
    return z;
}


/* Behind the element that begins at z, when its content is no text for readers. */
static const char *
skip_unreadable(const char *z)
{
    static const char *const names[] = {"script", "style", "template", "iframe", "object"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!is_tag(z + 1, names[i]))
            continue;
        for (z++; *z != '\0'; z++) {
            if (z[0] == '<' && z[1] == '/' && is_tag(z + 2, names[i]))
                break;
        }
        return skip_tag(z);
    }
    return strncmp(z, "<!--", 4) == 0 && strstr(z, "-->") != NULL ? strstr(z, "-->") + 3
                                                                  : skip_tag(z);
}


static bool
breaks_line(const char *z)
{
    static const char *const names[] = {"br", "p",  "div", "li", "tr",
                                        "h1", "h2", "h3",  "h4", "table"};

    z += z[1] == '/' ? 2 : 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (is_tag(z, names[i]))
            return true;
    }
    return false;
}


/* The character of an entity at z, '\0' when it is none that matters; *end is behind it. */
static char
entity(const char *z, const char **end)
{
    static const struct {
        const char *name;
        char c;
    } entities[] = {
        {"&amp;", '&'},   {"&lt;", '<'},   {"&gt;", '>'},   {"&quot;", '"'},
        {"&apos;", '\''}, {"&nbsp;", ' '}, {"&#160;", ' '}, {"&#39;", '\''},
    };

    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
        size_t n = strlen(entities[i].name);
        if (strncmp(z, entities[i].name, n) == 0) {
            *end = z + n;
            return entities[i].c;
        }
    }
    return '\0';
}


void
abdm_preview_narrative(abdm_preview_t *p, const char *z)
{
    bool fresh = true; /* nothing in this line yet */

    while (*z != '\0') {
        const char *next = z + 1;
        char c = *z;
        if (c == '<') {
            if (breaks_line(z) && !fresh) {
                abdm_buf_addz(p->out, "\n");
                fresh = true;
            }
            z = skip_unreadable(z);
            continue;
        }
        if (c == '&')
            c = entity(z, &next) != '\0' ? entity(z, &next) : c;
        bool space = isspace((unsigned char) c);
        if (!space || !fresh)
            add_char(p->out, space ? ' ' : c);
        fresh = fresh && space;
        z = next;
    }
}


/* --- dates --- */

static bool
looks_like_date(const char *z)
{
    static const char form[] = "0000-00-00";

    for (size_t i = 0; i < sizeof form - 1; i++) {
        if (form[i] == '0' ? !isdigit((unsigned char) z[i]) : z[i] != '-')
            return false;
    }
    return z[10] == '\0' || z[10] == 'T';
}


/* "2026-03-05T10:55:00+05:30" as "5 March 2026, 10:55": the clock of the place it was written. */
static void
add_date(abdm_preview_t *p, const char *z)
{
    static const char *const months[] = {
        "January", "February", "March",     "April",   "May",      "June",
        "July",    "August",   "September", "October", "November", "December",
    };
    int month = atoi(z + 5);

    if (month < 1 || month > 12) {
        abdm_preview_text(p, z);
        return;
    }
    abdm_buf_addf(p->out, "%d %s %.4s", atoi(z + 8), months[month - 1], z);
    if (z[10] == 'T' && strlen(z) >= 16) {
        abdm_buf_addz(p->out, ", ");
        add_bytes(p->out, z + 11, 5);
        size_t n = strlen(z);
        if (z[n - 1] == 'Z')
            abdm_buf_addz(p->out, " UTC");
    }
}


/* --- references --- */

const json_t *
abdm_preview_follow(const abdm_preview_t *p, const json_t *reference, size_t *place)
{
    const char *z = abdm_json_string_at(reference, "reference");
    const json_t *found = z == NULL ? NULL : json_object_get(p->index, z);

    if (found == NULL)
        return NULL;
    *place = (size_t) json_integer_value(found);
    return json_array_get(p->list, *place);
}


const char *
abdm_preview_label(const json_t *resource)
{
    static const char *const paths[] = {
        "name.0.text",
        "name",
        "code.text",
        "code.coding.0.display",
        "medicationCodeableConcept.text",
        "vaccineCode.text",
        "type.text",
        "type.coding.0.display",
        "type.0.text",
        "title",
        "description",
        "class.display",
        "name.0.family",
        "identifier.0.value",
    };

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const char *z = abdm_json_string_at(resource, paths[i]);
        if (z != NULL)
            return z;
    }
    return "";
}


static void
add_reference(abdm_preview_t *p, const json_t *reference)
{
    size_t place;
    const json_t *target = abdm_preview_follow(p, reference, &place);
    const char *display = abdm_json_string_at(reference, "display");
    const char *label = target == NULL ? "" : abdm_preview_label(target);
    const char *type = abdm_json_string_at(target, "resourceType");

    if (*label != '\0') /* the display of many is only the type again */
        display = label;
    if (display == NULL)
        display = type != NULL ? type : abdm_json_string_at(reference, "reference");
    if (display == NULL)
        return;
    /* Many references may share one name: a long one must not make the page endless. */
    size_t n = strnlen(display, LABEL_MAX);
    while (n == LABEL_MAX && n > 0 && ((unsigned char) display[n] & 0xc0) == 0x80)
        n--;
    add_bytes(p->out, display, n);
    if (display[n] != '\0')
        abdm_buf_addz(p->out, "&hellip;");
}


/* --- attachments --- */

typedef enum { FILE_OTHER, FILE_PDF, FILE_PNG, FILE_JPEG, FILE_TEXT } file_t;

/* Copies base64 without its white space; false when it is not base64. */
static bool
clean_base64(const char *data, abdm_buf_t *out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";

    while (*data != '\0') {
        size_t n = strspn(data, alphabet);
        abdm_buf_add(out, data, n);
        data += n;
        n = strspn(data, " \t\r\n");
        data += n;
        if (n == 0 && *data != '\0')
            return false;
    }
    return out->len > 0 && out->len % 4 == 0 && !out->failed;
}


/* By its own first bytes: what the document says of a file is not trusted. */
static file_t
kind_of_file(abdm_str_t base64, const char *type)
{
    static const struct {
        const char *magic;
        size_t n;
        file_t kind;
    } magics[] = {
        {"%PDF", 4, FILE_PDF},
        {"\x89PNG\r\n\x1a\n", 8, FILE_PNG},
        {"\xff\xd8\xff", 3, FILE_JPEG},
    };
    uint8_t head[MAGIC];
    size_t n = 0;

    if (!abdm_base64_decode((abdm_str_t){base64.p, base64.len < 16 ? base64.len : 16}, head,
                            sizeof head, &n))
        return FILE_OTHER;
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
        if (n >= magics[i].n && memcmp(head, magics[i].magic, magics[i].n) == 0)
            return magics[i].kind;
    }
    return type != NULL && strncasecmp(type, "text/plain", 10) == 0 ? FILE_TEXT : FILE_OTHER;
}


static bool
add_text_file(abdm_preview_t *p, abdm_str_t base64)
{
    size_t cap = base64.len / 4 * 3 + 1, n = 0;
    char *text = cap > TEXT_FILE_MAX ? NULL : malloc(cap);
    bool decoded = text != NULL && abdm_base64_decode(base64, (uint8_t *) text, cap, &n);
    json_t *utf8 = decoded ? json_stringn(text, n) : NULL; /* refuses what is not UTF-8 */

    if (utf8 != NULL) {
        abdm_buf_addz(p->out, "<pre>");
        add_bytes(p->out, text, n);
        abdm_buf_addz(p->out, "</pre>");
    }
    json_decref(utf8);
    free(text);
    return utf8 != NULL;
}


static void
add_image(abdm_preview_t *p, const char *type, abdm_str_t base64, const char *title)
{
    abdm_buf_addf(p->out, "<img src=\"data:%s;base64,", type);
    abdm_buf_add_str(p->out, base64);
    abdm_buf_addz(p->out, "\" alt=\"");
    abdm_preview_text(p, title);
    abdm_buf_addz(p->out, "\">");
}


static void
add_download(abdm_preview_t *p, file_t kind, abdm_str_t base64, const char *title)
{
    bool pdf = kind == FILE_PDF;

    abdm_buf_addf(p->out, "<a class=\"file\" download=\"document-%u.%s\" href=\"data:%s;base64,",
                  p->files, pdf ? "pdf" : "bin",
                  pdf ? "application/pdf" : "application/octet-stream");
    abdm_buf_add_str(p->out, base64);
    abdm_buf_addz(p->out, "\"><b>");
    abdm_preview_text(p, title);
    abdm_buf_addf(p->out, "</b> <span>%s, %zu KB</span></a>", pdf ? "PDF" : "file",
                  (base64.len / 4 * 3 + 1023) / 1024);
}


void
abdm_preview_attachment(abdm_preview_t *p, const json_t *attachment)
{
    const char *data = abdm_json_string_at(attachment, "data");
    const char *type = abdm_json_string_at(attachment, "contentType");
    const char *title = abdm_json_string_at(attachment, "title");
    const char *url = abdm_json_string_at(attachment, "url");
    abdm_buf_t base64 = {0};

    p->files++;
    title = title == NULL ? "Document" : title;
    abdm_buf_addz(p->out, "<figure>");
    if (data == NULL || !clean_base64(data, &base64)) {
        abdm_preview_text(p, title);
        abdm_buf_addz(p->out, data != NULL ? ": cannot be read" : ": not in this document");
        if (url != NULL) { /* never a link: it leads to wherever the sender wants */
            abdm_buf_addz(p->out, " (");
            abdm_preview_text(p, url);
            abdm_buf_addz(p->out, ")");
        }
    } else {
        abdm_str_t text = abdm_buf_str(&base64);
        file_t kind = kind_of_file(text, type);
        if (kind == FILE_PNG || kind == FILE_JPEG)
            add_image(p, kind == FILE_PNG ? "image/png" : "image/jpeg", text, title);
        else if (kind != FILE_TEXT || !add_text_file(p, text))
            add_download(p, kind, text, title);
        if (kind != FILE_OTHER && kind != FILE_PDF) {
            abdm_buf_addz(p->out, "<figcaption>");
            abdm_preview_text(p, title);
            abdm_buf_addz(p->out, "</figcaption>");
        }
    }
    abdm_buf_addz(p->out, "</figure>");
    p->out->failed = p->out->failed || base64.failed;
    abdm_buf_free(&base64);
}


/* --- data types --- */

static void
add_number(abdm_preview_t *p, const json_t *value)
{
    abdm_jw_t w;

    abdm_jw_begin(&w, p->out);
    abdm_jw_json(&w, value); /* digits, sign, point, exponent: nothing to escape */
}


static void
add_simple(abdm_preview_t *p, const json_t *value)
{
    const char *z = json_string_value(value);

    if (z != NULL && looks_like_date(z))
        add_date(p, z);
    else if (z != NULL)
        abdm_preview_text(p, z);
    else if (json_is_number(value))
        add_number(p, value);
    else if (json_is_boolean(value))
        abdm_buf_addz(p->out, json_is_true(value) ? "yes" : "no");
}


/* The members, those that are there, with a text between. */
static void
add_joined(abdm_preview_t *p, const json_t *object, const char *const *names, size_t n,
           const char *between)
{
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_get(object, names[i]);
        if (value == NULL || json_is_null(value))
            continue;
        if (any)
            abdm_buf_addz(p->out, between);
        abdm_preview_value(p, value);
        any = true;
    }
}

#define ADD_JOINED(p, object, between, ...)                                                        \
    add_joined(p, object, (const char *const[]){__VA_ARGS__},                                      \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), between)


static bool
has(const json_t *object, const char *name)
{
    return json_object_get(object, name) != NULL;
}


static bool
has_text(const json_t *object, const char *name)
{
    return abdm_json_string_at(object, name) != NULL;
}


static void
add_identifier(abdm_preview_t *p, const json_t *value)
{
    const json_t *type = json_object_get(value, "type");

    if (type != NULL) {
        abdm_preview_value(p, type);
        abdm_buf_addz(p->out, ": ");
    }
    abdm_preview_value(p, json_object_get(value, "value"));
}


static void
add_quantity(abdm_preview_t *p, const json_t *value)
{
    ADD_JOINED(p, value, " ", "comparator", "value");
    abdm_buf_addz(p->out, " ");
    ADD_JOINED(p, value, " ", has_text(value, "unit") ? "unit" : "code", "currency");
}


/* Observations' components and the like: what it is, and its value. */
static void
add_named_value(abdm_preview_t *p, const json_t *value)
{
    const char *key;
    json_t *item;

    abdm_preview_value(p, json_object_get(value, "code"));
    json_object_foreach((json_t *) value, key, item) {
        if (strncmp(key, "value", 5) == 0 || strcmp(key, "amount") == 0) {
            abdm_buf_addz(p->out, ": ");
            abdm_preview_value(p, item);
        }
    }
}


static bool
has_value(const json_t *object)
{
    const char *key;
    json_t *item;

    json_object_foreach((json_t *) object, key, item) {
        if ((strncmp(key, "value", 5) == 0 && isupper((unsigned char) key[5])) ||
            strcmp(key, "amount") == 0)
            return true;
    }
    return false;
}


static void
add_object(abdm_preview_t *p, const json_t *value)
{
    if (has_text(value, "div")) {
        abdm_preview_narrative(p, abdm_json_string_at(value, "div"));
    } else if ((has(value, "data") || has(value, "url")) && has(value, "contentType")) {
        abdm_preview_attachment(p, value);
    } else if (has_text(value, "reference") ||
               (has_text(value, "display") && !has(value, "code"))) {
        add_reference(p, value);
    } else if (has_text(value, "text")) {
        ADD_JOINED(p, value, "", "text");
    } else if (has(value, "coding")) {
        ADD_JOINED(p, value, "", "coding");
    } else if (has_text(value, "display")) {
        ADD_JOINED(p, value, "", "display");
    } else if (json_is_number(json_object_get(value, "value"))) {
        add_quantity(p, value);
    } else if (has(value, "low") || has(value, "high")) {
        ADD_JOINED(p, value, " to ", "low", "high");
    } else if (has(value, "start") || has(value, "end")) {
        ADD_JOINED(p, value, " to ", "start", "end");
    } else if (has(value, "numerator")) {
        ADD_JOINED(p, value, " / ", "numerator", "denominator");
    } else if (has(value, "given") || has(value, "family")) {
        ADD_JOINED(p, value, " ", "prefix", "given", "family", "suffix");
    } else if (has(value, "line") || has(value, "city") || has(value, "postalCode")) {
        ADD_JOINED(p, value, ", ", "line", "city", "district", "state", "postalCode", "country");
    } else if (has_text(value, "value")) {
        add_identifier(p, value);
    } else if (has(value, "code") && has_value(value)) {
        add_named_value(p, value);
    } else if (has(value, "system") && has_text(value, "code")) {
        ADD_JOINED(p, value, "", "code");
    } else {
        abdm_preview_members(p, value);
    }
}


void
abdm_preview_value(abdm_preview_t *p, const json_t *value)
{
    const json_t *item;
    size_t i;

    if (json_is_array(value)) {
        json_array_foreach(value, i, item) {
            if (i > 0)
                abdm_buf_addz(p->out, json_is_object(item) ? "<br>" : ", ");
            abdm_preview_value(p, item);
        }
    } else if (json_is_object(value)) {
        add_object(p, value);
    } else {
        add_simple(p, value);
    }
}


/* "dosageInstruction" as "Dosage instruction". */
static void
add_name(abdm_preview_t *p, const char *name)
{
    for (const char *z = name; *z != '\0'; z++) {
        if (z == name) {
            add_char(p->out, (char) toupper((unsigned char) *z));
        } else {
            if (isupper((unsigned char) *z) && islower((unsigned char) z[-1]))
                add_char(p->out, ' ');
            bool word = isupper((unsigned char) *z) && islower((unsigned char) z[1]);
            add_char(p->out, word ? (char) tolower((unsigned char) *z) : *z);
        }
    }
}


void
abdm_preview_members(abdm_preview_t *p, const json_t *object)
{
    static const char *const hidden[] = {
        "resourceType", "id",      "meta",    "language",  "implicitRules",
        "fullUrl",      "subject", "patient", "encounter",
    };
    const char *key;
    json_t *value;

    abdm_buf_addz(p->out, "<dl>");
    json_object_foreach((json_t *) object, key, value) {
        bool show = key[0] != '_' && !json_is_null(value);
        for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
            show = show && strcmp(key, hidden[i]) != 0;
        if (!show)
            continue;
        abdm_buf_addz(p->out, "<dt>");
        add_name(p, key);
        abdm_buf_addz(p->out, "</dt><dd>");
        abdm_preview_value(p, value);
        abdm_buf_addz(p->out, "</dd>");
    }
    abdm_buf_addz(p->out, "</dl>");
}
