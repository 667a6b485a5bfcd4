
/*
 * Log lines of the library.  They come from any of its threads, while
 * nginx's log belongs to the loop (cached time, "syslog:" connections).  So a
 * line waits in a small ring until the loop, woken through the engine's
 * descriptor, prints it; what does not fit is counted.
 */


#include "ngx_http_abdm.h"
#include <pthread.h>


#define NGX_HTTP_ABDM_LOG_LINES  128
#define NGX_HTTP_ABDM_LOG_LINE   1024


typedef struct {
    ngx_uint_t               level;
    size_t                   len;
    u_char                   text[NGX_HTTP_ABDM_LOG_LINE];
} ngx_http_abdm_log_line_t;


struct ngx_http_abdm_log_s {
    pthread_mutex_t            mutex;
    int                        wake_fd;
    ngx_uint_t                 first;
    ngx_uint_t                 n;
    ngx_uint_t                 dropped;
    ngx_http_abdm_log_line_t   lines[NGX_HTTP_ABDM_LOG_LINES];
};


static ngx_uint_t ngx_http_abdm_log_take(ngx_http_abdm_log_t *log,
    ngx_http_abdm_log_line_t *line, ngx_uint_t *dropped);


ngx_http_abdm_log_t *
ngx_http_abdm_log_create(int wake_fd)
{
    ngx_http_abdm_log_t  *log;

    log = ngx_calloc(sizeof(ngx_http_abdm_log_t), ngx_cycle->log);
    if (log == NULL) {
        return NULL;
    }

    if (pthread_mutex_init(&log->mutex, NULL) != 0) {
        ngx_free(log);
        return NULL;
    }

    log->wake_fd = wake_fd;

    return log;
}


void
ngx_http_abdm_log_destroy(ngx_http_abdm_log_t *log)
{
    (void) pthread_mutex_destroy(&log->mutex);

    ngx_free(log);
}


/* on any thread; touches nothing of nginx's */

void
ngx_http_abdm_log_write(void *ctx, abdm_log_level_t level, const char *text)
{
    ngx_http_abdm_log_t *log = ctx;

    ssize_t                    written;
    uint64_t                   one;
    ngx_uint_t                 wake;
    ngx_http_abdm_log_line_t  *line;

    wake = 0;

    (void) pthread_mutex_lock(&log->mutex);

    if (log->n == NGX_HTTP_ABDM_LOG_LINES) {
        log->dropped++;

    } else {
        line = &log->lines[(log->first + log->n) % NGX_HTTP_ABDM_LOG_LINES];

        switch (level) {
        case ABDM_LOG_ERROR:
            line->level = NGX_LOG_ERR;
            break;
        case ABDM_LOG_WARN:
            line->level = NGX_LOG_WARN;
            break;
        case ABDM_LOG_NOTICE:
            line->level = NGX_LOG_NOTICE;
            break;
        default: /* ABDM_LOG_INFO */
            line->level = NGX_LOG_INFO;
        }

        line->len = ngx_min(ngx_strlen(text), NGX_HTTP_ABDM_LOG_LINE);
        ngx_memcpy(line->text, text, line->len);

        wake = (log->n++ == 0);
    }

    (void) pthread_mutex_unlock(&log->mutex);

    if (wake) {
        one = 1;
        written = write(log->wake_fd, &one, sizeof(uint64_t));

        /* a full counter wakes as well */

        (void) written;
    }
}


static ngx_uint_t
ngx_http_abdm_log_take(ngx_http_abdm_log_t *log,
    ngx_http_abdm_log_line_t *line, ngx_uint_t *dropped)
{
    ngx_uint_t                 found;
    ngx_http_abdm_log_line_t  *first;

    (void) pthread_mutex_lock(&log->mutex);

    *dropped = log->dropped;
    log->dropped = 0;

    found = (log->n != 0);

    if (found) {
        first = &log->lines[log->first];

        line->level = first->level;
        line->len = first->len;
        ngx_memcpy(line->text, first->text, first->len);

        log->first = (log->first + 1) % NGX_HTTP_ABDM_LOG_LINES;
        log->n--;
    }

    (void) pthread_mutex_unlock(&log->mutex);

    return found;
}


void
ngx_http_abdm_log_print(ngx_http_abdm_log_t *log, ngx_log_t *to)
{
    ngx_str_t                 text;
    ngx_uint_t                found, dropped;
    ngx_http_abdm_log_line_t  line;

    do {
        found = ngx_http_abdm_log_take(log, &line, &dropped);

        if (dropped) {
            ngx_log_error(NGX_LOG_WARN, to, 0,
                          "abdm: %ui log lines lost, they came too fast",
                          dropped);
        }

        if (found) {
            text.len = line.len;
            text.data = line.text;

            ngx_log_error(line.level, to, 0, "abdm: %V", &text);
        }

    } while (found);
}
