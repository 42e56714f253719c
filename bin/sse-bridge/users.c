#include "users.h"

#include <sys/stat.h>

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"
#include "signer.h"

#define LINE_BYTES	512

static const char *const roles[] = { "none", "view", "delete", "admin" };

const char *
role_name(enum role role)
{
	return roles[role];
}

bool
user_name_is_valid(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= USER_NAME_MAX && strspn(name,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "._@+-") == n;
}

static bool
take_role(const char *word, enum role *role)
{
	for (*role = ROLE_VIEW; *role <= ROLE_ADMIN; (*role)++)
		if (strcmp(word, roles[*role]) == 0)
			return true;
	return false;
}

static bool
take_hash(const char *word, struct user *u)
{
	u->has_token = strcmp(word, "-") != 0;
	if (!u->has_token)
		return true;
	return strlen(word) == 2 * USER_HASH_BYTES &&
	    hex_get(word, u->hash, USER_HASH_BYTES) == 0;
}

/* NULL, or what is wrong with the line. */
static const char *
take_line(struct users *us, char *line)
{
	struct user *u = &us->list[us->n];
	char *words[4] = { NULL }, *next = line;
	int n = 0;

	while (n < 4 && (words[n] = strsep(&next, " \t\r\n")) != NULL)
		n += *words[n] != '\0';
	if (n == 0 || words[0][0] == '#')
		return NULL;
	if (us->n == USERS_MAX)
		return "too many users";
	if (n != 3)
		return "it must be NAME ROLE HASH";
	if (strcmp(words[0], "*") != 0 && !user_name_is_valid(words[0]))
		return "a name is 1 to 64 of A-Z a-z 0-9 . _ @ + -";
	if (!take_role(words[1], &u->role))
		return "a role is view, delete or admin";
	if (!take_hash(words[2], u))
		return "a hash is 64 hex digits, or -";
	if (u->has_token && strcmp(words[0], "*") == 0)
		return "* has no token";
	strlcpy(u->name, words[0], sizeof u->name);
	us->n++;
	return NULL;
}

struct users *
users_read(const char *path, char *why, size_t size)
{
	struct users *us = calloc(1, sizeof *us);
	char line[LINE_BYTES];
	const char *bad = NULL;
	struct stat st;
	unsigned n = 0;
	FILE *f;

	if (us == NULL || (f = fopen(path, "re")) == NULL) {
		snprintf(why, size, "cannot read '%s': %s", path,
		    strerror(errno));
		free(us);
		return NULL;
	}
	if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & 027) != 0) {
		snprintf(why, size, "others can read '%s'; chmod 600 it", path);
		goto fail;
	}
	while (bad == NULL && fgets(line, sizeof line, f) != NULL) {
		n++;
		bad = strlen(line) == sizeof line - 1 ? "it is too long" :
		    take_line(us, line);
	}
	if (bad != NULL) {
		snprintf(why, size, "%s:%u: %s", path, n, bad);
		goto fail;
	}
	if (ferror(f)) {
		snprintf(why, size, "cannot read '%s': %s", path,
		    strerror(errno));
		goto fail;
	}
	fclose(f);
	return us;
fail:
	fclose(f);
	free(us);
	return NULL;
}

const struct user *
users_by_token(const struct users *us, const char *token)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	const struct user *found = NULL;
	size_t i;

	if (strlen(token) < USER_TOKEN_MIN || EVP_Digest(token, strlen(token),
	    hash, NULL, EVP_sha256(), NULL) != 1)
		return NULL;
	for (i = 0; i < us->n; i++)
		if (us->list[i].has_token && CRYPTO_memcmp(hash,
		    us->list[i].hash, USER_HASH_BYTES) == 0)
			found = &us->list[i];
	return found;
}

const struct user *
users_by_hash(const struct users *us, const unsigned char begin[8])
{
	size_t i;

	for (i = 0; i < us->n; i++)
		if (us->list[i].has_token && memcmp(begin, us->list[i].hash,
		    8) == 0)
			return &us->list[i];
	return NULL;
}

const struct user *
users_by_name(const struct users *us, const char *name)
{
	const struct user *other = NULL;
	size_t i;

	for (i = 0; i < us->n; i++) {
		if (strcmp(us->list[i].name, name) == 0)
			return &us->list[i];
		if (strcmp(us->list[i].name, "*") == 0)
			other = &us->list[i];
	}
	return other;
}
