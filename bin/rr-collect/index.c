#include "index.h"

#include <inttypes.h>
#include <string.h>

#include "put.h"

#define SMALL_EVENT	4096	/* what a user does is told in less */

/* True if an incremental event's source is something that a user does. */
static bool
is_user(const char *p, size_t len)
{
	const char *data, *source;
	size_t data_len, n;

	if (len > SMALL_EVENT ||
	    scan_member(p, len, "data", &data, &data_len) == -1 ||
	    scan_member(data, data_len, "source", &source, &n) == -1)
		return false;
	/* Mouse moves, clicks, scrolls, resizes, inputs, touch, drag. */
	return n == 1 ? *source >= '1' && *source <= '6' :
	    n == 2 && memcmp(source, "12", 2) == 0;
}

static void
count_custom(struct tally *c, const char *p, size_t len)
{
	const char *data, *tag;
	size_t data_len, n;

	if (len > SMALL_EVENT ||
	    scan_member(p, len, "data", &data, &data_len) == -1 ||
	    scan_member(data, data_len, "tag", &tag, &n) == -1)
		return;
	c->rage += scan_is_string(tag, n, "rr.rage");
	c->dead += scan_is_string(tag, n, "rr.dead");
	c->pages += scan_is_string(tag, n, "rr.page");
}

/* The active time between two things that a user did, ms. */
static uint64_t
between(int64_t a, int64_t b)
{
	return b > a && b - a < INDEX_IDLE_MS ? (uint64_t)(b - a) : 0;
}

static void
count_time(struct tally *c, int64_t time, bool user)
{
	if (!c->timed || time < c->first)
		c->first = time;
	if (!c->timed || time > c->last)
		c->last = time;
	c->timed = true;
	if (!user)
		return;
	if (c->used)
		c->active += between(c->user, time);
	else
		c->since = time;
	c->used = true;
	c->user = time;
}

void
tally_event(struct tally *c, const char *p, size_t len,
    const struct scan *scan)
{
	c->events++;
	c->bytes += len + 1;
	c->errors += scan->error;
	c->pages += scan->type == EVENT_META;
	if (scan->type == EVENT_CUSTOM)
		count_custom(c, p, len);
	if (scan->has_time)
		count_time(c, scan->time, scan->type == EVENT_INCREMENTAL &&
		    is_user(p, len));
}

void
tally_shift(struct tally *c, int64_t offset)
{
	c->first += offset;
	c->last += offset;
	c->since += offset;
	c->user += offset;
}

void
tally_add(struct tally *a, const struct tally *b)
{
	struct tally sum = *a;

	sum.events += b->events;
	sum.bytes += b->bytes;
	sum.pages += b->pages;
	sum.errors += b->errors;
	sum.rage += b->rage;
	sum.dead += b->dead;
	sum.active += b->active;
	if (b->timed) {
		count_time(&sum, b->first, false);
		count_time(&sum, b->last, false);
	}
	if (b->used) {
		if (a->used)
			sum.active += between(a->user, b->since);
		else
			sum.since = b->since;
		sum.used = true;
		sum.user = b->user;
	}
	*a = sum;
}

int
index_begin(struct buf *b, const char *id, const char *key, const void *json,
    size_t n)
{
	if (buf_addf(b, "{\"id\":\"%s\"", id) == -1)
		return -1;
	if (key == NULL)
		return 0;
	if (n > INDEX_JSON_MAX)
		return buf_addf(b, ",\"long\":true%s",
		    strcmp(key, "stop") == 0 ? ",\"stop\":{}" : "");
	return buf_addf(b, ",\"%s\":", key) == -1 ? -1 : buf_add(b, json, n);
}

int
index_end(struct buf *b, const struct index_end *end,
    const struct tally *c)
{
	if (end != NULL)
		buf_addf(b, ",\"records\":%" PRIu64 ",\"seen\":%" PRIu64,
		    end->records, end->seen);
	if (c != NULL && c->events > 0) {
		buf_addf(b, ",\"counts\":{\"events\":%" PRIu64 ",\"bytes\":%"
		    PRIu64 ",\"pages\":%u,\"errors\":%u,\"rage\":%u,\"dead\":"
		    "%u,\"active\":%" PRIu64, c->events, c->bytes, c->pages,
		    c->errors, c->rage, c->dead, c->active);
		if (c->timed)
			buf_addf(b, ",\"first\":%" PRId64 ",\"last\":%" PRId64,
			    c->first, c->last);
		buf_add(b, "}", 1);
	}
	return buf_add(b, "}", 1);
}
