/*
 * The loop of a program that makes lines on standard output of those on
 * standard input.
 */
#ifndef FILTER_H
#define FILTER_H

#include <stddef.h>

#include "sink.h"

/*
 * Hand each line to take(), in order and without its LF, until the end; write
 * what is in 'out' whenever all that had come is taken.  take() returns -1 with
 * *why a constant for a line that is wrong.  That line, one that is longer than
 * LINE_MAX_BYTES, and input or output that fails end the program, with a word.
 */
void filter_lines(struct sink *out, int (*take)(void *arg, const char *line,
    size_t len, const char **why), void *arg);

#endif
