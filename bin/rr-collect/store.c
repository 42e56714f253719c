#include "store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"
#include "log.h"
#include "put.h"

#define AWAY_RETRY_MS	2000
#define WANT_RETRY_MS	500
/* Names no stream: S2's word that there is none is as good as any. */
#define NO_STREAM	"0000000000000-health-%u"
/*
 * Each question is of a stream of its own, so that none waits behind one that
 * s2-append tries again ever more seldom; a unit waits there for 30 s.
 */
#define ASKS_MAX	40

/* What was written into the ring and is not settled. */
struct unit {
	struct store *store;
	enum post_kind kind;
	bool probe;
	struct session *session;	/* NULL: of POST_READY */
	struct tab *tab;		/* of a numbered one */
	struct post *post;		/* NULL: answered for being late */
	bool full;
	bool packed;
	bool led;			/* a gap's record is first */
	const char *cause;		/* of the gap it tells, or NULL */
	uint32_t events;
	uint64_t since;			/* ms: when it went into the ring */
	uint32_t last;
	struct marks *marks;		/* of what it holds, or NULL */
	struct tally tally;		/* of its events */
	struct buf entry;		/* JSON for the index, or nothing */
	bool indexing;			/* it is that entry, on its way */
};

static void submit(struct store *, struct post *);

/* ---- answers ---- */

static void
leave(struct post *p)
{
	switch (p->place) {
	case POST_AT_SESSION:
		TAILQ_REMOVE(&p->session->waiting, p, line);
		break;
	case POST_AT_TAB:
		TAILQ_REMOVE(&session_tab(p->session, p->tab)->waiting, p,
		    line);
		break;
	case POST_STORING:
		p->unit->post = NULL;
		p->unit = NULL;
		break;
	case POST_AT_HEALTH:
	case POST_NOWHERE:
		break;
	}
	p->place = POST_NOWHERE;
}

static void
answer(struct store *st, struct post *p, const struct verdict *v)
{
	leave(p);
	TAILQ_REMOVE(&st->posts, p, all);
	post_answer(p, v);
	p->session = NULL;
}

static void
answer_away(struct store *st, struct post *p, enum reason reason,
    const char *error)
{
	const struct verdict v = { .code = VERDICT_AWAY, .reason = reason,
	    .error = error, .retry = AWAY_RETRY_MS };

	answer(st, p, &v);
}

static void
answer_over(struct store *st, struct post *p)
{
	struct verdict v = { .code = VERDICT_CLOSED, .reason = REASON_FENCED,
	    .error = "the session was stopped; open a new one" };

	if (p->session->gone) {
		v.code = VERDICT_GONE;
		v.reason = REASON_DELETED;
		v.error = "the session was deleted; open a new one";
	} else if (p->kind == POST_STOP) {
		v.code = VERDICT_STOPPED;
		v.error = NULL;
	}
	answer(st, p, &v);
}

/* What p asked for was stored long ago, or just now from a twin of it. */
static void
answer_repeat(struct store *st, struct post *p, const struct tab *tab)
{
	struct verdict v = { .code = VERDICT_STORED, .repeat = true };

	if (p->last == tab->last && tab->seq != 0) {
		v.has_seq = true;
		v.seq = tab->seq;
	}
	v.snapshot = tab->snapshot == SNAPSHOT_NEVER;
	if (p->kind == POST_LINES)
		count_add(COUNT_REPEATED, 1);
	answer(st, p, &v);
}

/* ---- waiting ---- */

static void
wait_at_session(struct store *st, struct post *p)
{
	p->place = POST_AT_SESSION;
	p->until = st->now + STORE_PROBE_MS;
	TAILQ_INSERT_TAIL(&p->session->waiting, p, line);
}

static void
wait_at_tab(struct post *p, struct tab *tab, uint64_t until)
{
	struct post *before;

	TAILQ_FOREACH_REVERSE(before, &tab->waiting, post_list, line)
		if (before->batch <= p->batch)
			break;
	if (before != NULL)
		TAILQ_INSERT_AFTER(&tab->waiting, before, p, line);
	else
		TAILQ_INSERT_HEAD(&tab->waiting, p, line);
	p->place = POST_AT_TAB;
	p->until = until;
}

/* ---- units ---- */

