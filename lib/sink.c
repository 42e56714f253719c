#include <sys/uio.h>

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "sink.h"

/*
 * True if a write failed for good.  Another program that has the same pipe or
 * terminal may have made it non-blocking: then wait until it takes more.
 */
static bool
failed(struct sink *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };

	if (errno == EINTR)
		return false;
	if (errno == EAGAIN && (poll(&p, 1, -1) != -1 || errno == EINTR))
		return false;
	s->failed = true;
	return true;
}

static bool
is_terminal(struct sink *s)
{
	if (!s->known) {
		s->known = true;
		s->terminal = isatty(s->fd);
	}
	return s->terminal;
}

/* Write bytes to a terminal, as it may see them. */
static int
show(struct sink *s, const char *p, size_t n)
{
	size_t some;

	for (; n > 0; p += some, n -= some) {
		some = n < SINK_DIRECT ? n : SINK_DIRECT;
		if (visible_add(&s->seen, &s->shown, p, some) == -1)
			return -1;
		while (buf_size(&s->shown) > 0)
			if (buf_write(&s->shown, s->fd) == -1 && failed(s))
				return -1;
	}
	return 0;
}

int
sink_add(struct sink *s, const void *bytes, size_t n)
{
	const char *p = bytes;
	struct iovec v[2];
	size_t waiting;
	ssize_t put;

	if (n < SINK_DIRECT)
		return buf_add(&s->buf, p, n);
	if (is_terminal(s))
		return sink_flush(s) == -1 ? -1 : show(s, p, n);
	while (n > 0) {
		waiting = buf_size(&s->buf);
		v[0].iov_base = waiting > 0 ? buf_bytes(&s->buf) : NULL;
		v[0].iov_len = waiting;
		v[1].iov_base = (char *)p;
		v[1].iov_len = n;
		put = writev(s->fd, v, 2);
		if (put == -1) {
			if (failed(s))
				return -1;
			continue;
		}
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
	if (buf_size(&s->buf) > 0 && is_terminal(s)) {
		if (show(s, (char *)buf_bytes(&s->buf),
		    buf_size(&s->buf)) == -1)
			return -1;
		buf_clear(&s->buf);
	}
	while (buf_size(&s->buf) > 0)
		if (buf_write(&s->buf, s->fd) == -1 && failed(s))
			return -1;
	return 0;
}
