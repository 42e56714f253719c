/*
 * Functions that invite mistakes; included before every file of ours.
 * Use strlcpy, snprintf, strtonum (or lib/lines.h's parsers), gmtime_r.
 */
#ifndef BANNED_H
#define BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Macros in a fortified stdio.h, for clang. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol atoll
#pragma GCC poison strncpy strncat gets

#endif
