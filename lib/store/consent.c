/*
 * Consents: the artefact while it is granted, a tombstone afterwards. The patient's ABHA address
 * is sealed, with a keyed hash beside it by which a patient's consents are found; so is what the
 * notice said byte for byte.
 */
#include <stdlib.h>
#include <string.h>

#include "store/db.h"


/* --- sealed members --- */

#define PATIENT   "consent.patient_id"
#define ARTEFACT  "consent.artefact"
#define SIGNATURE "consent.signature"


/* `plain` NULL stays NULL. */
static abdm_err_t
seal_member(const abdm_store_t *store, const char *member, const char *hip_id, const char *id,
            const char *plain, abdm_buf_t *sealed)
{
    abdm_buf_t aad = {0};
    abdm_err_t err;

    if (plain == NULL) {
        return ABDM_NO_ERR;
    }
    abdm_db_tie(&aad, member);
    abdm_db_tie(&aad, hip_id);
    abdm_db_tie(&aad, id);
    err = abdm_db_seal(store, &aad, abdm_str(plain), sealed);
    abdm_buf_free(&aad);
    return err;
}


static abdm_err_t
open_member(const abdm_store_t *store, const char *member, const char *hip_id, const char *id,
            sqlite3_stmt *stmt, int column, char **plain)
{
    abdm_buf_t aad = {0};
    abdm_err_t err;

    abdm_db_tie(&aad, member);
    abdm_db_tie(&aad, hip_id);
    abdm_db_tie(&aad, id);
    err = abdm_db_unseal(store, &aad, stmt, column, plain, NULL);
    abdm_buf_free(&aad);
    return err;
}


/* `column` may be plain text, as version 2 wrote it. */
static abdm_err_t
open_patient(const abdm_store_t *store, const char *hip_id, const char *id, sqlite3_stmt *stmt,
             int column, char **patient)
{
    abdm_err_t err = ABDM_NO_ERR;

    if (sqlite3_column_type(stmt, column) == SQLITE_TEXT) {
        *patient = abdm_db_copy(stmt, column, &err);
        return err;
    }
    return open_member(store, PATIENT, hip_id, id, stmt, column, patient);
}


/* ABHA addresses are the same whatever their case is, and come as their holders write them. */
static abdm_err_t
hash_patient(const abdm_store_t *store, const char *hip_id, const char *patient, char out[65])
{
    char *lower = strdup(patient);
    abdm_err_t err;

    if (lower == NULL) {
        return ABDM_ERR(MEMORY, "consent");
    }
    for (char *p = lower; *p != '\0'; p++) {
        if (*p >= 'A' && *p <= 'Z') {
            *p = (char) (*p - 'A' + 'a');
        }
    }
    err = abdm_db_hash(store, PATIENT, hip_id, lower, out);
    abdm_db_wipe(lower);
    return err;
}


/* --- writing and reading --- */

static abdm_err_t
put_head(abdm_store_t *store, const abdm_consent_t *consent, abdm_ms_t now)
{
    const char *hip_id = consent->hip_id, *id = consent->id;
    char hash[65];
    abdm_buf_t patient = {0}, artefact = {0}, signature = {0};
    sqlite3_stmt *stmt = NULL;
    abdm_err_t err = ABDM_NO_ERR;

    if (consent->patient_id != NULL) {
        ABDM_TRY(hash_patient(store, hip_id, consent->patient_id, hash));
        err = seal_member(store, PATIENT, hip_id, id, consent->patient_id, &patient);
    }
    if (!abdm_failed(err)) {
        err = seal_member(store, ARTEFACT, hip_id, id, consent->artefact, &artefact);
    }
    if (!abdm_failed(err)) {
        err = seal_member(store, SIGNATURE, hip_id, id, consent->signature, &signature);
    }
    if (!abdm_failed(err)) {
        stmt = abdm_db_keyed(store, SQL_CONSENT_PUT, hip_id, id, &err);
    }
    if (stmt != NULL) {
        abdm_db_int(stmt, 3, (int) consent->status);
        abdm_db_text(stmt, 4, consent->hiu_id);
        if (consent->patient_id != NULL) {
            abdm_db_blob(stmt, 5, patient.p, patient.len);
            abdm_db_text(stmt, 12, hash);
        }
        if (consent->artefact != NULL) {
            abdm_db_blob(stmt, 13, artefact.p, artefact.len);
        }
        if (consent->signature != NULL) {
            abdm_db_blob(stmt, 14, signature.p, signature.len);
        }
        abdm_db_int(stmt, 15, (int) consent->is_signed);
        abdm_db_text(stmt, 6, consent->purpose);
        abdm_db_int(stmt, 7, consent->from);
        abdm_db_int(stmt, 8, consent->to);
        abdm_db_int(stmt, 9, consent->erase_at);
        abdm_db_int(stmt, 10, consent->hi_types);
        abdm_db_int(stmt, 11, now);
        err = abdm_db_run(stmt);
    }
    abdm_buf_free(&patient);
    abdm_buf_free(&artefact);
    abdm_buf_free(&signature);
    return err;
}


