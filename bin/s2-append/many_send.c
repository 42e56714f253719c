/*
 * Many streams: their append sessions, and the other requests to S2.
 */
#include <jv.h>

#include "lines.h"
#include "log.h"
#include "many.h"
#include "same.h"
#include "tally.h"

#define SLOTS_MAX	96	/* calls of one connection */
#define SESSIONS_MAX	64	/* of these, at most so many sessions */
#define JOINED_KEEP	65536	/* bytes of memory that a session keeps */
#define PROBE_RECORDS	64

/* ---- Slots ---- */

static bool next_append(void *, struct append *);
static void acked(void *, const struct ack *);
static void session_ended(void *, const struct s2_error *);

static struct slot *
new_slot(struct conn *conn)
{
	struct slot *s = many_alloc(sizeof *s);

	s->conn = conn;
	s->session.call = s2_call_new(many.s2, conn->index);
	if (s->session.call == NULL)
		log_die(EXIT_OTHER, "out of memory");
	s->session.what = "append";
	s->session.next = next_append;
	s->session.acked = acked;
	s->session.ended = session_ended;
	s->session.arg = s;
	s->joined.max = S2_FRAME_MAX;
	s->body.max = RECORD_JSON_MAX + 8 * S2_STREAM_MAX;
	appender_init(&s->session);
	conn->slots++;
	return s;
}

/* A slot for st, now among the busy ones; NULL if there is none. */
static struct slot *
get_slot(struct stream *st)
{
	struct conn *conn = st->conn;
	struct slot *s = TAILQ_FIRST(&conn->free);

	if (s != NULL)
		TAILQ_REMOVE(&conn->free, s, entry);
	else if (conn->slots < SLOTS_MAX)
		s = new_slot(conn);
	else
		return NULL;
	TAILQ_INSERT_TAIL(&conn->busy, s, entry);
	s->stream = st;
	s->closing = false;
	return s;
}

/* It is among the busy ones; nothing runs on it any more. */
static void
free_slot(struct slot *s)
{
	TAILQ_REMOVE(&s->conn->busy, s, entry);
	TAILQ_INSERT_HEAD(&s->conn->free, s, entry);
	s->stream = NULL;
	if (s->is_session)
		s->conn->sessions--;
	s->is_session = false;
	buf_release(&s->joined);
	buf_release(&s->body);
	buf_release(&s->session.call->body);
}

static void
make_idle(struct slot *s)
{
	TAILQ_REMOVE(&s->conn->busy, s, entry);
	TAILQ_INSERT_TAIL(&s->conn->idle, s, entry);
	s->used = s2_now();
}

static void
make_busy(struct slot *s)
{
	TAILQ_REMOVE(&s->conn->idle, s, entry);
	TAILQ_INSERT_TAIL(&s->conn->busy, s, entry);
}

/* ---- Appending ---- */

static bool
goes_with(const struct piece *a, const struct piece *b)
{
	/* What follows a fence is to be judged by it, in another append. */
	return !b->create && !b->probe && !b->has_match && !b->alone &&
	    !b->unit->failed && !a->run.has_fence &&
	    a->has_fence == b->has_fence && a->fence_len == b->fence_len &&
	    memcmp(a->fence, b->fence, a->fence_len) == 0;
}

static bool
is_plain(const struct piece *p)
{
	return p != NULL && !p->create && !p->probe && !p->unit->failed &&
	    p->run.records > 0;
}

/*
 * Called by libcurl when it can send: so the append takes along what has
 * arrived up to now.
 */
static bool
next_append(void *arg, struct append *a)
{
	struct slot *s = arg;
	struct stream *st = s->stream;
	struct piece *p = TAILQ_FIRST(&st->queue), *q;
	struct run sum = { 0 };
	struct weight w;

	if (st->state != BUSY || st->in_flight > 0 || !is_plain(p))
		return false;
	sum.records = p->run.records;
	sum.metered = p->run.metered;
	a->records = buf_bytes(&p->run.bytes);
	a->size = buf_size(&p->run.bytes);
	a->has_match = p->has_match;
	a->match = p->match;
	a->fence = p->has_fence ? p->fence : NULL;
	a->fence_len = p->fence_len;
	st->in_flight = 1;
	buf_clear(&s->joined);
	for (q = TAILQ_NEXT(p, queue); q != NULL && !p->alone &&
	    !p->has_match && q->run.records > 0 && goes_with(p, q);
	    p = q, q = TAILQ_NEXT(q, queue)) {
		w.metered = q->run.metered;
		if (sum.records + q->run.records > S2_APPEND_RECORDS_MAX ||
		    sum.metered + w.metered > S2_METERED_MAX ||
		    a->size + buf_size(&q->run.bytes) >
		    S2_FRAME_MAX - APPEND_TAIL_MAX)
			break;
		if ((buf_size(&s->joined) == 0 &&
		    buf_add(&s->joined, a->records, a->size) == -1) ||
		    buf_add(&s->joined, buf_bytes(&q->run.bytes),
		    buf_size(&q->run.bytes)) == -1)
			log_die(EXIT_OTHER, "out of memory");
		a->records = buf_bytes(&s->joined);
		a->size = buf_size(&s->joined);
		sum.records += q->run.records;
		sum.metered += w.metered;
		st->in_flight++;
	}
	a->count = sum.records;
	return true;
}