static int
stream_of(const struct store *st, const char *id,
    char name[SESSION_STREAM_MAX + 1])
{
	return session_stream(st->prefix, id, name, SESSION_STREAM_MAX + 1);
}

static struct unit *
unit_new(struct store *st, enum post_kind kind, struct session *s)
{
	struct unit *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	u->store = st;
	u->kind = kind;
	u->session = s;
	u->entry = (struct buf)BUF_INIT(INDEX_ENTRY_MAX);
	return u;
}

static void
unit_free(struct unit *u)
{
	if (u == NULL)
		return;
	buf_release(&u->entry);
	free(u->marks);
	free(u);
}

/* ---- the index: a hint, so whatever goes wrong there is not told ---- */

/* Write u, with its entry, into the ring; u is taken. */
static void
index_send(struct store *st, struct unit *u, bool create)
{
	char name[SESSION_STREAM_MAX + 1];
	struct buf *b = &st->ring.queue;

	u->indexing = true;
	u->probe = create;	/* not a second time */
	if (session_index(st->prefix, name, sizeof(name)) == -1 ||
	    store_is_full(st) ||
	    ring_start(&st->ring, name, buf_size(&u->entry)) == -1) {
		unit_free(u);
		return;
	}
	if (create)
		put(b, ":create " INDEX_CONFIG "\n");
	if (buf_size(&u->entry) > 0) {
		put(b, ":meta ");
		buf_add(b, buf_bytes(&u->entry), buf_size(&u->entry));
		put(b, "\n");
	} else {
		put(b, ":beat tab=0\n");	/* see try_append() */
	}
	ring_end(&st->ring, u);
	health_sent(&st->health, st->now);
}

/* Find out whether S2 takes appends again: a beat in the index says nothing. */
static void
try_append(struct store *st)
{
	struct unit *u;

	if (health_try(&st->health, st->now) &&
	    (u = unit_new(st, POST_READY, NULL)) != NULL)
		index_send(st, u, false);
}

/* Tell what became of u, which is stored. */
static void
index_tell(struct store *st, struct unit *u, const struct ring_answer *a)
{
	const struct index_end end = { a->seq + a->count, a->time };
	bool ended = u->kind == POST_STOP;
	struct unit *told;

	if (buf_size(&u->entry) == 0 ||
	    (told = unit_new(st, POST_READY, NULL)) == NULL)
		return;
	buf_release(&told->entry);
	told->entry = u->entry;
	u->entry = (struct buf)BUF_INIT(INDEX_ENTRY_MAX);
	if (index_end(&told->entry, ended ? &end : NULL,
	    ended ? &u->session->tally : NULL) == -1) {
		unit_free(told);
		return;
	}
	if (ended)
		u->session->tally = (struct tally){ 0 };
	index_send(st, told, false);
}

/* Tell what was counted of a session that has gone quiet. */
static void
index_tell_tally(struct store *st, struct session *s)
{
	struct unit *u = unit_new(st, POST_READY, NULL);

	if (u == NULL || index_begin(&u->entry, s->id, NULL, NULL, 0) == -1 ||
	    index_end(&u->entry, NULL, &s->tally) == -1) {
		unit_free(u);
		return;
	}
	s->tally = (struct tally){ 0 };
	index_send(st, u, false);
}

/* Ask the stream for its last records.  0 or -1. */
static int
probe(struct store *st, struct session *s)
{
	char name[SESSION_STREAM_MAX + 1];
	struct unit *u;
	struct tab *tab;

	if ((u = unit_new(st, POST_READY, s)) == NULL)
		return -1;
	u->probe = true;
	if (stream_of(st, s->id, name) == -1 ||
	    ring_probe(&st->ring, name, u) == -1) {
		free(u);
		return -1;
	}
	s->probing = true;
	s->seen_first = UINT64_MAX;
	for (tab = s->tabs; tab != NULL; tab = tab->next)
		tab->seen = false;
	return 0;
}

