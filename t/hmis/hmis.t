#!/usr/bin/env perl

# The demo HMIS keeps to its README, and misbehaves when told to.

use strict;
use warnings;
use feature 'signatures';
use utf8;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::ABDM;
use Test::More;

my $t = Test::ABDM->new(module => 0);
$t->start_hmis;
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

subtest 'the application knows nothing of the network it will be joined to' => sub {
    for my $file (glob "$FindBin::Bin/hmis.pl $FindBin::Bin/lib/Hmis/*.pm") {
        my $code = Mojo::File->new($file)->slurp;
        unlike $code, qr/abdm|abha|consent|care.?context|\bhi[pu]\b/i, $file =~ s{.*/}{}r;
    }
};

$t->finish;
