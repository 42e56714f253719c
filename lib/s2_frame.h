/*
 * Frames of S2's sessions (S2S): a length of three bytes, a byte of flags, a
 * payload.
 */
#ifndef S2_FRAME_H
#define S2_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "buf.h"

#define S2_FRAME_HEAD		4	/* length and flags */
#define S2_FRAME_MAX		2097151	/* bytes of a payload, inflated too */

enum s2_frame_flag {
	S2_FRAME_TERMINAL = 0x80,
	S2_FRAME_CODEC = 0x60,		/* mask */
	S2_FRAME_ZSTD = 0x20,
	S2_FRAME_GZIP = 0x40,
	S2_FRAME_RECONNECT = 0x10,	/* the server is about to go away */
};

struct s2_frame {
	unsigned flags;
	const unsigned char *payload;	/* into the input or the scratch */
	size_t len;
	int status;		/* of a terminal frame: HTTP's; payload: JSON */
};

/* Write the head of a plain frame of n bytes, 1 <= n <= S2_FRAME_MAX, at p. */
void s2_frame_head(unsigned char p[S2_FRAME_HEAD], size_t n);

/*
 * Read the frame at p[0..len).  Its size with *f set; 0 if more bytes are
 * needed; -1 with *why a constant text if it is none.  A payload that is
 * compressed with zstd is inflated into *scratch (whose max is at least
 * S2_FRAME_MAX + 65536); with NULL such a frame is an error, as is one with
 * gzip, which is never asked for.
 */
ssize_t s2_frame_next(const unsigned char *p, size_t len, struct s2_frame *f,
    struct buf *scratch, const char **why);

#endif
