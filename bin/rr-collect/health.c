#include "health.h"

#include <stddef.h>

void
health_sent(struct health *h, uint64_t now)
{
	if (h->since == 0)
		h->since = now;
	h->appends++;
}

void
health_settled(struct health *h, enum ring_result result, bool makes,
    uint64_t now)
{
	h->appends--;
	switch (result) {
	case RING_ACK:
		h->failed = h->unsure = false;
		h->since = now;
		break;
	case RING_UNAVAILABLE:
	case RING_DENIED:
		h->failed = true;
		h->denied = result == RING_DENIED;
		h->missing = false;
		break;
	case RING_MISSING:
		if (makes)
			h->failed = h->missing = true;
		break;
	case RING_FENCED:
	case RING_MISMATCH:
	case RING_REFUSED:
	case RING_FULL:
		break;		/* S2 did not come to write it */
	}
	if (h->appends == 0)
		h->since = 0;
}

void
health_back(struct health *h, uint64_t now)
{
	h->unsure |= h->failed;
	h->failed = false;
	if (h->since != 0)
		h->since = now;
}

const char *
health_trouble(const struct health *h, uint64_t now)
{
	if (h->failed && h->missing)
		return "the basin is missing";
	if (h->failed && h->denied)
		return "S2 does not let us append";
	if (h->failed ||
	    (h->since != 0 && now - h->since >= HEALTH_WAIT_MS))
		return "S2 answers, but takes no appends; is its disk full?";
	return NULL;
}

bool
health_is_open(const struct health *h)
{
	return h->failed || h->unsure;
}

bool
health_try(struct health *h, uint64_t now)
{
	if (!health_is_open(h) || h->appends > 0 ||
	    now - h->tried < HEALTH_TRY_MS)
		return false;
	h->tried = now;
	return true;
}
