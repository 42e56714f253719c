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

static uint64_t
mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint64_t
address_hash(const struct limiter *l, const struct http_address *a)
{
	static const unsigned char v4[12] = { [10] = 0xff, 0xff };
	uint64_t high, low = 0;

	memcpy(&high, a->ip, 8);
	if (memcmp(a->ip, v4, 12) == 0)
		memcpy(&low, a->ip + 8, 8);
	return mix(mix(high + l->seed[0]) ^ (low + l->seed[1])) | 1;
}

struct bucket *
limiter_bucket(struct limiter *l, const struct http_address *a,
    unsigned kind, uint64_t now)
{
	uint64_t hash = address_hash(l, a);
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
