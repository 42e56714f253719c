#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sink.h"

int
sink_add(struct sink *s, const void *bytes, size_t n)
{
	const char *p = bytes;
	struct iovec v[2];
	size_t waiting;
	ssize_t put;

	if (n < SINK_DIRECT)
		return buf_add(&s->buf, p, n);
	while (n > 0) {
		waiting = buf_size(&s->buf);
		v[0].iov_base = waiting > 0 ? buf_bytes(&s->buf) : NULL;
		v[0].iov_len = waiting;
		v[1].iov_base = (char *)p;
		v[1].iov_len = n;
		do
			put = writev(s->fd, v, 2);
		while (put == -1 && errno == EINTR);
		if (put == -1)
			return -1;
		if ((size_t)put <= waiting) {
			buf_take(&s->buf, put);
			continue;
		}
		buf_take(&s->buf, waiting);
		p += (size_t)put - waiting;
		n -= (size_t)put - waiting;
	}
	return 0;
}

int
sink_flush(struct sink *s)
{
	return buf_flush(&s->buf, s->fd);
}
