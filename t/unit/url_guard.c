/* Where a data push may go: tables of addresses and of URLs, each with its verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "core/url_guard.h"

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} address_t;


static address_t
address(const char *text)
{
    address_t a;

    memset(&a, 0, sizeof a);
    if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1)
        a.any.sa_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) == 1)
        a.any.sa_family = AF_INET6;
    else
        fail_msg("%s is not an address", text);
    return a;
}


static void
only_global_unicast_addresses_are_public(void **state)
{
    static const char *const global[] = {
        "1.0.0.0", "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255",
        "100.128.0.0", "126.255.255.255", "128.0.0.0", "13.203.243.253", "65.0.113.207",
        "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255",
        "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0",
        "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255",
        "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255", "2001:200::1",
        "2001:4860:4860::8888", "2400:cb00::1", "2404:6800:4009::200e", "2606:4700::1111",
        "2001:db7:ffff::1", "2001:db9::", "2001:ffff::", "2003::1", "2a00:1450::1", "3ffd::1",
        "3fff:1000::1",
    };
    static const char *const inner[] = {
        "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.100.100.200",
        "100.127.255.255", "127.0.0.0", "127.0.0.1", "127.255.255.255", "168.63.129.16",
        "169.254.0.0", "169.254.169.254", "169.254.255.255", "172.16.0.0", "172.31.255.255",
        "192.0.0.0", "192.0.0.192", "192.0.0.255", "192.0.2.0", "192.0.2.255", "192.88.99.1",
        "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.0",
        "198.51.100.255", "203.0.113.0", "203.0.113.255", "224.0.0.0", "224.0.0.1",
        "239.255.255.255", "240.0.0.0", "250.1.2.3", "255.255.255.255", "::", "::1", "::2",
        "::127.0.0.1", "::8.8.8.8", "::ffff:0.0.0.0", "::ffff:127.0.0.1", "::ffff:8.8.8.8",
        "::ffff:169.254.169.254", "::ffff:0:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::808:808",
        "64:ff9b:1::1", "100::1", "100:0:0:1::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff:ffff::1", "2001:db8::1",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2002::1", "2002:7f00:1::1", "2002:808:808::1",
        "2002:a9fe:a9fe::1", "3ffe::1", "3fff::1", "3fff:fff::1", "4000::1", "5f00::1", "8000::1",
        "1fff:ffff::1", "fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "febf::1", "fec0::1",
        "fe00::1", "ff00::1", "ff02::1", "ff0e::1",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    };

    (void) state;
    assert_true(sizeof global / sizeof *global + sizeof inner / sizeof *inner >= 80);
    for (size_t i = 0; i < sizeof global / sizeof *global; i++) {
        address_t a = address(global[i]);
        if (!abdm_addr_is_global(&a.any))
            fail_msg("%s is public", global[i]);
    }
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++) {
        address_t a = address(inner[i]);
        if (abdm_addr_is_global(&a.any))
            fail_msg("%s is not public", inner[i]);
    }
}


static void
another_family_is_never_public(void **state)
{
    address_t a = address("8.8.8.8");

    (void) state;
    a.any.sa_family = AF_UNIX;
    assert_false(abdm_addr_is_global(&a.any));
    a.any.sa_family = AF_UNSPEC;
    assert_false(abdm_addr_is_global(&a.any));
    assert_false(abdm_addr_is_global(NULL));
    assert_int_equal(abdm_push_check_addr(NULL, NULL).code, ABDM_E_PUSH_ADDRESS);
}


static void
a_named_network_may_be_pushed_to_and_its_neighbours_not(void **state)
{
    static const char *const nets[] = {"127.0.0.0/8", "::1",          "10.1.2.3",
                                       "172.16.4.0/22", "fd00:1::/33", "192.168.1.128/25"};
    static const char *const in[] = {"127.0.0.1", "127.255.255.255", "::1", "10.1.2.3",
                                     "172.16.4.0", "172.16.7.255", "fd00:1::1",
                                     "fd00:1:7fff:ffff::1", "192.168.1.255", "8.8.8.8"};
    static const char *const out[] = {"::2", "10.1.2.2", "10.1.2.4",
                                      "172.16.3.255", "172.16.8.0", "fd00:1:8000::1", "fd00:2::1",
                                      "192.168.1.127", "::ffff:127.0.0.1", "::7f00:1",
                                      "7f00::"};
    abdm_push_allow_t allow = {0};

    (void) state;
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        assert_int_equal(abdm_push_allow_add(&allow, abdm_str(nets[i])).code, ABDM_OK);
    for (size_t i = 0; i < sizeof in / sizeof *in; i++) {
        address_t a = address(in[i]);
        if (abdm_failed(abdm_push_check_addr(&a.any, &allow)))
            fail_msg("%s", in[i]);
    }
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        address_t a = address(out[i]);
        if (abdm_push_check_addr(&a.any, &allow).code != ABDM_E_PUSH_ADDRESS)
            fail_msg("%s", out[i]);
    }
}


static void
what_is_no_network_cannot_be_allowed(void **state)
{
    static const abdm_str_t bad[] = {
        ABDM_LIT(""),            ABDM_LIT("localhost"),   ABDM_LIT("127.1"),
        ABDM_LIT("0x7f.0.0.1"),  ABDM_LIT("127.0.0.1/33"), ABDM_LIT("127.0.0.0/"),
        ABDM_LIT("127.0.0.0/08"), ABDM_LIT("127.0.0.0/-8"), ABDM_LIT("127.0.0.0/8 "),
        ABDM_LIT("127.0.0.0/8/8"), ABDM_LIT("127.0.0.1/8"), ABDM_LIT("::1/127"),
        ABDM_LIT("::1/129"),     ABDM_LIT("[::1]"),       ABDM_LIT("fe80::1%eth0"),
        ABDM_LIT(" 10.0.0.1"),   ABDM_LIT("10.0.0.1\0"),  ABDM_LIT("/8"),
        ABDM_LIT("*"),           ABDM_LIT("all"),         ABDM_LIT("10.0.0.0/255.0.0.0"),
        ABDM_LIT("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/128"),
    };
    abdm_push_allow_t allow = {0};

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (abdm_push_allow_add(&allow, bad[i]).code != ABDM_E_CONFIG)
            fail_msg("%.*s", (int) bad[i].len, bad[i].p);
    }
    assert_int_equal(allow.n, 0);
    for (int i = 0; i < ABDM_PUSH_ALLOW_MAX; i++)
        assert_int_equal(abdm_push_allow_add(&allow, ABDM_LIT("10.0.0.0/8")).code, ABDM_OK);
    assert_int_equal(abdm_push_allow_add(&allow, ABDM_LIT("10.0.0.0/8")).code, ABDM_E_CONFIG);
}


static void
one_bad_address_makes_a_name_bad(void **state)
{
    address_t a = address("8.8.8.8"), b = address("2606:4700::1111"), c = address("10.0.0.1");
    const struct sockaddr *good[] = {&a.any, &b.any};
    const struct sockaddr *bad[] = {&a.any, &b.any, &c.any};
    abdm_push_allow_t allow = {0};

    (void) state;
    assert_int_equal(abdm_push_check_addrs(good, 2, NULL).code, ABDM_OK);
    assert_int_equal(abdm_push_check_addrs(bad, 3, NULL).code, ABDM_E_PUSH_ADDRESS);
    assert_int_equal(abdm_push_check_addrs(good, 0, NULL).code, ABDM_E_PUSH_ADDRESS);
    assert_int_equal(abdm_push_allow_add(&allow, ABDM_LIT("10.0.0.1")).code, ABDM_OK);
    assert_int_equal(abdm_push_check_addrs(bad, 3, &allow).code, ABDM_OK);
}


static void
plain_https_urls_are_taken_as_they_stand(void **state)
{
    static const struct {
        const char *url, *host, *target;
        int port;
    } rows[] = {
        {"https://hiu.example.com", "hiu.example.com", "", 443},
        {"https://hiu.example.com/", "hiu.example.com", "/", 443},
        {"https://hiu.example.com/data/push", "hiu.example.com", "/data/push", 443},
        {"https://hiu.example.com:443/", "hiu.example.com", "/", 443},
        {"https://hiu.example.com:8443/a", "hiu.example.com", "/a", 8443},
        {"https://hiu.example.com:1024", "hiu.example.com", "", 1024},
        {"https://hiu.example.com:65535/", "hiu.example.com", "/", 65535},
        {"https://hiu.example.com?a=b", "hiu.example.com", "?a=b", 443},
        {"https://hiu.example.com/?a=b&c=%20d+e", "hiu.example.com", "/?a=b&c=%20d+e", 443},
        {"https://hiu.example.com/a//b/../c;d=1,2", "hiu.example.com", "/a//b/../c;d=1,2", 443},
        {"https://hiu.example.com/x@y:z!$&'()*+,;=-._~", "hiu.example.com",
         "/x@y:z!$&'()*+,;=-._~", 443},
        {"https://hiu.example.com/%E0%A4%85", "hiu.example.com", "/%E0%A4%85", 443},
        {"https://hiu.example.com/?q=http://10.0.0.1/", "hiu.example.com",
         "/?q=http://10.0.0.1/", 443},
        {"HTTPS://HIU.Example.COM/A", "HIU.Example.COM", "/A", 443},
        {"https://xn--i1b6b1a6a2e.xn--h2brj9c/", "xn--i1b6b1a6a2e.xn--h2brj9c", "/", 443},
        {"https://a-b.c--d.example/", "a-b.c--d.example", "/", 443},
        {"https://1.2.example/", "1.2.example", "/", 443},
        {"https://0x7f.example/", "0x7f.example", "/", 443},
        {"https://hiu/", "hiu", "/", 443},
        {"https://a1/", "a1", "/", 443},
        {"https://1a/", "1a", "/", 443},
        {"https://8.8.8.8/", "8.8.8.8", "/", 443},
        {"https://8.8.8.8:8443", "8.8.8.8", "", 8443},
        {"https://[2606:4700::1111]/x", "2606:4700::1111", "/x", 443},
        {"https://[2606:4700::1111]:8443", "2606:4700::1111", "", 8443},
        {"https://[2001:4860:4860:0:0:0:0:8888]?x", "2001:4860:4860:0:0:0:0:8888", "?x", 443},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        abdm_url_t url;
        if (abdm_failed(abdm_push_check_url(abdm_str(rows[i].url), NULL, &url)))
            fail_msg("%s", rows[i].url);
        assert_true(abdm_str_eq(url.text, abdm_str(rows[i].url)));
        assert_true(abdm_str_eq(url.host, abdm_str(rows[i].host)));
        assert_true(abdm_str_eq(url.target, abdm_str(rows[i].target)));
        assert_int_equal(url.port, rows[i].port);
    }
}


static void
what_could_be_read_in_two_ways_is_refused(void **state)
{
    static const abdm_str_t bad[] = {
        /* schemes */
        ABDM_LIT(""),
        ABDM_LIT("https"),
        ABDM_LIT("https:"),
        ABDM_LIT("https:/"),
        ABDM_LIT("https://"),
        ABDM_LIT("https:///"),
        ABDM_LIT("https:///path"),
        ABDM_LIT("https:hiu.example.com"),
        ABDM_LIT("https:/hiu.example.com"),
        ABDM_LIT("//hiu.example.com/"),
        ABDM_LIT("/path"),
        ABDM_LIT("hiu.example.com"),
        ABDM_LIT("http://hiu.example.com/"),
        ABDM_LIT("ftp://hiu.example.com/"),
        ABDM_LIT("file:///etc/passwd"),
        ABDM_LIT("gopher://hiu.example.com/"),
        ABDM_LIT("dict://hiu.example.com/"),
        ABDM_LIT("ldap://hiu.example.com/"),
        ABDM_LIT("javascript:alert(1)"),
        ABDM_LIT("data:text/plain,x"),
        ABDM_LIT("unix:/run/x.sock"),
        ABDM_LIT("https+unix://hiu/"),
        ABDM_LIT("httpss://hiu/"),
        ABDM_LIT(" https://hiu.example.com/"),
        ABDM_LIT("\thttps://hiu.example.com/"),
        ABDM_LIT("\nhttps://hiu.example.com/"),
        ABDM_LIT("https ://hiu.example.com/"),
        ABDM_LIT("https:\\\\hiu.example.com/"),
        ABDM_LIT("https:/\\hiu.example.com/"),
        ABDM_LIT("ht\ttps://hiu.example.com/"),
        ABDM_LIT("view-source:https://hiu/"),
        /* user information */
        ABDM_LIT("https://user@hiu.example.com/"),
        ABDM_LIT("https://user:pass@hiu.example.com/"),
        ABDM_LIT("https://@hiu.example.com/"),
        ABDM_LIT("https://:@hiu.example.com/"),
        ABDM_LIT("https://hiu.example.com@10.0.0.1/"),
        ABDM_LIT("https://10.0.0.1@hiu.example.com/"),
        ABDM_LIT("https://hiu.example.com:443@10.0.0.1/"),
        ABDM_LIT("https://hiu.example.com%40evil.example/"),
        ABDM_LIT("https://a@b@hiu.example.com/"),
        /* hosts */
        ABDM_LIT("https://."),
        ABDM_LIT("https://./"),
        ABDM_LIT("https://../"),
        ABDM_LIT("https://.example.com/"),
        ABDM_LIT("https://hiu..example.com/"),
        ABDM_LIT("https://hiu.example.com./"),
        ABDM_LIT("https://-hiu.example.com/"),
        ABDM_LIT("https://hiu-.example.com/"),
        ABDM_LIT("https://-/"),
        ABDM_LIT("https://hiu_x.example.com/"),
        ABDM_LIT("https://hiu example.com/"),
        ABDM_LIT("https://hiu%2eexample.com/"),
        ABDM_LIT("https://hiu.example.com%00/"),
        ABDM_LIT("https://hiu.example.com\0.evil.example/"),
        ABDM_LIT("https://*.example.com/"),
        ABDM_LIT("https://hiu,example.com/"),
        ABDM_LIT("https://hiu;example.com/"),
        ABDM_LIT("https://hiu\\example.com/"),
        ABDM_LIT("https://hiu.example.com\\@10.0.0.1/"),
        ABDM_LIT("https://h\xc3\xadu.example.com/"),
        ABDM_LIT("https://\xd0\xb0pple.com/"),
        ABDM_LIT("https://hiu\xe3\x80\x82"
                 "example.com/"),
        ABDM_LIT("https://\xe2\x91\xa0.com/"),
        ABDM_LIT("https://hiu\x7f.example.com/"),
        ABDM_LIT("https://<hiu>/"),
        ABDM_LIT("https://{hiu}/"),
        ABDM_LIT("https://$hiu/"),
        ABDM_LIT("https://hiu|x/"),
        ABDM_LIT("https://hiu^x/"),
        ABDM_LIT("https://\"hiu\"/"),
        ABDM_LIT("https://`id`/"),
        ABDM_LIT(
            "https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example/"),
        /* numbers that programs read as addresses */
        ABDM_LIT("https://2130706433/"),
        ABDM_LIT("https://017700000001/"),
        ABDM_LIT("https://0x7f000001/"),
        ABDM_LIT("https://0x7f.1/"),
        ABDM_LIT("https://127.1/"),
        ABDM_LIT("https://127.0.1/"),
        ABDM_LIT("https://0177.0.0.1/"),
        ABDM_LIT("https://0x7f.0.0.0x1/"),
        ABDM_LIT("https://127.0.0.01/"),
        ABDM_LIT("https://127.0.0.1./"),
        ABDM_LIT("https://08.8.8.8/"),
        ABDM_LIT("https://8.8.8.256/"),
        ABDM_LIT("https://8.8.8.8.8/"),
        ABDM_LIT("https://8.8.8/"),
        ABDM_LIT("https://8.8.8.0x8/"),
        ABDM_LIT("https://0/"),
        ABDM_LIT("https://0x/"),
        ABDM_LIT("https://hiu.0x/"),
        ABDM_LIT("https://hiu.0xff/"),
        ABDM_LIT("https://hiu.1/"),
        ABDM_LIT("https://999999999999/"),
        ABDM_LIT("https://8.8.8.+8/"),
        ABDM_LIT("https://8.8.8.-8/"),
        /* brackets */
        ABDM_LIT("https://[]/"),
        ABDM_LIT("https://[/"),
        ABDM_LIT("https://[2606:4700::1111/"),
        ABDM_LIT("https://2606:4700::1111/"),
        ABDM_LIT("https://2606:4700::1111]/"),
        ABDM_LIT("https://[2606:4700::1111]x/"),
        ABDM_LIT("https://x[2606:4700::1111]/"),
        ABDM_LIT("https://[2606:4700::1111%25eth0]/"),
        ABDM_LIT("https://[fe80::1%eth0]/"),
        ABDM_LIT("https://[8.8.8.8]/"),
        ABDM_LIT("https://[hiu.example.com]/"),
        ABDM_LIT("https://[v1.x]/"),
        ABDM_LIT("https://[2606::4700::1]/"),
        ABDM_LIT("https://[[2606:4700::1111]]/"),
        ABDM_LIT("https://[2606:4700::1111\0]/"),
        /* ports */
        ABDM_LIT("https://hiu.example.com:/"),
        ABDM_LIT("https://hiu.example.com:0/"),
        ABDM_LIT("https://hiu.example.com:0443/"),
        ABDM_LIT("https://hiu.example.com:65536/"),
        ABDM_LIT("https://hiu.example.com:99999/"),
        ABDM_LIT("https://hiu.example.com:100000/"),
        ABDM_LIT("https://hiu.example.com:4294967739/"),
        ABDM_LIT("https://hiu.example.com:-443/"),
        ABDM_LIT("https://hiu.example.com:+443/"),
        ABDM_LIT("https://hiu.example.com: 443/"),
        ABDM_LIT("https://hiu.example.com:443 /"),
        ABDM_LIT("https://hiu.example.com:https/"),
        ABDM_LIT("https://hiu.example.com:44a/"),
        ABDM_LIT("https://hiu.example.com:443:443/"),
        ABDM_LIT("https://hiu.example.com:22/"),
        ABDM_LIT("https://hiu.example.com:25/"),
        ABDM_LIT("https://hiu.example.com:80/"),
        ABDM_LIT("https://hiu.example.com:1023/"),
        ABDM_LIT("https://:443/"),
        ABDM_LIT("https://[2606:4700::1111]:/"),
        /* path and query */
        ABDM_LIT("https://hiu.example.com/#x"),
        ABDM_LIT("https://hiu.example.com#x"),
        ABDM_LIT("https://hiu.example.com#@evil.example/"),
        ABDM_LIT("https://hiu.example.com/?a#b"),
        ABDM_LIT("https://hiu.example.com/a b"),
        ABDM_LIT("https://hiu.example.com/ "),
        ABDM_LIT("https://hiu.example.com/\r\nX-Evil: 1"),
        ABDM_LIT("https://hiu.example.com/\n"),
        ABDM_LIT("https://hiu.example.com\r\n/"),
        ABDM_LIT("https://hiu.example.com/\t"),
        ABDM_LIT("https://hiu.example.com/\0"),
        ABDM_LIT("https://hiu.example.com/\x01"),
        ABDM_LIT("https://hiu.example.com/\x7f"),
        ABDM_LIT("https://hiu.example.com/\xc3\xa9"),
        ABDM_LIT("https://hiu.example.com/\xff"),
        ABDM_LIT("https://hiu.example.com/a\\b"),
        ABDM_LIT("https://hiu.example.com\\a"),
        ABDM_LIT("https://hiu.example.com/<x>"),
        ABDM_LIT("https://hiu.example.com/\"x\""),
        ABDM_LIT("https://hiu.example.com/{x}"),
        ABDM_LIT("https://hiu.example.com/x|y"),
        ABDM_LIT("https://hiu.example.com/x^y"),
        ABDM_LIT("https://hiu.example.com/`x`"),
        ABDM_LIT("https://hiu.example.com/[x]"),
        ABDM_LIT("https://hiu.example.com/%"),
        ABDM_LIT("https://hiu.example.com/%4"),
        ABDM_LIT("https://hiu.example.com/%zz"),
        ABDM_LIT("https://hiu.example.com/%u0041"),
    };

    (void) state;
    assert_true(sizeof bad / sizeof *bad >= 120);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        abdm_url_t url;
        /* An exact copy on the heap, so that reading one byte too far is seen. */
        char *copy = malloc(bad[i].len + (bad[i].len == 0));
        assert_non_null(copy);
        memcpy(copy, bad[i].p, bad[i].len);
        abdm_err_t err = abdm_push_check_url((abdm_str_t){copy, bad[i].len}, NULL, &url);
        free(copy);
        if (err.code != ABDM_E_PUSH_URL)
            fail_msg("row %zu: %.*s", i, (int) bad[i].len, bad[i].p);
    }
}


