/*
 * What the gateway and the facility registry tell of a bridge, which operators' commands show: an
 * input is the status, a line end, and the body. What is taken of it is printable and ends.
 */
#include "fuzz.h"

#include "gateway/bridge.h"


static void
printable(const char *z, size_t cap)
{
    size_t n = strnlen(z, cap);

    NEED(n < cap);
    for (size_t i = 0; i < n; i++)
        NEED(z[i] >= 0x20 && z[i] < 0x7f);
}


static void
check_service(const abdm_service_t *service)
{
    printable(service->id, sizeof service->id);
    printable(service->name, sizeof service->name);
    printable(service->bridge_id, sizeof service->bridge_id);
    (void) abdm_service_is_sibling(service->id, service->bridge_id);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t rest = fuzz_text(data, size);
    char *line = fuzz_z(fuzz_line(&rest));
    abdm_registry_answer_t answer;
    abdm_service_t service;
    abdm_bridge_t bridge;
    int status = atoi(line) % 1000;

    abdm_err_t err = abdm_bridge_read(rest, &bridge);
    NEED(!abdm_failed(err) || bridge.n == 0);
    printable(bridge.id, sizeof bridge.id);
    printable(bridge.url, sizeof bridge.url);
    for (size_t i = 0; i < bridge.n; i++)
        check_service(&bridge.service[i]);
    abdm_bridge_clear(&bridge);

    err = abdm_service_read(rest, &service);
    NEED(abdm_failed(err) == (service.id[0] == '\0'));
    check_service(&service);

    abdm_registry_read(status, rest, &answer);
    printable(answer.id, sizeof answer.id);
    printable(answer.code, sizeof answer.code);
    printable(answer.text, sizeof answer.text);
    NEED(answer.outcome != ABDM_REGISTERED_NEW || status / 100 == 2);
    free(line);
    return 0;
}
