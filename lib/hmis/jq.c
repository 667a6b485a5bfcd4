/*
 * jq programs through libjq. A program is compiled once, though $query differs at each run:
 * it is put behind a short prelude that takes $query out of the input. The prelude also makes
 * `debug` and `stderr` harmless, since answers hold patient data and stderr is a log.
 */
#include "hmis/jq.h"

#include <jq.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"

enum {
    PROGRAM_MAX = 262144,
    ANSWER_MAX = 4 * 1024 * 1024,
    OUTPUT_MAX = 4 * 1024 * 1024, /* bytes of strings and names, plus VALUE_COST per value */
    VALUE_COST = 16, /* an empty object takes 13 times that: a program can multiply its input */
    EXACT_INT_BITS = 53,          /* integers up to this size are whole in jq's doubles */
};

/* On one line, so that jq's line numbers stay those of the file. */
static const char prelude[] = "def stderr: .; def debug: .; .[0] as $query | .[1] | (";
static const char postlude[] = "\n)";

struct abdm_hmis_jq_s {
    pthread_mutex_t lock; /* a jq_state runs one program at a time */
    jq_state *jq;
};

typedef struct {
    const char *file;
    char *problem;
    bool said;
} complaint_t;


/* Keeps jq's first message, to the end of its line. */
static void
on_compile_error(void *ctx, jv message)
{
    complaint_t *c = ctx;
    jv text = jq_format_error(message);

    if (!c->said && jv_get_kind(text) == JV_KIND_STRING) {
        const char *z = jv_string_value(text);
        abdm_hmis_say(c->problem, "%s: %.*s", c->file, (int) strcspn(z, "\n"), z);
        c->said = true;
    }
    jv_free(text);
}


static void
on_run_error(void *ctx, jv message)
{
    (void) ctx;
    jv_free(message);
}


static abdm_err_t
read_program(const char *file, char *problem, abdm_buf_t *out)
{
    FILE *f = fopen(file, "re");

    if (f == NULL) {
        abdm_hmis_say(problem, "%s: cannot be opened: %m", file);
        return ABDM_ERR(CONFIG, "hmis mapping: a jq program");
    }
    if (!abdm_buf_reserve(out, PROGRAM_MAX + 1)) {
        fclose(f);
        return ABDM_ERR(MEMORY, "hmis mapping: a jq program");
    }
    out->len = fread(out->p, 1, PROGRAM_MAX + 1, f);
    bool bad = ferror(f) != 0;
    fclose(f);
    if (bad || out->len > PROGRAM_MAX || memchr(out->p, '\0', out->len) != NULL) {
        abdm_hmis_say(problem, "%s: not a text file of at most 256 KB", file);
        return ABDM_ERR(CONFIG, "hmis mapping: a jq program");
    }
    out->p[out->len] = '\0';
    return ABDM_NO_ERR;
}


/* The program alone first: the prelude must not change what is legal, nor jq's words. */
static bool
compiles_alone(const char *program, complaint_t *complaint)
{
    jq_state *jq = jq_init();

    if (jq == NULL)
        return false;
    jq_set_error_cb(jq, on_compile_error, complaint);
    jv named = jv_object_set(jv_object(), jv_string("query"), jv_object());
    bool ok = jq_compile_args(jq, program, named) != 0;
    jq_teardown(&jq);
    return ok;
}


static bool
compile(jq_state *jq, const char *program)
{
    abdm_buf_t text = {0};

    abdm_buf_addz(&text, prelude);
    abdm_buf_addz(&text, program);
    abdm_buf_addz(&text, postlude);
    char *z = abdm_buf_take(&text);
    if (z == NULL)
        return false;
    jq_set_error_cb(jq, on_run_error, NULL);
    bool ok = jq_compile(jq, z) != 0;
    free(z);
    return ok;
}


abdm_err_t
abdm_hmis_jq_open(const char *file, char *problem, abdm_hmis_jq_t **out)
{
    complaint_t complaint = {file, problem, false};
    abdm_hmis_jq_t *jq = NULL;
    abdm_buf_t program = {0};

    *out = NULL;
    abdm_err_t err = read_program(file, problem, &program);
    if (abdm_failed(err))
        goto done;
    if (!compiles_alone(program.p, &complaint)) {
        if (!complaint.said)
            abdm_hmis_say(problem, "%s: jq does not compile it", file);
        err = ABDM_ERR(CONFIG, "hmis mapping: a jq program");
        goto done;
    }

    jq = calloc(1, sizeof *jq);
    if (jq == NULL || pthread_mutex_init(&jq->lock, NULL) != 0) {
        free(jq);
        err = ABDM_ERR(MEMORY, "hmis mapping: a jq program");
        goto done;
    }
    jq->jq = jq_init();
    if (jq->jq == NULL || !compile(jq->jq, program.p)) {
        abdm_hmis_say(problem, "%s: must be one expression, without import or include", file);
        abdm_hmis_jq_close(jq);
        err = ABDM_ERR(CONFIG, "hmis mapping: a jq program");
        goto done;
    }
    *out = jq;
done:
    abdm_buf_free(&program);
    return err;
}


