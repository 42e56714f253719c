/* lib/lines.c: reading lines in any pieces; directives, also bad ones. */
#include <errno.h>
#include <unistd.h>

#include "check.h"
#include "lines.h"

/* Lines must be the same however the input comes in. */
static void
test_pieces(void)
{
	static const char text[] = "one\n\nthree\r\nlast";
	static const char *const want[] = { "one", "", "three\r", "last" };
	struct lines l = LINES_INIT(-1, 100);
	const char *line;
	size_t len, piece, sent, n;
	int fds[2], i;

	for (piece = 1; piece < sizeof text; piece++) {
		CHECK(pipe(fds) == 0);
		l.fd = fds[0];
		l.eof = false;
		l.number = 0;
		for (i = 0, sent = 0; !l.eof; ) {
			n = sizeof text - 1 - sent;
			n = n > piece ? piece : n;
			CHECK(write(fds[1], text + sent, n) == (ssize_t)n);
			sent += n;
			if (n == 0)
				close(fds[1]);
			CHECK(lines_fill(&l) == (ssize_t)n);
			while (lines_next(&l, &line, &len) == 1) {
				CHECK(i < 4 && len == strlen(want[i]) &&
				    memcmp(line, want[i], len) == 0);
				CHECK(l.number == (uint64_t)++i);
			}
		}
		CHECK(i == 4);
		close(fds[0]);
	}
	buf_release(&l.buf);
}

/* A line of the limit is one, a longer one is none, complete or not. */
static void
test_limit(void)
{
	static const char *const texts[] = { "12345\n", "123456\n", "123456" };
	struct lines l = LINES_INIT(-1, 5);
	const char *line;
	size_t len, i;
	int fds[2];

	for (i = 0; i < 3; i++) {
		CHECK(pipe(fds) == 0);
		CHECK(write(fds[1], texts[i], strlen(texts[i])) > 0);
		close(fds[1]);
		l.fd = fds[0];
		l.number = 0;
		CHECK(lines_fill(&l) > 0);
		errno = 0;
		if (i == 0) {
			CHECK(lines_next(&l, &line, &len) == 1 && len == 5);
		} else {
			CHECK(lines_next(&l, &line, &len) == -1);
			CHECK(errno == EMSGSIZE && l.number == 1);
		}
		l.pending = 0;
		l.searched = 0;
		buf_clear(&l.buf);
		close(fds[0]);
	}
	buf_release(&l.buf);
}

static int
parse(const char *line, struct directive *d)
{
	const char *why = NULL;
	int r = directive_parse(line, strlen(line), d, &why);

	CHECK((r == 0) == (why == NULL));
	return r;
}

static void
test_directive(void)
{
	struct directive d;
	const char *why;
	char value[16];
	uint64_t n, m;
	uint32_t tab;

	CHECK(parse(":end", &d) == 0 && directive_is(&d, "end"));
	CHECK(!directive_is(&d, "en") && !directive_is(&d, "endx"));
	CHECK(parse(":x a=1 b=%20%ff {\"k\": 1} ", &d) == 0);
	CHECK(d.nargs == 2 && d.json_len == 9 && d.json[0] == '{');
	CHECK(directive_value(&d, "b", value, sizeof value, &why) == 2);
	CHECK(value[0] == ' ' && (unsigned char)value[1] == 0xff);
	CHECK(directive_value(&d, "c", value, sizeof value, &why) == -1 &&
	    why == NULL);
	CHECK(directive_value(&d, "b", value, 2, &why) == -1 && why != NULL);
	CHECK(parse(":x a=%2 b=%zz c=", &d) == 0);
	CHECK(directive_value(&d, "a", value, sizeof value, &why) == -1 &&
	    why != NULL);
	CHECK(directive_value(&d, "b", value, sizeof value, &why) == -1 &&
	    why != NULL);
	CHECK(directive_value(&d, "c", value, sizeof value, &why) == 0);

	CHECK(parse(":", &d) == -1);
	CHECK(parse(": x=1", &d) == -1);
	CHECK(parse(":X", &d) == -1);
	CHECK(parse(":x a", &d) == -1);
	CHECK(parse(":x =1", &d) == -1);
	CHECK(parse(":x  a=1", &d) == -1);
	CHECK(parse(":x a=1 ", &d) == -1);
	CHECK(parse(":x a=\x7f", &d) == -1);
	CHECK(parse(":x a=\xc3\xa9", &d) == -1);
	CHECK(parse(":x a=1\r", &d) == -1);
	CHECK(parse(":x a= a= a= a= a= a= a= a= a= a= a= a= a= a= a= a=",
	    &d) == 0);
	CHECK(parse(":x a= a= a= a= a= a= a= a= a= a= a= a= a= a= a= a= a=",
	    &d) == -1);

	CHECK(parse(":x a=18446744073709551615 b=18446744073709551616 c=-1 "
	    "d= e=007 f=255 g=256", &d) == 0);
	CHECK(directive_number(&d, "a", UINT64_MAX, &n, &why) == 1 &&
	    n == UINT64_MAX);
	CHECK(directive_number(&d, "b", UINT64_MAX, &n, &why) == -1);
	CHECK(directive_number(&d, "c", UINT64_MAX, &n, &why) == -1);
	CHECK(directive_number(&d, "d", UINT64_MAX, &n, &why) == -1);
	CHECK(directive_number(&d, "e", 7, &n, &why) == 1 && n == 7);
	CHECK(directive_number(&d, "f", 255, &n, &why) == 1 && n == 255);
	CHECK(directive_number(&d, "g", 255, &n, &why) == -1);
	CHECK(directive_number(&d, "h", 255, &n, &why) == 0);

	CHECK(parse(":x a=3 b=3-5 c=5-3 d=3- e=-3 f=3-5-7", &d) == 0);
	CHECK(directive_range(&d, "a", 9, &n, &m, &why) == 1 && n == 3 &&
	    m == 3);
	CHECK(directive_range(&d, "b", 9, &n, &m, &why) == 1 && n == 3 &&
	    m == 5);
	CHECK(directive_range(&d, "b", 4, &n, &m, &why) == -1);
	CHECK(directive_range(&d, "c", 9, &n, &m, &why) == -1);
	CHECK(directive_range(&d, "d", 9, &n, &m, &why) == -1);
	CHECK(directive_range(&d, "e", 9, &n, &m, &why) == -1);
	CHECK(directive_range(&d, "f", 9, &n, &m, &why) == -1);

	CHECK(parse(":x a=ffffffff b=0 c=100000000 d=F e= f=g", &d) == 0);
	CHECK(directive_tab(&d, "a", &tab, &why) == 1 && tab == 0xffffffff);
	CHECK(directive_tab(&d, "b", &tab, &why) == 1 && tab == 0);
	CHECK(directive_tab(&d, "c", &tab, &why) == -1);
	CHECK(directive_tab(&d, "d", &tab, &why) == -1);
	CHECK(directive_tab(&d, "e", &tab, &why) == -1);
	CHECK(directive_tab(&d, "f", &tab, &why) == -1);
	CHECK(directive_tab(&d, "g", &tab, &why) == 0);
}