static void
write_unit(struct ring *r, const struct post *p, const struct tab *tab,
    const struct session *s)
{
	const struct buf *body = &p->body.text;
	struct buf *b = &r->queue;

	switch (p->kind) {
	case POST_OPEN:
		put(b, ":create");
		if (p->retention > 0)
			buf_addf(b, " {\"retention_policy\":{\"age\":%u}}",
			    p->retention);
		put(b, "\n:match seq=0\n:fence set=active\n:meta ");
		break;
	case POST_STOP:
		buf_addf(b, ":fence use=active set=stopped\n:stop ");
		break;
	case POST_META:
		buf_addf(b, ":fence use=active\n:meta ");
		break;
	case POST_BEAT:
		buf_addf(b, ":fence use=active\n:beat tab=%x\n", p->tab);
		return;
	case POST_GAP:
		buf_addf(b, ":fence use=active\n:gap tab=%x batch=%u", p->tab,
		    p->batch);
		if (p->last > p->batch)
			buf_addf(b, "-%u", p->last);
		buf_addf(b, " cause=%s", p->cause);
		if (p->events > 0)
			buf_addf(b, " events=%u", p->events);
		buf_addf(b, p->within ? " within=1\n" : "\n");
		return;
	case POST_LINES:
		put(b, ":fence use=active\n");
		if (!p->numbered) {
			put_pair(b, ":match seq=", s->tail);
			put(b, "\n");
		}
		if (p->failed > 0)
			buf_addf(b, ":gap tab=%x batch=%u cause=filter "
			    "events=%u within=1\n", p->tab, p->batch,
			    p->failed);
		put(b, ":batch tab=");
		put_number(b, p->tab, 16, 1);
		put_pair(b, " batch=", p->batch);
		if (tab->snap != SNAP_NONE)
			put_pair(b, " snap=", tab->snap);
		else if (p->has_snap && tab->snapshot != SNAPSHOT_NEVER)
			put_pair(b, " snap=", p->snap);
		if (p->offset != 0)
			buf_addf(b, " offset=%lld", (long long)p->offset);
		put(b, "\n");
		buf_add(b, buf_bytes(body), buf_size(body));
		return;
	case POST_READY:
		return;
	}
	buf_add(b, buf_bytes(body), buf_size(body));
	buf_add(b, "\n", 1);
}

static struct marks *
copy_marks(const struct marks *m)
{
	size_t size;
	struct marks *copy;

	if (m == NULL)
		return NULL;
	size = sizeof(*m) + m->n * sizeof(m->sum[0]);
	copy = malloc(size);
	return copy == NULL ? NULL : memcpy(copy, m, size);
}

/* Nothing else of its session may be on its way with it. */
static bool
goes_alone(const struct post *p)
{
	return p->kind == POST_OPEN || p->kind == POST_STOP ||
	    (p->kind == POST_LINES && !p->numbered);
}

/* Write it into the ring, or send it away. */
static void
send(struct store *st, struct post *p, struct tab *tab)
{
	char name[SESSION_STREAM_MAX + 1];
	struct session *s = p->session;
	struct unit *u = unit_new(st, p->kind, s);

	if (u == NULL || stream_of(st, s->id, name) == -1 ||
	    ring_start(&st->ring, name, buf_size(&p->body.text)) == -1) {
		unit_free(u);
		answer_away(st, p, REASON_FULL, "too much waits to be stored");
		return;
	}
	write_unit(&st->ring, p, tab, s);
	ring_end(&st->ring, u);
	health_sent(&st->health, st->now);
	u->post = p;
	u->full = p->full;
	u->packed = p->packed;
	u->led = p->failed > 0;
	u->cause = u->led ? "filter" : p->cause;
	u->events = p->events;
	u->since = st->now;
	u->marks = copy_marks(p->marks);
	u->tally = p->tally;
	if (p->kind == POST_OPEN || p->kind == POST_META ||
	    p->kind == POST_STOP)
		index_begin(&u->entry, s->id, p->kind == POST_STOP ? "stop" :
		    "meta", buf_bytes(&p->body.text), buf_size(&p->body.text));
	u->last = p->last;
	u->tab = p->within ? NULL : tab;
	if (u->tab != NULL)
		tab->storing = u;
	s->alone = goes_alone(p);
	s->units++;
	p->unit = u;
	p->place = POST_STORING;
	p->until = st->now + STORE_MS;
	/*
	 * The queue has it now; only a batch that may yet get another number
	 * may have to be written again.
	 */
	if (p->kind != POST_LINES || p->numbered)
		body_release(&p->body);
}

