// SPDX-License-Identifier: Apache-2.0
// AES-256-GCM of the BoringSSL inside swift-crypto, from and to the caller's memory. swift-crypto's
// own calls allocate each result and copy it twice, which takes longer than the cipher does.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// A key schedule in ordinary memory that BoringSSL zeroes when it is freed. Does not change after
/// it was made, and may be used by several threads.
typedef struct boringssl_aead boringssl_aead;

/// EVP_AEAD_CTX_new with EVP_aead_aes_256_gcm and tags of 16 bytes. `key` has 32 bytes. Returns
/// NULL on failure.
boringssl_aead *boringssl_aead_new(const uint8_t *key);

/// EVP_AEAD_CTX_free.
void boringssl_aead_free(boringssl_aead *aead);

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
