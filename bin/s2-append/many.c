/*
 * Many streams: each stream has a queue of pieces (a unit, or part of one that
 * is too large for one append), and at most one append in flight.  What has
 * arrived meanwhile goes into the next append together, and each unit still
 * learns its own place.
 *
 * A stream that is appended to again and again has an append session: there an
 * append costs half of what one by a request of its own does, here and in S2.
 * As many sessions as a connection may have are given to those that come
 * first and taken back when not used for a while; the other streams use
 * requests.
 *
 * A stream stays on one connection, so that its appends keep their order and
 * S2 counts few operations.  It is known here only while it has something to
 * do or a session.
 *
 * An append whose fate is not known is repeated: readers drop repeats.  If the
 * repeat is refused by a condition, the first may have been applied before
 * that held: then the last records of the stream are compared with it.
 */
#include <sys/queue.h>

#include <jv.h>

#include "appender.h"
#include "exits.h"
#include "lines.h"
#include "log.h"
#include "s2-append.h"
#include "same.h"

#define BUCKETS		4096	/* of the table of streams; a power of two */
#define PIECES_MAX	8192	/* queued, of all streams */
#define TOTAL_MAX	(64u << 20)	/* bytes of them: no input is read */
#define STREAM_BYTES	(8u << 20)	/* queued of one stream: it is full */
#define STREAM_PIECES	1024
#define PIECE_COST	sizeof(struct piece)	/* beside its bytes */

#define SLOTS_MAX	96	/* calls of one connection */
#define SESSIONS_MAX	64	/* of these, at most so many sessions */
#define IDLE_MAX	2000	/* ms until an idle session is closed */
#define CROWD		128	/* pieces; see crowded() */
#define TICK		20	/* ms between looks at what may be overdue */

#define JOINED_KEEP	65536	/* bytes of memory that a session keeps */

#define PROBE_RECORDS	64

TAILQ_HEAD(pieces, piece);
TAILQ_HEAD(streams, stream);
TAILQ_HEAD(slots, slot);

/* What one token acknowledges. */
struct unit {
	bool has_token;
	bool begun;		/* its first piece was queued */
	bool failed;		/* nak it as soon as its last piece is here */
	const char *reason;
	int status;
	int exit;
	char extra[320];
	uint64_t seq;
	uint64_t count;
	uint64_t time;
	size_t len;
	char token[RECORD_TOKEN_MAX];
};

struct piece {
	struct unit *unit;
	struct stream *stream;
	struct run run;
	bool last;		/* of its unit */
	bool alone;		/* S2 refused it with others: who is it? */
	bool doubtful;		/* sent, and may have been applied */
	bool probe;
	bool create;		/* the stream first */
	char *config;		/* for that; NULL: the default */
	bool has_match;
	uint64_t match;
	bool has_fence;
	size_t fence_len;
	char fence[S2_FENCE_MAX];
	int64_t deadline;
	TAILQ_ENTRY(piece) queue;
	TAILQ_ENTRY(piece) age;
};

enum state {
	IDLE,		/* nothing to do */
	READY,		/* in the list of those to be looked at */
	WAITING,	/* for a slot */
	BUSY,		/* an append is in flight, or about to be */
	CREATING,
	PROBING,	/* or looking for a doubtful piece */
	BACKOFF,	/* until 'due' */
};

struct stream {
	struct stream *next;	/* in its bucket */
	uint32_t hash;
	struct conn *conn;
	enum state state;
	struct pieces queue;
	unsigned pieces;
	unsigned in_flight;	/* of them, the first so many */
	size_t bytes;
	struct slot *slot;	/* its session, or NULL */
	struct slot *unary;	/* its other request, or NULL */
	unsigned failed;	/* tries since something went well */
	int64_t due;
	bool once;		/* no session: the last one ended strangely */
	uint64_t tail, time, at;	/* of a probe */
	size_t same;		/* records before 'at' that are the piece's */
	TAILQ_ENTRY(stream) entry;	/* in the list of its state */
	size_t len;
	char name[];
};