/* ---- going on ---- */

static bool
session_is_blocked(const struct session *s)
{
	return s->probing || s->alone || s->draining;
}

/* A numbered post whose session is known. */
static void
submit_numbered(struct store *st, struct post *p)
{
	struct session *s = p->session;
	struct tab *tab = session_tab(s, p->tab);

	if (tab == NULL) {
		answer_away(st, p, REASON_FULL, "too many tabs of one session");
		return;
	}
	if (!tab->known) {
		/* Nothing of it is in sight: believe who sends. */
		tab->known = true;
		tab->last = p->batch - 1;
	}
	if (p->within) {
		send(st, p, tab);
	} else if (p->last <= tab->last) {
		answer_repeat(st, p, tab);
	} else if (tab->storing != NULL) {
		wait_at_tab(p, tab, st->now + STORE_MS);
	} else if (p->batch <= tab->last + 1) {
		if (p->kind == POST_GAP)
			p->batch = tab->last + 1;
		send(st, p, tab);
	} else if (!p->asked && TAILQ_EMPTY(&tab->waiting)) {
		p->asked = true;
		if (probe(st, s) == -1)
			answer_away(st, p, REASON_FULL,
			    "too much waits to be stored");
		else
			wait_at_session(st, p);
	} else {
		wait_at_tab(p, tab, st->now + STORE_TAIL_MS);
	}
}

/*
 * Leave out the events that p begins with and that were stored last: it is
 * those again, since their answer did not arrive, and maybe more.  True if
 * nothing is left.
 */
static bool
drop_known(struct post *p, const struct marks *known)
{
	struct buf *b = &p->body.text;
	const unsigned char *eol;
	uint32_t n;

	if (known == NULL || p->marks == NULL || p->cut)
		return false;
	p->cut = true;
	for (n = 0; n < known->n; n++)
		if (n == p->marks->n || p->marks->sum[n] != known->sum[n])
			break;
	/* All of those, or as many as it has. */
	if (n == 0 || (n < known->n && n < p->marks->n))
		return false;
	while (n-- > 0) {
		eol = memchr(buf_bytes(b), '\n', buf_size(b));
		buf_take(b, (size_t)(eol + 1 - buf_bytes(b)));
	}
	return buf_size(b) == 0;
}

/* Lines without a number: they get the next one of tab 0. */
static void
submit_unnumbered(struct store *st, struct post *p)
{
	struct session *s = p->session;
	struct tab *tab;

	if (s->units > 0) {
		s->draining = true;
		wait_at_session(st, p);
		return;
	}
	tab = session_tab(s, p->tab);
	if (tab != NULL && !tab->known) {
		/* Other tabs are all there is in sight: take a fresh one. */
		p->tab = arc4random() | 1;
		tab = session_tab(s, p->tab);
		if (tab != NULL) {
			tab->known = true;
			tab->snapshot = SNAPSHOT_NEVER;
		}
	}
	if (tab == NULL) {
		answer_away(st, p, REASON_FULL, "too many tabs of one session");
		return;
	}
	if (drop_known(p, s->marks)) {
		p->last = tab->last;
		answer_repeat(st, p, tab);
		return;
	}
	p->batch = p->last = tab->last + 1;
	send(st, p, tab);
}

static void
submit(struct store *st, struct post *p)
{
	struct session *s = p->session;

	if (s->stopped || s->gone) {
		answer_over(st, p);
		return;
	}
	if (session_is_blocked(s)) {
		wait_at_session(st, p);
		return;
	}
	switch (p->kind) {
	case POST_OPEN:
		s->known = s->complete = true;
		send(st, p, NULL);
		break;
	case POST_BEAT:
	case POST_META:
		send(st, p, NULL);
		break;
	case POST_STOP:
		if (s->units > 0) {
			s->draining = true;
			wait_at_session(st, p);
			break;
		}
		send(st, p, NULL);
		break;
	case POST_LINES:
	case POST_GAP:
		if (!s->known) {
			if (probe(st, s) == -1)
				answer_away(st, p, REASON_FULL,
				    "too much waits to be stored");
			else
				wait_at_session(st, p);
		} else if (p->numbered)
			submit_numbered(st, p);
		else
			submit_unnumbered(st, p);
		break;
	case POST_READY:
		break;
	}
}

