/*
 * Fault points of test builds: the process kills itself where the file named by the environment
 * ABDM_FAULT_FILE says "place what". The product has none of it.
 */
#ifndef ABDM_CORE_FAULT_H
#define ABDM_CORE_FAULT_H

#ifdef ABDM_FAULTS
void abdm_fault_point(const char *place, const char *what);
#else
#define abdm_fault_point(place, what) ((void) (place), (void) (what))
#endif

#endif