abdm_err_t
abdm_consent_put(abdm_store_t *store, const abdm_consent_t *consent, abdm_ms_t now)
{
    abdm_err_t err;
    sqlite3_stmt *stmt;

    ABDM_TRY(put_head(store, consent, now));
    stmt = abdm_db_keyed(store, SQL_CONSENT_CONTEXTS_CLEAR, consent->hip_id, consent->id, &err);
    if (stmt == NULL) {
        return err;
    }
    ABDM_TRY(abdm_db_run(stmt));

    for (size_t i = 0; i < consent->n_contexts; i++) {
        stmt = abdm_db_keyed(store, SQL_CONSENT_CONTEXT_ADD, consent->hip_id, consent->id, &err);
        if (stmt == NULL) {
            return err;
        }
        abdm_db_int(stmt, 3, (int64_t) i);
        abdm_db_text(stmt, 4, consent->contexts[i].patient_ref);
        abdm_db_text(stmt, 5, consent->contexts[i].care_context_ref);
        ABDM_TRY(abdm_db_run(stmt));
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
get_contexts(abdm_store_t *store, abdm_consent_t *consent)
{
    abdm_err_t err;
    sqlite3_stmt *stmt =
        abdm_db_keyed(store, SQL_CONSENT_CONTEXTS, consent->hip_id, consent->id, &err);
    size_t cap = 0;
    bool row = stmt != NULL;

    while (row && !abdm_failed(err)) {
        err = abdm_db_row(stmt, &row);
        if (!row || abdm_failed(err)) {
            break;
        }
        if (consent->n_contexts == cap) {
            abdm_care_context_t *more;

            cap = cap == 0 ? 8 : cap * 2;
            more = realloc(consent->contexts, cap * sizeof(*more));
            if (more == NULL) {
                err = ABDM_ERR(MEMORY, "care contexts");
                break;
            }
            consent->contexts = more;
        }
        consent->contexts[consent->n_contexts].patient_ref = abdm_db_copy(stmt, 0, &err);
        consent->contexts[consent->n_contexts].care_context_ref = abdm_db_copy(stmt, 1, &err);
        consent->n_contexts++;
    }
    if (stmt != NULL) {
        abdm_db_end(stmt);
    }
    return err;
}


static abdm_err_t
view_consent(const abdm_view_t *view, const char *hip_id, const char *id, abdm_consent_t *out)
{
    abdm_store_t *store = abdm_store_of(view);
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_keyed(store, SQL_CONSENT_GET, hip_id, id, &err);
    bool row;

    memset(out, 0, sizeof(*out));
    if (stmt == NULL) {
        return err;
    }
    ABDM_TRY(abdm_db_row(stmt, &row));
    if (!row) {
        abdm_db_end(stmt);
        return ABDM_ERR(NOT_FOUND, "consent");
    }
    out->id = strdup(id);
    out->hip_id = strdup(hip_id);
    out->status = (abdm_consent_status_t) sqlite3_column_int(stmt, 0);
    out->hiu_id = abdm_db_copy(stmt, 1, &err);
    out->purpose = abdm_db_copy(stmt, 3, &err);
    out->from = sqlite3_column_int64(stmt, 4);
    out->to = sqlite3_column_int64(stmt, 5);
    out->erase_at = sqlite3_column_int64(stmt, 6);
    out->hi_types = (abdm_hi_types_t) sqlite3_column_int64(stmt, 7);
    out->is_signed = (abdm_signed_t) sqlite3_column_int(stmt, 8);
    if (!abdm_failed(err)) {
        err = open_patient(store, hip_id, id, stmt, 2, &out->patient_id);
    }
    abdm_db_end(stmt);

    if (out->id == NULL || out->hip_id == NULL) {
        err = ABDM_ERR(MEMORY, "consent");
    }
    if (!abdm_failed(err)) {
        err = get_contexts(store, out);
    }
    if (abdm_failed(err)) {
        abdm_consent_clear(out);
    }
    return err;
}


static abdm_err_t
view_artefact(const abdm_view_t *view, const char *hip_id, const char *id, char **artefact,
              char **signature)
{
    abdm_store_t *store = abdm_store_of(view);
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_keyed(store, SQL_CONSENT_ARTEFACT, hip_id, id, &err);
    bool row;

    *artefact = *signature = NULL;
    if (stmt == NULL) {
        return err;
    }
    ABDM_TRY(abdm_db_row(stmt, &row));
    if (row) {
        err = open_member(store, ARTEFACT, hip_id, id, stmt, 0, artefact);
    }
    if (row && !abdm_failed(err)) {
        err = open_member(store, SIGNATURE, hip_id, id, stmt, 1, signature);
    }
    abdm_db_end(stmt);
    if (abdm_failed(err)) {
        abdm_db_wipe(*artefact);
        *artefact = NULL;
        return err;
    }
    return row ? ABDM_NO_ERR : ABDM_ERR(NOT_FOUND, "artefact of a consent");
}


/* Adds a copy of column 0 to a list; `n` counts what is there. */
static abdm_err_t
add_id(sqlite3_stmt *stmt, char ***ids, size_t *n)
{
    abdm_err_t err = ABDM_NO_ERR;

    if ((*n & (*n - 1)) == 0) { /* full at each power of two */
        char **more = realloc(*ids, (*n == 0 ? 1 : *n * 2) * sizeof(*more));

        if (more == NULL) {
            return ABDM_ERR(MEMORY, "consents");
        }
        *ids = more;
    }
    (*ids)[*n] = abdm_db_copy(stmt, 0, &err);
    *n += (*ids)[*n] != NULL;
    return err;
}


/* The ids of a statement whose parameters are bound. */
static abdm_err_t
take_ids(sqlite3_stmt *stmt, char ***ids, size_t *n)
{
    abdm_err_t err = ABDM_NO_ERR;
    bool row = true;

    *ids = NULL;
    *n = 0;
    while (row && !abdm_failed(err)) {
        err = abdm_db_row(stmt, &row);
        if (row && !abdm_failed(err)) {
            err = add_id(stmt, ids, n);
        }
    }
    abdm_db_end(stmt);
    if (abdm_failed(err)) {
        while (*n > 0) {
            free((*ids)[--*n]);
        }
        free(*ids);
        *ids = NULL;
    }
    return err;
}


static abdm_err_t
view_consents_of(const abdm_view_t *view, const char *hip_id, const char *abha_address,
                 char ***ids, size_t *n)
{
    abdm_store_t *store = abdm_store_of(view);
    sqlite3_stmt *stmt;
    char hash[65];
    abdm_err_t err;

    *ids = NULL;
    *n = 0;
    ABDM_TRY(hash_patient(store, hip_id, abha_address, hash));
    stmt = abdm_db_keyed(store, SQL_CONSENTS_OF, hip_id, hash, &err);
    if (stmt == NULL) {
        return err;
    }
    abdm_db_text(stmt, 3, abha_address);
    return take_ids(stmt, ids, n);
}


static abdm_err_t
view_confirming(const abdm_view_t *view, const char *hip_id, const char *consent_id, size_t max,
                char ***ids, size_t *n)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_keyed(abdm_store_of(view), SQL_TRANSFERS_CONFIRMING, hip_id,
                                       consent_id, &err);

    *ids = NULL;
    *n = 0;
    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 3, (int64_t) max);
    return take_ids(stmt, ids, n);
}


