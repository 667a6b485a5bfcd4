/* The page of a bundle: what it shows, and that nothing in a bundle becomes markup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abdm_fhir.h"
#include "core/json.h"

#define EXAMPLES "../shared/fhir/examples/"
#define PNG                                                                                        \
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+"                                \
    "M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


/* Single quotes stand for double ones. */
static char *
page_of(const char *quoted)
{
    char *text = strdup(quoted), *html;

    assert_non_null(text);
    for (char *p = text; *p != '\0'; p++)
        *p = *p == '\'' ? '"' : *p;
    abdm_err_t err = abdm_fhir_preview(text, strlen(text), &html);
    if (abdm_failed(err))
        fail_msg("%s: %s", err.what, text);
    free(text);
    return html;
}


static void
expect(const char *bundle, const char *said, const char *not_said)
{
    char *html = page_of(bundle);

    if (said != NULL && strstr(html, said) == NULL)
        fail_msg("not there: %s in %.600s", said, strstr(html, "<main>"));
    if (not_said != NULL && strstr(html, not_said) != NULL)
        fail_msg("there: %s in %.600s", not_said, strstr(html, "<main>"));
    free(html);
}


/* Whether the page has a tag, an attribute or an entity that is not of our own hand. */
static void
expect_own_markup(const char *html)
{
    static const char *const tags[] = {
        "!doctype html",
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "header",
        "section",
        "article",
        "h1",
        "h2",
        "h3",
        "p",
        "b",
        "dl",
        "dt",
        "dd",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "br",
        "div",
        "figure",
        "figcaption",
        "img",
        "a",
        "span",
        "pre",
    };
    static const char *const attributes[] = {
        "lang=\"en\"",
        "charset=\"utf-8\"",
        "http-equiv=\"",
        "content=\"",
        "name=\"",
        "class=\"",
        "src=\"data:image/",
        "alt=\"",
        "download=\"document-",
        "href=\"data:application/",
    };

    for (const char *p = strchr(html, '<'); p != NULL; p = strchr(p + 1, '<')) {
        const char *name = p[1] == '/' ? p + 2 : p + 1, *end = strchr(name, '>');
        bool known = false;
        assert_non_null(end);
        size_t n = strcspn(name, " >");
        for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
            size_t len = strlen(tags[i]);
            known = known ||
                    (strncmp(name, tags[i], len) == 0 && (name[len] == ' ' || name[len] == '>'));
        }
        if (!known)
            fail_msg("a tag of a stranger: %.60s", p);
        for (const char *a = name + n; *a == ' ' && n > 0 && name[0] != '!';) {
            bool ours = false;
            a++;
            for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
                ours = ours || strncmp(a, attributes[i], strlen(attributes[i])) == 0;
            if (!ours)
                fail_msg("an attribute of a stranger: %.60s", a);
            a = strchr(strchr(a, '"') + 1, '"') + 1;
        }
    }
}


static void
a_document_is_shown_with_its_head_and_sections(void **state)
{
    static const char bundle[] =
        "{'resourceType':'Bundle','type':'document','entry':["
        "{'fullUrl':'urn:uuid:1','resource':{'resourceType':'Composition','title':'OP note',"
        "'status':'final','date':'2026-03-05T10:55:00+05:30','type':{'text':'Consultation'},"
        "'subject':{'reference':'urn:uuid:2'},'author':[{'reference':'urn:uuid:3'}],"
        "'section':[{'title':'Complaints','entry':[{'reference':'urn:uuid:4'},"
        "{'reference':'urn:uuid:5'}]}]}},"
        "{'fullUrl':'urn:uuid:2','resource':{'resourceType':'Patient','name':[{'text':"
        "'\xe0\xa4\x86\xe0\xa4\xb6\xe0\xa4\xbe'}],'identifier':[{'type':{'text':'MRN'},"
        "'value':'UH1'}]}},"
        "{'fullUrl':'urn:uuid:3','resource':{'resourceType':'Practitioner','name':[{'text':"
        "'Dr. Rao'}]}},"
        "{'fullUrl':'urn:uuid:4','resource':{'resourceType':'Condition','code':{'text':'Fever'}}},"
        "{'fullUrl':'urn:uuid:5','resource':{'resourceType':'Condition','code':{'coding':"
        "[{'display':'Cough'}]},'recordedDate':'2026-03-01'}},"
        "{'fullUrl':'urn:uuid:6','resource':{'resourceType':'Basic','code':{'text':'Left "
        "over'}}}]}";
    static const char *const said[] = {
        "<h1>OP note</h1>",
        "Consultation",
        "\xe0\xa4\x86\xe0\xa4\xb6\xe0\xa4\xbe",
        "MRN: UH1",
        "Dr. Rao",
        "5 March 2026, 10:55",
        "<h2>Complaints</h2>",
        "<td>Fever</td>",
        "<td>Cough</td>",
        "<td>1 March 2026</td>",
        "Also in this document",
        "Left over",
        "default-src 'none'",
    };

    (void) state;
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        char *html = page_of(bundle);
        if (strstr(html, said[i]) == NULL)
            fail_msg("not there: %s in %.600s", said[i], strstr(html, "<main>"));
        expect_own_markup(html);
        free(html);
    }
}


