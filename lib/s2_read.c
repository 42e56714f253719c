#include <errno.h>
#include <poll.h>

#include "s2_frame.h"
#include "s2_read.h"

#define CHUNK_MAX	(1u << 20)	/* bytes of one call of data() */
#define UNARY_TIMEOUT	10000		/* ms */
#define FOLLOW_WAIT	UINT32_MAX	/* s */

/* Append "?seq_num=N&..." to path. */
static void
add_query(char *path, const struct s2_range *range)
{
	static const char *const names[] = {
		[S2_FROM_SEQ] = "seq_num",
		[S2_FROM_TIME] = "clamp=true&timestamp",
		[S2_FROM_TAIL] = "tail_offset",
	};
	size_t n = strlen(path);

	n += snprintf(path + n, S2_PATH_MAX - n, "?%s=%llu",
	    names[range->from], (unsigned long long)range->start);
	if (range->count > 0)
		n += snprintf(path + n, S2_PATH_MAX - n, "&count=%llu",
		    (unsigned long long)range->count);
	if (range->bytes > 0)
		n += snprintf(path + n, S2_PATH_MAX - n, "&bytes=%llu",
		    (unsigned long long)range->bytes);
	if (range->until > 0)
		snprintf(path + n, S2_PATH_MAX - n, "&until=%llu",
		    (unsigned long long)range->until);
}

void
s2_read_request(struct s2_request *req, char path[S2_PATH_MAX],
    const char *basin, const char *stream, const struct s2_range *range)
{
	s2_stream_path(path, stream, "/records");
	add_query(path, range);
	memset(req, 0, sizeof *req);
	req->method = "GET";
	req->basin = basin;
	req->path = path;
	req->accept = S2_PROTO;
	req->timeout = UNARY_TIMEOUT;
}

int
s2_batch_record(const unsigned char **p, size_t *n, struct record *r)
{
	struct pb_field f;
	ssize_t took;

	while (*n > 0) {
		took = pb_next(*p, *n, &f, NULL);
		if (took <= 0)
			return -1;
		*p += took;
		*n -= took;
		if (f.no == PIPE_RECORD && f.wire == PB_LEN)
			return record_get(f.bytes, f.len, r) == -1 ? -1 : 1;
	}
	return 0;
}

/* End the session with an error of the wire. */
static int
broken(struct s2_reader *r, const char *why)
{
	s2_error_local(&r->error, true, "%s: %s", r->what, why);
	r->end_cause = S2_READER_FAILED;
	return -1;
}

static int
finish(struct s2_reader *r, enum s2_reader_end cause)
{
	r->end_cause = cause;
	return -1;
}

/* True if a record of this number is not wanted, nor any after it. */
static bool
is_beyond(const struct s2_reader *r, uint64_t seq, size_t taken, bool counted)
{
	return (r->end > 0 && seq >= r->end) ||
	    (counted && taken == r->range.count);
}

/*
 * Take a ReadBatch: see how far it comes, cut off what was not asked for, and
 * hand it on.  S2's frames have the records first; a tail before them would
 * be cut off no worse.
 */
static int
take_batch(struct s2_reader *r, const unsigned char *p, size_t n)
{
	struct s2_batch b = { .bytes = p, .time = r->time };
	bool counted = r->range.count > 0, beyond = false;
	struct pb_field f;
	struct record record;
	uint64_t next = 0;
	ssize_t took;

	if (r->range.from == S2_FROM_SEQ)
		next = r->range.start;
	for (; n > 0 && !beyond; p += took, n -= took) {
		took = pb_next(p, n, &f, NULL);
		if (took <= 0)
			return broken(r, "a frame holds no ReadBatch");
		if (f.no == PIPE_RECORD && f.wire == PB_LEN) {
			if (record_get(f.bytes, f.len, &record) == -1 ||
			    record.seq < next)
				return broken(r, "a frame holds a record that "
				    "cannot be there");
			beyond = is_beyond(r, record.seq, b.records, counted);
			if (beyond)
				break;
			b.records++;
			next = record.seq + 1;
			b.time = record.time;
		} else if (f.no == PIPE_TAIL && f.wire == PB_LEN) {
			b.has_tail = true;
			if (record_get_position(f.bytes, f.len, &b.tail_seq,
			    &b.tail_time) == -1)
				return broken(r, "a frame holds no tail");
		}
		b.size += took;
	}
	if (b.records > 0) {
		r->brought = true;
		r->time = b.time;
		if (counted)
			r->range.count -= b.records;
	} else if (b.has_tail && b.tail_seq > next) {
		next = b.tail_seq;	/* what was there is trimmed */
	}
	b.next = next;
	if (b.records > 0 || b.has_tail) {
		r->range.from = S2_FROM_SEQ;
		r->range.start = next;
	}
	if (b.has_tail && !r->has_target) {
		r->has_target = true;
		r->target = b.tail_seq;
	}
	if (r->batch(r->arg, &b) != 0)
		return finish(r, S2_READER_ENOUGH);
	if (!r->follow && r->has_target && next >= r->target)
		return finish(r, S2_READER_TAIL);
	if (beyond || (counted && r->range.count == 0) ||
	    (r->end > 0 && next >= r->end))
		return finish(r, S2_READER_END);
	return 0;
}

