/*
 * sequence: gives the records of an AppendInput numbers and times, as S2
 * would, and writes them as a ReadBatch.
 *
 * usage: sequence [FIRST [TIME]] [tail]
 */
#include <err.h>
#include <errno.h>
#include <unistd.h>

#include "buf.h"
#include "pb.h"
#include "record.h"

#define TIME_STEP	10	/* ms from record to record */

static uint64_t seq, now = 1;

/* Fields 2 and 3 of an AppendRecord are 3 and 4 of a SequencedRecord. */
static void
sequence(struct buf *out, const struct pb_field *record)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	const unsigned char *p = record->bytes;
	size_t n = record->len;
	struct pb_field f;
	ssize_t took;

	if (seq > 0)
		pb_add_varint(&b, 1, seq);
	pb_add_varint(&b, 2, now);
	for (; n > 0; p += took, n -= took) {
		if ((took = pb_next(p, n, &f, NULL)) <= 0)
			errx(1, "no record");
		pb_add_bytes(&b, f.no + 1, f.bytes, f.len);
	}
	pb_add_bytes(out, PIPE_RECORD, buf_bytes(&b), buf_size(&b));
	buf_release(&b);
	seq++;
	now += TIME_STEP;
}

static void
tail(struct buf *out)
{
	struct buf b = BUF_INIT(256);

	pb_add_varint(&b, 1, seq);
	pb_add_varint(&b, 2, now - TIME_STEP);
	pb_add_bytes(out, PIPE_TAIL, buf_bytes(&b), buf_size(&b));
	buf_release(&b);
}

int
main(int argc, char *argv[])
{
	struct buf in = BUF_INIT(SIZE_MAX), out = BUF_INIT(SIZE_MAX);
	const bool at_tail = argc > 1 && strcmp(argv[argc - 1], "tail") == 0;
	struct pb_field f;
	ssize_t took, n;

	argc -= at_tail;
	if (argc > 1)
		seq = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		now = strtoull(argv[2], NULL, 10);
	while ((n = buf_read(&in, STDIN_FILENO, 1 << 20)) > 0)
		continue;
	if (n == -1)
		err(1, "read");
	for (; buf_size(&in) > 0; buf_take(&in, (size_t)took)) {
		took = pb_next(buf_bytes(&in), buf_size(&in), &f, NULL);
		if (took <= 0)
			errx(1, "no AppendInput");
		if (f.no == PIPE_RECORD)
			sequence(&out, &f);
	}
	if (at_tail)
		tail(&out);
	if (buf_flush(&out, STDOUT_FILENO) == -1)
		err(1, "write");
	buf_release(&in);
	buf_release(&out);
	return 0;
}
