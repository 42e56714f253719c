/*
 * One stream: what has arrived is cut into batches, which are appended one
 * behind the other in one append session, several in flight.
 *
 * Nothing is lost and nothing is appended twice, whatever breaks.  When a
 * session ends without saying what became of its last batches, these are
 * doubtful.  Then: ask for the tail T; read the records from the first place
 * where a doubtful batch can be up to T, and compare; what is found there is
 * acknowledged.  What is not found is sent again on condition that it becomes
 * record T, T + count, ..., so that a late one of the dead connection that
 * lands after we looked makes the condition fail (412), and we look again.
 * Others may append to the stream at the same time: their records stand
 * between our batches, never inside one.
 *
 * With -s, or a match field in the input, the place of every batch is given,
 * and is compared record by record: what is already there by an earlier run
 * of the same command counts as appended.
 */
#include <sys/queue.h>

#include <jv.h>

#include "appender.h"
#include "exits.h"
#include "log.h"
#include "s2-append.h"
#include "same.h"

#define IN_FLIGHT_FEW	4	/* with fewer batches, a short one is sent */
#define UNITS_MAX	65536	/* ends of units not yet acknowledged */
#define READ_RECORDS	1000	/* asked of one read */

struct batch {
	struct run run;
	uint64_t first;		/* number of its first record in the input */
	size_t fence_len;
	char fence[S2_FENCE_MAX];
	bool has_fence;
	bool placed;		/* must become record 'place' */
	uint64_t place;
	size_t mark;		/* bytes, records and metered bytes ... */
	size_t mark_records;	/* ... up to the last end of a unit in it */
	size_t mark_metered;
	bool sent;		/* in this session */
	bool doubtful;		/* sent in one before, which broke */
	bool compared;		/* and was not found below 'guard', ... */
	uint64_t guard;		/* ... where it is to go now */
	TAILQ_ENTRY(batch) entry;
};
TAILQ_HEAD(batches, batch);

/* A token: the unit of the records since the one before. */
struct unit {
	uint64_t first;		/* number of its first record in the input */
	uint64_t end;		/* number behind its last one */
	uint64_t seq;		/* of the first record, once acknowledged */
	size_t len;
	char token[RECORD_TOKEN_MAX];
	TAILQ_ENTRY(unit) entry;
};
TAILQ_HEAD(units, unit);

enum phase {
	START,		/* nothing has arrived yet */
	CREATE,
	LOOK,		/* for the tail */
	COMPARE,	/* reading back */
	READY,		/* for a session */
	OPEN,		/* the session */
	PAUSE,		/* before the next try */
	OVER,
};

static struct one {
	const struct options *opt;
	struct s2_call *call;	/* for all but the session */
	struct appender session;
	enum phase phase;
	enum phase next;	/* after PAUSE */
	int64_t due;		/* end of PAUSE */
	unsigned failed;	/* tries since something went well */
	int64_t progress;	/* when something was last acknowledged */
	int status;		/* to exit with */
	char what[64 + S2_BASIN_MAX + S2_STREAM_MAX];
	char path[S2_PATH_MAX];	/* of the records */
	struct buf create;	/* the body of the request */
	bool create_wanted;
	/* The input. */
	struct batch *current;	/* not yet closed, or NULL */
	struct batches batches;	/* closed, not acknowledged */
	unsigned in_flight;	/* of them, sent */
	size_t bytes;		/* metered, in all of these */
	uint64_t taken;		/* records taken */
	uint64_t closed;	/* of these, in closed batches */
	uint64_t acked;		/* records acknowledged */
	uint64_t unit_first;	/* number of the open unit's first record */
	uint64_t unit_seq;	/* that one's place, once acknowledged */
	bool tokens;		/* the input has some: units are kept whole */
	struct units units;
	unsigned nunits;
	size_t fence_len;	/* in force for what is taken now */
	char fence[S2_FENCE_MAX];
	bool has_fence;
	bool placed;
	uint64_t place;
	bool ended;
	/* The stream. */
	bool looked;		/* its tail was seen */
	uint64_t from;		/* no doubtful record stands before this */
	uint64_t tail;		/* as last seen */
	uint64_t time;
	uint64_t at;		/* the place to be compared next */
	size_t same;		/* records before it that are the batch's */
	struct s2_error last;	/* why the last try failed */
	bool unexplained;	/* S2 did not say why the session ended */
	int check;		/* ms until appender_check() */
	bool is_final;		/* 'final' says why it goes on no more */
	struct s2_error final;
} one;

