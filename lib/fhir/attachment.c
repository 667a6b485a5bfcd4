/*
 * Files in documents. The first bytes must be of the declared type (PDF, JPEG, PNG or plain
 * text), and the base64 of a record must be base64; then the text of the document only gets a
 * hole where the file goes, so that no file is ever copied into it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fhir/forms.h"

enum { HEAD_CHARS = 512, HEAD_BYTES = HEAD_CHARS / 4 * 3 };


/* No control bytes, as any binary format has them, and no page of HTML. */
static bool
is_text(const uint8_t *p, size_t len)
{
    static const char *const pages[] = {"<!doctype", "<html"};
    const char *z = (const char *) p;
    size_t i = 0;

    for (; i < len; i++) {
        if (p[i] < 0x20 && memchr("\t\n\r\f", p[i], 4) == NULL)
            return false;
    }
    for (i = 0; i < len && p[i] <= ' '; i++)
        continue;
    for (size_t k = 0; k < sizeof pages / sizeof *pages; k++) {
        size_t n = strlen(pages[k]);
        if (len - i >= n && strncasecmp(z + i, pages[k], n) == 0)
            return false; /* a login or error page of the HMIS */
    }
    return true;
}


static const struct {
    const char *declared;
    const char *sent;
    abdm_str_t magic; /* empty: text */
} content_types[] = {
    {"application/pdf", "application/pdf", {"%PDF-", 5}},
    {"image/jpeg", "image/jpeg", {"\xff\xd8\xff", 3}},
    {"image/jpg", "image/jpeg", {"\xff\xd8\xff", 3}}, /* no registered name, but a common one */
    {"image/png", "image/png", {"\x89PNG\r\n\x1a\n", 8}},
    {"text/plain", "text/plain", {"", 0}},
};

enum { CONTENT_TYPES = sizeof content_types / sizeof *content_types };


const char *
abdm_content_type_of(const uint8_t *head, size_t head_len)
{
    abdm_str_t first = {(const char *) head, head_len};

    for (size_t i = 0; i < CONTENT_TYPES; i++) {
        if (content_types[i].magic.len > 0 ? abdm_str_starts(first, content_types[i].magic)
                                           : is_text(head, head_len))
            return content_types[i].sent;
    }
    return NULL;
}


static abdm_err_t
judge_type(abdm_build_t *b, const char *name, const char *declared, const uint8_t *head,
           size_t head_len, const char **sent)
{
    abdm_str_t type, first = {(const char *) head, head_len};

    if (declared == NULL)
        return abdm_build_fail(b, name, ABDM_ERR(RECORD_FORM, "contentType: missing: the type "
                                                              "of the file, application/pdf"));
    type = (abdm_str_t){declared, strcspn(declared, "; ")}; /* without "; charset=..." */
    for (size_t i = 0; i < CONTENT_TYPES; i++) {
        if (!abdm_str_ieq(type, abdm_str(content_types[i].declared)))
            continue;
        *sent = content_types[i].sent;
        if (content_types[i].magic.len > 0 ? abdm_str_starts(first, content_types[i].magic)
                                           : is_text(head, head_len))
            return ABDM_NO_ERR;
        return abdm_build_fail(b, name,
                               ABDM_ERR(RECORD_TYPE, "document: its first bytes are not of the "
                                                     "contentType that the record gives"));
    }
    return abdm_build_fail(b, name,
                           ABDM_ERR(RECORD_TYPE, "contentType: application/pdf, image/jpeg, "
                                                 "image/png or text/plain expected"));
}


/* Base64 of RFC 4648 in one line, padded. Files are large, so whole blocks are judged by one AND
 * of their table entries. */
static bool
is_base64(abdm_str_t s)
{
    static const uint8_t good[256] = {
        ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1, ['0' ... '9'] = 1, ['+'] = 1, ['/'] = 1,
    };
    const uint8_t *p = (const uint8_t *) s.p;
    size_t n = s.len, i = 0;

    if (n == 0 || n % 4 != 0)
        return false;
    n -= p[n - 1] == '=' ? (p[n - 2] == '=' ? 2 : 1) : 0;
    for (; n - i >= 16; i += 16) {
        uint8_t all = 1;
        for (size_t k = 0; k < 16; k++)
            all &= good[p[i + k]];
        if (all == 0)
            return false;
    }
    for (; i < n; i++) {
        if (!good[p[i]])
            return false;
    }
    return true;
}


static bool
add_hole(abdm_build_t *b, abdm_str_t base64)
{
    if (b->n_holes == b->cap_holes) {
        size_t cap = b->cap_holes == 0 ? 4 : b->cap_holes * 2;
        abdm_hole_t *holes = realloc(b->holes, cap * sizeof *holes);
        if (holes == NULL)
            return false;
        b->holes = holes;
        b->cap_holes = cap;
    }
    b->holes[b->n_holes++] = (abdm_hole_t){b->text.len, base64};
    return true;
}