/* A call on a connection: an append session, or one request. */
struct slot {
	struct conn *conn;
	struct stream *stream;	/* NULL: free */
	struct appender session;
	struct buf joined;	/* pieces that are appended together */
	struct buf body;	/* of a request that creates */
	bool is_session;	/* and counts as such */
	bool closing;
	int64_t used;		/* when its session was last busy */
	TAILQ_ENTRY(slot) entry;	/* of free, busy or idle ones */
};

struct conn {
	unsigned index;
	unsigned slots;		/* there are */
	unsigned sessions;
	struct slots free;
	struct slots busy;	/* also closing ones, and requests */
	struct slots idle;	/* sessions, the longest unused first */
	struct streams waiting;
};

static struct many {
	const struct options *opt;
	struct s2 *s2;
	struct conn conns[S2_CONNS_MAX];
	struct stream *table[BUCKETS];
	struct pieces ages;	/* all pieces, the oldest first */
	unsigned pieces;
	size_t bytes;
	struct streams ready;
	struct streams backoff;
	int64_t tick;		/* when to look for what is overdue */
	int status;
	bool ended;
	/* The input. */
	struct piece *current;	/* with records, not yet queued */
	struct unit *unit;	/* open */
	size_t name_len;
	char name[S2_STREAM_MAX];
	bool create;
	char *config;
	bool has_match;
	uint64_t match;
	bool has_fence;
	size_t fence_len;
	char fence[S2_FENCE_MAX];
} many;

static void *
xcalloc(size_t n)
{
	void *p = calloc(1, n);

	if (p == NULL)
		log_die(EXIT_OTHER, "out of memory");
	return p;
}

/* ---- Streams ---- */

/* FNV-1a. */
static uint32_t
hash_name(const char *s, size_t n)
{
	uint32_t h = 2166136261u;
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 16777619u;
	return h ^ h >> 15;
}

static struct stream *
get_stream(const char *name, size_t n)
{
	uint32_t h = hash_name(name, n);
	struct stream **bucket = &many.table[h % BUCKETS], *st;

	for (st = *bucket; st != NULL; st = st->next)
		if (st->hash == h && st->len == n &&
		    memcmp(st->name, name, n) == 0)
			return st;
	st = xcalloc(sizeof *st + n + 1);
	st->hash = h;
	st->conn = &many.conns[h / BUCKETS % many.opt->conns];
	st->len = n;
	memcpy(st->name, name, n);
	TAILQ_INIT(&st->queue);
	st->next = *bucket;
	*bucket = st;
	return st;
}

static void
forget_stream(struct stream *st)
{
	struct stream **p = &many.table[st->hash % BUCKETS];

	while (*p != st)
		p = &(*p)->next;
	*p = st->next;
	free(st);
}

static void
set_state(struct stream *st, enum state state)
{
	switch (st->state) {
	case READY:
		TAILQ_REMOVE(&many.ready, st, entry);
		break;
	case WAITING:
		TAILQ_REMOVE(&st->conn->waiting, st, entry);
		break;
	case BACKOFF:
		TAILQ_REMOVE(&many.backoff, st, entry);
		break;
	case IDLE:
	case BUSY:
	case CREATING:
	case PROBING:
		break;
	}
	st->state = state;
	switch (state) {
	case READY:
		TAILQ_INSERT_TAIL(&many.ready, st, entry);
		break;
	case WAITING:
		TAILQ_INSERT_TAIL(&st->conn->waiting, st, entry);
		break;
	case BACKOFF:
		TAILQ_INSERT_TAIL(&many.backoff, st, entry);
		break;
	case IDLE:
	case BUSY:
	case CREATING:
	case PROBING:
		break;
	}
}

/* ---- Units and pieces ---- */

