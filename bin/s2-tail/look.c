#include <errno.h>

#include "s2_frame.h"
#include "s2-tail.h"

#define TAIL_ENOUGH	(1u << 20)		/* bytes of one look_tail() */
#define TAIL_MAX	(2 * TAIL_ENOUGH + S2_FRAME_MAX)

int
look_open(struct look *look, const struct s2_conf *conf)
{
	snprintf(look->what, sizeof look->what, "read of s2://%s/%.300s",
	    look->basin, look->stream);
	look->conf = conf;
	look->body = (struct buf)BUF_INIT(TAIL_MAX);
	look->s2 = s2_new(conf, 1);
	if (look->s2 != NULL)
		look->call = s2_call_new(look->s2, 0);
	if (look->call != NULL)
		return 0;
	s2_error_local(&look->error, false, "cannot start a read: %s",
	    strerror(errno));
	return -1;
}

void
look_close(struct look *look)
{
	buf_release(&look->body);
	s2_free(look->s2);
	look->s2 = NULL;
	look->call = NULL;
}

int
look_read(struct look *look, enum s2_from from, uint64_t start,
    uint64_t count)
{
	struct s2_range range = { .from = from, .start = start,
	    .count = count };
	struct s2_request req;
	char path[S2_PATH_MAX];

	s2_read_request(&req, path, look->basin, look->stream, &range);
	req.what = look->what;
	req.timeout = look->timeout;
	look->at_tail = false;
	if (s2_call_wait(look->call, &req, 0) == 0) {
		look->p = buf_bytes(&look->call->body);
		look->n = buf_size(&look->call->body);
		return 1;
	}
	look->error = look->call->error;
	return look->error.unwritten ? 0 : -1;
}

static int
take_tail(void *arg, const struct s2_batch *b)
{
	struct look *look = arg;

	return buf_add(&look->body, b->bytes, b->size) == -1 ||
	    buf_size(&look->body) >= TAIL_ENOUGH;
}

int
look_tail(struct look *look, uint64_t count)
{
	struct s2_reader r = { .conf = look->conf, .basin = look->basin,
	    .stream = look->stream, .watch = -1, .silence = look->timeout,
	    .range = { .from = S2_FROM_TAIL, .start = count },
	    .batch = take_tail, .arg = look };
	enum s2_reader_end end;

	buf_clear(&look->body);
	end = s2_reader_run(&r);
	look->at_tail = end == S2_READER_TAIL;
	look->error = r.error;
	s2_reader_release(&r);
	look->p = buf_bytes(&look->body);
	look->n = buf_size(&look->body);
	if (end != S2_READER_FAILED)
		return 1;
	return look->error.unwritten ? 0 : -1;
}

int
look_next(struct look *look, struct record *r)
{
	int rc = s2_batch_record(&look->p, &look->n, r);

	if (rc == -1)
		s2_error_local(&look->error, false,
		    "%s: the answer is no ReadBatch", look->what);
	return rc;
}
