/*
 * What is remembered of the sessions that were heard of lately: a cache, of
 * which each part can be forgotten and asked of the stream again.
 */
#ifndef SESSIONS_H
#define SESSIONS_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "post.h"
#include "session.h"

#define TABS_MAX	256	/* remembered of one session */
#define SNAP_NONE	UINT32_MAX

enum snapshot {
	SNAPSHOT_UNKNOWN,
	SNAPSHOT_NEVER,		/* the tab has none */
	SNAPSHOT_STORED,
};

/*
 * A tab.  'last' is the number of the last batch that is stored (or told to be
 * missing), and since none is stored before the one that precedes it, all up
 * to it are.
 */
struct tab {
	struct tab *next;
	uint32_t number;
	uint32_t last;
	uint32_t snap;		/* where the last snapshot is, or SNAP_NONE */
	uint64_t seq;		/* where 'last' starts */
	enum snapshot snapshot;
	bool known;		/* 'last' is */
	bool seen;		/* by the probe under way */
	struct unit *storing;	/* one batch at a time */
	struct post_list waiting;	/* by number */
};

struct session {
	struct session *chain;		/* in its slot of the hash */
	TAILQ_ENTRY(session) used;
	char id[SESSION_ID_LEN + 1];
	bool known;		/* the stream's end is */
	bool complete;		/* a tab that is not here has no batch */
	bool stopped;
	bool gone;
	bool probing;
	bool alone;		/* a unit is stored that bears no other */
	bool draining;		/* one that bears no other waits */
	struct marks *marks;	/* of the last events without a number */
	struct tally tally;	/* stored, and not yet in the index */
	bool watched;		/* as ingest.c saw it last, */
	uint64_t looked;	/* ms: then */
	uint32_t units;		/* being stored */
	uint32_t ntabs;
	uint64_t when;		/* ms: last heard of */
	uint64_t tail;		/* all records before it are known */
	uint64_t seen_first;	/* the first record that a probe saw */
	struct tab *tabs;
	struct post_list waiting;
};
TAILQ_HEAD(session_list, session);

struct sessions {
	struct session **slots;
	uint32_t nslots;	/* a power of two */
	uint32_t n, max;
	uint64_t seed;
	struct session_list used;	/* the one used last is first */
};

/* 0 or -1 with errno. */
int sessions_init(struct sessions *, uint32_t max);
void sessions_release(struct sessions *);

/*
 * The session of this id, made if there is none, in the place of one that
 * nothing waits for.  NULL if there is no room.
 */
struct session *sessions_get(struct sessions *, const char *id, uint64_t now);
void sessions_drop(struct sessions *, struct session *);

/* Forget those not heard of since 'before' (ms) that nothing waits for. */
void sessions_expire(struct sessions *, uint64_t before);

/* The tab of this number; made if there is none.  NULL if there is no room. */
struct tab *session_tab(struct session *, uint32_t number);

#endif
