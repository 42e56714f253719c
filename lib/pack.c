#include <errno.h>

#include <zstd.h>

#include "pack.h"
#include "record.h"

struct packer {
	ZSTD_CCtx *ctx;
};

struct unpacker {
	ZSTD_DCtx *ctx;
};

struct packer *
packer_new(int level)
{
	struct packer *k;

	if ((k = malloc(sizeof *k)) == NULL)
		return NULL;
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
	if (k == NULL)
		return;
	ZSTD_freeCCtx(k->ctx);
	free(k);
}

int
packer_pack(struct packer *k, const void *p, size_t n, struct buf *out)
{
	unsigned char *to;
	size_t bound = ZSTD_compressBound(n), size;

	buf_clear(out);
	if ((to = buf_reserve(out, bound)) == NULL)
		return -1;
	size = ZSTD_compress2(k->ctx, to, bound, p, n);
	if (ZSTD_isError(size)) {
		/* With room for the bound, only memory can be short. */
		errno = ENOMEM;
		return -1;
	}
	if (size >= n)
		return 0;
	out->len += size;
	return 1;
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

	if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR ||
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
