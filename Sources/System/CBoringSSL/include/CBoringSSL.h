// SPDX-License-Identifier: Apache-2.0
// AES-256-GCM and HMAC-SHA512 of the BoringSSL inside swift-crypto, from and to the caller's
// memory. swift-crypto's own calls allocate each result and copy it twice, which takes longer than
// the cipher does, and hold keys on the heap. Nothing here allocates.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum {
    boringssl_aead_bytes = 576,
    boringssl_hmac_bytes = 400,
    /// Of a code of HMAC-SHA512.
    boringssl_code_bytes = 64,
    /// Longer keys of HMAC-SHA512 would have to be hashed first.
    boringssl_hmac_key_bytes_max = 128,
};

/// A key schedule: `boringssl_aead_bytes` at a multiple of 8. Points to nothing of its own, so
/// that whoever has the memory ends it by zeroing. Does not change after it was made, and may be
/// used by several threads.
typedef struct boringssl_aead boringssl_aead;

/// What HMAC-SHA512 makes of a key while it runs: `boringssl_hmac_bytes` at a multiple of 8, for
/// the caller to zero.
typedef struct boringssl_hmac boringssl_hmac;

/// EVP_AEAD_CTX_init with EVP_aead_aes_256_gcm and tags of 16 bytes. `key` has 32 bytes. Returns 1
/// for success.
int boringssl_aead_init(boringssl_aead *aead, const uint8_t *key);

/// EVP_AEAD_CTX_seal: writes `plain_bytes` and a tag of 16 bytes to `out`. `nonce` has 12 bytes.
/// Returns 1 for success.
int boringssl_aead_seal(
    const boringssl_aead *aead, uint8_t *out, const uint8_t *nonce, const uint8_t *plain,
    size_t plain_bytes, const uint8_t *data, size_t data_bytes);

/// EVP_AEAD_CTX_open: writes `sealed_bytes` - 16 bytes to `out`, zeros on failure. `nonce` has 12
/// bytes. Returns 1 for success.
int boringssl_aead_open(
    const boringssl_aead *aead, uint8_t *out, const uint8_t *nonce, const uint8_t *sealed,
    size_t sealed_bytes, const uint8_t *data, size_t data_bytes);

/// HMAC-SHA512 (RFC 2104) by SHA512_Init, SHA512_Update and SHA512_Final, since BoringSSL's own
/// HMAC leaves the padded key on the stack. Writes `boringssl_code_bytes` to `out`, which may be
/// part of no other argument. `key_bytes` is at most `boringssl_hmac_key_bytes_max`. Returns 1 for
/// success.
int boringssl_hmac_sha512(
    boringssl_hmac *hmac, uint8_t *out, const uint8_t *key, size_t key_bytes,
    const uint8_t *message, size_t message_bytes);
