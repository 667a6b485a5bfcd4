/*
 * What a notice says is its signature: bare, a JWS, or anything. The first line is the signature, the
 * rest what it is over. Nobody here has the private key, so that nothing may verify.
 */
#include "fuzz.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <unistd.h>

#include "crypto/signature.h"


/* Keys whose private half is forgotten at once. */
static abdm_signers_t *
make_signers(void)
{
    char file[] = "/tmp/abdm-fuzz-XXXXXX", problem[ABDM_SIGNER_PROBLEM];
    abdm_signers_t *signers = NULL;
    EVP_PKEY *key = EVP_RSA_gen(2048);
    int fd = mkstemp(file);
    FILE *f = fdopen(fd, "w");

    NEED(key != NULL && f != NULL);
    NEED(PEM_write_PUBKEY(f, key) == 1 && fclose(f) == 0);
    NEED(!abdm_failed(abdm_signers_add(&signers, file, NULL, problem)));
    NEED(!abdm_failed(abdm_signers_add(&signers, file, "cm-1", problem)));
    unlink(file);
    EVP_PKEY_free(key);
    return signers;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static abdm_signers_t *signers;
    abdm_str_t form[2] = {fuzz_text(data, size), ABDM_LIT("{}")};
    char *signature = fuzz_z(fuzz_line(&form[0]));
    abdm_signed_t known;

    if (signers == NULL)
        signers = make_signers();
    NEED(!abdm_failed(abdm_signature_verify(signers, signature, form, 2, &known)));
    NEED(known == (*signature == '\0' ? ABDM_SIGNED_ABSENT : ABDM_SIGNED_WRONG));
    NEED_NO_SSL_ERROR();
    free(signature);
    return 0;
}
