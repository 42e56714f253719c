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

#include <stdint.h>

#include "signer.h"

#define TOKEN_BYTES	29
#define TOKEN_LEN	39	/* characters */

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