static void
data_of_strangers_never_becomes_markup(void **state)
{
    static const char *const strangers[] = {
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "</title><script>",
        "</style><script>",
        "<svg/onload=alert(1)>",
        "\\\" onmouseover=\\\"alert(1)",
        "&#x3c;script&#x3e;",
        "javascript:alert(1)",
        "]]><script>",
        "<!--",
        "data:text/html,<script>",
        "</pre><script>",
        "\\u0000<",
        "' onclick='",
    };
    static const char *const places[] = {
        "{\"resourceType\":\"Bundle\",\"entry\":[{\"fullUrl\":\"urn:1\",\"resource\":{"
        "\"resourceType\":\"Composition\",\"title\":\"%s\",\"date\":\"%s\",\"section\":[{\"title\":"
        "\"%s\",\"entry\":[{\"reference\":\"%s\",\"display\":\"%s\"}]}]}}]}",
        "{\"resourceType\":\"%s\",\"%s\":\"%s\",\"a\":{\"%s\":[\"%s\"]}}",
        "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"resourceType\":\"Binary\","
        "\"contentType\":\"%s\",\"data\":\"%s\",\"title\":\"%s\",\"url\":\"%s\",\"x\":\"%s\"}}]}",
        "{\"resourceType\":\"Binary\",\"contentType\":\"image/png\\\"%s\",\"data\":\"" PNG "\","
        "\"title\":\"%s\",\"url\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"}",
        "{\"resourceType\":\"Composition\",\"section\":[{\"text\":{\"div\":\"<div>%s<p>%s</p>%s%s"
        "%s</div>\"}}]}",
    };

    int pages = 0;

    (void) state;
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
            char text[2048], *html;
            const char *s = strangers[i];
            const char *at = places[k];
            size_t n = 0;
            for (; *at != '\0'; at++) {
                bool slot = at[0] == '%' && at[1] == 's';
                n += (size_t) snprintf(text + n, sizeof text - n, "%.*s", slot ? 999 : 1,
                                       slot ? s : at);
                at += slot;
            }
            abdm_err_t err = abdm_fhir_preview(text, n, &html);
            if (abdm_failed(err)) {
                assert_int_equal(err.code, ABDM_E_JSON); /* a NUL is no text of JSON */
                continue;
            }
            expect_own_markup(html);
            assert_null(strstr(html, "<script"));
            assert_null(strstr(html, "href=\"javascript"));
            free(html);
            pages++;
        }
    }
    assert_true(pages >= 60);
}


