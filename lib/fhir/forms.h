/*
 * How elements are written: functions for the rows of kinds.c, and what these share. A function
 * either writes its element whole or gives an error that points at the field.
 */
#ifndef ABDM_FHIR_FORMS_H
#define ABDM_FHIR_FORMS_H

#include "fhir/build.h"

/* FHIR R4 asks readers for 18 digits; a number that is longer is sent in words. */
enum { ABDM_DECIMAL_MAX = 20 };

/* --- for all kinds (forms.c) --- */
abdm_write_t abdm_write_text;
abdm_write_t abdm_write_note;     /* [{text}] */
abdm_write_t abdm_write_concept;
abdm_write_t abdm_write_concepts; /* a list of one */
abdm_write_t abdm_write_day;
abdm_write_t abdm_write_time;
abdm_write_t abdm_write_period;  /* {from, to} or {start, end} */
abdm_write_t abdm_write_word;    /* by the row's table; what is not in it is an error */
abdm_write_t abdm_write_display; /* a Reference that only says a name */
abdm_write_t abdm_write_authors; /* a list with the author in it */
abdm_write_t abdm_write_author;
abdm_write_t abdm_write_authored_on;

/* --- observations (observation.c) --- */
abdm_write_t abdm_write_observation;
abdm_write_t abdm_write_range;
abdm_write_t abdm_write_flag;

/* --- medicines and vaccines (medicine.c) --- */
abdm_write_t abdm_write_medicine;
abdm_write_t abdm_write_dosage;
abdm_write_t abdm_write_dispense;
abdm_write_t abdm_write_brand;
abdm_write_t abdm_write_dose;
abdm_write_t abdm_write_next_dose;

/* --- the other clinical kinds (clinical.c) --- */
abdm_write_t abdm_write_clinical_status;
abdm_write_t abdm_write_reaction;
abdm_write_t abdm_write_family_condition;
abdm_write_t abdm_write_appointment;
abdm_write_t abdm_write_plan;
abdm_write_t abdm_write_visit; /* the period of a visit to come */
bool abdm_has_specimen_times(const json_t *item);
abdm_write_t abdm_write_specimen_times;
abdm_write_t abdm_write_report_date;
abdm_write_t abdm_write_report_parts; /* result, media, specimen, interpreter */
abdm_write_t abdm_write_conclusion;

/* --- files (attachment.c) --- */
abdm_write_t abdm_write_file;          /* DocumentReference.content */
abdm_write_t abdm_write_report_file;   /* the same of a report's presentedForm */
abdm_write_t abdm_write_binary;        /* contentType and data */
abdm_write_t abdm_write_media;
abdm_write_t abdm_write_presented_form;
/* The type that the first bytes show, or NULL. Static. */
const char *abdm_content_type_of(const uint8_t *head, size_t head_len);

/* --- bills (invoice.c) --- */
abdm_write_t abdm_write_invoice_number;
abdm_write_t abdm_write_invoice_type;
abdm_write_t abdm_write_line_items;
abdm_write_t abdm_write_money;
abdm_write_t abdm_write_product;
abdm_write_t abdm_write_charge_code;
abdm_write_t abdm_write_count;
abdm_write_t abdm_write_hsn;
abdm_write_t abdm_write_batch;
bool abdm_has_product(const json_t *item); /* wants a Medication */

/* --- who and where (base.c) --- */
abdm_write_t abdm_write_patient;
abdm_write_t abdm_write_address;
abdm_write_t abdm_write_practitioner;
abdm_write_t abdm_write_qualification;
abdm_write_t abdm_write_organization;
abdm_write_t abdm_write_encounter;
abdm_write_t abdm_write_name;

/* --- shared --- */

/* The value of the row at this place of the kind being written, as text; NULL when absent. */
const char *abdm_form_text(abdm_build_t *b, int place, char small[ABDM_FHIR_TEXT]);

void abdm_put_reference(abdm_build_t *b, const char *key, const char *reference); /* {...} */
void abdm_put_urn(abdm_build_t *b, const char *key, const char *urn); /* key NULL: in a list */
void abdm_put_coding(abdm_build_t *b, const char *system, const char *code, const char *display);
/* {text}, with one coding when system is not NULL. */
void abdm_put_concept(abdm_build_t *b, const char *key, const char *system, const char *code,
                      const char *text);
void abdm_put_list(abdm_build_t *b, const char *key); /* opens key: [ */
void abdm_put_object(abdm_build_t *b, const char *key); /* opens key: {, or { */
void abdm_put_end(abdm_build_t *b, char bracket);

/* A concept as the record gives it. */
typedef struct {
    const char *text; /* NULL: there is none */
    abdm_coding_t coding; /* system NULL: text alone */
    const char *plain;    /* text without a code that was put into it */
    const char *withheld; /* LOINC code of a vital sign, which is not coded here; else NULL */
    char small[ABDM_FHIR_TEXT];
    char joined[512]; /* text with a code that may not be a coding */
} abdm_concept_t;

/* Reads a text or {text, system, code, display}; `siblings` says that code, system and display
 * may also stand beside it in the item. */
void abdm_read_concept(abdm_build_t *b, const abdm_row_t *row, const json_t *value, bool siblings,
                       abdm_concept_t *out);
void abdm_put_read_concept(abdm_build_t *b, const char *key, const abdm_concept_t *c);

/* A number with its unit; texts borrowed. */
typedef struct {
    abdm_str_t comparator; /* empty: none */
    abdm_str_t number;
    abdm_str_t unit;       /* empty: none */
    const char *ucum;      /* NULL: the unit is no UCUM that we know for sure */
} abdm_quantity_t;

/* Reads "72.50", "<0.01", "98.6 F" (only when the unit is known). `unit` may be NULL. */
bool abdm_read_quantity(const char *text, const char *unit, abdm_quantity_t *out);
void abdm_put_quantity(abdm_build_t *b, const char *key, const abdm_quantity_t *q);

/* A date field, judged; error points at `name`. */
abdm_err_t abdm_read_date(abdm_build_t *b, const char *name, const json_t *value,
                          abdm_fhir_precision_t precision, char out[ABDM_FHIR_DATE]);

/* Judges a period's two texts and writes it; either may be NULL. */
abdm_err_t abdm_put_period(abdm_build_t *b, const char *key, const char *name, const json_t *from,
                           const json_t *to);

#define ABDM_MALFORMED(b, name, text)                                                              \
    abdm_build_fail((b), (name), ABDM_ERR(RECORD_FORM, text))

#endif