/* Its last piece is done with: say what came of it. */
static void
end_unit(struct unit *u)
{
	const char *token = u->has_token ? u->token : "-";
	size_t len = u->has_token ? u->len : 1;

	if (u->failed) {
		out_nak(token, len, u->reason, u->status, u->extra);
		if (!u->has_token && many.status == EXIT_OK)
			many.status = u->exit;
	} else if (u->has_token || many.opt->verbose) {
		out_ack(token, len, u->seq, u->count, u->time);
	}
	free(u);
}

static void
fail_unit(struct unit *u, const char *reason, const struct s2_error *e)
{
	if (u->failed)
		return;
	u->failed = true;
	u->reason = reason;
	u->exit = EXIT_TRYAGAIN;
	if (e != NULL) {
		u->status = e->status;
		u->exit = nak_exit(e);
		nak_extra(e, u->extra, sizeof u->extra);
		log_info("%s", e->text);
	}
}

static void
free_piece(struct piece *p)
{
	run_release(&p->run);
	free(p->config);
	free(p);
}

/* Take a piece that is done with from its stream. */
static void
drop_piece(struct piece *p)
{
	struct stream *st = p->stream;
	size_t cost = p->run.bytes.cap + PIECE_COST;

	TAILQ_REMOVE(&st->queue, p, queue);
	TAILQ_REMOVE(&many.ages, p, age);
	st->pieces--;
	st->bytes -= cost;
	many.pieces--;
	many.bytes -= cost;
	if (p->last)
		end_unit(p->unit);
	free_piece(p);
}

/* ---- Slots ---- */

static bool next_append(void *, struct append *);
static void acked(void *, const struct ack *);
static void session_ended(void *, const struct s2_error *);

static struct slot *
new_slot(struct conn *conn)
{
	struct slot *s = xcalloc(sizeof *s);

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
	set_state(st, READY);
}

static void
acked(void *arg, const struct ack *ack)
{
	struct slot *s = arg;
	struct stream *st = s->stream;
	uint64_t seq = ack->seq;
	struct piece *p;
	unsigned n;

	for (n = st->in_flight; n > 0; n--) {
		p = TAILQ_FIRST(&st->queue);
		if (p->unit->count == 0)
			p->unit->seq = seq;
		p->unit->count += p->run.records;
		p->unit->time = ack->time;
		seq += p->run.records;
		drop_piece(p);
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
	log_info("s2://%s/%s: %s; again in %u ms", many.opt->uri.basin,
	    st->name, e->text, ms);
	st->due = s2_now() + ms;
	set_state(st, BACKOFF);
}

/*
 * The append of the first n pieces of a stream failed.  Doubtful ones stay in the
 * queue, failed, until it is known whether they are there.
 */
static void
append_failed(struct stream *st, unsigned n, const struct s2_error *e)
{
	struct piece *p = TAILQ_FIRST(&st->queue), *next;
	const char *reason = nak_reason(e);
	unsigned i;

	st->once = e->status == 0;
	if (e->retryable) {
		for (i = 0; i < n; i++, p = TAILQ_NEXT(p, queue))
			p->doubtful |= !e->no_side_effect;
		back_off(st, e);
		return;
	}
	set_state(st, READY);
	if (n > 1 && strcmp(reason, "refused") == 0) {
		for (i = 0; i < n; i++, p = TAILQ_NEXT(p, queue))
			p->alone = true;
		return;
	}
	for (i = 0; i < n; i++, p = next) {
		next = TAILQ_NEXT(p, queue);
		p->doubtful &= e->fenced || e->mismatch;
		fail_unit(p->unit, reason, e);
		if (!p->doubtful)
			drop_piece(p);
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
			set_state(st, READY);
		return;
	}
	append_failed(st, n > 0 ? n : st->pieces > 0, e);
}

static void
append(struct stream *st)
{
	char path[S2_PATH_MAX];

	if (st->slot != NULL && st->slot->closing) {
		set_state(st, IDLE);	/* until it has ended */
		return;
	}
	if (st->slot != NULL) {
		make_busy(st->slot);
		set_state(st, BUSY);
		appender_wake(&st->slot->session);
		return;
	}
	st->slot = get_slot(st);
	if (st->slot == NULL) {
		set_state(st, WAITING);
		return;
	}
	set_state(st, BUSY);
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
	set_state(st, READY);
	fail_unit(TAILQ_FIRST(&st->queue)->unit, nak_reason(e), e);
	drop_piece(TAILQ_FIRST(&st->queue));
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
	set_state(st, READY);
}

static void
create(struct stream *st)
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
		set_state(st, WAITING);
		return;
	}
	st->unary = s;
	set_state(st, CREATING);
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
	drop_piece(p);
	st->failed = 0;
	set_state(st, READY);
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

