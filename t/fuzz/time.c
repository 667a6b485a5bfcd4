/* Date-times of the wire. What is read, written and read again must be the same instant. */
#include "fuzz.h"

#include "core/time.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[ABDM_TIME_TEXT];
    abdm_ms_t t, again;

    if (!abdm_failed(abdm_time_parse(fuzz_text(data, size), &t))) {
        abdm_time_format(t, text);
        NEED(strlen(text) == ABDM_TIME_TEXT - 1);
        NEED(abdm_time_parse(abdm_str(text), &again).code == ABDM_OK && again == t);
    }
    if (size >= sizeof t) {
        memcpy(&t, data, sizeof t);
        abdm_time_format(t, text);
        NEED(abdm_time_parse(abdm_str(text), &again).code == ABDM_OK);
    }
    return 0;
}
