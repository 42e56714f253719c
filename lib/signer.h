/*
 * Signatures by which a server knows again what it has given away: 16 bytes of
 * HMAC-SHA256, with a secret that is kept in a file.
 */
#ifndef SIGNER_H
#define SIGNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECRET_BYTES	32
#define SECRETS_MAX	4	/* lines of a secret file */
#define MAC_BYTES	16

struct signer;

/*
 * Read the secret file at path: lines of 64 hex digits, of which the first
 * signs and all are believed, so that a new one can be put first.  If there is
 * no such file it is made, with one random line, readable by its owner alone.
 * With path NULL the secret lives as long as the process.  NULL with a message
 * in why.
 */
struct signer *signer_new(const char *path, char *why, size_t size);
void signer_free(struct signer *);

/*
 * Sign a and b, one behind the other; whether that was done.  One of them must
 * be of a fixed length, or else they could be cut elsewhere.
 */
void signer_sign(struct signer *, const void *a, size_t na, const void *b,
    size_t nb, unsigned char mac[MAC_BYTES]);
bool signer_check(struct signer *, const void *a, size_t na, const void *b,
    size_t nb, const unsigned char mac[MAC_BYTES]);

/* Base64 with - and _ and without =: n bytes become BASE64URL_LEN(n). */
#define BASE64URL_LEN(n)	(((n) * 8 + 5) / 6)
void base64url_put(const unsigned char *p, size_t n, char *out);

/* Exactly n bytes from the canonical form; 0 or -1. */
int base64url_get(const char *s, unsigned char *p, size_t n);

#endif