static void
probe(struct stream *st)
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
		set_state(st, WAITING);
		return;
	}
	set_state(st, PROBING);
	s2_stream_path(path, st->name, "/records/tail");
	req.path = path;
	s2_call_start(st->unary->session.call, &req);
}

/* ---- What to do next ---- */

/* See to a stream that is READY. */
static void
see_to(struct stream *st)
{
	struct piece *p;

	while ((p = TAILQ_FIRST(&st->queue)) != NULL) {
		if (p->unit->failed && p->doubtful) {
			probe(st);
			return;
		} else if (p->unit->failed) {
			drop_piece(p);
		} else if (p->create) {
			create(st);
			return;
		} else if (p->probe) {
			probe(st);
			return;
		} else if (p->run.records > 0) {
			append(st);
			return;
		} else {
			drop_piece(p);	/* a token alone */
		}
	}
	set_state(st, IDLE);
	if (st->slot == NULL)
		forget_stream(st);
}

/* Its time is up.  What is under way for it is broken off. */
static void
expire(struct piece *p)
{
	struct stream *st = p->stream;
	struct piece *q;
	bool first = p == TAILQ_FIRST(&st->queue);

	if (st->unary != NULL && first) {
		s2_call_abort(st->unary->session.call);
		release_unary(st);
		set_state(st, READY);
	}
	if (st->in_flight > 0 && first) {
		for (q = p; st->in_flight > 0; st->in_flight--) {
			q->doubtful = true;
			q = TAILQ_NEXT(q, queue);
		}
		appender_abort(&st->slot->session);
		free_slot(st->slot);
		st->slot = NULL;
		set_state(st, READY);
	}
	fail_unit(p->unit, "unavailable", NULL);
	if (p->doubtful)
		p->unit->reason = "unavailable";
	drop_piece(p);
	if (st->pieces == 0 && (st->state == BACKOFF || st->state == WAITING))
		set_state(st, READY);
}

/* Close sessions that nobody uses. */
static void
close_idle(struct conn *conn, int64_t now)
{
	struct slot *s;

	while ((s = TAILQ_FIRST(&conn->idle)) != NULL &&
	    (now - s->used > IDLE_MAX || !TAILQ_EMPTY(&conn->waiting))) {
		make_busy(s);
		s->closing = true;
		appender_close(&s->session);
	}
}

static void
look_for_overdue(int64_t now)
{
	struct stream *st, *next;
	struct conn *conn;
	struct slot *s;
	unsigned i;

	many.tick = now + TICK;
	for (st = TAILQ_FIRST(&many.backoff); st != NULL; st = next) {
		next = TAILQ_NEXT(st, entry);
		if (st->due <= now)
			set_state(st, READY);
	}
	for (i = 0; i < many.opt->conns; i++) {
		conn = &many.conns[i];
		TAILQ_FOREACH(s, &conn->busy, entry)
			if (s == s->stream->slot)
				appender_check(&s->session, now);
		close_idle(conn, now);
	}
}

