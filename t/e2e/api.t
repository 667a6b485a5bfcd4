#!/usr/bin/env perl

# The API of the hospital's software and the paths of NHA's wrapper, against real nginx: each call does what
# README says, and each is refused with a stable code when its input is not right, which changes nothing.

use strict;
use warnings;
use feature 'signatures';
use utf8;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::ABDM;
use Test::More;

Test::ABDM->need_module;

my $t = Test::ABDM->new(clock => 1, sms => 1, lines => ['poll off;', 'quiet_hours off;', 'discovery_slot 100ms;', 'counter OPD1;'])->start;
$t->advance_to('10:00');
$t->canary('c00600@sbx', '9800000600');

my %called;

# Notes which row of lib/api/route.c was meant.
sub call ($row, $path, $body = undef, %headers) {
    $called{$row} = 1;
    my ($method) = split ' ', $row;
    return $t->api($method, $path, $body, %headers);
}

sub refused ($got, $status, $code, $name) {
    is $got->{status}, $status, "$name: $status";
    is $got->{body}{error}{code}, $code, "$name: $code" or diag explain $got;
    ok length $got->{body}{error}{message}, "$name: with a sentence";
    ok length $got->{body}{error}{remedy}, "$name: and a remedy";
    return;
}

my %PATIENT = (reference => 'UH200600', name => 'Pikaka Kakan', gender => 'F', yearOfBirth => 1950, mobile => '9800000600');
my $known   = $t->sim('/citizens/c00600@sbx');
my %ABHA    = (abhaAddress => 'c00600@sbx', abhaNumber => $known->{number});
@PATIENT{qw(name gender yearOfBirth)} = @$known{qw(name gender yearOfBirth)};
my %VISIT = (reference => 'OPD/26/0600 (a)', display => 'Visit of 5 March', hiTypes => ['OPConsultation']);

sub patient (%change) { return { %PATIENT, %change } }

sub visit (%change) { return { %VISIT, %change } }

subtest 'a patient is made known, shown, and changed' => sub {
    my $got = call('POST patients', 'patients', {%PATIENT});
    is $got->{status}, 200, 'taken with 200' or diag explain $got;
    is $got->{body}{reference}, 'UH200600', 'with the patient';
    is call('GET patients/{id}', 'patients/UH200600')->{body}{name}, $PATIENT{name}, 'shown by reference';
    is call('POST patients', 'patients', patient(%ABHA))->{status}, 200, 'the ABHA comes later';
    is call('GET patients', 'patients?abhaAddress=C00600%40SBX')->{body}{reference}, 'UH200600', 'shown by ABHA, whatever its case';
    is call('POST patients', 'patients', patient(mobile => '+91-98000 00600'))->{body}{mobile}, '9800000600', 'a mobile in another form';
    is call('POST patients', 'patients', patient(reference => 'अ'))->{status}, 400, 'a reference that ABDM does not take';
    is call('POST patients', 'patients', patient(reference => 'U-2', name => 'आशा कुमारी', mobile => '9800000699'))->{status}, 200, 'a name in Devanagari';
    is call('GET patients/{id}', 'patients/U-2')->{body}{name}, 'आशा कुमारी', 'comes back as it was';
};

my $request;

subtest 'care contexts are told, linked, shown' => sub {
    my $got = call('POST care-contexts', 'care-contexts', { patientReference => 'UH200600', careContexts => [visit(date => '2026-03-05')], requestId => 'r-600' });
    is $got->{status}, 202, 'taken with 202' or diag explain $got;
    is_deeply $got->{body}, { requestId => 'r-600', accepted => 1 }, 'with the id of the request';
    $request = $got->{body}{requestId};
    ok $t->wait_until(sub { call('GET requests/{id}', "requests/$request")->{body}{state} eq 'DONE' }), 'done';
    my $one = call('GET care-contexts/{id}', 'care-contexts/OPD/26/0600%20(a)')->{body};
    is $one->{state}, 'LINKED', 'linked, with slashes in its reference' or diag explain $one;
    is_deeply $one->{notifiedHiTypes}, ['OPConsultation'], 'ABDM knows its types';
    is_deeply [map { $_->{reference} } @{ call('GET care-contexts', 'care-contexts?patient=UH200600')->{body}{careContexts} }], [$VISIT{reference}], 'listed by patient';
    is call('POST care-contexts', 'care-contexts', { patientReference => 'UH200600', careContexts => [visit(date => '2026-03-05')], requestId => 'r-600' })->{status}, 202, 'the same call again';
    refused(call('POST care-contexts', 'care-contexts', { patientReference => 'UH200600', careContexts => [visit(reference => 'X')], requestId => 'r-600' }),
        409, 'E_CONFLICT', 'another call with its id');
    is call('GET care-contexts/{id}', 'care-contexts/X')->{status}, 404, 'which keeps nothing';
    is call('POST care-contexts/{id}/link', 'care-contexts/OPD/26/0600%20(a)/link')->{status}, 202, 'linking what is linked does no harm';
};

