/*
 * What is asked of a hospital's HMIS, and its answers in our plain form. An adapter builds
 * requests and maps answers; it does no I/O. The `rest` adapter is URL templates plus jq
 * programs in a mapping directory, see conf/hmis.
 *
 * Plain form of a record (an object; unknown members are kept and ignored):
 *   id, hiType (or bundleType), careContextReference, authoredOn (or visitDate, date), title,
 *   patient {patientReference, name, gender, birthDate, mobile}, practitioners [{name,
 *   registrationNumber, practitionerId}], encounter {class, type}, and one of
 *     document {contentType, url, title}   a file, to be wrapped into a document
 *     bundle   {url}                       FHIR: a document bundle, or resources to wrap
 *     neither                              the content itself, by the members of its type
 *                                          (fhir/kinds.c); it may become several documents
 * `id` is the HMIS's own number of the record and makes the document's ids; without it the url
 * does, or all that the record says.
 */
#ifndef ABDM_HMIS_HMIS_H
#define ABDM_HMIS_HMIS_H

#include <jansson.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/model.h"

typedef struct abdm_hmis_s abdm_hmis_t;

/*
 * Loads and compiles a mapping. `adapter` is "rest"; `url` is http://host:port/base,
 * https://host:port/base or http://unix:/path/to.sock:/base; other members than those known in
 * mapping.json are refused. `problem` gets file, line and jq's own words on E_CONFIG, else "".
 */
abdm_err_t abdm_hmis_open(const char *adapter, const char *url, const char *mapping_dir,
                          char problem[512], abdm_hmis_t **out);
void abdm_hmis_close(abdm_hmis_t *hmis); /* NULL is allowed */

/* One call. Owns its strings; clear with abdm_hmis_request_clear. */
typedef struct {
    char *url;         /* absolute */
    char *unix_socket; /* NULL: TCP */
    char *body;        /* NULL: GET; else it is a POST */
    size_t body_len;
    char *content_type; /* of the body */
    char **header;      /* "Name: value", what else is to be sent; NULL-terminated, or NULL */
} abdm_hmis_request_t;

void abdm_hmis_request_clear(abdm_hmis_request_t *request);

typedef struct {
    const char *hip_id;
    const char *patient_ref;
    const char *care_context_ref;
    const char *from; /* ISO texts of the request's range */
    const char *to;
} abdm_hmis_query_t;

/* The request that lists the records of one care context. Values are percent-encoded. E_FIELD
 * when a value that the mapping's path asks for is missing, empty, "." or "..". */
abdm_err_t abdm_hmis_records_request(const abdm_hmis_t *hmis, const abdm_hmis_query_t *query,
                                     abdm_hmis_request_t *out);

/* Maps its answer (at most 4 MB) to an array of at most 500 records in plain form, owned by the
 * caller, each with at most one of document and bundle, with hiType in the gateway's spelling,
 * with careContextReference filled in and authoredOn, if there is a date, in a form that
 * abdm_time_parse reads (a time without a zone was Indian). May be called from several threads at
 * once. E_HMIS_ANSWER names the member at fault; it never quotes the answer. */
abdm_err_t abdm_hmis_records_map(abdm_hmis_t *hmis, const abdm_hmis_query_t *query,
                                 const char *body, size_t len, json_t **records);

/* The request that fetches a record's file or bundle: `url` of the plain form, absolute on
 * the HMIS's own host, or a path, which (with or without a leading slash) stands below its base
 * like the paths of the mapping. Another host, a fragment and ".." are E_HMIS_ANSWER, as is any
 * absolute URL when the base is a socket. */
abdm_err_t abdm_hmis_file_request(const abdm_hmis_t *hmis, const char *url,
                                  abdm_hmis_request_t *out);

/* --- questions other than for records ---
 *
 * Variables: a JSON object of texts, in path templates as {name}, in jq programs as $query.
 * What an operation is given and what its mapping must give (the plain form, checked, texts
 * trimmed, nulls dropped; members not named here are dropped):
 *
 * find_patients  {hipId, mobile?, abhaNumber?, abhaAddress?, mr?, name?, gender?, yearOfBirth?};
 *                mobile: ten digits, abhaNumber: 14 digits with dashes. It may have up to 8
 *                questions (a list in mapping.json), each asked when the values of its path are
 *                there; what they find is put together by whoever asks.
 *     → list of patients, at most 100 (more: E_HMIS_ANSWER)
 *     patient: {reference, mr?, name?, gender?, yearOfBirth? (or birthDate), mobiles: [text...]
 *               (or mobile), abhaNumber?, abhaAddress?}; reference is required, 1..255 characters
 *               of those the wire allows (gateway protocol 3.0); gender becomes M F O U..., years a
 *               number, abhaNumber 14 digits, abhaAddress lower case; a text that is no ABHA and a
 *               year before 1800 are left out: clerks type "NA", databases have 0000-00-00
 * care_contexts  {hipId, patientRef}
 *     → list of contexts, at most 500
 *     context: {reference, display, hiTypes: [text...] (or hiType), date?, version?,
 *               patientReference?}; display is made conformant to the wire (its alphabet, 255
 *               characters); hiTypes in the gateway's spelling, at least one; patientReference, if
 *               there, is the one asked for. One reference listed several times is one context
 *               with the types of all
 * new_contexts   {hipId, since (the last `next`, "" at first), limit ("500")}
 *     → {contexts: [context with `patient`: patient...], next: text, more: bool}
 * save_profile   {hipId, counter, token, patientRef?, returning ("yes", "no", "unknown"),
 *                 profile: object as ABDM sent it}   (profile in $query only)
 *     → {patientReference?}, also for an empty answer
 * send_otp       {hipId, patientRef, mobile?, purpose: "link"}   → {reference}
 * verify_otp     {hipId, patientRef, reference, otp}             → {verified: bool}
 * tell           {hipId, event, ...ids of what happened}         → {} whatever it answers; a
 *                mapping's program may fail on what was a refusal
 */

/* How many questions the mapping has for it; 0: it cannot be asked. */
int abdm_hmis_questions(const abdm_hmis_t *hmis, abdm_hmis_op_t op);

/* Can question `index` be asked with these variables: are all the path's values there? */
bool abdm_hmis_can_ask(const abdm_hmis_t *hmis, abdm_hmis_op_t op, int index, const json_t *vars);

/* E_FIELD when a value that the path asks for is missing; `since` may be empty. */
abdm_err_t abdm_hmis_ask(abdm_hmis_t *hmis, abdm_hmis_op_t op, int index, const json_t *vars,
                         abdm_hmis_request_t *out);

/* The answer in plain form, owned by the caller. E_HMIS_ANSWER names the member at fault and
 * never quotes the answer. May be called from several threads at once, as the former. */
abdm_err_t abdm_hmis_answer(abdm_hmis_t *hmis, abdm_hmis_op_t op, int index, const json_t *vars,
                            const char *body, size_t len, json_t **out);

#endif
