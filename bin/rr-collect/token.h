/*
 * Append tokens: who holds one may append to one session, and nothing else.
 *
 * A token is base64url of
 *
 *	1	version, 1
 *	8	which project key opened the session (key_number())
 *	4	when it expires, seconds since 1970, big-endian
 *	16	HMAC-SHA256 of the above and the session's id, cut
 *
 * so it is bound to session, key and time, and no state is kept of it.
 */
#ifndef TOKEN_H
#define TOKEN_H

#include <stddef.h>
#include <stdint.h>

#define TOKEN_BYTES	29
#define TOKEN_LEN	39	/* characters */
#define SECRET_BYTES	32
#define SECRETS_MAX	4	/* lines of a secret file */

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

/* Write a token and a NUL to out. */
void token_make(struct signer *, const char *id, uint64_t key,
    uint32_t expires, char out[TOKEN_LEN + 1]);

/*
 * Whether token was made by token_make() for this id, with *key and *expires.
 * 0 or -1.  That it has not expired is for the caller to check.
 */
int token_check(struct signer *, const char *id, const char *token,
    uint64_t *key, uint32_t *expires);

#endif