subtest 'what failed is tried again' => sub {
    $t->sim('/citizens', { address => 'meena.s@sbx', name => 'Meena Shah', gender => 'F', dob => '1970-02-02', number => '91555566667776', mobile => '9000000088' });
    $t->canary('Meena', 'meena.s@sbx', '9000000088');
    my %meena = (reference => 'UH-9', gender => 'F', yearOfBirth => 1970, mobile => '9000000088', abhaAddress => 'meena.s@sbx');
    call('POST care-contexts', 'care-contexts', { patient => { %meena, name => 'Mina Saha' }, careContexts => [visit(reference => 'V-9')], requestId => 'r-9' });
    ok $t->wait_until(sub { call('GET requests/{id}', 'requests/r-9')->{body}{state} eq 'FAILED' }), 'the gateway does not know the name';
    like call('GET care-contexts/{id}', 'care-contexts/V-9')->{body}{reason}, qr/1036/, 'which is the reason';
    call('POST patients', 'patients', { %meena, name => 'Meena Shah' });
    $t->advance(8 * 60_000);
    is call('POST care-contexts/{id}/link', 'care-contexts/V-9/link')->{status}, 202, 'again, with the right one';
    ok $t->wait_until(sub { call('GET care-contexts/{id}', 'care-contexts/V-9')->{body}{state} eq 'LINKED' }), 'linked';
};

subtest 'new data is notified, a patient without ABHA gets an SMS' => sub {
    my $got = call('POST notifications', 'notifications', { careContextReference => $VISIT{reference}, hiTypes => ['Prescription'] });
    is $got->{status}, 202, 'a notification: 202';
    $t->advance(31_000);
    is_deeply $t->wait_for(notice => context => $VISIT{reference})->{hi_types}, ['Prescription'], 'and ABDM is told';
    my %ravi = (reference => 'U-3', name => 'Somebody', gender => 'M', yearOfBirth => 1990, mobile => '9800000698');
    call('POST care-contexts', 'care-contexts', { patient => \%ravi, careContexts => [visit(reference => 'V-3')] });
    ok $t->wait_for(deep_link => mobile => '9800000698'), 'an SMS by itself';
    $got = call('POST sms', 'sms', { careContextReference => 'V-3', requestId => 'sms-1' });
    is $got->{status}, 202, 'another when it is asked for' or diag explain $got;
    ok $t->wait_for(deep_link => mobile => '9800000698', count => 2), 'and sent';
    ok $t->wait_until(sub { call('GET requests/{id}', 'requests/sms-1')->{body}{state} eq 'DONE' }), 'its request is done';
    call('POST sms', 'sms', { careContextReference => 'V-3' }) for 1 .. 2;
    refused(call('POST sms', 'sms', { careContextReference => 'V-3' }), 429, 'E_BUDGET', 'a fourth on one day');
};

subtest 'an authentication, and the queue' => sub {
    my $got = call('POST link-auth', 'link-auth', { patientReference => 'UH200600', mode => 'MOBILE_OTP' });
    is $got->{status}, 202, 'taken with 202' or diag explain $got;
    my $id = $got->{body}{id};
    ok $t->wait_until(sub { call('GET link-auth/{id}', "link-auth/$id")->{body}{state} eq 'WAITING' }), 'it waits';
    is call('POST link-auth/{id}/confirm', "link-auth/$id/confirm", { otp => $t->sim('/citizens/c00600@sbx')->{otp} })->{status}, 202, 'confirmed';
    ok $t->wait_until(sub { call('GET link-auth/{id}', "link-auth/$id")->{body}{state} eq 'GRANTED' }), 'granted';
    refused(call('POST link-auth/{id}/confirm', "link-auth/$id/confirm", { otp => '123456' }), 409, 'E_CONFLICT', 'once more');
    $t->sim('/citizens/c00600@sbx/share', { counter => 'OPD1' });
    my ($one) = @{ call('GET queue', 'queue?counter=OPD1')->{body}{queue} };
    is $one->{token}, 1, 'somebody waits';
    is call('POST queue/{id}/done', "queue/$one->{id}/done")->{status}, 200, 'and is called';
    is_deeply call('GET queue', 'queue')->{body}{queue}, [], 'nobody waits';
};