static int
take_frames(struct s2_reader *r)
{
	struct s2_frame f;
	const char *why;
	ssize_t took;

	for (;;) {
		took = s2_frame_next(buf_bytes(&r->in), buf_size(&r->in), &f,
		    NULL, &why);
		if (took == 0)
			return 0;
		if (took == -1)
			return broken(r, why);
		if (f.flags & S2_FRAME_TERMINAL) {
			s2_error_answer(&r->error, r->what, f.status,
			    f.payload, f.len);
			return finish(r, S2_READER_FAILED);
		}
		if (take_batch(r, f.payload, f.len) == -1)
			return -1;
		if (f.flags & S2_FRAME_RECONNECT)
			return broken(r, "S2 asks to connect again");
		buf_take(&r->in, took);
	}
}

static int
on_data(void *arg, const unsigned char *p, size_t n)
{
	struct s2_reader *r = arg;
	int rc;

	if (buf_add(&r->in, p, n) == -1)
		return broken(r, strerror(errno));
	rc = take_frames(r);
	r->heard = s2_now();	/* not before: batch() may have blocked */
	return rc;
}

static void
on_done(struct s2_call *call, void *arg)
{
	struct s2_reader *r = arg;

	r->over = true;
	if (r->end_cause != 0)
		return;
	if (call->failed) {
		r->error = call->error;
		r->end_cause = S2_READER_FAILED;
	} else if (buf_size(&r->in) > 0) {
		broken(r, "the answer ended within a frame");
	} else if (r->range.until == 0) {
		broken(r, "S2 ended the session");
	} else if (r->brought) {
		/* At the time asked for?  If so, the next brings nothing. */
		r->again = true;
	} else {
		r->end_cause = S2_READER_END;
	}
}

static int
start(struct s2_reader *r)
{
	struct s2_request req;
	struct s2_range range = r->range;
	char path[S2_PATH_MAX];
	size_t n;

	if (r->s2 == NULL && (r->s2 = s2_new(r->conf, 1)) == NULL)
		return -1;
	if (r->call == NULL && (r->call = s2_call_new(r->s2, 0)) == NULL)
		return -1;
	/* No more than what is needed up to 'end'; fewer if some are gone. */
	if (r->end > 0 && range.from == S2_FROM_SEQ && range.start < r->end &&
	    (range.count == 0 || range.count > r->end - range.start))
		range.count = r->end - range.start;
	s2_read_request(&req, path, r->basin, r->stream, &range);
	n = strlen(path);
	/* S2 takes a bound for a wish to end at the tail, unless told. */
	if (range.count > 0 || range.until > 0)
		snprintf(path + n, sizeof path - n, "&wait=%u", FOLLOW_WAIT);
	snprintf(r->what, sizeof r->what, "read of s2://%s/%.300s", r->basin,
	    r->stream);
	req.what = r->what;
	req.type = S2_SESSION;
	req.accept = S2_TYPE_NONE;
	req.timeout = 0;
	req.data = on_data;
	req.done = on_done;
	req.arg = r;
	r->in.max = S2_FRAME_HEAD + S2_FRAME_MAX + CHUNK_MAX;
	buf_clear(&r->in);
	r->end_cause = 0;
	r->over = r->brought = false;
	r->heard = s2_now();
	s2_call_start(r->call, &req);
	return 0;
}

static bool
is_left(int fd)
{
	struct pollfd p = { .fd = fd };

	return fd != -1 && poll(&p, 1, 0) == 1 &&
	    (p.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
}

/* Wait for the engine, or for the reader of 'watch' to leave. */
static void
wait_some(struct s2_reader *r)
{
	struct pollfd p[2] = {
		{ .fd = s2_fd(r->s2), .events = POLLIN },
		{ .fd = r->watch },
	};
	int64_t left = r->heard + r->silence - s2_now();
	int ms = s2_timeout(r->s2);

	if (left < 0)
		left = 0;
	if (ms < 0 || ms > left)
		ms = (int)left;
	poll(p, 2, ms);
	s2_run(r->s2);
}

static enum s2_reader_end
run_session(struct s2_reader *r)
{
	r->again = false;
	if (start(r) == -1) {
		s2_error_local(&r->error, true, "cannot start a read: %s",
		    strerror(errno));
		return S2_READER_FAILED;
	}
	while (!r->over && r->end_cause == 0) {
		wait_some(r);
		if (is_left(r->watch)) {
			finish(r, S2_READER_LEFT);
		} else if (s2_now() - r->heard >= r->silence) {
			broken(r, "S2 is silent");
			s2_reader_release(r);	/* that connection is dead */
			return r->end_cause;
		}
	}
	if (!r->over)
		s2_call_abort(r->call);
	return r->end_cause;
}

enum s2_reader_end
s2_reader_run(struct s2_reader *r)
{
	enum s2_reader_end cause;

	if (r->end > 0 && r->range.from == S2_FROM_SEQ &&
	    r->range.start >= r->end)
		return S2_READER_END;
	do
		cause = run_session(r);
	while (r->again);
	return cause;
}

void
s2_reader_release(struct s2_reader *r)
{
	s2_call_free(r->call);
	s2_free(r->s2);
	r->call = NULL;
	r->s2 = NULL;
	buf_release(&r->in);
}
