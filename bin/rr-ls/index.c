/*
 * What the index says of sessions (rr-records(5), "The index").  It is a hint:
 * what it lacks, or tells wrongly by being old, is read from the sessions.
 *
 * An entry arrives soon after what it tells of.  So those of a page of
 * sessions are looked for from the time at which the oldest of them was made,
 * and from there on until all are known, or for a few reads.  If some are not
 * even begun in there, clocks differ: then one read goes back.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "ls.h"
#include "pack.h"
#include "record.h"
#include "s2_read.h"

#define WINDOW_MAX	1000	/* records of one read; S2's */
#define LARGE_ANSWER	(S2_METERED_MAX / 2)
#define ID_AT		7	/* {"id":"... */

struct index {
	struct ls *ls;
	struct s2_call *call;
	struct unpacker *unpacker;
	char stream[SESSION_STREAM_MAX + 1];
	uint64_t window;	/* records of one read */
	struct session **by_id;
	size_t n;
	uint64_t *seen;		/* hashes of entries, 0 in free places */
	size_t nseen, room;	/* how many, of how many places */
	uint64_t first;		/* the first record that was read */
	uint64_t next;		/* the record to go on with */
	bool at_tail;
};

static int
compare(const void *a, const void *b)
{
	const struct session *const *x = a, *const *y = b;

	return memcmp((*x)->id, (*y)->id, SESSION_ID_LEN);
}

static struct session *
find(struct index *ix, const char *id)
{
	struct session key, *k = &key, **found;

	memcpy(key.id, id, SESSION_ID_LEN);
	found = bsearch(&k, ix->by_id, ix->n, sizeof *ix->by_id, compare);
	return found == NULL ? NULL : *found;
}

static bool
take_number(jv object, const char *key, double *out)
{
	jv v = jv_object_get(jv_copy(object), jv_string(key));
	bool is = jv_get_kind(v) == JV_KIND_NUMBER &&
	    isfinite(jv_number_value(v));

	if (is)
		*out = jv_number_value(v);
	jv_free(v);
	return is;
}

static bool
has(jv object, const char *key)
{
	return jv_object_has(jv_copy(object), jv_string(key)) != 0;
}

/* Add what was counted; it is an increment. */
static void
take_counts(struct session *s, jv counts)
{
	double n;
	int i;

	for (i = 0; i < LS_COUNTS; i++)
		if (take_number(counts, ls_counts[i], &n) && n >= 0)
			s->counts[i] += n;
	if (has(counts, ls_counts[LS_EVENTS]))
		s->counted = true;
	if (take_number(counts, "first", &n) && fabs(n) < RECORD_TIME_MAX &&
	    (!s->has_first || n < (double)s->first)) {
		s->has_first = true;
		s->first = (int64_t)n;
	}
	if (take_number(counts, "last", &n) && fabs(n) < RECORD_TIME_MAX &&
	    (!s->has_last || n > (double)s->last)) {
		s->has_last = true;
		s->last = (int64_t)n;
	}
	jv_free(counts);
}

static void
take_entry(struct session *s, jv e, uint64_t time)
{
	jv v;
	double n;

	/* One that says all of it makes good for any before. */
	if (has(e, "meta") && has(e, "stop"))
		s->doubtful = false;
	if (has(e, "long") || has(e, "gone"))
		s->doubtful = true;
	v = jv_object_get(jv_copy(e), jv_string("meta"));
	if (jv_get_kind(v) == JV_KIND_OBJECT) {
		s->meta = jv_object_merge(s->meta, v);
		s->opened = true;
	} else {
		jv_free(v);
	}
	v = jv_object_get(jv_copy(e), jv_string("counts"));
	if (jv_get_kind(v) == JV_KIND_OBJECT)
		take_counts(s, v);
	else
		jv_free(v);
	v = jv_object_get(jv_copy(e), jv_string("stop"));
	if (jv_get_kind(v) == JV_KIND_OBJECT) {
		jv_free(s->stop);
		s->stop = v;
		s->stopped = true;
		s->seen = take_number(e, "seen", &n) && n > 0 &&
		    n < (double)SESSION_TIME_MAX ? (uint64_t)n : time;
		if (take_number(e, "records", &n) && n >= 1 && n < 0x1p53)
			s->records = (uint64_t)n;
		else
			s->doubtful = true;
	} else {
		jv_free(v);
	}
}

static void
see(struct index *ix, uint64_t h)
{
	size_t i = h & (ix->room - 1);

	while (ix->seen[i] != 0)
		i = (i + 1) & (ix->room - 1);
	ix->seen[i] = h;
	ix->nseen++;
}

/*
 * True if this very entry was taken before: while the index is written again
 * it stands there twice, and what it counts is to be added once.
 */
