/*
 * A jq program that is run over one event at a time (libjq).
 */
#ifndef JQPROG_H
#define JQPROG_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

#define JQPROG_MAX	(1u << 20)	/* bytes of a program */

struct jqprog;

enum jqprog_result {
	JQPROG_SAME,		/* the event itself, untouched: keep its text */
	JQPROG_CHANGED,		/* another object: its text is in out */
	JQPROG_NONE,		/* no result */
	JQPROG_FAILED,		/* an error, or no single object: see why */
};

/*
 * Compile a program.  NULL, with jq's words in *why (up to its limit, several
 * lines as one).
 */
struct jqprog *jqprog_new(const char *program, struct buf *why);
void jqprog_free(struct jqprog *);

/*
 * For main(): the program of -f, or of -F, a file; NULL if neither is given.
 * Exits with a message if both are, or if it cannot be read or compiled.
 */
struct jqprog *jqprog_option(const char *program, const char *file);

/*
 * Run it over an event that scan_event() found good.  With 'test', a result
 * true counts as the event itself, false and null as none, and a string that
 * is the event itself is good too.
 * 'out' is cleared first, and holds the new text or, on failure, why.  -1
 * with errno ENOMEM, or ENOBUFS if the new text is longer than 'out' takes.
 *
 * jq's own limits hold: numbers are doubles, nesting is at most 256 deep; and
 * a lone surrogate becomes U+FFFD.  So a text that the program did not touch
 * must be kept rather than written anew, which is what JQPROG_SAME is for.
 */
int jqprog_run(struct jqprog *, const char *event, size_t len, bool test,
    struct buf *out);

#endif
