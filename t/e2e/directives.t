#!/usr/bin/env perl

# nginx -t accepts every form of a directive that README.md names, and refuses all else in one line
# that says which value of what is wrong and what is expected.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::ABDM;
use Test::More;

Test::ABDM->need_module;

my $t    = Test::ABDM->new;
my @NEED = ('name "Demo Hospital";', 'hmis rest http://127.0.0.1:1 mapping=' . Test::ABDM->root . '/conf/hmis/demo;');
my $TEMPLATE = $t->write_file('sms.json', '{}');

# What `nginx -t` says of a configuration: true when it passes, and the lines of refusal.
sub said (%change) {
    $t->write_conf(facility => \@NEED, server => [], http => [], %change);
    my ($passed, $text) = $t->test_conf;
    return ($passed, join "\n", grep { /\[emerg\]/ } split /\n/, $text);
}

sub accepted ($name, %change) {
    my ($passed, $text) = said(%change);
    return ok($passed, $name) || diag($text);
}

sub refused ($name, $pattern, %change) {
    my ($passed, $text) = said(%change);
    ok(!$passed, "$name: refused");
    like($text, $pattern, "$name: and why");
    return is(scalar(split /\n/, $text), 1, "$name: in one line");
}

sub facility (@lines) { return (facility => [@NEED, @lines]) }
sub api ($place, $directive) { return (server => ["location $place { $directive; }"]) }

subtest 'every form that is documented passes' => sub {
    accepted($_, facility($_)) for (
        'poll 30s;', 'poll off;', 'deep_link on;', 'deep_link off;', 'quiet_hours 21:00-08:00;', 'quiet_hours 00:00-23:59;',
        'quiet_hours off;', 'sms_daily 0;', 'sms_daily 1000000;', 'counter OPD1;', 'counter OPD1 "Out-patients, window 1";',
        'counter OPD1; counter opd2; counter 3;', 'zone +05:30;', 'zone -12:00;', 'zone +14:00;', 'discovery_slot 100ms;',
        'discovery_slot 4s;', 'discovery_limit 1;', 'otp_life 5m;',
    );
};

subtest 'a value out of its range or form is named, with what is expected' => sub {
    my @wrong = (
        ['poll'            => '10ms',        qr/"off" or a time from "100ms" to "1d" is expected/],
        ['poll'            => 'often',       qr/"off" or a time from/],
        ['poll'            => '2d',          qr/"off" or a time from/],
        ['deep_link'       => 'yes',         qr/"on" or "off" is expected/],
        ['quiet_hours'     => '21:00',       qr/"off" or two different times of the day like "21:00-08:00"/],
        ['quiet_hours'     => '21:00-24:00', qr/two different times/],
        ['quiet_hours'     => '21:60-08:00', qr/two different times/],
        ['quiet_hours'     => '21-00-08-00', qr/two different times/],
        ['quiet_hours'     => '08:00-08:00', qr/two different times/],
        ['quiet_hours'     => '9pm-8am',     qr/two different times/],
        ['sms_daily'       => '-1',          qr/a number from 0 to 1000000 is expected/],
        ['sms_daily'       => '1000001',     qr/a number from 0/],
        ['sms_daily'       => 'many',        qr/a number from 0/],
        ['zone'            => '05:30',       qr/an offset from UTC like "\+05:30" is expected/],
        ['zone'            => 'IST',         qr/an offset from UTC/],
        ['zone'            => '+14:01',      qr/an offset from UTC/],
        ['zone'            => '+05:3x',      qr/an offset from UTC/],
        ['zone'            => '""',          qr/an offset from UTC/],
        ['discovery_slot'  => '0',           qr/a time from "100ms" to "4s" is expected/],
        ['discovery_slot'  => '5s',          qr/a time from "100ms"/],
        ['discovery_limit' => '0',           qr/a number from 1 to 1000 is expected/],
        ['otp_life'        => '0',           qr/a time from "1m" to "15m" is expected/],
        ['otp_life'        => '2h',          qr/a time from "1m"/],
    );
    for my $case (@wrong) {
        my ($directive, $value, $expected) = @$case;
        (my $bare = $value) =~ tr/"//d;
        refused("$directive $value", qr/invalid value "\Q$bare\E" of "$directive" in the block "abdm_facility", .*$expected.* in .*nginx\.conf:\d+/,
            facility("$directive $value;"));
    }
};

