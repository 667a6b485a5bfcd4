#!/usr/bin/env perl

# Shows the rows of ABDM's official test sheets against the running module, and writes what was seen to
# build/certify/report.html, report.md and report.json. The exit status is 0 when every row of
# t/certify/claimed passes, no other row fails, and no person or secret stands in the report.
#
#   make certify
#   ABDM_BUILD=build/test perl t/certify/run.pl [ID...]      these rows only, to look at them

use strict;
use warnings;
use feature 'signatures';
use utf8;
use open qw(:std :encoding(UTF-8));
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../lib", "$FindBin::Bin/../sim/lib";

use Certify;
use Certify::M2;
use Certify::Mask;
use Certify::Report;
use Certify::Scene;
use Certify::Steps;
use Crypt::Digest::SHA256 qw(sha256_file_hex);
use Encode qw(encode_utf8);
use File::Path qw(make_path);
use POSIX qw(strftime);
use Time::HiRes qw(time);

my $ROOT = Test::ABDM->root;
my $OUT  = "$ROOT/build/certify";
my @HMIS = qw(hmis.pl lib/Hmis/Data.pm lib/Hmis/Export.pm lib/Hmis/Paper.pm);

local $| = 1;
local $SIG{INT}  = sub { exit 130 };
local $SIG{TERM} = sub { exit 143 };

my %demonstration = Certify::M2::demonstrations();
my $rows    = Certify::load_rows("$FindBin::Bin/rows.tsv");
my $claimed = Certify::load_claimed("$FindBin::Bin/claimed");
Certify::compare_ids($rows, \%demonstration, [@$claimed, @ARGV]);

my $mask    = Certify::Mask->new;
my $scene   = Certify::Scene->open_stage($mask);
my $before  = checksums();
my %seen    = map { $_->{id} => shown($_->{id}) } grep { $demonstration{ $_->{id} } && wanted($_->{id}) } @$rows;
my @facts   = facts();
my @conduct = conduct();
my $run     = {
    generated => strftime('%Y-%m-%dT%H:%M:%SZ', gmtime), version => version(), facts => \@facts, conduct => \@conduct,
    judged => Certify::judge($rows, \%seen), claimed => $claimed,
};
exit(written($run) ? 0 : 1);

sub wanted ($id) { return !@ARGV || grep { $_ eq $id } @ARGV }

# Takes the steps of a row.
sub shown ($id) {
    my $start = time;
    my $seen  = Certify::play($scene->start_over, @{ $demonstration{$id} }, Certify::Steps::conduct());
    my $checks = map { @{ $_->{checks} } } @$seen;
    printf "%-4s  %-32s %2d steps, %3d checks, %4.1f s\n", Certify::verdict_of($seen), $id, scalar @$seen, $checks, time - $start;
    print map { "        $_\n" } Certify::faults($seen);
    return $seen;
}

sub version () {
    my (undef, $version) = $scene->t->abdm('version');
    return $version =~ s/\s+\z//r;
}

sub checksums () { return { map { $_ => sha256_file_hex("$ROOT/t/hmis/$_") } @HMIS } }

sub facts () {
    my $server = $scene->t->ua->get($scene->t->url . '/')->result->headers->server;
    return (
        ['server', $server], ['build', 'VARIANT=test: the product with a clock that can be moved'], ['module, SHA-256', sha256_file_hex(Test::ABDM::module_file())],
        ['facility', $Certify::Scene::FACILITY], (map { ["demo HMIS, unmodified: $_, SHA-256", $before->{$_}] } @HMIS),
    );
}

# What must hold for the run as a whole.
sub conduct () {
    my $count = $scene->t->sim('/violations')->{count};
    my @left  = $scene->close_stage;
    my $log   = $scene->t->error_log;
    my $logs  = join '', $log, map { $scene->t->read_file($_) } qw(access.log abdm.log nginx.log);
    my @alerts = grep { /\[(?:alert|emerg|crit)\]/ } split /\n/, $log;
    my @told   = $mask->leaks($logs);
    my $after  = checksums();
    return (
        { ok => $count == 0, text => "messages that ABDM complained of: $count" },
        { ok => !@alerts,    text => 'alerts in the error log: ' . @alerts },
        { ok => !@told,      text => 'names, mobiles, ABHAs and secrets in the logs of nginx: ' . @told . (@told ? " (@told)" : '') },
        { ok => !grep({ $before->{$_} ne $after->{$_} } @HMIS), text => 'the demo HMIS is the same after the run as before it' },
        { ok => !@left, text => 'processes left running: ' . @left },
    );
}

sub spew ($name, $text) {
    open my $file, '>:raw', "$OUT/$name" or die "$OUT/$name: $!\n";
    print {$file} encode_utf8($text);
    close $file or die "$OUT/$name: $!\n";
    return;
}

# Writes the report; true when the run is as claimed. A report in which somebody stands is not written.
sub written ($result) {
    my %form  = (html => Certify::Report::html($result), md => Certify::Report::markdown($result), json => Certify::Report::json($result));
    my @leaks = map { my $form = $_; map { "report.$form: $_" } $mask->leaks($form{$form}) } sort keys %form;
    make_path($OUT);
    unlink map { "$OUT/report.$_" } keys %form;
    if (!@leaks) { spew("report.$_", $form{$_}) for sort keys %form }
    my $total = Certify::verdict_counts($result->{judged});
    print "\n";
    printf "%-4s %3d rows: %3d pass, %d fail, %d not demonstrated\n", $_, @{ $total->{$_} }{qw(rows pass fail not-demonstrated)} for qw(M1 M2 M3 PHR all);
    print @leaks ? "no report: it would show " . join(', ', @leaks) . "\n" : "report: build/certify/report.html, report.md, report.json\n";
    my @short = Certify::shortfalls($result->{judged}, $claimed, $result->{conduct});
    print map { "NOT AS CLAIMED: $_\n" } @short;
    print 'all ' . @$claimed . " rows that are claimed pass\n" if !@short && !@leaks;
    return !@short && !@leaks;
}
