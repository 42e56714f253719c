#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "buf.h"

#define BUF_CAP_MIN	256

void
buf_release(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->off = b->len = b->cap = 0;
}

void
buf_clear(struct buf *b)
{
	b->off = b->len = 0;
}

unsigned char *
buf_reserve(struct buf *b, size_t n)
{
	unsigned char *p;
	size_t used = b->len - b->off, cap;

	if (b->data != NULL && b->cap - b->len >= n)
		return b->data + b->len;
	if (n > b->max || used > b->max - n) {
		errno = ENOBUFS;
		return NULL;
	}
	/* Moving down what is no more than was taken since is cheap. */
	if (b->off > 0 && b->off >= used && b->cap - used >= n) {
		memmove(b->data, b->data + b->off, used);
		b->off = 0;
		b->len = used;
		return b->data + b->len;
	}
	cap = b->cap < BUF_CAP_MIN ? BUF_CAP_MIN : b->cap;
	while (cap < used + n)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	if (cap > b->max)
		cap = b->max;
	p = malloc(cap);
	if (p == NULL)
		return NULL;
	if (used > 0)
		memcpy(p, b->data + b->off, used);
	free(b->data);
	b->data = p;
	b->cap = cap;
	b->off = 0;
	b->len = used;
	return p + used;
}

int
buf_add(struct buf *b, const void *bytes, size_t n)
{
	unsigned char *p = buf_reserve(b, n);

	if (p == NULL)
		return -1;
	if (n > 0)
		memcpy(p, bytes, n);
	b->len += n;
	return 0;
}

int
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	unsigned char *p;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || (p = buf_reserve(b, (size_t)n + 1)) == NULL) {
		va_end(again);
		return -1;
	}
	vsnprintf((char *)p, (size_t)n + 1, fmt, again);
	va_end(again);
	b->len += n;
	return 0;
}

void
buf_take(struct buf *b, size_t n)
{
	b->off += n;
	if (b->off == b->len)
		b->off = b->len = 0;
}

ssize_t
buf_read(struct buf *b, int fd, size_t n)
{
	unsigned char *p;
	ssize_t got;

	if ((p = buf_reserve(b, n)) == NULL)
		return -1;
	do
		got = read(fd, p, n);
	while (got == -1 && errno == EINTR);
	if (got > 0)
		b->len += got;
	return got;
}

ssize_t
buf_write(struct buf *b, int fd)
{
	ssize_t put;

	do
		put = write(fd, b->data + b->off, b->len - b->off);
	while (put == -1 && errno == EINTR);
	if (put > 0)
		buf_take(b, put);
	return put;
}

int
buf_flush(struct buf *b, int fd)
{
	while (buf_size(b) > 0)
		if (buf_write(b, fd) == -1)
			return -1;
	return 0;
}
