// SPDX-License-Identifier: Apache-2.0
// OpenSSL's macros and inline functions that Swift cannot import. Each function is one call.
#pragma once
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

/// Lowest and highest protocol version (TLS1_2_VERSION, …); 0 leaves the bound open.
/// Returns 1 for success.
int openssl_context_set_versions(SSL_CTX *context, int lowest, int highest);

/// SSL_CTX_set_mode: adds mode bits; returns the new mask.
long openssl_context_set_mode(SSL_CTX *context, long mode);

/// SSL_CTX_set_session_cache_mode: returns the mode before.
long openssl_context_set_session_cache_mode(SSL_CTX *context, long mode);

/// SSL_set_tlsext_host_name: the server name sent in the hello. Returns 1 for success.
int openssl_set_server_name(SSL *ssl, const char *name);

/// EVP_EC_gen for the curve named P-256. Returns NULL on failure.
EVP_PKEY *openssl_generate_p256(void);

/// EVP_RSA_gen: an RSA key of `bits`. Returns NULL on failure.
EVP_PKEY *openssl_generate_rsa(unsigned bits);

/// BIO_get_mem_data: the bytes a memory BIO holds. Returns their count.
long openssl_memory_bio_bytes(BIO *bio, char **bytes);

/// ERR_GET_REASON of a packed error code.
int openssl_error_reason(unsigned long code);

/// ERR_SYSTEM_ERROR of a packed error code: 1 when it carries an errno.
int openssl_error_is_system(unsigned long code);

/// SSL_CTX_set_options(SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION):
/// returns the new options.
uint64_t openssl_context_set_client_options(SSL_CTX *context);

/// Reason code SSL_R_UNEXPECTED_EOF_WHILE_READING of the ssl library.
int openssl_is_unexpected_eof(unsigned long code);

/// Number of certificates and lists that a store holds.
int openssl_store_object_count(X509_STORE *store);
