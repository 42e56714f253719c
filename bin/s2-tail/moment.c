/*
 * Finding the snapshot before a time of the recording; s2-tail(1), "A moment".
 *
 * S2 finds a record by the time of its arrival, and each batch says when its
 * events happened by the visitor's clock.  So one read, of the record that
 * arrived when the time asked for was, tells how far that clock is off, and
 * mostly is the one.  If it is not, the next is asked for by that difference;
 * where that fails (a batch that came hours late, a recording that was
 * imported at once) halving finds it, since the times of a tab only grow.
 */
#include "s2-tail.h"

#define TRIES		4	/* by the time of arrival */
#define SLACK		1000	/* ms by which a difference may vary */
#define READS_MAX	64	/* of one hunt; what there is by then must do */
#define AHEAD_MAX	256	/* records to look for one that tells a time */
#define GROWS		16	/* times, what is read if nothing told */
#define HEAD		4	/* records: the first ones tell of the session */
#define BACK_FIRST	64	/* records to look back for a snapshot */
#define BACK_MAX	4096
#define BACK_GROWS	8

/* A record that tells a time. */
struct spot {
	uint64_t seq;
	uint64_t time;		/* S2's */
	int64_t first, last;	/* of its events */
	uint32_t tab;
	bool full;
	bool has_snap;
	uint64_t snap;
};

struct hunt {
	struct look *look;
	const struct moment *m;
	unsigned reads;
	uint64_t next;		/* behind what was read last */
	bool has_low, has_high;
	struct spot low;	/* the last one known to end too early, */
	struct spot high;	/* the first one to begin too late */
};

static bool
get_spot(const struct moment *m, const struct record *r, struct spot *p)
{
	struct record_head h;

	if (!record_is_session(r) ||
	    record_head_get(r->value, r->value_len, &h) != 0 ||
	    h.kind != RECORD_BATCH || (h.flags & RECORD_TIME) == 0 ||
	    is_part_but_first(&h) || (m->has_tab && h.tab != m->tab))
		return false;
	p->seq = r->seq;
	p->time = r->time;
	p->first = h.first;
	p->last = h.first + h.span;
	p->tab = h.tab;
	p->full = (h.flags & RECORD_FULL) != 0;
	p->has_snap = (h.flags & RECORD_SNAP) != 0 && h.snap < r->seq;
	p->snap = h.snap;
	return true;
}

static int
read_some(struct hunt *h, enum s2_from from, uint64_t start, uint64_t count)
{
	int rc;

	if (h->reads++ == READS_MAX)
		return 0;
	rc = look_read(h->look, from, start, count);
	if (rc == 0)
		h->next = h->look->error.seq;
	return rc;
}

/*
 * The first record that tells, from there on and before 'end' (0: any).  1
 * with *p, 0 if there is none, or -1.
 */
static int
first_from(struct hunt *h, enum s2_from from, uint64_t start, uint64_t end,
    struct spot *p)
{
	struct record r;
	uint64_t count;
	int rc;

	count = from == S2_FROM_SEQ && start == 0 ? HEAD : 1;
	for (; count <= AHEAD_MAX; count *= GROWS) {
		rc = read_some(h, from, start, count);
		if (rc != 1)
			return rc;
		h->next = 0;
		while ((rc = look_next(h->look, &r)) == 1) {
			h->next = r.seq + 1;
			if (end > 0 && r.seq >= end)
				return 0;
			if (get_spot(h->m, &r, p))
				return 1;
		}
		if (rc == -1 || h->next == 0)
			return rc;
		from = S2_FROM_SEQ;
		start = h->next;
	}
	return 0;
}

/*
 * Call take() with each record of [start, end).  0, or -1.  Less than all if
 * the hunt has read enough.
 */
static int
read_range(struct hunt *h, uint64_t start, uint64_t end,
    void (*take)(const struct moment *, const struct record *, void *),
    void *arg)
{
	struct record r;
	int rc;

	while (start < end) {
		rc = read_some(h, S2_FROM_SEQ, start, end - start);
		if (rc != 1)
			return rc;
		h->next = 0;
		while ((rc = look_next(h->look, &r)) == 1 && r.seq < end) {
			h->next = r.seq + 1;
			take(h->m, &r, arg);
		}
		if (rc == -1 || h->next == 0)
			return rc == -1 ? -1 : 0;
		start = h->next;
	}
	return 0;
}

struct last {
	bool found;
	struct spot spot;
};

static void
take_last(const struct moment *m, const struct record *r, void *arg)
{
	struct last *last = arg;

	if (get_spot(m, r, &last->spot))
		last->found = true;
}

/* The last record that tells before 'end'.  1 with *p, 0 or -1. */
static int
last_before(struct hunt *h, uint64_t end, struct spot *p)
{
	struct last last = { .found = false };
	uint64_t start, count;

	for (count = 1; end > 0 && h->reads < READS_MAX; end = start) {
		start = end > count ? end - count : 0;
		if (read_range(h, start, end, take_last, &last) == -1)
			return -1;
		if (last.found) {
			*p = last.spot;
			return 1;
		}
		if (count < AHEAD_MAX)
			count *= GROWS;
	}
	return 0;
}

/* Learn where it is not.  True if it is the one. */
static bool
is_there(struct hunt *h, const struct spot *p)
{
	if (p->last < h->m->ms) {
		if (!h->has_low || p->seq > h->low.seq)
			h->low = *p;
		h->has_low = true;
	} else if (p->first > h->m->ms) {
		if (!h->has_high || p->seq < h->high.seq)
			h->high = *p;
		h->has_high = true;
	} else {
		return true;
	}
	return false;
}

