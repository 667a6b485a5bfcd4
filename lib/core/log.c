/*
 * Log lines: at most 1 KB each, printable ASCII only, so that nothing that came from outside
 * can forge a second line or drive a terminal.
 */
#include "core/log.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/id.h"

enum {
    LINE_MAX_BYTES = 1024, /* with the terminator */
    WORD_MAX = 255,
    PART_MAX = 64,         /* of several words */
    UUID_LEN = 36,
    DIGITS_MAX = 8,        /* a date; a mobile number has ten */
};

typedef struct {
    char text[LINE_MAX_BYTES];
    size_t n;
    bool full; /* what did not fit is followed by nothing */
} line_t;


/* Other bytes than printable ones as \xHH, never half an escape. */
static void
add(line_t *line, const char *in, size_t len)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char) in[i];
        bool plain = c >= 0x20 && c < 0x7f && c != '\\';

        line->full |= line->n + (plain ? 1 : 4) >= sizeof(line->text);
        if (line->full) {
            break;
        }
        if (plain) {
            line->text[line->n++] = (char) c;
            continue;
        }
        line->text[line->n++] = '\\';
        line->text[line->n++] = 'x';
        line->text[line->n++] = hex[c >> 4];
        line->text[line->n++] = hex[c & 15];
    }
    line->text[line->n] = '\0';
}


static void
add_z(line_t *line, const char *in)
{
    if (in != NULL) {
        add(line, in, strlen(in));
    }
}


static void
add_id(line_t *line, const abdm_log_t *log, const char *id)
{
    char mark[ABDM_LOG_MARK];

    if (id[0] == '\0' || abdm_is_uuid(abdm_str(id))) {
        add_z(line, id);
    } else if (log->mark != NULL && !abdm_failed(log->mark(log->mark_ctx, id, mark))) {
        add_z(line, mark);
    } else {
        add_z(line, "~");
    }
}


static void
add_word(line_t *line, const char *word)
{
    static const char others[] = "._-/:?=&%~+[]";
    bool fits = strlen(word) <= WORD_MAX;

    for (const char *p = word; *p != '\0' && fits; p++) {
        fits = isalnum((unsigned char) *p) || strchr(others, *p) != NULL;
    }
    add_z(line, fits ? word : "*");
}


/* Has it as many digits in a row as a person's number, with or without dashes? What begins with a
 * letter is a participant's id, and a UUID is none's. */
static bool
has_long_number(const char *p, size_t len)
{
    size_t digits = 0;
    bool counted = true;

    for (size_t i = 0; i < len; i++) {
        if (len - i >= UUID_LEN && abdm_is_uuid((abdm_str_t){p + i, UUID_LEN})) {
            i += UUID_LEN - 1;
            digits = 0;
            counted = true;
        } else if (isdigit((unsigned char) p[i])) {
            counted = digits > 0 ? counted : i == 0 || !isalpha((unsigned char) p[i - 1]);
            digits++;
            if (digits > DIGITS_MAX && counted) {
                return true;
            }
        } else if (p[i] != '-') {
            digits = 0;
        }
    }
    return false;
}


static void
add_words(line_t *line, const char *text)
{
    for (const char *p = text; *p != '\0';) {
        size_t len = strcspn(p, " ");
        bool fits = len <= PART_MAX && memchr(p, '@', len) == NULL && memchr(p, '"', len) == NULL
                    && !has_long_number(p, len);

        for (size_t i = 0; i < len && fits; i++) {
            fits = isprint((unsigned char) p[i]);
        }
        add(line, fits ? p : "*", fits ? len : 1);
        p += len;
        if (*p == ' ') {
            add(line, p++, 1);
        }
    }
}


static void
add_field(line_t *line, const abdm_log_t *log, const abdm_log_field_t *field)
{
    const char *text = field->text == NULL ? "" : field->text;
    bool named = field->name[0] != '\0';
    char number[24];

    if (line->n > 0) {
        add_z(line, " ");
    }
    add_z(line, field->name);
    add_z(line, named ? "=" : "");
    switch (field->kind) {
    case ABDM_LOG_IS_NUMBER:
        snprintf(number, sizeof(number), "%lld", field->number);
        add_z(line, number);
        break;
    case ABDM_LOG_IS_ID:
        add_id(line, log, text);
        break;
    case ABDM_LOG_IS_WORD:
        add_word(line, text);
        break;
    case ABDM_LOG_IS_WORDS:
        add_z(line, named ? "\"" : "");
        add_words(line, text);
        add_z(line, named ? "\"" : ";");
        break;
    case ABDM_LOG_END:
        break;
    }
}


void
abdm_log_fields(const abdm_log_t *log, abdm_log_level_t level, const char *what,
                const abdm_log_field_t *fields)
{
    line_t line = {.n = 0};

    if (log == NULL || log->write == NULL) {
        return;
    }
    add_z(&line, what);
    for (; fields->kind != ABDM_LOG_END; fields++) {
        add_field(&line, log, fields);
    }
    log->write(log->ctx, level, line.text);
}


void
abdm_log_err_fields(const abdm_log_t *log, abdm_log_level_t level, abdm_err_t err,
                    const abdm_log_field_t *fields)
{
    const abdm_error_info_t *info = abdm_error_info(err.code);
    const char *where = err.where == NULL ? "" : err.where;
    const char *slash = strrchr(where, '/');
    line_t line = {.n = 0};

    if (log == NULL || log->write == NULL) {
        return;
    }
    add_z(&line, info->name);
    add_z(&line, ": ");
    add_z(&line, info->meaning);
    add_z(&line, ": ");
    add_z(&line, err.what);
    add_z(&line, " (");
    add_z(&line, slash == NULL ? where : slash + 1);
    add_z(&line, ");");
    for (; fields->kind != ABDM_LOG_END; fields++) {
        add_field(&line, log, fields);
    }
    log->write(log->ctx, level, line.text);
}
