/*
 * Fault points of test builds: the process kills itself where the file named by the environment
 * ABDM_FAULT_FILE says "place what", and its wall clock is ahead by the milliseconds that stand, as
 * eight bytes in the machine's own order, in the file named by ABDM_CLOCK_FILE, which may change
 * them at any time. The product has none of it.
 */
#ifndef ABDM_CORE_FAULT_H
#define ABDM_CORE_FAULT_H

#include <stdint.h>

#ifdef ABDM_FAULTS
void abdm_fault_point(const char *place, const char *what);
int64_t abdm_fault_clock(void);
#else
#define abdm_fault_point(place, what) ((void) (place), (void) (what))
#define abdm_fault_clock() ((int64_t) 0)
#endif

#endif
