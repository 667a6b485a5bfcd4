/*
 * Facilities: what each block of the host's configuration says of one, checked and loaded. Every
 * refusal names the facility, the value and what is expected.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abdm_internal.h"
#include "fhir/codes.h"

enum {
    CODES_MAX = 16 * 1024 * 1024,
    DAY_MINUTES = 24 * 60,
    ZONE = 5 * 60 + 30,
    QUIET_FROM = 21 * 60,
    QUIET_TO = 8 * 60,
    POLL_MS = 60 * 1000,
    SMS_DAILY = 1000,
    SLOT_MS = 2000,
    SLOT_MAX = 4000, /* the gateway waits for 10 s */
    DISCOVERY_HOURLY = 10,
    OTP_LIFE_MS = 10 * 60 * 1000,
    OTP_LIFE_MIN = 60 * 1000,
    OTP_LIFE_MAX = 15 * 60 * 1000
};


void
abdm_facility_config_init(abdm_facility_config_t *facility)
{
    memset(facility, 0, sizeof(*facility));
    facility->poll_ms = -1;
    facility->deep_link = true;
    facility->quiet_from = QUIET_FROM;
    facility->quiet_to = QUIET_TO;
    facility->sms_daily = -1;
    facility->zone_minutes = ZONE;
    facility->slot_ms = -1;
    facility->discovery_hourly = -1;
    facility->otp_life_ms = -1;
}


static abdm_err_t
load_policy(const abdm_facility_config_t *config, abdm_fhir_policy_t *policy,
            char problem[ABDM_PROBLEM])
{
    static const char *const names[] = {
        [ABDM_FHIR_REJECT] = "reject",
        [ABDM_FHIR_ATTACH] = "attach",
        [ABDM_FHIR_SEND] = "send",
    };

    *policy = ABDM_FHIR_REJECT;
    for (size_t i = 0; config->fhir != NULL; i++) {
        if (i == sizeof(names) / sizeof(names[0])) {
            snprintf(problem, ABDM_PROBLEM,
                     "fhir \"%.64s\" in abdm_facility %.64s: reject, attach or send is expected",
                     config->fhir, config->id);
            return ABDM_ERR(CONFIG, "fhir");
        }
        if (strcmp(config->fhir, names[i]) == 0) {
            *policy = (abdm_fhir_policy_t) i;
            break;
        }
    }
    return ABDM_NO_ERR;
}


/* The hospital's own terms and the codes they stand for, matched exactly. */
static abdm_err_t
load_codes(const abdm_facility_config_t *config, const abdm_codes_t **codes,
           char problem[ABDM_PROBLEM])
{
    char fault[128] = "";
    abdm_codes_t *table = NULL;
    abdm_buf_t csv = {0};
    char piece[4096];
    abdm_err_t err;
    size_t n;
    FILE *f;

    if (config->codes == NULL) {
        return ABDM_NO_ERR;
    }
    f = fopen(config->codes, "re");
    if (f == NULL) {
        snprintf(problem, ABDM_PROBLEM, "codes \"%.300s\": %s", config->codes, strerror(errno));
        return ABDM_ERR(CONFIG, "codes");
    }
    while (csv.len <= CODES_MAX && (n = fread(piece, 1, sizeof(piece), f)) > 0) {
        abdm_buf_add(&csv, piece, n);
    }
    if (ferror(f) || csv.failed || csv.len > CODES_MAX) {
        snprintf(problem, ABDM_PROBLEM, "codes \"%.300s\": cannot be read, or is over %d MB",
                 config->codes, CODES_MAX >> 20);
        err = ABDM_ERR(CONFIG, "codes");
    } else {
        err = abdm_codes_new(abdm_buf_str(&csv), fault, &table);
        if (abdm_failed(err)) {
            snprintf(problem, ABDM_PROBLEM, "codes \"%.300s\": %s", config->codes, fault);
        }
    }
    fclose(f);
    abdm_buf_free(&csv);
    *codes = table;
    return err;
}


static abdm_err_t
refuse(char problem[ABDM_PROBLEM], const abdm_facility_config_t *config, const char *what,
       const char *expected)
{
    snprintf(problem, ABDM_PROBLEM, "%s in abdm_facility %.64s: %s", what, config->id, expected);
    return ABDM_ERR(CONFIG, "abdm_facility");
}


static abdm_err_t
load_sms(const abdm_facility_config_t *config, abdm_engine_facility_t *out,
         char problem[ABDM_PROBLEM])
{
    char why[ABDM_PROBLEM];
    abdm_err_t err;

    if (config->sms_url == NULL) {
        return ABDM_NO_ERR;
    }
    if (config->sms_template == NULL) {
        return refuse(problem, config, "sms", "template=FILE is missing");
    }
    err = abdm_sms_open(config->sms_url, config->sms_template, why, &out->sms);
    if (abdm_failed(err)) {
        snprintf(problem, ABDM_PROBLEM, "abdm_facility %.64s: sms %.100s: %.300s", config->id,
                 config->sms_url, why);
    }
    out->facts.sms = out->sms != NULL;
    return err;
}