subtest 'what operators ask' => sub {
    is ref call('GET transfers', 'transfers')->{body}{transfers}, 'ARRAY', 'transfers';
    refused(call('GET transfers/{id}', 'transfers/nothing'), 404, 'E_NOT_FOUND', 'no such transfer');
    is call('GET push-hosts', 'push-hosts')->{status}, 200, 'hosts that are pushed to';
    is call('POST push-hosts', 'push-hosts', { requester => 'IN0880005678_1', host => 'new.hiu.example', state => 'allowed' })->{status}, 200, 'a host is allowed';
};

# A valid body of each call that takes one, and what may be missing in it.
my %BODY = (
    'POST patients'      => [{%PATIENT}, {}],
    'POST care-contexts' => [{ patient => {%PATIENT}, careContexts => [{%VISIT}], requestId => 'r-bad' }, { requestId => 1, 'patient' => 0 }],
    'POST notifications' => [{ careContextReference => $VISIT{reference}, hiTypes => ['Prescription'] }, {}],
    'POST sms'           => [{ careContextReference => $VISIT{reference}, requestId => 'r-bad' }, { requestId => 1 }],
    'POST link-auth'     => [{ patientReference => 'UH200600', mode => 'MOBILE_OTP' }, { mode => 1 }],
);

# Copies of a structure, each with one member replaced; gives [place, copy].
sub spoiled ($json, $value, $place = '') {
    my @all;
    if (ref $json eq 'HASH') {
        for my $key (sort keys %$json) {
            push @all, ["$place/$key", { %$json, $key => $value }];
            push @all, map { [$_->[0], { %$json, $key => $_->[1] }] } spoiled($json->{$key}, $value, "$place/$key");
        }
    }
    elsif (ref $json eq 'ARRAY') {
        push @all, map { [$_->[0], [$_->[1]]] } spoiled($json->[0], $value, "$place/0");
        push @all, ["$place/0", [$value]];
    }
    return @all;
}

