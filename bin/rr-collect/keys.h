/*
 * Project keys: who may open sessions, and from which pages.
 *
 * The file has one key a line; rr-collect(1), FILES, describes it:
 *
 *	KEY ORIGIN ... [source=NAME] [opens=N] [posts=N] [days=N] [filter=FILE]
 *	    [bots=refuse] [address=truncated] [sample=PERCENT] [preset=NAME]
 *
 * Without a file there is one key, "dev", for pages of this machine alone.
 */
#ifndef KEYS_H
#define KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limit.h"

#define KEY_NAME_MAX	64	/* bytes of a key */
#define KEY_SOURCE_MAX	120	/* bytes of its source name */
#define KEY_ORIGINS_MAX	32	/* origins of a key */
#define KEYS_MAX	4096	/* keys in a file */
#define KEYS_LINE_MAX	8192	/* bytes of a line */

struct key {
	char name[KEY_NAME_MAX + 1];
	uint64_t number;	/* stands for it in tokens */
	bool revoked;		/* no longer in the file */
	bool seen;		/* in the file being read */
	bool local;		/* for clients and pages of this machine */
	char source[KEY_SOURCE_MAX + 1];
	char *origins[KEY_ORIGINS_MAX];
	int norigins;
	uint32_t retention;	/* seconds; 0: the basin's */
	bool refuse_bots;	/* they open no sessions */
	bool keep_address;	/* truncated, in the session's metadata */
	uint32_t unsampled;	/* percent of sessions that are not wanted */
	const char *preset;	/* of privacy, that recorders are held to; or NULL */
	struct filter *filter;	/* or NULL */
	struct rate opens_rate, posts_rate;
	struct bucket opens, posts;
	uint64_t told;		/* ms: when the log last heard of it */
};

/* A key stays where it is, even one that is revoked, until keys_free(). */
struct keys {
	struct key **list;	/* sorted by number */
	int n;
};

/*
 * Read the file, or with NULL make the key "dev".  Called again, it reads
 * again: keys that are gone are revoked.  0, or -1 with a message in why, and
 * what was read before stays in force.
 */
int keys_load(struct keys *, const char *path, char *why, size_t size);
void keys_free(struct keys *);

/* The key of this name or number that is not revoked, or NULL. */
struct key *key_by_name(const struct keys *, const char *name);
struct key *key_by_number(const struct keys *, uint64_t number);

/* True if this User-Agent (NULL: none) is a robot's, as rr-collect(1) says. */
bool agent_is_bot(const char *agent);

/* True if pages of this origin may use it; NULL is a request without one. */
bool key_allows(const struct key *, const char *origin);

#endif