static abdm_err_t
load_counters(const abdm_facility_config_t *config, abdm_engine_facility_t *out,
              char problem[ABDM_PROBLEM])
{
    for (size_t i = 0; i < config->n_counters; i++) {
        ABDM_TRY(abdm_counter_check(config->id, config->name, config->counter[i], problem));
    }
    out->facts.counter = config->counter;
    out->facts.n_counters = config->n_counters;
    return ABDM_NO_ERR;
}


/* The HMIS's questions are known by now. */
static abdm_err_t
load_facts(const abdm_facility_config_t *config, abdm_facility_t *facts, char problem[ABDM_PROBLEM])
{
    bool feed = facts->questions[ABDM_HMIS_NEW_CONTEXTS] > 0;

    facts->poll = config->poll_ms >= 0 ? config->poll_ms : feed ? POLL_MS : 0;
    facts->deep_link = config->deep_link;
    facts->quiet_from = config->quiet_from;
    facts->quiet_to = config->quiet_to;
    facts->sms_daily = config->sms_daily >= 0 ? config->sms_daily : SMS_DAILY;
    facts->zone = config->zone_minutes;
    facts->slot = config->slot_ms >= 0 ? config->slot_ms : SLOT_MS;
    facts->discovery_hourly = config->discovery_hourly >= 0 ? config->discovery_hourly
                                                            : DISCOVERY_HOURLY;
    facts->otp_life = config->otp_life_ms >= 0 ? config->otp_life_ms : OTP_LIFE_MS;

    if (facts->poll != 0 && !feed) {
        return refuse(problem, config, "poll", "the mapping has no new_contexts to be read");
    }
    if (facts->slot == 0 || facts->slot > SLOT_MAX) {
        return refuse(problem, config, "discovery_slot", "up to 4s is expected, and more than 0");
    }
    if (facts->otp_life < OTP_LIFE_MIN || facts->otp_life > OTP_LIFE_MAX) {
        return refuse(problem, config, "otp_life", "1m to 15m is expected");
    }
    if (facts->quiet_from < 0 || facts->quiet_from >= DAY_MINUTES || facts->quiet_to < 0
        || facts->quiet_to >= DAY_MINUTES) {
        return refuse(problem, config, "quiet_hours", "two times of the day are expected");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
load_facility(const abdm_facility_config_t *config, abdm_engine_facility_t *out,
              char problem[ABDM_PROBLEM])
{
    char why[ABDM_PROBLEM];
    abdm_err_t err;

    if (config->name == NULL || config->hmis_adapter == NULL || config->hmis_url == NULL
        || config->hmis_mapping == NULL) {
        snprintf(problem, ABDM_PROBLEM, "abdm_facility %s needs name and hmis with a mapping",
                 config->id);
        return ABDM_ERR(CONFIG, "abdm_facility");
    }
    out->facts.id = config->id;
    out->facts.name = config->name;
    ABDM_TRY(load_policy(config, &out->fhir, problem));
    ABDM_TRY(load_codes(config, &out->rules.codes, problem));
    err = abdm_hmis_open(config->hmis_adapter, config->hmis_url, config->hmis_mapping, why,
                         &out->hmis);
    if (abdm_failed(err)) {
        snprintf(problem, ABDM_PROBLEM, "abdm_facility %.64s: %.400s", config->id, why);
        return err;
    }
    for (int op = 0; op < ABDM_HMIS_OPS; op++) {
        out->facts.questions[op] = abdm_hmis_questions(out->hmis, (abdm_hmis_op_t) op);
    }
    ABDM_TRY(load_sms(config, out, problem));
    ABDM_TRY(load_counters(config, out, problem));
    return load_facts(config, &out->facts, problem);
}


abdm_err_t
abdm_load_facilities(abdm_t *abdm, char problem[ABDM_PROBLEM])
{
    const abdm_config_t *config = &abdm->config;

    if (config->n_facility == 0) {
        snprintf(problem, ABDM_PROBLEM,
                 "abdm_facility is missing: one block for each service id (HIP id)");
        return ABDM_ERR(CONFIG, "missing");
    }
    abdm->facility = calloc(config->n_facility, sizeof(*abdm->facility));
    abdm->facility_id = calloc(config->n_facility, sizeof(*abdm->facility_id));
    if (abdm->facility == NULL || abdm->facility_id == NULL) {
        snprintf(problem, ABDM_PROBLEM, "no memory");
        return ABDM_ERR(MEMORY, "facilities");
    }
    for (size_t i = 0; i < config->n_facility; i++) {
        abdm->facility_id[i] = config->facility[i].id;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(abdm->facility_id[i], abdm->facility_id[k]) == 0) {
                snprintf(problem, ABDM_PROBLEM, "abdm_facility %s is there twice",
                         abdm->facility_id[i]);
                return ABDM_ERR(CONFIG, "abdm_facility");
            }
        }
        ABDM_TRY(load_facility(&config->facility[i], &abdm->facility[i], problem));
    }
    return ABDM_NO_ERR;
}


void
abdm_unload_facilities(abdm_t *abdm)
{
    for (size_t i = 0; abdm->facility != NULL && i < abdm->config.n_facility; i++) {
        abdm_hmis_close(abdm->facility[i].hmis);
        abdm_sms_close(abdm->facility[i].sms);
        abdm_codes_free((abdm_codes_t *) abdm->facility[i].rules.codes);
    }
    free(abdm->facility);
    free(abdm->facility_id);
}
