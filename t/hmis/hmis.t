#!/usr/bin/env perl

# The demo HMIS keeps to its README, and misbehaves when told to.

use strict;
use warnings;
use feature 'signatures';
use utf8;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Cpanel::JSON::XS ();
use Mojo::Promise;
use Test::ABDM;
use Test::More;

my $t = Test::ABDM->new(module => 0);
$t->start_hmis;
my ($TRUE, $FALSE) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);
my %START = (
    'application/pdf' => '%PDF-1.4', 'image/png' => "\x89PNG\r\n", 'image/jpeg' => "\xFF\xD8\xFF",
    'application/fhir+json' => '{"',
);

subtest 'every paper of every visit can be fetched, twice the same' => sub {
    my %seen;
    for my $patient (@{ $t->hmis('/api/patients')->{patients} }) {
        my $visits = $t->hmis("/api/patients/$patient->{uhid}/visits")->{visits};
        cmp_ok scalar @$visits, '>=', 3, "$patient->{uhid} has three visits";
        for my $paper (map { @{ $_->{papers} } } @$visits) {
            my $bytes = $t->hmis_bytes($paper->{file});
            is substr($bytes, 0, length $START{ $paper->{type} }), $START{ $paper->{type} }, "$paper->{file} is $paper->{type}";
            is $t->hmis_bytes($paper->{file}), $bytes, "$paper->{file} stays the same";
            ok !$seen{$bytes}++, "$paper->{file} is like no other";
        }
    }
};

subtest 'an exported document belongs to its patient' => sub {
    my $bundle = $t->hmis('/export/5003.json');
    is $bundle->{type}, 'document', 'a document';
    my ($patient) = grep { $_->{resourceType} eq 'Patient' } map { $_->{resource} } @{ $bundle->{entry} };
    is $patient->{identifier}[0]{value}, 'UH100231', 'with the uhid';
    is $t->ua->get($t->hmis_url . '/export/5003.json')->result->headers->content_type, 'application/fhir+json', 'and its type';
};

subtest 'people are found by phone, and synthetic ones by number' => sub {
    is_deeply [map { $_->{uhid} } @{ $t->hmis('/api/patients?phone=9000000001')->{patients} }], [qw(UH100231 UH100234)],
        'a family shares a phone';
    is $t->hmis('/api/visits/OPD-S-01234-2')->{patient}{uhid}, 'UH201234', 'a synthetic visit';
    is $t->ua->get($t->hmis_url . "/$_")->result->code, 404, "$_ is not there"
        for qw(api/patients/UH999999 api/visits/OPD-0 files/9999.pdf files/5003.json export/5001.json);
};

subtest 'a patient is found by what the desk entered' => sub {
    is_deeply [map { $_->{uhid} } @{ $t->hmis('/api/patients?phone=9800001234')->{patients} }], ['UH201234'], 'a synthetic one by phone';
    my $patient = $t->hmis('/api/patients/UH201235');
    is_deeply [@$patient{qw(first last sex dob phone abha)}], ['Karimo', 'Sunan', 'M', '01-01-1985', '9800001235', ''],
        'and computed from the number' or diag explain $patient;
    is_deeply $t->hmis('/api/patients?abha=asha.k@sbx')->{patients}, [], 'nobody has the health id';
    $t->hmis('/api/patients/UH100231/abha', { abha => '91-1112-2223-3334', abha_address => 'asha.k@sbx' });
    for my $abha ('asha.k@sbx', 'ASHA.K@sbx', '91-1112-2223-3334', '91111222233334') {
        is_deeply [map { $_->{uhid} } @{ $t->hmis("/api/patients?abha=$abha")->{patients} }], ['UH100231'], "until it is entered: $abha";
    }
    is_deeply $t->hmis('/api/patients?abha=')->{patients}, [], 'an empty one is nobody\'s';
    is $t->ua->post($t->hmis_url . '/api/patients/UH100231/abha' => json => [])->res->code, 400, 'nothing to enter';
};