/* "data":"<hole>" */
static abdm_err_t
put_data(abdm_build_t *b, abdm_str_t base64)
{
    abdm_jw_key(&b->w, "data");
    abdm_jw_raw(&b->w, ABDM_LIT("\""));
    if (!add_hole(b, base64))
        return ABDM_ERR(MEMORY, "document: its files");
    abdm_buf_add(&b->text, "\"", 1);
    return ABDM_NO_ERR;
}


/* contentType and data of a file: from the record, or the one that came from elsewhere. */
static abdm_err_t
put_file(abdm_build_t *b, const char *prefix, const json_t *file)
{
    const char *declared = abdm_fhir_text_at(file, "contentType"), *sent = NULL;
    const json_t *data = json_object_get(file, "data");
    abdm_str_t base64 = {json_string_value(data), json_string_length(data)};
    char type_name[64], data_name[64];
    uint8_t head[HEAD_BYTES];
    size_t n;

    snprintf(type_name, sizeof type_name, "%scontentType", prefix);
    snprintf(data_name, sizeof data_name, "%sdata", prefix);
    if (base64.len > 0) {
        if (!is_base64(base64))
            return abdm_build_fail(b, data_name,
                                   ABDM_ERR(RECORD_FORM, "data: base64 in one line, with "
                                                         "padding, expected"));
        abdm_str_t first = {base64.p, base64.len < HEAD_CHARS ? base64.len : HEAD_CHARS};
        if (!abdm_base64_decode(first, head, sizeof head, &n))
            return abdm_build_fail(b, data_name,
                                   ABDM_ERR(RECORD_FORM, "data: not base64"));
        ABDM_TRY(judge_type(b, type_name, declared, head, n, &sent));
        abdm_jw_kv(&b->w, "contentType", sent);
        return put_data(b, base64);
    }
    if (!b->has_file || b->file_used) {
        ABDM_TRY(declared == NULL ? judge_type(b, type_name, NULL, NULL, 0, &sent) : ABDM_NO_ERR);
        return abdm_build_fail(b, data_name,
                               ABDM_ERR(RECORD_FORM, "data: missing: the file in base64"));
    }
    b->file_used = true;
    ABDM_TRY(declared == NULL ? judge_type(b, type_name, NULL, NULL, 0, &sent) : ABDM_NO_ERR);
    if (b->file_length == 0 || b->head_len == 0)
        return ABDM_ERR(RECORD_TYPE, "document: the file is empty");
    ABDM_TRY(judge_type(b, type_name, declared, b->head, b->head_len, &sent));
    abdm_jw_kv(&b->w, "contentType", sent);
    return put_data(b, ABDM_LIT(""));
}


static abdm_err_t
put_attachment(abdm_build_t *b, const char *key, const char *prefix, const json_t *file,
               const char *title)
{
    char date[ABDM_FHIR_DATE], name[64];
    const json_t *made = json_object_get(file, "date");

    abdm_put_object(b, key);
    if (title != NULL)
        abdm_jw_kv(&b->w, "title", title);
    if (made != NULL && !json_is_null(made)) {
        snprintf(name, sizeof name, "%sdate", prefix);
        ABDM_TRY(abdm_read_date(b, name, made, ABDM_FHIR_TIME, date));
        abdm_jw_kv(&b->w, "creation", date);
    }
    ABDM_TRY(put_file(b, prefix, file));
    abdm_put_end(b, '}');
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_file(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    const json_t *file = b->node->item;
    const char *title = abdm_fhir_text_at(file, "title");

    (void) value;
    if (title == NULL)
        title = abdm_fhir_text_at(b->about->record, "title");
    abdm_put_list(b, row->key);
    abdm_put_object(b, NULL);
    ABDM_TRY(put_attachment(b, "attachment", "", file, title));
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


/* A report that is only a file: its name and conclusion stay beside the file. */
abdm_err_t
abdm_write_report_file(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    const char *name = abdm_fhir_text_at(b->node->item, "serviceName");

    abdm_put_list(b, row->key);
    abdm_put_object(b, NULL);
    ABDM_TRY(put_attachment(b, "attachment", "presentedForm/", value, name));
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_binary(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    (void) row;
    (void) value;
    return put_file(b, "", b->node->item);
}


abdm_err_t
abdm_write_media(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    (void) value;
    return put_attachment(b, row->key, "", b->node->item,
                          abdm_fhir_text_at(b->node->item, "title"));
}


abdm_err_t
abdm_write_presented_form(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    if (!json_is_object(value))
        return ABDM_MALFORMED(b, row->names[0], "presentedForm: {contentType, data} expected");
    abdm_put_list(b, row->key);
    ABDM_TRY(put_attachment(b, NULL, "presentedForm/", value, abdm_fhir_text_at(value, "title")));
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}
