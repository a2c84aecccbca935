/* SPDX-License-Identifier: ISC
 *
 * How the scheduler treats a process that is woken for each packet, see
 * sched(7). Under SCHED_BATCH one that wakes up does not interrupt the one that
 * runs, but follows it: by then more has come, which is dealt with in one turn.
 * With a processor to spare it runs at once, as any other.
 */
#ifndef LT_COMMON_BATCH_H
#define LT_COMMON_BATCH_H

/* From now on, for this process and those that it forks. Does nothing where
 * somebody has chosen a policy for it. */
void batch_set(void);

#endif