/* ---- Ends ---- */

/* Something is to be done and has not been acknowledged. */
static bool
outstanding(void)
{
	return one.phase == CREATE || one.phase == LOOK ||
	    one.phase == COMPARE || one.phase == PAUSE ||
	    !TAILQ_EMPTY(&one.batches);
}

static void
free_batch(struct batch *b)
{
	one.bytes -= b->run.metered;
	run_release(&b->run);
	free(b);
}

/* It cannot go on: say so, once, and for each unit that is not durable. */
static void
give_up(const struct s2_error *e, int status)
{
	char extra[512];
	struct unit *u;

	log_err("%s", e->text);
	one.status = status;
	one.phase = OVER;
	if (TAILQ_EMPTY(&one.units) && e->fenced)
		out_nak("-", 1, nak_reason(e), e->status,
		    nak_extra(e, extra, sizeof extra));
	while ((u = TAILQ_FIRST(&one.units)) != NULL) {
		TAILQ_REMOVE(&one.units, u, entry);
		out_nak(u->token, u->len, nak_reason(e), e->status,
		    nak_extra(e, extra, sizeof extra));
		free(u);
	}
}

static void
give_up_late(void)
{
	struct s2_error e;

	s2_error_local(&e, true, "%s: nothing went through for %lld s%s%s; "
	    "what was not acknowledged may still turn out to be durable",
	    one.what, (long long)one.opt->patience / 1000,
	    one.last.text[0] != '\0' ? "; last: " : "", one.last.text);
	e.status = one.last.retryable ? one.last.status : 0;
	give_up(&e, EXIT_TRYAGAIN);
}

/* Records cannot get the place that was asked for. */
static void
misplaced(uint64_t place, const char *why)
{
	struct s2_error e;

	s2_error_local(&e, false, "%s: refused: sequence number %llu %s; the "
	    "tail is %llu", one.what, (unsigned long long)place, why,
	    (unsigned long long)one.tail);
	e.mismatch = true;
	e.status = 412;
	e.seq = one.tail;
	give_up(&e, EXIT_OTHER);
}

/* A step failed.  Try again later, from step 'next', or give up. */
static void
step_failed(const struct s2_error *e, enum phase next)
{
	unsigned ms;

	one.last = *e;
	if (!e->retryable) {
		give_up(e, nak_exit(e));
		return;
	}
	ms = s2_backoff(one.failed++);
	if (ms < e->retry_after)
		ms = e->retry_after;
	log_info("%s; again in %u ms", e->text, ms);
	one.phase = PAUSE;
	one.next = next;
	one.due = s2_now() + ms;
}

/* ---- Acknowledging ---- */

static void
acknowledge_units(void)
{
	struct unit *u;
	uint64_t count;

	while (one.looked && (u = TAILQ_FIRST(&one.units)) != NULL &&
	    u->end <= one.acked) {
		count = u->end - u->first;
		out_ack(u->token, u->len, count > 0 ? u->seq : one.from, count,
		    one.time);
		TAILQ_REMOVE(&one.units, u, entry);
		one.nunits--;
		free(u);
	}
}

/* The first n records of the first batch are durable from seq on. */
static void
acknowledge(uint64_t seq, size_t n, uint64_t time)
{
	struct batch *b = TAILQ_FIRST(&one.batches);
	uint64_t end = b->first + n;
	struct unit *u;

	TAILQ_FOREACH(u, &one.units, entry) {
		if (u->first >= end)
			break;
		if (u->first >= b->first)
			u->seq = seq + (u->first - b->first);
	}
	if (one.unit_first >= b->first && one.unit_first < end)
		one.unit_seq = seq + (one.unit_first - b->first);
	one.acked = end;
	one.from = seq + n;
	if (one.tail < one.from)
		one.tail = one.from;
	one.time = time;
	one.failed = 0;
	one.progress = s2_now();
	acknowledge_units();
	if (one.opt->verbose && !one.tokens)
		out_ack("-", 1, seq, n, time);
}