for my $row (sort keys %BODY) {
    subtest "$row: whatever member is wrong, it is refused" => sub {
        my ($good) = @{ $BODY{$row} };
        my ($path) = $row =~ /\APOST (.*)/;
        my %wrong = ('a list' => [], 'true' => Mojo::JSON::true(), 'too long' => 'x' x 3000, 'control characters' => "a\nb");
        for my $kind (sort keys %wrong) {
            for my $case (spoiled($good, $wrong{$kind})) {
                my ($place, $body) = @$case;
                my $got = call($row, $path, $body);
                my $ok = $got->{status} =~ /\A4\d\d\z/ && ($got->{body}{error}{code} // '') =~ /\AE_(?:FIELD|NOT_FOUND)\z/;
                ok $ok, "$place as $kind" or diag explain [$body, $got];
            }
        }
        refused(call($row, $path, []), 400, 'E_FIELD', 'a list') if $row ne 'POST care-contexts';
        refused(call($row, $path, '{"reference":'), 400, 'E_JSON', 'half a body');
        refused(call($row, $path, '7'), 400, 'E_JSON', 'a number');
        refused(call($row, $path), 400, 'E_FIELD', 'no body');
        refused(call($row, $path, $good, 'Content-Type' => 'text/plain'), 415, 'E_CONTENT_TYPE', 'not JSON');
        refused(call($row, $path, '{"x":"' . 'x' x 1_100_000 . '"}'), 413, 'E_BODY_TOO_LARGE', 'more than 1 MB');
    };
}

subtest 'values that are of the right type, and wrong' => sub {
    my @bad = (
        ['patients', patient(gender => 'X')],
        ['patients', patient(yearOfBirth => 1850)],
        ['patients', patient(yearOfBirth => 2100)],
        ['patients', patient(birthDate => '14-05-1988')],
        ['patients', patient(yearOfBirth => 1988, birthDate => '1989-05-14')],
        ['patients', patient(mobile => '12345')],
        ['patients', patient(abhaAddress => 'not an address')],
        ['patients', patient(abhaNumber => '9111122223333')],
        ['care-contexts', { patientReference => 'UH200600', careContexts => [] }],
        ['care-contexts', { patientReference => 'UH200600', careContexts => [{%VISIT}, {%VISIT}] }],
        ['care-contexts', { patientReference => 'UH200600', careContexts => [visit(hiTypes => ['Nonsense'])] }],
        ['care-contexts', { patientReference => 'UH200600', careContexts => [visit(hiTypes => [])] }],
        ['care-contexts', { patientReference => 'UH200600', careContexts => [visit(date => 'yesterday')] }],
        ['care-contexts', { patientReference => 'UH200600', careContexts => [map { visit(reference => "M-$_") } 1 .. 501] }],
        ['link-auth', { patientReference => 'UH200600', mode => 'GUESS' }],
    );
    for my $bad (@bad) { refused(call("POST $bad->[0]", @$bad), 400, 'E_FIELD', "$bad->[0]") }
    my @other = (
        ['patients', patient(reference => 'U-77', %ABHA), 409, 'E_ABHA_TAKEN', 'an ABHA of somebody else'],
        ['care-contexts', { patientReference => 'U-2', careContexts => [{%VISIT}] }, 409, 'E_CONFLICT', 'a visit of somebody else'],
        ['care-contexts', { patientReference => 'nobody', careContexts => [{%VISIT}] }, 404, 'E_NOT_FOUND', 'of nobody'],
        ['notifications', { careContextReference => 'nothing', hiTypes => ['Prescription'] }, 404, 'E_NOT_FOUND', 'no such visit'],
        ['link-auth', { patientReference => 'U-3', mode => 'MOBILE_OTP' }, 409, 'E_ABHA_NONE', 'of a patient without ABHA'],
    );
    for my $bad (@other) {
        my ($path, $body, @refusal) = @$bad;
        refused(call("POST $path", $path, $body), @refusal);
    }
    refused(call('GET patients', 'patients'), 400, 'E_FIELD', 'no ABHA in the query');
    refused(call('GET care-contexts', 'care-contexts?patient=%zz'), 400, 'E_FIELD', 'a query that is badly encoded');
    refused(call('POST link-auth/{id}/confirm', 'link-auth/nothing/confirm', { otp => '1' }), 404, 'E_NOT_FOUND', 'no such authentication');
    refused(call('GET requests/{id}', 'requests/r-bad'), 404, 'E_NOT_FOUND', 'what was refused left no request');
    is call('GET patients/{id}', 'patients/U-77')->{status}, 404, 'nor a patient';
    is call('GET patients/{id}', 'patients/UH200600')->{body}{name}, $PATIENT{name}, 'nor a change';
    refused($t->api(DELETE => 'patients/UH200600'), 405, 'E_METHOD_API', 'DELETE');
    refused($t->api(POST => 'elsewhere', {}), 404, 'E_NOT_FOUND', 'no such path');
};

# ---- NHA's wrapper ------------------------------------------------------------------------------

sub nha ($row, $path, $body = undef) { return call($row, "/nha/$path", $body) }

sub nha_refused ($got, $code, $name) {
    is $got->{status}, 400, "$name: 400" or diag explain $got;
    is $got->{body}{httpStatusCode}, 'BAD_REQUEST', "$name: in the wrapper's words";
    is $got->{body}{errors}[0]{error}{code}, $code, "$name: $code";
    return;
}

subtest 'an HMIS that was written for NHA\'s wrapper' => sub {
    my $who   = $t->sim('/citizens/c00601@sbx');
    my %added = (abhaAddress => 'c00601@sbx', name => $who->{name}, gender => $who->{gender}, dateOfBirth => $who->{dob},
        patientReference => 'UH200601', patientDisplay => $who->{name}, patientMobile => $who->{mobile}, hipId => $t->{hip});
    $t->canary('c00601@sbx', $who->{mobile});
    my $got = nha('PUT v3/add-patients', 'v3/add-patients', [{%added}]);
    is $got->{status}, 202, 'PUT add-patients: 202' or diag explain $got;
    is nha('POST v3/add-patients', 'v3/add-patients', [+{ %added, careContexts => [{ referenceNumber => 'N-0', display => 'Visit', hiType => 'Prescription' }] }])->{status},
        202, 'POST will do as well';
    my $shown = nha('GET v3/patient/{id}', 'v3/patient/c00601@sbx')->{body};
    is $shown->{patientReference}, 'UH200601', 'the patient is shown';
    is_deeply [map { $_->{referenceNumber} } @{ $shown->{careContexts} }], ['N-0'], 'with the care context';
    my %link = (requestId => 'n-1', requesterId => $t->{hip}, abhaAddress => 'c00601@sbx', authMode => 'DEMOGRAPHICS',
        careContexts => [{ referenceNumber => 'N-1', display => 'Visit', hiType => 'OPConsultation' }, { referenceNumber => 'N-1', display => 'Visit', hiType => 'Prescription' }]);
    $got = nha('POST v3/link-carecontexts', 'v3/link-carecontexts', {%link});
    is $got->{status}, 202, 'link-carecontexts: 202' or diag explain $got;
    is_deeply [@{ $got->{body} }{qw(clientRequestId httpStatusCode)}], ['n-1', 'ACCEPTED'], 'in the wrapper\'s form';
    ok $t->wait_until(sub { nha('GET v3/link-status/{id}', 'v3/link-status/n-1')->{body}{status} eq 'Care Context(s) were linked' }), 'link-status tells that it was done'
        or diag explain nha('GET v3/link-status/{id}', 'v3/link-status/n-1');
    is_deeply [sort map { "$_->{context} $_->{times}" } @{ $t->sim('/citizens/c00601@sbx/links')->{links} }], ['N-0 1', 'N-1 1'], 'linked once';
    $got = nha('POST v3/sms/notify', 'v3/sms/notify', { requestId => 'n-2', notification => { phoneNo => $who->{mobile}, hip => { name => 'Demo Hospital', id => $t->{hip} } } });
    is $got->{status}, 202, 'sms/notify: 202' or diag explain $got;
    ok $t->wait_for(deep_link => mobile => $who->{mobile}), 'the SMS is sent';

    nha_refused(nha('PUT v3/add-patients', 'v3/add-patients', [+{ %added, gender => 'X' }]), 'E_FIELD', 'a gender that is none');
    nha_refused(nha('PUT v3/add-patients', 'v3/add-patients', {%added}), 'E_FIELD', 'no list');
    nha_refused(nha('POST v3/link-carecontexts', 'v3/link-carecontexts', { %link, requestId => undef }), 'E_FIELD', 'no requestId');
    nha_refused(nha('POST v3/link-carecontexts', 'v3/link-carecontexts', { %link, requesterId => 'IN0000000000' }), 'E_FACILITY_UNKNOWN', 'another facility');
    nha_refused(nha('POST v3/link-carecontexts', 'v3/link-carecontexts', { %link, requestId => 'n-5', careContexts => [{ referenceNumber => 'N-5', display => 'Visit', hiType => 'X' }] }), 'E_FIELD', 'a type that is none');
    nha_refused(nha('GET v3/link-status/{id}', 'v3/link-status/nothing'), 'E_NOT_FOUND', 'no such request');
    nha_refused(nha('GET v3/patient/{id}', 'v3/patient/nobody@sbx'), 'E_NOT_FOUND', 'no such patient');
    nha_refused(nha('POST v3/sms/notify', 'v3/sms/notify', { notification => { phoneNo => '12', hip => { id => $t->{hip} } } }), 'E_FIELD', 'no mobile');
};

subtest 'each call of lib/api/route.c was made' => sub {
    local (@ARGV, $/) = (Test::ABDM->root . '/lib/api/route.c');
    my %row = map { $_ => 1 } map { "$_->[0] $_->[1]" } map { [/"([A-Z]+)", "([^"]+)"/] } <> =~ /\{(?:OWN|NHA), "[A-Z]+", "[^"]+"/g;
    is_deeply [sort keys %called], [sort keys %row], 'all of them';
};

like $t->error_log, qr/refused with 409 E_ABHA_TAKEN: [^,]+, method POST, location/, 'a refusal is a line of the log with its code';
$t->no_violations;
$t->finish;
