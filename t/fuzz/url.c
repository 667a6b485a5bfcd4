/*
 * The push URL: an input is a network to allow, a line end, and the URL. What we accept curl
 * must read alike, since it is curl that dials.
 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <curl/curl.h>

#include "core/url_guard.h"


static void
same_for_curl(const abdm_url_t *url)
{
    char *text = fuzz_z(url->text), *host = NULL, *port = NULL, *user = NULL;
    char our_port[8];
    CURLU *u = curl_url();

    NEED(u != NULL);
    NEED(strlen(text) == url->text.len);
    NEED(curl_url_set(u, CURLUPART_URL, text, CURLU_DISALLOW_USER) == CURLUE_OK);
    NEED(curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK);
    NEED(curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK);
    NEED(curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_NO_USER);
    if (url->kind == ABDM_HOST_IPV6) {
        struct in6_addr addr;
        host[strlen(host) - 1] = '\0';
        NEED(host[0] == '[' && inet_pton(AF_INET6, host + 1, &addr) == 1);
        NEED(memcmp(&addr, &url->addr.v6, sizeof addr) == 0);
    } else {
        NEED(abdm_str_ieq(url->host, abdm_str(host)));
    }
    snprintf(our_port, sizeof our_port, "%u", (unsigned) url->port);
    NEED(strcmp(our_port, port) == 0);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    free(text);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t rest = fuzz_text(data, size);
    abdm_push_allow_t allow = {0};
    abdm_url_t url;

    abdm_err_t err = abdm_push_allow_add(&allow, fuzz_line(&rest));
    NEED(allow.n == (abdm_failed(err) ? 0 : 1));
    if (abdm_failed(abdm_url_parse(rest, &url)))
        return 0;
    same_for_curl(&url);
    bool closed = abdm_failed(abdm_push_check_url(rest, NULL, &url));
    bool open = !abdm_failed(abdm_push_check_url(rest, &allow, &url));
    NEED(closed || open); /* allowing a network takes nothing away */
    return 0;
}
