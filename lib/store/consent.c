/*
 * Consents: the artefact while it is granted, a tombstone afterwards. The patient's ABHA address,
 * the references of the care contexts and what the notice said byte for byte are sealed under the
 * consent's own key (consent_end.c), with a keyed hash of the address beside them by which a
 * patient's consents are found.
 */
#include <stdlib.h>
#include <string.h>

#include "store/db.h"

#define PATIENT   "consent.patient_id"
#define CONTENT   "consent.content"
#define ARTEFACT  "consent.artefact"
#define SIGNATURE "consent.signature"


/* --- sealed members --- */

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


/* What a sealed value of the consent is tied to. */
static void
identity(abdm_buf_t *aad, const char *member, const char *hip_id, const char *id)
{
    abdm_db_tie(aad, member);
    abdm_db_tie(aad, hip_id);
    abdm_db_tie(aad, id);
}


/* `plain` with p NULL stays unwritten. */
static abdm_err_t
seal_member(const abdm_seal_key_t *key, const char *member, const abdm_consent_t *consent,
            abdm_str_t plain, abdm_buf_t *sealed)
{
    abdm_buf_t aad = {0};
    abdm_err_t err;

    if (plain.p == NULL) {
        return ABDM_NO_ERR;
    }
    identity(&aad, member, consent->hip_id, consent->id);
    err = aad.failed ? ABDM_ERR(MEMORY, "consent")
                     : abdm_seal(key, abdm_buf_str(&aad), plain, sealed);
    abdm_buf_free(&aad);
    return err;
}


/* `key` NULL: sealed under the key file, as versions before 5 did. */
static abdm_err_t
open_member(const abdm_store_t *store, const abdm_seal_key_t *key, const char *member,
            const char *hip_id, const char *id, sqlite3_stmt *stmt, int column, char **plain,
            size_t *len)
{
    abdm_buf_t aad = {0};
    abdm_err_t err;

    identity(&aad, member, hip_id, id);
    err = key != NULL ? abdm_db_unseal_with(key, &aad, stmt, column, plain, len)
                      : abdm_db_unseal(store, &aad, stmt, column, plain, len);
    abdm_buf_free(&aad);
    return err;
}


/* Of a consent whose content is there. */
static abdm_err_t
key_of(abdm_store_t *store, const char *hip_id, const char *id, abdm_seal_key_t **key)
{
    ABDM_TRY(abdm_consent_key(store, hip_id, id, false, key));
    return *key != NULL ? ABDM_NO_ERR
                        : ABDM_ERR(SEAL, "consent: its content is there and its key is not");
}


typedef struct {
    abdm_buf_t content, artefact, signature;
} sealed_t;

static void
sealed_free(sealed_t *sealed)
{
    abdm_buf_free(&sealed->content);
    abdm_buf_free(&sealed->artefact);
    abdm_buf_free(&sealed->signature);
}


/* Texts one behind the other, each with its NUL: the patient ("" for none), then two for each
 * care context. */
static abdm_err_t
write_content(const abdm_consent_t *consent, abdm_buf_t *plain)
{
    abdm_db_tie(plain, consent->patient_id != NULL ? consent->patient_id : "");
    for (size_t i = 0; i < consent->n_contexts; i++) {
        abdm_db_tie(plain, consent->contexts[i].patient_ref);
        abdm_db_tie(plain, consent->contexts[i].care_context_ref);
    }
    return plain->failed ? ABDM_ERR(MEMORY, "consent") : ABDM_NO_ERR;
}


