/*
 * Bodies of the callbacks of linking, sharing and patient status: an input is a letter that names
 * the callback, and the body.
 */
#include "fuzz.h"

#include "core/json.h"
#include "gateway/inbound_link.h"


/* NULL, or 1 to `max` bytes without control characters */
static void
plain(const char *z, size_t max)
{
    if (z == NULL)
        return;
    NEED(*z != '\0' && strlen(z) <= max);
    for (; *z != '\0'; z++)
        NEED((unsigned char) *z >= 0x20 && *z != 0x7f);
}


static void
printable(const char *z, size_t cap)
{
    size_t n = strnlen(z, cap);

    NEED(n < cap);
    for (size_t i = 0; i < n; i++)
        NEED(z[i] >= 0x20 && z[i] < 0x7f);
}


/* NULL, or a normal form: what it is made of stays as it is */
static void
normal(const char *address, const char *number)
{
    char *again = NULL;

    if (address != NULL) {
        NEED(abdm_abha_address_normal(abdm_str(address), &again) && strcmp(address, again) == 0);
        free(again);
    }
    if (number != NULL) {
        NEED(abdm_abha_number_normal(abdm_str(number), &again) && strcmp(number, again) == 0);
        free(again);
    }
}


static void
check_outcome(const abdm_in_outcome_t *out)
{
    plain(out->request_id, 255);
    printable(out->code, sizeof out->code);
    printable(out->text, sizeof out->text);
    NEED(out->failed || (out->code[0] == '\0' && out->text[0] == '\0'));
}


static void
read_token(abdm_err_t (*read)(const json_t *, abdm_in_token_t *), const json_t *body)
{
    abdm_in_token_t t;

    if (!abdm_failed(read(body, &t)))
        NEED((t.token == NULL) == (t.outcome.failed || t.denied));
    check_outcome(&t.outcome);
    normal(t.abha_address, NULL);
    plain(t.transaction_id, 255);
    if (t.token != NULL)
        printable(t.token, 8193);
    NEED(t.expires_at >= 0 && t.expires_at <= 253402300799000);
    abdm_in_token_clear(&t);
}


static void
read_auth(abdm_err_t (*read)(const json_t *, abdm_in_auth_t *), const json_t *body, bool begun)
{
    abdm_in_auth_t a;

    if (!abdm_failed(read(body, &a)) && !a.outcome.failed && begun)
        NEED(a.transaction_id != NULL && a.mode != NULL);
    check_outcome(&a.outcome);
    plain(a.transaction_id, 255);
    plain(a.mode, 32);
    plain(a.hint, 255);
    printable(a.modes, sizeof a.modes);
    abdm_in_auth_clear(&a);
}


static void
read_discover(const json_t *body)
{
    abdm_in_discover_t d;

    if (!abdm_failed(abdm_in_discover(body, &d)))
        NEED(d.transaction_id != NULL && d.abha_address != NULL && d.name != NULL);
    normal(d.abha_address, d.abha_number);
    plain(d.transaction_id, 255);
    plain(d.name, 512);
    NEED(strlen(d.gender) == 1 && strchr("MFODTU", *d.gender) != NULL);
    NEED(d.year_of_birth == 0 || (d.year_of_birth >= 1900 && d.year_of_birth <= 2200));
    NEED(d.n_mobiles <= ABDM_IDENTIFIERS_MAX && d.n_mrs <= ABDM_IDENTIFIERS_MAX);
    for (size_t i = 0; i < d.n_mobiles; i++)
        plain(d.mobile[i], 32);
    for (size_t i = 0; i < d.n_mrs; i++)
        plain(d.mr[i], 255);
    abdm_in_discover_clear(&d);
}


static void
read_init(const json_t *body)
{
    abdm_in_link_init_t init;

    if (!abdm_failed(abdm_in_link_init(body, &init)) && !init.outcome.failed)
        NEED(init.transaction_id != NULL && init.abha_address != NULL &&
             init.patient_ref != NULL && init.n_contexts > 0);
    check_outcome(&init.outcome);
    normal(init.abha_address, NULL);
    plain(init.patient_ref, 255);
    NEED(init.n_contexts <= ABDM_REFERENCES_MAX);
    for (size_t i = 0; i < init.n_contexts; i++) {
        plain(init.context[i].reference, 255);
        NEED(init.context[i].hi_types < 1u << ABDM_HI_TYPES);
        for (size_t k = 0; k < i; k++)
            NEED(strcmp(init.context[i].reference, init.context[k].reference) != 0);
    }
    abdm_in_link_init_clear(&init);
}


static void
read_confirm(const json_t *body)
{
    abdm_in_link_confirm_t c;

    NEED(abdm_failed(abdm_in_link_confirm(body, &c)) == (c.otp == NULL));
    NEED(c.otp == NULL || c.link_ref != NULL);
    plain(c.link_ref, 255);
    plain(c.otp, 32);
    abdm_in_link_confirm_clear(&c);
}


static void
read_share(const json_t *body)
{
    abdm_in_share_t s;

    NEED(abdm_failed(abdm_in_share(body, &s)) == (s.profile == NULL));
    if (s.profile != NULL) {
        NEED(s.intent != NULL && s.counter != NULL && s.abha_address != NULL && s.name != NULL);
        NEED(json_is_object(s.profile) && json_object_get(s.profile, "kycPhoto") == NULL);
    }
    normal(s.abha_address, s.abha_number);
    plain(s.intent, 64);
    plain(s.hip_id, 255);
    plain(s.counter, 255);
    plain(s.name, 512);
    plain(s.mobile, 32);
    NEED(strlen(s.gender) == 1 && strchr("MFODTU", *s.gender) != NULL);
    NEED(s.month_of_birth >= 0 && s.month_of_birth <= 12);
    NEED(s.day_of_birth >= 0 && s.day_of_birth <= 31);
    abdm_in_share_clear(&s);
}


static void
read_status(const json_t *body)
{
    abdm_in_patient_status_t s;

    if (!abdm_failed(abdm_in_patient_status(body, &s)))
        NEED(s.abha_address != NULL);
    NEED(s.status <= ABDM_PATIENT_DELETED);
    normal(s.abha_address, NULL);
    plain(s.request_id, 255);
    abdm_in_patient_status_clear(&s);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t rest = fuzz_text(data, size);
    char choice = fuzz_choice(&rest);
    json_t *body;

    if (abdm_failed(abdm_json_parse(rest.p, rest.len, ABDM_JSON_DEPTH, &body)))
        return 0;
    switch (choice) {
    case 't':
        read_token(abdm_in_link_token, body);
        break;
    case 'c':
        read_token(abdm_in_auth_confirmed, body);
        break;
    case 'n':
        read_token(abdm_in_auth_notified, body);
        break;
    case 'm':
        read_auth(abdm_in_auth_modes, body, false);
        break;
    case 'b':
        read_auth(abdm_in_auth_begun, body, true);
        break;
    case 'd':
        read_discover(body);
        break;
    case 'i':
        read_init(body);
        break;
    case 'k':
        read_confirm(body);
        break;
    case 's':
        read_share(body);
        break;
    case 'p':
        read_status(body);
        break;
    default:
        break;
    }
    json_decref(body);
    return 0;
}