subtest 'policies of the whole bridge have the words that they have' => sub {
    my @good = (
        (map { "abdm_consent_confirm $_;" } qw(off try require)),
        (map { "abdm_consent_signature $_;" } qw(off log)),
        (map { "abdm_push_new_host $_;" } qw(allow hold deny)),
        (map { "abdm_break_glass $_;" } qw(on off)),
    );
    accepted($_, http => [$_]) for @good;
    refused($_, qr/invalid value/, http => [$_]) for 'abdm_consent_confirm maybe;', 'abdm_consent_signature on;';
    refused($_, qr/invalid value/, http => [$_]) for 'abdm_push_new_host perhaps;', 'abdm_push_new_host off;', 'abdm_break_glass yes;';
};

subtest 'a directive comes once, with the arguments it has' => sub {
    for my $line ('poll off;', 'deep_link on;', 'quiet_hours off;', 'sms_daily 5;', 'zone +05:30;', 'otp_life 5m;', 'name Other;') {
        my ($directive) = $line =~ /^(\w+)/;
        refused("$directive twice", qr/"$directive" in the block "abdm_facility" is duplicate/, facility($line, $line));
    }
    for my $line ('poll;', 'poll 1s 2s;', 'counter;', 'counter A B C;', 'sms http://127.0.0.1:1;') {
        my ($directive) = $line =~ /^(\w+)/;
        refused($line, qr/invalid number of arguments in "$directive" of the block "abdm_facility", .+ is expected/, facility($line));
    }
    refused('an unknown one', qr/unknown directive "pool" in the block "abdm_facility"/, facility('pool 1s;'));
};

subtest 'sms names a provider and its template' => sub {
    refused('no template=', qr/invalid parameter "\Q$TEMPLATE\E" of "sms", "URL template=FILE" is expected/,
        facility("sms http://127.0.0.1:1/sms $TEMPLATE;"));
    refused('an empty template=', qr/invalid parameter "template=" of "sms"/, facility('sms http://127.0.0.1:1/sms template=;'));
    refused('a URL that is none', qr/sms .*nonsense/, facility("sms nonsense template=$TEMPLATE;"));
    refused('a file that is not there', qr/sms .*nowhere\.json/, facility('sms http://127.0.0.1:1/sms template=nowhere.json;'));
};

subtest 'a counter has a name that ABDM takes' => sub {
    my $form = qr/1 to 20 letters \(A-Z, a-z\) and digits are expected/;
    refused('a sign in it',   qr/"abdm_facility \S+": counter "OPD-1": $form/, facility('counter OPD-1;'));
    refused('too long',       qr/counter "A{21}": $form/, facility('counter ' . 'A' x 21 . ';'));
    refused('empty',          qr/counter "": $form/, facility('counter "";'));
    refused('the facility',   qr/counter "IN0990001234": it may not have the id or the name of the facility/, facility('counter IN0990001234;'));
    refused('the name of it', qr/counter "Demo": it may not have the id or the name/,
        facility => ['counter Demo;', 'name Demo;', $NEED[1]]);
    refused('twice', qr/counter "OPD1" is there twice/, facility('counter OPD1;', 'counter OPD1 "Again";'));
};

subtest 'an API is for all facilities or for one that is there' => sub {
    accepted($_->[1], api(@$_)) for (
        ['/wrapper/',         'abdm_api nha'],
        ['/abdm/nha/',    'abdm_api nha'],
        ['/wrapper/',         "abdm_api nha facility=$t->{hip}"],
        ['/wrapper/',         "abdm_api facility=$t->{hip} nha"],
        ['/abdm/v1/',     "abdm_api facility=$t->{hip}"],
    );
    refused('another facility', qr/"abdm_api" is for facility "IN0880005678_1", but there is no block "abdm_facility IN0880005678_1", in .*:\d+/,
        api('/wrapper/', 'abdm_api nha facility=IN0880005678_1'));
    for my $parameter ('wrapper', 'facility=', 'nha nha', "facility=$t->{hip} facility=$t->{hip}") {
        my ($last) = $parameter =~ /(\S+)\z/;
        refused($parameter, qr/invalid or repeated parameter "\Q$last\E" of "abdm_api", "nha" or "facility=ID" is expected/,
            api('/wrapper/', "abdm_api $parameter"));
    }
};

subtest 'an API takes no callbacks of the gateway' => sub {
    for my $place ('/abdm/api/', '/abdm/api/v3/', '/abdm/v3/', '/abdm/v3/link/', '/abdm/v0.5/') {
        refused("nha at $place", qr/"abdm_api" in location "\Q$place\E" would take the gateway's callbacks/, api($place, 'abdm_api nha'));
    }
    refused('ours at /abdm/api/', qr/would take the gateway's callbacks/, api('/abdm/api/', 'abdm_api'));
    for my $place ('= /wrapper/', '~ ^/wrapper/', '@nha') {
        refused($place, qr/"abdm_api" cannot be used in the .*location.* a prefix like/, api($place, 'abdm_api nha'));
    }
};

$t->stop;
done_testing();
