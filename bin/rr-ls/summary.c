/*
 * What is known of sessions: two small reads each, of the first records for
 * the metadata and of the last ones for the end, all at once on one
 * connection.
 */
#include <errno.h>

#include "ls.h"
#include "pack.h"
#include "record.h"
#include "s2_read.h"

#define CALLS_MAX	96	/* at once */
#define TRIES_MAX	3
/* The fence, the metadata, and the first batch, if it is small. */
#define FIRST_RECORDS	3
#define FIRST_BYTES	(RECORD_JSON_MAX + 4096)
/* Of a single session, look into so many for when it begins. */
#define FIRST_LOOK	8
/* The last batch, the fence and the stop record, or beats. */
#define LAST_RECORDS	4
#define LARGE_ANSWER	(S2_METERED_MAX / 2)
#define TOKEN_STOPPED	"stopped"
#define TOKEN_IMPORT	"import"

struct reading;

/* A call and what it is busy with. */
struct worker {
	struct reading *reading;
	struct s2_call *call;
	size_t job;
	unsigned tries;
	uint64_t from;		/* go on reading here */
	uint64_t next;		/* behind the last record that was read */
};

/* Jobs 2i and 2i+1 read the first and the last records of session i. */
struct reading {
	struct ls *ls;
	struct sessions *list;
	struct unpacker *unpacker;
	size_t next;		/* the next job */
	size_t open;		/* jobs that are not done */
	struct worker workers[CALLS_MAX];
};

static void start_job(struct worker *w, unsigned delay);

static void
set_error(struct session *s, const struct s2_error *e)
{
	if (s->error != NULL)
		return;
	s->error = strdup(strcmp(e->code, "stream_not_found") == 0 ?
	    "there is no such session" : e->text);
	s->exit = e->exit;
	s->gone = e->status == 404 ||
	    strcmp(e->code, "stream_deletion_pending") == 0;
	if (s->gone)
		s->exit = EXIT_MISSING;
}

/* The object in the body of a meta or stop record, or an invalid. */
static jv
get_json(struct reading *rd, const struct record *r,
    const struct record_head *h)
{
	struct buf text = BUF_INIT(RECORD_JSON_MAX);
	const void *p = r->body;
	size_t n = r->body_len;
	jv v = jv_invalid();

	if ((h->flags & RECORD_CODEC) == RECORD_CODEC_ZSTD) {
		if (unpacker_unpack(rd->unpacker, p, n, &text) == -1)
			n = 0;
		else
			n = buf_size(&text);
		p = buf_bytes(&text);
	}
	if (n > 0 && n <= RECORD_JSON_MAX)
		v = jv_parse_sized(p, (int)n);
	buf_release(&text);
	if (jv_get_kind(v) == JV_KIND_OBJECT)
		return v;
	jv_free(v);
	return jv_invalid();
}

/*
 * Times of the visitor's clock: the first ones tell when the recording
 * begins, if it is known to begin there, the last ones when it ends.
 */
static void
take_times(struct session *s, const struct record_head *h, bool first,
    bool last)
{
	if (h->kind != RECORD_BATCH || (h->flags & RECORD_TIME) == 0)
		return;
	if (first && (!s->has_first || h->first < s->first)) {
		s->has_first = true;
		s->first = h->first;
	}
	if (last && (!s->has_last || h->first + h->span > s->last)) {
		s->has_last = true;
		s->last = h->first + h->span;
	}
}

/* Learn from a session record.  Later metadata count more. */
static void
take_session_record(struct reading *rd, struct session *s,
    const struct record *r, bool first, bool last)
{
	struct record_head h;
	jv v;
	int got = record_head_get(r->value, r->value_len, &h);

	if (got == 1)
		s->later = true;
	if (got != 0)
		return;
	take_times(s, &h, first, last);
	if (h.kind != RECORD_META && h.kind != RECORD_STOP)
		return;
	v = get_json(rd, r, &h);
	if (!jv_is_valid(v)) {
		jv_free(v);
	} else if (h.kind == RECORD_STOP) {
		jv_free(s->stop);
		s->stop = v;
	} else if (last) {
		s->late = jv_object_merge(s->late, v);
	} else {
		s->meta = jv_object_merge(s->meta, v);
	}
}

static bool
has_token(const struct record *r, const char *token)
{
	return r->body_len == strlen(token) &&
	    memcmp(r->body, token, r->body_len) == 0;
}

/* Learn from an answer.  How many records it held, or -1 if it is broken. */
static int
take_answer(struct worker *w, struct session *s, bool last)
{
	const unsigned char *p = buf_bytes(&w->call->body);
	size_t n = buf_size(&w->call->body);
	struct record r;
	bool first = !last;
	int count = 0, rc;

	while ((rc = s2_batch_record(&p, &n, &r)) == 1) {
		count++;
		w->next = r.seq + 1;
		if (r.seq == 0)
			first = true;	/* all of it is here */
		if (last) {
			s->records = r.seq + 1;
			s->seen = r.time;
		}
		if (last && record_is_fence(&r))
			s->stopped = has_token(&r, TOKEN_STOPPED);
		if (r.seq == 0 && record_is_fence(&r))
			s->import = has_token(&r, TOKEN_IMPORT);
		if (record_is_session(&r))
			take_session_record(w->reading, s, &r, first, last);
	}
	return rc == -1 ? -1 : count;
}

