/*
 * Bills: an Invoice with a ChargeItem for each of its lines, and a Medication where a line names
 * HSN, batch or expiry. Amounts keep the text of the record. Codes: ndhm-billing-codes and
 * ndhm-price-components of the IG.
 */
#include "fhir/invoice.h"

#include <string.h>

#include "fhir/forms.h"

#define BILLING    "https://nrces.in/ndhm/fhir/r4/CodeSystem/ndhm-billing-codes"
#define COMPONENTS "https://nrces.in/ndhm/fhir/r4/CodeSystem/ndhm-price-components"

static const struct {
    const char *given, *code, *display;
} billing[] = {
    {"consultation", "00", "Consultation"}, {"pharmacy", "01", "Pharmacy"}, {"ipd", "02", "IPD"},
    {"opd", "03", "OPD"}, {"other", "99", "Others"}, {"others", "99", "Others"},
};

enum { BILLING_ROWS = sizeof billing / sizeof *billing, OTHERS = 4 };

static const struct {
    const char *member, *type, *code, *display;
} components[] = {
    {"mrp", "informational", "00", "MRP"}, {"rate", "base", "01", "Rate"},
    {"discount", "discount", "02", "Discount"}, {"cgst", "tax", "03", "CGST"},
    {"sgst", "tax", "04", "SGST"},
};

enum { RATE = 1 };


/* Row of the bill's type; BILLING_ROWS when it is no known one. */
static size_t
billing_row(const abdm_build_t *b)
{
    const char *given = abdm_fhir_text_at(b->about->record, "invoiceType");
    size_t i = 0;

    if (given == NULL)
        return OTHERS;
    while (i < BILLING_ROWS && !abdm_str_ieq(abdm_str(given), abdm_str(billing[i].given)))
        i++;
    return i;
}


/* A decimal of the record under this name, as it is written there; false when it is none. */
static bool
amount_of(const json_t *value, char small[ABDM_FHIR_TEXT], abdm_str_t *out)
{
    const char *z = abdm_text(value, small);

    *out = abdm_str(z);
    return z != NULL && out->len <= ABDM_DECIMAL_MAX && abdm_json_is_number(*out);
}


static void
put_money(abdm_build_t *b, const char *key, abdm_str_t amount)
{
    const char *currency = abdm_fhir_text_at(b->about->record, "currency");

    abdm_put_object(b, key);
    abdm_jw_key(&b->w, "value");
    abdm_jw_raw(&b->w, amount);
    abdm_jw_kv(&b->w, "currency", currency == NULL ? "INR" : currency);
    abdm_put_end(b, '}');
}


