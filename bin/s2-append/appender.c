#include "appender.h"

#define FRAME_MAX	65536	/* bytes of an ack, or of an error */
#define ACK_TIME	50	/* ms that an ack takes, before one came */
#define SILENCE		40	/* ms more than three times that: too long */

/*
 * Eight times the mean time to an ack, ms, over all sessions: they have one
 * server.
 */
static int64_t ack_time8 = 8 * ACK_TIME;

static int64_t
silence(void)
{
	return 3 * ack_time8 / 8 + SILENCE;
}

static void
set_append(struct appender *s)
{
	struct append *a = &s->now;
	unsigned char *p = s->tail;

	if (a->has_match) {
		*p++ = PIPE_MATCH << 3 | PB_VARINT;
		p = pb_put_varint(p, a->match);
	}
	if (a->fence != NULL) {
		*p++ = PIPE_FENCE << 3 | PB_LEN;
		p = pb_put_varint(p, a->fence_len);
		memcpy(p, a->fence, a->fence_len);
		p += a->fence_len;
	}
	s->tail_len = p - s->tail;
	s2_frame_head(s->head, a->size + s->tail_len);
	s->sent = 0;
	s->sending = true;
	if (s->unacked++ == 0)
		s->since = s2_now();
}

/* Copy what is left of the run at 'at' into p; how much that is. */
static size_t
copy_run(struct appender *s, unsigned char *p, size_t room,
    const unsigned char *run, size_t at, size_t len)
{
	size_t from = s->sent - at, n = len - from;

	if (n > room)
		n = room;
	memcpy(p, run + from, n);
	s->sent += n;
	return n;
}

static ssize_t
give(void *arg, unsigned char *p, size_t room)
{
	struct appender *s = arg;
	size_t records_end, end, n = 0;

	while (n < room) {
		if (!s->sending) {
			if (s->broken || s->closing || !s->next(s->arg,
			    &s->now))
				break;
			set_append(s);
		}
		records_end = S2_FRAME_HEAD + s->now.size;
		end = records_end + s->tail_len;
		if (s->sent < S2_FRAME_HEAD)
			n += copy_run(s, p + n, room - n, s->head, 0,
			    S2_FRAME_HEAD);
		else if (s->sent < records_end)
			n += copy_run(s, p + n, room - n, s->now.records,
			    S2_FRAME_HEAD, s->now.size);
		else if (s->sent < end)
			n += copy_run(s, p + n, room - n, s->tail,
			    records_end, s->tail_len);
		s->sending = s->sent < end;
	}
	if (n > 0)
		return n;
	return s->closing ? 0 : S2_SEND_WAIT;
}

static int
get_ack(const unsigned char *p, size_t n, struct ack *ack)
{
	uint64_t end = 0, time;
	struct pb_field f;
	ssize_t took;

	ack->seq = ack->time = 0;
	for (; n > 0; p += took, n -= took) {
		took = pb_next(p, n, &f, NULL);
		if (took <= 0)
			return -1;
		if (f.wire != PB_LEN)
			continue;
		if (f.no == 1 && record_get_position(f.bytes, f.len,
		    &ack->seq, &time) == -1)
			return -1;
		if (f.no == 2 && record_get_position(f.bytes, f.len, &end,
		    &ack->time) == -1)
			return -1;
	}
	if (end <= ack->seq)
		return -1;
	ack->count = end - ack->seq;
	return 0;
}

static int
fail(struct appender *s, const char *why)
{
	s->broken = true;
	s2_error_local(&s->error, true, "%s: the session broke: %s", s->what,
	    why);
	return -1;
}

static void
heard(struct appender *s)
{
	int64_t now = s2_now();

	ack_time8 += now - s->since - ack_time8 / 8;
	s->since = now;
}

