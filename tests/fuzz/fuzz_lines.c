/*
 * lib/lines.c: the same lines in whatever pieces they come; and directives,
 * whose values read back the same when they are written anew.
 */
#include <assert.h>
#include <unistd.h>

#include "lines.h"

#define LIMIT	64	/* bytes of a line: small, so that it is met */

static void
directive(const char *line, size_t len)
{
	static const char *const keys[] = { "tab", "batch", "token", "head" };
	struct buf again = BUF_INIT(1 << 20), bytes = BUF_INIT(1 << 20);
	char value[LIMIT + 1], value2[LIMIT + 1];
	struct directive d, d2;
	const char *why = NULL;
	uint64_t n, m;
	uint32_t tab;
	ssize_t size;
	size_t i;

	if (directive_parse(line, len, &d, &why) == -1) {
		assert(why != NULL);
		return;
	}
	for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		directive_number(&d, keys[i], 1000, &n, &why);
		if (directive_range(&d, keys[i], 1000, &n, &m, &why) == 1)
			assert(n <= m && m <= 1000);
		directive_tab(&d, keys[i], &tab, &why);
		size = directive_value(&d, keys[i], value, sizeof value, &why);
		if (size >= 0) {
			buf_clear(&again);
			buf_addf(&again, ":x");
			directive_add(&again, keys[i], value, (size_t)size);
			assert(directive_parse((char *)buf_bytes(&again),
			    buf_size(&again), &d2, &why) == 0);
			assert(directive_value(&d2, keys[i], value2,
			    sizeof value2, &why) == size);
			assert(memcmp(value, value2, (size_t)size) == 0);
		}
		buf_clear(&bytes);
		if (directive_base64(&d, keys[i], &bytes, &why) == 1) {
			buf_clear(&again);
			directive_add_base64(&again, keys[i],
			    buf_bytes(&bytes), buf_size(&bytes));
			assert(buf_size(&again) == strlen(keys[i]) + 2 +
			    (buf_size(&bytes) + 2) / 3 * 4);
		}
		buf_clear(&bytes);
		directive_hex(&d, keys[i], &bytes, &why);
	}
	buf_release(&again);
	buf_release(&bytes);
}

/* A checksum of the lines that come when 'piece' bytes are read at a time. */
static uint64_t
read_all(const unsigned char *p, size_t n, size_t piece)
{
	struct lines l = LINES_INIT(-1, LIMIT);
	const char *line;
	uint64_t sum = 0;
	size_t len, some, i;
	int r = 0;

	do {
		some = n < piece ? n : piece;
		if (some > 0)
			buf_add(&l.buf, p, some);
		else
			l.eof = true;
		p += some;
		n -= some;
		while ((r = lines_next(&l, &line, &len)) == 1) {
			assert(len <= LIMIT);
			for (i = 0; i < len; i++)
				sum = sum * 31 + (unsigned char)line[i];
			sum = sum * 31 + 1000 + l.number;
			if (piece == 1 && len > 0 && line[0] == ':')
				directive(line, len);
		}
	} while (r != -1 && !l.eof);
	buf_release(&l.buf);
	return r == -1 ? sum ^ UINT64_MAX : sum;
}

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
	const uint64_t want = read_all(p, n, 1);
	size_t piece;

	for (piece = 2; piece < 70; piece += 7)
		assert(read_all(p, n, piece) == want);
	return 0;
}
