/*
 * For tests of callback bodies: a good body is parsed and one member of it exchanged, then the
 * reader must say what is wrong. To be included after cmocka.h.
 */
#ifndef ABDM_TEST_BODY_H
#define ABDM_TEST_BODY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/time.h"


static inline json_t *
parse(const char *text)
{
    json_t *json;

    assert_int_equal(abdm_json_parse(text, strlen(text), ABDM_JSON_DEPTH, &json).code, ABDM_OK);
    return json;
}


/* Takes `value`; NULL deletes the member at `path`. */
static inline void
put(json_t *root, const char *path, json_t *value)
{
    char above[128];
    const char *dot = strrchr(path, '.');
    const char *key = dot == NULL ? path : dot + 1;
    json_t *object;

    snprintf(above, sizeof above, "%.*s", dot == NULL ? 0 : (int) (dot - path), path);
    object = abdm_json_at(root, above);
    assert_non_null(object);
    if (value == NULL)
        assert_int_equal(json_object_del(object, key), 0);
    else if (json_is_array(object))
        assert_int_equal(json_array_set_new(object, strtoul(key, NULL, 10), value), 0);
    else
        assert_int_equal(json_object_set_new(object, key, value), 0);
}


static inline abdm_ms_t
ms(const char *text)
{
    abdm_ms_t t;

    assert_int_equal(abdm_time_parse(abdm_str(text), &t).code, ABDM_OK);
    return t;
}


static inline json_t *
text_of(size_t len)
{
    char *z = malloc(len + 1);

    assert_non_null(z);
    memset(z, 'a', len);
    z[len] = '\0';
    json_t *json = json_string(z);
    free(z);
    return json;
}

#endif
