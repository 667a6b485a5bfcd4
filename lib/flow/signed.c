/*
 * The signature of a consent artefact (threat model C2). What exactly is signed is not published:
 * the bytes of consentDetail as they came are tried, and their compact form.
 */
#include "core/json.h"
#include "crypto/signature.h"
#include "flow/confirm.h"


/* Without blanks, members in their order, numbers as they came. */
static abdm_err_t
compact(abdm_str_t artefact, abdm_buf_t *out)
{
    json_t *json = NULL;
    abdm_jw_t w;

    ABDM_TRY(abdm_json_parse_marked(artefact.p, artefact.len, ABDM_JSON_DEPTH, &json));
    abdm_jw_begin(&w, out);
    abdm_jw_marked(&w, json);
    json_decref(json);
    return out->failed ? ABDM_ERR(MEMORY, "artefact") : ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_signed(const abdm_flow_ctx_t *ctx, abdm_str_t artefact, const char *signature,
                 abdm_signed_t *out)
{
    abdm_str_t form[2] = {artefact};
    abdm_buf_t text = {0};
    abdm_err_t err = ABDM_NO_ERR;
    size_t n = 1;

    if (ctx->signers != NULL && signature != NULL) {
        err = compact(artefact, &text);
    }
    if (err.code == ABDM_E_MEMORY) {
        abdm_buf_free(&text);
        return err;
    }
    if (!abdm_failed(err) && !abdm_str_eq(abdm_buf_str(&text), artefact)) {
        form[n++] = abdm_buf_str(&text);
    }
    err = abdm_signature_verify(ctx->signers, signature, form, n, out);
    abdm_buf_free(&text);
    return err;
}


abdm_err_t
abdm_flow_signed_judge(const abdm_flow_ctx_t *ctx, abdm_signed_t known)
{
    if (ctx->policy->signature != ABDM_SIGNATURE_ENFORCE) {
        return ABDM_NO_ERR;
    }
    switch (known) {
    case ABDM_SIGNED_VERIFIED:
        return ABDM_NO_ERR;
    case ABDM_SIGNED_WRONG:
        return ABDM_ERR(CONSENT_SIGNATURE, "signature does not verify");
    case ABDM_SIGNED_NO_KEY:
        return ABDM_ERR(CONSENT_SIGNATURE, "signature: no key configured");
    case ABDM_SIGNED_UNKNOWN:
    case ABDM_SIGNED_ABSENT:
        break;
    }
    return ABDM_ERR(CONSENT_SIGNATURE, "signature absent");
}
