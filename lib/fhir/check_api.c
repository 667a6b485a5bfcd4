/* Checker and preview for programs that link libabdm. */
#include <stdlib.h>

#include <jansson.h>

#include "abdm_fhir.h"
#include "core/json.h"
#include "fhir/check.h"
#include "fhir/preview.h"


static const char *
severity_of(const abdm_finding_info_t *info)
{
    return info->severity == ABDM_FINDING_ERROR ? "error" : "warning";
}


static void
write_finding(abdm_jw_t *w, const abdm_finding_t *finding)
{
    const abdm_finding_info_t *info = abdm_finding_info(finding->code);

    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "code", info->name);
    abdm_jw_kv(w, "severity", severity_of(info));
    abdm_jw_kv(w, "pointer", finding->pointer);
    abdm_jw_kv(w, "text", finding->text);
    abdm_jw_kv(w, "meaning", info->meaning);
    abdm_jw_kv(w, "remedy", info->remedy);
    abdm_jw_close(w, '}');
}


abdm_err_t
abdm_fhir_check(const void *json, size_t len, char **report)
{
    abdm_findings_t found = {0};
    abdm_buf_t out = {0};
    abdm_jw_t w;
    abdm_err_t err = abdm_fhir_check_bytes(json, len, &found);

    *report = NULL;
    abdm_jw_begin(&w, &out);
    abdm_jw_open(&w, '{');
    abdm_jw_key(&w, "errors");
    abdm_jw_int(&w, (int64_t) found.errors);
    abdm_jw_key(&w, "warnings");
    abdm_jw_int(&w, (int64_t) found.warnings);
    abdm_jw_key(&w, "findings");
    abdm_jw_open(&w, '[');
    for (size_t i = 0; i < found.n; i++)
        write_finding(&w, &found.list[i]);
    abdm_jw_close(&w, ']');
    abdm_jw_close(&w, '}');
    abdm_findings_free(&found);
    char *text = abdm_buf_take(&out);
    if (!abdm_failed(err) && text == NULL)
        err = ABDM_ERR(MEMORY, "report");
    if (abdm_failed(err)) {
        free(text);
        return err;
    }
    *report = text;
    return ABDM_NO_ERR;
}


const char *
abdm_fhir_finding(size_t i, const char **severity, const char **meaning, const char **remedy)
{
    if (i >= ABDM_FINDING_CODES)
        return NULL;

    const abdm_finding_info_t *info = abdm_finding_info((abdm_finding_code_t) i);
    *severity = severity_of(info);
    *meaning = info->meaning;
    *remedy = info->remedy;
    return info->name;
}


abdm_err_t
abdm_fhir_preview(const void *json, size_t len, char **html)
{
    abdm_buf_t out = {0};
    json_t *bundle;

    *html = NULL;
    ABDM_TRY(abdm_json_parse(json, len, ABDM_JSON_DEPTH_FHIR, &bundle));
    abdm_err_t err = abdm_fhir_preview_json(bundle, &out);
    json_decref(bundle);
    if (abdm_failed(err)) {
        abdm_buf_free(&out);
        return err;
    }
    *html = abdm_buf_take(&out);
    return *html == NULL ? ABDM_ERR(MEMORY, "page") : ABDM_NO_ERR;
}
