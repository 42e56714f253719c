#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <zstd.h>

#include "pack.h"
#include "record.h"

#define BACKGROUND	(64u << 10)	/* bytes worth another thread */
#define KEEP_MAX	(1u << 20)	/* bytes of a buf kept for the next */

struct job {
	struct buf text;
	struct buf packed;
	int result;
};

/*
 * Jobs are begun, done and ended in turn; number n is jobs[n % JOBS_MAX].
 * From done to begun they and ctx are the worker's, the others the owner's,
 * who alone changes 'begun' and 'ended'; under the lock, what both look at.
 */
struct packer {
	pthread_t worker;
	bool has_worker;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool leaving;
	uint64_t begun;
	uint64_t done;
	uint64_t ended;

	ZSTD_CCtx *ctx;
	struct job jobs[PACKER_JOBS_MAX];
	size_t bytes;			/* of text, from ended to begun */
};

struct unpacker {
	ZSTD_DCtx *ctx;
};

struct packer *
packer_new(int level)
{
	struct packer *k;
	size_t i;

	if ((k = calloc(1, sizeof *k)) == NULL)
		return NULL;
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->changed, NULL);
	for (i = 0; i < PACKER_JOBS_MAX; i++) {
		k->jobs[i].text.max = RECORD_TEXT_MAX;
		k->jobs[i].packed.max =
		    ZSTD_COMPRESSBOUND((size_t)RECORD_TEXT_MAX);
	}
	k->ctx = ZSTD_createCCtx();
	if (k->ctx == NULL || ZSTD_isError(ZSTD_CCtx_setParameter(k->ctx,
	    ZSTD_c_compressionLevel, level))) {
		packer_free(k);
		errno = ENOMEM;
		return NULL;
	}
	return k;
}

void
packer_free(struct packer *k)
{
	size_t i;

	if (k == NULL)
		return;
	if (k->has_worker) {
		pthread_mutex_lock(&k->lock);
		k->leaving = true;
		pthread_cond_signal(&k->changed);
		pthread_mutex_unlock(&k->lock);
		pthread_join(k->worker, NULL);
	}
	pthread_cond_destroy(&k->changed);
	pthread_mutex_destroy(&k->lock);
	ZSTD_freeCCtx(k->ctx);
	for (i = 0; i < PACKER_JOBS_MAX; i++) {
		buf_release(&k->jobs[i].text);
		buf_release(&k->jobs[i].packed);
	}
	free(k);
}

/* One large batch should not leave its memory with us for ever. */
static void
empty(struct buf *b)
{
	if (b->cap > KEEP_MAX)
		buf_release(b);
	else
		buf_clear(b);
}

static void
pack(ZSTD_CCtx *ctx, struct job *j)
{
	const size_t n = buf_size(&j->text), bound = ZSTD_compressBound(n);
	unsigned char *to;
	size_t size;

	j->result = -1;
	if ((to = buf_reserve(&j->packed, bound)) == NULL)
		return;
	size = ZSTD_compress2(ctx, to, bound, buf_bytes(&j->text), n);
	/* With room for the bound, only memory can be short. */
	if (ZSTD_isError(size))
		return;
	j->result = size < n;
	j->packed.len += size;
}

static void *
work(void *arg)
{
	struct packer *k = arg;

	pthread_mutex_lock(&k->lock);
	for (;;) {
		while (k->done == k->begun && !k->leaving)
			pthread_cond_wait(&k->changed, &k->lock);
		if (k->leaving)
			break;
		pthread_mutex_unlock(&k->lock);
		pack(k->ctx, &k->jobs[k->done % PACKER_JOBS_MAX]);
		pthread_mutex_lock(&k->lock);
		k->done++;
		pthread_cond_signal(&k->changed);
	}
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

/*
 * The outcome that was asked for last is not needed any more.  (If all are
 * busy, its place was taken, and it was forgotten then.)
 */
static void
forget_last(struct packer *k)
{
	struct job *j;

	if (k->ended == 0 || k->begun - k->ended == PACKER_JOBS_MAX)
		return;
	j = &k->jobs[(k->ended - 1) % PACKER_JOBS_MAX];
	empty(&j->text);
	empty(&j->packed);
}

bool
packer_is_full(const struct packer *k, size_t n)
{
	const uint64_t jobs = k->begun - k->ended;

	return jobs == PACKER_JOBS_MAX ||
	    (jobs > 0 && k->bytes + n > PACKER_BYTES_MAX);
}

void
packer_begin(struct packer *k, struct buf *text)
{
	struct job *j = &k->jobs[k->begun % PACKER_JOBS_MAX];
	struct buf full = *text;

	assert(k->begun - k->ended < PACKER_JOBS_MAX);
	forget_last(k);
	*text = j->text;
	j->text = full;
	k->bytes += buf_size(&full);
	if (buf_size(&full) >= BACKGROUND && !k->has_worker)
		k->has_worker = pthread_create(&k->worker, NULL, work, k) == 0;
	pthread_mutex_lock(&k->lock);
	if (!k->has_worker ||
	    (k->done == k->begun && buf_size(&full) < BACKGROUND)) {
		/* The worker waits, and until this is done has no reason. */
		pack(k->ctx, j);
		k->done++;
	}
	k->begun++;
	pthread_cond_signal(&k->changed);
	pthread_mutex_unlock(&k->lock);
}

int
packer_end(struct packer *k, const struct buf **body)
{
	struct job *j = &k->jobs[k->ended % PACKER_JOBS_MAX];

	assert(k->begun > k->ended);
	forget_last(k);
	pthread_mutex_lock(&k->lock);
	while (k->done == k->ended)
		pthread_cond_wait(&k->changed, &k->lock);
	pthread_mutex_unlock(&k->lock);
	k->ended++;
	k->bytes -= buf_size(&j->text);
	*body = j->result == 1 ? &j->packed : &j->text;
	if (j->result == -1)
		errno = ENOMEM;
	return j->result;
}

struct unpacker *
unpacker_new(void)
{
	struct unpacker *u;

	if ((u = malloc(sizeof *u)) == NULL)
		return NULL;
	if ((u->ctx = ZSTD_createDCtx()) == NULL) {
		free(u);
		errno = ENOMEM;
		return NULL;
	}
	return u;
}

void
unpacker_free(struct unpacker *u)
{
	if (u == NULL)
		return;
	ZSTD_freeDCtx(u->ctx);
	free(u);
}

int
unpacker_unpack(struct unpacker *u, const void *p, size_t n, struct buf *out)
{
	unsigned long long size = ZSTD_getFrameContentSize(p, n);
	unsigned char *to;

	if (size == ZSTD_CONTENTSIZE_UNKNOWN ||
	    size == ZSTD_CONTENTSIZE_ERROR ||
	    ZSTD_findFrameCompressedSize(p, n) != n) {
		errno = EBADMSG;
		return -1;
	}
	if (size > RECORD_TEXT_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	if ((to = buf_reserve(out, size)) == NULL)
		return -1;
	/* Into memory of the content's size: no window, no more than that. */
	if (ZSTD_decompressDCtx(u->ctx, to, size, p, n) != size) {
		errno = EBADMSG;
		return -1;
	}
	out->len += size;
	return 0;
}
