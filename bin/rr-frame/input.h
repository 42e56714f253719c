/*
 * Files of lines, or of one JSON array, read into a framer.
 */
#ifndef INPUT_H
#define INPUT_H

#include "framer.h"

/*
 * Frame what comes from fd, called 'name' in messages, to its end: what is
 * complete is written as soon as nothing more is ready to be read, and events
 * that wait for more are cut into a batch after wait_ms.  Exits on failure,
 * having written all before it.
 */
void input_frame(struct framer *, const char *name, int fd, int wait_ms);

#endif
