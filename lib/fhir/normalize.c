/*
 * FHIR of an HMIS on its way into a document: what it is, whether it may be sent as it came, and
 * else what can be done about it (mending.c, wrapping.c). Whatever is made is written out, read
 * again and checked like any other document.
 */
#include "fhir/normalize.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "fhir/check.h"
#include "fhir/profile.h"

enum { ROUNDS = 4 }; /* of mending and checking: what is mended may uncover more */


/* --- what it is --- */

abdm_body_kind_t
abdm_body_kind(abdm_str_t head)
{
    static const char bom[] = "\xef\xbb\xbf";
    size_t at = head.len >= 3 && memcmp(head.p, bom, 3) == 0 ? 3 : 0;

    if (abdm_str_starts(head, ABDM_LIT("MSH|")))
        return ABDM_BODY_HL7V2;
    while (at < head.len && memchr(" \t\r\n", head.p[at], 4) != NULL)
        at++;
    if (at == head.len || (head.p[at] != '{' && head.p[at] != '['))
        return ABDM_BODY_FILE;
    if (head.p[at] == '[' ||
        memmem(head.p + at, head.len - at, "\"resourceType\"", strlen("\"resourceType\"")) != NULL)
        return ABDM_BODY_FHIR;
    return ABDM_BODY_JSON;
}


static bool
string_is(const json_t *root, const char *path, const char *expected)
{
    const char *z = abdm_json_string_at(root, path);

    return z != NULL && strcmp(z, expected) == 0;
}


/* A bundle with one Composition is a document, whatever its type says. */
static bool
is_document(const json_t *given)
{
    const json_t *entry;
    size_t i, compositions = 0;

    json_array_foreach(json_object_get(given, "entry"), i, entry)
        compositions += string_is(entry, "resource.resourceType", "Composition");
    return string_is(given, "resourceType", "Bundle") &&
           (string_is(given, "type", "document") || compositions == 1);
}


static bool
can_be_wrapped(const json_t *given)
{
    if (json_is_array(given))
        return true;
    if (string_is(given, "resourceType", "Bundle"))
        return string_is(given, "type", "searchset") || string_is(given, "type", "collection");
    return abdm_json_string_at(given, "resourceType") != NULL;
}


/* --- what remains at fault --- */

static void
tell(const abdm_findings_t *found, abdm_fhir_verdict_t *out)
{
    const abdm_finding_t *first = abdm_findings_first_error(found);

    out->faults = found->errors;
    if (first != NULL)
        snprintf(out->where, sizeof out->where, "%s", first->pointer);
}


/* What a facility's policy may let pass, judged by the bytes as they came. A Composition counts
 * wherever it stands. E_MEMORY alone. */
static abdm_err_t
judge_policy(const abdm_document_about_t *about, const json_t *given, abdm_fhir_verdict_t *out)
{
    bool first = string_is(given, "entry.0.resource.resourceType", "Composition");
    size_t i, patients = 0;
    const json_t *entry;

    abdm_err_t err = abdm_document_patients(about, given, &patients);
    if (!abdm_failed(err))
        err = abdm_document_subjects(given);
    if (err.code == ABDM_E_MEMORY)
        return err;
    if (abdm_failed(err) || patients == 0)
        return ABDM_NO_ERR;
    out->attachable = true;
    json_array_foreach(json_object_get(given, "entry"), i, entry) {
        const json_t *composition = json_object_get(entry, "resource");
        abdm_hi_type_t type;
        if (string_is(composition, "resourceType", "Composition") &&
            abdm_document_type(composition, &type) && type != about->hi_type)
            out->attachable = false;
    }
    out->sendable = out->attachable && first && out->facts.typed && out->facts.dated &&
                    string_is(given, "type", "document");
    return ABDM_NO_ERR;
}


/* --- mending until nothing can be mended --- */

static abdm_err_t
write_out(const json_t *tree, abdm_buf_t *out)
{
    abdm_jw_t w;

    out->len = 0;
    abdm_jw_begin(&w, out);
    abdm_jw_marked(&w, tree);
    return out->failed ? ABDM_ERR(MEMORY, "bundle") : ABDM_NO_ERR;
}


/* Writes the tree and judges what was written. */
static abdm_err_t
judge_written(const abdm_document_about_t *about, const json_t *tree, abdm_findings_t *found,
              abdm_fhir_verdict_t *out)
{
    abdm_document_facts_t facts;
    json_t *written;

    ABDM_TRY(write_out(tree, &out->mended));
    ABDM_TRY(abdm_json_parse(out->mended.p, out->mended.len, ABDM_JSON_DEPTH_FHIR, &written));
    abdm_err_t err = abdm_document_judge(about, written, found, &facts);
    json_decref(written);
    if (!abdm_failed(err))
        out->facts = facts;
    return err;
}