/* Let those go that wait for batches of this tab. */
static void
pump_tab(struct store *st, struct session *s, struct tab *tab)
{
	struct post *p;

	while ((p = TAILQ_FIRST(&tab->waiting)) != NULL) {
		if (p->last > tab->last) {
			if (tab->storing != NULL || session_is_blocked(s))
				return;
			if (p->batch > tab->last + 1) {
				/* Too early still: the time runs. */
				if (p->until > st->now + STORE_TAIL_MS)
					p->until = st->now + STORE_TAIL_MS;
				return;
			}
		}
		leave(p);
		submit_numbered(st, p);
	}
}

static void
pump_session(struct store *st, struct session *s)
{
	struct post_list list = TAILQ_HEAD_INITIALIZER(list);
	struct post *p;
	struct tab *tab;

	if (s->stopped || s->gone) {
		while ((p = TAILQ_FIRST(&s->waiting)) != NULL)
			answer_over(st, p);
		for (tab = s->tabs; tab != NULL; tab = tab->next)
			while ((p = TAILQ_FIRST(&tab->waiting)) != NULL)
				answer_over(st, p);
		return;
	}
	if (s->probing || s->alone)
		return;
	if (s->draining && s->units > 0)
		return;
	/* The one that asked for it to drain is the first that waits. */
	s->draining = false;
	TAILQ_CONCAT(&list, &s->waiting, line);
	while ((p = TAILQ_FIRST(&list)) != NULL) {
		TAILQ_REMOVE(&list, p, line);
		p->place = POST_NOWHERE;
		submit(st, p);
	}
	for (tab = s->tabs; tab != NULL; tab = tab->next)
		pump_tab(st, s, tab);
}

/* ---- what came of it ---- */

static void
see(void *arg, const struct ring_record *r)
{
	struct unit *u = arg;
	struct session *s = u->session;
	const struct record_head *h = r->head;
	struct tab *tab;
	uint32_t last;

	if (s == NULL)
		return;
	if (r->seq < s->seen_first)
		s->seen_first = r->seq;
	if (r->later) {
		/* What it holds is not known, so nothing is added to it. */
		if (!s->stopped)
			log_about(LOG_LEVEL_WARN, s->id, NULL, "session %s was "
			    "written by a later version; its recorder is told "
			    "to open a new one", s->id);
		s->stopped = true;
		return;
	}
	if (h == NULL) {
		s->stopped = strcmp(r->fence, "stopped") == 0;
		return;
	}
	if (!record_is_numbered(h->kind) ||
	    (tab = session_tab(s, h->tab)) == NULL)
		return;
	last = h->batch;
	if (h->kind == RECORD_GAP)
		last = h->count == 0 ? h->batch - 1 : h->batch + h->count - 1;
	if (!tab->seen) {
		tab->seen = true;
		if (!tab->known) {
			tab->known = true;
			tab->last = 0;
		}
	}
	if (h->kind == RECORD_BATCH) {
		if ((h->flags & RECORD_FULL) != 0 &&
		    ((h->flags & RECORD_PART) == 0 || h->part == 1)) {
			tab->snapshot = SNAPSHOT_STORED;
			tab->snap = r->seq <= RECORD_SNAP_MAX ?
			    (uint32_t)r->seq : SNAP_NONE;
		} else if ((h->flags & RECORD_SNAP) != 0 &&
		    tab->snapshot != SNAPSHOT_STORED) {
			tab->snapshot = SNAPSHOT_STORED;
			tab->snap = h->snap;
		}
		/* Parts are in order: with the last one all are there. */
		if ((h->flags & RECORD_PART) != 0 && h->part != h->parts)
			return;
	}
	if (last > tab->last) {
		tab->last = last;
		tab->seq = r->seq;
	}
}