/* Its append is over: it may be another one's turn to see to it. */
static void
append_over(struct stream *st)
{
	st->in_flight = 0;
	if (st->slot != NULL && !st->slot->closing)
		make_idle(st->slot);
	stream_set_state(st, READY);
}

static void
acked(void *arg, const struct ack *ack)
{
	struct slot *s = arg;
	struct stream *st = s->stream;
	uint64_t seq = ack->seq;
	struct piece *p;
	unsigned n;

	tally_call(TALLY_APPEND, NULL);
	for (n = st->in_flight; n > 0; n--) {
		p = TAILQ_FIRST(&st->queue);
		tally_stored(p->run.records, p->run.metered);
		if (p->unit->count == 0)
			p->unit->seq = seq;
		p->unit->count += p->run.records;
		p->unit->time = ack->time;
		seq += p->run.records;
		piece_drop(p);
	}
	if (seq != ack->seq + ack->count)
		log_warn("S2 acknowledged %llu records of an append of %llu",
		    (unsigned long long)ack->count,
		    (unsigned long long)(seq - ack->seq));
	if (s->joined.cap > JOINED_KEEP)
		buf_release(&s->joined);
	st->in_flight = 0;
	st->failed = 0;
	st->once = false;
	if (s->session.closing)		/* ended() comes next */
		return;
	if (is_plain(TAILQ_FIRST(&st->queue)))
		appender_wake(&s->session);
	else
		append_over(st);
}

static void
back_off(struct stream *st, const struct s2_error *e)
{
	unsigned ms = s2_backoff(st->failed++);

	if (ms < e->retry_after)
		ms = e->retry_after;
	tally_retry();
	log_info("s2://%s/%s: %s; again in %u ms", many.opt->uri.basin,
	    st->name, e->text, ms);
	st->due = s2_now() + ms;
	stream_set_state(st, BACKOFF);
}

/*
 * The append of the first n pieces of a stream failed.  Doubtful ones stay in
 * the queue, failed, until it is known whether they are there.
 */
static void
append_failed(struct stream *st, unsigned n, const struct s2_error *e)
{
	struct piece *p = TAILQ_FIRST(&st->queue), *next;
	const char *reason = nak_reason(e);
	unsigned i;

	tally_call(TALLY_APPEND, e);
	st->once = e->status == 0;
	if (e->retryable) {
		for (i = 0; i < n; i++, p = TAILQ_NEXT(p, queue))
			p->doubtful |= !e->no_side_effect;
		back_off(st, e);
		return;
	}
	stream_set_state(st, READY);
	if (n > 1 && strcmp(reason, "refused") == 0) {
		for (i = 0; i < n; i++, p = TAILQ_NEXT(p, queue))
			p->alone = true;
		return;
	}
	for (i = 0; i < n; i++, p = next) {
		next = TAILQ_NEXT(p, queue);
		p->doubtful &= e->fenced || e->mismatch;
		unit_fail(p->unit, reason, e);
		if (!p->doubtful)
			piece_drop(p);
	}
}

static void
session_ended(void *arg, const struct s2_error *e)
{
	struct slot *s = arg;
	struct stream *st = s->stream;
	unsigned n = st->in_flight;
	bool busy = st->state == BUSY;

	if (!busy && !s->closing)
		make_busy(s);	/* it was idle */
	free_slot(s);
	st->slot = NULL;
	st->in_flight = 0;
	if (e == NULL || !busy) {
		if (busy || st->state == IDLE)
			stream_set_state(st, READY);
		return;
	}
	append_failed(st, n > 0 ? n : st->pieces > 0, e);
}

