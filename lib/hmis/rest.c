/*
 * The `rest` adapter: an HMIS that answers JSON over HTTP. Its mapping directory holds
 * mapping.json, which names a URL template and a jq program for each question; what the
 * programs must give is the plain form of hmis.h. conf/hmis/README.md is its manual.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hmis/adapter.h"
#include "hmis/base.h"
#include "hmis/jq.h"
#include "hmis/template.h"

enum { MAPPING_MAX = 65536, FILE_NAME = 4096 };

typedef struct {
    abdm_hmis_base_t base;
    char *records_path;
    abdm_hmis_jq_t *records_map;
} rest_t;


static void
rest_close(void *state)
{
    rest_t *rest = state;

    if (rest == NULL)
        return;
    abdm_hmis_base_clear(&rest->base);
    abdm_hmis_jq_close(rest->records_map);
    free(rest->records_path);
    free(rest);
}


static abdm_err_t
read_mapping(const char *file, char *problem, json_t **out)
{
    abdm_buf_t text = {0};
    json_error_t e;

    *out = NULL;
    FILE *f = fopen(file, "re");
    if (f == NULL) {
        abdm_hmis_say(problem, "%s: cannot be opened: %m", file);
        return ABDM_ERR(CONFIG, "hmis mapping: mapping.json");
    }
    if (abdm_buf_reserve(&text, MAPPING_MAX + 1))
        text.len = fread(text.p, 1, MAPPING_MAX + 1, f);
    bool bad = ferror(f) != 0;
    fclose(f);
    if (text.failed)
        return ABDM_ERR(MEMORY, "hmis mapping: mapping.json");

    if (bad || text.len > MAPPING_MAX)
        abdm_hmis_say(problem, "%s: not a text file of at most 64 KB", file);
    else if ((*out = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, &e)) == NULL)
        abdm_hmis_say(problem, "%s: line %d: %s", file, e.line, e.text);
    abdm_buf_free(&text);
    return *out == NULL ? ABDM_ERR(CONFIG, "hmis mapping: mapping.json") : ABDM_NO_ERR;
}


/* Refuses what a mapping may not have: a misspelt name must not be ignored in silence. */
static abdm_err_t
check_members(const char *file, const char *where, json_t *object, const char *const *known,
              size_t n, char *problem)
{
    const char *name;
    json_t *value;

    if (!json_is_object(object)) {
        abdm_hmis_say(problem, "%s: %s: an object in { } is missing", file, where);
        return ABDM_ERR(CONFIG, "hmis mapping: mapping.json");
    }
    json_object_foreach(object, name, value) {
        size_t i = 0;
        while (i < n && strcmp(known[i], name) != 0)
            i++;
        if (i == n) {
            abdm_hmis_say(problem, "%s: %s: \"%.64s\" is not known here", file, where, name);
            return ABDM_ERR(CONFIG, "hmis mapping: mapping.json");
        }
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
text_member(const char *file, const char *where, const json_t *object, const char *name,
            char *problem, const char **out)
{
    *out = json_string_value(json_object_get(object, name));
    if (*out != NULL && **out != '\0')
        return ABDM_NO_ERR;
    abdm_hmis_say(problem, "%s: %s: the text \"%s\" is missing", file, where, name);
    return ABDM_ERR(CONFIG, "hmis mapping: mapping.json");
}


static abdm_err_t
load_question(const char *dir, const char *file, const char *where, json_t *question,
              char *problem, char **path, abdm_hmis_jq_t **map)
{
    static const char *const known[] = {"path", "map"};
    const char *template, *program;
    char name[FILE_NAME];

    ABDM_TRY(check_members(file, where, question, known, 2, problem));
    ABDM_TRY(text_member(file, where, question, "path", problem, &template));
    ABDM_TRY(text_member(file, where, question, "map", problem, &program));

    int n = snprintf(name, sizeof name, "%s: %s.path", file, where);
    if (n < 0 || (size_t) n >= sizeof name)
        return ABDM_ERR(CONFIG, "hmis mapping: the directory's name is too long");
    ABDM_TRY(abdm_hmis_template_check(name, template, problem));
    *path = abdm_str_dup(abdm_str(template));
    if (*path == NULL)
        return ABDM_ERR(MEMORY, "hmis mapping");

    if (strchr(program, '/') != NULL) {
        abdm_hmis_say(problem, "%s: %s.map: the name of a file in this directory, without /",
                      file, where);
        return ABDM_ERR(CONFIG, "hmis mapping: mapping.json");
    }
    n = snprintf(name, sizeof name, "%s/%s", dir, program);
    if (n < 0 || (size_t) n >= sizeof name)
        return ABDM_ERR(CONFIG, "hmis mapping: the directory's name is too long");
    return abdm_hmis_jq_open(name, problem, map);
}


static abdm_err_t
load_mapping(const char *dir, char *problem, rest_t *rest)
{
    static const char *const known[] = {"records"};
    char file[FILE_NAME];
    json_t *mapping;

    int n = snprintf(file, sizeof file, "%s/mapping.json", dir);
    if (n < 0 || (size_t) n >= sizeof file)
        return ABDM_ERR(CONFIG, "hmis mapping: the directory's name is too long");
    ABDM_TRY(read_mapping(file, problem, &mapping));
    abdm_err_t err = check_members(file, "the file", mapping, known, 1, problem);
    if (!abdm_failed(err))
        err = load_question(dir, file, "records", json_object_get(mapping, "records"), problem,
                            &rest->records_path, &rest->records_map);
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


static abdm_err_t
rest_records_request(const void *state, const abdm_hmis_query_t *query, abdm_hmis_request_t *out)
{
    const rest_t *rest = state;
    abdm_buf_t path = {0};

    *out = (abdm_hmis_request_t){0};
    abdm_err_t err = abdm_hmis_template_expand(rest->records_path, query, &path);
    char *z = abdm_buf_take(&path);
    if (!abdm_failed(err))
        err = z == NULL ? ABDM_ERR(MEMORY, "hmis request")
                        : abdm_hmis_base_request(&rest->base, z, out);
    free(z);
    return err;
}


static abdm_err_t
rest_records_map(void *state, const abdm_hmis_query_t *query, const char *body, size_t len,
                 json_t **records)
{
    return abdm_hmis_jq_run(((rest_t *) state)->records_map, query, body, len, records);
}


static abdm_err_t
rest_file_request(const void *state, const char *url, abdm_hmis_request_t *out)
{
    return abdm_hmis_base_resolve(&((const rest_t *) state)->base, url, out);
}


const abdm_hmis_adapter_t abdm_hmis_rest = {
    "rest",           rest_open,        rest_close,
    rest_records_request, rest_records_map, rest_file_request,
};