void
abdm_consent_view(abdm_view_t *view)
{
    view->consent = view_consent;
    view->consents_of = view_consents_of;
    view->artefact = view_artefact;
    view->confirming = view_confirming;
}


/* --- rows of version 2 --- */

static abdm_err_t
seal_old(abdm_store_t *store, const char *hip_id, const char *id, const char *patient)
{
    char hash[65];
    abdm_buf_t sealed = {0};
    sqlite3_stmt *stmt = NULL;
    abdm_err_t err;

    ABDM_TRY(hash_patient(store, hip_id, patient, hash));
    err = seal_member(store, PATIENT, hip_id, id, patient, &sealed);
    if (!abdm_failed(err)) {
        stmt = abdm_db_keyed(store, SQL_CONSENT_SEAL, hip_id, id, &err);
    }
    if (stmt != NULL) {
        abdm_db_blob(stmt, 3, sealed.p, sealed.len);
        abdm_db_text(stmt, 4, hash);
        err = abdm_db_run(stmt);
    }
    abdm_buf_free(&sealed);
    return err;
}


abdm_err_t
abdm_consent_seal_old(abdm_store_t *store, int max, int *done)
{
    for (*done = 0; *done < max; (*done)++) {
        abdm_err_t err;
        sqlite3_stmt *stmt = abdm_db_use(store, SQL_CONSENT_OLD, &err);
        char *hip_id, *id, *patient;
        bool row;

        if (stmt == NULL) {
            return err;
        }
        ABDM_TRY(abdm_db_row(stmt, &row));
        if (!row) {
            abdm_db_end(stmt);
            break;
        }
        hip_id = abdm_db_copy(stmt, 0, &err);
        id = abdm_db_copy(stmt, 1, &err);
        patient = abdm_db_copy(stmt, 2, &err);
        abdm_db_end(stmt);
        if (!abdm_failed(err)) {
            err = seal_old(store, hip_id, id, patient);
        }
        free(hip_id);
        free(id);
        abdm_db_wipe(patient);
        ABDM_TRY(err);
    }
    return ABDM_NO_ERR;
}
