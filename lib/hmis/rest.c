/*
 * The `rest` adapter: an HMIS that answers JSON over HTTP. Its mapping directory holds
 * mapping.json, which names a URL template and a jq program for each question; what the
 * programs must give is the plain form of hmis.h. conf/hmis/README.md is its manual.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "hmis/adapter.h"
#include "hmis/base.h"
#include "hmis/file.h"
#include "hmis/jq.h"
#include "hmis/template.h"

enum { FILE_NAME = 4096 };

typedef struct {
    char *path;
    abdm_hmis_jq_t *map;  /* NULL: the answer says nothing */
    abdm_hmis_jq_t *body; /* NULL: GET */
} question_t;

typedef struct {
    abdm_hmis_base_t base;
    question_t question[ABDM_HMIS_ASKABLE][ABDM_HMIS_QUESTIONS];
    int n[ABDM_HMIS_ASKABLE];
} rest_t;


static void
rest_close(void *state)
{
    rest_t *rest = state;

    if (rest == NULL)
        return;
    abdm_hmis_base_clear(&rest->base);
    for (int op = 0; op < ABDM_HMIS_ASKABLE; op++) {
        for (int i = 0; i < rest->n[op]; i++) {
            abdm_hmis_jq_close(rest->question[op][i].map);
            abdm_hmis_jq_close(rest->question[op][i].body);
            free(rest->question[op][i].path);
        }
    }
    free(rest);
}


static abdm_err_t
load_program(const char *dir, const char *file, const char *where, const char *member,
             const char *program, char *problem, abdm_hmis_jq_t **out)
{
    char name[FILE_NAME];

    if (strchr(program, '/') != NULL) {
        abdm_hmis_say(problem, "%s: %s.%s: the name of a file in this directory, without /", file,
                      where, member);
        return ABDM_ERR(CONFIG, "hmis mapping: mapping.json");
    }
    int n = snprintf(name, sizeof name, "%s/%s", dir, program);
    if (n < 0 || (size_t) n >= sizeof name)
        return ABDM_ERR(CONFIG, "hmis mapping: the directory's name is too long");
    return abdm_hmis_jq_open(name, problem, out);
}


static abdm_err_t
load_path(const char *file, const char *where, int op, const char *template, char *problem,
          char **out)
{
    char name[FILE_NAME];

    int n = snprintf(name, sizeof name, "%s: %s.path", file, where);
    if (n < 0 || (size_t) n >= sizeof name)
        return ABDM_ERR(CONFIG, "hmis mapping: the directory's name is too long");
    ABDM_TRY(abdm_hmis_template_check(name, template, op, problem));
    *out = abdm_str_dup(abdm_str(template));
    return *out == NULL ? ABDM_ERR(MEMORY, "hmis mapping") : ABDM_NO_ERR;
}


static abdm_err_t
load_question(const char *dir, const char *file, const char *where, int op, json_t *question,
              char *problem, question_t *out)
{
    static const char *const known[] = {"path", "map", "body"};
    const char *template, *program;

    /* Records are only ever read. */
    ABDM_TRY(abdm_hmis_file_members(file, where, question, known,
                                    op == ABDM_HMIS_RECORDS ? 2 : 3, problem));
    ABDM_TRY(abdm_hmis_file_text(file, where, question, "path", problem, &template));
    ABDM_TRY(load_path(file, where, op, template, problem, &out->path));
    if (op != ABDM_HMIS_TELL || json_object_get(question, "map") != NULL) {
        ABDM_TRY(abdm_hmis_file_text(file, where, question, "map", problem, &program));
        ABDM_TRY(load_program(dir, file, where, "map", program, problem, &out->map));
    }
    if (json_object_get(question, "body") != NULL) {
        ABDM_TRY(abdm_hmis_file_text(file, where, question, "body", problem, &program));
        ABDM_TRY(load_program(dir, file, where, "body", program, problem, &out->body));
    }
    return ABDM_NO_ERR;
}


/* One question, or for patients a list of them. */
static abdm_err_t
load_operation(const char *dir, const char *file, const char *name, int op, json_t *given,
               char *problem, rest_t *rest)
{
    char where[64];
    json_t *question;
    size_t i;

    if (op != ABDM_HMIS_FIND_PATIENTS || !json_is_array(given)) {
        rest->n[op] = 1;
        return load_question(dir, file, name, op, given, problem, &rest->question[op][0]);
    }
    if (json_array_size(given) < 1 || json_array_size(given) > ABDM_HMIS_QUESTIONS) {
        abdm_hmis_say(problem, "%s: %s: a list of 1 to %d questions is expected", file, name,
                      ABDM_HMIS_QUESTIONS);
        return ABDM_ERR(CONFIG, "hmis mapping: mapping.json");
    }
    json_array_foreach(given, i, question) {
        rest->n[op] = (int) i + 1;
        snprintf(where, sizeof where, "%s[%zu]", name, i);
        ABDM_TRY(load_question(dir, file, where, op, question, problem, &rest->question[op][i]));
    }
    return ABDM_NO_ERR;
}


