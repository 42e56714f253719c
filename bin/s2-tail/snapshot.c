/*
 * Finding the last snapshot; rr-records(5), "Where to start reading".
 *
 * Each numbered record of a tab points at the last snapshot before it, so one
 * read of the last records tells where to start.  What they say of the tab that
 * starts first is checked by whoever starts there, of another tab by one more
 * read.  If a pointer is missing or wrong, the same is done over ever more of
 * the stream's end, now believing nothing but snapshots seen with our own eyes.
 */
#include "s2-tail.h"

#define TABS_MAX	SNAPSHOT_WINDOW	/* as each has a record in the window */
#define WINDOW_GROWS	8		/* times, if it was too short */

struct tab {
	uint32_t tab;
	uint64_t last;		/* number of its last record */
	bool found;
	bool seen;		/* the snapshot was, so need not be checked */
	uint64_t at;
	/* A snapshot in parts, of which 1 to 'part' came in order. */
	uint64_t start;
	struct record_head head;
};

struct search {
	struct look *look;
	bool hints;		/* believe pointers */
	struct tab tabs[TABS_MAX];
	int ntabs;
	uint64_t first;		/* numbers of the first and the last record */
	uint64_t next;		/* ... plus 1; 0: there is none */
	uint64_t told;		/* number of the last that told, plus 1 */
};

/* The entry of a tab; if there is none, in place of the one long silent. */
static struct tab *
tab_entry(struct search *s, uint32_t tab)
{
	struct tab *t, *oldest = s->tabs;

	for (t = s->tabs; t < s->tabs + s->ntabs; t++) {
		if (t->tab == tab)
			return t;
		if (t->last < oldest->last)
			oldest = t;
	}
	t = s->ntabs < TABS_MAX ? &s->tabs[s->ntabs++] : oldest;
	memset(t, 0, sizeof *t);
	t->tab = tab;
	return t;
}

bool
is_part_but_first(const struct record_head *h)
{
	return (h->flags & RECORD_PART) != 0 && h->part > 1;
}

bool
is_snapshot(const struct record *r, uint32_t tab)
{
	struct record_head h;

	return record_is_session(r) &&
	    record_head_get(r->value, r->value_len, &h) == 0 &&
	    h.kind == RECORD_BATCH && h.tab == tab &&
	    (h.flags & RECORD_FULL) != 0 && !is_part_but_first(&h);
}

/*
 * Learn from one record.  A snapshot in parts counts when the last
 * of them was seen: until then, and if it is torn for ever, the one before.
 */
static void
take_record(struct search *s, const struct record *r,
    const struct record_head *h)
{
	struct tab *t = tab_entry(s, h->tab);
	bool full = (h->flags & RECORD_FULL) != 0;

	t->last = r->seq;
	if (full && (h->flags & RECORD_PART) == 0) {
		t->found = t->seen = true;
		t->at = r->seq;
		return;
	}
	if (s->hints && !is_part_but_first(h) && (h->flags & RECORD_SNAP) &&
	    h->snap < r->seq && !(t->seen && t->at >= h->snap)) {
		t->found = true;
		t->seen = false;
		t->at = h->snap;
	}
	if (!full)
		return;
	if (h->part == 1) {
		t->start = r->seq;
	} else if (h->part != t->head.part + 1 ||
	    h->batch != t->head.batch || h->parts != t->head.parts ||
	    h->checksum != t->head.checksum) {
		return;
	}
	t->head = *h;
	if (h->part == h->parts) {
		t->found = t->seen = true;
		t->at = t->start;
	}
}

/*
 * Numbered records tell of their tab.  A beat may, if it has a pointer; it may
 * also be of no tab.
 */
static bool
tells(const struct record_head *h)
{
	return record_is_numbered(h->kind) ||
	    (h->kind == RECORD_BEAT && (h->flags & RECORD_SNAP) != 0);
}

/* Learn from the answer.  How many records it held, or -1. */
static int
take_batch(struct search *s)
{
	struct record_head h;
	struct record r;
	int count = 0, rc;

	while ((rc = look_next(s->look, &r)) == 1) {
		if (s->next == 0)
			s->first = r.seq;
		s->next = r.seq + 1;
		count++;
		if (!record_is_session(&r) ||
		    record_head_get(r.value, r.value_len, &h) != 0 ||
		    !tells(&h))
			continue;
		s->told = s->next;
		take_record(s, &r, &h);
	}
	return rc == -1 ? -1 : count;
}

/* Learn from the last 'window' records.  0 or -1. */
static int
scan(struct search *s, uint64_t window)
{
	int rc;

	s->ntabs = 0;
	s->next = s->told = 0;
	rc = look_tail(s->look, window);
	while (rc == 1 && (rc = take_batch(s)) > 0 && !s->look->at_tail)
		rc = look_read(s->look, S2_FROM_SEQ, s->next, 0);
	return rc == -1 ? -1 : 0;
}

/* Is there a snapshot of the tab in that record?  1, 0 or -1. */
static int
check(struct search *s, const struct tab *t)
{
	struct record r;
	int rc;

	rc = look_read(s->look, S2_FROM_SEQ, t->at, 1);
	if (rc == 1)
		rc = look_next(s->look, &r);
	return rc != 1 ? rc : r.seq == t->at && is_snapshot(&r, t->tab);
}

/*
 * The tab with the earliest snapshot, of those in the window that ends with the
 * last record that tells of one.  1 with *first, 0 if one is not known, or -1.
 */
static int
earliest(struct search *s, const struct tab **first)
{
	const struct tab *t, *end = s->tabs + s->ntabs;
	int rc;

	*first = NULL;
	for (t = s->tabs; t < end; t++) {
		if (t->last + SNAPSHOT_WINDOW < s->told)
			continue;
		if (!t->found)
			return 0;
		if (*first == NULL || t->at < (*first)->at)
			*first = t;
	}
	for (t = s->tabs; t < end; t++) {
		if (t == *first || t->seen ||
		    t->last + SNAPSHOT_WINDOW < s->told)
			continue;
		rc = check(s, t);
		if (rc == 0)
			s->hints = false;	/* nor any other of them */
		if (rc != 1)
			return rc;
	}
	return *first == NULL ? 0 : 1;
}

static int
search(struct search *s, struct snapshot *found)
{
	uint64_t window = SNAPSHOT_WINDOW;
	const struct tab *first;
	bool hints;
	int rc;

	for (;;) {
		hints = s->hints;
		if (scan(s, window) == -1)
			return -1;
		rc = earliest(s, &first);
		if (rc == -1)
			return -1;
		if (rc == 1) {
			found->start = first->at;
			found->tab = first->tab;
			found->sure = first->seen;
			return 0;
		}
		if (hints != s->hints)
			continue;
		/* Fewer than asked for: this was all there is. */
		if (s->next - s->first < window || s->first == 0) {
			found->start = 0;
			found->sure = true;
			return 0;
		}
		window *= WINDOW_GROWS;
	}
}

int
snapshot_find(struct look *look, struct snapshot *found)
{
	struct search s = { .look = look, .hints = found->hints };

	return search(&s, found);
}
