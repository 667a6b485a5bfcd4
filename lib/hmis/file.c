/* Files of configuration beside nginx's own, in JSON. */
#include "hmis/file.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"

enum { FILE_MAX = 65536 };


abdm_err_t
abdm_hmis_file_load(const char *file, char *problem, json_t **out)
{
    abdm_buf_t text = {0};
    json_error_t e;

    *out = NULL;
    FILE *f = fopen(file, "re");
    if (f == NULL) {
        abdm_hmis_say(problem, "%s: cannot be opened: %m", file);
        return ABDM_ERR(CONFIG, "a configuration file");
    }
    if (abdm_buf_reserve(&text, FILE_MAX + 1))
        text.len = fread(text.p, 1, FILE_MAX + 1, f);
    bool bad = ferror(f) != 0;
    fclose(f);
    if (text.failed)
        return ABDM_ERR(MEMORY, "a configuration file");

    abdm_err_t err = ABDM_ERR(CONFIG, "a configuration file");
    if (bad || text.len > FILE_MAX)
        abdm_hmis_say(problem, "%s: not a text file of at most 64 KB", file);
    else if ((*out = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, &e)) == NULL &&
             abdm_json_no_memory(&e, text.p))
        err = ABDM_ERR(MEMORY, "a configuration file");
    else if (*out == NULL)
        abdm_hmis_say(problem, "%s: line %d: %s", file, e.line, e.text);
    else
        err = ABDM_NO_ERR;
    abdm_buf_free(&text);
    return err;
}


abdm_err_t
abdm_hmis_file_members(const char *file, const char *where, const json_t *object,
                       const char *const *known, size_t n, char *problem)
{
    const char *name;
    json_t *value;

    if (!json_is_object(object)) {
        abdm_hmis_say(problem, "%s: %s: an object in { } is missing", file, where);
        return ABDM_ERR(CONFIG, "a configuration file");
    }
    json_object_foreach((json_t *) object, name, value) {
        size_t i = 0;
        while (i < n && strcmp(known[i], name) != 0)
            i++;
        if (i == n) {
            abdm_hmis_say(problem, "%s: %s: \"%.64s\" is not known here", file, where, name);
            return ABDM_ERR(CONFIG, "a configuration file");
        }
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_hmis_file_text(const char *file, const char *where, const json_t *object, const char *name,
                    char *problem, const char **out)
{
    *out = json_string_value(json_object_get(object, name));
    if (*out != NULL && **out != '\0')
        return ABDM_NO_ERR;
    abdm_hmis_say(problem, "%s: %s: the text \"%s\" is missing", file, where, name);
    return ABDM_ERR(CONFIG, "a configuration file");
}
