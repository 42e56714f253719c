#include "token.h"

#include <string.h>

#include "session.h"

#define VERSION		1
#define SIGNED_BYTES	13

void
token_make(struct signer *s, const char *id, uint64_t key, uint32_t expires,
    char out[TOKEN_LEN + 1])
{
	unsigned char token[TOKEN_BYTES];

	token[0] = VERSION;
	for (int i = 0; i < 8; i++)
		token[1 + i] = (unsigned char)(key >> (56 - 8 * i));
	for (int i = 0; i < 4; i++)
		token[9 + i] = (unsigned char)(expires >> (24 - 8 * i));
	signer_sign(s, token, SIGNED_BYTES, id, SESSION_ID_LEN,
	    token + SIGNED_BYTES);
	base64url_put(token, TOKEN_BYTES, out);
}

int
token_check(struct signer *s, const char *id, const char *text, uint64_t *key,
    uint32_t *expires)
{
	unsigned char token[TOKEN_BYTES];

	if (base64url_get(text, token, sizeof(token)) == -1 ||
	    token[0] != VERSION || !signer_check(s, token, SIGNED_BYTES, id,
	    SESSION_ID_LEN, token + SIGNED_BYTES))
		return -1;
	*key = 0;
	for (int i = 0; i < 8; i++)
		*key = *key << 8 | token[1 + i];
	*expires = 0;
	for (int i = 0; i < 4; i++)
		*expires = *expires << 8 | token[9 + i];
	return 0;
}
