/*
 * The front door: an input is one header on each line, in the order of abdm_headers_t; "-" is an
 * absent one. "@good", "@kid" and "@caller" stand for a token of the gateway, one of an unknown
 * key and one of another participant. Behind the headers: the body's length, and how often and
 * with what news of keys the question is put again ("w" wait, "n" no news, "f" failed, "k" the
 * keys once more, "l" the last time).
 */
#include "fuzz.h"

#define assert_int_equal(a, b) NEED((a) == (b))
#include "../unit/door_kit.h"

static abdm_doorkeeper_t *door;


static abdm_str_t
header(abdm_str_t *rest)
{
    abdm_str_t line = fuzz_line(rest);

    if (abdm_str_eq(line, ABDM_LIT("-")))
        return (abdm_str_t){NULL, 0};
    if (abdm_str_eq(line, ABDM_LIT("@good")))
        return abdm_str(good);
    if (abdm_str_eq(line, ABDM_LIT("@kid")))
        return abdm_str(unknown_kid);
    if (abdm_str_eq(line, ABDM_LIT("@caller")))
        return abdm_str(wrong_caller);
    return line;
}


static abdm_headers_t
read_headers(abdm_str_t *rest)
{
    abdm_headers_t h = {0};

    h.method = header(rest);
    h.path = header(rest);
    h.authorization = header(rest);
    h.request_id = header(rest);
    h.hip_id = header(rest);
    h.hiu_id = header(rest);
    h.content_type = header(rest);
    h.content_encoding = header(rest);
    char *length = fuzz_z(fuzz_line(rest));
    h.content_length = strtoll(length, NULL, 10);
    h.duplicate = strchr(length, 'd') != NULL;
    free(length);
    return h;
}


static void
let_in(const abdm_headers_t *h)
{
    abdm_intake_t intake;
    size_t body = h->content_length > 0 ? (size_t) h->content_length : 1;
    bool known = false;

    NEED(h->authorization.p == good);
    NEED(abdm_str_eq(h->method, ABDM_LIT("POST")) && h->request_id.len == 36 && !h->duplicate);
    NEED(abdm_doorkeeper_take(door, h, body, &intake).code == ABDM_OK);
    NEED(intake.path[0] == '/' && strlen(intake.request_id) == 36);
    for (size_t i = 0; i < sizeof facilities / sizeof *facilities; i++)
        known = known || strcmp(intake.hip_id, facilities[i]) == 0;
    NEED(known || intake.hip_id[0] == '\0');
    abdm_intake_clear(&intake);
}


static void
ask(const abdm_headers_t *h, abdm_str_t steps)
{
    abdm_ms_t now = NOW;
    bool want_keys;
    abdm_err_t why;

    for (size_t i = 0; i < steps.len && i < 32; i++) {
        bool last = steps.p[i] == 'l';
        now += 700;
        switch (steps.p[i]) {
        case 'n':
            abdm_doorkeeper_keys(door, NULL, 0, false, now);
            break;
        case 'f':
            abdm_doorkeeper_keys(door, NULL, 0, true, now);
            break;
        case 'k':
            abdm_doorkeeper_keys(door, set_a, now, false, now);
            break;
        default:
            break;
        }
        abdm_verdict_t verdict = abdm_doorkeeper_judge(door, h, now, last, &why, &want_keys);
        NEED(abdm_failed(why) || verdict != ABDM_REFUSE);
        NEED(!last || verdict != ABDM_WAIT);
        NEED(!want_keys || verdict == ABDM_WAIT);
        if (verdict == ABDM_PASS)
            let_in(h);
        else
            NEED(verdict == ABDM_WAIT || abdm_error_info(why.code)->http >= 400);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t rest = fuzz_text(data, size);

    if (good == NULL)
        make_tokens(NULL);
    abdm_headers_t h = read_headers(&rest);
    door = make_door(true);
    ask(&h, rest);
    NEED_NO_SSL_ERROR();
    abdm_doorkeeper_free(door);
    return 0;
}
