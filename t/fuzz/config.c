/*
 * Small things that stand in the configuration: the file of the secret key ("k..."), the file of a
 * consent manager's key ("p...") and the store's URL ("s...").
 */
#include "fuzz.h"

#include <unistd.h>

#include "crypto/seal.h"
#include "crypto/signature.h"
#include "store/store.h"

static char file[] = "/tmp/abdm-fuzz-XXXXXX";


static void
remove_file(void)
{
    unlink(file);
}


static void
write_file(abdm_str_t text)
{
    static bool made;

    if (!made) {
        int fd = mkstemp(file);
        NEED(fd >= 0 && close(fd) == 0 && atexit(remove_file) == 0);
        made = true;
    }
    FILE *f = fopen(file, "w");
    NEED(f != NULL);
    NEED(text.len == 0 || fwrite(text.p, text.len, 1, f) == 1);
    NEED(fclose(f) == 0);
}


static void
load_key(abdm_str_t text)
{
    char problem[ABDM_SEAL_PROBLEM] = "";
    abdm_seal_key_t *key;

    write_file(text);
    abdm_err_t err = abdm_seal_key_load(file, &key, problem);
    NEED(abdm_failed(err) == (key == NULL));
    NEED(abdm_failed(err) == (problem[0] != '\0'));
    NEED(key == NULL || (text.len >= 44 && text.len <= 66));
    abdm_seal_key_free(key);
}


static void
load_signer(abdm_str_t text)
{
    char problem[ABDM_SIGNER_PROBLEM] = "";
    abdm_signers_t *signers = NULL;

    write_file(text);
    abdm_err_t err = abdm_signers_add(&signers, file, "kid", problem);
    NEED(abdm_failed(err) == (problem[0] != '\0'));
    NEED_NO_SSL_ERROR();
    abdm_signers_free(signers);
}


static void
check_store(abdm_str_t text)
{
    char problem[512] = "", *url = fuzz_z(text);

    abdm_err_t err = abdm_store_check_url(url, problem);
    NEED(abdm_failed(err) == (problem[0] != '\0'));
    NEED(strnlen(problem, sizeof problem) < sizeof problem);
    free(url);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t rest = fuzz_text(data, size);

    char choice = fuzz_choice(&rest);

    if (choice == 'k')
        load_key(rest);
    else if (choice == 'p')
        load_signer(rest);
    else
        check_store(rest);
    return 0;
}