static void
drop_first_batch(void)
{
	struct batch *b = TAILQ_FIRST(&one.batches);

	TAILQ_REMOVE(&one.batches, b, entry);
	if (b->sent)
		one.in_flight--;
	free_batch(b);
}

/* ---- The input ---- */

static struct batch *
new_batch(void)
{
	struct batch *b = calloc(1, sizeof *b);

	if (b == NULL)
		log_die(EXIT_OTHER, "out of memory");
	b->has_fence = one.has_fence;
	b->fence_len = one.fence_len;
	memcpy(b->fence, one.fence, one.fence_len);
	return b;
}

/* Hand a batch over to be appended. */
static void
add_batch(struct batch *b)
{
	b->first = one.closed;
	one.closed += b->run.records;
	if (one.placed) {
		b->placed = true;
		b->place = one.place;
		one.place += b->run.records;
	}
	if (TAILQ_EMPTY(&one.batches) &&
	    (one.phase == READY || one.phase == OPEN))
		one.progress = s2_now();
	TAILQ_INSERT_TAIL(&one.batches, b, entry);
	if (one.phase == OPEN)
		appender_wake(&one.session);
}

/* What stands behind the last end of a unit in b, as a batch of its own. */
static struct batch *
split_batch(struct batch *b)
{
	struct batch *rest = new_batch();
	struct buf *bytes = &b->run.bytes;

	rest->run.bytes.max = bytes->max;
	if (buf_add(&rest->run.bytes, buf_bytes(bytes) + b->mark,
	    buf_size(bytes) - b->mark) == -1)
		log_die(EXIT_OTHER, "out of memory");
	rest->run.records = b->run.records - b->mark_records;
	rest->run.metered = b->run.metered - b->mark_metered;
	bytes->len = bytes->off + b->mark;
	b->run.records = b->mark_records;
	b->run.metered = b->mark_metered;
	return rest;
}

/* Close the current batch, with an open unit in it or, if it can, without. */
static void
cut(bool with_open_unit)
{
	struct batch *b = one.current;
	bool open = one.tokens && one.taken > one.unit_first;

	if (b == NULL)
		return;
	if (open && b->mark_records > 0) {
		one.current = split_batch(b);
		add_batch(b);
		if (!with_open_unit)
			return;
		b = one.current;
	} else if (open && !with_open_unit) {
		return;
	}
	one.current = NULL;
	add_batch(b);
}

/* Close what has arrived, unless enough is on its way already. */
static void
close_current(void)
{
	struct batch *b;
	int n = 0;

	TAILQ_FOREACH(b, &one.batches, entry)
		if (++n == IN_FLIGHT_FEW)
			return;
	cut(one.ended);
}

static int
take_record(const struct pb_field *f, size_t size, const char **why)
{
	struct weight w;

	if (run_weigh(f, size, &w, why) == -1)
		return -1;
	if (one.current != NULL && !run_fits(&one.current->run, &w)) {
		cut(false);
		/* A unit too large for one append is cut where it must be. */
		if (one.current != NULL && !run_fits(&one.current->run, &w))
			cut(true);
	}
	if (one.current == NULL)
		one.current = new_batch();
	if (run_add(&one.current->run, f, &w) == -1)
		log_die(EXIT_OTHER, "out of memory");
	one.bytes += w.metered;
	one.taken++;
	return 0;
}

static int
take_token(const struct pb_field *f, const char **why)
{
	struct unit *u;

	if (f->wire != PB_LEN || f->len < 1 || f->len > RECORD_TOKEN_MAX) {
		*why = "a token is not 1 to 64 bytes long";
		return -1;
	}
	if ((u = calloc(1, sizeof *u)) == NULL)
		log_die(EXIT_OTHER, "out of memory");
	one.tokens = true;
	u->first = one.unit_first;
	u->end = one.taken;
	u->seq = one.unit_seq;
	u->len = f->len;
	memcpy(u->token, f->bytes, f->len);
	TAILQ_INSERT_TAIL(&one.units, u, entry);
	one.nunits++;
	one.unit_first = one.taken;
	if (one.current != NULL) {
		one.current->mark = buf_size(&one.current->run.bytes);
		one.current->mark_records = one.current->run.records;
		one.current->mark_metered = one.current->run.metered;
		/* What follows a fence is to be judged by it. */
		if (one.current->run.has_fence)
			cut(true);
	}
	acknowledge_units();
	return 0;
}

