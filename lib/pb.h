/*
 * Protobuf's wire format: as much of it as S2's messages need.
 * Source: the protobuf encoding guide; S2's messages in s2/v1/s2.proto.
 */
#ifndef PB_H
#define PB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"

enum pb_wire {
	PB_VARINT = 0,
	PB_I64 = 1,
	PB_LEN = 2,
	PB_I32 = 5,
};

#define PB_VARINT_MAX	10	/* bytes of the longest varint */

/* One field, as pb_next() found it.  'bytes' points into the input. */
struct pb_field {
	uint32_t no;
	enum pb_wire wire;
	uint64_t num;			/* PB_VARINT, PB_I64, PB_I32 */
	const unsigned char *bytes;	/* PB_LEN */
	size_t len;
};

/* Bytes that v takes as a varint. */
static inline size_t
pb_varint_size(uint64_t v)
{
	size_t n = 1;

	while (v >>= 7)
		n++;
	return n;
}

/* Write v at p, which has room; returns the place behind it. */
static inline unsigned char *
pb_put_varint(unsigned char *p, uint64_t v)
{
	while (v >= 0x80) {
		*p++ = (unsigned char)(v | 0x80);
		v >>= 7;
	}
	*p++ = (unsigned char)v;
	return p;
}

/*
 * Read a varint from p[0..len).  Its size in bytes, 0 if it is cut off, or -1
 * if it is longer than 64 bits.
 */
static inline int
pb_get_varint(const unsigned char *p, size_t len, uint64_t *v)
{
	uint64_t r = 0;
	size_t i;

	for (i = 0; i < len && i < PB_VARINT_MAX; i++) {
		if (i == PB_VARINT_MAX - 1 && p[i] > 1)
			return -1;
		r |= (uint64_t)(p[i] & 0x7f) << (7 * i);
		if ((p[i] & 0x80) == 0) {
			*v = r;
			return (int)i + 1;
		}
	}
	return i == PB_VARINT_MAX ? -1 : 0;
}

/*
 * Read the field at p[0..len).  Its size in bytes with *f set; 0 if more
 * bytes are needed (then *need, if not NULL, is how many the whole field
 * takes as far as is known, more than len); -1 if these can be no field
 * (group, field number 0, a length over 2^31).
 */
ssize_t pb_next(const unsigned char *p, size_t len, struct pb_field *f,
    size_t *need);

/*
 * Append one field to b.  0, or -1 with errno as buf_reserve().
 * pb_add_head() adds tag and length only, for n bytes that follow.
 */
int pb_add_varint(struct buf *b, uint32_t no, uint64_t v);
int pb_add_bytes(struct buf *b, uint32_t no, const void *bytes, size_t n);
int pb_add_head(struct buf *b, uint32_t no, size_t n);

#endif