static void
many_run(void)
{
	int64_t now = s2_now();
	struct stream *st;
	struct piece *p;
	unsigned i;

	while ((p = TAILQ_FIRST(&many.ages)) != NULL && p->deadline <= now)
		expire(p);
	if (now >= many.tick)
		look_for_overdue(now);
	for (i = 0; i < many.opt->conns; i++) {
		if (TAILQ_EMPTY(&many.conns[i].waiting))
			continue;
		close_idle(&many.conns[i], now);
		while (!TAILQ_EMPTY(&many.conns[i].free) &&
		    (st = TAILQ_FIRST(&many.conns[i].waiting)) != NULL) {
			set_state(st, READY);
			see_to(st);
		}
	}
	/* With much to be written nothing new is begun. */
	while (buf_size(&out) < OUT_ENOUGH &&
	    (st = TAILQ_FIRST(&many.ready)) != NULL)
		see_to(st);
}

static unsigned
sessions(void)
{
	unsigned i, n = 0;

	for (i = 0; i < many.opt->conns; i++)
		n += many.conns[i].sessions;
	return n;
}

static int
many_timeout(void)
{
	int64_t left;

	if (!TAILQ_EMPTY(&many.ready) && buf_size(&out) < OUT_ENOUGH)
		return 0;
	if (many.pieces == 0)
		return sessions() > 0 ? IDLE_MAX / 4 : -1;
	left = many.tick - s2_now();
	return left < 0 ? 0 : (int)left;
}

static bool
many_hungry(void)
{
	return many.pieces < PIECES_MAX && many.bytes < TOTAL_MAX;
}

static bool
many_finished(int *status)
{
	*status = many.status;
	return many.ended && many.pieces == 0;
}

/* ---- The input ---- */

static struct unit *
open_unit(void)
{
	if (many.unit == NULL)
		many.unit = xcalloc(sizeof *many.unit);
	return many.unit;
}

static struct piece *
new_piece(void)
{
	struct piece *p = xcalloc(sizeof *p);

	p->unit = open_unit();
	p->create = many.create;
	p->config = many.config;
	many.create = false;
	many.config = NULL;
	p->has_match = many.has_match;
	p->match = many.match;
	p->has_fence = many.has_fence;
	p->fence_len = many.fence_len;
	memcpy(p->fence, many.fence, many.fence_len);
	return p;
}

/* Queue a piece; it is the last of its unit or not. */
static void
queue_piece(struct piece *p, bool last)
{
	size_t cost = p->run.bytes.cap + PIECE_COST;
	struct unit *u = p->unit;
	struct stream *st;

	p->last = last;
	if (last)
		many.unit = NULL;
	many.match += p->run.records;
	st = get_stream(many.name, many.name_len);
	/* What has begun goes on: else a large unit could never be stored. */
	if (!u->begun && (st->bytes + cost > STREAM_BYTES ||
	    st->pieces >= STREAM_PIECES))
		fail_unit(u, "full", NULL);
	u->begun = true;
	if (u->failed) {
		if (last)
			end_unit(u);
		free_piece(p);
		return;
	}
	p->stream = st;
	p->deadline = s2_now() + many.opt->patience;
	TAILQ_INSERT_TAIL(&st->queue, p, queue);
	TAILQ_INSERT_TAIL(&many.ages, p, age);
	st->pieces++;
	st->bytes += cost;
	many.pieces++;
	many.bytes += cost;
	if (st->state == IDLE)
		set_state(st, READY);
}

/* Queue what was read of the open unit; it ends here or goes on. */
static void
cut(bool last)
{
	struct piece *p = many.current;

	many.current = NULL;
	if (p == NULL && (!last || many.unit == NULL))
		return;
	queue_piece(p != NULL ? p : new_piece(), last);
}

static void
forget_create(void)
{
	many.create = false;
	free(many.config);
	many.config = NULL;
}

static int
take_stream(const struct pb_field *f, const char **why)
{
	cut(true);
	if (!s2_stream_is_valid((const char *)f->bytes, f->len)) {
		*why = "a stream's name is not 1 to 512 bytes of UTF-8, or is "
		    "'.' or '..'";
		return -1;
	}
	many.name_len = f->len;
	memcpy(many.name, f->bytes, f->len);
	many.has_match = many.has_fence = false;
	forget_create();
	return 0;
}