static void
narrative_is_shown_as_its_text_alone(void **state)
{
    static const struct {
        const char *div, *text;
    } rows[] = {
        {"<div><p>one</p><p>two</p></div>", "one\ntwo"},
        {"<div>a<script>evil()</script>b</div>", ">ab"},
        {"<div>a<style>p{}</style><b title='>'>b</b></div>", ">ab"},
        {"<div>x &lt;b&gt; &amp; y&nbsp;z</div>", "x &lt;b&gt; &amp; y z"},
        {"<div>a<!-- <p>hidden</p> -->b</div>", ">ab"},
        {"<div>open <b", "open "},
        {"<div>a &unknown; b</div>", "a &amp;unknown; b"},
        {"<div><SCRIPT src=x>evil", "class=\"text\"></div>"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *html;
        json_t *bundle = json_pack("{s:s, s:[{s:{s:s}}]}", "resourceType", "Composition", "section",
                                   "text", "div", rows[i].div);
        char *text = json_dumps(bundle, 0);
        assert_int_equal(abdm_fhir_preview(text, strlen(text), &html).code, ABDM_OK);
        if (strstr(html, rows[i].text) == NULL)
            fail_msg("row %zu: %.600s", i, strstr(html, "<main>"));
        assert_null(strstr(html, "evil"));
        free(html);
        free(text);
        json_decref(bundle);
    }
}


static void
files_are_judged_by_their_bytes(void **state)
{
    (void) state;
    expect("{'resourceType':'Binary','contentType':'image/png','data':'" PNG "'}",
           "<img src=\"data:image/png;base64,iVBOR", "download=");
    expect("{'resourceType':'Binary','contentType':'application/pdf','data':'JVBERi0xLjQK'}",
           "download=\"document-1.pdf\" href=\"data:application/pdf;base64,JVBERi0xLjQK\"", "<img");
    expect("{'resourceType':'Binary','contentType':'text/plain','data':'VGFrZSA8b25lPg=='}",
           "<pre>Take &lt;one&gt;</pre>", "download=");
    expect("{'resourceType':'Binary','contentType':'image/png','data':'PHN2Zz4='}",
           "data:application/octet-stream;base64,PHN2Zz4=", "<img");
    expect("{'resourceType':'Binary','contentType':'text/html','data':'PHNjcmlwdD4='}",
           "data:application/octet-stream", "text/html;base64");
    expect("{'resourceType':'Binary','contentType':'application/pdf','data':'JVBE\\\" x=1'}",
           "cannot be read", "<a");
    expect("{'resourceType':'Binary','contentType':'application/pdf','url':'https://h/x.pdf'}",
           "not in this document (https://h/x.pdf)", "<a");
}


static void
what_is_no_resource_is_refused(void **state)
{
    char *html;

    (void) state;
    assert_int_equal(abdm_fhir_preview("[]", 2, &html).code, ABDM_E_RECORD_FORM);
    assert_null(html);
    assert_int_equal(abdm_fhir_preview("{}", 2, &html).code, ABDM_E_RECORD_FORM);
    assert_int_equal(abdm_fhir_preview("<p>", 3, &html).code, ABDM_E_JSON);
    assert_null(html);
}


/* Reports that name each other, one file named a thousand times, a name shared by many. */
static void
a_small_bundle_cannot_make_an_endless_page(void **state)
{
    json_t *bundle = json_pack("{s:s, s:[]}", "resourceType", "Bundle", "entry");
    json_t *entries = json_object_get(bundle, "entry"), *list = json_array();
    char *html, *long_name = malloc(100001);

    (void) state;
    memset(long_name, 'n', 100000);
    long_name[100000] = '\0';
    for (int i = 0; i < 1000; i++) {
        char url[32], next[32];
        snprintf(url, sizeof url, "urn:%d", i);
        snprintf(next, sizeof next, "urn:%d", (i + 1) % 1000);
        json_array_append_new(list, json_pack("{s:s}", "reference", "urn:0"));
        json_array_append_new(entries, json_pack("{s:s, s:{s:s, s:[{s:s}], s:[{s:s}]}}", "fullUrl",
                                                 url, "resource", "resourceType",
                                                 "DiagnosticReport", "result", "reference", next,
                                                 "resultsInterpreter", "reference", "urn:p"));
    }
    json_array_insert_new(entries, 0,
                          json_pack("{s:s, s:{s:s, s:[{s:O}]}}", "fullUrl", "urn:c", "resource",
                                    "resourceType", "Composition", "section", "entry", list));
    json_array_append_new(entries, json_pack("{s:s, s:{s:s, s:s}}", "fullUrl", "urn:p", "resource",
                                             "resourceType", "Organization", "name", long_name));
    char *text = json_dumps(bundle, 0);
    assert_int_equal(abdm_fhir_preview(text, strlen(text), &html).code, ABDM_OK);
    assert_true(strlen(html) < 2 * 1024 * 1024);
    expect_own_markup(html);
    free(html);
    free(text);
    free(long_name);
    json_decref(list);
    json_decref(bundle);
}


static void
show_all_of(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    if (d == NULL)
        return; /* skip() would count as a failure in TAP */
    while ((e = readdir(d)) != NULL) {
        char path[512], *html;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        json_t *bundle = strstr(e->d_name, ".json") == NULL ? NULL : json_load_file(path, 0, NULL);
        if (bundle == NULL)
            continue;
        char *text = json_dumps(bundle, 0);
        assert_int_equal(abdm_fhir_preview(text, strlen(text), &html).code, ABDM_OK);
        expect_own_markup(html);
        assert_non_null(strstr(html, "<dt>Patient</dt>"));
        free(html);
        free(text);
        json_decref(bundle);
    }
    closedir(d);
}


static void
every_example_has_a_page(void **state)
{
    (void) state;
    show_all_of(EXAMPLES "conformant");
    show_all_of(EXAMPLES "broken");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_shown_with_its_head_and_sections),
        cmocka_unit_test(data_of_strangers_never_becomes_markup),
        cmocka_unit_test(narrative_is_shown_as_its_text_alone),
        cmocka_unit_test(files_are_judged_by_their_bytes),
        cmocka_unit_test(what_is_no_resource_is_refused),
        cmocka_unit_test(a_small_bundle_cannot_make_an_endless_page),
        cmocka_unit_test(every_example_has_a_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
