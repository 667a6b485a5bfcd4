/*
 * URLs of files, which the HMIS's answers choose: an input is the base of the configuration, a
 * line end, and the URL. What is fetched must be on the HMIS's own host and below its base, in
 * curl's reading too.
 */
#include "fuzz.h"

#include <curl/curl.h>

#include "hmis/base.h"


static char *
part(const char *url, CURLUPart what)
{
    CURLU *u = curl_url();
    char *value = NULL, *copy;

    NEED(u != NULL);
    NEED(curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK);
    NEED(curl_url_get(u, CURLUPART_USER, &value, 0) == CURLUE_NO_USER);
    NEED(curl_url_get(u, what, &value, CURLU_DEFAULT_PORT) == CURLUE_OK);
    copy = fuzz_z(abdm_str(value));
    curl_free(value);
    curl_url_cleanup(u);
    return copy;
}


static void
same_part(const char *a, const char *b, CURLUPart what)
{
    char *x = part(a, what), *y = part(b, what);

    NEED(strcmp(x, y) == 0);
    free(x);
    free(y);
}


static void
check(const abdm_hmis_base_t *base, const char *given, const abdm_hmis_request_t *request)
{
    NEED((base->socket != NULL) == (request->unix_socket != NULL));
    NEED(strncmp(request->url, base->origin, strlen(base->origin)) == 0);
    const char *path = request->url + strlen(base->origin);
    NEED(path[0] == '/' && !abdm_hmis_path_climbs(path));
    if (strstr(given, "://") == NULL)
        NEED(strncmp(path, base->path, strlen(base->path)) == 0);
    for (const char *p = request->url; *p != '\0'; p++)
        NEED(*p > 0x20 && *p < 0x7f);
    same_part(request->url, base->origin, CURLUPART_SCHEME);
    same_part(request->url, base->origin, CURLUPART_HOST);
    same_part(request->url, base->origin, CURLUPART_PORT);
    char *curls = part(request->url, CURLUPART_PATH);
    NEED(strncmp(path, curls, strlen(curls)) == 0);
    free(curls);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t rest = fuzz_text(data, size);
    char *base_url = fuzz_z(fuzz_line(&rest)), *url = fuzz_z(rest);
    abdm_hmis_request_t request;
    abdm_hmis_base_t base;

    if (!abdm_failed(abdm_hmis_base_parse(base_url, &base))) {
        if (!abdm_failed(abdm_hmis_base_resolve(&base, url, &request)))
            check(&base, url, &request);
        abdm_hmis_request_clear(&request);
    }
    abdm_hmis_base_clear(&base);
    free(url);
    free(base_url);
    return 0;
}