static abdm_err_t
read_content(const char *text, size_t len, abdm_consent_t *consent)
{
    const char *end = text + len;
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        n += text[i] == '\0';
    }
    if (n % 2 != 1 || end[-1] != '\0') {
        return ABDM_ERR(INTERNAL, "consent: its content is not what was written");
    }
    if (text[0] != '\0') {
        consent->patient_id = strdup(text);
        if (consent->patient_id == NULL) {
            return ABDM_ERR(MEMORY, "consent");
        }
    }
    consent->contexts = calloc(n / 2 + 1, sizeof(*consent->contexts));
    if (consent->contexts == NULL) {
        return ABDM_ERR(MEMORY, "care contexts");
    }
    for (const char *p = text + strlen(text) + 1; p < end;) {
        abdm_care_context_t *context = &consent->contexts[consent->n_contexts++];

        context->patient_ref = strdup(p);
        p += strlen(p) + 1;
        context->care_context_ref = strdup(p);
        p += strlen(p) + 1;
        if (context->patient_ref == NULL || context->care_context_ref == NULL) {
            return ABDM_ERR(MEMORY, "care contexts");
        }
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
seal(abdm_store_t *store, const abdm_consent_t *consent, sealed_t *sealed)
{
    abdm_seal_key_t *key = NULL;
    abdm_buf_t plain = {0};
    abdm_err_t err;

    ABDM_TRY(abdm_consent_key(store, consent->hip_id, consent->id, true, &key));
    if (key == NULL) {
        return ABDM_ERR(INTERNAL, "consent: it has ended, and nothing of it may be kept");
    }
    err = write_content(consent, &plain);
    if (!abdm_failed(err)) {
        err = seal_member(key, CONTENT, consent, abdm_buf_str(&plain), &sealed->content);
    }
    if (!abdm_failed(err) && consent->artefact != NULL) {
        err = seal_member(key, ARTEFACT, consent, abdm_str(consent->artefact), &sealed->artefact);
    }
    if (!abdm_failed(err) && consent->signature != NULL) {
        err = seal_member(key, SIGNATURE, consent, abdm_str(consent->signature),
                          &sealed->signature);
    }
    abdm_buf_wipe_free(&plain);
    abdm_seal_key_free(key);
    return err;
}


/* --- writing --- */

static abdm_err_t
put(abdm_store_t *store, const abdm_consent_t *consent, const sealed_t *sealed, abdm_ms_t now)
{
    char hash[65];
    sqlite3_stmt *stmt;
    abdm_err_t err;

    if (consent->patient_id != NULL) {
        ABDM_TRY(hash_patient(store, consent->hip_id, consent->patient_id, hash));
    }
    stmt = abdm_db_keyed(store, SQL_CONSENT_PUT, consent->hip_id, consent->id, &err);
    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 3, (int) consent->status);
    abdm_db_text(stmt, 4, consent->hiu_id);
    abdm_db_text(stmt, 5, consent->purpose);
    abdm_db_int(stmt, 6, consent->from);
    abdm_db_int(stmt, 7, consent->to);
    abdm_db_int(stmt, 8, consent->erase_at);
    abdm_db_int(stmt, 9, consent->hi_types);
    abdm_db_int(stmt, 10, now);
    abdm_db_text(stmt, 11, consent->patient_id != NULL ? hash : NULL);
    abdm_db_blob(stmt, 12, sealed->content.p, sealed->content.len);
    abdm_db_blob(stmt, 13, sealed->artefact.p, sealed->artefact.len);
    abdm_db_blob(stmt, 14, sealed->signature.p, sealed->signature.len);
    abdm_db_int(stmt, 15, (int) consent->is_signed);
    return abdm_db_run(stmt);
}


static abdm_err_t
clear_old_contexts(abdm_store_t *store, const char *hip_id, const char *id)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_keyed(store, SQL_CONSENT_CONTEXTS_CLEAR, hip_id, id, &err);

    return stmt == NULL ? err : abdm_db_run(stmt);
}


abdm_err_t
abdm_consent_put(abdm_store_t *store, const abdm_consent_t *consent, abdm_ms_t now)
{
    sealed_t sealed = {0};
    abdm_err_t err;

    if (consent->status == ABDM_CONSENT_REVOKED || consent->status == ABDM_CONSENT_EXPIRED) {
        return abdm_consent_end(store, consent->hip_id, consent->id, consent->status,
                                consent->status == ABDM_CONSENT_REVOKED ? "REVOKED" : "EXPIRED",
                                now);
    }
    err = seal(store, consent, &sealed);
    if (!abdm_failed(err)) {
        err = put(store, consent, &sealed, now);
    }
    sealed_free(&sealed);
    return abdm_failed(err) ? err : clear_old_contexts(store, consent->hip_id, consent->id);
}


/* --- content of versions before 5 --- */

/* Version 2 wrote the patient plain, later ones sealed under the key file. */
static abdm_err_t
get_old_patient(const abdm_store_t *store, sqlite3_stmt *stmt, int column, abdm_consent_t *consent)
{
    abdm_err_t err = ABDM_NO_ERR;
    char *patient = NULL;

    if (sqlite3_column_type(stmt, column) == SQLITE_TEXT) {
        patient = abdm_db_copy(stmt, column, &err);
    } else {
        err = open_member(store, NULL, PATIENT, consent->hip_id, consent->id, stmt, column,
                          &patient, NULL);
    }
    consent->patient_id = patient;
    return err;
}


static abdm_err_t
get_old_contexts(abdm_store_t *store, abdm_consent_t *consent)
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


/* --- reading --- */

