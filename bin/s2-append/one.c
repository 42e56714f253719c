/*
 * One stream: steps, comparing, and the session.
 */
#include "exits.h"
#include "log.h"
#include "one.h"
#include "same.h"

#define UNITS_MAX	65536	/* ends of units not yet acknowledged */
#define READ_RECORDS	1000	/* asked of one read */

struct one one;

/* ---- Ends ---- */

/* Something is to be done and has not been acknowledged. */
static bool
outstanding(void)
{
	return one.phase == CREATE || one.phase == LOOK ||
	    one.phase == COMPARE || one.phase == PAUSE ||
	    !TAILQ_EMPTY(&one.batches);
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

/* ---- Comparing ---- */

/* Sent before, or by an earlier run: it may be there already. */
static bool
may_be_there(const struct batch *b)
{
	return (b->doubtful && !b->compared) ||
	    (b->placed && b->place < one.tail);
}

static void compare(void);

/* All up to the tail was looked at. */
static void
compared(void)
{
	struct batch *b = TAILQ_FIRST(&one.batches);
	uint64_t guard = one.tail;

	if (b != NULL && b->placed && one.same > 0) {
		batch_acknowledge(b->place, one.same, one.time);
		batch_drop_records(b, one.same);
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
	if (!one.is_final)
		return;
	/* If all is there, it was S2's answer to what it had taken before. */
	one.is_final = !TAILQ_EMPTY(&one.batches);
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
		batch_acknowledge(one.at, one.same, time);
		batch_drop_first();
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
	batch_acknowledge(ack->seq, b->run.records, ack->time);
	batch_drop_first();
	batch_close_current();
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
			batch_place_all(one.tail);
	}
	one.phase = READY;
	units_acknowledge();
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

static void
one_drained(bool end)
{
	one.ended = end;
	if (one.phase == START) {
		one.phase = one.create_wanted ? CREATE : LOOK;
		one.progress = s2_now();
	}
	batch_close_current();
	if (end)
		batch_close_all();
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
		one_set_create("", 0);
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
	.field = one_take_field,
	.drained = one_drained,
	.hungry = one_hungry,
	.crowded = one_crowded,
	.timeout = one_timeout,
	.run = one_run,
	.finished = one_finished,
};