void
send_append(struct stream *st)
{
	char path[S2_PATH_MAX];

	if (st->slot != NULL && st->slot->closing) {
		stream_set_state(st, IDLE);	/* until it has ended */
		return;
	}
	if (st->slot != NULL) {
		make_busy(st->slot);
		stream_set_state(st, BUSY);
		appender_wake(&st->slot->session);
		return;
	}
	st->slot = get_slot(st);
	if (st->slot == NULL) {
		stream_set_state(st, WAITING);
		return;
	}
	stream_set_state(st, BUSY);
	if (!st->once && st->conn->sessions < SESSIONS_MAX) {
		st->slot->is_session = true;
		st->conn->sessions++;
	}
	s2_stream_path(path, st->name, "/records");
	appender_open(&st->slot->session, many.opt->uri.basin, path,
	    !st->slot->is_session);
}

/* ---- Creating and probing ---- */

/* A request of the first piece failed. */
static void
request_failed(struct stream *st, const struct s2_error *e)
{
	if (e->retryable) {
		back_off(st, e);
		return;
	}
	stream_set_state(st, READY);
	unit_fail(TAILQ_FIRST(&st->queue)->unit, nak_reason(e), e);
	piece_drop(TAILQ_FIRST(&st->queue));
}

static void
release_unary(struct stream *st)
{
	free_slot(st->unary);
	st->unary = NULL;
}

static void
created(struct s2_call *call, void *arg)
{
	struct stream *st = arg;
	struct s2_error e = call->error;

	tally_call(TALLY_CREATE, call->failed ? &e : NULL);
	release_unary(st);
	/* An old stream of this name is on its way out: that ends. */
	if (strcmp(e.code, "stream_deletion_pending") == 0)
		e.retryable = true;
	if (call->failed && strcmp(e.code, "resource_already_exists") != 0) {
		request_failed(st, &e);
		return;
	}
	TAILQ_FIRST(&st->queue)->create = false;
	st->failed = 0;
	stream_set_state(st, READY);
}

void
send_create(struct stream *st)
{
	struct piece *p = TAILQ_FIRST(&st->queue);
	struct s2_request req = {
		.method = "POST",
		.basin = many.opt->uri.basin,
		.path = "/v1/streams",
		.type = S2_JSON,
		.what = "create a stream",
		.done = created,
		.arg = st,
	};
	struct slot *s = get_slot(st);
	jv name;

	if (s == NULL) {
		stream_set_state(st, WAITING);
		return;
	}
	st->unary = s;
	stream_set_state(st, CREATING);
	name = jv_dump_string(jv_string_sized(st->name, (int)st->len), 0);
	buf_clear(&s->body);
	if (buf_addf(&s->body, "{\"stream\":%s%s%s}", jv_string_value(name),
	    p->config != NULL ? ",\"config\":" : "",
	    p->config != NULL ? p->config : "") == -1)
		log_die(EXIT_OTHER, "out of memory");
	jv_free(name);
	req.body = buf_bytes(&s->body);
	req.size = buf_size(&s->body);
	s2_call_start(s->session.call, &req);
}

static void probe_read(struct stream *);

/* All was seen. */
static void
probed(struct stream *st)
{
	struct piece *p = TAILQ_FIRST(&st->queue);

	release_unary(st);
	if (p->probe) {
		p->unit->seq = st->tail;
		p->unit->time = st->time;
	}
	piece_drop(p);
	st->failed = 0;
	stream_set_state(st, READY);
}

/* See whether r is a record of a doubtful piece; true if all were found. */
static bool
compare(struct stream *st, const struct record *r, const unsigned char *p,
    size_t n)
{
	struct piece *piece = TAILQ_FIRST(&st->queue);
	struct unit *u = piece->unit;

	if (!same_record(&piece->run, st->same, p, n)) {
		st->same = 0;
		if (!same_record(&piece->run, 0, p, n))
			return false;
	}
	if (++st->same < piece->run.records)
		return false;
	u->failed = false;
	if (u->count == 0)
		u->seq = r->seq + 1 - st->same;
	u->count += st->same;
	u->time = r->time;
	return true;
}

static void
seen(const struct unit *u, const struct record *r)
{
	size_t i;
	bool ok;

	if (!record_is_fence(r) && !record_is_session(r))
		return;
	ok = buf_addf(&out, ":seen") == 0 &&
	    directive_add(&out, "token", u->token, u->len) == 0 &&
	    buf_addf(&out, " seq=%llu time=%llu", (unsigned long long)r->seq,
	    (unsigned long long)r->time) == 0;
	if (record_is_fence(r)) {
		ok = ok && directive_add(&out, "fence", r->body,
		    r->body_len) == 0;
	} else {
		ok = ok && buf_addf(&out, " head=") == 0;
		for (i = 0; i < r->value_len; i++)
			ok = ok && buf_addf(&out, "%02x", r->value[i]) == 0;
	}
	if (!ok || buf_add(&out, "\n", 1) == -1)
		log_die(EXIT_OTHER, "out of memory");
}