/* What a probe's whole answer means. */
static void
settle_probe(struct store *st, struct session *s, const struct ring_answer *a)
{
	bool whole = s->seen_first == 0 || a->seq == 0;
	bool joined = s->known && s->seen_first <= s->tail;
	struct tab *tab;
	struct post *p;

	s->probing = false;
	switch (a->result) {
	case RING_ACK:
		s->complete = whole || (s->complete && joined);
		for (tab = s->tabs; tab != NULL; tab = tab->next) {
			if (whole && !tab->seen && !tab->known)
				tab->known = true;	/* none stored */
			else if (!whole && !joined && !tab->seen)
				tab->known = false;
			if (whole && tab->snapshot == SNAPSHOT_UNKNOWN)
				tab->snapshot = SNAPSHOT_NEVER;
		}
		s->known = true;
		if (a->seq > s->tail)
			s->tail = a->seq;
		break;
	case RING_MISSING:
		s->gone = true;
		break;
	default:
		if (a->result == RING_DENIED)
			log_err("S2 does not let us read the sessions; "
			    "check S2_ACCESS_TOKEN");
		while ((p = TAILQ_FIRST(&s->waiting)) != NULL)
			answer_away(st, p, REASON_STORAGE,
			    "the storage does not answer");
		break;
	}
}

static void
count_stored(const struct store *st, const struct unit *u)
{
	if (u->cause != NULL)
		count_gap(u->cause);
	if (u->kind == POST_OPEN)
		count_add(COUNT_OPENED, 1);
	else if (u->kind == POST_STOP)
		count_add(COUNT_STOPPED, 1);
	if (u->kind != POST_LINES)
		return;
	count_add(COUNT_ACCEPTED, 1);
	count_add(COUNT_EVENTS, u->events);
	count_ack(st->now - u->since);
}

/* A unit was stored. */
static void
settle_stored(struct store *st, struct unit *u, const struct ring_answer *a)
{
	struct session *s = u->session;
	struct tab *tab = u->tab;
	const uint64_t seq = a->seq + (u->led ? 1 : 0);
	struct verdict v = { .code = VERDICT_STORED, .has_seq = true,
	    .seq = seq };

	count_stored(st, u);
	/* If others wrote in between, what they wrote is not known. */
	if (a->seq == s->tail)
		s->tail += a->count;
	if (tab != NULL && u->last > tab->last) {
		tab->last = u->last;
		tab->seq = seq;
	}
	if (u->kind == POST_LINES) {
		if (u->marks != NULL) {
			free(s->marks);
			s->marks = u->marks;
			u->marks = NULL;
		}
		if (u->packed && tab->snapshot == SNAPSHOT_NEVER)
			tab->snapshot = SNAPSHOT_UNKNOWN;
		if (u->full) {
			tab->snapshot = SNAPSHOT_STORED;
			tab->snap = seq <= RECORD_SNAP_MAX ?
			    (uint32_t)seq : SNAP_NONE;
		}
		v.snapshot = tab->snapshot == SNAPSHOT_NEVER;
		tally_add(&s->tally, &u->tally);
	} else if (u->kind == POST_OPEN) {
		v.code = VERDICT_OPEN;
	} else if (u->kind == POST_STOP) {
		s->stopped = true;
		v.code = VERDICT_STOPPED;
	}
	if (u->post != NULL)
		answer(st, u->post, &v);
	index_tell(st, u, a);
}

/* It was not, or nobody knows. */
static void
settle_failed(struct store *st, struct unit *u, enum ring_result result)
{
	struct session *s = u->session;
	struct post *p = u->post, *other;
	struct verdict v = { .code = VERDICT_BAD, .reason = REASON_STORAGE,
	    .error = "the storage will never take this" };

	if (u->kind == POST_OPEN && (result == RING_MISSING ||
	    result == RING_FENCED || result == RING_MISMATCH)) {
		if (result == RING_MISSING)
			log_err("the basin is missing; s2-stream ensure "
			    "makes it");
		result = RING_UNAVAILABLE;
	}
	switch (result) {
	case RING_FENCED:
		s->stopped = true;
		if (p != NULL)
			answer_over(st, p);
		return;
	case RING_MISSING:
		s->gone = true;
		if (p != NULL)
			answer_over(st, p);
		return;
	case RING_MISMATCH:
		s->known = false;
		if (p == NULL)
			return;
		if (++p->tries == STORE_TRIES) {
			answer_away(st, p, REASON_STORAGE,
			    "others write to this session");
			return;
		}
		leave(p);
		submit(st, p);
		return;
	case RING_REFUSED:
		if (p != NULL)
			answer(st, p, &v);
		return;
	case RING_DENIED:
		log_err("S2 does not let us append; check S2_ACCESS_TOKEN");
		break;
	default:
		break;
	}
	/* It may be durable yet: ask before going on. */
	s->known = false;
	if (p != NULL)
		answer_away(st, p, result == RING_FULL ? REASON_FULL :
		    REASON_STORAGE, result == RING_FULL ?
		    "too much waits to be stored" :
		    "the storage does not answer");
	if (u->tab != NULL)
		while ((other = TAILQ_FIRST(&u->tab->waiting)) != NULL)
			answer_away(st, other, REASON_STORAGE,
			    "the storage does not answer");
}

