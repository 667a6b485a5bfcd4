#!/usr/bin/env perl

# The main job: a consent is granted, a requester asks, and the hospital's papers arrive encrypted,
# whole, and exactly as the HMIS keeps them.

use strict;
use warnings;
use feature 'signatures';
use utf8;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Encode ();
use Crypt::Digest::SHA256 qw(sha256_hex);
use Mojo::JSON qw(decode_json);
use Test::ABDM;
use Test::More;

Test::ABDM->need_module;
my $t = Test::ABDM->new->start;

# The papers of a visit as the HMIS serves them: {type => [{id, sha256, bytes}...]}
sub papers_of ($visit) {
    my %papers;
    for my $paper (@{ $t->hmis("/api/visits/$visit")->{papers} }) {
        my $bytes = $t->hmis_bytes($paper->{file});
        push @{ $papers{ $paper->{type} } }, { %$paper, bytes => $bytes, sha256 => sha256_hex($bytes) };
    }
    return \%papers;
}

sub transfer (%consent) {
    my $consent = $t->grant(%consent);
    is $consent->{sent}{status}, 202, 'the grant is taken';
    ok $t->wait_for(ack => consent => $consent->{consent_id}), 'and acknowledged';
    my ($id, $sent) = $t->request($consent);
    is $sent->{status}, 202, 'the request is taken';
    my $done = $t->wait_for(notify => transaction => $id, timeout_ms => 20_000);
    ok $done, 'and its end is reported' or return;
    is $done->{on_request}{hiRequest}{sessionStatus}, 'ACKNOWLEDGED', 'after an acknowledgement';
    return $done;
}

subtest 'PDF, image and exported document of one visit arrive byte for byte' => sub {
    my $papers = papers_of('OPD-26-0771');
    my $done   = transfer(contexts => ['OPD-26-0771']) or return;
    is $done->{notify}{statusNotification}{sessionStatus}, 'TRANSFERRED', 'transferred';
    is_deeply [map { $_->{hiStatus} } @{ $done->{notify}{statusNotification}{statusResponses} }], ['DELIVERED'],
        'the visit is reported as delivered';
    my %arrived = map { $_->{sha256} => $_ } map { @{ $_->{attachments} // [] } } @{ $done->{pages} };
    for my $type ('application/pdf', 'image/png') {
        for my $paper (@{ $papers->{$type} }) {
            my $got = $arrived{ $paper->{sha256} };
            ok $got, "$paper->{id} ($type) arrived as it is in the HMIS" or next;
            is $got->{contentType}, $type, 'with its type';
        }
    }
    my ($export) = @{ $papers->{'application/fhir+json'} };
    my $wanted   = decode_json($export->{bytes})->{identifier}{value};
    my @documents = map { decode_json(Encode::encode_utf8($_->{text})) } grep { defined $_->{text} } @{ $done->{pages} };
    ok grep({ index($_->{identifier}{value}, $wanted) >= 0 || _holds($_, 'Haemoglobin') } @documents),
        'the exported document arrived with its content';
};

sub _holds ($document, $word) {
    return scalar grep { ($_->{resource}{code}{text} // '') eq $word } @{ $document->{entry} };
}

subtest 'two visits arrive, each page under its own visit' => sub {
    my @visits = qw(OPD-25-3107 IPD-25-0092);
    my $done   = transfer(contexts => \@visits) or return;
    my %pages  = map { $_->{careContextReference} => 1 } @{ $done->{pages} };
    is_deeply [sort keys %pages], [sort @visits], 'both visits';
    my %wanted = map { $_->{sha256} => "$_->{id}" } map { map { @$_ } values %{ papers_of($_) } } @visits;
    my %got    = map { $_->{sha256} => 1 } map { @{ $_->{attachments} // [] } } @{ $done->{pages} };
    is_deeply [grep { !$got{$_} } keys %wanted], [], 'every paper';
    like join("\n", map { $_->{title} // '' } @{ $done->{pages} }), qr/\S/, 'documents have titles';
};

subtest 'only what the consent names is sent' => sub {
    my $done = transfer(contexts => ['OPD-26-0771'], hi_types => ['Prescription']) or return;
    is_deeply [map { $_->{hiType} } @{ $done->{pages} }], [('Prescription') x @{ $done->{pages} }], 'prescriptions only';
};

subtest 'a revoked consent ends it' => sub {
    my $consent = $t->grant(contexts => ['OPD-25-3107']);
    ok $t->wait_for(ack => consent => $consent->{consent_id}), 'granted';
    is $t->announce($consent, 'REVOKED')->{status}, 202, 'the revocation is taken';
    ok $t->wait_for(ack => consent => $consent->{consent_id}, count => 2), 'and acknowledged';
    my $id   = $t->request($consent);
    my $done = $t->wait_for(on_request => transaction => $id);
    ok $done->{refused}, 'a later request is refused';
    is_deeply $done->{pages}, [], 'and nothing is sent';
};

$t->no_violations;
$t->finish;
