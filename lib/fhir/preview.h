/*
 * A bundle as one HTML page for human eyes, as an app of a patient would show it: self-contained,
 * without scripts or links to anywhere, every text escaped. What others send is shown too, whether
 * it conforms or not; narrative (XHTML from outside) as its text alone.
 */
#ifndef ABDM_FHIR_PREVIEW_H
#define ABDM_FHIR_PREVIEW_H

#include <jansson.h>

#include "core/buf.h"
#include "core/err.h"

/* Appends the page of a Bundle of any type, or of a single resource. E_RECORD_FORM when it is
 * neither, E_MEMORY. */
abdm_err_t abdm_fhir_preview_json(const json_t *bundle, abdm_buf_t *out);

#endif