/*
 * By the time of arrival.  1 with *p; 0 if it is not found so; -1.  What is
 * found has the moment in it or is behind it, which is as good: both point at
 * the same snapshot, or the reader of that finds that it is too late.
 */
static int
by_arrival(struct hunt *h, struct spot *p)
{
	int64_t late = 0, own, at;
	uint64_t before = UINT64_MAX;
	bool at_end;
	int i, rc;

	for (i = 0; i < TRIES; i++, before = p->seq) {
		at = h->m->ms + late;
		rc = first_from(h, S2_FROM_TIME, at < 0 ? 0 : (uint64_t)at, 0,
		    p);
		at_end = rc == 0;
		if (at_end)
			rc = last_before(h, h->next, p);
		if (rc != 1)
			return rc;
		if (is_there(h, p))
			return 1;
		own = (int64_t)p->time - p->last;
		if (p->last < h->m->ms) {
			if (at_end)
				return 1;	/* nothing is later */
		} else if (!at_end && h->m->hints && own >= late - SLACK) {
			return 1;
		}
		if (p->seq == before)
			break;
		late = own;
	}
	return 0;
}

/* Where between the two it should be, if all come at an even pace. */
static uint64_t
middle(const struct hunt *h, uint64_t low, uint64_t high, bool even)
{
	double share = 0.5;

	if (even && h->has_low && h->has_high && h->high.first > h->low.last)
		share = (double)(h->m->ms - h->low.last) /
		    (double)(h->high.first - h->low.last);
	if (share < 0.02 || share > 0.98)
		share = share < 0.5 ? 0.02 : 0.98;
	return low + (uint64_t)((double)(high - low) * share);
}

/* By halving what is between 'low' and 'high'.  1 with *p, 0 or -1. */
static int
by_halves(struct hunt *h, struct spot *p)
{
	uint64_t low, high, mid;
	bool even = true;
	int rc;

	if (!h->has_high) {
		/* S2 tells its tail if nothing is there. */
		rc = read_some(h, S2_FROM_TIME, INT64_MAX, 1);
		if (rc == 0)
			rc = last_before(h, h->next, p);
		if (rc != 1 || is_there(h, p) || p->last < h->m->ms)
			return rc;
	}
	low = h->has_low ? h->low.seq + 1 : 0;
	high = h->high.seq;
	for (; low < high && h->reads < READS_MAX; even = !even) {
		mid = middle(h, low, high, even);
		rc = first_from(h, S2_FROM_SEQ, mid, high, p);
		if (rc == -1)
			return -1;
		if (rc == 1 && is_there(h, p))
			return 1;
		if (rc == 1 && p->last < h->m->ms)
			low = p->seq + 1;
		else
			high = mid;
	}
	*p = h->high;
	return 1;
}

struct back {
	bool found, sure;
	uint64_t at;
};

static void
take_back(const struct moment *m, const struct record *r, void *arg)
{
	struct back *back = arg;
	struct spot p;

	if (!get_spot(m, r, &p) || p.first > m->ms)
		return;
	if (p.full) {
		*back = (struct back){ true, true, p.seq };
	} else if (m->hints && p.has_snap &&
	    !(back->found && back->at >= p.snap)) {
		*back = (struct back){ true, false, p.snap };
	}
}

/* The last snapshot of the tab before 'end'.  0 or -1. */
static int
look_back(struct hunt *h, uint64_t end, struct back *back)
{
	uint64_t start, count;

	for (count = BACK_FIRST; !back->found && count <= BACK_MAX;
	    count *= BACK_GROWS) {
		start = end > count ? end - count : 0;
		if (read_range(h, start, end, take_back, back) == -1)
			return -1;
		if (start == 0)
			break;
	}
	return 0;
}

/* Where the tab of that record can be played from. */
static int
set_start(struct hunt *h, struct moment *m, const struct spot *p)
{
	struct back back = { .found = false };

	m->has_tab = true;
	m->tab = p->tab;
	m->reach = p->seq;
	m->sure = true;
	if (p->full && p->first <= m->ms) {
		m->start = p->seq;
	} else if (m->hints && p->has_snap) {
		m->start = p->snap;
		m->sure = false;
	} else {
		if (look_back(h, p->seq, &back) == -1)
			return -1;
		m->start = back.found ? back.at : p->seq;
		m->sure = !back.found || back.sure;
	}
	return 0;
}

/* Turn a time from the first event on into one of the clock.  0 or -1. */
static int
set_time(struct hunt *h, struct moment *m)
{
	const struct moment any = { .ms = 0 };
	struct spot p;
	int rc;

	if (!m->past_start)
		return 0;
	h->m = &any;
	rc = first_from(h, S2_FROM_SEQ, 0, 0, &p);
	h->m = m;
	if (rc == -1)
		return -1;
	if (rc == 1)
		m->ms += p.first;
	m->past_start = false;
	return 0;
}

int
moment_find(struct look *look, struct moment *m)
{
	struct hunt h = { .look = look, .m = m };
	struct spot p;
	int rc;

	if (set_time(&h, m) == -1)
		return -1;
	rc = by_arrival(&h, &p);
	if (rc == 0)
		rc = by_halves(&h, &p);
	if (rc == 1)
		return set_start(&h, m, &p);
	m->start = m->reach = 0;
	m->sure = true;
	return rc;
}

bool
moment_is_start(const struct moment *m, const struct record *r)
{
	struct record_head h;

	return r->seq == m->start && is_snapshot(r, m->tab) &&
	    record_head_get(r->value, r->value_len, &h) == 0 &&
	    (h.flags & RECORD_TIME) != 0 && h.first <= m->ms;
}