static const char *
operation_name(int op)
{
    return op == ABDM_HMIS_RECORDS ? "records" : abdm_hmis_op_name((abdm_hmis_op_t) op);
}


static abdm_err_t
load_mapping(const char *dir, char *problem, rest_t *rest)
{
    const char *known[ABDM_HMIS_ASKABLE];
    char file[FILE_NAME];
    json_t *mapping;

    int n = snprintf(file, sizeof file, "%s/mapping.json", dir);
    if (n < 0 || (size_t) n >= sizeof file)
        return ABDM_ERR(CONFIG, "hmis mapping: the directory's name is too long");
    for (int op = 0; op < ABDM_HMIS_ASKABLE; op++)
        known[op] = operation_name(op);

    ABDM_TRY(abdm_hmis_file_load(file, problem, &mapping));
    abdm_err_t err =
        abdm_hmis_file_members(file, "the file", mapping, known, ABDM_HMIS_ASKABLE, problem);
    for (int op = 0; op < ABDM_HMIS_ASKABLE && !abdm_failed(err); op++) {
        json_t *given = json_object_get(mapping, known[op]);
        if (given != NULL || op == ABDM_HMIS_RECORDS)
            err = load_operation(dir, file, known[op], op, given, problem, rest);
    }
    json_decref(mapping);
    return err;
}


static abdm_err_t
rest_open(const char *url, const char *mapping_dir, char *problem, void **state)
{
    rest_t *rest = calloc(1, sizeof *rest);

    *state = NULL;
    if (rest == NULL)
        return ABDM_ERR(MEMORY, "hmis: its state");
    abdm_err_t err = abdm_hmis_base_parse(url, &rest->base);
    if (err.code == ABDM_E_CONFIG)
        abdm_hmis_say(problem, "%s", err.what);
    if (!abdm_failed(err))
        err = load_mapping(mapping_dir, problem, rest);
    if (abdm_failed(err)) {
        rest_close(rest);
        return err;
    }
    *state = rest;
    return ABDM_NO_ERR;
}


static int
rest_questions(const void *state, int op)
{
    return ((const rest_t *) state)->n[op];
}


static bool
rest_can_ask(const void *state, int op, int index, const json_t *vars)
{
    return abdm_hmis_template_filled(((const rest_t *) state)->question[op][index].path, vars);
}


static abdm_err_t
make_body(abdm_hmis_jq_t *program, const json_t *vars, abdm_hmis_request_t *out)
{
    abdm_buf_t text = {0};
    json_t *body;
    abdm_jw_t w;

    abdm_err_t err = abdm_hmis_jq_run(program, vars, "null", sizeof "null" - 1, &body);
    if (err.code == ABDM_E_HMIS_ANSWER)
        return ABDM_ERR(FIELD, "body: its jq program fails on the question or gives not one value");
    ABDM_TRY(err);
    abdm_jw_begin(&w, &text);
    abdm_jw_json(&w, body);
    json_decref(body);
    out->body_len = text.len;
    out->body = abdm_buf_take(&text);
    out->content_type = abdm_str_dup(ABDM_LIT("application/json"));
    return out->body == NULL || out->content_type == NULL ? ABDM_ERR(MEMORY, "hmis request")
                                                          : ABDM_NO_ERR;
}


static abdm_err_t
rest_ask(void *state, int op, int index, const json_t *vars, abdm_hmis_request_t *out)
{
    const rest_t *rest = state;
    const question_t *question = &rest->question[op][index];
    abdm_buf_t path = {0};

    *out = (abdm_hmis_request_t){0};
    abdm_err_t err = abdm_hmis_template_expand(question->path, vars, &path);
    char *z = abdm_buf_take(&path);
    if (!abdm_failed(err))
        err = z == NULL ? ABDM_ERR(MEMORY, "hmis request")
                        : abdm_hmis_base_request(&rest->base, z, out);
    if (z != NULL)
        abdm_wipe(z, strlen(z));
    free(z);
    if (!abdm_failed(err) && question->body != NULL)
        err = make_body(question->body, vars, out);
    if (abdm_failed(err))
        abdm_hmis_request_clear(out);
    return err;
}


static abdm_err_t
rest_answer(void *state, int op, int index, const json_t *vars, const char *body, size_t len,
            json_t **out)
{
    abdm_hmis_jq_t *map = ((rest_t *) state)->question[op][index].map;

    if (map != NULL)
        return abdm_hmis_jq_run(map, vars, body, len, out);
    *out = json_object();
    return *out == NULL ? ABDM_ERR(MEMORY, "hmis answer") : ABDM_NO_ERR;
}


static abdm_err_t
rest_file_request(const void *state, const char *url, abdm_hmis_request_t *out)
{
    return abdm_hmis_base_resolve(&((const rest_t *) state)->base, url, out);
}


const abdm_hmis_adapter_t abdm_hmis_rest = {
    "rest",       rest_open, rest_close,  rest_questions,
    rest_can_ask, rest_ask,  rest_answer, rest_file_request,
};
