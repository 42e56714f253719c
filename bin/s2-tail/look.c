#include <errno.h>

#include "s2-tail.h"

int
look_open(struct look *look, const struct s2_conf *conf)
{
	snprintf(look->what, sizeof look->what, "read of s2://%s/%.300s",
	    look->basin, look->stream);
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
	if (s2_call_wait(look->call, &req, 0) == 0) {
		look->p = buf_bytes(&look->call->body);
		look->n = buf_size(&look->call->body);
		return 1;
	}
	look->error = look->call->error;
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
