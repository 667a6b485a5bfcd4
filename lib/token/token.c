/*
 * Token verification in the order that costs an attacker's token least: form, header, key,
 * signature, and only then the claims, so that unsigned JSON beyond the small header is never
 * parsed. Rules: RFC 7515, 7519 and 8725; the gateway's claims as the V3 protocol has them.
 */
#include "token/token.h"

#include <math.h>
#include <string.h>

#include "core/json.h"

enum {
    DEPTH = 16,
    HEADER_BYTES = 1024,                   /* decoded; genuine ones have about 120 */
    PAYLOAD_BYTES = ABDM_TOKEN_BYTES / 4 * 3,
    AUDIENCES = 16,
    ROLES = 256,
};

static const double SECONDS_MAX = 253402300799.0; /* the end of the year 9999 */

typedef struct {
    abdm_str_t header;
    abdm_str_t payload;
    abdm_str_t signature;
    abdm_str_t signed_part; /* header.payload as received */
} jwt_t;


/* RFC 7515 4.1: these bring keys of their own or change what is signed. */
static const char *const forbidden[] = {"jwk", "jku", "x5u", "x5c", "crit", "zip", "b64"};


static bool
take_part(abdm_str_t *rest, bool last, abdm_str_t *part)
{
    const char *dot = rest->len == 0 ? NULL : memchr(rest->p, '.', rest->len);

    if (last != (dot == NULL))
        return false;
    part->p = rest->p;
    part->len = last ? rest->len : (size_t) (dot - rest->p);
    rest->p += part->len + (last ? 0 : 1);
    rest->len -= part->len + (last ? 0 : 1);
    return part->len > 0;
}


static abdm_err_t
split(abdm_str_t authorization, jwt_t *jwt)
{
    const abdm_str_t scheme = ABDM_LIT("Bearer ");
    abdm_str_t rest = authorization;

    if (rest.p == NULL || rest.len == 0)
        return ABDM_ERR(TOKEN_MISSING, "Authorization: missing or empty");
    if (rest.len <= scheme.len || !abdm_str_ieq((abdm_str_t){rest.p, scheme.len}, scheme))
        return ABDM_ERR(TOKEN_FORM, "Authorization: `Bearer` and a token expected");
    rest.p += scheme.len;
    rest.len -= scheme.len;
    if (rest.len > ABDM_TOKEN_BYTES)
        return ABDM_ERR(TOKEN_FORM, "token: longer than 8 KiB");

    const char *start = rest.p;
    if (!take_part(&rest, false, &jwt->header) || !take_part(&rest, false, &jwt->payload) ||
        !take_part(&rest, true, &jwt->signature))
        return ABDM_ERR(TOKEN_FORM, "token: three parts with two dots expected");
    jwt->signed_part = (abdm_str_t){start, jwt->header.len + 1 + jwt->payload.len};
    return ABDM_NO_ERR;
}


/* Decodes one part and parses it as an object. *out is NULL on failure. */
static abdm_err_t
parse_part(abdm_str_t part, uint8_t *room, size_t cap, abdm_err_t fault, json_t **out)
{
    size_t len;

    *out = NULL;
    if (!abdm_base64url_decode(part, room, cap, &len))
        return ABDM_ERR(TOKEN_FORM, "token: a part is not base64url without padding, or too long");
    abdm_err_t err = abdm_json_parse((const char *) room, len, DEPTH, out);
    if (err.code == ABDM_E_JSON || err.code == ABDM_E_JSON_LIMIT)
        return fault;
    ABDM_TRY(err);
    if (json_typeof(*out) != JSON_OBJECT) {
        json_decref(*out);
        *out = NULL;
        return fault;
    }
    return ABDM_NO_ERR;
}


static abdm_str_t
json_str(const json_t *v)
{
    return (abdm_str_t){json_string_value(v), json_string_length(v)};
}


static bool
is_string(const json_t *v)
{
    return json_string_value(v) != NULL;
}


static bool
is_printable(abdm_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < 0x20 || s.p[i] > 0x7e)
            return false;
    }
    return true;
}


/* From the header the algorithm and the key's name are taken, and nothing else. */
static abdm_err_t
read_header(const json_t *header, const abdm_jwks_t *keys, const abdm_jwk_t **key,
            abdm_jwk_alg_t *alg)
{
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        if (json_object_get(header, forbidden[i]) != NULL)
            return ABDM_ERR(TOKEN_HEADER, "token header: a member that no token of ABDM has");
    }

    const json_t *typ = json_object_get(header, "typ");
    if (typ != NULL && !(is_string(typ) && (abdm_str_ieq(json_str(typ), ABDM_LIT("JWT")) ||
                                            abdm_str_ieq(json_str(typ), ABDM_LIT("at+jwt")))))
        return ABDM_ERR(TOKEN_HEADER, "token header: typ is not JWT");

    const json_t *a = json_object_get(header, "alg");
    if (is_string(a) && abdm_str_eq(json_str(a), ABDM_LIT("RS256")))
        *alg = ABDM_JWK_RS256;
    else if (is_string(a) && abdm_str_eq(json_str(a), ABDM_LIT("RS512")))
        *alg = ABDM_JWK_RS512;
    else
        return ABDM_ERR(TOKEN_ALG, "token header: alg is not RS256 or RS512");

    const json_t *k = json_object_get(header, "kid");
    abdm_str_t kid = json_str(k);
    if (!is_string(k) || kid.len < 1 || kid.len > ABDM_JWK_KID || !is_printable(kid))
        return ABDM_ERR(TOKEN_HEADER, "token header: kid is not 1 to 128 printable characters");

    if (keys == NULL)
        return ABDM_ERR(KEYS_UNAVAILABLE, "token: no keys to verify it with");
    *key = abdm_jwks_find(keys, kid);
    if (*key == NULL)
        return ABDM_ERR(TOKEN_KID_UNKNOWN, "token header: kid is not in the gateway's key set");
    return ABDM_NO_ERR;
}


