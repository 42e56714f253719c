/*
 * The records of RePlaya, an older format: an event is a JSON envelope, or
 * chunks of its text, each with an envelope in a header.
 */
#ifndef REPLAYA_H
#define REPLAYA_H

#include "reader.h"

/* True if the record in p[0..n) is one. */
bool replaya_is(const unsigned char *p, size_t n);

/* Take one.  0, or -1 with errno. */
int replaya_take(struct reader *, const unsigned char *p, size_t n,
    const struct record *);

/* The end of the input: tell of what is not complete. */
void replaya_end(struct reader *);

void replaya_release(struct reader *);

#endif