abdm_err_t
abdm_write_invoice_number(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[ABDM_FHIR_TEXT];
    const char *number = abdm_text(value, small);

    if (number == NULL)
        return ABDM_MALFORMED(b, row->names[0], "invoiceNumber: a text expected");
    abdm_put_list(b, row->key);
    abdm_put_object(b, NULL);
    abdm_jw_kv(&b->w, "value", number);
    abdm_put_reference(b, "assigner", b->organization);
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_invoice_type(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    const char *currency = abdm_fhir_text_at(b->about->record, "currency");
    size_t i = billing_row(b);

    (void) value;
    if (i == BILLING_ROWS)
        return ABDM_MALFORMED(b, row->names[0], "invoiceType: consultation, pharmacy, ipd, opd "
                                                "or other expected");
    if (currency != NULL && (strlen(currency) != 3 ||
                             strspn(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3))
        return ABDM_MALFORMED(b, "currency", "currency: a code such as INR expected");
    abdm_put_concept(b, row->key, BILLING, billing[i].code, billing[i].display);
    abdm_jw_kv(&b->w, "date", b->date);
    abdm_put_reference(b, "issuer", b->organization);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_money(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[ABDM_FHIR_TEXT];
    abdm_str_t amount;

    if (!amount_of(value, small, &amount))
        return ABDM_MALFORMED(b, row->names[0], "record: an amount expected, as 1250.00");
    put_money(b, row->key, amount);
    return ABDM_NO_ERR;
}


/* The prices of a line, which stand in the Invoice and not in its ChargeItem. */
static abdm_err_t
put_prices(abdm_build_t *b, const abdm_node_t *line)
{
    const abdm_node_t *self = b->node;
    char small[ABDM_FHIR_TEXT];
    abdm_str_t amount;

    abdm_put_list(b, "priceComponent");
    for (size_t i = 0; i < sizeof components / sizeof *components; i++) {
        const json_t *value = json_object_get(line->item, components[i].member);
        if (value == NULL || json_is_null(value)) {
            if (i != RATE)
                continue;
            b->node = line;
            return abdm_build_fail(b, components[i].member,
                                   ABDM_ERR(RECORD_FORM, "rate: missing: the price of one"));
        }
        if (!amount_of(value, small, &amount)) {
            b->node = line;
            return abdm_build_fail(b, components[i].member,
                                   ABDM_ERR(RECORD_FORM, "record: an amount expected, as 12.50"));
        }
        abdm_put_object(b, NULL);
        abdm_jw_kv(&b->w, "type", components[i].type);
        abdm_put_concept(b, "code", COMPONENTS, components[i].code, components[i].display);
        put_money(b, "amount", amount);
        abdm_put_end(b, '}');
    }
    abdm_put_end(b, ']');
    b->node = self;
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_line_items(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    int self = (int) (b->node - b->model.nodes);
    bool any = false;

    (void) value;
    abdm_put_list(b, row->key);
    for (int i = self + 1; i < b->model.n; i++) {
        const abdm_node_t *line = &b->model.nodes[i];
        if (line->parent != self)
            continue;
        any = true;
        abdm_put_object(b, NULL);
        abdm_put_urn(b, "chargeItemReference", line->urn);
        ABDM_TRY(put_prices(b, line));
        abdm_put_end(b, '}');
    }
    abdm_put_end(b, ']');
    if (!any)
        return ABDM_MALFORMED(b, row->names[0], "items: missing: what the bill is for, one "
                                                "line at least");
    return ABDM_NO_ERR;
}


/* --- a line --- */

bool
abdm_has_product(const json_t *item)
{
    return abdm_fhir_text_at(item, "hsn") != NULL || abdm_fhir_text_at(item, "batch") != NULL ||
           abdm_fhir_text_at(item, "expiry") != NULL;
}


abdm_err_t
abdm_write_charge_code(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    size_t i = billing_row(b);

    (void) value;
    if (i == BILLING_ROWS) /* the Invoice said so already */
        i = OTHERS;
    abdm_put_concept(b, row->key, BILLING, billing[i].code, billing[i].display);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_product(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    const abdm_node_t *next = b->node + 1;
    abdm_concept_t c;

    abdm_read_concept(b, row, value, false, &c);
    if (c.text == NULL)
        return ABDM_MALFORMED(b, row->names[0], "description: missing: what the line is for");
    if (next < b->model.nodes + b->model.n && next->kind == &abdm_kind_medication &&
        next->item == b->node->item)
        abdm_put_urn(b, "productReference", next->urn);
    else
        abdm_put_read_concept(b, "productCodeableConcept", &c);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_count(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[ABDM_FHIR_TEXT];
    abdm_quantity_t q = {ABDM_LIT(""), ABDM_LIT(""), ABDM_LIT(""), NULL};

    if (!amount_of(value, small, &q.number))
        return ABDM_MALFORMED(b, row->names[0], "quantity: a number expected");
    abdm_put_quantity(b, row->key, &q);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_hsn(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[ABDM_FHIR_TEXT];
    const char *hsn = abdm_text(value, small);

    if (hsn == NULL)
        return ABDM_MALFORMED(b, row->names[0], "hsn: a text expected");
    abdm_put_list(b, row->key);
    abdm_put_object(b, NULL);
    abdm_put_concept(b, "type", ABDM_FHIR_ID_TYPE, "HSN", "Harmonized System of Nomenclature");
    abdm_jw_kv(&b->w, "value", hsn);
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_batch(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[ABDM_FHIR_TEXT], expiry[ABDM_FHIR_DATE];
    const char *lot = abdm_form_text(b, ABDM_PRODUCT_BATCH, small);
    const json_t *until = b->values[ABDM_PRODUCT_EXPIRY];

    (void) value;
    if (lot == NULL && until == NULL)
        return ABDM_NO_ERR;
    abdm_put_object(b, row->key);
    if (lot != NULL)
        abdm_jw_kv(&b->w, "lotNumber", lot);
    if (until != NULL) {
        ABDM_TRY(abdm_read_date(b, "expiry", until, ABDM_FHIR_TIME, expiry));
        abdm_jw_kv(&b->w, "expirationDate", expiry);
    }
    abdm_put_end(b, '}');
    return ABDM_NO_ERR;
}