/* S2 was asked for a sign, and this came: tell those who wait for it. */
static void
settle_ask(struct store *st, enum ring_result result)
{
	struct verdict v = { .code = VERDICT_STORED };
	struct post *p, *next;

	st->asking--;
	if (result == RING_UNAVAILABLE || result == RING_FULL)
		return;			/* their time runs */
	v.error = result == RING_DENIED ? "S2 denies us" :
	    health_trouble(&st->health, st->now);
	if (v.error != NULL)
		v.code = VERDICT_AWAY;
	for (p = TAILQ_FIRST(&st->posts); p != NULL; p = next) {
		next = TAILQ_NEXT(p, all);
		if (p->place == POST_AT_HEALTH)
			answer(st, p, &v);
	}
}

/* S2 answered when it was asked, or there is still time for it to. */
static bool
has_sign(const struct store *st)
{
	return st->doubt == 0 || st->now - st->doubt < STORE_READY_MS;
}

static void
settle(void *arg, const struct ring_answer *a)
{
	struct unit *u = arg;
	struct store *st = u->store;
	struct session *s = u->session;

	if (a->result != RING_UNAVAILABLE && a->result != RING_FULL &&
	    a->result != RING_DENIED) {
		if (!has_sign(st))
			health_back(&st->health, st->now);
		st->proof = st->now;
		st->doubt = 0;
	}
	if (u->indexing || (s != NULL && !u->probe))
		health_settled(&st->health, a->result,
		    u->indexing ? u->probe : u->kind == POST_OPEN, st->now);
	if (u->indexing) {
		if (a->result == RING_MISSING && !u->probe)
			index_send(st, u, true);
		else
			unit_free(u);
		return;
	}
	if (s == NULL) {
		settle_ask(st, a->result);
		unit_free(u);
		return;
	}
	if (u->probe) {
		settle_probe(st, s, a);
	} else {
		s->units--;
		s->alone = false;	/* if it was set, for this one */
		if (u->tab != NULL)
			u->tab->storing = NULL;
		if (a->result == RING_ACK)
			settle_stored(st, u, a);
		else
			settle_failed(st, u, a->result);
	}
	if (u->kind == POST_OPEN && a->result != RING_ACK)
		sessions_drop(&st->sessions, s);
	else
		pump_session(st, s);
	unit_free(u);
}

/* ---- from outside ---- */

int
store_init(struct store *st, int in, int out, const char *prefix,
    uint32_t sessions, uint32_t units)
{
	const struct ring_program program = { see, settle };

	memset(st, 0, sizeof(*st));
	st->prefix = prefix;
	TAILQ_INIT(&st->posts);
	if (sessions_init(&st->sessions, sessions) == -1)
		return -1;
	return ring_init(&st->ring, in, out, units, &program);
}

/* What becomes of it is not known, and nobody waits for it any more. */
static void
unit_forget(void *unit)
{
	unit_free(unit);
}

void
store_release(struct store *st)
{
	ring_release(&st->ring, unit_forget);
	sessions_release(&st->sessions);
}

static bool
has_proof(const struct store *st)
{
	return st->proof != 0 && st->now - st->proof <= STORE_PROOF_MS;
}

void
store_ask(struct store *st)
{
	char name[SESSION_STREAM_MAX + 1];
	struct unit *u;

	if (has_proof(st) || st->asking == ASKS_MAX ||
	    (st->asks > 0 && st->now - st->asked < STORE_ASK_MS))
		return;
	u = unit_new(st, POST_READY, NULL);
	snprintf(name, sizeof(name), "%s/" NO_STREAM, st->prefix,
	    st->asks % ASKS_MAX);
	if (u == NULL || ring_probe(&st->ring, name, u) == -1) {
		unit_free(u);
		return;
	}
	st->asks++;
	st->asking++;
	st->asked = st->now;
	if (st->doubt == 0)
		st->doubt = st->now;
}

