// SPDX-License-Identifier: Apache-2.0
#include "CBoringSSL.h"

// Declared here, because swift-crypto does not offer its copy of BoringSSL as a product. The names
// are BoringSSL's (include/openssl/aead.h) behind swift-crypto's prefix; a version without them
// does not link, and one that means something else by them fails the test vectors.
typedef struct evp_aead_st aead_kind;

extern const aead_kind *CCryptoBoringSSL_EVP_aead_aes_256_gcm(void);
extern boringssl_aead *CCryptoBoringSSL_EVP_AEAD_CTX_new(
    const aead_kind *kind, const uint8_t *key, size_t key_bytes, size_t tag_bytes);
extern void CCryptoBoringSSL_EVP_AEAD_CTX_free(boringssl_aead *aead);
extern int CCryptoBoringSSL_EVP_AEAD_CTX_seal(
    const boringssl_aead *aead, uint8_t *out, size_t *out_bytes, size_t out_bytes_max,
    const uint8_t *nonce, size_t nonce_bytes, const uint8_t *in, size_t in_bytes,
    const uint8_t *data, size_t data_bytes);
extern int CCryptoBoringSSL_EVP_AEAD_CTX_open(
    const boringssl_aead *aead, uint8_t *out, size_t *out_bytes, size_t out_bytes_max,
    const uint8_t *nonce, size_t nonce_bytes, const uint8_t *in, size_t in_bytes,
    const uint8_t *data, size_t data_bytes);
extern void CCryptoBoringSSL_ERR_clear_error(void);

enum { key_bytes = 32, nonce_bytes = 12, tag_bytes = 16 };

boringssl_aead *boringssl_aead_new(const uint8_t *key)
{
    return CCryptoBoringSSL_EVP_AEAD_CTX_new(
        CCryptoBoringSSL_EVP_aead_aes_256_gcm(), key, key_bytes, tag_bytes);
}

void boringssl_aead_free(boringssl_aead *aead) { CCryptoBoringSSL_EVP_AEAD_CTX_free(aead); }

int boringssl_aead_seal(
    const boringssl_aead *aead, uint8_t *out, const uint8_t *nonce, const uint8_t *plain,
    size_t plain_bytes, const uint8_t *data, size_t data_bytes)
{
    size_t written = 0;
    const int made = CCryptoBoringSSL_EVP_AEAD_CTX_seal(
        aead, out, &written, plain_bytes + tag_bytes, nonce, nonce_bytes, plain, plain_bytes, data,
        data_bytes);
    return made == 1 && written == plain_bytes + tag_bytes;
}

int boringssl_aead_open(
    const boringssl_aead *aead, uint8_t *out, const uint8_t *nonce, const uint8_t *sealed,
    size_t sealed_bytes, const uint8_t *data, size_t data_bytes)
{
    if (sealed_bytes < tag_bytes) return 0;
    size_t written = 0;
    const int opened = CCryptoBoringSSL_EVP_AEAD_CTX_open(
        aead, out, &written, sealed_bytes - tag_bytes, nonce, nonce_bytes, sealed, sealed_bytes,
        data, data_bytes);
    // What failed is said by the result; the thread's list of errors belongs to others.
    if (opened != 1) CCryptoBoringSSL_ERR_clear_error();
    return opened == 1 && written == sealed_bytes - tag_bytes;
}