static int
take_fence(const struct pb_field *f, const char **why)
{
	if (f->wire != PB_LEN || f->len > S2_FENCE_MAX) {
		*why = "a fencing token is longer than 36 bytes";
		return -1;
	}
	if (one.has_fence && one.fence_len == f->len &&
	    memcmp(one.fence, f->bytes, f->len) == 0)
		return 0;
	cut(true);
	one.has_fence = true;
	one.fence_len = f->len;
	memcpy(one.fence, f->bytes, f->len);
	return 0;
}

/* The body of a request that creates the stream. */
static int
set_create(const void *config, size_t n)
{
	jv name = jv_dump_string(jv_string(one.opt->uri.stream), 0);
	int result;

	buf_clear(&one.create);
	result = buf_addf(&one.create, "{\"stream\":%s",
	    jv_string_value(name));
	jv_free(name);
	if (n > 0 && (buf_addf(&one.create, ",\"config\":") == -1 ||
	    buf_add(&one.create, config, n) == -1))
		result = -1;
	if (buf_add(&one.create, "}", 1) == -1)
		result = -1;
	one.create_wanted = true;
	return result;
}

static int
one_field(const struct pb_field *f, size_t size, const char **why)
{
	switch (f->no) {
	case PIPE_RECORD:
		return take_record(f, size, why);
	case PIPE_MATCH:
		*why = "this has been read from S2; to copy a recording, use "
		    "rr-reassemble -d and rr-frame";
		if (f->wire != PB_VARINT)
			return -1;
		cut(true);
		one.placed = true;
		one.place = f->num;
		return 0;
	case PIPE_FENCE:
		return take_fence(f, why);
	case PIPE_TOKEN:
		return take_token(f, why);
	case PIPE_CREATE:
		/* Later on the stream is there, or was deleted on purpose. */
		*why = "a stream's configuration is too long";
		return one.phase == START && f->wire == PB_LEN ?
		    set_create(f->bytes, f->len) : 0;
	case PIPE_STREAM:
	case PIPE_PROBE:
		*why = "the input is for many streams; use s2-append -m "
		    "s2://BASIN";
		return -1;
	}
	return 0;
}

static void
one_drained(bool end)
{
	one.ended = end;
	if (one.phase == START) {
		one.phase = one.create_wanted ? CREATE : LOOK;
		one.progress = s2_now();
	}
	close_current();
	if (end)
		cut(true);
}

/* ---- Comparing ---- */

/* Sent before, or by an earlier run: it may be there already. */
static bool
may_be_there(const struct batch *b)
{
	return (b->doubtful && !b->compared) ||
	    (b->placed && b->place < one.tail);
}

/* The first n records of the first batch were found: it is the rest now. */
static void
drop_records(struct batch *b, size_t n)
{
	const char *why;
	struct pb_field f;
	struct weight w;
	ssize_t size;

	for (; n > 0; n--) {
		size = pb_next(buf_bytes(&b->run.bytes),
		    buf_size(&b->run.bytes), &f, NULL);
		run_weigh(&f, size, &w, &why);
		buf_take(&b->run.bytes, size);
		b->run.records--;
		b->run.metered -= w.metered;
		one.bytes -= w.metered;
		b->first++;
		b->place++;
	}
}

static void compare(void);

/* All up to the tail was looked at. */
static void
compared(void)
{
	struct batch *b = TAILQ_FIRST(&one.batches);
	uint64_t guard = one.tail;

	if (b != NULL && b->placed && one.same > 0) {
		acknowledge(b->place, one.same, one.time);
		drop_records(b, one.same);
	}
	TAILQ_FOREACH(b, &one.batches, entry) {
		if (!b->doubtful)
			continue;
		b->compared = true;
		b->guard = guard;
		guard += b->run.records;
	}
	if (one.from < one.tail)
		one.from = one.tail;
	one.phase = READY;
	if (one.is_final)
		give_up(&one.final, nak_exit(&one.final));
}

