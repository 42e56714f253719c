/*
 * The stored bodies of session records: packing lines into one, and back;
 * rr-records(5), "codec".
 */
#ifndef PACK_H
#define PACK_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

#define PACK_LEVEL_DEFAULT	3
#define PACK_LEVEL_MAX		19

#define PACKER_JOBS_MAX		16	/* bodies that may wait */
#define PACKER_BYTES_MAX	(8u << 20)	/* of text that should */

/*
 * Packs bodies, in the order in which they are given.  It is used by one
 * thread, and packs what is large, and what waits behind it, in another one.
 */
struct packer;

/* With zstd at this level; NULL with errno ENOMEM. */
struct packer *packer_new(int level);
void packer_free(struct packer *);

/* True if a body of n bytes had better wait until packer_end() was called. */
bool packer_is_full(const struct packer *, size_t n);

/*
 * Begin to pack what is in text, which is exchanged for an empty buf.  Not
 * more than PACKER_JOBS_MAX may have begun and not ended.
 */
void packer_begin(struct packer *, struct buf *text);

/*
 * Wait for the first that was begun and has not ended.  1 with *body what was
 * packed, 0 with *body the text itself, which would not get smaller, or -1
 * with errno ENOMEM.  *body is good until the next packer_begin() or
 * packer_end().
 */
int packer_end(struct packer *, const struct buf **body);

struct unpacker;

/* NULL with errno ENOMEM. */
struct unpacker *unpacker_new(void);
void unpacker_free(struct unpacker *);

/*
 * Add what was packed to out.  0, or -1 with errno: EBADMSG if p[0..n) is not
 * one zstd frame that says its content's size and holds to it, EMSGSIZE if
 * that is over RECORD_TEXT_MAX, or as buf_reserve().
 */
int unpacker_unpack(struct unpacker *, const void *p, size_t n,
    struct buf *out);

#endif