subtest 'the desk knows people, or registers them' => sub {
    my %asha = (first => 'Asha', last => 'Kumari', sex => 'F', dob => '14-05-1988', phone => '9000000001', counter => '1');
    my $new  = $t->hmis('/api/desk', { %asha, first => 'Usha', abha_address => 'usha@sbx' });
    ok $new->{new}, 'another first name is somebody else';
    is $t->hmis('/api/patients/' . $new->{uhid})->{phone}, '9000000001', 'who is there now';
    is_deeply $t->hmis('/api/desk', { %asha, first => 'U.', abha_address => 'usha@sbx' }), { %$new, new => $FALSE },
        'and known by the health id';
    is_deeply $t->hmis('/api/desk', { %asha, dob => '', year => '1988', abha_address => 'asha.k@sbx' }), { uhid => 'UH100231', new => $FALSE },
        'the year will do';
    is $t->hmis('/api/patients/UH100231')->{last}, 'Kumari', 'the books are not overwritten';
    is $t->ua->post($t->hmis_url . '/api/desk' => json => {})->res->code, 400, 'nobody';
};

subtest 'the journal tells of new and changed visits' => sub {
    is_deeply $t->hmis('/api/changes'), { changes => [], last => 0, more => $FALSE }, 'it begins empty';
    my $first = $t->hmis('/_test/visits', { uhid => 'UH100232', kinds => ['Lab report', 'Scan'] })->{visit}{no};
    $t->hmis('/_test/visits', { uhid => 'UH100233' });
    $t->hmis('/_test/visits', { no => $first, date => '02-04-2026 09:00' });
    my $all = $t->hmis('/api/changes?after=&limit=500');
    is_deeply [map { $_->{n} } @{ $all->{changes} }], [1, 2, 3], 'its numbers grow';
    is_deeply [map { $_->{visit}{no} } @{ $all->{changes} }[0, 2]], [$first, $first], 'a changed visit comes again';
    is_deeply $all->{changes}[0]{visit}, $t->hmis("/api/visits/$first"), 'as it is now';
    is scalar @{ $all->{changes}[0]{visit}{papers} }, 2, 'with its papers';
    like $t->hmis_bytes($all->{changes}[0]{visit}{papers}[1]{file}), qr/\A%PDF/, 'that can be fetched';
    my $part = $t->hmis('/api/changes?after=1&limit=1');
    is_deeply [$part->{changes}[0]{n}, $part->{last}, $part->{more}], [2, 2, $TRUE], 'it is read in parts';
    is_deeply $t->hmis('/api/changes?after=3'), { changes => [], last => 3, more => $FALSE }, 'to its end';
    is $t->hmis('/api/changes?after=9')->{last}, 9, 'and never goes back';
    is $t->ua->get($t->hmis_url . '/api/changes?after=x')->res->code, 400, 'not a number';

    is $t->hmis('/_test/visits', { n => 10_000, abha => 1 })->{last}, 10_003, 'many at once';
    my $page = $t->hmis('/api/changes?after=9503&limit=1000');
    is scalar @{ $page->{changes} }, 500, 'a page has 500 at most';
    is $page->{changes}[-1]{visit}{patient}{abha_address}, 'c09999@sbx', 'of people with health ids';
    is_deeply [map { $_->{uhid} } @{ $t->hmis('/api/patients?abha=c00007@sbx')->{patients} }], ['UH200007'], 'who are found by them';
    is scalar @{ $t->hmis('/api/patients/UH200007/visits')->{visits} }, 4, 'and have a visit more';
};