/*
 * Compare one record of the stream.  False if the reading is not to go on
 * behind it.
 */
static bool
compare_record(uint64_t seq, uint64_t time, const unsigned char *p, size_t n)
{
	struct batch *b = TAILQ_FIRST(&one.batches);

	if (seq != one.at + one.same) {	/* trimmed */
		one.at = seq;
		one.same = 0;
	}
	if ((!b->placed || one.at == b->place) &&
	    same_record(&b->run, one.same, p, n)) {
		if (++one.same < b->run.records)
			return true;
		acknowledge(one.at, one.same, time);
		drop_first_batch();
		one.at += one.same;
		one.same = 0;
		b = TAILQ_FIRST(&one.batches);
		return b != NULL && may_be_there(b);
	}
	if (b->placed) {
		misplaced(seq, "is taken by another record");
		return false;
	}
	if (one.same > 0) {	/* part of it: look again one further */
		one.at++;
		one.same = 0;
		return false;
	}
	one.at++;
	return true;
}

static void
compare_answer(struct s2_call *call, void *arg)
{
	const unsigned char *p = buf_bytes(&call->body);
	size_t n = buf_size(&call->body), records = 0;
	struct pb_field f, g;
	uint64_t seq, time;
	const unsigned char *q;
	struct batch *b;
	ssize_t took;
	size_t left;

	(void)arg;
	if (call->failed) {
		step_failed(&call->error, LOOK);
		return;
	}
	for (; n > 0; p += took, n -= took) {
		took = pb_next(p, n, &f, NULL);
		if (took <= 0)
			break;
		if (f.no != PIPE_RECORD || f.wire != PB_LEN)
			continue;
		seq = time = 0;
		for (q = f.bytes, left = f.len; left > 0; ) {
			ssize_t t = pb_next(q, left, &g, NULL);

			if (t <= 0)
				break;
			if (g.no == 1 && g.wire == PB_VARINT)
				seq = g.num;
			if (g.no == 2 && g.wire == PB_VARINT)
				time = g.num;
			q += t;
			left -= t;
		}
		if (seq >= one.tail)
			break;
		records++;
		if (!compare_record(seq, time, f.bytes, f.len))
			break;
	}
	if (one.phase != COMPARE)
		return;
	b = TAILQ_FIRST(&one.batches);
	if (records == 0 || b == NULL || !may_be_there(b) ||
	    one.at + one.same >= one.tail)
		compared();
	else
		compare();
}

/* Read the next records that are to be compared. */
static void
compare(void)
{
	char rest[128];
	struct s2_request req = {
		.method = "GET",
		.basin = one.opt->uri.basin,
		.accept = S2_PROTO,
		.what = one.what,
		.done = compare_answer,
	};
	char path[S2_PATH_MAX];

	snprintf(rest, sizeof rest, "/records?seq_num=%llu&count=%d",
	    (unsigned long long)(one.at + one.same), READ_RECORDS);
	s2_stream_path(path, one.opt->uri.stream, rest);
	req.path = path;
	s2_call_start(one.call, &req);
}

static void
start_comparing(void)
{
	const struct batch *b = TAILQ_FIRST(&one.batches);

	one.phase = COMPARE;
	one.at = b->placed ? b->place : one.from;
	one.same = 0;
	if (one.at >= one.tail)
		compared();
	else
		compare();
}

/* ---- The session ---- */

static bool
next_append(void *arg, struct append *a)
{
	struct batch *b;

	(void)arg;
	TAILQ_FOREACH(b, &one.batches, entry)
		if (!b->sent)
			break;
	if (b == NULL || may_be_there(b))
		return false;
	b->sent = true;
	one.in_flight++;
	a->records = buf_bytes(&b->run.bytes);
	a->size = buf_size(&b->run.bytes);
	a->count = b->run.records;
	a->has_match = b->placed || b->doubtful;
	a->match = b->placed ? b->place : b->guard;
	a->fence = b->has_fence ? b->fence : NULL;
	a->fence_len = b->fence_len;
	return true;
}

