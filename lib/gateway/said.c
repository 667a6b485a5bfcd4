/*
 * The gateway's own words, made fit for a log or the audit. Its texts may repeat what they are
 * about, names and numbers included, so only words pass that its published messages are made of;
 * what else stands there becomes a star. The code beside the text says the rest.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/answer.h"

enum { WORD_MAX = 16 };

/* Sorted. */
static const char words[][WORD_MAX] = {
    "a", "aadhaar", "abdm", "abha", "accepted", "access", "acknowledge", "acknowledged", "action",
    "active", "address", "after", "again", "against", "allowed", "already", "an", "and", "any",
    "api", "application", "are", "artefact", "as", "at", "attempts", "auth", "authorization",
    "authorized", "available", "bad", "be", "bearer", "been", "before", "between", "blocked",
    "body", "bridge", "broadcast", "by", "cache", "call", "callback", "can", "cannot", "care",
    "care-context", "client", "cm", "code", "combination", "connection", "consent", "context",
    "contexts", "correct", "count", "create", "credentials", "data", "database", "date", "day",
    "deactivated", "deleted", "denied", "dependent", "details", "did", "different", "differs",
    "disabled", "discover", "discovery", "display", "does", "down", "due", "duplicate", "empty",
    "equal", "error", "errors", "exceeded", "exist", "existing", "exists", "expired", "expiry",
    "facility", "failed", "failure", "field", "find", "flow", "for", "forbidden", "format", "found",
    "from", "gateway", "gender", "generate", "given", "granted", "has", "have", "header", "health",
    "hi", "hip", "hips", "hiu", "hour", "hours", "http", "id", "ids", "in", "inactive", "incorrect",
    "information", "init", "input", "integrity", "intent", "internal", "invalid", "is", "it",
    "json", "jwt", "key", "kyc", "limit", "link", "linked", "linking", "list", "locked", "login",
    "malformed", "mandatory", "many", "mapping", "match", "matched", "matching", "max", "maximum",
    "message", "metadata", "method", "minutes", "mismatch", "missing", "mobile", "more", "must",
    "name", "no", "not", "notification", "notify", "null", "number", "object", "occurred", "of",
    "on", "only", "or", "otp", "out", "parameter", "parameters", "patient", "pending", "permission",
    "permitted", "phr", "please", "process", "profile", "provided", "provider", "purpose", "quota",
    "range", "read", "received", "record", "records", "reference", "registered", "rejected",
    "reply", "request", "requested", "requestid", "requests", "required", "resource", "response",
    "restricted", "retry", "revoked", "sandbox", "scope", "send", "sent", "server", "service",
    "services", "session", "share", "side", "size", "sms", "something", "status", "subscription",
    "success", "supported", "system", "temporarily", "than", "the", "this", "time", "timed",
    "timeout", "timestamp", "to", "token", "too", "transaction", "transactionid", "transfer", "try",
    "type", "types", "unable", "unauthorized", "unavailable", "unexpected", "unknown",
    "unsupported", "up", "update", "updated", "upstream", "url", "use", "used", "user", "valid",
    "validation", "value", "values", "verified", "verify", "violation", "was", "went", "while",
    "with", "within", "without", "wrong", "x-auth-token", "x-cm-id", "x-hip-id", "x-hiu-id",
    "x-link-token", "year", "yet", "you", "your",
};

enum { WORDS = sizeof(words) / sizeof(words[0]) };


static int
by_word(const void *key, const void *row)
{
    return strcmp(key, row);
}


static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}


/* Without the punctuation around it, is it one of the gateway's words? */
static bool
is_known(const char *p, size_t len)
{
    char lower[WORD_MAX];

    while (len > 0 && !is_letter(p[0])) {
        if (strchr("\"'([:-,.", p[0]) == NULL)
            return false;
        p++;
        len--;
    }
    while (len > 0 && !is_letter(p[len - 1])) {
        if (strchr("\"')]:-,.;!?", p[len - 1]) == NULL)
            return false;
        len--;
    }
    if (len == 0 || len >= sizeof(lower))
        return false;
    for (size_t i = 0; i < len; i++)
        lower[i] = (char) (p[i] >= 'A' && p[i] <= 'Z' ? p[i] - 'A' + 'a' : p[i]);
    lower[len] = '\0';
    return bsearch(lower, words, WORDS, sizeof(words[0]), by_word) != NULL;
}


void
abdm_answer_said(const char *text, char *out, size_t cap)
{
    bool starred = false;
    size_t n = 0;

    for (const char *p = text; *p != '\0';) {
        size_t len = strcspn(p, " ");
        bool known = is_known(p, len);
        size_t need = (n > 0) + (known ? len : 1);

        if (len > 0 && (known || !starred)) {
            if (n + need >= cap)
                break;
            if (n > 0)
                out[n++] = ' ';
            memcpy(out + n, known ? p : "*", known ? len : 1);
            n += known ? len : 1;
        }
        starred = len > 0 ? !known : starred;
        p += len;
        p += strspn(p, " ");
    }
    out[n] = '\0';
}
