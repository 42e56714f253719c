#include "limit.h"

#include <sys/random.h>

#include <stdlib.h>
#include <string.h>

#define SETS	4096
#define WAYS	4

struct entry {
	uint64_t address;	/* its hash; 0: free */
	uint64_t used;
	struct bucket buckets[LIMIT_KINDS];
};

struct limiter {
	uint64_t seed[2];
	struct entry entries[SETS][WAYS];
};

uint64_t
bucket_take(struct bucket *b, const struct rate *r, uint64_t now)
{
	if (r->per_ms <= 0)
		return 0;
	if (b->when == 0)
		b->level = r->burst;
	else if (now > b->when)
		b->level += (double)(now - b->when) * r->per_ms;
	b->when = now;
	if (b->level > r->burst)
		b->level = r->burst;
	if (b->level < 1)
		return (uint64_t)((1 - b->level) / r->per_ms) + 1;
	b->level -= 1;
	return 0;
}

struct limiter *
limiter_new(void)
{
	struct limiter *l = calloc(1, sizeof(*l));

	if (l != NULL && getrandom(l->seed, sizeof(l->seed), 0) !=
	    sizeof(l->seed)) {
		free(l);
		return NULL;
	}
	return l;
}

void
limiter_free(struct limiter *l)
{
	free(l);
}

struct bucket *
limiter_bucket(struct limiter *l, const struct http_address *a,
    unsigned kind, uint64_t now)
{
	uint64_t hash = http_address_hash(a, l->seed) | 1;	/* 0: free */
	struct entry *set = l->entries[(hash >> 32) % SETS], *e = set;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].address == hash) {
			e = &set[i];
			break;
		}
		if (set[i].used < e->used)
			e = &set[i];
	}
	if (e->address != hash) {
		memset(e, 0, sizeof(*e));
		e->address = hash;
	}
	e->used = now;
	return &e->buckets[kind];
}
