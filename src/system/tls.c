#include "system/tls.h"

#include "base/assert.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

/* Both are OpenSSL's own objects under our names, so that nothing is allocated beside them. */
static SSL_CTX *context_of(struct tls_context *context)
{
    return (SSL_CTX *)context;
}

static SSL *ssl_of(struct tls *tls)
{
    return (SSL *)tls;
}

static enum err fail_with(const char *what, char *out_why, size_t why_size)
{
    char reason[160];
    ERR_error_string_n(ERR_get_error(), reason, sizeof(reason));
    ERR_clear_error();
    snprintf(out_why, why_size, "%s: %s", what, reason);
    return ERR_IO;
}

enum err tls_context_open(const char *cert_file, const char *key_file,
                          struct tls_context **out_context, char *out_why, size_t why_size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        return fail_with("TLS", out_why, why_size);
    }
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* No session is kept on our side: a client that resumes brings a ticket. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    enum err err = ERR_OK;
    if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1) {
        err = fail_with(cert_file, out_why, why_size);
    } else if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1) {
        err = fail_with(key_file, out_why, why_size);
    } else if (SSL_CTX_check_private_key(context) != 1) {
        err = fail_with("certificate and key do not belong together", out_why, why_size);
    }
    if (err != ERR_OK) {
        SSL_CTX_free(context);
        return err;
    }
    *out_context = (struct tls_context *)context;
    return ERR_OK;
}

void tls_context_close(struct tls_context *context)
{
    SSL_CTX_free(context_of(context));
}

struct tls *tls_accept(struct tls_context *context, int fd)
{
    SSL *ssl = SSL_new(context_of(context));
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_accept_state(ssl);
    return (struct tls *)ssl;
}

void tls_close(struct tls *tls)
{
    if (tls != NULL) {
        SSL_set_quiet_shutdown(ssl_of(tls), 1);
        SSL_free(ssl_of(tls));
    }
}

static enum err tls_err(struct tls *tls, int result)
{
    switch (SSL_get_error(ssl_of(tls), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return ERR_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        return ERR_CLOSED;
    default:
        ERR_clear_error();
        return ERR_PROTOCOL;
    }
}

enum err tls_handshake(struct tls *tls)
{
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_of(tls));
    return result == 1 ? ERR_OK : tls_err(tls, result);
}

enum err tls_read(struct tls *tls, uint8_t *area, size_t size, size_t *out_size)
{
    ERR_clear_error();
    const int result = SSL_read_ex(ssl_of(tls), area, size, out_size);
    return result == 1 ? ERR_OK : tls_err(tls, result);
}

enum err tls_write(struct tls *tls, struct bytes bytes, size_t *out_size)
{
    ASSERT(bytes.size > 0);
    ERR_clear_error();
    const int result = SSL_write_ex(ssl_of(tls), bytes.data, bytes.size, out_size);
    return result == 1 ? ERR_OK : tls_err(tls, result);
}