/* Of a single session it is to be known when it begins. */
static bool
lacks_first(const struct reading *rd, const struct session *s)
{
	return rd->list->n == 1 && !s->has_first;
}

/* True if that job is of use: of one of the index only the end is read. */
static bool
is_wanted(const struct reading *rd, size_t job)
{
	const struct session *s = &rd->list->v[job / 2];

	if (job % 2 == 0 && lacks_first(rd, s))
		return true;
	return !session_is_known(s) &&
	    (job % 2 == 1 || !s->opened || s->doubtful);
}

/* Take the next job, if there is one. */
static void
next_job(struct worker *w)
{
	struct reading *rd = w->reading;

	while (rd->next < 2 * rd->list->n && !is_wanted(rd, rd->next))
		rd->next++;
	if (rd->next == 2 * rd->list->n)
		return;
	w->job = rd->next++;
	w->tries = 0;
	w->from = 0;
	start_job(w, 0);
}

static void
on_done(struct s2_call *call, void *arg)
{
	struct worker *w = arg;
	struct session *s = &w->reading->list->v[w->job / 2];
	bool last = w->job % 2 == 1;
	struct s2_error broken;
	int count = 0;

	if (call->failed && call->error.retryable && ++w->tries < TRIES_MAX) {
		start_job(w, s2_backoff(w->tries));
		return;
	}
	if (!call->failed) {
		count = take_answer(w, s, last);
	} else if (!call->error.unwritten) {
		set_error(s, &call->error);
	}
	if (count == -1) {
		s2_error_local(&broken, false, "the answer is no ReadBatch");
		set_error(s, &broken);
	}
	/* Few but large ones: S2 stopped before the last of them. */
	if (last && count > 0 && buf_size(&call->body) >= LARGE_ANSWER) {
		w->from = s->records;
		start_job(w, 0);
		return;
	}
	/* The first batch is a large one. */
	if (!last && count > 0 && lacks_first(w->reading, s) &&
	    w->next < FIRST_LOOK) {
		w->from = w->next;
		start_job(w, 0);
		return;
	}
	w->reading->open--;
	next_job(w);
}

static void
start_job(struct worker *w, unsigned delay)
{
	struct reading *rd = w->reading;
	struct session *s = &rd->list->v[w->job / 2];
	struct s2_range first = { .from = S2_FROM_SEQ, .count = FIRST_RECORDS,
	    .bytes = FIRST_BYTES };
	struct s2_range last = { .from = S2_FROM_TAIL, .start = LAST_RECORDS };
	struct s2_request req;
	char path[S2_PATH_MAX];

	if (w->from > 0) {
		last.from = S2_FROM_SEQ;
		last.start = first.start = w->from;
		first.count = 1;
		first.bytes = 0;
	}
	s2_read_request(&req, path, rd->ls->basin, s->stream,
	    w->job % 2 == 0 ? &first : &last);
	req.done = on_done;
	req.arg = w;
	req.what = "read";
	req.timeout = LS_TRY_MAX;
	req.delay = delay;
	s2_call_start(w->call, &req);
}

static void
conclude(struct session *s, int64_t lease, uint64_t now)
{
	s->meta = jv_object_merge(s->meta, s->late);
	s->late = jv_null();
	if (s->records == 0)
		s->seen = s->created;	/* it has only just been made */
	if (s->error != NULL)
		s->state = SESSION_UNKNOWN;
	else if (s->stopped)
		s->state = SESSION_STOPPED;
	else if (now > s->seen && now - s->seen > (uint64_t)lease)
		s->state = SESSION_ENDED;
	else
		s->state = SESSION_LIVE;
}

int
summary_read(struct ls *ls, struct sessions *list, size_t from)
{
	struct reading rd = { .ls = ls, .list = list, .next = 2 * from };
	struct timespec t;
	size_t n, i;
	int rc = -1;

	for (i = 2 * from; i < 2 * list->n; i++)
		rd.open += is_wanted(&rd, i);
	n = rd.open < CALLS_MAX ? rd.open : CALLS_MAX;

	rd.unpacker = unpacker_new();
	if (rd.unpacker == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		rd.workers[i].reading = &rd;
		rd.workers[i].call = s2_call_new(ls->s2, 0);
		if (rd.workers[i].call == NULL)
			goto out;
	}
	for (i = 0; i < n; i++)
		next_job(&rd.workers[i]);
	while (rd.open > 0)
		s2_wait(ls->s2, -1);
	clock_gettime(CLOCK_REALTIME, &t);
	for (i = from; i < list->n; i++)
		conclude(&list->v[i], ls->lease,
		    (uint64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000);
	rc = 0;
out:
	for (i = 0; i < n; i++)
		s2_call_free(rd.workers[i].call);
	unpacker_free(rd.unpacker);
	return rc;
}