static abdm_err_t
check_signature(const jwt_t *jwt, const abdm_jwk_t *key, abdm_jwk_alg_t alg)
{
    uint8_t signature[ABDM_JWK_SIGNATURE];
    size_t len;

    if (!abdm_base64url_decode(jwt->signature, signature, sizeof signature, &len))
        return ABDM_ERR(TOKEN_SIGNATURE, "signature: not base64url without padding, or too long");
    return abdm_jwk_verify(key, alg, jwt->signed_part, (abdm_str_t){(char *) signature, len});
}


static bool
in_list(abdm_str_t s, const abdm_str_t *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (abdm_str_eq(s, list[i]))
            return true;
    }
    return false;
}


/* A NumericDate (RFC 7519, 2): a number of seconds, fractions allowed, from 1970 to 9999.
 * Absent gives *present = false. */
static bool
read_seconds(const json_t *claims, const char *name, bool *present, abdm_ms_t *ms)
{
    const json_t *v = json_object_get(claims, name);

    *present = v != NULL;
    *ms = 0;
    if (v == NULL)
        return true;
    if (json_typeof(v) != JSON_INTEGER && json_typeof(v) != JSON_REAL)
        return false;
    double seconds = json_number_value(v);
    if (!(seconds >= 0 && seconds <= SECONDS_MAX)) /* false for NaN as well */
        return false;
    *ms = json_typeof(v) == JSON_INTEGER ? (abdm_ms_t) json_integer_value(v) * 1000
                                         : (abdm_ms_t) floor(seconds * 1000);
    return true;
}


static abdm_err_t
check_times(const abdm_token_policy_t *policy, const json_t *claims, abdm_ms_t now,
            abdm_token_claims_t *out)
{
    bool has_exp, has_nbf, has_iat;
    abdm_ms_t exp, nbf, iat;

    if (!read_seconds(claims, "exp", &has_exp, &exp) || !has_exp)
        return ABDM_ERR(TOKEN_CLAIMS, "exp: missing or not a number of seconds in range");
    if (!read_seconds(claims, "nbf", &has_nbf, &nbf))
        return ABDM_ERR(TOKEN_CLAIMS, "nbf: not a number of seconds in range");
    if (!read_seconds(claims, "iat", &has_iat, &iat))
        return ABDM_ERR(TOKEN_CLAIMS, "iat: not a number of seconds in range");

    if (now - exp >= policy->leeway_ms)
        return ABDM_ERR(TOKEN_TIME, "exp: past, beyond the leeway");
    if (has_nbf && nbf - now > policy->leeway_ms)
        return ABDM_ERR(TOKEN_TIME, "nbf: in the future, beyond the leeway");
    if (has_iat && iat - now > policy->leeway_ms)
        return ABDM_ERR(TOKEN_TIME, "iat: in the future, beyond the leeway");
    if (has_iat ? exp - iat > ABDM_TOKEN_LIFE_MS
                : exp - now > ABDM_TOKEN_LIFE_MS + policy->leeway_ms)
        return ABDM_ERR(TOKEN_TIME, "exp: the token lives longer than 24 hours");
    out->exp_ms = exp;
    out->issued_ms = iat;
    return ABDM_NO_ERR;
}


static abdm_err_t
check_audience(const abdm_token_policy_t *policy, const json_t *claims)
{
    const json_t *aud = json_object_get(claims, "aud");
    const abdm_str_t ours[] = {ABDM_LIT("account"), policy->client_id};
    bool found = false;

    if (aud == NULL)
        return ABDM_NO_ERR;
    if (is_string(aud)) {
        found = json_string_length(aud) > 0 && in_list(json_str(aud), ours, 2);
    } else {
        if (json_typeof(aud) != JSON_ARRAY || json_array_size(aud) > AUDIENCES)
            return ABDM_ERR(TOKEN_CLAIMS, "aud: neither a string nor a short list");
        for (size_t i = 0; i < json_array_size(aud); i++) {
            const json_t *item = json_array_get(aud, i);
            if (!is_string(item))
                return ABDM_ERR(TOKEN_CLAIMS, "aud: a member of its list is not a string");
            found = found || (json_string_length(item) > 0 && in_list(json_str(item), ours, 2));
        }
    }
    if (!found)
        return ABDM_ERR(TOKEN_AUDIENCE, "aud: neither account nor our client id");
    return ABDM_NO_ERR;
}


