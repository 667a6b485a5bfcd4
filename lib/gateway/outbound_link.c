/*
 * Bodies of our calls of linking and sharing (gateway protocol 1.6, 1.7, 3.1-3.8, 3.12, 3.13, 5.3;
 * contradictions 7, 8, 10-12, 39, 51, 52, 58 and 66 of section 8). Texts of the hospital are made
 * to fit the gateway's alphabets, as one odd character refuses the whole call.
 */
#include "gateway/outbound_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "gateway/wire.h"
#include "match/patient.h"

enum { CONTEXTS_MAX = 20 /* of one element */ };

#define V0_5 "/gateway/v0.5/"


void
abdm_out_stamp(abdm_buf_t *out, const char *path, abdm_str_t body, const char *request_id,
               abdm_ms_t now)
{
    char timestamp[ABDM_TIME_TEXT];
    abdm_jw_t w;

    if (!abdm_str_starts(abdm_str(path), ABDM_LIT(V0_5)) || body.len < 2) {
        abdm_buf_add_str(out, body);
        return;
    }
    abdm_time_format(now, timestamp);
    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "requestId", request_id);
    abdm_jw_kv(&w, "timestamp", timestamp);
    if (body.len > 2)
        abdm_jw_raw(&w, (abdm_str_t){body.p + 1, body.len - 2});
    abdm_jw_close(&w, '}');
}


/* --- texts made to fit --- */

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}


/* The ASCII that stands for the character at p, 0 when none does; *len becomes its bytes. */
static char
ascii_of(const char *p, size_t *len)
{
    static const struct {
        const char *utf8;
        char ascii;
    } rows[] = {
        {"\xe2\x80\x98", '\''}, {"\xe2\x80\x99", '\''}, /* quotes that word processors make */
        {"\xe2\x80\x9c", '"'},  {"\xe2\x80\x9d", '"'},
        {"\xe2\x80\x93", '-'},  {"\xe2\x80\x94", '-'},  /* dashes */
        {"\xc2\xa0", ' '},
    };

    *len = 1;
    if ((unsigned char) *p < 0x80)
        return *p;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strncmp(p, rows[i].utf8, strlen(rows[i].utf8)) == 0) {
            *len = strlen(rows[i].utf8);
            return rows[i].ascii;
        }
    }
    while (((unsigned char) p[*len] & 0xc0) == 0x80)
        ++*len;
    return 0;
}


/* 3.0: what is not of the alphabet becomes a blank; blanks are single, and none at the ends. */
static void
fit_display(const char *z, char out[ABDM_WIRE_ID + 1])
{
    size_t n = 0, len;

    for (; *z != '\0' && n < ABDM_WIRE_ID; z += len) {
        char c = ascii_of(z, &len);
        if (c == 0 || !(is_letter(c) || strchr("0123456789_-@,. \"':|()/", c) != NULL))
            c = ' ';
        if (c != ' ' || (n > 0 && out[n - 1] != ' '))
            out[n++] = c;
    }
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
}


/* 3.1: Latin letters, and between them ' , . - with a blank or without, or a blank alone. Letters
 * of other scripts are left out, all else is a blank. */
static void
fit_name(const char *z, char out[ABDM_WIRE_ID + 1])
{
    size_t n = 0, len;
    char mark = 0;
    bool blank = false;

    for (; *z != '\0' && n + 3 <= ABDM_WIRE_ID; z += len) {
        char c = ascii_of(z, &len);
        if (c == 0)
            continue;
        if (!is_letter(c)) {
            if (mark == 0 && !blank && strchr("',.-", c) != NULL)
                mark = c;
            else
                blank = true;
            continue;
        }
        if (n > 0 && mark != 0)
            out[n++] = mark;
        if (n > 0 && blank)
            out[n++] = ' ';
        out[n++] = c;
        mark = 0;
        blank = false;
    }
    out[n] = '\0';
}


/* --- linking by the hospital --- */

void
abdm_out_generate_token(abdm_buf_t *out, const abdm_out_patient_t *patient)
{
    char name[ABDM_WIRE_ID + 1];
    abdm_jw_t w;

    fit_name(patient->name, name);
    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    if (patient->abha_number != NULL) {
        abdm_jw_key(&w, "abhaNumber");
        if (patient->abha_number[0] == '0') /* no JSON number begins so */
            abdm_jw_strz(&w, patient->abha_number);
        else
            abdm_jw_int(&w, strtoll(patient->abha_number, NULL, 10));
    }
    abdm_jw_kv(&w, "abhaAddress", patient->abha_address);
    abdm_jw_kv(&w, "name", name);
    abdm_jw_kv(&w, "gender", patient->gender);
    abdm_jw_key(&w, "yearOfBirth");
    abdm_jw_int(&w, patient->year_of_birth);
    abdm_jw_close(&w, '}');
}