static bool
is_second(struct index *ix, const char *p, size_t n)
{
	uint64_t h = 14695981039346656037u, *old = ix->seen;	/* FNV-1a */
	size_t i, room = ix->room;

	for (i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 1099511628211u;
	h |= 1;
	for (i = h & (room - 1); room > 0 && ix->seen[i] != 0;
	    i = (i + 1) & (room - 1))
		if (ix->seen[i] == h)
			return true;
	if (ix->nseen >= room / 2) {
		ix->seen = calloc(room == 0 ? 1024 : 2 * room,
		    sizeof *ix->seen);
		if (ix->seen == NULL) {
			ix->seen = old;
			return false;	/* it is a hint */
		}
		ix->room = room == 0 ? 1024 : 2 * room;
		ix->nseen = 0;
		for (i = 0; i < room; i++)
			if (old[i] != 0)
				see(ix, old[i]);
		free(old);
	}
	see(ix, h);
	return false;
}

/* Take one entry, if it is of one of our sessions. */
static void
take_record(struct index *ix, const struct record *r)
{
	struct buf text = BUF_INIT(RECORD_JSON_MAX);
	const char *p = (const char *)r->body;
	size_t n = r->body_len;
	struct record_head h;
	struct session *s;
	jv e;

	if (!record_is_session(r) ||
	    record_head_get(r->value, r->value_len, &h) != 0 ||
	    h.kind != RECORD_META)
		return;
	if ((h.flags & RECORD_CODEC) == RECORD_CODEC_ZSTD) {
		n = unpacker_unpack(ix->unpacker, p, n, &text) == -1 ? 0 :
		    buf_size(&text);
		p = (const char *)buf_bytes(&text);
	}
	/* Most are of others, so it is not parsed to see that. */
	if (n > ID_AT + SESSION_ID_LEN && n <= RECORD_JSON_MAX &&
	    (s = find(ix, p + ID_AT)) != NULL && !is_second(ix, p, n)) {
		e = jv_parse_sized(p, (int)n);
		if (jv_get_kind(e) == JV_KIND_OBJECT)
			take_entry(s, e, r->time);
		jv_free(e);
	}
	buf_release(&text);
}

/* Read a range of the index.  0, or -1 if it cannot be read. */
static int
read_window(struct index *ix, enum s2_from from, uint64_t start)
{
	const struct s2_range range = { .from = from, .start = start,
	    .count = ix->window };
	const unsigned char *p;
	struct s2_request req;
	struct record r;
	char path[S2_PATH_MAX];
	size_t n, records = 0;

	s2_read_request(&req, path, ix->ls->basin, ix->stream, &range);
	req.timeout = LS_TRY_MAX;
	req.what = "read of the index";
	if (s2_call_wait(ix->call, &req, LS_PATIENCE) == -1) {
		if (!ix->call->error.unwritten)
			return -1;
		ix->first = ix->next = ix->call->error.seq;
		ix->at_tail = true;
		return 0;
	}
	p = buf_bytes(&ix->call->body);
	n = buf_size(&ix->call->body);
	while (s2_batch_record(&p, &n, &r) == 1) {
		if (records++ == 0 && from == S2_FROM_TIME)
			ix->first = r.seq;
		/* Of what is read again at the tail, only what is new. */
		if (r.seq >= ix->next)
			take_record(ix, &r);
		if (r.seq >= ix->next)
			ix->next = r.seq + 1;
	}
	ix->at_tail = records == 0 || from == S2_FROM_TAIL ||
	    (records < ix->window && buf_size(&ix->call->body) < LARGE_ANSWER);
	return 0;
}

static bool
is_complete(const struct index *ix)
{
	size_t i;

	for (i = 0; i < ix->n; i++)
		if (!session_is_known(ix->by_id[i]))
			return false;
	return true;
}

/* Read what stands before the first record, if some have not begun. */
static bool
read_back(struct index *ix)
{
	const uint64_t next = ix->next;
	size_t i;
	bool good;

	for (i = 0; i < ix->n && ix->by_id[i]->opened; i++)
		;
	if (i == ix->n || ix->first == 0)
		return true;
	if (ix->window > ix->first)
		ix->window = ix->first;
	ix->next = ix->first - ix->window;
	good = read_window(ix, S2_FROM_SEQ, ix->next) == 0;
	ix->next = next;
	return good;
}

static int
begin(struct index *ix, struct sessions *list, size_t from)
{
	size_t i;

	ix->call = s2_call_new(ix->ls->s2, 0);
	ix->unpacker = unpacker_new();
	ix->by_id = calloc(list->n - from, sizeof *ix->by_id);
	if (ix->call == NULL || ix->unpacker == NULL || ix->by_id == NULL ||
	    session_index(ix->ls->prefix, ix->stream,
	    sizeof ix->stream) == -1)
		return -1;
	/* As a rule a session has three entries, among those of others. */
	ix->window = 200 + 4 * (list->n - from);
	if (ix->window > WINDOW_MAX || ix->ls->whole)
		ix->window = WINDOW_MAX;
	for (i = from; i < list->n; i++)
		ix->by_id[ix->n++] = &list->v[i];
	qsort(ix->by_id, ix->n, sizeof *ix->by_id, compare);
	return 0;
}

bool
index_read(struct ls *ls, struct sessions *list, size_t from, bool newest,
    uint64_t *next)
{
	struct index ix = { .ls = ls };
	uint64_t reads = 2 + (list->n - from) / 200;
	bool good = false;

	if (from == list->n || begin(&ix, list, from) == -1)
		goto out;
	if (read_window(&ix, S2_FROM_TIME, list->v[list->n - 1].created) ==
	    -1)
		goto out;
	good = true;
	while (good && !ix.at_tail && (ls->whole || (!newest &&
	    --reads > 0 && !is_complete(&ix))))
		good = read_window(&ix, S2_FROM_SEQ, ix.next) == 0;
	/* Of the newest page the rest is what happened last. */
	if (good && newest && !ix.at_tail)
		good = read_window(&ix, S2_FROM_TAIL, ix.window) == 0;
	good = good && read_back(&ix);
	*next = ix.next;
out:
	s2_call_free(ix.call);
	unpacker_free(ix.unpacker);
	free(ix.by_id);
	free(ix.seen);
	return good;
}
