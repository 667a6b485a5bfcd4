/* A health document to be spoilt, and what the checker finds of it. Include it after cmocka.h. */
#ifndef ABDM_TEST_CHECK_KIT_H
#define ABDM_TEST_CHECK_KIT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "fhir/check.h"

#define URN      "urn:uuid:00000000-0000-4000-8000-00000000000"
#define NRCES    "https://nrces.in/ndhm/fhir/r4/StructureDefinition/"

/* A health document with one scan; single quotes stand for double ones. */
static const char document[] =
    "{'resourceType':'Bundle','meta':{'versionId':'1','profile':['" NRCES "DocumentBundle']},"
    "'identifier':{'system':'https://hip.example','value':'b-1'},'type':'document',"
    "'timestamp':'2026-03-01T10:15:00+05:30','entry':["
    "{'fullUrl':'" URN "1','resource':{'resourceType':'Composition',"
    "'meta':{'profile':['" NRCES "HealthDocumentRecord']},'status':'final',"
    "'type':{'coding':[{'system':'http://snomed.info/sct','code':'419891008',"
    "'display':'Record artifact'}]},'subject':{'reference':'" URN "2'},"
    "'date':'2026-03-01T10:15:00+05:30','author':[{'reference':'" URN "3'}],"
    "'title':'Health document','section':[{'title':'Scan','code':{'coding':["
    "{'system':'http://snomed.info/sct','code':'419891008','display':'Record artifact'}]},"
    "'entry':[{'reference':'" URN "4'}]}]}},"
    "{'fullUrl':'" URN "2','resource':{'resourceType':'Patient','identifier':["
    "{'type':{'text':'MRN'},'value':'P-1'}],'name':[{'text':'Asha'}],'gender':'female',"
    "'birthDate':'1980-02-29'}},"
    "{'fullUrl':'" URN "3','resource':{'resourceType':'Organization','identifier':["
    "{'type':{'text':'HFR'},'system':'https://facility.abdm.gov.in','value':'IN1'}],"
    "'name':'Test Hospital'}},"
    "{'fullUrl':'" URN "4','resource':{'resourceType':'DocumentReference','status':'current',"
    "'subject':{'reference':'" URN "2'},'content':[{'attachment':{"
    "'contentType':'application/pdf','data':'JVBERi0xLjQK'}}]}}]}";


static inline json_t *
parse(const char *quoted)
{
    char *text = strdup(quoted);
    json_t *value;

    assert_non_null(text);
    for (char *p = text; *p != '\0'; p++)
        *p = *p == '\'' ? '"' : *p;
    abdm_err_t err = abdm_json_parse(text, strlen(text), ABDM_JSON_DEPTH_FHIR, &value);
    if (abdm_failed(err))
        fail_msg("%s: %s", err.what, text);
    free(text);
    return value;
}


/* Sets the member or item at the end of a dotted path; NULL deletes it. */
static inline void
change(json_t *root, const char *path, json_t *value)
{
    char parent[256];
    const char *last = strrchr(path, '.');
    json_t *in = root;

    if (last != NULL) {
        snprintf(parent, sizeof parent, "%.*s", (int) (last - path), path);
        in = abdm_json_at(root, parent);
        last++;
    } else {
        last = path;
    }
    assert_non_null(in);
    if (json_is_array(in) && value == NULL)
        assert_int_equal(json_array_remove(in, (size_t) atoi(last)), 0);
    else if (json_is_array(in) && (size_t) atoi(last) == json_array_size(in))
        assert_int_equal(json_array_append_new(in, value), 0);
    else if (json_is_array(in))
        assert_int_equal(json_array_set_new(in, (size_t) atoi(last), value), 0);
    else if (value == NULL)
        assert_int_equal(json_object_del(in, last), 0);
    else
        assert_int_equal(json_object_set_new(in, last, value), 0);
}


static inline bool
is_found(const abdm_findings_t *found, const char *code, const char *pointer)
{
    for (size_t i = 0; i < found->n; i++) {
        if (strcmp(abdm_finding_info(found->list[i].code)->name, code) == 0 &&
            strcmp(found->list[i].pointer, pointer) == 0)
            return true;
    }
    return false;
}


static inline void
print_findings(const abdm_findings_t *found)
{
    for (size_t i = 0; i < found->n; i++)
        print_message("# %s %s: %s\n", abdm_finding_info(found->list[i].code)->name,
                      found->list[i].pointer, found->list[i].text);
}

#endif
