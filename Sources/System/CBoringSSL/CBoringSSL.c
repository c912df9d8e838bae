// SPDX-License-Identifier: Apache-2.0
#include "CBoringSSL.h"

#include <string.h>

// swift-crypto does not offer its copy of BoringSSL as a product, but its headers can be seen by
// whoever depends on it. They say how large the structures are that the caller has room for; a
// version without them does not build, and one that means something else by them fails the test
// vectors.
#include <CCryptoBoringSSL_aead.h>
#include <CCryptoBoringSSL_err.h>
#include <CCryptoBoringSSL_sha2.h>

enum { key_bytes = 32, nonce_bytes = 12, tag_bytes = 16 };

struct boringssl_aead {
    EVP_AEAD_CTX context;
};

struct boringssl_hmac {
    SHA512_CTX hash;
    uint8_t pad[SHA512_CBLOCK];
    uint8_t inner[SHA512_DIGEST_LENGTH];
};

_Static_assert(sizeof(struct boringssl_aead) == boringssl_aead_bytes, "a schedule's size");
_Static_assert(_Alignof(struct boringssl_aead) == 8, "a schedule's alignment");
_Static_assert(sizeof(struct boringssl_hmac) == boringssl_hmac_bytes, "the size of HMAC's state");
_Static_assert(_Alignof(struct boringssl_hmac) == 8, "the alignment of HMAC's state");
_Static_assert(SHA512_DIGEST_LENGTH == boringssl_code_bytes, "a code's size");
_Static_assert(SHA512_CBLOCK == boringssl_hmac_key_bytes_max, "the size of HMAC's key");

/// Overwrites what the functions that the caller called before left on the stack: the hash's
/// message schedule, the hash key of GCM. Theirs is less, with what the dynamic linker saves when
/// they call something for the first time. This one calls nothing, so that it saves nothing below.
static void __attribute__((noinline, no_builtin("memset"))) clear_stack(void)
{
    uint64_t below[1024];
    for (size_t index = 0; index < sizeof below / sizeof below[0]; index++) below[index] = 0;
    __asm__ volatile("" : : "r"(below) : "memory");
}

int boringssl_aead_init(boringssl_aead *aead, const uint8_t *key)
{
    const int made = EVP_AEAD_CTX_init(
        &aead->context, EVP_aead_aes_256_gcm(), key, key_bytes, tag_bytes, NULL);
    clear_stack();
    return made;
}

int boringssl_aead_seal(
    const boringssl_aead *aead, uint8_t *out, const uint8_t *nonce, const uint8_t *plain,
    size_t plain_bytes, const uint8_t *data, size_t data_bytes)
{
    size_t written = 0;
    const int made = EVP_AEAD_CTX_seal(
        &aead->context, out, &written, plain_bytes + tag_bytes, nonce, nonce_bytes, plain,
        plain_bytes, data, data_bytes);
    return made == 1 && written == plain_bytes + tag_bytes;
}

int boringssl_aead_open(
    const boringssl_aead *aead, uint8_t *out, const uint8_t *nonce, const uint8_t *sealed,
    size_t sealed_bytes, const uint8_t *data, size_t data_bytes)
{
    if (sealed_bytes < tag_bytes) return 0;
    size_t written = 0;
    const int opened = EVP_AEAD_CTX_open(
        &aead->context, out, &written, sealed_bytes - tag_bytes, nonce, nonce_bytes, sealed,
        sealed_bytes, data, data_bytes);
    // What failed is said by the result; the thread's list of errors belongs to others.
    if (opened != 1) ERR_clear_error();
    return opened == 1 && written == sealed_bytes - tag_bytes;
}

/// One of HMAC's two hashes: of the key under a mask, then of `message`. Its frame is cleared too.
static void __attribute__((noinline)) hash(
    boringssl_hmac *hmac, uint8_t *out, uint8_t mask, const uint8_t *key, size_t key_bytes,
    const uint8_t *message, size_t message_bytes)
{
    memset(hmac->pad, mask, sizeof hmac->pad);
    for (size_t index = 0; index < key_bytes; index++) hmac->pad[index] ^= key[index];
    SHA512_Init(&hmac->hash);
    SHA512_Update(&hmac->hash, hmac->pad, sizeof hmac->pad);
    SHA512_Update(&hmac->hash, message, message_bytes);
    SHA512_Final(out, &hmac->hash);
}

int boringssl_hmac_sha512(
    boringssl_hmac *hmac, uint8_t *out, const uint8_t *key, size_t key_bytes,
    const uint8_t *message, size_t message_bytes)
{
    if (key_bytes > sizeof hmac->pad) return 0;
    hash(hmac, hmac->inner, 0x36, key, key_bytes, message, message_bytes);
    hash(hmac, out, 0x5c, key, key_bytes, hmac->inner, sizeof hmac->inner);
    clear_stack();
    return 1;
}