/* A display is required: when nothing of it fits, the reference stands for it. */
static void
write_reference(abdm_jw_t *w, const char *reference, const char *display)
{
    char fitting[ABDM_WIRE_ID + 1];

    abdm_jw_kv(w, "referenceNumber", reference);
    if (display == NULL)
        return;
    fit_display(display, fitting);
    if (fitting[0] == '\0')
        fit_display(reference, fitting);
    abdm_jw_kv(w, "display", fitting);
}


static void
open_element(abdm_jw_t *w, const char *patient_ref, const char *display)
{
    abdm_jw_open(w, '{');
    write_reference(w, patient_ref, display);
    abdm_jw_key(w, "careContexts");
    abdm_jw_open(w, '[');
}


static void
close_element(abdm_jw_t *w, abdm_hi_type_t type, int count)
{
    abdm_jw_close(w, ']');
    abdm_jw_kv(w, "hiType", abdm_hi_type_name(type));
    abdm_jw_key(w, "count");
    abdm_jw_int(w, count);
    abdm_jw_close(w, '}');
}


static void
write_elements_of(abdm_jw_t *w, abdm_hi_type_t type, const char *patient_ref, const char *display,
                  const abdm_out_context_t *contexts, size_t n)
{
    int count = 0;

    for (size_t i = 0; i < n; i++) {
        if ((contexts[i].hi_types & 1u << type) == 0)
            continue;
        if (count == CONTEXTS_MAX) {
            close_element(w, type, count);
            count = 0;
        }
        if (count++ == 0)
            open_element(w, patient_ref, display);
        abdm_jw_open(w, '{');
        write_reference(w, contexts[i].reference, contexts[i].display);
        abdm_jw_close(w, '}');
    }
    if (count > 0)
        close_element(w, type, count);
}


static void
write_patient(abdm_jw_t *w, const char *patient_ref, const char *display,
              const abdm_out_context_t *contexts, size_t n)
{
    abdm_jw_key(w, "patient");
    abdm_jw_open(w, '[');
    for (int type = 0; type < ABDM_HI_TYPES; type++)
        write_elements_of(w, (abdm_hi_type_t) type, patient_ref, display, contexts, n);
    abdm_jw_close(w, ']');
}


void
abdm_out_link_contexts(abdm_buf_t *out, const char *abha_address, const char *abha_number,
                       const char *patient_ref, const char *display,
                       const abdm_out_context_t *contexts, size_t n)
{
    abdm_jw_t w;

    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    if (abha_number != NULL)
        abdm_jw_kv(&w, "abhaNumber", abha_number);
    abdm_jw_kv(&w, "abhaAddress", abha_address);
    write_patient(&w, patient_ref, display, contexts, n);
    abdm_jw_close(&w, '}');
}


static void
write_id(abdm_jw_t *w, const char *member, const char *id)
{
    abdm_jw_key(w, member);
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "id", id);
    abdm_jw_close(w, '}');
}


void
abdm_out_context_notify(abdm_buf_t *out, const char *hip_id, const char *abha_address,
                        const char *patient_ref, const char *context_ref,
                        abdm_hi_types_t hi_types, abdm_ms_t date)
{
    char when[ABDM_TIME_TEXT];
    abdm_jw_t w;

    abdm_time_format(date, when);
    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_jw_key(&w, "notification");
    abdm_jw_open(&w, '{');
    write_id(&w, "patient", abha_address);
    abdm_jw_key(&w, "careContext");
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "patientReference", patient_ref);
    abdm_jw_kv(&w, "careContextReference", context_ref);
    abdm_jw_close(&w, '}');
    abdm_jw_key(&w, "hiTypes");
    abdm_jw_open(&w, '[');
    for (int type = 0; type < ABDM_HI_TYPES; type++) {
        if ((hi_types & 1u << type) != 0)
            abdm_jw_strz(&w, abdm_hi_type_name((abdm_hi_type_t) type));
    }
    abdm_jw_close(&w, ']');
    abdm_jw_kv(&w, "date", when);
    write_id(&w, "hip", hip_id);
    abdm_jw_close(&w, '}');
    abdm_jw_close(&w, '}');
}