subtest 'codes and events' => sub {
    my $ref = $t->hmis('/api/otp', { uhid => 'UH100231' })->{ref};
    my ($otp) = @{ $t->hmis('/_test/otps')->{otps} };
    is $otp->{phone}, '9000000001', 'to the phone in the books';
    my $wrong = sprintf '%06d', ($otp->{code} + 1) % 1_000_000;
    ok !$t->hmis('/api/otp/check', { ref => $ref, code => $wrong })->{ok}, 'wrong';
    ok $t->hmis('/api/otp/check', { ref => $ref, code => $otp->{code} })->{ok}, 'right';
    is $t->ua->post($t->hmis_url . '/api/otp/check' => json => { ref => $ref, code => $otp->{code} })->res->code, 404, 'once';
    $ref = $t->hmis('/api/otp', { uhid => 'UH100231', phone => '9000000009' })->{ref};
    ($otp) = @{ $t->hmis('/_test/otps')->{otps} };
    is $otp->{phone}, '9000000009', 'or to the one given';
    $t->hmis('/api/otp/check', { ref => $ref, code => $wrong }) for 1 .. 3;
    ok !$t->hmis('/api/otp/check', { ref => $ref, code => $otp->{code} })->{ok}, 'three tries';

    $t->hmis('/api/events', { what => 'linked', ids => {} });
    is_deeply $t->hmis('/_test/events')->{events}, [{ what => 'linked', ids => {} }], 'events are kept';
    $t->hmis('/_test/reset', {});
    is_deeply $t->hmis('/_test/events')->{events}, [], 'until all starts over';
    is $t->hmis('/api/changes')->{last}, 0, 'with an empty journal';
    is $t->hmis('/api/patients/UH100231')->{abha}, '', 'and as the books were';
};

subtest 'two hundred slow answers take as long as one' => sub {
    $t->hmis('/_test/fault', { path => '^/api/', action => 'slow', ms => 300 });
    my $ua = $t->ua->max_connections(200);
    my ($right, $start) = (0, time);
    my @asked = map {
        my $phone = 9_800_000_000 + $_;
        $ua->get_p($t->hmis_url . "/api/patients?phone=$phone")->then(sub ($tx) { $right++ if $tx->res->json->{count} == 1 })
    } 1 .. 200;
    Mojo::Promise->all(@asked)->wait;
    is $right, 200, 'all are right';
    cmp_ok time - $start, '<', 10, 'in time';    # one after the other: 60 s
    $t->hmis('/_test/clear', {});
};

subtest 'faults' => sub {
    my $paper = '/files/5001.pdf';
    my $ask   = sub (%fault) {
        $t->hmis('/_test/fault', { path => '^/', count => 1, %fault });
        return $t->ua->request_timeout(2)->get($t->hmis_url . ($fault{of} // '/api/patients/UH100231'));
    };
    is $ask->(action => 'down')->res->code, 503, 'down';
    is $ask->(action => 'status', status => 418)->res->code, 418, 'status';
    ok !defined $ask->(action => 'garbage')->res->json, 'garbage';
    like $ask->(action => 'login')->res->headers->content_type, qr{text/html}, 'login';
    is $ask->(action => 'wrong_patient')->res->json->{uhid}, 'UH100299', 'wrong patient';
    is $ask->(action => 'slow', ms => 100)->res->json->{uhid}, 'UH100231', 'slow, but right';
    ok $ask->(action => $_)->error, $_ for qw(drop endless);
    my $short = $ask->(action => 'short')->res;
    cmp_ok length $short->body, '<', $short->headers->content_length, 'short';
    my $huge = $ask->(action => 'huge', bytes => 3_000_000, of => $paper)->res->body;
    is length $huge, 3_000_000, 'huge has its size';
    is $ask->(action => 'huge', bytes => 3_000_000, of => $paper)->res->body, $huge, 'and the same bytes each time';
    my ($start) = $huge =~ /startxref\n(\d+)\n%%EOF\n\z/;
    is substr($huge, $start, 4), 'xref', 'and is a PDF to its end';
    is $t->hmis('/api/patients/UH100231')->{uhid}, 'UH100231', 'afterwards all is well';
};

# It keeps people's health ids, as it keeps their phones.
subtest 'the application knows nothing of the network it will be joined to' => sub {
    for my $file (glob "$FindBin::Bin/hmis.pl $FindBin::Bin/lib/Hmis/*.pm") {
        my $code = Mojo::File->new($file)->slurp;
        unlike $code, qr/abdm|consent|care.?context|\bhi[pu]\b/i, $file =~ s{.*/}{}r;
    }
};

$t->finish;
