/*
 * Rate limits: token buckets, one for each key, and a fixed table of them for
 * addresses.  An address that is not in the table starts with a full bucket,
 * in the place of the one that was used least lately of four.
 */
#ifndef LIMIT_H
#define LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "http.h"

struct rate {
	double per_ms;		/* 0: no limit */
	double burst;
};

struct bucket {
	double level;
	uint64_t when;		/* ms; 0: never used, full */
};

/*
 * Take one.  0, or how many ms until there is one again (at least 1).
 */
uint64_t bucket_take(struct bucket *, const struct rate *, uint64_t now);

struct limiter;

/* NULL if there is no memory. */
struct limiter *limiter_new(void);
void limiter_free(struct limiter *);

#define LIMIT_KINDS	2	/* buckets of an address, as the caller numbers them */

/*
 * The bucket of an address: a host has an IPv4 address, or the network of 64
 * bits of an IPv6 one.
 */
struct bucket *limiter_bucket(struct limiter *, const struct http_address *,
    unsigned kind, uint64_t now);

#endif
