// SPDX-License-Identifier: Apache-2.0
#include "COpenSSLShims.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

int openssl_context_set_versions(SSL_CTX *context, int lowest, int highest) {
    return SSL_CTX_set_min_proto_version(context, lowest) &&
           SSL_CTX_set_max_proto_version(context, highest);
}

long openssl_context_set_mode(SSL_CTX *context, long mode) {
    return SSL_CTX_set_mode(context, mode);
}

long openssl_context_set_session_cache_mode(SSL_CTX *context, long mode) {
    return SSL_CTX_set_session_cache_mode(context, mode);
}

int openssl_set_server_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}

EVP_PKEY *openssl_generate_p256(void) { return EVP_EC_gen("P-256"); }

EVP_PKEY *openssl_generate_rsa(unsigned bits) { return EVP_RSA_gen(bits); }

long openssl_memory_bio_bytes(BIO *bio, char **bytes) { return BIO_get_mem_data(bio, bytes); }

int openssl_error_reason(unsigned long code) { return ERR_GET_REASON(code); }

int openssl_error_is_system(unsigned long code) { return ERR_SYSTEM_ERROR(code); }

uint64_t openssl_context_set_client_options(SSL_CTX *context) {
    return SSL_CTX_set_options(
        context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
}

int openssl_is_unexpected_eof(unsigned long code) {
    return ERR_GET_LIB(code) == ERR_LIB_SSL &&
           ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

int openssl_store_object_count(X509_STORE *store) {
    return sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
}
