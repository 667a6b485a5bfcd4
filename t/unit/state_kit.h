/* A store with a consent and a transfer in it. To be included after cmocka.h. */
#ifndef ABDM_TEST_STATE_KIT_H
#define ABDM_TEST_STATE_KIT_H

#include "core/json.h"
#include "store_kit.h"

static store_kit_t K;

static abdm_transfer_t transfer = {.id = "T-1", .hip_id = "HIP_1", .consent_id = "C-1",
                                   .request_id = "R-1", .from = 1, .to = 2,
                                   .push_url = "https://hiu.example/push", .curve = "Curve25519",
                                   .public_key = "key", .nonce = "nonce", .n_contexts = 2,
                                   .requested_at = 1772702411000, .deadline_at = 9};


static inline int
open_store(void **state)
{
    (void) state;
    return store_kit_open(&K);
}


static inline int
close_store(void **state)
{
    (void) state;
    store_kit_close(&K);
    return 0;
}


static inline void
apply(abdm_effects_t *e)
{
    assert_false(e->failed);
    OK_(abdm_store_apply(K.store, e, 777));
    abdm_effects_clear(e);
}


static inline abdm_care_context_t *
two_contexts(void)
{
    abdm_care_context_t *c = calloc(2, sizeof(*c));

    assert_non_null(c);
    c[0] = (abdm_care_context_t){strdup("MR-1"), strdup("V-2")};
    c[1] = (abdm_care_context_t){strdup("MR-1"), strdup("V-1")};
    return c;
}


static inline void
put_consent(abdm_consent_status_t status)
{
    abdm_effects_t e = {0};
    abdm_consent_t c = {.id = strdup("C-1"), .hip_id = strdup("HIP_1"), .status = status};

    if (status == ABDM_CONSENT_GRANTED) {
        c.hiu_id = strdup("HIU_1");
        c.patient_id = strdup("a@sbx");
        c.purpose = strdup("CAREMGT");
        c.from = 10;
        c.to = 20;
        c.erase_at = 30;
        c.hi_types = 5;
        c.contexts = two_contexts();
        c.n_contexts = 2;
    }
    abdm_effect_consent(&e, &c);
    apply(&e);
}


/* The transfer with two contexts, and one page that waits in context 0. */
static inline void
put_transfer(void)
{
    abdm_transfer_context_t contexts[] = {
        {.index = 0, .patient_ref = "MR-1", .care_context_ref = "V-1"},
        {.index = 1, .patient_ref = "MR-1", .care_context_ref = "V-2"}};
    abdm_page_t page = {.number = 0, .context = 0, .hi_type = ABDM_HI_PRESCRIPTION,
                        .dated = true, .date = 15,
                        .record = json_pack("{s:s}", "title", "secret words")};
    abdm_effects_t e = {0};

    abdm_effect_transfer(&e, &transfer);
    abdm_effect_context(&e, &transfer, &contexts[0]);
    abdm_effect_context(&e, &transfer, &contexts[1]);
    abdm_effect_page(&e, &transfer, &page);
    apply(&e);
    json_decref(page.record);
}


static inline abdm_err_t
get_page(int number, abdm_page_t *page)
{
    const abdm_view_t *view = abdm_store_view(K.store);

    return view->page(view, &transfer, number, page);
}


#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)

#endif