static void
an_address_in_the_url_must_be_public_or_allowed(void **state)
{
    static const char *const inner[] = {
        "https://127.0.0.1/", "https://10.0.0.1:8443/", "https://169.254.169.254/latest/meta-data/",
        "https://0.0.0.0/", "https://255.255.255.255/", "https://[::1]/", "https://[::]/",
        "https://[::ffff:127.0.0.1]/", "https://[::ffff:8.8.8.8]/", "https://[fe80::1]/",
        "https://[fd00::1]:8443/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/",
        "https://100.100.100.200/", "https://192.168.1.1/",
    };
    abdm_push_allow_t allow = {0};
    abdm_url_t url;

    (void) state;
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++) {
        if (abdm_push_check_url(abdm_str(inner[i]), NULL, &url).code != ABDM_E_PUSH_ADDRESS)
            fail_msg("%s", inner[i]);
    }
    assert_int_equal(abdm_push_allow_add(&allow, ABDM_LIT("127.0.0.0/8")).code, ABDM_OK);
    assert_int_equal(abdm_push_allow_add(&allow, ABDM_LIT("::1")).code, ABDM_OK);
    assert_int_equal(abdm_push_check_url(ABDM_LIT("https://127.0.0.1:9443/x"), &allow, &url).code,
                     ABDM_OK);
    assert_int_equal(url.kind, ABDM_HOST_IPV4);
    assert_int_equal(abdm_push_check_url(ABDM_LIT("https://[::1]:9443/x"), &allow, &url).code,
                     ABDM_OK);
    assert_int_equal(url.kind, ABDM_HOST_IPV6);
    assert_int_equal(abdm_push_check_url(ABDM_LIT("https://10.0.0.1/"), &allow, &url).code,
                     ABDM_E_PUSH_ADDRESS);
    assert_int_equal(abdm_push_check_url(ABDM_LIT("http://127.0.0.1:9443/"), &allow, &url).code,
                     ABDM_E_PUSH_URL);
    assert_int_equal(abdm_push_check_url(ABDM_LIT("https://127.0.0.1:22/"), &allow, &url).code,
                     ABDM_E_PUSH_URL);
}