const char *
store_trouble(const struct store *st)
{
	return has_sign(st) ? health_trouble(&st->health, st->now) :
	    count_trouble();
}

uint32_t
store_live(const struct store *st, uint64_t before)
{
	const struct session *s;
	uint32_t n = 0;

	TAILQ_FOREACH(s, &st->sessions.used, used) {
		if (s->when < before)
			break;
		if (!s->stopped && !s->gone)
			n++;
	}
	return n;
}

static void
submit_ready(struct store *st, struct post *p)
{
	const struct verdict good = { .code = VERDICT_STORED };
	const char *why = health_trouble(&st->health, st->now);

	if (has_proof(st) && why != NULL) {
		answer_away(st, p, REASON_STORAGE, why);
		return;
	}
	if (has_proof(st)) {
		answer(st, p, &good);
		return;
	}
	p->place = POST_AT_HEALTH;
	p->until = st->now + STORE_READY_MS;
	store_ask(st);
}

void
store_submit(struct store *st, struct post *p)
{
	TAILQ_INSERT_TAIL(&st->posts, p, all);
	p->place = POST_NOWHERE;
	if (p->kind == POST_READY) {
		submit_ready(st, p);
		return;
	}
	p->session = sessions_get(&st->sessions, p->id, st->now);
	if (p->session == NULL)
		answer_away(st, p, REASON_FULL, "too many sessions");
	else
		submit(st, p);
}

void
store_forget(struct store *st, struct post *p)
{
	if (p->place == POST_NOWHERE)
		return;
	leave(p);
	TAILQ_REMOVE(&st->posts, p, all);
	p->session = NULL;
}

/* A batch whose predecessors did not come. */
static void
expire_early(struct store *st, struct post *p)
{
	struct session *s = p->session;
	struct tab *tab = session_tab(s, p->tab);
	const struct verdict v = { .code = VERDICT_AWAY,
	    .reason = REASON_EARLY,
	    .error = "earlier batches are missing: send them, or tell that "
	    "they will not come", .retry = WANT_RETRY_MS,
	    .want = tab->last + 1 };

	answer(st, p, &v);
}

/* What was counted of sessions that have gone quiet goes into the index. */
static void
expire_tallies(struct store *st)
{
	struct session *s = TAILQ_LAST(&st->sessions.used, session_list);

	if (st->now <= STORE_QUIET_MS)
		return;
	for (; s != NULL && s->when < st->now - STORE_QUIET_MS;
	    s = TAILQ_PREV(s, session_list, used))
		if (s->tally.events > 0 && s->units == 0)
			index_tell_tally(st, s);
}

void
store_expire(struct store *st)
{
	struct post *p, *next;

	for (p = TAILQ_FIRST(&st->posts); p != NULL; p = next) {
		next = TAILQ_NEXT(p, all);
		if (p->place == POST_AT_HEALTH)
			store_ask(st);
		if (p->until > st->now)
			continue;
		switch (p->place) {
		case POST_AT_TAB:
			expire_early(st, p);
			break;
		case POST_STORING:
		case POST_AT_SESSION:
			answer_away(st, p, REASON_STORAGE,
			    "the storage does not answer");
			break;
		case POST_AT_HEALTH:
			answer_away(st, p, REASON_STORAGE, count_trouble());
			break;
		case POST_NOWHERE:
			break;
		}
	}
	try_append(st);
	expire_tallies(st);
	if (st->now > STORE_IDLE_MS)
		sessions_expire(&st->sessions, st->now - STORE_IDLE_MS);
}

void
store_refuse_all(struct store *st)
{
	struct post *p;

	while ((p = TAILQ_FIRST(&st->posts)) != NULL)
		answer_away(st, p, REASON_STORAGE,
		    "the collector is being stopped");
}

bool
store_is_full(const struct store *st)
{
	return buf_size(&st->ring.queue) > RING_QUEUE_HIGH ||
	    st->ring.waiting == st->ring.nslots;
}
