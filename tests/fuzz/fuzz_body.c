/*
 * bin/rr-collect: any bytes as the body of a request, gzip or not, in pieces
 * and as one; what is taken is good lines or one object on one line, without a
 * directive, whichever recorder sends it.
 */
#include <assert.h>
#include <zlib.h>

#include "../../bin/rr-collect/post.h"
#include "../../bin/rr-collect/replaya.h"
#include "scan.h"

#define LIMIT	4096	/* bytes of a body: small, so that it is met */

/* Receive it, at most so many bytes at a time. */
static void
receive(struct body *b, struct budget *budget, bool gzip, size_t piece,
    const unsigned char *p, size_t n)
{
	size_t some;

	body_start(b, budget, LIMIT, gzip, 0);
	for (; n > 0; p += some, n -= some) {
		some = n < piece ? n : piece;
		body_add(b, p, some);
	}
	body_end(b);
}

/* So many lines, all of them events. */
static void
check_lines(const struct buf *b, uint32_t events)
{
	const char *p = (const char *)buf_bytes(b), *lf;
	const char *const end = p + buf_size(b);
	struct scan s;

	assert(buf_size(b) <= LIMIT + 1 && end[-1] == '\n');
	for (; p < end; p = lf + 1) {
		lf = memchr(p, '\n', end - p);
		if (lf == p)
			continue;
		assert(scan_event(p, lf - p, &s) == 0);
		events--;
	}
	assert(events == 0);
}

static void
check_object(const struct buf *b)
{
	const char *p = (const char *)buf_bytes(b);
	struct scan s;

	assert(buf_size(b) >= 2 && buf_size(b) <= LIMIT && *p == '{');
	assert(memchr(p, '\n', buf_size(b)) == NULL);
	assert(scan_event(p, buf_size(b), &s) == 0);
}

/* Receive and judge it as this kind of post. */
static void
judge(const unsigned char *p, size_t n, bool gzip, enum post_kind kind,
    bool replaya)
{
	struct budget budget = { .max = 1 << 20 };
	char secret[REPLAYA_SECRET_MAX + 1];
	struct post post = { .kind = kind };
	struct judgement j;
	size_t size;

	receive(&post.body, &budget, gzip, n, p, n);
	if (post.body.state != BODY_GOOD)
		goto out;
	size = buf_size(&post.body.text);
	if (replaya && replaya_take(&post, secret, &j) == -1) {
		assert(j.why != NULL);
		goto out;
	}
	if (replaya)
		assert(strlen(secret) <= REPLAYA_SECRET_MAX &&
		    buf_size(&post.body.text) <= (size < 2 ? 2 : size));
	if (kind == POST_LINES) {
		if (body_judge_lines(&post.body, &j) == -1)
			assert(!replaya || j.too_many || j.line > 0);
		else
			check_lines(&post.body.text, j.events);
		if (replaya && replaya_mark(&post) == 0)
			free(post.marks);
	} else if (body_judge_object(&post.body, LIMIT, &j) == 0) {
		check_object(&post.body.text);
	} else {
		assert(!replaya && j.why != NULL);
	}
out:
	body_release(&post.body);
	assert(budget.used == 0);
}

/* The same whatever the pieces are. */
static void
compare_pieces(const unsigned char *p, size_t n, bool gzip)
{
	struct budget budget = { .max = 1 << 20 };
	struct body a, b;

	receive(&a, &budget, gzip, n, p, n);
	receive(&b, &budget, gzip, 7, p, n);
	assert(a.state == b.state);
	if (a.state == BODY_GOOD)
		assert(buf_size(&a.text) == buf_size(&b.text) &&
		    (buf_size(&a.text) == 0 || memcmp(buf_bytes(&a.text),
		    buf_bytes(&b.text), buf_size(&a.text)) == 0));
	body_release(&a);
	body_release(&b);
	assert(budget.used == 0);
}

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
	static const enum post_kind kinds[] = { POST_LINES, POST_OPEN,
	    POST_STOP };
	size_t i;

	for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		judge(p, n, false, kinds[i], false);
		judge(p, n, false, kinds[i], true);
	}
	judge(p, n, true, POST_LINES, false);
	compare_pieces(p, n, false);
	compare_pieces(p, n, true);
	return 0;
}