static void
probe_answer(struct s2_call *call, void *arg)
{
	struct stream *st = arg;
	const struct piece *first = TAILQ_FIRST(&st->queue);
	const unsigned char *p = buf_bytes(&call->body);
	size_t n = buf_size(&call->body);
	uint64_t before = st->at;
	struct pb_field f;
	struct record r;
	struct s2_error e;
	ssize_t took;

	tally_call(TALLY_READ, call->failed ? &call->error : NULL);
	if (call->failed && !call->error.unwritten) {
		e = call->error;
		release_unary(st);
		request_failed(st, &e);
		return;
	}
	for (; n > 0 && !call->failed; p += took, n -= took) {
		took = pb_next(p, n, &f, NULL);
		if (took <= 0)
			break;
		if (f.no != PIPE_RECORD || f.wire != PB_LEN ||
		    record_get(f.bytes, f.len, &r) == -1 || r.seq >= st->tail)
			continue;
		st->at = r.seq + 1;
		if (first->probe) {
			seen(first->unit, &r);
		} else if (compare(st, &r, f.bytes, f.len)) {
			st->at = st->tail;
			break;
		}
	}
	buf_release(&call->body);
	if (st->at == before || st->at >= st->tail)
		probed(st);
	else
		probe_read(st);
}

static void
probe_read(struct stream *st)
{
	struct s2_request req = {
		.method = "GET",
		.basin = many.opt->uri.basin,
		.accept = S2_PROTO,
		.what = "read the last records",
		.done = probe_answer,
		.arg = st,
	};
	char path[S2_PATH_MAX], rest[96];

	snprintf(rest, sizeof rest, "/records?seq_num=%llu&count=%llu",
	    (unsigned long long)st->at,
	    (unsigned long long)(st->tail - st->at));
	s2_stream_path(path, st->name, rest);
	req.path = path;
	s2_call_start(st->unary->session.call, &req);
}

static void
probe_tail(struct s2_call *call, void *arg)
{
	struct stream *st = arg;
	struct s2_error e;

	tally_call(TALLY_TAIL, call->failed ? &call->error : NULL);
	if (call->failed ||
	    !s2_json_number(buf_bytes(&call->body), buf_size(&call->body),
	    "seq_num", &st->tail) ||
	    !s2_json_number(buf_bytes(&call->body), buf_size(&call->body),
	    "timestamp", &st->time)) {
		if (!call->failed)
			s2_error_local(&call->error, true,
			    "S2's answer tells no tail");
		e = call->error;
		release_unary(st);
		request_failed(st, &e);
		return;
	}
	st->same = 0;
	st->at = st->tail > PROBE_RECORDS ? st->tail - PROBE_RECORDS : 0;
	if (st->tail == 0)
		probed(st);
	else
		probe_read(st);
}

void
send_probe(struct stream *st)
{
	struct s2_request req = {
		.method = "GET",
		.basin = many.opt->uri.basin,
		.what = "ask for the tail",
		.done = probe_tail,
		.arg = st,
	};
	char path[S2_PATH_MAX];

	st->unary = get_slot(st);
	if (st->unary == NULL) {
		stream_set_state(st, WAITING);
		return;
	}
	stream_set_state(st, PROBING);
	s2_stream_path(path, st->name, "/records/tail");
	req.path = path;
	s2_call_start(st->unary->session.call, &req);
}

/* ---- Ends ---- */

void
send_break_off(struct stream *st)
{
	struct piece *p;

	if (st->unary != NULL) {
		s2_call_abort(st->unary->session.call);
		release_unary(st);
		stream_set_state(st, READY);
	}
	if (st->state == BUSY) {
		p = TAILQ_FIRST(&st->queue);
		for (; st->in_flight > 0; st->in_flight--) {
			p->doubtful = true;
			p = TAILQ_NEXT(p, queue);
		}
		appender_abort(&st->slot->session);
		free_slot(st->slot);
		st->slot = NULL;
		stream_set_state(st, READY);
	}
}

void
send_check(struct conn *conn, int64_t now)
{
	struct slot *s;

	TAILQ_FOREACH(s, &conn->busy, entry)
		if (s == s->stream->slot)
			appender_check(&s->session, now);
}

void
send_close_idle(struct conn *conn, int64_t now)
{
	struct slot *s;

	while ((s = TAILQ_FIRST(&conn->idle)) != NULL &&
	    (now - s->used > IDLE_MAX || !TAILQ_EMPTY(&conn->waiting))) {
		make_busy(s);
		s->closing = true;
		appender_close(&s->session);
	}
}