static int
take(void *arg, const unsigned char *p, size_t n)
{
	struct appender *s = arg;
	struct s2_frame f;
	struct ack ack;
	const char *why;
	ssize_t took;

	if (buf_add(&s->in, p, n) == -1)
		return fail(s, "S2 sent a frame that no ack needs");
	while ((took = s2_frame_next(buf_bytes(&s->in), buf_size(&s->in), &f,
	    NULL, &why)) > 0) {
		if (f.flags & S2_FRAME_TERMINAL) {
			s->broken = true;
			s2_error_answer(&s->error, s->what, f.status,
			    f.payload, f.len);
			return -1;
		}
		if (s->unacked == 0 || (s->unacked == 1 && s->sending))
			return fail(s, "S2 acknowledged what was not sent");
		if (get_ack(f.payload, f.len, &ack) == -1)
			return fail(s, "S2 sent a malformed ack");
		buf_take(&s->in, took);
		s->unacked--;
		heard(s);
		s->acked(s->arg, &ack);
	}
	return took == -1 ? fail(s, why) : 0;
}

static void
done(struct s2_call *call, void *arg)
{
	struct appender *s = arg;

	if (!s->broken && call->failed) {
		s->broken = true;
		s->error = call->error;
	} else if (!s->broken && (!s->closing || s->unacked > 0 ||
	    buf_size(&s->in) > 0)) {
		fail(s, "S2 ended it and did not say why");
	}
	s->ended(s->arg, s->broken ? &s->error : NULL);
}

static void
done_once(struct s2_call *call, void *arg)
{
	struct appender *s = arg;
	struct ack ack;

	s->unacked = 0;
	if (call->failed) {
		s->broken = true;
		s->error = call->error;
	} else if (get_ack(buf_bytes(&call->body), buf_size(&call->body),
	    &ack) == -1) {
		fail(s, "S2 sent a malformed ack");
	} else {
		heard(s);
		s->acked(s->arg, &ack);
	}
	s->ended(s->arg, s->broken ? &s->error : NULL);
}

/* One append by one request. */
static void
append_once(struct appender *s, const char *basin, const char *path)
{
	struct s2_request req = {
		.method = "POST",
		.basin = basin,
		.path = path,
		.type = S2_PROTO,
		.accept = S2_PROTO,
		.what = s->what,
		.done = done_once,
		.arg = s,
	};

	if (!s->next(s->arg, &s->now))
		return;
	set_append(s);
	s->sending = false;
	s->closing = true;	/* nothing more can go this way */
	buf_clear(&s->body);
	if (buf_add(&s->body, s->now.records, s->now.size) == -1 ||
	    buf_add(&s->body, s->tail, s->tail_len) == -1)
		buf_clear(&s->body);	/* S2 refuses that */
	req.body = buf_bytes(&s->body);
	req.size = buf_size(&s->body);
	s2_call_start(s->call, &req);
}

void
appender_init(struct appender *s)
{
	s->body.max = S2_FRAME_MAX;
	s->in.max = S2_FRAME_HEAD + FRAME_MAX;
}

void
appender_release(struct appender *s)
{
	buf_release(&s->in);
	buf_release(&s->body);
}

void
appender_open(struct appender *s, const char *basin, const char *path,
    bool once)
{
	struct s2_request req = {
		.method = "POST",
		.basin = basin,
		.path = path,
		.type = S2_SESSION,
		.what = s->what,
		.send = give,
		.data = take,
		.done = done,
		.arg = s,
	};

	s->sending = s->closing = s->broken = false;
	s->unacked = 0;
	buf_clear(&s->in);
	if (once)
		append_once(s, basin, path);
	else
		s2_call_start(s->call, &req);
}

void
appender_wake(struct appender *s)
{
	if (!s->sending)
		s2_call_resume(s->call);
}

void
appender_close(struct appender *s)
{
	s->closing = true;
	s2_call_resume(s->call);
}

int
appender_check(struct appender *s, int64_t now)
{
	int64_t left;

	if (s->unacked == 0 || s->closing)
		return -1;
	left = s->since + silence() - now;
	if (left > 0)
		return (int)left;
	appender_close(s);
	return -1;
}

void
appender_abort(struct appender *s)
{
	s2_call_abort(s->call);
	s->sending = false;
	s->unacked = 0;
}
