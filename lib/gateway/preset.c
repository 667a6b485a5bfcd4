/* The environments of ABDM, one row each. */
#include "gateway/preset.h"

static const abdm_gateway_preset_t presets[] = {
    {
        .name = "sandbox",
        .url = "https://dev.abdm.gov.in",
        .cm_id = "sbx",
        .issuer = "https://dev.abdm.gov.in/auth/realms/central-registry",
        .caller = "gateway",
        .phr = "https://phrsbx.abdm.gov.in",
        .registry = "https://apihspsbx.abdm.gov.in",
    },
    {
        .name = "production",
        .url = "https://apis.abdm.gov.in",
        .cm_id = "abdm",
        /* Assumed from the sandbox's form: ABDM has published neither issuer nor caller of
         * production tokens. A wrong guess refuses every callback and lets none in. */
        .issuer = "https://apis.abdm.gov.in/auth/realms/central-registry",
        .caller = "gateway",
        .phr = "https://phr.abdm.gov.in", /* assumed likewise */
        .registry = NULL,                 /* not published, and nothing to assume it from */
    },
};


const abdm_gateway_preset_t *
abdm_gateway_preset(abdm_str_t name)
{
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
        if (abdm_str_eq(name, abdm_str(presets[i].name)))
            return &presets[i];
    }
    return NULL;
}
