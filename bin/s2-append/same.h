/*
 * Whether a record in S2 is one that was to be appended.
 */
#ifndef SAME_H
#define SAME_H

#include <stdbool.h>
#include <stddef.h>

#include "input.h"
#include "pb.h"

/*
 * True if the SequencedRecord 'theirs' has the headers and the body of record
 * i of a run.  S2 is free in how it encodes them, and assigns the timestamp.
 */
bool same_record(const struct run *run, size_t i, const unsigned char *theirs,
    size_t n);

#endif
