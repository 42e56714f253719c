/*
 * The stored bodies of session records: packing lines into one, and back;
 * rr-records(5), "codec".
 */
#ifndef PACK_H
#define PACK_H

#include <stddef.h>

#include "buf.h"

#define PACK_LEVEL_DEFAULT	3
#define PACK_LEVEL_MAX		19

/* Packs; its memory is reused from body to body.  For one thread. */
struct packer;

/* With zstd at this level; NULL with errno ENOMEM. */
struct packer *packer_new(int level);
void packer_free(struct packer *);

/*
 * Pack p[0..n) into out, which is cleared first.  1 if it got smaller, 0 if
 * it did not (store it as it is), -1 as buf_reserve().
 */
int packer_pack(struct packer *, const void *p, size_t n, struct buf *out);

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