/* Only a :record may be long. */
static void
test_long(void)
{
	struct directive d;
	const char *why;
	size_t n = DIRECTIVE_MAX_BYTES;
	char *line = malloc(DIRECTIVE_RECORD_MAX + 1);

	memset(line, 'a', DIRECTIVE_RECORD_MAX + 1);
	memcpy(line, ":record b=", 10);
	CHECK(directive_parse(line, DIRECTIVE_RECORD_MAX, &d, &why) == 0);
	CHECK(directive_parse(line, DIRECTIVE_RECORD_MAX + 1, &d, &why) == -1);
	memcpy(line, ":recorb b=", 10);
	CHECK(directive_parse(line, n, &d, &why) == 0);
	CHECK(directive_parse(line, n + 1, &d, &why) == -1);
	free(line);
}

/* What is written reads back the same, for all bytes and lengths. */
static void
test_write(void)
{
	struct buf b = BUF_INIT(4096), back = BUF_INIT(4096);
	unsigned char bytes[256];
	char value[257];
	struct directive d;
	const char *why;
	size_t n;
	int i;

	for (i = 0; i < 256; i++)
		bytes[i] = (unsigned char)i;
	for (n = 0; n <= 256; n++) {
		buf_clear(&b);
		buf_addf(&b, ":x");
		CHECK(directive_add(&b, "a", bytes, n) == 0);
		CHECK(directive_add_hex(&b, "b", bytes, n) == 0);
		CHECK(directive_add_base64(&b, "c", bytes, n) == 0);
		CHECK(directive_parse((char *)buf_bytes(&b), buf_size(&b), &d,
		    &why) == 0);
		CHECK(directive_value(&d, "a", value, sizeof value, &why) ==
		    (ssize_t)n && memcmp(value, bytes, n) == 0);
		buf_clear(&back);
		CHECK(directive_hex(&d, "b", &back, &why) == 1 &&
		    buf_size(&back) == n &&
		    memcmp(buf_bytes(&back), bytes, n) == 0);
		buf_clear(&back);
		CHECK(directive_base64(&d, "c", &back, &why) == 1 &&
		    buf_size(&back) == n &&
		    memcmp(buf_bytes(&back), bytes, n) == 0);
	}
	CHECK(parse(":x a=0 b=0g c=QQ= d=Q=== e==Q== f=QQ== g=QQ!!", &d) == 0);
	CHECK(directive_hex(&d, "a", &back, &why) == -1);
	CHECK(directive_hex(&d, "b", &back, &why) == -1);
	CHECK(directive_base64(&d, "c", &back, &why) == -1);
	CHECK(directive_base64(&d, "d", &back, &why) == -1);
	CHECK(directive_base64(&d, "e", &back, &why) == -1);
	CHECK(directive_base64(&d, "f", &back, &why) == 1);
	CHECK(directive_base64(&d, "g", &back, &why) == -1);
	CHECK(directive_base64(&d, "h", &back, &why) == 0);
	buf_release(&b);
	buf_release(&back);
}

int
main(void)
{
	test_pieces();
	test_limit();
	test_directive();
	test_long();
	test_write();
	return check_status();
}