static void
acked(void *arg, const struct ack *ack)
{
	const struct batch *b = TAILQ_FIRST(&one.batches);

	(void)arg;
	if (one.is_final)
		return;
	if (ack->count != b->run.records) {
		/* Cannot be; if it is, what we know of the stream is wrong. */
		s2_error_local(&one.final, false, "%s: S2 acknowledged %llu "
		    "records of a batch of %zu", one.what,
		    (unsigned long long)ack->count, b->run.records);
		one.is_final = true;
		return;
	}
	acknowledge(ack->seq, b->run.records, ack->time);
	drop_first_batch();
	close_current();
	appender_wake(&one.session);
}

/* The session is over: what of its batches is doubtful, and what now? */
static void
session_ended(void *arg, const struct s2_error *e)
{
	struct batch *b, *first = TAILQ_FIRST(&one.batches);
	bool doubtful = false;

	(void)arg;
	one.in_flight = 0;
	one.unexplained = e != NULL && e->status == 0;
	if (e == NULL) {
		one.phase = READY;
		return;
	}
	TAILQ_FOREACH(b, &one.batches, entry) {
		if (b->sent && !e->no_side_effect)
			b->doubtful = true;
		b->sent = false;
		b->compared = false;
		doubtful |= b->doubtful;
	}
	if (e->mismatch && first != NULL &&
	    (first->placed ? first->place < e->seq : first->doubtful)) {
		log_info("%s", e->text);
		one.tail = e->seq;
		start_comparing();
	} else if (!e->retryable) {
		/* Some may be durable nevertheless: see before giving up. */
		one.final = *e;
		one.is_final = doubtful;
		if (doubtful)
			one.phase = LOOK;
		else
			give_up(e, nak_exit(e));
	} else if (first == NULL) {
		one.phase = READY;
	} else {
		step_failed(e, LOOK);
	}
}

/* ---- Steps ---- */

/* With -s tail: the first records go there, the others behind them. */
static void
place_batches(uint64_t place)
{
	struct batch *b;

	TAILQ_FOREACH(b, &one.batches, entry) {
		if (b->placed)		/* by the input itself */
			return;
		b->placed = true;
		b->place = place;
		place += b->run.records;
	}
	if (!one.placed) {
		one.placed = true;
		one.place = place;
	}
}

static void
look_answer(struct s2_call *call, void *arg)
{
	const unsigned char *p = buf_bytes(&call->body);
	size_t n = buf_size(&call->body);
	struct s2_error e;

	(void)arg;
	if (call->failed) {
		step_failed(&call->error, LOOK);
		return;
	}
	if (!s2_json_number(p, n, "seq_num", &one.tail) ||
	    !s2_json_number(p, n, "timestamp", &one.time)) {
		s2_error_local(&e, true, "%s: S2's answer tells no tail",
		    one.what);
		step_failed(&e, LOOK);
		return;
	}
	if (!one.looked) {
		one.looked = true;
		one.from = one.tail;
		if (one.opt->match_tail)
			place_batches(one.tail);
	}
	one.phase = READY;
	acknowledge_units();
}

static void
look(void)
{
	char path[S2_PATH_MAX];
	struct s2_request req = {
		.method = "GET",
		.basin = one.opt->uri.basin,
		.path = path,
		.what = one.what,
		.done = look_answer,
	};

	s2_stream_path(path, one.opt->uri.stream, "/records/tail");
	s2_call_start(one.call, &req);
}

static void
create_answer(struct s2_call *call, void *arg)
{
	struct s2_error *e = &call->error;

	(void)arg;
	/* An old stream of this name is on its way out: that ends. */
	if (strcmp(e->code, "stream_deletion_pending") == 0)
		e->retryable = true;
	if (call->failed && strcmp(e->code, "resource_already_exists") != 0)
		step_failed(e, CREATE);
	else
		one.phase = LOOK;
}

