
/*
 * The NGINX face of libabdm: what its files share.  The library is known by
 * abdm.h alone; no rule of ABDM lives on this side.
 */


#ifndef _NGX_HTTP_ABDM_H_INCLUDED_
#define _NGX_HTTP_ABDM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <abdm.h>


/* the largest body of a call of the API */

#define NGX_HTTP_ABDM_API_BODY  1048576


typedef enum {
    NGX_HTTP_ABDM_NONE = 0,
    NGX_HTTP_ABDM_CALLBACK,
    NGX_HTTP_ABDM_API,
    NGX_HTTP_ABDM_STATUS
} ngx_http_abdm_kind_e;


typedef struct ngx_http_abdm_log_s  ngx_http_abdm_log_t;


/* one worker's half of the library, see ngx_http_abdm_engine.c */

typedef struct {
    abdm_t                     *abdm;
    ngx_http_abdm_log_t        *log;

    ngx_connection_t           *wake;
    ngx_event_t                 guard;

    ngx_queue_t                 tickets;
    ngx_queue_t                 parked;
    ngx_uint_t                  nparked;

    ngx_msec_t                  patience;
    ngx_msec_t                  deadline;

    unsigned                    running:1;
    unsigned                    leaving:1;
} ngx_http_abdm_engine_t;


/* a directive within one of our blocks */

typedef struct ngx_http_abdm_item_s  ngx_http_abdm_item_t;

typedef char *(*ngx_http_abdm_item_pt)(ngx_conf_t *cf,
    ngx_http_abdm_item_t *item, void *conf);

struct ngx_http_abdm_item_s {
    ngx_str_t                   name;
    ngx_uint_t                  min;
    ngx_uint_t                  max;
    ngx_http_abdm_item_pt       set;
    ngx_uint_t                  offset;
    ngx_uint_t                  flags;
    char                       *expected;
    void                       *post;
};


/* what a number or a time may be */

typedef struct {
    int64_t                     low;
    int64_t                     high;
} ngx_http_abdm_range_t;


/* a location of ours, for checks and messages when all are known */

typedef struct {
    ngx_http_abdm_kind_e        kind;
    ngx_str_t                   name;
    ngx_str_t                   facility;
    void                       *server;
    u_char                     *directive;
    u_char                     *file;
    ngx_uint_t                  line;
} ngx_http_abdm_place_t;


typedef struct {
    ngx_str_t                   store;
    ngx_str_t                   secret_key;
    abdm_gateway_config_t      *gateway;
    ngx_array_t                *facilities;    /* abdm_facility_config_t */
    ngx_array_t                *push_allow;    /* const char * */
    ngx_array_t                *consent_keys;  /* const char * */
    ngx_array_t                *consent_kids;  /* const char * */
    ngx_uint_t                  consent_confirm;
    ngx_uint_t                  consent_signature;
    ngx_flag_t                  break_glass;
    ngx_uint_t                  push_new_host; /* abdm_new_host_t */
    ngx_msec_t                  drain;
    ngx_int_t                   queue;
    size_t                      record_max;
    time_t                      audit_keep;
    size_t                      callback_max_body;

    ngx_str_t                   prefix;        /* of the bridge URL */
    ngx_array_t                *places;        /* ngx_http_abdm_place_t */

    ngx_cycle_t                *cycle;
    ngx_http_abdm_engine_t     *engine;
} ngx_http_abdm_main_conf_t;


typedef struct {
    ngx_http_abdm_kind_e        kind;
    ngx_http_handler_pt         handler;
    ngx_str_t                   name;          /* of the location */
    ngx_str_t                   facility;
    ngx_uint_t                  nha;           /* unsigned  nha:1; */
} ngx_http_abdm_loc_conf_t;


/*
 * A ticket is what the library knows of a request: it outlives a client
 * that went away, when "request" becomes NULL.
 */

typedef struct {
    ngx_queue_t                 queue;
    ngx_http_request_t         *request;
} ngx_http_abdm_ticket_t;


