/*
 * codec: zstd alone, as a yardstick for rr-frame and rr-reassemble.
 *
 * usage: codec [LEVEL] < RECORDS
 *
 * Reads what `rr-frame -z none` wrote, and compresses the bodies, so the same
 * bytes in the same cuts, in memory with one context; then decompresses them.
 * Prints MB/s of text for both, and the bytes before and after.
 */
#include <err.h>
#include <time.h>
#include <unistd.h>

#include <zstd.h>

#include "lines.h"
#include "record.h"

#define INPUT_MAX	((size_t)4 << 30)
#define BODIES_MAX	1000000
#define ROUNDS		3	/* the best one counts */

static struct body {
	const unsigned char *text;
	size_t len;
	unsigned char *packed;
	size_t packed_len;
} bodies[BODIES_MAX];
static size_t nbodies;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Batches in parts are joined: what rr-frame compresses is the whole. */
static void
find_bodies(const unsigned char *p, size_t n)
{
	struct record_head h;
	struct pb_field f;
	struct record r;
	struct body *b;
	ssize_t took;

	for (; n > 0; p += took, n -= took) {
		if ((took = pb_next(p, n, &f, NULL)) <= 0)
			errx(65, "the input is no records");
		if (f.no != PIPE_RECORD ||
		    record_get(f.bytes, f.len, &r) == -1 ||
		    record_head_get(r.value, r.value_len, &h) != 0 ||
		    h.kind != RECORD_BATCH)
			continue;
		if ((h.flags & RECORD_PART) && h.part > 1) {
			b = &bodies[nbodies - 1];
			memcpy((unsigned char *)b->text + b->len, r.body,
			    r.body_len);
			b->len += r.body_len;
			continue;
		}
		if (nbodies == BODIES_MAX)
			errx(65, "more than %d batches", BODIES_MAX);
		b = &bodies[nbodies++];
		b->text = r.body;
		b->len = r.body_len;
		if (h.flags & RECORD_PART) {
			b->text = malloc((size_t)h.parts * RECORD_PART_MAX);
			if (b->text == NULL)
				err(1, NULL);
			memcpy((unsigned char *)b->text, r.body, r.body_len);
		}
	}
}

int
main(int argc, char **argv)
{
	struct buf in = BUF_INIT(INPUT_MAX);
	double best_in = 1e9, best_out = 1e9, t;
	size_t text = 0, packed = 0, most = 0, i;
	unsigned char *scratch;
	ZSTD_CCtx *c = ZSTD_createCCtx();
	ZSTD_DCtx *d = ZSTD_createDCtx();
	ssize_t got;
	int round, level = 3;
	const char *why;

	if (argc > 1) {
		level = (int)strtonum(argv[1], 1, 19, &why);
		if (why != NULL)
			errx(64, "level: %s", why);
	}
	while ((got = buf_read(&in, STDIN_FILENO, LINES_READ)) > 0)
		continue;
	if (got == -1 || c == NULL || d == NULL)
		err(1, "read");
	find_bodies(buf_bytes(&in), buf_size(&in));
	ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
	for (i = 0; i < nbodies; i++) {
		text += bodies[i].len;
		if (bodies[i].len > most)
			most = bodies[i].len;
		bodies[i].packed = malloc(ZSTD_compressBound(bodies[i].len));
		if (bodies[i].packed == NULL)
			err(1, NULL);
	}
	if ((scratch = malloc(most + 1)) == NULL)
		err(1, NULL);
	for (round = 0; round < ROUNDS; round++) {
		t = now();
		for (i = 0; i < nbodies; i++)
			bodies[i].packed_len = ZSTD_compress2(c,
			    bodies[i].packed,
			    ZSTD_compressBound(bodies[i].len), bodies[i].text,
			    bodies[i].len);
		if ((t = now() - t) < best_in)
			best_in = t;
		t = now();
		for (i = 0; i < nbodies; i++)
			if (ZSTD_isError(ZSTD_decompressDCtx(d, scratch,
			    bodies[i].len, bodies[i].packed,
			    bodies[i].packed_len)))
				errx(1, "zstd");
		if ((t = now() - t) < best_out)
			best_out = t;
	}
	for (i = 0; i < nbodies; i++)
		packed += bodies[i].packed_len;
	printf("compress=%.0f decompress=%.0f batches=%zu text=%zu packed=%zu\n",
	    (double)text / best_in / 1e6, (double)text / best_out / 1e6, nbodies,
	    text, packed);
	return 0;
}