static abdm_err_t
has_role(const abdm_token_policy_t *policy, const json_t *claims, bool *found)
{
    const json_t *access = json_object_get(claims, "realm_access");
    const json_t *roles = json_object_get(access, "roles");

    *found = false;
    if (access == NULL || (json_typeof(access) == JSON_OBJECT && roles == NULL))
        return ABDM_NO_ERR;
    if (!json_is_array(roles) || json_array_size(roles) > ROLES)
        return ABDM_ERR(TOKEN_CLAIMS, "realm_access.roles: not a list of at most 256 roles");
    for (size_t i = 0; i < json_array_size(roles); i++) {
        const json_t *role = json_array_get(roles, i);
        if (!is_string(role))
            return ABDM_ERR(TOKEN_CLAIMS, "realm_access.roles: a role is not a string");
        if (policy->role.len > 0 && abdm_str_ieq(json_str(role), policy->role))
            *found = true;
    }
    return ABDM_NO_ERR;
}


/* Absent gives the empty string; what is not a short printable string fails. */
static bool
read_party(const json_t *claims, const char *name, abdm_str_t *out)
{
    const json_t *v = json_object_get(claims, name);

    *out = v == NULL ? ABDM_LIT("") : json_str(v);
    return v == NULL || (is_string(v) && out->len >= 1 && out->len <= ABDM_TOKEN_AZP &&
                         is_printable(*out));
}


static abdm_err_t
check_caller(const abdm_token_policy_t *policy, const json_t *claims, abdm_token_claims_t *out)
{
    abdm_str_t azp, client;
    bool role;

    if (!read_party(claims, "azp", &azp) || !read_party(claims, "clientId", &client))
        return ABDM_ERR(TOKEN_CLAIMS, "azp or clientId: not a string of 1 to 128 characters");
    ABDM_TRY(has_role(policy, claims, &role));

    /* Our session token goes out with our calls, so others have held it: it opens no door here. */
    if (policy->client_id.len > 0 && (abdm_str_ieq(azp, policy->client_id) ||
                                      abdm_str_ieq(client, policy->client_id)))
        return ABDM_ERR(TOKEN_CALLER, "azp: the token is our own");

    abdm_str_t caller = azp.len > 0 ? azp : client;
    bool listed = caller.len > 0 && in_list(caller, policy->callers, policy->n_callers);
    if (!listed && !role)
        return ABDM_ERR(TOKEN_CALLER, "azp: neither a permitted caller nor the gateway's role");
    if (caller.len > 0)
        memcpy(out->azp, caller.p, caller.len);
    out->azp[caller.len] = '\0';
    return ABDM_NO_ERR;
}


static abdm_err_t
check_claims(const abdm_token_policy_t *policy, const json_t *claims, abdm_ms_t now,
             abdm_token_claims_t *out)
{
    const json_t *iss = json_object_get(claims, "iss");
    const json_t *typ = json_object_get(claims, "typ");

    if (!is_string(iss))
        return ABDM_ERR(TOKEN_CLAIMS, "iss: missing or not a string");
    if (!in_list(json_str(iss), policy->issuers, policy->n_issuers))
        return ABDM_ERR(TOKEN_ISSUER, "iss: not an issuer of this gateway");
    /* Refresh, ID and offline tokens are signed by the same keys. */
    if (typ != NULL && !(is_string(typ) && abdm_str_eq(json_str(typ), ABDM_LIT("Bearer"))))
        return ABDM_ERR(TOKEN_CLAIMS, "typ: not Bearer");
    ABDM_TRY(check_times(policy, claims, now, out));
    ABDM_TRY(check_audience(policy, claims));
    return check_caller(policy, claims, out);
}


abdm_err_t
abdm_token_verify(const abdm_token_policy_t *policy, const abdm_jwks_t *keys,
                  abdm_str_t authorization, abdm_ms_t now_ms, abdm_token_claims_t *claims)
{
    uint8_t room[PAYLOAD_BYTES];
    abdm_token_claims_t found = {0};
    const abdm_jwk_t *key = NULL;
    abdm_jwk_alg_t alg = ABDM_JWK_RS256;
    json_t *json;
    jwt_t jwt;

    ABDM_TRY(split(authorization, &jwt));

    ABDM_TRY(parse_part(jwt.header, room, HEADER_BYTES,
                        ABDM_ERR(TOKEN_HEADER, "token header: not a JSON object"), &json));
    abdm_err_t err = read_header(json, keys, &key, &alg);
    json_decref(json);
    ABDM_TRY(err);

    ABDM_TRY(check_signature(&jwt, key, alg));

    ABDM_TRY(parse_part(jwt.payload, room, sizeof room,
                        ABDM_ERR(TOKEN_CLAIMS, "token claims: not a JSON object"), &json));
    err = check_claims(policy, json, now_ms, &found);
    json_decref(json);
    ABDM_TRY(err);

    *claims = found;
    return ABDM_NO_ERR;
}
