/*
 * soak_verdict.h -- what is wrong with what was seen, and the figures, as text and as JSON.
 *
 * Every promise that was not kept is one fault, a sentence, in the report. The promises:
 *   (1) RSS never exceeds the budget, by any sample and by the kernel's own peak;
 *   (2) it comes back within the stated percentage in the stated time;
 *   (3) over equal cycles it does not grow (soak_trend.h);
 *   (4) no socket and no thread is left over when everybody has gone;
 *   (5) the honest lose nothing, and get nothing twice, out of order, or later than p99 allows;
 *   (6) the server lives.
 */
#pragma once

#include "cli/bench_report.h"
#include "cli/soak_part.h"

/* Judges and reports one part that was played. */
void soak_verdict_part(struct bench_report *report, const struct soak_options *options,
                       struct soak_part *part, struct budget *budget);

/* What concerns the whole run: the highest RSS, the curve, whether the server lives. */
void soak_verdict_run(struct bench_report *report, const struct soak_options *options,
                      const struct soak_stage *stage);