static int
take_record(const struct pb_field *f, size_t size, const char **why)
{
	struct weight w;

	if (run_weigh(f, size, &w, why) == -1)
		return -1;
	if (many.current != NULL && !run_fits(&many.current->run, &w))
		cut(false);
	if (many.current == NULL)
		many.current = new_piece();
	if (run_add(&many.current->run, f, &w) == -1)
		log_die(EXIT_OTHER, "out of memory");
	return 0;
}

static int
take_token(const struct pb_field *f, bool probe, const char **why)
{
	struct unit *u;

	if (f->len < 1 || f->len > RECORD_TOKEN_MAX) {
		*why = "a token is not 1 to 64 bytes long";
		return -1;
	}
	if (probe)
		cut(true);	/* what has no token of its own */
	u = open_unit();
	u->has_token = true;
	u->len = f->len;
	memcpy(u->token, f->bytes, f->len);
	if (probe) {
		many.current = new_piece();
		many.current->probe = true;
	}
	cut(true);
	return 0;
}

static int
take_create(const struct pb_field *f, const char **why)
{
	cut(false);
	if (f->len > RECORD_JSON_MAX) {
		*why = "a stream's configuration is too long";
		return -1;
	}
	forget_create();
	many.create = true;
	if (f->len > 0) {
		many.config = xcalloc(f->len + 1);
		memcpy(many.config, f->bytes, f->len);
	}
	return 0;
}

static int
take_fence(const struct pb_field *f, const char **why)
{
	cut(false);
	if (f->len > S2_FENCE_MAX) {
		*why = "a fencing token is longer than 36 bytes";
		return -1;
	}
	many.has_fence = true;
	many.fence_len = f->len;
	memcpy(many.fence, f->bytes, f->len);
	return 0;
}

static int
many_field(const struct pb_field *f, size_t size, const char **why)
{
	bool ours = f->no <= PIPE_FENCE ||
	    (f->no >= PIPE_STREAM && f->no <= PIPE_PROBE);

	if (!ours)
		return 0;
	if (f->wire != (f->no == PIPE_MATCH ? PB_VARINT : PB_LEN)) {
		*why = "a field is not of its type; is this input from "
		    "s2-tail? To copy, use rr-reassemble -d and rr-frame";
		return -1;
	}
	if (f->no == PIPE_STREAM)
		return take_stream(f, why);
	if (many.name_len == 0) {
		*why = "no stream is named yet; without -m give "
		    "s2://BASIN/STREAM";
		return -1;
	}
	switch (f->no) {
	case PIPE_RECORD:
		return take_record(f, size, why);
	case PIPE_MATCH:
		cut(false);
		many.has_match = true;
		many.match = f->num;
		return 0;
	case PIPE_FENCE:
		return take_fence(f, why);
	case PIPE_TOKEN:
		return take_token(f, false, why);
	case PIPE_CREATE:
		return take_create(f, why);
	case PIPE_PROBE:
		return take_token(f, true, why);
	}
	return 0;
}

static void
many_drained(bool end)
{
	if (!end)
		return;
	cut(true);
	many.ended = true;
}

void
many_init(const struct options *opt, struct s2 *s2)
{
	unsigned i;

	many.opt = opt;
	many.s2 = s2;
	TAILQ_INIT(&many.ages);
	TAILQ_INIT(&many.ready);
	TAILQ_INIT(&many.backoff);
	for (i = 0; i < opt->conns; i++) {
		many.conns[i].index = i;
		TAILQ_INIT(&many.conns[i].free);
		TAILQ_INIT(&many.conns[i].busy);
		TAILQ_INIT(&many.conns[i].idle);
		TAILQ_INIT(&many.conns[i].waiting);
	}
}

static bool
many_crowded(void)
{
	return many.pieces > CROWD;
}

const struct mode many_mode = {
	.field = many_field,
	.drained = many_drained,
	.hungry = many_hungry,
	.crowded = many_crowded,
	.timeout = many_timeout,
	.run = many_run,
	.finished = many_finished,
};
