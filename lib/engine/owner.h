/* Inside engine/ only: the name of this process among those that share a store. */
#ifndef ABDM_ENGINE_OWNER_H
#define ABDM_ENGINE_OWNER_H

#include "store/store.h"

enum { ABDM_OWNER_TEXT = 48 };

/* "pid.start": names this very process even when its pid is used again. E_SYSTEM. */
abdm_err_t abdm_owner_name(char owner[ABDM_OWNER_TEXT]);

/* Does the process of that name still run on this node? */
abdm_fate_t abdm_owner_fate(const char *owner);

#endif