static void
lengths_hold_at_their_edges(void **state)
{
    static const char start[] = "https://hiu.example.com/";
    abdm_url_t url;

    (void) state;
    for (int beyond = 0; beyond < 2; beyond++) {
        abdm_buf_t b = {0};
        abdm_buf_addz(&b, start);
        while (b.len < (size_t) ABDM_URL_BYTES + (size_t) beyond)
            abdm_buf_addz(&b, "a");
        assert_int_equal(abdm_url_parse(abdm_buf_str(&b), &url).code,
                         beyond ? ABDM_E_PUSH_URL : ABDM_OK);
        abdm_buf_free(&b);

        abdm_buf_addz(&b, "https://");
        for (int i = 0; i < 126; i++)
            abdm_buf_addz(&b, "a.");
        abdm_buf_addz(&b, beyond ? "aa" : "a");
        assert_int_equal(abdm_url_parse(abdm_buf_str(&b), &url).code,
                         beyond ? ABDM_E_PUSH_URL : ABDM_OK);
        abdm_buf_free(&b);

        abdm_buf_addz(&b, "https://");
        for (int i = 0; i < 63 + beyond; i++)
            abdm_buf_addz(&b, "a");
        abdm_buf_addz(&b, ".example");
        assert_int_equal(abdm_url_parse(abdm_buf_str(&b), &url).code,
                         beyond ? ABDM_E_PUSH_URL : ABDM_OK);
        abdm_buf_free(&b);
    }
    assert_int_equal(abdm_url_parse((abdm_str_t){NULL, 0}, &url).code, ABDM_E_PUSH_URL);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_global_unicast_addresses_are_public),
        cmocka_unit_test(another_family_is_never_public),
        cmocka_unit_test(a_named_network_may_be_pushed_to_and_its_neighbours_not),
        cmocka_unit_test(what_is_no_network_cannot_be_allowed),
        cmocka_unit_test(one_bad_address_makes_a_name_bad),
        cmocka_unit_test(plain_https_urls_are_taken_as_they_stand),
        cmocka_unit_test(what_could_be_read_in_two_ways_is_refused),
        cmocka_unit_test(an_address_in_the_url_must_be_public_or_allowed),
        cmocka_unit_test(lengths_hold_at_their_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
