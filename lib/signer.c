#include "signer.h"

#include <sys/random.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hex.h"

#define FILE_MAX	(SECRETS_MAX * (2 * SECRET_BYTES + 1))

struct signer {
	EVP_MAC *mac;
	EVP_MAC_CTX *ctx[SECRETS_MAX];	/* one for each secret, keyed */
	int n;
};

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
base64url_put(const unsigned char *p, size_t n, char *out)
{
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | p[i];
		for (have += 8; have >= 6; have -= 6)
			*out++ = alphabet[bits >> (have - 6) & 63];
	}
	if (have > 0)
		*out++ = alphabet[bits << (6 - have) & 63];
	*out = '\0';
}

static int
digit_value(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-' || c == '_')
		return c == '-' ? 62 : 63;
	return -1;
}

int
base64url_get(const char *s, unsigned char *p, size_t n)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t done = 0;
	int v;

	for (; *s != '\0'; s++) {
		if ((v = digit_value((unsigned char)*s)) == -1)
			return -1;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			if (done == n)
				return -1;
			have -= 8;
			p[done++] = (unsigned char)(bits >> have);
		}
	}
	return done == n && have < 6 && (bits & ((1u << have) - 1)) == 0 ?
	    0 : -1;
}

static int
signer_add(struct signer *s, const unsigned char *secret)
{
	OSSL_PARAM params[2];
	char digest[] = "SHA256";

	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
	    digest, 0);
	params[1] = OSSL_PARAM_construct_end();
	s->ctx[s->n] = EVP_MAC_CTX_new(s->mac);
	if (s->ctx[s->n] == NULL || EVP_MAC_init(s->ctx[s->n], secret,
	    SECRET_BYTES, params) != 1)
		return -1;
	s->n++;
	return 0;
}

/*
 * Make the file, which appears with all that is in it; one that somebody else
 * makes meanwhile is as good.
 */
static int
secret_create(const char *path)
{
	unsigned char secret[SECRET_BYTES];
	char text[2 * SECRET_BYTES + 2], fresh[PATH_MAX];
	int fd, e = 0;

	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return -1;
	for (size_t i = 0; i < sizeof(secret); i++)
		snprintf(text + 2 * i, 3, "%02x", secret[i]);
	text[2 * SECRET_BYTES] = '\n';
	if ((size_t)snprintf(fresh, sizeof(fresh), "%s.XXXXXX", path) >=
	    sizeof(fresh)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((fd = mkostemp(fresh, O_CLOEXEC)) == -1)	/* of mode 0600 */
		return -1;
	errno = EIO;		/* of a short write */
	if (write(fd, text, sizeof(text) - 1) != sizeof(text) - 1 ||
	    fsync(fd) == -1 ||
	    (link(fresh, path) == -1 && errno != EEXIST))
		e = errno;
	close(fd);
	unlink(fresh);
	errno = e;
	return e == 0 ? 0 : -1;
}

static int
secret_read(struct signer *s, const char *path, char *why, size_t size)
{
	unsigned char secret[SECRET_BYTES];
	char text[FILE_MAX + 2], *line, *next;
	struct stat st;
	ssize_t n;
	int fd;

	if (access(path, F_OK) == -1 && errno == ENOENT &&
	    secret_create(path) == -1) {
		snprintf(why, size, "cannot make the secret file '%s': %s",
		    path, strerror(errno));
		return -1;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1 ||
	    (n = read(fd, text, sizeof(text) - 1)) == -1) {
		snprintf(why, size, "cannot read the secret file '%s': %s",
		    path, strerror(errno));
		if (fd != -1)
			close(fd);
		return -1;
	}
	close(fd);
	/* Its group's bits may stand for a list of who may read it. */
	if (S_ISREG(st.st_mode) && (st.st_mode & 027) != 0) {
		snprintf(why, size, "others can read the secret file '%s'; "
		    "chmod 600 it", path);
		return -1;
	}
	text[n] = '\0';
	for (line = text; *line != '\0'; line = next) {
		next = strchrnul(line, '\n');
		if (*next != '\0')
			*next++ = '\0';
		if (strlen(line) != 2 * SECRET_BYTES || s->n == SECRETS_MAX ||
		    hex_get(line, secret, SECRET_BYTES) == -1) {
			snprintf(why, size, "the secret file '%s' must hold 1 "
			    "to %d lines of %d hex digits", path, SECRETS_MAX,
			    2 * SECRET_BYTES);
			return -1;
		}
		if (signer_add(s, secret) == -1) {
			snprintf(why, size, "libcrypto has no HMAC-SHA256");
			return -1;
		}
	}
	OPENSSL_cleanse(text, sizeof(text));
	OPENSSL_cleanse(secret, sizeof(secret));
	if (s->n == 0) {
		snprintf(why, size, "the secret file '%s' is empty", path);
		return -1;
	}
	return 0;
}

struct signer *
signer_new(const char *path, char *why, size_t size)
{
	unsigned char secret[SECRET_BYTES];
	struct signer *s;

	if ((s = calloc(1, sizeof(*s))) == NULL) {
		snprintf(why, size, "%s", strerror(errno));
		return NULL;
	}
	s->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (s->mac == NULL) {
		snprintf(why, size, "libcrypto has no HMAC");
		goto fail;
	}
	if (path != NULL) {
		if (secret_read(s, path, why, size) == -1)
			goto fail;
	} else if (getrandom(secret, sizeof(secret), 0) != sizeof(secret) ||
	    signer_add(s, secret) == -1) {
		snprintf(why, size, "cannot make a secret");
		goto fail;
	}
	return s;
fail:
	signer_free(s);
	return NULL;
}

void
signer_free(struct signer *s)
{
	for (int i = 0; i < SECRETS_MAX; i++)
		EVP_MAC_CTX_free(s->ctx[i]);
	EVP_MAC_free(s->mac);
	free(s);
}

/* With one of the secrets; only a bug could make these fail. */
static void
mac_of(EVP_MAC_CTX *ctx, const void *a, size_t na, const void *b, size_t nb,
    unsigned char mac[32])
{
	size_t n;

	if (EVP_MAC_init(ctx, NULL, 0, NULL) != 1 ||
	    EVP_MAC_update(ctx, a, na) != 1 ||
	    EVP_MAC_update(ctx, b, nb) != 1 ||
	    EVP_MAC_final(ctx, mac, &n, 32) != 1)
		abort();
}

void
signer_sign(struct signer *s, const void *a, size_t na, const void *b,
    size_t nb, unsigned char mac[MAC_BYTES])
{
	unsigned char whole[32];

	mac_of(s->ctx[0], a, na, b, nb, whole);
	memcpy(mac, whole, MAC_BYTES);
}

bool
signer_check(struct signer *s, const void *a, size_t na, const void *b,
    size_t nb, const unsigned char mac[MAC_BYTES])
{
	unsigned char whole[32];
	bool good = false;

	for (int i = 0; i < s->n && !good; i++) {
		mac_of(s->ctx[i], a, na, b, nb, whole);
		good = CRYPTO_memcmp(whole, mac, MAC_BYTES) == 0;
	}
	return good;
}
