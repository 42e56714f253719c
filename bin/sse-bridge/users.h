/*
 * The file of those who may watch: a line a user,
 *
 *	NAME ROLE HASH
 *
 * HASH is SHA-256 of the user's token in hex, or - for one that has none and
 * whom a proxy names.  The name * is for all others that a proxy names.
 */
#ifndef USERS_H
#define USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USERS_MAX	1000
#define USER_NAME_MAX	64	/* bytes of A-Z a-z 0-9 . _ @ + - */
#define USER_TOKEN_MIN	20	/* characters */
#define USER_HASH_BYTES	32

/* Each may do what those before it may. */
enum role {
	ROLE_NONE,
	ROLE_VIEW,		/* list, watch, export */
	ROLE_DELETE,		/* stop, delete */
	ROLE_ADMIN,		/* give away links */
};

struct user {
	char name[USER_NAME_MAX + 1];
	enum role role;
	bool has_token;
	unsigned char hash[USER_HASH_BYTES];
};

struct users {
	size_t n;
	struct user list[USERS_MAX];
};

/* As it is written in the file. */
const char *role_name(enum role);

/* True if these bytes can be a name. */
bool user_name_is_valid(const char *name);

/*
 * Read the file, which others than its owner and group must not be able to
 * read.  NULL with why; free() what it returns.
 */
struct users *users_read(const char *path, char *why, size_t size);

/* Who has this token; NULL: nobody. */
const struct user *users_by_token(const struct users *, const char *token);

/* Whose hash begins with these 8 bytes. */
const struct user *users_by_hash(const struct users *,
    const unsigned char begin[8]);

/* Who has this name, or is meant by *. */
const struct user *users_by_name(const struct users *, const char *name);

#endif
