/* The records of t/records as they are read by several tests. */
#ifndef TEST_BUILD_RECORDS_H
#define TEST_BUILD_RECORDS_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abdm_fhir.h"
#include "core/json.h"

#define RECORDS "t/records/"

static const abdm_fhir_options_t facility = {.facility_id = "IN0990001234_1",
                                             .facility_name = "Demo Hospital"};


/* Text of a file of t/records; the caller frees. */
static char *
record_text(const char *name)
{
    char path[512];
    abdm_buf_t b = {0};
    size_t n;

    snprintf(path, sizeof path, RECORDS "%s", name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    do {
        assert_true(abdm_buf_reserve(&b, 4096));
        n = fread(b.p + b.len, 1, 4096, f);
        b.len += n;
    } while (n > 0);
    assert_int_equal(fclose(f), 0);
    return abdm_buf_take(&b);
}


static int
is_record(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot != NULL && strcmp(dot, ".json") == 0;
}


/* Calls `each` for all records; gives how many there are. */
static int
for_records(void (*each)(const char *name, const char *text))
{
    struct dirent **list;
    int n = scandir(RECORDS, &list, is_record, alphasort);

    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        char *text = record_text(list[i]->d_name);
        each(list[i]->d_name, text);
        free(text);
        free(list[i]);
    }
    free(list);
    return n;
}

#endif
