/*
 * The record format, rr-records(5): the fields of the pipe, the value of a
 * session record's header, and the limits of both.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "pb.h"

/* Fields of the pipe.  1 to 3 are S2's AppendInput and ReadBatch. */
enum pipe_field {
	PIPE_RECORD = 1,
	PIPE_MATCH = 2,		/* in an AppendInput: varint */
	PIPE_TAIL = 2,		/* in a ReadBatch: bytes, a StreamPosition */
	PIPE_FENCE = 3,
	PIPE_STREAM = 1000,
	PIPE_TOKEN = 1001,
	PIPE_CREATE = 1002,
	PIPE_PROBE = 1003,
};

/* S2's limits, and what a record costs beside its body (rr-records(5)). */
#define S2_METERED_MAX		1048576	/* bytes of one record or append */
#define S2_APPEND_RECORDS_MAX	1000
#define S2_FENCE_MAX		36	/* bytes of a fencing token */
#define RECORD_OVERHEAD_MAX	48	/* metered bytes beside the body */
#define RECORD_PART_MAX		(S2_METERED_MAX - RECORD_OVERHEAD_MAX)

/* Our own limits. */
#define RECORD_HEAD_MAX		38	/* bytes of the header's value; ... */
					/* ... 37 of at most 127 parts */
#define RECORD_BATCH_MAX	((1u << 28) - 1)
#define RECORD_COUNT_MAX	16383	/* events in a batch */
#define RECORD_PARTS_MAX	16383
#define RECORD_SPAN_MAX		((1u << 28) - 1)
#define RECORD_SNAP_MAX		((1u << 28) - 1)
#define RECORD_OFFSET_UNIT	10		/* ms: what it is told in */
#define RECORD_OFFSET_MAX	((((int64_t)1 << 39) - 1) * RECORD_OFFSET_UNIT)
#define RECORD_TIME_MAX		((int64_t)1 << 47)	/* |ms| is below */
#define RECORD_TEXT_MAX		(64u << 20)	/* bytes of a batch's lines */
#define RECORD_JSON_MAX		65536		/* meta, stop, gap bodies */
#define RECORD_TOKEN_MAX	64		/* bytes of an ack token */

#define RECORD_HEADER_NAME	'r'	/* the header's one-byte name */

enum record_kind {
	RECORD_BATCH = 1,
	RECORD_META = 2,
	RECORD_BEAT = 3,
	RECORD_STOP = 4,
	RECORD_GAP = 5,
	/* 6, 7: later and critical; 8 to 15: later and to be skipped */
	RECORD_ANCILLARY = 8,
};

enum record_flag {
	RECORD_PART = 0x01,
	RECORD_SNAP = 0x02,
	RECORD_DICT = 0x04,
	RECORD_TIME = 0x08,
	RECORD_FULL = 0x10,
	RECORD_ERROR = 0x20,
	RECORD_CODEC = 0xc0,		/* mask of the codec */
	RECORD_CODEC_NONE = 0x00,
	RECORD_CODEC_ZSTD = 0x40,
};

/* A clock's offset as a header can have it, rounded; 0 if it is too large. */
static inline int64_t
record_offset(int64_t ms)
{
	ms -= ms % RECORD_OFFSET_UNIT;
	return ms < -RECORD_OFFSET_MAX || ms > RECORD_OFFSET_MAX ? 0 : ms;
}

/* What a header says.  Fields without their flag are 0. */
struct record_head {
	unsigned version;		/* 1; set by record_head_get() */
	unsigned kind;			/* enum record_kind, or a later one */
	unsigned flags;			/* enum record_flag */
	uint32_t tab;
	uint32_t batch;
	uint32_t part;			/* 1..parts, with RECORD_PART */
	uint32_t parts;
	uint32_t checksum;
	uint32_t count;			/* up to RECORD_BATCH_MAX in a gap */
	int64_t first;			/* ms, with RECORD_TIME */
	uint32_t span;			/* ms */
	uint32_t dict;
	uint32_t snap;
	int64_t offset;			/* ms, in 'first'; only in a batch, ... */
					/* ... with RECORD_TIME, without DICT */
};

/*
 * Write h to p, which has room for RECORD_HEAD_MAX bytes.  The size written.
 * Values must be within their limits (asserted).
 */
size_t record_head_put(const struct record_head *h, unsigned char *p);

/*
 * Read a header's value.  0 with *h set; 1 if it is critical and not known
 * (a version other than 1, kind 6 or 7, an unused codec), with version, kind
 * and, as far as it can be told, flags, tab and batch set; -1 if it is
 * malformed: cut off, or a number out of its limits.  Of an ancillary kind
 * only what stands before its parts is read.
 */
int record_head_get(const unsigned char *p, size_t n, struct record_head *h);

/* True for kinds that the reader rule numbers (batch, gap). */
static inline bool
record_is_numbered(unsigned kind)
{
	return kind == RECORD_BATCH || kind == RECORD_GAP;
}

/* The checksum of a whole stored body: low 32 bits of XXH3-64. */
uint32_t record_checksum(const void *body, size_t n);

/*
 * Append to b, as field 1 of an AppendInput, the record with this header and
 * body; or the fence command that sets token.  0, or -1 as buf_reserve().
 */
int record_add(struct buf *b, const struct record_head *h, const void *body,
    size_t n);
int record_add_fence(struct buf *b, const char *token, size_t n);

/* The same with a header's value as it is. */
int record_add_raw(struct buf *b, const void *head, size_t head_len,
    const void *body, size_t n);

/* The same without the body's n bytes, which must follow. */
int record_add_head(struct buf *b, const struct record_head *h, size_t n);

/* One record as it came from the pipe; pointers into the input. */
struct record {
	bool sequenced;			/* from a ReadBatch: seq, time set */
	uint64_t seq;
	uint64_t time;			/* S2's, ms */
	bool command;			/* one header, with an empty name */
	const unsigned char *name;	/* of the first header */
	size_t name_len;
	const unsigned char *value;	/* of the first header */
	size_t value_len;
	size_t headers;			/* how many there are */
	const unsigned char *body;
	size_t body_len;
};

/*
 * Read the content of a field PIPE_RECORD, an AppendRecord or a
 * SequencedRecord.  0, or -1 if it is no such message.
 */
int record_get(const unsigned char *p, size_t n, struct record *r);

/*
 * Read S2's StreamPosition: a record's number and its time, each 0 if it is
 * not there.  0, or -1: it is none.
 */
int record_get_position(const unsigned char *p, size_t n, uint64_t *seq,
    uint64_t *time);

/*
 * The value of the first header called 'name' in such a field.  0, or -1 if
 * there is none.
 */
int record_header(const unsigned char *p, size_t n, const char *name,
    const unsigned char **value, size_t *value_len);

/* True if r is a session record, one with the single header 'r'. */
bool record_is_session(const struct record *r);

/* True if r is the fence command; its body is the new token. */
bool record_is_fence(const struct record *r);

/* Metered bytes, as S2 counts them, of the record that record_get() reads. */
size_t record_metered(const unsigned char *p, size_t n);

#endif