/* What of the consent's row is not plain; `stmt` stands on it. */
static abdm_err_t
get_content(abdm_store_t *store, sqlite3_stmt *stmt, abdm_consent_t *consent)
{
    enum { OLD_PATIENT = 2, SEALED = 8 };
    abdm_seal_key_t *key = NULL;
    char *text = NULL;
    size_t len = 0;
    abdm_err_t err;

    if (sqlite3_column_type(stmt, SEALED) == SQLITE_NULL) {
        ABDM_TRY(get_old_patient(store, stmt, OLD_PATIENT, consent));
        return get_old_contexts(store, consent);
    }
    ABDM_TRY(key_of(store, consent->hip_id, consent->id, &key));
    err = open_member(store, key, CONTENT, consent->hip_id, consent->id, stmt, SEALED, &text, &len);
    if (!abdm_failed(err)) {
        err = read_content(text, len, consent);
        abdm_wipe(text, len);
    }
    free(text);
    abdm_seal_key_free(key);
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
    out->is_signed = (abdm_signed_t) sqlite3_column_int(stmt, 9);
    if (out->id == NULL || out->hip_id == NULL) {
        err = ABDM_ERR(MEMORY, "consent");
    }
    if (!abdm_failed(err)) {
        err = get_content(store, stmt, out);
    }
    abdm_db_end(stmt);
    if (abdm_failed(err)) {
        abdm_consent_clear(out);
    }
    return err;
}


/* `stmt` stands on the row. */
static abdm_err_t
get_artefact(abdm_store_t *store, sqlite3_stmt *stmt, const char *hip_id, const char *id,
             char **artefact, char **signature)
{
    abdm_seal_key_t *key = NULL;
    abdm_err_t err;

    if (sqlite3_column_int(stmt, 2) != 0) {
        ABDM_TRY(key_of(store, hip_id, id, &key));
    }
    err = open_member(store, key, ARTEFACT, hip_id, id, stmt, 0, artefact, NULL);
    if (!abdm_failed(err)) {
        err = open_member(store, key, SIGNATURE, hip_id, id, stmt, 1, signature, NULL);
    }
    abdm_seal_key_free(key);
    if (abdm_failed(err)) {
        abdm_db_wipe(*artefact);
        *artefact = NULL;
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
    err = row ? get_artefact(store, stmt, hip_id, id, artefact, signature)
              : ABDM_ERR(NOT_FOUND, "artefact of a consent");
    abdm_db_end(stmt);
    return err;
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


/* --- rows of versions before 5 --- */

/* As the effect of a notice would have it, but for the time of the change. */
static abdm_err_t
seal_old(abdm_store_t *store, const char *hip_id, const char *id)
{
    abdm_consent_t consent = {0};
    sealed_t sealed = {0};
    char hash[65];
    sqlite3_stmt *stmt = NULL;
    abdm_err_t err;

    ABDM_TRY(view_consent(&store->view, hip_id, id, &consent));
    err = view_artefact(&store->view, hip_id, id, &consent.artefact, &consent.signature);
    if (!abdm_failed(err) || err.code == ABDM_E_NOT_FOUND) {
        err = seal(store, &consent, &sealed);
    }
    if (!abdm_failed(err) && consent.patient_id != NULL) {
        err = hash_patient(store, hip_id, consent.patient_id, hash);
    }
    if (!abdm_failed(err)) {
        stmt = abdm_db_keyed(store, SQL_CONSENT_SEAL, hip_id, id, &err);
    }
    if (stmt != NULL) {
        abdm_db_text(stmt, 3, consent.patient_id != NULL ? hash : NULL);
        abdm_db_blob(stmt, 4, sealed.content.p, sealed.content.len);
        abdm_db_blob(stmt, 5, sealed.artefact.p, sealed.artefact.len);
        abdm_db_blob(stmt, 6, sealed.signature.p, sealed.signature.len);
        err = abdm_db_run(stmt);
    }
    if (!abdm_failed(err)) {
        err = clear_old_contexts(store, hip_id, id);
    }
    store->erased = true; /* what stood there plain */
    sealed_free(&sealed);
    abdm_consent_clear(&consent);
    return err;
}


abdm_err_t
abdm_consent_seal_old(abdm_store_t *store, int max, int *done)
{
    for (*done = 0; *done < max; (*done)++) {
        abdm_err_t err;
        sqlite3_stmt *stmt = abdm_db_use(store, SQL_CONSENT_OLD, &err);
        char *hip_id, *id;
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
        abdm_db_end(stmt);
        if (!abdm_failed(err)) {
            err = seal_old(store, hip_id, id);
        }
        free(hip_id);
        free(id);
        ABDM_TRY(err);
    }
    return ABDM_NO_ERR;
}
