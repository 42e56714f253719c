#include "pb.h"

#define PB_LEN_MAX	((uint64_t)1 << 31)

ssize_t
pb_next(const unsigned char *p, size_t len, struct pb_field *f, size_t *need)
{
	uint64_t tag, n;
	size_t at, i;
	int got;

	if (need != NULL)
		*need = len + 1;
	got = pb_get_varint(p, len, &tag);
	if (got <= 0)
		return got;
	if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
		return -1;
	f->no = (uint32_t)(tag >> 3);
	f->wire = (enum pb_wire)(tag & 7);
	f->num = 0;
	f->bytes = NULL;
	f->len = 0;
	at = got;
	switch (f->wire) {
	case PB_VARINT:
		got = pb_get_varint(p + at, len - at, &f->num);
		return got <= 0 ? got : (ssize_t)(at + got);
	case PB_LEN:
		got = pb_get_varint(p + at, len - at, &n);
		if (got <= 0)
			return got;
		if (n > PB_LEN_MAX)
			return -1;
		at += got;
		if (need != NULL)
			*need = at + n;
		if (n > len - at)
			return 0;
		f->bytes = p + at;
		f->len = n;
		return at + n;
	case PB_I64:
	case PB_I32:
		n = f->wire == PB_I64 ? 8 : 4;
		if (need != NULL)
			*need = at + n;
		if (n > len - at)
			return 0;
		for (i = 0; i < n; i++)
			f->num |= (uint64_t)p[at + i] << (8 * i);
		return at + n;
	}
	return -1;
}

int
pb_add_varint(struct buf *b, uint32_t no, uint64_t v)
{
	unsigned char *start = buf_reserve(b, 2 * PB_VARINT_MAX), *p;

	if (start == NULL)
		return -1;
	p = pb_put_varint(start, (uint64_t)no << 3 | PB_VARINT);
	p = pb_put_varint(p, v);
	b->len += p - start;
	return 0;
}

int
pb_add_head(struct buf *b, uint32_t no, size_t n)
{
	unsigned char *start = buf_reserve(b, 2 * PB_VARINT_MAX), *p;

	if (start == NULL)
		return -1;
	p = pb_put_varint(start, (uint64_t)no << 3 | PB_LEN);
	p = pb_put_varint(p, n);
	b->len += p - start;
	return 0;
}

int
pb_add_bytes(struct buf *b, uint32_t no, const void *bytes, size_t n)
{
	if (buf_reserve(b, 2 * PB_VARINT_MAX + n) == NULL)
		return -1;
	if (pb_add_head(b, no, n) == -1)
		return -1;
	return buf_add(b, bytes, n);
}
