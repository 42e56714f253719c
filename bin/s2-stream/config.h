/*
 * Configurations of basins and streams: as S2's JSON, and as KEY=VALUE.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stdio.h>

#include <jv.h>

/*
 * Put the setting KEY=VALUE into *config, a BasinConfig or a StreamConfig.  A
 * basin takes the keys of a stream as its default for streams.  An empty value
 * is null, which clears the setting.  0, or -1 with *why a constant text.
 */
int config_set(jv *config, bool basin, const char *setting, const char **why);

/* Write what is set as lines of KEY=VALUE.  Consumes config. */
void config_print(jv config, bool basin, FILE *out);

#endif