void
abdm_out_sms_notify(abdm_buf_t *out, const char *hip_id, const char *hip_name, const char *mobile)
{
    char phone[32];
    abdm_jw_t w;

    snprintf(phone, sizeof phone, "+91-%.20s", mobile);
    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_jw_key(&w, "notification");
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "phoneNo", phone);
    abdm_jw_key(&w, "hip");
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "id", hip_id);
    abdm_jw_kv(&w, "name", hip_name);
    abdm_jw_close(&w, '}');
    abdm_jw_close(&w, '}');
    abdm_jw_close(&w, '}');
}


/* --- linking by the patient --- */

static void
open_answer(abdm_jw_t *w, abdm_buf_t *out, const char *transaction_id)
{
    abdm_jw_begin(w, out);
    abdm_jw_open(w, '{');
    if (transaction_id != NULL)
        abdm_jw_kv(w, "transactionId", transaction_id);
}


static void
close_answer(abdm_jw_t *w, const char *request_id)
{
    abdm_out_write_echo(w, "response", request_id);
    abdm_jw_close(w, '}');
}


static void
write_refusal(abdm_buf_t *out, const char *transaction_id, abdm_err_t err, const char *request_id)
{
    abdm_jw_t w;

    open_answer(&w, out, transaction_id);
    abdm_out_write_error(&w, err);
    close_answer(&w, request_id);
}


void
abdm_out_on_discover(abdm_buf_t *out, const char *transaction_id, const char *patient_ref,
                     const char *display, const abdm_out_context_t *contexts, size_t n,
                     unsigned matched_by, const char *request_id)
{
    abdm_jw_t w;

    open_answer(&w, out, transaction_id);
    write_patient(&w, patient_ref, display, contexts, n);
    abdm_jw_key(&w, "matchedBy");
    abdm_jw_open(&w, '[');
    for (unsigned bit = ABDM_BY_MR; bit <= ABDM_BY_ABHA_ADDRESS; bit <<= 1) {
        if ((matched_by & bit) != 0)
            abdm_jw_strz(&w, abdm_matched_by_name(bit));
    }
    abdm_jw_close(&w, ']');
    close_answer(&w, request_id);
}


void
abdm_out_on_discover_error(abdm_buf_t *out, const char *transaction_id, abdm_err_t err,
                           const char *request_id)
{
    write_refusal(out, transaction_id, err, request_id);
}


void
abdm_out_link_on_init(abdm_buf_t *out, const char *transaction_id, const char *link_ref,
                      const char *hint, abdm_ms_t expires_at, const char *request_id)
{
    char expiry[ABDM_TIME_TEXT];
    abdm_jw_t w;

    abdm_time_format(expires_at, expiry);
    open_answer(&w, out, transaction_id);
    abdm_jw_key(&w, "link");
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "referenceNumber", link_ref);
    abdm_jw_kv(&w, "authenticationType", "DIRECT");
    abdm_jw_key(&w, "meta");
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "communicationMedium", "MOBILE");
    abdm_jw_kv(&w, "communicationHint", hint);
    abdm_jw_kv(&w, "communicationExpiry", expiry);
    abdm_jw_close(&w, '}');
    abdm_jw_close(&w, '}');
    close_answer(&w, request_id);
}


void
abdm_out_link_on_init_error(abdm_buf_t *out, const char *transaction_id, abdm_err_t err,
                            const char *request_id)
{
    write_refusal(out, transaction_id, err, request_id);
}


void
abdm_out_link_on_confirm(abdm_buf_t *out, const char *patient_ref, const char *display,
                         const abdm_out_context_t *contexts, size_t n, const char *request_id)
{
    abdm_jw_t w;

    open_answer(&w, out, NULL);
    write_patient(&w, patient_ref, display, contexts, n);
    close_answer(&w, request_id);
}


/* --- sharing --- */

static void
open_acknowledgement(abdm_jw_t *w, const char *status, const char *abha_address)
{
    abdm_jw_key(w, "acknowledgement");
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "status", status);
    abdm_jw_kv(w, "abhaAddress", abha_address);
}


void
abdm_out_on_share(abdm_buf_t *out, const char *abha_address, const char *counter, int token,
                  int expiry_s, const char *request_id)
{
    char number[16], expiry[16];
    abdm_jw_t w;

    snprintf(number, sizeof number, "%d", token);
    snprintf(expiry, sizeof expiry, "%d", expiry_s);
    open_answer(&w, out, NULL);
    open_acknowledgement(&w, "SUCCESS", abha_address);
    abdm_jw_key(&w, "profile");
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "context", counter);
    abdm_jw_kv(&w, "tokenNumber", number);
    abdm_jw_kv(&w, "expiry", expiry);
    abdm_jw_close(&w, '}');
    abdm_jw_close(&w, '}');
    close_answer(&w, request_id);
}


