/*
 * lib/s2_frame.c: frames read from whatever comes, the same from any cut of
 * it; and one that was written is read back.
 */
#include <assert.h>

#include "s2_frame.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static volatile unsigned seen;

/* All frames at the start of data; what they sum up to. */
static size_t
read_frames(const unsigned char *data, size_t size, struct buf *scratch,
    size_t *frames)
{
	const char *why = NULL;
	struct s2_frame f;
	size_t at = 0, i;
	ssize_t n;
	unsigned sum = 0;

	for (*frames = 0;; (*frames)++) {
		n = s2_frame_next(data + at, size - at, &f, scratch, &why);
		if (n <= 0)
			break;
		assert((size_t)n <= size - at && f.len <= S2_FRAME_MAX);
		assert(f.status == 0 || f.flags & S2_FRAME_TERMINAL);
		for (i = 0; i < f.len; i++)
			sum += f.payload[i];
		at += n;
	}
	assert(n == 0 || why != NULL);
	seen = sum;		/* so that every byte is read */
	return at;
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct buf scratch = BUF_INIT(S2_FRAME_MAX + 65536 + 1);
	struct buf b = BUF_INIT(1 << 20);
	size_t all, part, frames, fewer;
	unsigned char head[S2_FRAME_HEAD];
	const char *why;
	struct s2_frame f;

	all = read_frames(data, size, &scratch, &frames);
	part = read_frames(data, size / 2, &scratch, &fewer);
	assert(part <= all && fewer <= frames);
	read_frames(data, size, NULL, &fewer);
	assert(fewer <= frames);

	if (size < 1 << 19) {
		s2_frame_head(head, size);
		buf_add(&b, head, sizeof head);
		buf_add(&b, data, size);
		assert(s2_frame_next(buf_bytes(&b), buf_size(&b) - 1, &f,
		    NULL, &why) == 0);
		assert(s2_frame_next(buf_bytes(&b), buf_size(&b), &f, NULL,
		    &why) == (ssize_t)buf_size(&b));
		assert(f.len == size && f.flags == 0);
	}
	buf_release(&b);
	return 0;
}