typedef struct {
    abdm_head_t                 head;
    abdm_answer_t               answer;
    ngx_str_t                   error;         /* JSON sent for an error */

    ngx_http_abdm_engine_t     *engine;
    ngx_http_abdm_ticket_t     *ticket;
    ngx_http_request_t         *request;
    ngx_queue_t                 queue;         /* while parked */

    unsigned                    answered:1;
    unsigned                    parked:1;
    unsigned                    error_sent:1;
} ngx_http_abdm_ctx_t;


/* ngx_http_abdm_module.c */

ngx_http_abdm_ctx_t *ngx_http_abdm_get_ctx(ngx_http_request_t *r);

extern ngx_module_t  ngx_http_abdm_module;

/* ngx_http_abdm_conf.c */

char *ngx_http_abdm_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_abdm_secret_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_abdm_push_allow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_abdm_consent_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_abdm_location(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_abdm_conf_make(ngx_conf_t *cf,
    ngx_http_abdm_main_conf_t *amcf);

/* ngx_http_abdm_block.c */

char *ngx_http_abdm_gateway(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_abdm_facility(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_abdm_item_string(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf);
char *ngx_http_abdm_item_time(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf);

/* of a setter: the value is not what the item expects */

extern char  ngx_http_abdm_invalid[];

/* ngx_http_abdm_facility.c */

char *ngx_http_abdm_item_hmis(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf);
char *ngx_http_abdm_item_sms(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf);
char *ngx_http_abdm_item_poll(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf);
char *ngx_http_abdm_item_quiet(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf);
char *ngx_http_abdm_item_counter(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf);
char *ngx_http_abdm_item_zone(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf);
char *ngx_http_abdm_facility_check(ngx_conf_t *cf,
    abdm_facility_config_t *facility);

/* ngx_http_abdm_callback.c */

ngx_int_t ngx_http_abdm_callback_handler(ngx_http_request_t *r);
void ngx_http_abdm_callback_resume(ngx_http_abdm_engine_t *engine);

/* ngx_http_abdm_request.c */

void ngx_http_abdm_request_head(ngx_http_request_t *r, abdm_head_t *head);
ngx_int_t ngx_http_abdm_request_body(ngx_http_request_t *r, abdm_str_t *body);
ngx_table_elt_t *ngx_http_abdm_find_header(ngx_http_request_t *r,
    ngx_str_t *lowcase);

/* ngx_http_abdm_api.c */

ngx_int_t ngx_http_abdm_api_handler(ngx_http_request_t *r);

/* ngx_http_abdm_status.c */

ngx_int_t ngx_http_abdm_status_handler(ngx_http_request_t *r);

/* ngx_http_abdm_error.c */

ngx_int_t ngx_http_abdm_refuse(ngx_http_request_t *r, abdm_answer_t *answer);
ngx_int_t ngx_http_abdm_refuse_err(ngx_http_request_t *r, abdm_err_t err);
ngx_int_t ngx_http_abdm_answer(ngx_http_request_t *r, abdm_answer_t *answer,
    ngx_str_t *json);
ngx_int_t ngx_http_abdm_error_init(ngx_conf_t *cf);

/* ngx_http_abdm_engine.c */

ngx_int_t ngx_http_abdm_engine_prepare(ngx_conf_t *cf,
    ngx_http_abdm_main_conf_t *amcf);
ngx_int_t ngx_http_abdm_engine_start(ngx_cycle_t *cycle);
void ngx_http_abdm_engine_stop(ngx_cycle_t *cycle);
ngx_http_abdm_ticket_t *ngx_http_abdm_engine_hold(ngx_http_request_t *r,
    ngx_http_abdm_ctx_t *ctx);
void ngx_http_abdm_engine_release(ngx_http_abdm_ticket_t *ticket);

/* ngx_http_abdm_log.c */

ngx_http_abdm_log_t *ngx_http_abdm_log_create(int wake_fd);
void ngx_http_abdm_log_destroy(ngx_http_abdm_log_t *log);
void ngx_http_abdm_log_write(void *ctx, abdm_log_level_t level,
    const char *line);
void ngx_http_abdm_log_print(ngx_http_abdm_log_t *log, ngx_log_t *to);


#endif /* _NGX_HTTP_ABDM_H_INCLUDED_ */
