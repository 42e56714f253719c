/*
 * pick: writes those of the fields of an AppendInput on standard input whose
 * numbers are given (from 1), in that order.
 *
 * usage: pick NUMBER...
 */
#include <err.h>
#include <unistd.h>

#include "buf.h"
#include "pb.h"

#define FIELDS_MAX	10000

int
main(int argc, char *argv[])
{
	static struct {
		const unsigned char *p;
		size_t n;
	} fields[FIELDS_MAX];
	struct buf in = BUF_INIT(SIZE_MAX), out = BUF_INIT(SIZE_MAX);
	const unsigned char *p, *end;
	struct pb_field f;
	size_t count = 0, i;
	ssize_t n;

	while ((n = buf_read(&in, STDIN_FILENO, 1 << 20)) > 0)
		continue;
	if (n == -1)
		err(1, "read");
	p = buf_bytes(&in);
	for (end = p + buf_size(&in); p < end; p += n) {
		if ((n = pb_next(p, (size_t)(end - p), &f, NULL)) <= 0 ||
		    count == FIELDS_MAX)
			errx(1, "no AppendInput");
		fields[count].p = p;
		fields[count++].n = (size_t)n;
	}
	for (argv++; argc-- > 1; argv++) {
		i = strtoul(*argv, NULL, 10) - 1;
		if (i >= count)
			errx(1, "only %zu fields", count);
		buf_add(&out, fields[i].p, fields[i].n);
	}
	if (buf_flush(&out, STDOUT_FILENO) == -1)
		err(1, "write");
	buf_release(&in);
	buf_release(&out);
	return 0;
}