static abdm_err_t
mend(const abdm_document_about_t *about, json_t *tree, const abdm_findings_t *before,
     abdm_fhir_verdict_t *out)
{
    abdm_findings_t found = {0};
    abdm_mend_t m;
    abdm_err_t err = abdm_mend_open(about, tree, &m);

    if (!abdm_failed(err) && !m.failed)
        abdm_mend(&m, before);
    for (int i = 0; i < ROUNDS && !abdm_failed(err) && !m.failed; i++) {
        err = judge_written(about, tree, &found, out);
        if (err.code != ABDM_E_RECORD_FORM)
            break;
        bool more = abdm_mend_codings(&m, &found);
        more = abdm_mend_orphans(&m, &found) || more;
        if (!more || i + 1 == ROUNDS)
            break;
        err = ABDM_NO_ERR;
    }
    if (m.failed)
        err = ABDM_ERR(MEMORY, "bundle");
    if (err.code == ABDM_E_RECORD_FORM)
        tell(&found, out);
    abdm_findings_free(&found);
    abdm_mend_close(&m);
    return err;
}


static abdm_err_t
mend_document(const abdm_document_about_t *about, const char *json, size_t len,
              const abdm_findings_t *found, abdm_fhir_verdict_t *out)
{
    json_t *tree;
    abdm_err_t err = abdm_json_parse_marked(json, len, ABDM_JSON_DEPTH_FHIR, &tree);

    if (abdm_failed(err))
        return err.code == ABDM_E_MEMORY ? err : ABDM_ERR(RECORD_FORM, err.what);
    err = mend(about, tree, found, out);
    json_decref(tree);
    return err;
}


static abdm_err_t
wrap(const abdm_document_about_t *about, const char *json, size_t len, abdm_fhir_verdict_t *out)
{
    json_t *given, *tree = NULL;
    abdm_err_t err = abdm_json_parse_marked(json, len, ABDM_JSON_DEPTH_FHIR, &given);

    if (abdm_failed(err))
        return err.code == ABDM_E_MEMORY ? err : ABDM_ERR(RECORD_FORM, err.what);
    err = abdm_wrap_resources(about, given, &tree);
    if (!abdm_failed(err))
        err = mend(about, tree, NULL, out);
    json_decref(tree);
    json_decref(given);
    return err;
}


/* --- the whole --- */

static abdm_err_t
normalize(const abdm_document_about_t *about, const json_t *given, const char *json, size_t len,
          abdm_fhir_verdict_t *out)
{
    abdm_findings_t found = {0};
    size_t patients = 0;
    abdm_err_t err;

    if (!is_document(given)) {
        ABDM_TRY(abdm_document_patients(about, given, &patients));
        if (!can_be_wrapped(given))
            return ABDM_ERR(RECORD_FORM, "FHIR: neither a document, a searchset, a collection nor "
                                         "resources");
        return wrap(about, json, len, out);
    }
    err = abdm_document_judge(about, given, &found, &out->facts);
    if (err.code == ABDM_E_RECORD_FORM) {
        tell(&found, out);
        if (out->faults > 0)
            err = mend_document(about, json, len, &found, out);
    }
    abdm_findings_free(&found);
    return err;
}


abdm_err_t
abdm_document_normalize(const abdm_document_about_t *about, const char *json, size_t len,
                        abdm_fhir_verdict_t *out)
{
    static const char bom[] = "\xef\xbb\xbf";
    json_t *given;

    *out = (abdm_fhir_verdict_t){0};
    if (len >= 3 && memcmp(json, bom, 3) == 0)
        return ABDM_ERR(RECORD_FORM, "FHIR: begins with a byte order mark, which JSON has not");
    abdm_err_t err = abdm_json_parse(json, len, ABDM_JSON_DEPTH_FHIR, &given);
    if (abdm_failed(err))
        return err.code == ABDM_E_MEMORY ? err : ABDM_ERR(RECORD_FORM, err.what);
    err = normalize(about, given, json, len, out);
    if (err.code == ABDM_E_RECORD_FORM) {
        abdm_err_t unjudged = judge_policy(about, given, out);
        if (abdm_failed(unjudged))
            err = unjudged;
    }
    if (abdm_failed(err))
        abdm_buf_wipe_free(&out->mended);
    else
        out->where[0] = '\0';
    json_decref(given);
    return err;
}
