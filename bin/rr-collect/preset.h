/*
 * Presets of privacy, strict, balanced and open: what is said of a session is
 * held to its key's before it is stored, whatever the recorder did.
 */
#ifndef PRESET_H
#define PRESET_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

/* The preset of this name, a constant text, or NULL if there is none. */
const char *preset_named(const char *name, size_t len);

/*
 * Hold a good JSON object to a preset (NULL: none): without 'url' and
 * 'referrer' from their query on, and with strict without 'title'.  An object
 * whose 'privacy' names this preset or a stricter one was made so already.
 * True if it had to be held; it is no longer than before.
 */
bool preset_hold(struct buf *object, const char *preset);

#endif