void
abdm_hmis_jq_close(abdm_hmis_jq_t *jq)
{
    if (jq == NULL)
        return;
    if (jq->jq != NULL)
        jq_teardown(&jq->jq);
    pthread_mutex_destroy(&jq->lock);
    free(jq);
}


/* The text is wiped: an OTP is among what is asked. */
static abdm_err_t
query_to_jv(const json_t *query, jv *out)
{
    abdm_buf_t text = {0};
    abdm_jw_t w;

    abdm_jw_begin(&w, &text);
    abdm_jw_json(&w, query);
    if (text.failed || text.len > INT_MAX) {
        abdm_buf_wipe_free(&text);
        return ABDM_ERR(MEMORY, "hmis query: as $query");
    }
    *out = jv_parse_sized(text.p, (int) text.len);
    abdm_buf_wipe_free(&text);
    if (!jv_is_valid(*out)) {
        jv_free(*out);
        return ABDM_ERR(INTERNAL, "hmis query: jq does not read it");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t to_json(jv value, int depth, size_t *budget, json_t **out);


static bool
spend(size_t *budget, size_t amount)
{
    if (amount > *budget)
        return false;
    *budget -= amount;
    return true;
}


static abdm_err_t
list_to_json(jv list, int depth, size_t *budget, json_t **out)
{
    int n = jv_array_length(jv_copy(list));
    json_t *item;

    *out = json_array();
    for (int i = 0; *out != NULL && i < n; i++) {
        ABDM_TRY(to_json(jv_array_get(jv_copy(list), i), depth, budget, &item));
        if (json_array_append_new(*out, item) != 0)
            return ABDM_ERR(MEMORY, "hmis answer: as mapped");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
object_to_json(jv object, int depth, size_t *budget, json_t **out)
{
    abdm_err_t err = ABDM_NO_ERR;
    json_t *item;

    *out = json_object();
    for (int it = jv_object_iter(object);
         *out != NULL && !abdm_failed(err) && jv_object_iter_valid(object, it);
         it = jv_object_iter_next(object, it)) {
        jv key = jv_object_iter_key(object, it);
        const char *z = jv_string_value(key);
        size_t len = (size_t) jv_string_length_bytes(jv_copy(key));

        if (strlen(z) != len)
            err = ABDM_ERR(HMIS_ANSWER, "answer as mapped: a NUL character in a name");
        else if (!spend(budget, len))
            err = ABDM_ERR(HMIS_ANSWER, "answer as mapped: larger than 4 MB");
        else
            err = to_json(jv_object_iter_value(object, it), depth, budget, &item);
        if (!abdm_failed(err) && json_object_set_new(*out, z, item) != 0)
            err = ABDM_ERR(MEMORY, "hmis answer: as mapped");
        jv_free(key);
    }
    /* Records are stored and read back by our own parser, with one member put in between. */
    if (!abdm_failed(err) && json_object_size(*out) >= ABDM_JSON_MEMBERS)
        err = ABDM_ERR(HMIS_ANSWER, "answer as mapped: an object has too many members");
    return err;
}


static abdm_err_t
string_to_json(jv string, size_t *budget, json_t **out)
{
    const char *z = jv_string_value(string);
    size_t len = (size_t) jv_string_length_bytes(jv_copy(string));

    if (strlen(z) != len)
        return ABDM_ERR(HMIS_ANSWER, "answer as mapped: a NUL character in a string");
    if (!spend(budget, len))
        return ABDM_ERR(HMIS_ANSWER, "answer as mapped: larger than 4 MB");
    *out = json_string(z);
    return ABDM_NO_ERR;
}


static json_t *
number_to_json(double value)
{
    if (value == floor(value) && fabs(value) <= (double) (1LL << EXACT_INT_BITS))
        return json_integer((json_int_t) value);
    return json_real(value);
}


/* Takes `value`. *out is NULL on failure. */
static abdm_err_t
to_json(jv value, int depth, size_t *budget, json_t **out)
{
    abdm_err_t err = ABDM_NO_ERR;

    *out = NULL;
    if (depth == 0 || !spend(budget, VALUE_COST)) {
        jv_free(value);
        return ABDM_ERR(HMIS_ANSWER, "answer as mapped: too deep or too large");
    }
    switch (jv_get_kind(value)) {
    case JV_KIND_NULL:
        *out = json_null();
        break;
    case JV_KIND_TRUE:
        *out = json_true();
        break;
    case JV_KIND_FALSE:
        *out = json_false();
        break;
    case JV_KIND_NUMBER:
        if (isfinite(jv_number_value(value)))
            *out = number_to_json(jv_number_value(value));
        else
            err = ABDM_ERR(HMIS_ANSWER, "answer as mapped: a number that JSON cannot hold");
        break;
    case JV_KIND_STRING:
        err = string_to_json(value, budget, out);
        break;
    case JV_KIND_ARRAY:
        err = list_to_json(value, depth - 1, budget, out);
        break;
    case JV_KIND_OBJECT:
        err = object_to_json(value, depth - 1, budget, out);
        break;
    case JV_KIND_INVALID:
        err = ABDM_ERR(INTERNAL, "hmis answer: jq gave no value");
        break;
    }
    jv_free(value);
    if (!abdm_failed(err) && *out == NULL)
        err = ABDM_ERR(MEMORY, "hmis answer: as mapped");
    if (abdm_failed(err)) {
        json_decref(*out);
        *out = NULL;
    }
    return err;
}


/* The one output of a program, owned by the caller when there is no failure. */
static abdm_err_t
one_output(jq_state *jq, jv input, jv *out)
{
    jq_start(jq, input, 0);
    jv value = jq_next(jq);
    if (!jv_is_valid(value)) {
        bool threw = jv_invalid_has_msg(jv_copy(value)) != 0 || jq_halted(jq) != 0;
        jv_free(value);
        return threw ? ABDM_ERR(HMIS_ANSWER, "answer: the jq program fails on it")
                     : ABDM_ERR(HMIS_ANSWER, "answer: the jq program gives nothing for it");
    }
    jv second = jq_next(jq);
    bool more = jv_is_valid(second) != 0;
    bool threw = !more && (jv_invalid_has_msg(jv_copy(second)) != 0 || jq_halted(jq) != 0);
    jv_free(second);
    if (more || threw) {
        jv_free(value);
        return threw ? ABDM_ERR(HMIS_ANSWER, "answer: the jq program fails on it")
                     : ABDM_ERR(HMIS_ANSWER, "answer: the jq program gives more than one value; "
                                             "collect them in [ ]");
    }
    *out = value;
    return ABDM_NO_ERR;
}


/* jq takes more than JSON (nan, nothing at all, any depth), so the text is judged first. */
static abdm_err_t
parse_answer(const char *body, size_t len, jv *out)
{
    json_t *strict;

    abdm_err_t err = abdm_json_parse(body, len, ABDM_JSON_DEPTH_FHIR, &strict);
    json_decref(strict);
    if (err.code == ABDM_E_MEMORY)
        return err;
    if (abdm_failed(err))
        return ABDM_ERR(HMIS_ANSWER, err.what);
    *out = jv_parse_sized(body, (int) len);
    if (!jv_is_valid(*out)) {
        jv_free(*out);
        return ABDM_ERR(HMIS_ANSWER, "answer: jq does not read it as JSON");
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_hmis_jq_run(abdm_hmis_jq_t *jq, const json_t *query, const char *body, size_t len,
                 json_t **out)
{
    size_t budget = OUTPUT_MAX;
    jv asked, answer, value;

    *out = NULL;
    if (len > ANSWER_MAX)
        return ABDM_ERR(HMIS_ANSWER, "answer: larger than 4 MB");
    ABDM_TRY(query_to_jv(query, &asked));
    abdm_err_t err = parse_answer(body, len, &answer);
    if (abdm_failed(err)) {
        jv_free(asked);
        return err;
    }
    jv input = jv_array_append(jv_array_append(jv_array(), asked), answer);

    pthread_mutex_lock(&jq->lock);
    err = one_output(jq->jq, input, &value);
    if (!abdm_failed(err))
        err = to_json(value, ABDM_JSON_DEPTH, &budget, out);
    jq_start(jq->jq, jv_null(), 0); /* lets go of the answer */
    pthread_mutex_unlock(&jq->lock);
    return err;
}
