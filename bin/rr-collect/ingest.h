/*
 * The routes of rr-ingest(7): requests become posts, and verdicts answers.
 */
#ifndef INGEST_H
#define INGEST_H

#include <stddef.h>
#include <stdint.h>

#include "body.h"
#include "buf.h"
#include "filter.h"
#include "http.h"
#include "keys.h"
#include "limit.h"
#include "store.h"
#include "token.h"

#define INGEST_BODY_MAX		(16u << 20)	/* default of --max-body */
#define INGEST_META_MAX		16384	/* bytes of metadata */
#define INGEST_TOKEN_SECONDS	172800	/* a token's life; half: renewed */
#define INGEST_FLUSH_MS		5000	/* between batches of a recorder */
#define INGEST_FLUSH_BUSY_MS	10000	/* when much waits */
#define INGEST_FLUSH_WATCHED_MS	250	/* when somebody watches */
#define INGEST_WATCHED_MS	30000	/* so long after the file was touched */
#define INGEST_LOOK_MS		1000	/* how often that is looked at */
#define INGEST_CLOCK_MS		60000	/* that a clock may be off */
#define INGEST_BEAT_MS		20000	/* between beats of an idle one */
#define INGEST_ANSWER_MAX	4096	/* bytes of an answer */

struct ingest {
	struct store store;
	struct keys keys;
	struct filters filters;
	struct signer *signer;
	struct limiter *limiter;
	struct rate opens, posts;	/* of one address */
	struct budget budget;
	size_t body_max;
	int web;			/* directory of the recorder, or -1 */
	int watched;			/* directory of what is watched, or -1 */
	struct buf answer;
	uint64_t clock;			/* ms since 1970, kept by the program */
};

/* For filters.done, with .arg a struct ingest. */
void ingest_filtered(void *arg, struct post *, enum filter_outcome,
    const char *why);

/* The calls for http_new(), with .arg a struct ingest. */
extern const struct http_program ingest_program;

#endif
