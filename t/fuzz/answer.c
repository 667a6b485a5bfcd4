/* The gateway's synchronous answers: an input is the status, a line end, and the body. */
#include "fuzz.h"

#include "gateway/answer.h"


static void
printable(const char *z, size_t cap)
{
    size_t n = strnlen(z, cap);

    NEED(n < cap);
    for (size_t i = 0; i < n; i++)
        NEED(z[i] >= 0x20 && z[i] < 0x7f);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t rest = fuzz_text(data, size);
    char *line = fuzz_z(fuzz_line(&rest)), *token;
    abdm_call_answer_t answer;
    int status = atoi(line) % 1000;
    int64_t life;

    abdm_answer_judge(status, rest.p, rest.len, &answer);
    printable(answer.code, sizeof answer.code);
    printable(answer.text, sizeof answer.text);

    abdm_err_t err = abdm_answer_session(rest.p, rest.len, &token, &life);
    NEED(abdm_failed(err) == (token == NULL));
    if (token != NULL) {
        NEED(life > 0 && life <= 86400000);
        printable(token, 16385);
    }
    free(token);
    free(line);
    return 0;
}
