#include <zstd.h>

#include "s2_frame.h"

void
s2_frame_head(unsigned char p[S2_FRAME_HEAD], size_t n)
{
	n++;
	p[0] = (unsigned char)(n >> 16);
	p[1] = (unsigned char)(n >> 8);
	p[2] = (unsigned char)n;
	p[3] = 0;
}

/* The frames may lack their content size, so this goes piece by piece. */
static int
inflate_zstd(struct s2_frame *f, struct buf *out)
{
	ZSTD_DCtx *d = ZSTD_createDCtx();
	ZSTD_inBuffer in = { f->payload, f->len, 0 };
	ZSTD_outBuffer o;
	size_t left = 1, size;

	buf_clear(out);
	while (d != NULL && left != 0) {
		o.dst = buf_reserve(out, 65536);
		if (o.dst == NULL)
			break;
		o.size = 65536;
		o.pos = 0;
		left = ZSTD_decompressStream(d, &o, &in);
		if (ZSTD_isError(left))
			break;
		out->len += o.pos;
		if (buf_size(out) > S2_FRAME_MAX ||
		    (left != 0 && o.pos == 0 && in.pos == in.size))
			break;
	}
	ZSTD_freeDCtx(d);
	size = buf_size(out);
	if (d == NULL || left != 0 || in.pos != in.size || size > S2_FRAME_MAX)
		return -1;
	f->payload = buf_bytes(out);
	f->len = size;
	return 0;
}

ssize_t
s2_frame_next(const unsigned char *p, size_t len, struct s2_frame *f,
    struct buf *scratch, const char **why)
{
	size_t n;

	if (len < 3)
		return 0;
	n = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
	if (n < 1 || n > S2_FRAME_MAX + 1) {
		*why = "a frame's length is out of its range";
		return -1;
	}
	if (len < 3 + n)
		return 0;
	f->flags = p[3];
	f->payload = p + S2_FRAME_HEAD;
	f->len = n - 1;
	f->status = 0;
	if (f->flags & S2_FRAME_TERMINAL) {
		if (f->len < 2) {
			*why = "a terminal frame has no status";
			return -1;
		}
		f->status = f->payload[0] << 8 | f->payload[1];
		f->payload += 2;
		f->len -= 2;
		return 3 + n;
	}
	switch (f->flags & S2_FRAME_CODEC) {
	case 0:
		return 3 + n;
	case S2_FRAME_ZSTD:
		if (scratch != NULL && inflate_zstd(f, scratch) == 0)
			return 3 + n;
		*why = scratch == NULL ? "a frame is compressed, which was "
		    "not asked for" : "a frame's zstd data are broken";
		return -1;
	default:
		*why = "a frame's compression is not one that was asked for";
		return -1;
	}
}