void
abdm_out_on_share_error(abdm_buf_t *out, const char *abha_address, abdm_err_t err,
                        const char *request_id)
{
    abdm_jw_t w;

    open_answer(&w, out, NULL);
    if (abha_address != NULL) {
        open_acknowledgement(&w, "FAILED", abha_address);
        abdm_jw_close(&w, '}');
    }
    abdm_out_write_error(&w, err);
    close_answer(&w, request_id);
}


/* --- v0.5 --- */

static void
write_query(abdm_buf_t *out, const char *abha_address, const char *purpose, const char *mode,
            const char *hip_id)
{
    abdm_jw_t w;

    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_jw_key(&w, "query");
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "id", abha_address);
    abdm_jw_kv(&w, "purpose", purpose);
    if (mode != NULL)
        abdm_jw_kv(&w, "authMode", mode);
    abdm_jw_key(&w, "requester");
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "type", "HIP");
    abdm_jw_kv(&w, "id", hip_id);
    abdm_jw_close(&w, '}');
    abdm_jw_close(&w, '}');
    abdm_jw_close(&w, '}');
}


void
abdm_out_auth_modes(abdm_buf_t *out, const char *abha_address, const char *purpose,
                    const char *hip_id)
{
    write_query(out, abha_address, purpose, NULL, hip_id);
}


void
abdm_out_auth_init(abdm_buf_t *out, const char *abha_address, const char *purpose,
                   const char *mode, const char *hip_id)
{
    write_query(out, abha_address, purpose, mode, hip_id);
}


void
abdm_out_auth_confirm(abdm_buf_t *out, const char *transaction_id, const char *otp)
{
    abdm_jw_t w;

    open_answer(&w, out, transaction_id);
    abdm_jw_key(&w, "credential");
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "authCode", otp);
    abdm_jw_close(&w, '}');
    abdm_jw_close(&w, '}');
}


void
abdm_out_auth_confirm_person(abdm_buf_t *out, const char *transaction_id, const char *name,
                             const char *gender, const char *date_of_birth)
{
    abdm_jw_t w;

    open_answer(&w, out, transaction_id);
    abdm_jw_key(&w, "credential");
    abdm_jw_open(&w, '{');
    abdm_jw_key(&w, "demographic");
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "name", name);
    abdm_jw_kv(&w, "gender", gender);
    abdm_jw_kv(&w, "dateOfBirth", date_of_birth);
    abdm_jw_close(&w, '}');
    abdm_jw_close(&w, '}');
    abdm_jw_close(&w, '}');
}


/* The member is spelled in two ways on the wire. */
static void
write_ok(abdm_buf_t *out, const char *member, const char *request_id)
{
    abdm_jw_t w;

    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_jw_key(&w, member);
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "status", "OK");
    abdm_jw_close(&w, '}');
    abdm_out_write_echo(&w, "resp", request_id);
    abdm_jw_close(&w, '}');
}


void
abdm_out_auth_on_notify(abdm_buf_t *out, const char *request_id)
{
    write_ok(out, "acknowledgement", request_id);
}


void
abdm_out_status_on_notify(abdm_buf_t *out, const char *request_id)
{
    write_ok(out, "acknowledgment", request_id);
}


void
abdm_out_old_error(abdm_buf_t *out, abdm_err_t err, const char *request_id)
{
    abdm_jw_t w;

    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_out_write_old_error(&w, err);
    abdm_out_write_echo(&w, "resp", request_id);
    abdm_jw_close(&w, '}');
}


/* --- the bridge --- */

void
abdm_out_bridge_url(abdm_buf_t *out, const char *url)
{
    abdm_jw_t w;

    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "url", url);
    abdm_jw_close(&w, '}');
}


void
abdm_out_register(abdm_buf_t *out, const char *facility_id, const char *facility_name,
                  const char *bridge_id, const char *hip_name)
{
    abdm_jw_t w;

    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "facilityId", facility_id);
    abdm_jw_kv(&w, "facilityName", facility_name);
    abdm_jw_key(&w, "HRP");
    abdm_jw_open(&w, '[');
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "bridgeId", bridge_id);
    abdm_jw_kv(&w, "hipName", hip_name);
    abdm_jw_kv(&w, "type", "HIP");
    abdm_jw_key(&w, "active");
    abdm_jw_bool(&w, true);
    abdm_jw_close(&w, '}');
    abdm_jw_close(&w, ']');
    abdm_jw_close(&w, '}');
}