static void
create(void)
{
	struct s2_request req = {
		.method = "POST",
		.basin = one.opt->uri.basin,
		.path = "/v1/streams",
		.type = S2_JSON,
		.what = one.what,
		.body = buf_bytes(&one.create),
		.size = buf_size(&one.create),
		.done = create_answer,
	};

	s2_call_start(one.call, &req);
}

/* Do what the phase asks for, as long as that changes it. */
static void
one_run(void)
{
	struct batch *b = TAILQ_FIRST(&one.batches);
	int64_t now = s2_now();

	if (one.is_final && one.phase == OPEN) {
		appender_abort(&one.session);
		give_up(&one.final, EXIT_OTHER);
	}
	if (one.phase == PAUSE && now >= one.due)
		one.phase = one.next;
	if (outstanding() && now - one.progress >= one.opt->patience) {
		s2_call_abort(one.call);
		appender_abort(&one.session);
		give_up_late();
	}
	switch (one.phase) {
	case CREATE:
		if (!s2_call_is_running(one.call))
			create();
		break;
	case LOOK:
		if (!s2_call_is_running(one.call))
			look();
		break;
	case READY:
		if (b == NULL)
			break;
		if (may_be_there(b)) {
			start_comparing();
			break;
		}
		if (b->placed && b->place > one.tail) {
			misplaced(b->place, "is not the next one");
			break;
		}
		one.phase = OPEN;
		appender_open(&one.session, one.opt->uri.basin, one.path,
		    one.unexplained);
		break;
	case OPEN:
		/* A place given in the input may lie below the tail. */
		if (one.in_flight == 0 && b != NULL && may_be_there(b)) {
			appender_abort(&one.session);
			start_comparing();
			break;
		}
		one.check = appender_check(&one.session, now);
		break;
	case START:
	case COMPARE:
	case PAUSE:
	case OVER:
		break;
	}
}

static bool
one_hungry(void)
{
	return one.phase != OVER && one.bytes < one.opt->window &&
	    one.nunits < UNITS_MAX;
}

static bool
one_crowded(void)
{
	return false;
}

static int
one_timeout(void)
{
	int64_t due = -1, left;

	if (one.phase == READY && !TAILQ_EMPTY(&one.batches))
		return 0;
	if (outstanding())
		due = one.progress + one.opt->patience;
	if (one.phase == PAUSE && one.due < due)
		due = one.due;
	if (due == -1)
		return -1;
	left = due - s2_now();
	if (one.phase == OPEN && one.check != -1 && one.check < left)
		left = one.check;
	return left < 0 ? 0 : (int)left;
}

static bool
one_finished(int *status)
{
	if (one.phase == OVER) {
		*status = one.status;
		return true;
	}
	return one.ended && TAILQ_EMPTY(&one.batches) &&
	    (one.phase == READY || one.phase == OPEN);
}

void
one_init(const struct options *opt, struct s2 *s2)
{
	one.opt = opt;
	one.phase = START;
	TAILQ_INIT(&one.batches);
	TAILQ_INIT(&one.units);
	one.create.max = RECORD_JSON_MAX + 8 * S2_STREAM_MAX;
	snprintf(one.what, sizeof one.what, "append to s2://%s/%s",
	    opt->uri.basin, opt->uri.stream);
	s2_stream_path(one.path, opt->uri.stream, "/records");
	if (opt->create)
		set_create("", 0);
	if (opt->fence != NULL) {
		one.has_fence = true;
		one.fence_len = strlen(opt->fence);
		memcpy(one.fence, opt->fence, one.fence_len);
	}
	if (opt->has_match && !opt->match_tail) {
		one.placed = true;
		one.place = opt->match;
	}
	one.call = s2_call_new(s2, 0);
	one.session.call = s2_call_new(s2, 0);
	if (one.call == NULL || one.session.call == NULL)
		log_die(EXIT_OTHER, "out of memory");
	one.session.what = one.what;
	one.session.next = next_append;
	one.session.acked = acked;
	one.session.ended = session_ended;
	appender_init(&one.session);
}

const struct mode one_mode = {
	.field = one_field,
	.drained = one_drained,
	.hungry = one_hungry,
	.crowded = one_crowded,
	.timeout = one_timeout,
	.run = one_run,
	.finished = one_finished,
};
